// The search page's script: searches while one types, and replaces the results by what the server renders for an address.
// Without scripts every link and form loads a page of its own.

import { addressOf, resultsOf } from "./addresses.js";
import { installCardPanel, installFits } from "./card_panel.js";
import { watchCrop } from "./crop.js";
import { installEvents, watchCards } from "./events.js";
import { installPictures } from "./pictures.js";
import { installRanges } from "./ranges.js";
import { installSpeech } from "./speech.js";
import { installSuggestions } from "./suggestions.js";
import { announce, say, text } from "./texts.js";

const TYPING_PAUSE_MS = 150;
const KEPT_ANSWERS = 30;
const SLOW_MS = 400; // after this time the cards are shown as skeletons

const $ = (id) => document.getElementById(id);
const results = $("results");
const box = $("q");
const answers = new Map(); // html by address, so that the back button need not fetch it again
let asking = null; // the AbortController of the pending request; a newer request cancels it
let isTyping = false; // whether typing has made its entry of the history already
let pause = 0;
let shown = "";
let closeSuggestions;

const addressOfForm = (form) => {
  const given = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string" && value.trim()) given.append(name, value);
  return addressOf("/") + (given.size ? "?" + given : "");
};
const here = () => location.pathname + location.search;

function remember(address, html) {
  answers.delete(address);
  answers.set(address, html);
  if (answers.size > KEPT_ANSWERS) answers.delete(answers.keys().next().value);
}

// ---- fetching and showing results ----

async function ask(address, { typing = false, ...options } = {}) {
  asking?.abort();
  const mine = (asking = new AbortController());
  results.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => results.classList.add("is-slow"), SLOW_MS);
  const headers = { Accept: "application/json, text/html;q=0.9", ...(typing && { "X-Magpie-Typing": "1" }) };
  try {
    const answer = await fetch(resultsOf(address), { ...options, signal: mine.signal, headers });
    const body = await answer.text();
    if (mine !== asking) return null;
    if (!answer.ok) {
      say(problemOf(body) ?? text("failed"));
      return null;
    }
    return { html: body, address: answer.headers.get("X-Magpie-Url") ?? address };
  } catch (error) {
    if (mine === asking && error.name !== "AbortError") say(text("failed"));
    return null;
  } finally {
    clearTimeout(slow);
    if (mine === asking) settle();
  }
}

function settle() {
  results.setAttribute("aria-busy", "false");
  results.classList.remove("is-slow", "is-appending");
  for (const place of results.querySelectorAll(".place")) place.remove();
}

// shows empty cards in the places of those that are being loaded, so that the page does not jump
function holdPlaces() {
  if (results.classList.contains("is-appending")) return;
  results.classList.add("is-appending");
  const place = document.createElement("li");
  place.className = "card place";
  place.ariaHidden = "true";
  for (const part of ["frame", "card-title"]) place.append(Object.assign(document.createElement("span"), { className: part }));
  const count = Number($("more").dataset.more);
  $("hits").append(...Array.from({ length: count }, () => place.cloneNode(true)));
}

function problemOf(body) {
  try {
    return JSON.parse(body).detail;
  } catch {
    return null;
  }
}

function show(html, { keepBox = false, append = false } = {}) {
  const focused = document.activeElement?.dataset?.key;
  const opened = [...results.querySelectorAll("details[open]")].map((one) => one.dataset.details);
  const scrolled = $("filters")?.scrollTop ?? 0;
  const before = append ? [...results.querySelectorAll("#hits > [data-item-id]")] : [];
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  before.forEach((card, at) => fresh.content.querySelectorAll("#hits > li")[at]?.replaceWith(card.cloneNode(true)));
  results.replaceChildren(fresh.content);
  for (const one of results.querySelectorAll("details")) one.open = opened.includes(one.dataset.details);
  if ($("filters")) $("filters").scrollTop = scrolled;
  const context = $("new-context");
  if (context) $("context").replaceChildren(context.content.cloneNode(true));
  const asked = new URLSearchParams(location.search);
  if (!keepBox) box.value = asked.get("q") ?? "";
  box.placeholder = asked.has("like") || asked.has("picture") ? box.dataset.placeholderCompose : box.dataset.placeholder;
  document.title = (box.value.trim() ? box.value.trim() + " – " : "") + "Magpie";
  const layout = results.querySelector(".layout");
  announce(layout ? layout.dataset.headline + ": " + layout.dataset.count : "");
  if (append) results.querySelectorAll("#hits > li")[before.length]?.querySelector("a")?.focus({ preventScroll: true });
  else if (focused) results.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  watchResults();
}

// to be called whenever results were put into the page
function watchResults() {
  watchCards();
  watchCrop((part) => {
    const asked = new URLSearchParams(location.search);
    asked.set("crop", part);
    asked.delete("page");
    go(addressOf("/?") + asked, { scroll: false });
  });
}

// Searches at an address. `entry`: "push" adds an entry to the history, "replace" changes the current one, "none" is for
// going back and forth, where the browser has changed the history already.
async function go(address, { entry = "push", keepBox = false, append = false, scroll = true, typing = false } = {}) {
  if (entry === "push" && address !== here()) {
    rememberScroll();
    history.pushState({}, "", address);
  } else if (entry === "replace") history.replaceState(history.state, "", address);
  if (append) holdPlaces();
  const answer = entry === "none" && answers.has(address) ? known(address) : await ask(address, { typing });
  if (!answer) return;
  if (answer.address !== here()) history.replaceState(history.state, "", answer.address);
  shown = answer.address;
  remember(shown, answer.html);
  show(answer.html, { keepBox, append });
  if (entry === "none") scrollTo(0, history.state?.scroll ?? 0);
  else if (scroll && !append) scrollTo(0, 0);
}

function known(address) {
  asking?.abort();
  asking = null;
  settle();
  return { html: answers.get(address), address };
}

function rememberScroll() {
  history.replaceState({ ...history.state, scroll: scrollY }, "");
}

// ---- words ----

function searchWhileTyping() {
  const address = addressOfForm($("search-form"));
  if (sameSearch(address, here())) return;
  go(address, { entry: isTyping ? "replace" : "push", keepBox: true, typing: true });
  isTyping = true;
}

function searchNow() {
  clearTimeout(pause);
  const address = addressOfForm($("search-form"));
  go(address, { entry: isTyping || sameSearch(address, here()) ? "replace" : "push", keepBox: true });
  isTyping = false;
}

function sameSearch(one, other) {
  const sorted = (address) => [...new URL(address, location.href).searchParams].map(String).sort().join("\n");
  return sorted(one) === sorted(other);
}

function installTyping() {
  const later = (event) => {
    clearTimeout(pause);
    if (!event.isComposing) pause = setTimeout(searchWhileTyping, TYPING_PAUSE_MS);
  };
  box.addEventListener("input", later);
  box.addEventListener("compositionend", () => later({}));
  box.addEventListener("blur", () => (isTyping = false));
}

// ---- pictures ----

// with the words and filters of the search form
async function searchWithPicture(picture) {
  clearTimeout(pause);
  closeSuggestions();
  isTyping = false;
  rememberScroll();
  const form = new FormData($("search-form"));
  form.append("image", picture);
  const answer = await ask(addressOf("/"), { method: "POST", body: form });
  if (!answer) return;
  history.pushState({}, "", answer.address);
  shown = answer.address;
  remember(shown, answer.html);
  show(answer.html);
  scrollTo(0, 0);
}

// on a page without results: submits the plain form
function leaveWithPicture(picture) {
  const words = Object.assign(document.createElement("input"), { type: "hidden", name: "q", value: box.value });
  const chosen = new DataTransfer();
  chosen.items.add(picture);
  $("picture").files = chosen.files;
  $("picture-keeps").replaceChildren(words);
  $("picture-form").submit();
}

// ---- links and forms of the results ----

const firstFilter = () => document.querySelector("#filters a, #filters input");

function openFilters(isOpen) {
  if (isOpen && getComputedStyle($("filters")).position !== "fixed") return firstFilter()?.focus(); // filters stand beside the list: nothing to open
  document.body.classList.toggle("filters-open", isOpen);
  for (const part of [document.querySelector(".top"), document.querySelector(".list"), document.querySelector(".foot")]) if (part) part.inert = isOpen;
  if (isOpen) firstFilter()?.focus();
  else document.querySelector("[data-open-filters]")?.focus({ preventScroll: true });
}
const filtersAreOpen = () => document.body.classList.contains("filters-open");

function onClick(event) {
  const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  const link = isPlain && event.target.closest("[data-nav], [data-more], [data-open-filters], [data-close-filters]");
  if (!link) return;
  event.preventDefault();
  isTyping = false;
  if ("openFilters" in link.dataset) return openFilters(true);
  if ("closeFilters" in link.dataset) return openFilters(false);
  const target = new URL(link.href);
  const address = target.pathname + target.search;
  const isInside = Boolean(link.closest("#filters"));
  if ("more" in link.dataset) go(address, { entry: "replace", append: true });
  else go(address, { scroll: !isInside }).then(() => isInside && filtersAreOpen() && keepOpen());
}

function keepOpen() {
  const list = document.querySelector(".list");
  if (list) list.inert = true;
}

function install() {
  history.scrollRestoration = "manual";
  scrollTo(0, history.state?.scroll ?? 0);
  addEventListener("pagehide", rememberScroll);
  shown = here();
  remember(shown, results.innerHTML);
  installTyping();
  installPictures(searchWithPicture);
  closeSuggestions = installSuggestions(box, $("suggestions"), searchNow);
  installSpeech($("speak"), box, searchNow);
  installRanges();
  installCardPanel();
  watchResults();
  document.addEventListener("click", onClick);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "post") return;
    event.preventDefault();
    if (form.id === "search-form") return searchNow();
    go(addressOfForm(form), { scroll: false });
  });
  document.addEventListener("change", (event) => ["sort", "weight"].includes(event.target.id) && event.target.form.requestSubmit());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && filtersAreOpen()) openFilters(false);
    if (event.key === "/" && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      box.focus();
      box.select();
    }
  });
  addEventListener("popstate", () => {
    isTyping = false;
    clearTimeout(pause);
    if (here() !== shown) go(here(), { entry: "none" }); // a jump within the page loads nothing
  });
}

installEvents();
if (results) install();
else if (box) {
  const item = document.querySelector("[data-shown-item]")?.dataset.shownItem;
  installFits($("item-fits"), () => ({ itemId: item }));
  installSuggestions(box, $("suggestions"), () => $("search-form").submit());
  installPictures(leaveWithPicture);
  installSpeech($("speak"), box, () => $("search-form").submit());
}
