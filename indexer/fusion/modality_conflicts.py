"""Finds items whose picture and text contradict each other, at indexing; `magpie catalog conflicts` lists them.

Agreement is the cosine of an item's centred parts, ranked within its category: in deviations from the category's
median, since mugs agree with their texts more closely than wall art does. The number of sound items
among the least agreeing ones is estimated from the distribution of the others; the threshold is set so that nine of
ten flagged items are faulty.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from magpie.indexer.draws import random_partners
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.column_types import WordColumn

_PRECISION = 0.9
_FEWEST_PAIRS = 20
_GLOBAL_WEIGHT = 20.0  # items that the whole catalogue's median counts as in a category's
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_SHOULDER, _BULK = 0.05, 0.2  # quantiles between which the tail of sound items is measured
_CLEARLY = 4.0  # deviations; on the dev split wrong pictures are then blamed rightly in 99 of 100 cases
_BLOCK_ROWS = 256


@dataclass(frozen=True)
class Conflicts:
    """The rows whose parts contradict each other, least agreement first.

    `agreement` is (m,) cosines. `is_picture_masked` is (m,) bool: the picture is the less credible part; False where
    the text is clearly more unusual in the item's category. `precision` is the estimated share of rows that are
    really faulty, None without any.
    """

    rows: np.ndarray
    agreement: np.ndarray
    is_picture_masked: np.ndarray
    precision: float | None

    def mask(self, parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """(n, dim) rows by part: the parts with zero rows for the less credible part of each conflict."""
        blamed = {"text": self.rows[~self.is_picture_masked], "image": self.rows[self.is_picture_masked]}
        masked = dict(parts)
        for name, rows in blamed.items():
            if len(rows):
                masked[name] = parts[name].copy()
                masked[name][rows] = 0
        return masked

    def about(self) -> dict[str, Any]:
        """The entry of the manifest: the number of flagged items, and the precision of flagging."""
        return {"flagged": len(self.rows), "precision": self.precision}


def find_conflicts(parts: Mapping[str, np.ndarray], categories: np.ndarray, keys: np.ndarray) -> Conflicts:
    """The items whose parts contradict each other: `parts` are (n, dim) centred unit rows, `categories` (n,) ints.

    Random pairs, to compare with, are drawn by `keys` (n,).
    """
    agreement = np.einsum("nd,nd->n", parts["text"], parts["image"])
    rows = np.flatnonzero(parts["text"].any(axis=1) & parts["image"].any(axis=1))
    if len(rows) < _FEWEST_PAIRS:
        return Conflicts(rows[:0], agreement[:0], np.zeros(0, bool), None)
    scale = _Scale.fit(agreement[rows], categories[rows])
    random_pairs = np.einsum("nd,nd->n", parts["text"][rows], parts["image"][random_partners(rows, keys)])
    own, order = scale.rank(agreement[rows]), np.argsort(scale.rank(agreement[rows]), kind="stable")
    tail = _sound_tail(own, scale.rank(random_pairs))
    precision = 1 - len(rows) * tail.share_below(own[order]) / np.arange(1, len(rows) + 1)
    precise = np.flatnonzero(precision >= _PRECISION)
    num_flagged = int(precise[-1]) + 1 if len(precise) else 0
    flagged = rows[order[:num_flagged]]
    flagged = flagged[np.argsort(agreement[flagged], kind="stable")]
    return Conflicts(
        flagged,
        agreement[flagged],
        _blame_pictures(parts, categories, flagged),
        round(float(precision[num_flagged - 1]), 3) if num_flagged else None,
    )


@dataclass(frozen=True)
class _Scale:
    """The median agreement in each item's category and its deviation: (n,) each."""

    median: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fit(cls, agreement: np.ndarray, categories: np.ndarray) -> "_Scale":
        """The robust scale of each category; that of a small category shrinks towards the whole catalogue's."""
        overall = _median_and_deviation(agreement)
        median, deviation = np.zeros(len(agreement)), np.zeros(len(agreement))
        for category in np.unique(categories):
            members = categories == category
            count, own = members.sum(), _median_and_deviation(agreement[members])
            share = count / (count + _GLOBAL_WEIGHT)
            median[members], deviation[members] = (
                share * mine + (1 - share) * all_ for mine, all_ in zip(own, overall, strict=True)
            )
        return cls(median, np.maximum(deviation, 1e-3))

    def rank(self, agreement: np.ndarray) -> np.ndarray:
        """(n,) deviations from the category's median."""
        return np.asarray((agreement - self.median) / self.deviation)


def _median_and_deviation(values: np.ndarray) -> tuple[float, float]:
    median = float(np.median(values))
    return median, _MAD_TO_DEVIATION * float(np.median(np.abs(values - median)))


@dataclass(frozen=True)
class _Tail:
    """The lower tail of sound items' agreement, exponential below its shoulder."""

    shoulder: float
    rate: float

    def share_below(self, ranks: np.ndarray) -> np.ndarray:
        """(n,) the share of sound items with lower agreement."""
        return np.asarray(_SHOULDER * np.exp(np.minimum(3.0, self.rate * (ranks - self.shoulder))))


def _sound_tail(own: np.ndarray, random_pairs: np.ndarray) -> _Tail:
    """The tail of the items whose parts belong together.

    All items are a mixture of those and of ones that agree like random pairs of a text and a picture; the share of the
    latter and the tail of the former are estimated in turns, which converges within a few.
    """
    grid = np.quantile(random_pairs, np.linspace(0.3, 0.8, 11))
    share_of_all, share_of_random = _shares_below(own, grid), _shares_below(random_pairs, grid)
    places = np.sort(own)
    wrong, tail = float(np.clip((share_of_all / share_of_random).min(), 0.0, 0.5)), _Tail(0.0, 1.0)
    for _ in range(30):
        sound = np.arange(1, len(places) + 1) / len(places) - wrong * _shares_below(random_pairs, places)
        sound = np.maximum.accumulate(sound / (1 - wrong))
        shoulder, bulk = (places[min(int(np.searchsorted(sound, q)), len(places) - 1)] for q in (_SHOULDER, _BULK))
        tail = _Tail(shoulder, np.log(_BULK / _SHOULDER) / max(bulk - shoulder, 1e-3))
        excess = (share_of_all - (1 - wrong) * tail.share_below(grid)) / share_of_random
        wrong = float(np.clip(np.median(excess), 0.0, 0.5))
    return tail


def _shares_below(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(values), bounds, side="right") / len(values)


def _blame_pictures(parts: Mapping[str, np.ndarray], categories: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(m,) False where the text is clearly more unusual than the picture among the items of its category.

    Without a category nothing tells which is wrong; then it is the picture, since people search by words.
    """
    found = np.ones(len(rows), bool)
    for k, row in enumerate(rows):
        if categories[row] >= 0:
            mates = np.flatnonzero(categories == categories[row])
            text, picture = (_unusualness(parts[name], row, mates) for name in ("text", "image"))
            found[k] = text - picture < _CLEARLY
    return found


def _unusualness(vectors: np.ndarray, row: int, mates: np.ndarray) -> float:
    """The row's distance from the mean of its category in deviations above the median distance."""
    similarity = vectors[mates] @ vectors[mates].mean(axis=0)
    median, deviation = _median_and_deviation(similarity)
    return (median - float(similarity[mates == row][0])) / max(deviation, 1e-3)


def category_numbers(columns: Columns) -> np.ndarray:
    """(n,) a number for each row's category; -1 without one."""
    if "category" not in columns:
        return np.full(columns.num_rows, -1)
    column = columns["category"]
    return column.first_codes() if isinstance(column, WordColumn) else np.full(columns.num_rows, -1)


def describe_conflicts(
    conflicts: Conflicts, pictures: np.ndarray, item_ids: Sequence[str], titles: Sequence[str]
) -> list[dict[str, Any]]:
    """One entry per conflict in order: `item_id`, `agreement` (cosine), `looks_like` (the item with the most similar
    picture), `suspect` (the less credible part, "picture" or "text"), and both in words: `reason`, `suggestion`.

    `pictures` are (n, dim) unit rows; ids and titles are in the same order.
    """
    looks_like = _nearest_other(pictures, conflicts.rows).tolist()
    return [
        {
            "item_id": item_ids[row],
            "agreement": round(float(agreement), 3),
            "looks_like": item_ids[alike],
            "suspect": "picture" if is_picture else "text",
            "reason": f"The text is about {titles[row]!r}, and the picture looks like that of {titles[alike]!r}.",
            "suggestion": _suggest(bool(is_picture)),
        }
        for row, agreement, is_picture, alike in zip(
            conflicts.rows.tolist(), conflicts.agreement, conflicts.is_picture_masked, looks_like, strict=True
        )
    ]


def _suggest(is_picture_masked: bool) -> str:
    suspect, other = ("picture", "text") if is_picture_masked else ("text", "picture")
    return (
        f"Look at the {suspect} first, then import the item again with it mended. "
        f"Until then its {other} decides where it is found."
    )


def _nearest_other(pictures: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """For each of the rows the other row with the most similar picture."""
    nearest = np.zeros(len(rows), np.int64)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        scores = pictures[block] @ pictures.T
        scores[np.arange(len(block)), block] = -np.inf
        nearest[start : start + len(block)] = scores.argmax(axis=1)
    return nearest


def save_conflicts(conflicts: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Writes `conflicts.json` into a generation's folder."""
    (folder / "conflicts.json").write_text(json.dumps(list(conflicts), ensure_ascii=False, indent=1), encoding="utf-8")


def load_conflicts(folder: Path) -> list[dict[str, Any]]:
    """The conflicts that `save_conflicts` wrote. Raises OSError, ValueError."""
    conflicts: list[dict[str, Any]] = json.loads((folder / "conflicts.json").read_text(encoding="utf-8"))
    return conflicts


def masked_parts(conflicts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The part that `Conflicts.mask` masked of each item in conflict, by item id."""
    return {one["item_id"]: "image" if one["suspect"] == "picture" else "text" for one in conflicts}
