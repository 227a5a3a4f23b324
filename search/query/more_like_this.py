"""Compares items with an example part by part: text with text, and picture with picture.

Comparing fused vectors lets a weak part blur a telling one. Part by part, the example's own text decides how much
words count, and an item that lacks a part, or whose text says nothing, gets what its other part lets one expect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from magpie.indexer.fusion.average_fusion import PARTS
from magpie.search.live_index.segment import ReferenceSample, Segment

_TEXT_SHARE = 0.9  # of a telling text in the comparison; chosen on the fashion dev split, see docs/relevance.md
_SOFTENED = 1 / 3  # power of the correlation in what one part lets expect of the other
_TEXTS_BY_PICTURE = 0.7  # of the items' texts where the example has only a picture, if the texts tell something


@dataclass(frozen=True)
class Example:
    """What there is to resemble: (dim,) centred unit vectors by part, and how telling its text is, from 0 to 1."""

    parts: Mapping[str, np.ndarray]
    informativeness: float


@dataclass(frozen=True)
class Expectation:
    """A line that tells one part's similarity from the other's, learned from items that have both.

    Its slope lies between that of least squares, r s_y / s_x, which draws what is expected so far to the mean that
    items without the part never come first, and that of equal spread, s_y / s_x, which takes a guess for a fact.
    """

    known_mean: float
    expected_mean: float
    slope: float

    @classmethod
    def fit(cls, known: np.ndarray, expected: np.ndarray) -> "Expectation":
        """The line through (n,) pairs of similarities; it never falls. Without pairs the one stands for the other."""
        if not len(known):
            return cls(0.0, 0.0, 1.0)
        spread, reached = float(known.std()), float(expected.std())
        covariance = float(((known - known.mean()) * (expected - expected.mean())).mean())
        correlation = max(0.0, covariance) / max(spread * reached, 1e-9)
        slope = correlation**_SOFTENED * reached / max(spread, 1e-9)
        return cls(float(known.mean()), float(expected.mean()), slope)

    def of(self, known: np.ndarray) -> np.ndarray:
        """(n,) expected similarities."""
        return np.asarray(self.expected_mean + self.slope * (known - self.known_mean))


@dataclass(frozen=True)
class MoreLikeThis:
    """How to compare items with an example: a (dim,) unit vector for each part, and the share of the text."""

    vectors: Mapping[str, np.ndarray]
    text_share: float
    text_from_image: Expectation
    image_from_text: Expectation

    def addends(self, segment: Segment, rows: np.ndarray) -> dict[str, np.ndarray]:
        """(n,) float32 by the part that they come from; they sum to the similarity."""
        vectors = {name: segment.parts[name][rows].astype(np.float32) for name in PARTS}
        has = {name: vectors[name].any(axis=1) for name in PARTS}
        seen = {name: vectors[name] @ self.vectors[name] for name in PARTS}
        told = np.where(has["image"], segment.informativeness(rows), 1.0) * has["text"]
        text = self.text_share * told * seen["text"]
        text += (1 - self.text_share) * (has["text"] & ~has["image"]) * self.image_from_text.of(seen["text"])
        image = self.text_share * (1 - told) * self.text_from_image.of(seen["image"])
        image += (1 - self.text_share) * seen["image"]
        return {"text": text.astype(np.float32), "image": np.where(has["image"], image, 0.0).astype(np.float32)}

    def similarity(self, segment: Segment, rows: np.ndarray) -> np.ndarray:
        """(n,) float32."""
        addends = self.addends(segment, rows)
        return np.asarray(addends["text"] + addends["image"])


def compare_with(
    example: Example, reference_sample: ReferenceSample, compose: Callable[[np.ndarray, str], np.ndarray]
) -> MoreLikeThis:
    """How to look for what is like the example; `compose` changes the vector of a part as further words ask.

    An example that lacks a part is compared with both parts of the items by the one that it has.
    """
    present = [compose(example.parts[name], name) for name in PARTS if name in example.parts]
    vectors = dict(zip(PARTS, (present[0], present[-1]), strict=True))
    if "text" not in example.parts:
        share = _TEXTS_BY_PICTURE * reference_sample.typical_informativeness
    else:
        share = _TEXT_SHARE * example.informativeness
    seen = {name: reference_sample.parts[name] @ vectors[name] for name in PARTS}
    return MoreLikeThis(
        vectors, share, Expectation.fit(seen["image"], seen["text"]), Expectation.fit(seen["text"], seen["image"])
    )
