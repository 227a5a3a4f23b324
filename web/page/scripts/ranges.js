// Two slider handles over a histogram; each stands at one of the edges in data-edges.

import { text } from "./texts.js";

const handle = (form, end) => form.querySelector(`[data-end=${end}]`);
const field = (form, bound) => form.querySelector(`input[name^="${bound}:"]`);

function onInput(form, moved) {
  const edges = form.dataset.edges.split(" ");
  const low = handle(form, "low");
  const high = handle(form, "high");
  if (Number(low.value) >= Number(high.value)) {
    if (moved === low) low.value = Number(high.value) - 1;
    else high.value = Number(low.value) + 1;
  }
  const isOpen = { low: low.value === low.min, high: high.value === high.max };
  field(form, "min").value = isOpen.low ? "" : edges[low.value];
  field(form, "max").value = isOpen.high ? "" : edges[high.value];
  low.setAttribute("aria-valuetext", isOpen.low ? text("up_to") : edges[low.value]);
  high.setAttribute("aria-valuetext", isOpen.high ? text("up_to") : edges[high.value]);
  const width = 240 / (edges.length - 1);
  for (const bar of form.querySelectorAll(".histogram rect")) {
    const at = Math.round(bar.x.baseVal.value / width);
    bar.classList.toggle("is-outside", at < Number(low.value) || at >= Number(high.value));
  }
}

export function installRanges() {
  document.addEventListener("input", (event) => {
    const form = event.target.dataset?.end && event.target.closest("[data-range]");
    if (form) onInput(form, event.target);
  });
  document.addEventListener("change", (event) => {
    if (event.target.dataset?.end) event.target.form.requestSubmit();
  });
}
