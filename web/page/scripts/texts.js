// The page's texts in the reader's language, and the two regions that show messages.

const texts = JSON.parse(document.body.dataset.texts);

export const text = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

// for screen readers: in the live region
export function announce(words) {
  const region = document.getElementById("announce");
  if (region) region.textContent = words;
}

// for everybody: above the page, for some seconds
export function say(words) {
  const toast = document.getElementById("toast");
  if (!toast) return announce(words);
  toast.textContent = words;
  toast.hidden = !words;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (toast.hidden = true), 7000);
}
