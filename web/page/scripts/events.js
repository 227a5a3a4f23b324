// Tells the server what was seen, opened, looked at and judged, so that it can learn what people mean. Nothing is told,
// and no cookie set, for visitors who ask for privacy; the others get a random name for this visit with their first click.

import { addressOf } from "./addresses.js";

const COOKIE = "magpie_session";
const ORIGIN = "magpie.origin"; // which search led to the item that is looked at
const SEEN_SHARE = 0.5;
const SEEN_MS = 500;
const BATCH_MS = 2000;
const MOST_AT_ONCE = 100;

export const wantsPrivacy = () => navigator.doNotTrack === "1" || navigator.globalPrivacyControl === true;

const waiting = [];
const seen = new Set(); // query and item: one impression each
const timers = new Map();

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const knownVisit = () => document.cookie.split("; ").find((one) => one.startsWith(COOKIE + "="))?.slice(COOKIE.length + 1) ?? "";

function visit() {
  const known = knownVisit();
  if (known) return known;
  const name = randomName();
  document.cookie = `${COOKIE}=${name}; path=/; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  return name;
}

function eventOf(action, about, session, more = {}) {
  const told = { action_name: action, event_id: randomName(), application: "magpie", timestamp: Date.now() };
  if (about.queryId) told.query_id = about.queryId;
  if (session) told.session_id = session;
  told.event_attributes = { object: { object_id: about.itemId }, ...more };
  if (about.position) told.event_attributes.position = { ordinal: about.position };
  return told;
}

function send() {
  if (!waiting.length) return;
  const body = new Blob([JSON.stringify(waiting.splice(0, MOST_AT_ONCE))], { type: "application/json" });
  // an event that is not told is no reason to disturb anybody
  const address = addressOf("/api/events");
  if (!navigator.sendBeacon(address, body)) fetch(address, { method: "POST", body, keepalive: true }).catch(() => {});
}

export function aboutCard(card) {
  const queryId = card.closest("[data-query-id]")?.dataset.queryId ?? "";
  return { itemId: card.dataset.itemId, position: Number(card.dataset.position), queryId };
}

function tellClick(event) {
  const card = event.target.closest?.(".card-main")?.closest("[data-item-id]");
  if (!card || event.button > 1 || wantsPrivacy()) return;
  const about = aboutCard(card);
  if (!about.queryId) return;
  sessionStorage.setItem(ORIGIN, JSON.stringify(about));
  waiting.push(eventOf("click", about, visit()));
  send();
}

// "up", "down", or "none" for one that was taken back
export function tellReaction(about, reaction) {
  if (wantsPrivacy()) return;
  waiting.push(eventOf("reaction", about, visit(), { reaction }));
  send();
}

function noteSeen(entries) {
  for (const { target, intersectionRatio } of entries) {
    clearTimeout(timers.get(target));
    timers.delete(target);
    if (intersectionRatio < SEEN_SHARE) continue;
    timers.set(target, setTimeout(() => tellSeen(target), SEEN_MS));
  }
}

function tellSeen(card) {
  if (document.visibilityState !== "visible" || !card.isConnected) return;
  const about = aboutCard(card);
  const key = about.queryId + "/" + about.itemId;
  if (!about.queryId || seen.has(key)) return;
  seen.add(key);
  waiting.push(eventOf("impression", about, knownVisit()));
}

const watching = "IntersectionObserver" in window && new IntersectionObserver(noteSeen, { threshold: SEEN_SHARE });

// to be called whenever cards were put into the page
export function watchCards() {
  if (!watching || wantsPrivacy()) return;
  watching.disconnect();
  for (const card of document.querySelectorAll("[data-query-id] [data-item-id]")) watching.observe(card);
}

function watchDwell() {
  const item = document.querySelector("[data-shown-item]")?.dataset.shownItem;
  if (!item || wantsPrivacy()) return;
  const since = performance.now();
  const origin = JSON.parse(sessionStorage.getItem(ORIGIN) ?? "{}");
  let isTold = false;
  addEventListener("visibilitychange", () => {
    if (isTold || document.visibilityState !== "hidden") return;
    isTold = true;
    const about = origin.itemId === item ? origin : { itemId: item };
    waiting.push(eventOf("view", about, knownVisit(), { dwell_ms: Math.round(performance.now() - since) }));
    send();
  });
}

export function installEvents() {
  document.addEventListener("click", tellClick);
  document.addEventListener("auxclick", tellClick); // the middle button opens a tab
  watchDwell();
  watchCards();
  setInterval(send, BATCH_MS);
  addEventListener("visibilitychange", () => document.visibilityState === "hidden" && send());
  addEventListener("pagehide", send);
}
