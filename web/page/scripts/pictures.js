// Takes pictures to search with: chosen, photographed, pasted or dropped; shrinks large ones before it sends them.

import { installWebcam } from "./webcam.js";

const LONGEST_SIDE = 1024; // pixels

const $ = (id) => document.getElementById(id);
const isPicture = (file) => file?.type.startsWith("image/");

async function shrink(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = LONGEST_SIDE / Math.max(bitmap.width, bitmap.height);
    if (scale >= 1 && file.size < 2_000_000) return file;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * Math.min(1, scale)));
    canvas.height = Math.max(1, Math.round(bitmap.height * Math.min(1, scale)));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return (await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9))) ?? file;
  } catch {
    return file; // this browser cannot read the format: the server may, or answers with the reason
  }
}

// `search` gets the picture as a file
export function installPictures(search) {
  const searchWith = async (file) => {
    if (!isPicture(file)) return;
    const small = await shrink(file);
    await search(new File([small], "picture.jpg", { type: small.type }));
  };
  for (const id of ["picture", "photo", "picture-again"])
    $(id).addEventListener("change", async (event) => {
      $("picture-menu").hidePopover?.();
      await searchWith(event.target.files[0]);
      event.target.value = "";
    });
  document.addEventListener("paste", (event) => {
    const picture = [...(event.clipboardData?.files ?? [])].find(isPicture);
    if (!picture) return;
    event.preventDefault();
    searchWith(picture);
  });
  installDropping(searchWith);
  installWebcam(searchWith);
}

function installDropping(searchWith) {
  const hasFile = (event) => event.dataTransfer?.types.includes("Files");
  const veil = (isShown) => ($("drop").hidden = !isShown);
  let depth = 0;
  document.addEventListener("dragenter", (event) => hasFile(event) && veil(++depth > 0));
  document.addEventListener("dragleave", (event) => hasFile(event) && veil(--depth > 0));
  document.addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil(false);
    depth = 0;
    searchWith(event.dataTransfer.files[0]);
  });
}
