"""Items whose picture and text tell of different things: found at indexing, listed by `magpie catalog conflicts`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.fusion import TextWeighing

# Where most texts fit their picture, an item that reaches less than this share of the usual agreement is suspect.
# On the fashion dev split with 5 % exchanged pictures that finds 91 % of them at a precision of 98 %.
_SHARE_OF_TYPICAL = 0.3
# A catalogue whose texts hardly agree with any picture ("Titan") says nothing that a picture could contradict.
_INFORMATIVE = 0.8
_BLOCK_ROWS = 256


def find_conflicts(
    parts: Mapping[str, np.ndarray], weighing: TextWeighing, item_ids: Sequence[str], titles: Sequence[str]
) -> list[dict[str, Any]]:
    """One entry per suspect item, least agreement first: `item_id`, `agreement` (cosine), `reason`, `suggestion`.

    `parts` are (n, dim) centred unit rows by part; ids and titles are in the same order.
    """
    if weighing.typical < _INFORMATIVE * weighing.best:
        return []
    agreement = np.einsum("nd,nd->n", parts["text"], parts["image"])
    has_both = parts["text"].any(axis=1) & parts["image"].any(axis=1)
    usual = weighing.mean + weighing.deviation * weighing.typical
    rows = np.flatnonzero(has_both & (agreement < _SHARE_OF_TYPICAL * usual))
    rows = rows[np.argsort(agreement[rows], kind="stable")]
    return [
        {
            "item_id": item_ids[row],
            "agreement": round(float(agreement[row]), 3),
            "reason": f"The text is about {titles[row]!r}, and the picture looks like that of {titles[looks_like]!r}.",
            "suggestion": "Check which of the two is right, then import the item again with the other mended.",
        }
        for row, looks_like in zip(rows.tolist(), _nearest_other(parts["image"], rows).tolist(), strict=True)
    ]


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
    """What `save_conflicts` wrote."""
    conflicts: list[dict[str, Any]] = json.loads((folder / "conflicts.json").read_text(encoding="utf-8"))
    return conflicts
