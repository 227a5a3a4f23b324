"""Says in plain words what was measured of a catalogue: whether the pictures are understood, and what decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.indexer.mix.fit import Fitted
from magpie.indexer.mix.mix import Mix

_PICTURES = 1_000
_NEAREST = 10
_FEWEST_PICTURES = 20
_HARDLY, _WELL = 0.1, 0.3  # of what chance leaves to be found
_DECIDES = 1.5  # of 2


@dataclass(frozen=True)
class OwnPicture:
    """How often an item's own picture is among the ten nearest to its title: `found` and `chance` are shares of the
    `items`; pictures of items with the same title count as its own."""

    items: int
    found: float
    chance: float

    def as_dict(self) -> dict[str, float]:
        return {"items": self.items, "found": round(self.found, 4), "chance": round(self.chance, 4)}

    @property
    def understanding(self) -> float:
        """The share that is found of what chance leaves to be found: 0 at chance, 1 where all are found."""
        return (self.found - self.chance) / (1 - self.chance) if self.chance < 1 else 0.0

    @property
    def is_understood(self) -> bool:
        """Whether the encoder sees in the pictures what the titles say, more often than chance would."""
        return self.understanding >= _HARDLY


def find_own_pictures(
    titles: Sequence[str], pictures: np.ndarray, encode_queries: Callable[[list[str]], np.ndarray]
) -> OwnPicture | None:
    """The measurement on at most a thousand of the items with these titles and (n, dim) unit rows of pictures, zero
    without one; None with fewer than twenty that have both."""
    rows = np.array([row for row, title in enumerate(titles) if title and pictures[row].any()], np.int64)[:_PICTURES]
    if len(rows) < _FEWEST_PICTURES:
        return None
    chosen = [titles[row].casefold() for row in rows]
    scores = encode_queries([titles[row] for row in rows]) @ pictures[rows].T
    nearest = np.argpartition(-scores, _NEAREST, axis=1)[:, :_NEAREST]
    numbers = np.unique(chosen, return_inverse=True)[1]
    found = (numbers[nearest] == numbers[:, None]).any(axis=1)
    alike = np.bincount(numbers)[numbers] / len(rows)
    return OwnPicture(len(rows), float(found.mean()), float((1 - (1 - alike) ** _NEAREST).mean()))


def describe(fitted: Fitted, own_picture: OwnPicture | None, model: str) -> str:
    """The verdict in two to four sentences."""
    sentences = [_of_pictures(own_picture)] if own_picture else []
    sentences.append(_of_weights(fitted.mix))
    judged = fitted.judgement.get("all")
    if judged:
        parts = {"words": "words alone", "text": "text vectors alone", "image": "pictures alone"}
        figures = ", ".join(f"{parts[name]} {judged[name]:.2f}" for name in parts if judged[name] > 0)
        sentences.append(
            f"On {judged['queries']} queries made of the catalogue (nDCG@10): the mix {judged['mix']:.2f}, {figures}."
        )
    else:
        sentences.append("Too few items have texts to measure this; it is what held elsewhere.")
    if own_picture and not own_picture.is_understood:
        sentences.append(f"Try another encoder than {model}: --model, or magpie train encoder.")
    return " ".join(sentences)


def _of_pictures(own: OwnPicture) -> str:
    grade = "does not understand"
    if own.is_understood:
        grade = "understands" if own.understanding >= _WELL else "hardly understands"
    return (
        f"By its title, an item's own picture is found in {own.found:.1%} of cases (chance {own.chance:.1%}): "
        f"this encoder {grade} these pictures."
    ).replace("%", " %")


def _of_weights(mix: Mix) -> str:
    if mix.words >= _DECIDES:
        return "Words decide."
    if mix.vectors >= _DECIDES:
        return "Vectors decide."
    return "Words and vectors both count."
