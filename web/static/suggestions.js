// Ways to go on typing, under the search box: arrow keys choose, Enter takes, Escape closes.

const PAUSE_MS = 80;
const MOST = 6;

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

  function take(text) {
    stop();
    box.value = text;
    onTake();
  }

  function show(suggestions, typed) {
    const others = suggestions.filter((text) => text.toLowerCase() !== typed.toLowerCase()).slice(0, MOST);
    list.replaceChildren(...others.map((text, index) => optionOf(text, typed, index)));
    close();
    list.hidden = !others.length || document.activeElement !== box;
  }

  function optionOf(text, typed, index) {
    const option = document.createElement("li");
    option.id = "suggestion-" + index;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    if (text.toLowerCase().startsWith(typed.toLowerCase())) {
      const rest = document.createElement("b");
      rest.textContent = text.slice(typed.length);
      option.append(text.slice(0, typed.length), rest);
    } else option.textContent = text;
    option.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
    option.addEventListener("click", () => take(text));
    return option;
  }

  async function ask(typed) {
    asking?.abort();
    const mine = (asking = new AbortController());
    try {
      const answer = await fetch("/api/suggest?" + new URLSearchParams({ q: typed }), { signal: mine.signal });
      if (answer.ok && mine === asking) show((await answer.json()).suggestions, typed);
    } catch {
      // suggestions are an extra: without them the page goes on
    }
  }

  box.addEventListener("input", () => {
    clearTimeout(pause);
    const typed = box.value.trim();
    if (typed.length < 2) return stop();
    pause = setTimeout(() => ask(typed), PAUSE_MS);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault(); // keeps the words: the browser would empty the box
      return close();
    }
    if (event.key === "Enter") {
      const option = chosen >= 0 && !list.hidden ? options()[chosen] : null;
      if (option) {
        event.preventDefault();
        take(option.textContent);
      } else stop();
      return;
    }
    if (list.hidden || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    const count = options().length + 1; // one place is the box itself
    choose(((chosen + 1 + (event.key === "ArrowDown" ? 1 : count - 1)) % count) - 1);
  });
  box.addEventListener("blur", stop);
}
