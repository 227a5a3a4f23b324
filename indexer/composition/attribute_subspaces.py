"""Families of words that exclude each other, such as colours: what "this, but in red" takes out and puts in.

A family spans a subspace of the encoder's space: the principal directions of its words' vectors. To compose an
item with words, its component in the family's subspace is replaced by that of the words, and everything else
about it stays. Adding the two vectors instead, as usual, keeps the old colour and half-forgets the thing
(docs/relevance.md compares). Families come from the lexicon and from the catalogue's own attribute columns, and how
much is taken and given is learned from its own items (`exchange.py`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.indexer.vectors import unit_rows

_RIDGE = 0.005  # directions along which the words vary less than this variance are mostly kept
_MIN_WORDS = 4
_FILLER = frozenset(
    ["a", "an", "and", "but", "in", "of", "with", "the", "for", "this", "that", "it", "same", "one", "made", "from",
     "more", "please", "ones", "color", "colour"]
)  # fmt: skip


@dataclass(frozen=True)
class Family:
    """One family: its words, and the directions ((r, dim) orthonormal rows) with the share of each that is replaced."""

    words: frozenset[str]
    middle: np.ndarray  # (dim,) mean of the words' vectors
    directions: np.ndarray
    shares: np.ndarray  # (r,) in [0, 1)

    def component(self, vector: np.ndarray) -> np.ndarray:
        """The part of (…, dim) vectors that this family's words tell about."""
        return np.asarray(((vector @ self.directions.T) * self.shares) @ self.directions)

    def likeness(self, vectors: np.ndarray, word: np.ndarray) -> np.ndarray:
        """(n,) cosines of (n, dim) vectors with a word's (dim,) vector, seen only as far as this family tells."""
        seen, of_word = self._seen(vectors), self._seen(word[None])[0]
        return np.asarray(unit_rows(seen) @ unit_rows(of_word[None])[0])

    def _seen(self, vectors: np.ndarray) -> np.ndarray:
        return np.asarray(((vectors - self.middle) @ self.directions.T) * np.sqrt(self.shares), np.float32)


def make_family(words: Sequence[str], vectors: np.ndarray) -> Family:
    """The family of these words with their centred (n, dim) unit vectors, by principal component analysis."""
    middle = vectors.mean(axis=0)
    _, lengths, directions = np.linalg.svd(vectors - middle, full_matrices=False)
    variance = lengths**2 / len(words)
    return Family(frozenset(w.casefold() for w in words), middle, directions, variance / (variance + _RIDGE))


@dataclass(frozen=True)
class Exchange:
    """What share of a thing's own component is taken out, and how much of the words' component is given for it."""

    taken: float = 1.0
    given: float = 1.0

    def apply(self, thing: np.ndarray, own: np.ndarray, words: np.ndarray) -> np.ndarray:
        """The thing without its own component and with that of the words: vectors, not rescaled, or their scores."""
        return np.asarray(thing - self.taken * own + self.given * words)


class Concepts:
    """The families of one generation, and by part ("text", "image") how a vector of it exchanges; else in full."""

    def __init__(self, families: Mapping[str, Family], exchanges: Mapping[str, Exchange] | None = None) -> None:
        self.families = dict(families)
        self.exchanges = dict(exchanges or {})

    def compose(self, vector: np.ndarray, text: str, text_vector: np.ndarray, part: str = "") -> np.ndarray:
        """(dim,) unit query for "like `vector`, but `text`". Words outside all families are added, not exchanged."""
        named, rest = self._families_named(text)
        if not named:
            return unit_rows((vector + text_vector)[None])[0]
        exchange = self.exchanges.get(part, Exchange())
        for family in named:
            vector = exchange.apply(vector, family.component(vector), family.component(text_vector))
        if rest:
            vector = vector + 0.5 * text_vector
        return unit_rows(vector[None])[0]

    def family_of(self, text: str) -> Family | None:
        """The family that all the text's words belong to, None where there is no such one."""
        named, rest = self._families_named(text)
        return named[0] if len(named) == 1 and not rest else None

    def _families_named(self, text: str) -> tuple[list[Family], list[str]]:
        """The families that the text names a word of, and the text's words that belong to none."""
        words = re.findall(r"[\w'’]+", text.casefold())
        covered = [False] * len(words)
        named: dict[str, Family] = {}
        for length in (3, 2, 1):  # "dark blue" before "blue"
            for start in range(len(words) - length + 1):
                if any(covered[start : start + length]):
                    continue
                phrase = " ".join(words[start : start + length])
                for name, family in self.families.items():
                    if phrase in family.words:
                        named[name] = family
                        covered[start : start + length] = [True] * length
                        break
        rest = [w for w, done in zip(words, covered, strict=True) if not done and w not in _FILLER]
        return list(named.values()), rest

    def save(self, folder: Path) -> None:
        """Writes `concepts.json` (words) and `concepts.npz` (directions) into the folder."""
        words = {name: sorted(family.words) for name, family in self.families.items()}
        (folder / "concepts.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
        arrays: dict[str, np.ndarray] = {}
        for place, family in enumerate(self.families.values()):
            for field in ("middle", "directions", "shares"):
                arrays[f"{place}.{field}"] = getattr(family, field)
        for part, exchange in self.exchanges.items():
            arrays[f"exchange.{part}"] = np.array([exchange.taken, exchange.given])
        with (folder / "concepts.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> "Concepts":
        """What `save` wrote."""
        words = json.loads((folder / "concepts.json").read_text(encoding="utf-8"))
        with np.load(folder / "concepts.npz") as arrays:
            families = {
                name: Family(
                    frozenset(known), *(arrays[f"{place}.{field}"] for field in ("middle", "directions", "shares"))
                )
                for place, (name, known) in enumerate(words.items())
            }
            learned = [name for name in arrays.files if name.startswith("exchange.")]
            return cls(families, {name.split(".")[1]: Exchange(*map(float, arrays[name])) for name in learned})


def gather_words(
    meanings: Mapping[str, Sequence[str]], slot_of_column: Mapping[str, str | None], values: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """The words of each family: the lexicon's by slot, joined by the catalogue's values of columns of that slot.

    A column outside every slot ("style") is a family of its own. Families of fewer than four words are left out.
    """
    gathered = {slot: list(words) for slot, words in meanings.items()}
    for column, found in values.items():
        gathered.setdefault(slot_of_column.get(column) or column, []).extend(found)
    unique = {name: list(dict.fromkeys(w.casefold() for w in words)) for name, words in gathered.items()}
    return {name: words for name, words in unique.items() if len(words) >= _MIN_WORDS}
