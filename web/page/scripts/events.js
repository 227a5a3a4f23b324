// Sends events to the server: impressions, clicks, views and reactions. For visitors who ask for privacy it sends nothing
// and sets no cookie; the others get a random session id with their first click, which the server made and signed.

import { addressOf } from "./addresses.js";

const COOKIE = "magpie_session";
const ORIGIN = "magpie.origin"; // the search that led to the item on this page
const SEEN_SHARE = 0.5;
const SEEN_MS = 500;
const BATCH_MS = 2000;
const MOST_AT_ONCE = 100;

export const wantsPrivacy = () => navigator.doNotTrack === "1" || navigator.globalPrivacyControl === true;

const waiting = [];
const seen = new Set(); // query and item, so that each impression is sent once
const timers = new Map();

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const knownSession = () => document.cookie.split("; ").find((one) => one.startsWith(COOKIE + "="))?.slice(COOKIE.length + 1) ?? "";

const nameIn = (signed) => signed.split(".")[0];

function session() {
  const { visit } = document.body.dataset;
  if (!knownSession() && visit) document.cookie = `${COOKIE}=${visit}; path=/; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  return nameIn(knownSession());
}

function eventOf(action, about, sessionId, more = {}) {
  const event = { action_name: action, event_id: randomName(), application: "magpie", timestamp: Date.now() };
  if (about.queryId) event.query_id = about.queryId;
  if (sessionId) event.session_id = sessionId;
  event.event_attributes = { object: { object_id: about.itemId }, ...more };
  if (about.position) event.event_attributes.position = { ordinal: about.position };
  return event;
}

function send() {
  if (!waiting.length) return;
  const body = new Blob([JSON.stringify(waiting.splice(0, MOST_AT_ONCE))], { type: "application/json" });
  // a failure is ignored: it does not concern the visitor
  const address = addressOf("/api/events");
  if (!navigator.sendBeacon(address, body)) fetch(address, { method: "POST", body, keepalive: true }).catch(() => {});
}

export function aboutCard(card) {
  const queryId = card.closest("[data-query-id]")?.dataset.queryId ?? "";
  return { itemId: card.dataset.itemId, position: Number(card.dataset.position), queryId };
}

function sendClick(event) {
  const card = event.target.closest?.(".card-main")?.closest("[data-item-id]");
  if (!card || event.button > 1 || wantsPrivacy()) return;
  const about = aboutCard(card);
  if (!about.queryId) return;
  sessionStorage.setItem(ORIGIN, JSON.stringify(about));
  waiting.push(eventOf("click", about, session()));
  send();
}

// `reaction` is "up", "down", or "none" for one that was taken back
export function sendReaction(about, reaction) {
  if (wantsPrivacy()) return;
  waiting.push(eventOf("reaction", about, session(), { reaction }));
  send();
}

function noteSeen(entries) {
  for (const { target, intersectionRatio } of entries) {
    clearTimeout(timers.get(target));
    timers.delete(target);
    if (intersectionRatio < SEEN_SHARE) continue;
    timers.set(target, setTimeout(() => sendImpression(target), SEEN_MS));
  }
}

function sendImpression(card) {
  if (document.visibilityState !== "visible" || !card.isConnected) return;
  const about = aboutCard(card);
  const key = about.queryId + "/" + about.itemId;
  if (!about.queryId || seen.has(key)) return;
  seen.add(key);
  waiting.push(eventOf("impression", about, nameIn(knownSession())));
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
  let isSent = false;
  addEventListener("visibilitychange", () => {
    if (isSent || document.visibilityState !== "hidden") return;
    isSent = true;
    const about = origin.itemId === item ? origin : { itemId: item };
    waiting.push(eventOf("view", about, nameIn(knownSession()), { dwell_ms: Math.round(performance.now() - since) }));
    send();
  });
}

export function installEvents() {
  document.addEventListener("click", sendClick);
  document.addEventListener("auxclick", sendClick); // the middle button opens a tab
  watchDwell();
  watchCards();
  setInterval(send, BATCH_MS);
  addEventListener("visibilitychange", () => document.visibilityState === "hidden" && send());
  addEventListener("pagehide", send);
}
