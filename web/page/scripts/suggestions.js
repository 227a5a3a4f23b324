// Suggestions under the search box: completions while one types, recent searches in an empty box. Arrow keys choose,
// Enter takes, Delete removes a recent search, Escape closes.

import { addressOf } from "./addresses.js";
import { forget, forgetAll, recentSearches, remember } from "./recent.js";
import { announce, text } from "./texts.js";

const PAUSE_MS = 80;
const MOST = 6;

// returns a function that closes the suggestions and cancels a pending request
export function installSuggestions(box, list, onTake) {
  let chosen = -1;
  let asking = null;
  let pause = 0;

  const options = () => [...list.children];
  const close = () => {
    list.hidden = true;
    chosen = -1;
    box.removeAttribute("aria-activedescendant");
  };
  const stop = () => {
    clearTimeout(pause);
    asking?.abort();
    close();
  };

  function choose(at) {
    chosen = at;
    options().forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
    if (at < 0) box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", options()[at].id);
  }

  function take(option) {
    if (option.dataset.clear) {
      forgetAll();
      return stop();
    }
    stop();
    box.value = option.dataset.text;
    onTake();
  }

  function put(found) {
    list.replaceChildren(...found);
    found.forEach((option, index) => (option.id = "suggestion-" + index));
    close();
    list.hidden = !found.length || document.activeElement !== box;
    if (!list.hidden) announce(text("suggestions_count", { n: found.length }));
  }

  function show(suggestions, typed) {
    const start = typed.toLowerCase();
    const recent = recentSearches().filter((one) => one.toLowerCase().startsWith(start) && one.toLowerCase() !== start).slice(0, 2);
    const others = suggestions.filter((one) => one.text.toLowerCase() !== start && !recent.includes(one.text)).slice(0, MOST - recent.length);
    put([...recent.map((one) => recentOption(one, typed)), ...others.map((one) => exampleOption(one, typed))]);
  }

  function showRecent() {
    const recent = recentSearches();
    if (!recent.length || list.contains(document.activeElement)) return;
    const clear = optionOf(text("recent_clear"), "");
    clear.dataset.clear = "all";
    clear.className = "is-quiet";
    put([...recent.map((one) => recentOption(one, "")), clear]);
  }

  function optionOf(words, typed) {
    const option = document.createElement("li");
    option.dataset.text = words;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    if (typed && words.toLowerCase().startsWith(typed.toLowerCase())) {
      const rest = document.createElement("b");
      rest.textContent = words.slice(typed.length);
      option.append(words.slice(0, typed.length), rest);
    } else option.textContent = words;
    option.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the focus in the box
    option.addEventListener("click", () => take(option));
    return option;
  }

  // a suggestion with a picture of an item that it finds, and what kind of words it is
  function exampleOption(suggestion, typed) {
    const option = optionOf(suggestion.text, typed);
    const words = document.createElement("span");
    words.append(...option.childNodes);
    const picture = document.createElement(suggestion.image_url ? "img" : "span");
    picture.className = "example";
    if (suggestion.image_url) Object.assign(picture, { src: suggestion.image_url + "&w=160", alt: "", width: 32, height: 32 });
    const kind = document.createElement("small");
    kind.textContent = kindOf(suggestion);
    option.classList.add("is-example");
    option.append(picture, words, kind);
    return option;
  }

  function kindOf({ kind, field }) {
    if (kind === "attribute") return field.replaceAll("_", " ");
    return kind === "title" ? "" : text("kind_" + kind);
  }

  function recentOption(words, typed) {
    const option = optionOf(words, typed);
    const remove = document.createElement("span");
    option.className = "is-recent";
    option.setAttribute("aria-label", `${words}, ${text("recent")}`);
    remove.className = "recent-remove";
    remove.title = text("recent_remove");
    remove.textContent = "×";
    remove.addEventListener("click", (event) => {
      event.stopPropagation();
      forgetRecent(option);
    });
    option.append(remove);
    return option;
  }

  function forgetRecent(option) {
    forget(option.dataset.text);
    option.remove();
    choose(-1);
    if (!list.querySelector(".is-recent")) close();
  }

  async function ask(typed) {
    asking?.abort();
    const mine = (asking = new AbortController());
    try {
      const answer = await fetch(addressOf("/api/suggest?") + new URLSearchParams({ q: typed }), { signal: mine.signal });
      if (answer.ok && mine === asking) show((await answer.json()).details, typed);
    } catch {
      // without suggestions the page works as well
    }
  }

  function onKey(event) {
    const option = chosen >= 0 && !list.hidden ? options()[chosen] : null;
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault(); // else the browser would empty the box
      return close();
    }
    if (event.key === "Enter") {
      if (option) {
        event.preventDefault();
        take(option);
      } else stop();
      return;
    }
    if (event.key === "Delete" && option?.className === "is-recent") {
      event.preventDefault();
      return forgetRecent(option);
    }
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    if (list.hidden && !box.value.trim()) showRecent();
    if (list.hidden) return;
    event.preventDefault();
    const count = options().length + 1; // one more for the box itself
    choose(((chosen + 1 + (event.key === "ArrowDown" ? 1 : count - 1)) % count) - 1);
  }

  box.addEventListener("input", () => {
    clearTimeout(pause);
    const typed = box.value.trim();
    if (!typed) {
      asking?.abort();
      close();
      return showRecent();
    }
    if (typed.length < 2 && typed.charCodeAt(0) < 0x2e80) return stop(); // one Chinese character is a word
    pause = setTimeout(() => ask(typed), PAUSE_MS);
  });
  box.addEventListener("click", () => !box.value.trim() && showRecent());
  box.addEventListener("keydown", onKey);
  box.addEventListener("blur", () => {
    remember(box.value.trim());
    stop();
  });
  box.form.addEventListener("submit", () => {
    remember(box.value.trim());
    stop();
  });
  return stop;
}
