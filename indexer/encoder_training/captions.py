"""Writes training captions from items' attributes, in the words of queries, and labels which items each is true of.

A caption such as "ladies navy trainers" has a set of conditions (slot, word), here on gender, colour and kind. Items of
a batch that meet all conditions are its positives, items that fail one are negatives, and items whose catalogue does
not give a conditioned attribute are neither; so several catalogues can be mixed without false negatives.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from magpie.indexer.encoder_training.items import TrainingItem
from magpie.indexer.text.lexicon import Entry, Lexicon, normalise

UNKNOWN = -1
MAX_VALUES = 400  # an attribute with more distinct values holds names or numbers
MAX_VALUE_LENGTH = 40
MAX_CONDITIONS = 5
_CHANCE = {"kind": 0.94, "colour": 0.7, "gender": 0.45, "material": 0.4, "pattern": 0.4}
_OTHERS_CHANCE = 0.35  # all attributes that the lexicon does not know, together
_GROUP_CHANCE = 0.15
_OPENINGS = ("a photo of {}", "a photo of a {}", "a picture of {}", "a {}", "the {}", "some {}", "buy {}", "{} online")
_KEYS = {"a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "g": "fh", "i": "uo", "k": "jl", "l": "k", "m": "n",
         "n": "bm", "o": "ip", "p": "o", "r": "et", "s": "ad", "t": "ry", "u": "yi", "w": "qe", "y": "tu"}  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """A text and the concepts (indices into `CaptionMaker.concepts`) that an item must meet for it to be true."""

    text: str
    concepts: tuple[int, ...]


class CaptionMaker:
    """Writes captions for the items of one or several catalogues and labels the items that they are true of."""

    def __init__(self, sources: Sequence[Sequence[TrainingItem]], lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.items = [item for source in sources for item in source]
        self.slots: list[str] = []
        self.values: list[list[Entry]] = []  # per slot, by code
        self.codes, self._raw = self._read_values(sources, lexicon)
        self.concepts: list[tuple[int, str]] = [(0, "")]  # concept 0 is true of everything
        self._concept_ids: dict[tuple[int, str], int] = {}
        self._groups: list[dict[int, list[Entry]]] = []
        self._members = self._read_concepts(lexicon)
        self.is_described = (self.codes != UNKNOWN).any(1)  # (items,) bool
        self._slot_of_concept = np.array([slot for slot, _ in self.concepts])

    def _read_values(
        self, sources: Sequence[Sequence[TrainingItem]], lexicon: Lexicon
    ) -> tuple[npt.NDArray[np.int32], list[dict[int, str]]]:
        """(items, slots) int32 codes of the items' values, UNKNOWN where one has none, and their spellings by slot."""
        slot_ids: dict[str, int] = {}
        code_ids: list[dict[str, int]] = []
        rows: list[dict[int, int]] = []
        raw: list[dict[int, str]] = []
        for number, source in enumerate(sources):
            usable = usable_attributes(source)
            for item in source:
                row: dict[int, int] = {}
                spelled: dict[int, str] = {}
                for name, value in item_attributes(item):
                    if name not in usable or not value or "|" in value or value.lower() == "na":
                        continue
                    shared = lexicon.slot_of(name)
                    # A name outside the lexicon means something only within its own catalogue.
                    slot = slot_ids.setdefault(shared or f"{number}:{normalise(name)}", len(slot_ids))
                    if slot == len(code_ids):
                        code_ids.append({})
                        self.slots.append(shared or f"{number}:{normalise(name)}")
                        self.values.append([])
                    entry = lexicon.entry_of(shared or "", value)
                    code = code_ids[slot].setdefault(entry.name, len(code_ids[slot]))
                    if code == len(self.values[slot]):
                        self.values[slot].append(entry)
                    row[slot], spelled[slot] = code, normalise(value)
                rows.append(row)
                raw.append(spelled)
        codes = np.full((len(rows), max(1, len(self.slots))), UNKNOWN, np.int32)
        for i, row in enumerate(rows):
            for slot, code in row.items():
                codes[i, slot] = code
        return codes, raw

    def _read_concepts(self, lexicon: Lexicon) -> npt.NDArray[np.int8]:
        """(concepts, codes + 1) int8 truth of each concept for each code; the first column is for an unknown value."""
        meant: dict[tuple[int, str], set[int]] = defaultdict(set)
        wider: list[dict[int, set[int]]] = []  # per slot: a kind's code -> those of the wider kinds that catalogues use
        for slot, entries in enumerate(self.values):
            codes = {entry.name: code for code, entry in enumerate(entries)}
            name = self.slots[slot]
            groups: dict[int, list[Entry]] = defaultdict(list)
            above: dict[int, set[int]] = defaultdict(set)
            for entry in {entry.name: entry for entry in [*lexicon.entries.get(name, {}).values(), *entries]}.values():
                covered = {codes[n] for v in entry.covers if (n := lexicon.entry_of(name, v).name) in codes}
                own = {codes[entry.name]} if entry.name in codes else set()
                for word in entry.words:
                    meant[slot, word] |= covered | own
                for code in covered:
                    groups[code].append(entry)
                    above[code] |= own
            self._groups.append(dict(groups))
            wider.append(above)
        for row, spelled in enumerate(self._raw):  # a catalogue's own spelling is a word too
            for slot, spelling in spelled.items():
                meant[slot, spelling].add(int(self.codes[row, slot]))
        keys = [key for key, members in meant.items() if members]
        truth = np.zeros((len(keys) + 1, 1 + max((len(v) for v in self.values), default=0)), np.int8)
        truth[:, 0] = UNKNOWN
        truth[0] = 1
        for number, (slot, word) in enumerate(keys, 1):
            self.concepts.append((slot, word))
            self._concept_ids[slot, word] = number
            true = meant[slot, word]
            # An item that is only called "trousers" may or may not be jeans.
            truth[number, [code + 1 for member in true for code in wider[slot].get(member, ())]] = UNKNOWN
            truth[number, [code + 1 for code in true]] = 1
        return truth

    def truth(self, captions: Sequence[Caption], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """(captions, rows) int8: 1 where the caption is true of the item, 0 where false, UNKNOWN (-1) otherwise."""
        concepts = np.zeros((len(captions), MAX_CONDITIONS), np.int64)
        for i, caption in enumerate(captions):
            concepts[i, : len(caption.concepts)] = caption.concepts
        slots = self._slot_of_concept[concepts]  # (captions, conditions)
        codes = self.codes[rows].T[slots]  # (captions, conditions, rows)
        single = self._members[concepts[:, :, None], codes + 1]
        return np.where((single == 0).any(1), 0, np.where((single < 0).any(1), UNKNOWN, 1)).astype(np.int8)

    def attribute_caption(self, row: int, rng: random.Random) -> Caption:
        """A caption of random attributes of the item in `row`, which must have one (`is_described`)."""
        present = {slot: int(code) for slot, code in enumerate(self.codes[row]) if code != UNKNOWN}
        others = sum(self.slots[slot] not in _CHANCE for slot in present)
        chance = {slot: _CHANCE.get(self.slots[slot], _OTHERS_CHANCE / max(1, others)) for slot in present}
        chosen = [slot for slot in present if rng.random() < chance[slot]]
        chosen = (chosen or [rng.choice(list(present))])[:MAX_CONDITIONS]
        words: dict[str, str] = {}
        concepts = []
        for slot in chosen:
            word = self._word(row, slot, present[slot], rng)
            if concept := self._concept_ids.get((slot, word)):
                words[self.slots[slot]] = word
                concepts.append(concept)
        return Caption(vary(arrange(words, rng), rng), tuple(concepts))

    def value_caption(self, row: int, slot: int, rng: random.Random) -> str:
        """A caption of one attribute value of the item, such as "red" or "in red"."""
        word = self._word(row, slot, int(self.codes[row, slot]), rng)
        return f"in {word}" if rng.random() < 0.3 else word

    def _word(self, row: int, slot: int, code: int, rng: random.Random) -> str:
        groups = self._groups[slot].get(code)
        if groups and rng.random() < _GROUP_CHANCE:
            return rng.choice(rng.choice(groups).words)
        entry, own = self.values[slot][code], self._raw[row].get(slot, "")
        if rng.random() < 0.4 and (slot, own) in self._concept_ids:
            return own
        return rng.choice(entry.words)

    def item_text(self, row: int, rng: random.Random) -> tuple[str, bool]:
        """A random rendering of the item's text, as indexing composes it, and whether the title is part of it.

        It has the title (at times with words left out), attribute values, and at times a sentence of the description.
        """
        item = self.items[row]
        title = drop_words(item.title, rng) if rng.random() < 0.35 else item.title
        form = rng.random()
        values = [value for _, value in item_attributes(item) if value and value != "NA"]
        if rng.random() < 0.5:
            values = [value for value in values if rng.random() < 0.7]
        if rng.random() < 0.5:
            rng.shuffle(values)
        if not title or (form < 0.08 and len(values) > 2):
            return ", ".join(values) or item.category or "item", False
        text = title if form < 0.5 or not values else f"{title}. " + ", ".join(values)
        if item.description and rng.random() < 0.3:
            text += ". " + rng.choice(re.split(r"(?<=[.!?])\s+", item.description))
        return text, True


def item_attributes(item: TrainingItem) -> list[tuple[str, str]]:
    """(name, value) of the item's attributes, its category first where it is not among them."""
    own = list(item.attributes.items())
    return own if not item.category or "category" in item.attributes else [("category", item.category), *own]


def usable_attributes(items: Sequence[TrainingItem]) -> set[str]:
    """The names of the attributes that are fit for captions: few distinct values, short, neither numbers nor yes/no."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        for name, value in item_attributes(item):
            if value:
                counts[name][value] += 1
    usable = set()
    for name, values in counts.items():
        few = len(values) <= min(MAX_VALUES, max(3, sum(values.values()) // 2))
        short = max(map(len, values)) <= MAX_VALUE_LENGTH
        words = sum(any(c.isalpha() for c in value) for value in values) > 0.9 * len(values)
        booleans = {value.lower() for value in values} <= {"true", "false", "yes", "no", "y", "n"}
        if few and short and words and not booleans:
            usable.add(name)
    return usable


def arrange(words: dict[str, str], rng: random.Random) -> str:
    """A caption of these words by slot, in a random one of the usual orders of queries."""
    rest = {slot: word for slot, word in words.items() if slot not in _CHANCE}
    others, kind = list(rest.values()), words.get("kind", "")
    gender, colour = words.get("gender", ""), words.get("colour", "")
    material, pattern = words.get("material", ""), words.get("pattern", "")
    style = rng.random()
    if style < 0.15 and kind:
        tail = [f"in {colour}"] * bool(colour) + [f"made of {material}"] * bool(material)
        tail += [f"with {pattern} pattern"] * bool(pattern) + ["for " + gender.rstrip("'")] * bool(gender)
        parts = [*others, kind, *tail]
    elif style < 0.3:
        parts = [colour, pattern, material, *others, kind, f"for {gender}" if gender and rng.random() < 0.6 else gender]
    else:
        parts = [gender, *others, colour, pattern, material, kind]
        if style > 0.7:
            rng.shuffle(parts)
    return " ".join(part for part in parts if part)


def vary(text: str, rng: random.Random) -> str:
    """The text, at times with an opening such as "buy", at times with a typing error."""
    if rng.random() < 0.1:
        text = rng.choice(_OPENINGS).format(text)
    if rng.random() < 0.1:
        text = misspell(text, rng)
    return text


def misspell(text: str, rng: random.Random) -> str:
    """The text with one typing error in a word of four letters or more: a letter dropped, doubled, swapped or wrong."""
    words = text.split()
    longer = [i for i, word in enumerate(words) if len(word) >= 4]
    if not longer:
        return text
    at = rng.choice(longer)
    word = words[at]
    k = rng.randrange(1, len(word) - 1)
    slip = rng.randrange(4)
    if slip == 0:
        word = word[:k] + word[k + 1 :]
    elif slip == 1:
        word = word[:k] + word[k] + word[k:]
    elif slip == 2:
        word = word[:k] + word[k + 1] + word[k] + word[k + 2 :]
    else:
        word = word[:k] + rng.choice(_KEYS.get(word[k], word[k])) + word[k + 1 :]
    words[at] = word
    return " ".join(words)


def drop_words(title: str, rng: random.Random) -> str:
    """The title with each word dropped at a chance of a quarter, at times in another order."""
    words = title.split()
    words = [word for word in words if rng.random() > 0.25] or words
    if rng.random() < 0.2:
        rng.shuffle(words)
    return " ".join(words)
