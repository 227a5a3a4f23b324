// Takes a photograph with the camera of a desktop computer. Phones do it by the file field with `capture`.

import { say, text } from "./texts.js";

const $ = (id) => document.getElementById(id);
const camera = navigator.mediaDevices; // exists only over https or on localhost

async function watch(dialog) {
  const video = dialog.querySelector("video");
  try {
    video.srcObject = await camera.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch {
    return say(text("no_camera"));
  }
  dialog.showModal();
}

function photograph(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
}

// `searchWith` gets the photograph as a file
export async function installWebcam(searchWith) {
  const dialog = $("webcam");
  if (!camera?.getUserMedia || matchMedia("(hover: none)").matches) return;
  const devices = await camera.enumerateDevices().catch(() => []);
  if (!devices.some((one) => one.kind === "videoinput")) return;
  document.body.classList.add("has-webcam");
  const video = dialog.querySelector("video");
  const menu = $("picture-menu");
  menu.addEventListener("beforetoggle", () => {
    const { right, bottom } = document.querySelector(".camera-menu").getBoundingClientRect();
    menu.style.inset = `${bottom + 8}px ${document.documentElement.clientWidth - right}px auto auto`;
  });
  $("photo").addEventListener("click", (event) => {
    event.preventDefault();
    menu.hidePopover?.();
    watch(dialog);
  });
  dialog.querySelector("[data-take]").addEventListener("click", async () => {
    if (!video.videoWidth) return; // the camera has shown nothing yet
    const picture = await photograph(video);
    dialog.close();
    searchWith(new File([picture], "photo.jpg", { type: picture.type }));
  });
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
}
