// The recent searches, stored in this browser only.

const KEY = "magpie.recent";
const MOST = 8;

export function recentSearches() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one === "string") : [];
  } catch {
    return []; // storage is forbidden, or holds something else
  }
}

function keep(words) {
  try {
    localStorage.setItem(KEY, JSON.stringify(words.slice(0, MOST)));
  } catch {
    // storage is forbidden or full: nothing is stored
  }
}

export const remember = (words) => words && keep([words, ...recentSearches().filter((one) => one !== words)]);
export const forget = (words) => keep(recentSearches().filter((one) => one !== words));

export function forgetAll() {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // storage is forbidden: nothing was stored
  }
}
