"""The lexicon: for the attribute values of catalogues the words that people use for them.

`lexicon.json` holds, for the attributes that many catalogues share (kind, colour, gender, material, pattern),
entries of `values` (how catalogues spell it), `words` (what people type) and `covers` (other values that are kinds
of it: shoes cover sneakers). What the lexicon does not know is called by its own name, in singular and plural.
"""

import json
import re
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Entry:
    """One meaning: `name` stands for it everywhere, people use any of `words`, it includes what it `covers`."""

    name: str
    words: tuple[str, ...]
    covers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lexicon:
    """Slots by attribute name, and per slot the entries by normalised value."""

    slots: dict[str, str]
    entries: dict[str, dict[str, Entry]]

    def single_words(self) -> frozenset[str]:
        """All words of one word each that name a kind, a colour, a material or the like, in lower case."""
        entries = (entry for by_value in self.entries.values() for entry in by_value.values())
        return frozenset(word for entry in entries for word in entry.words if " " not in word)

    def slot_of(self, attribute: str) -> str | None:
        """The shared slot that an attribute's name belongs to ("baseColour" is colour), or None."""
        return self.slots.get(normalise(attribute).replace(" ", ""))

    def entry_of(self, slot: str, value: str) -> Entry:
        """The meaning of a value; one that the lexicon lacks is made from the value itself."""
        key = normalise(value)
        known = self.entries.get(slot, {}).get(key)
        # "Casual" has no plural that anybody types, while "Shoes" and a kind of thing have both numbers.
        other = numbers_of(key) if slot == "kind" or key.endswith("s") else []
        return known or Entry(key, tuple(dict.fromkeys((key, *other))))


def normalise(text: str) -> str:
    """Lower case, hyphens, slashes and underscores as spaces, single spaces."""
    return " ".join(re.sub(r"[-_/]+", " ", text.lower()).split())


def numbers_of(words: str) -> list[str]:
    """The singular or plural of a phrase's last word, as far as plain rules go ("watches" gives "watch")."""
    if not words or not words[-1].isalpha() or "'" in words:
        return []
    for ending, singular in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("xes", "x")):
        if words.endswith(ending) and len(words) > len(ending) + 2:
            return [words.removesuffix(ending) + singular]
    if words.endswith("s"):
        return [] if words.endswith(("ss", "us", "is")) or len(words) < 4 else [words[:-1]]
    if words.endswith(("ch", "sh", "x")):
        return [words + "es"]
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return [words[:-1] + "ies"]
    return [words + "s"]


def load_lexicon() -> Lexicon:
    """The lexicon that ships with the code."""
    raw = json.loads(files("magpie.indexer.text").joinpath("lexicon.json").read_text(encoding="utf-8"))
    slots = {normalise(name).replace(" ", ""): slot for slot, names in raw["attributes"].items() for name in names}
    entries: dict[str, dict[str, Entry]] = {}
    for slot, rows in raw["meanings"].items():
        found = entries.setdefault(slot, {})
        for row in rows:
            name = normalise(row["values"][0])
            own = [normalise(value) for value in row["values"]]
            plural = numbers_of(name) if slot == "kind" else []
            words = tuple(dict.fromkeys((name, *plural, *row.get("words", ()))))
            entry = Entry(name, words, tuple(normalise(value) for value in row.get("covers", ())))
            found.update(dict.fromkeys(own, entry))
    return Lexicon(slots, entries)
