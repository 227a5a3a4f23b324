// The panel of one card: "like this, but …", whether it fits, and the explanation of its position.

import { addressOf } from "./addresses.js";
import { aboutCard, sendReaction, wantsPrivacy } from "./events.js";
import { announce, text } from "./texts.js";

const EDGE = 8; // pixels that the panel keeps from the window's edge
const $ = (id) => document.getElementById(id);
const reactions = new Map(); // the reaction to each item on this page

function showReaction(group, itemId) {
  for (const button of group.querySelectorAll("[data-reaction]"))
    button.setAttribute("aria-pressed", String(reactions.get(itemId) === button.dataset.reaction));
}

// `about` returns the item, position and query of the card that is reacted to
export function installFits(group, about) {
  if (!group) return;
  group.hidden = wantsPrivacy();
  group.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reaction]");
    if (!button) return;
    const { itemId } = about();
    const reaction = reactions.get(itemId) === button.dataset.reaction ? "none" : button.dataset.reaction;
    reactions.set(itemId, reaction);
    sendReaction(about(), reaction);
    showReaction(group, itemId);
    announce(text("noted_" + reaction));
  });
}

function place(panel, button) {
  const at = button.getBoundingClientRect();
  const left = Math.min(Math.max(EDGE, at.right - panel.offsetWidth), document.documentElement.clientWidth - panel.offsetWidth - EDGE);
  const below = at.bottom + EDGE;
  const top = below + panel.offsetHeight <= innerHeight - EDGE ? below : Math.max(EDGE, innerHeight - panel.offsetHeight - EDGE);
  panel.style.left = Math.max(EDGE, left) + "px";
  panel.style.top = top + "px";
}

async function explain(itemId) {
  const asked = new URLSearchParams(location.search);
  asked.set("item", itemId);
  const region = $("card-reasons");
  region.textContent = text("loading");
  try {
    const answer = await fetch(addressOf("/why?") + asked, { headers: { Accept: "application/json, text/html;q=0.9" } });
    if (answer.ok) region.innerHTML = await answer.text();
    else region.textContent = (await answer.json()).detail;
  } catch {
    region.textContent = text("failed");
  }
}

export function installCardPanel() {
  const panel = $("card-panel");
  if (!panel?.showPopover) return document.body.classList.add("no-panel");
  let card = null;
  let opener = null;
  installFits($("card-fits"), () => aboutCard(card));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-panel]");
    if (!button) return;
    opener = button;
    card = button.closest("[data-item-id]");
    $("card-panel-title").textContent = card.querySelector(".card-title").textContent;
    $("card-but").elements.like.value = card.dataset.itemId;
    $("card-but-q").value = "";
    $("card-why").open = false;
    showReaction($("card-fits"), card.dataset.itemId);
    panel.showPopover();
    place(panel, button);
    $("card-but-q").focus();
  });
  $("card-but").addEventListener("submit", () => panel.hidePopover());
  $("card-why").addEventListener("toggle", async () => {
    if (!$("card-why").open) return;
    await explain(card.dataset.itemId);
    place(panel, opener);
  });
  addEventListener("scroll", () => panel.matches(":popover-open") && !panel.contains(document.activeElement) && panel.hidePopover(), { passive: true });
}
