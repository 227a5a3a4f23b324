// Tells the server which hit was opened, so that it can learn what people mean. Nothing is told, and no cookie set,
// for visitors who ask for privacy; the others get a random name for this visit with their first click.

const COOKIE = "magpie_session";

const wantsPrivacy = () => navigator.doNotTrack === "1" || navigator.globalPrivacyControl === true;

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function visit() {
  const known = document.cookie.split("; ").find((one) => one.startsWith(COOKIE + "="));
  if (known) return known.slice(COOKIE.length + 1);
  const name = randomName();
  document.cookie = `${COOKIE}=${name}; path=/; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
  return name;
}

function tell(event) {
  const card = event.target.closest?.(".card-main")?.closest("[data-item-id]");
  const queryId = card?.closest("[data-query-id]")?.dataset.queryId;
  if (!queryId || event.button > 1 || wantsPrivacy()) return;
  const told = {
    action_name: "click",
    event_id: randomName(),
    query_id: queryId,
    session_id: visit(),
    application: "magpie",
    event_attributes: { object: { object_id: card.dataset.itemId }, position: { ordinal: Number(card.dataset.position) } },
  };
  const headers = { "Content-Type": "application/json" };
  // keepalive: the page may be gone before the answer; a click that is not told is no reason to disturb anybody
  fetch("/api/events", { method: "POST", headers, body: JSON.stringify(told), keepalive: true }).catch(() => {});
}

export function installClicks() {
  document.addEventListener("click", tell);
  document.addEventListener("auxclick", tell); // the middle button opens a tab
}
