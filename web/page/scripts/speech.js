// Speech input, in browsers that recognise speech.

import { announce, say, text } from "./texts.js";

const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;

// the page's language, in the dialect that the browser prefers
function spoken() {
  const page = document.documentElement.lang;
  return navigator.languages.find((one) => one.split("-")[0] === page.split("-")[0]) ?? (page === "zh-Hans" ? "zh-CN" : page);
}

export function installSpeech(button, box, search) {
  if (!Recognition || !button) return;
  button.hidden = false;
  let listening = null;
  button.addEventListener("click", () => {
    if (listening) return listening.stop();
    listening = new Recognition();
    listening.lang = spoken();
    listening.interimResults = true;
    button.setAttribute("aria-pressed", "true");
    announce(text("listening"));
    listening.addEventListener("result", (event) => (box.value = [...event.results].map((one) => one[0].transcript).join(" ")));
    listening.addEventListener("error", () => say(text("no_speech")));
    listening.addEventListener("end", () => {
      listening = null;
      button.setAttribute("aria-pressed", "false");
      if (box.value.trim()) search();
    });
    listening.start();
  });
}
