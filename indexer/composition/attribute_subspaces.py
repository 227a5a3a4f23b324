"""Composes a query such as "this, but in red" from an item's vector and words, by attribute subspaces.

An attribute subspace is spanned by the principal directions of the vectors of words that exclude each other, such as
the names of colours. To compose an item with words, its component in the subspace is replaced by that of the words,
and the rest of its vector stays. Adding the two vectors instead keeps the old colour (docs/relevance.md compares).
The words come from the lexicon and from the catalogue's own attribute columns; how much of each component is taken
out and put in is learned from the catalogue's items (`swap_tuning.py`).
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
class Subspace:
    """The words of one attribute, the (r, dim) orthonormal directions they span, and the share of each to replace."""

    words: frozenset[str]
    middle: np.ndarray  # (dim,) mean of the words' vectors
    directions: np.ndarray
    shares: np.ndarray  # (r,) in [0, 1)

    def component(self, vector: np.ndarray) -> np.ndarray:
        """(…, dim) the projection of (…, dim) vectors on this subspace, each direction by its share."""
        return np.asarray(((vector @ self.directions.T) * self.shares) @ self.directions)

    def similarity(self, vectors: np.ndarray, word: np.ndarray) -> np.ndarray:
        """(n,) cosines of (n, dim) vectors with a word's (dim,) vector within this subspace."""
        seen, of_word = self._seen(vectors), self._seen(word[None])[0]
        return np.asarray(unit_rows(seen) @ unit_rows(of_word[None])[0])

    def _seen(self, vectors: np.ndarray) -> np.ndarray:
        return np.asarray(((vectors - self.middle) @ self.directions.T) * np.sqrt(self.shares), np.float32)


def fit_subspace(words: Sequence[str], vectors: np.ndarray) -> Subspace:
    """The subspace of these words, by principal component analysis of their centred (n, dim) unit vectors."""
    middle = vectors.mean(axis=0)
    _, lengths, directions = np.linalg.svd(vectors - middle, full_matrices=False)
    variance = lengths**2 / len(words)
    return Subspace(frozenset(w.casefold() for w in words), middle, directions, variance / (variance + _RIDGE))


@dataclass(frozen=True)
class SubspaceSwap:
    """The share of an item's own component that is taken out, and how much of the words' component is put in."""

    taken: float = 1.0
    given: float = 1.0

    def apply(self, thing: np.ndarray, own: np.ndarray, words: np.ndarray) -> np.ndarray:
        """`thing` - taken · `own` + given · `words`: of vectors, not rescaled, or of their scores."""
        return np.asarray(thing - self.taken * own + self.given * words)


class AttributeSubspaces:
    """The subspaces of one generation by attribute, and by part ("text", "image") the learned swap; 1 and 1 without."""

    def __init__(self, subspaces: Mapping[str, Subspace], swaps: Mapping[str, SubspaceSwap] | None = None) -> None:
        self.subspaces = dict(subspaces)
        self.swaps = dict(swaps or {})

    def compose(self, vector: np.ndarray, text: str, text_vector: np.ndarray, part: str = "") -> np.ndarray:
        """(dim,) unit query for "like `vector`, but `text`". Words outside all subspaces are added."""
        named, rest = self._subspaces_named(text)
        if not named:
            return unit_rows((vector + text_vector)[None])[0]
        swap = self.swaps.get(part, SubspaceSwap())
        for subspace in named:
            vector = swap.apply(vector, subspace.component(vector), subspace.component(text_vector))
        if rest:
            vector = vector + 0.5 * text_vector
        return unit_rows(vector[None])[0]

    def subspace_of(self, text: str) -> Subspace | None:
        """The subspace that all the text's words belong to, None where there is no such one."""
        named, rest = self._subspaces_named(text)
        return named[0] if len(named) == 1 and not rest else None

    def _subspaces_named(self, text: str) -> tuple[list[Subspace], list[str]]:
        """The subspaces that the text names a word of, and the text's words that belong to none."""
        words = re.findall(r"[\w'’]+", text.casefold())
        covered = [False] * len(words)
        named: dict[str, Subspace] = {}
        for length in (3, 2, 1):  # "dark blue" before "blue"
            for start in range(len(words) - length + 1):
                if any(covered[start : start + length]):
                    continue
                phrase = " ".join(words[start : start + length])
                for name, subspace in self.subspaces.items():
                    if phrase in subspace.words:
                        named[name] = subspace
                        covered[start : start + length] = [True] * length
                        break
        rest = [w for w, done in zip(words, covered, strict=True) if not done and w not in _FILLER]
        return list(named.values()), rest

    def save(self, folder: Path) -> None:
        """Writes `concepts.json` (words) and `concepts.npz` (directions) into the folder."""
        words = {name: sorted(subspace.words) for name, subspace in self.subspaces.items()}
        (folder / "concepts.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
        arrays: dict[str, np.ndarray] = {}
        for place, subspace in enumerate(self.subspaces.values()):
            for field in ("middle", "directions", "shares"):
                arrays[f"{place}.{field}"] = getattr(subspace, field)
        for part, swap in self.swaps.items():
            arrays[f"exchange.{part}"] = np.array([swap.taken, swap.given])
        with (folder / "concepts.npz").open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> "AttributeSubspaces":
        """The subspaces that `save` wrote. Raises OSError, ValueError, KeyError."""
        words = json.loads((folder / "concepts.json").read_text(encoding="utf-8"))
        with np.load(folder / "concepts.npz") as arrays:
            subspaces = {
                name: Subspace(
                    frozenset(known), *(arrays[f"{place}.{field}"] for field in ("middle", "directions", "shares"))
                )
                for place, (name, known) in enumerate(words.items())
            }
            learned = [name for name in arrays.files if name.startswith("exchange.")]
            return cls(subspaces, {name.split(".")[1]: SubspaceSwap(*map(float, arrays[name])) for name in learned})


def gather_words(
    meanings: Mapping[str, Sequence[str]], slot_of_column: Mapping[str, str | None], values: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """The words of each subspace: the lexicon's by slot, and the catalogue's values of columns of that slot.

    A column outside every slot ("style") has a subspace of its own. Subspaces of fewer than four words are left out.
    """
    gathered = {slot: list(words) for slot, words in meanings.items()}
    for column, found in values.items():
        gathered.setdefault(slot_of_column.get(column) or column, []).extend(found)
    unique = {name: list(dict.fromkeys(w.casefold() for w in words)) for name, words in gathered.items()}
    return {name: words for name, words in unique.items() if len(words) >= _MIN_WORDS}
