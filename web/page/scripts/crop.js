// Selects the part of a picture to search for: drag its corners, move them with the arrow keys, or tap on a thing.

const SMALLEST = 8; // percent of a side
const STEP = 5;
const TAPPED = 40; // percent of each side around a tap

const limited = (value, low, high) => Math.min(high, Math.max(low, value));

function partOf(frame) {
  const [left, top, right, bottom] = frame.dataset.part.split("-").map(Number);
  return { left, top, right, bottom };
}

function show(frame, part) {
  const { left, top, right, bottom } = part;
  frame.dataset.part = [left, top, right, bottom].map(Math.round).join("-");
  frame.querySelector(".crop-veil").setAttribute("d", `M0 0H100V100H0Z M${left} ${top}V${bottom}H${right}V${top}Z`);
  const rect = frame.querySelector(".crop-frame");
  for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) rect.setAttribute(name, value);
  for (const corner of frame.querySelectorAll("[data-corner]")) {
    corner.style.left = (corner.dataset.corner.includes("w") ? left : right) + "%";
    corner.style.top = (corner.dataset.corner.includes("n") ? top : bottom) + "%";
  }
}

function moved(part, corner, x, y) {
  const next = { ...part };
  if (corner.includes("w")) next.left = limited(x, 0, part.right - SMALLEST);
  else next.right = limited(x, part.left + SMALLEST, 100);
  if (corner.includes("n")) next.top = limited(y, 0, part.bottom - SMALLEST);
  else next.bottom = limited(y, part.top + SMALLEST, 100);
  return next;
}

function around(x, y) {
  const left = limited(x - TAPPED / 2, 0, 100 - TAPPED);
  const top = limited(y - TAPPED / 2, 0, 100 - TAPPED);
  return { left, top, right: left + TAPPED, bottom: top + TAPPED };
}

function placeOf(frame, event) {
  const box = frame.getBoundingClientRect();
  return [(100 * (event.clientX - box.left)) / box.width, (100 * (event.clientY - box.top)) / box.height];
}

function drag(frame, start, choose) {
  const corner = start.target.closest("[data-corner]")?.dataset.corner;
  start.preventDefault();
  if (!corner) {
    show(frame, around(...placeOf(frame, start)));
    return choose(frame.dataset.part);
  }
  start.target.focus();
  const follow = (event) => show(frame, moved(partOf(frame), corner, ...placeOf(frame, event)));
  const stop = () => {
    removeEventListener("pointermove", follow);
    choose(frame.dataset.part);
  };
  addEventListener("pointermove", follow);
  addEventListener("pointerup", stop, { once: true });
}

const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

function step(frame, event, choose) {
  const corner = event.target.dataset?.corner;
  if (!corner || !(event.key in ARROWS)) return;
  event.preventDefault();
  const part = partOf(frame);
  const [x, y] = ARROWS[event.key];
  const from = [corner.includes("w") ? part.left : part.right, corner.includes("n") ? part.top : part.bottom];
  show(frame, moved(part, corner, from[0] + x, from[1] + y));
  clearTimeout(step.pause);
  step.pause = setTimeout(() => choose(frame.dataset.part), 300);
}

// to be called whenever results were put into the page; `choose` gets the part as the parameter `crop`
export function watchCrop(choose) {
  const frame = document.getElementById("crop");
  if (!frame) return;
  show(frame, partOf(frame));
  frame.addEventListener("pointerdown", (event) => event.button === 0 && drag(frame, event, choose));
  frame.addEventListener("keydown", (event) => step(frame, event, choose));
}
