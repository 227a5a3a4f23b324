"""Compares items with an example part by part: text with text, and picture with picture.

Between fused vectors, a weak part hides the similarity of a good one. Part by part, the weight of text depends on how
informative the example's text is; for an item whose text is missing or uninformative, or whose picture is missing, that
part's similarity is predicted from the other part's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from magpie.indexer.fusion.average_fusion import PARTS
from magpie.search.live_index.segment import ReferenceSample, Segment

_TEXT_SHARE = 0.9  # of a fully informative text; chosen on the fashion dev split, see docs/relevance.md
_SOFTENED = 1 / 3  # power of the correlation in the slope of the prediction
_TEXTS_BY_PICTURE = 0.7  # text share for an example with a picture only, if texts are informative


@dataclass(frozen=True)
class Example:
    """An example: (dim,) centred unit vectors by part, and the informativeness of its text, from 0 to 1."""

    parts: Mapping[str, np.ndarray]
    informativeness: float


@dataclass(frozen=True)
class Expectation:
    """A line that predicts one part's similarity from the other's, fitted to items with both parts.

    With correlation r its slope is r^(1/3) s_y / s_x. Least squares (r s_y / s_x) would shrink predictions so far to
    the mean that items without the part never rank first; equal spread (s_y / s_x) would trust them as measurements.
    """

    known_mean: float
    expected_mean: float
    slope: float

    @classmethod
    def fit(cls, known: np.ndarray, expected: np.ndarray) -> "Expectation":
        """The line for (n,) pairs of similarities, with a slope of 0 or more; the identity where there are no pairs."""
        if not len(known):
            return cls(0.0, 0.0, 1.0)
        spread, reached = float(known.std()), float(expected.std())
        covariance = float(((known - known.mean()) * (expected - expected.mean())).mean())
        correlation = max(0.0, covariance) / max(spread * reached, 1e-9)
        slope = correlation**_SOFTENED * reached / max(spread, 1e-9)
        return cls(float(known.mean()), float(expected.mean()), slope)

    def of(self, known: np.ndarray) -> np.ndarray:
        """(n,) predicted similarities."""
        return np.asarray(self.expected_mean + self.slope * (known - self.known_mean))


@dataclass(frozen=True)
class MoreLikeThis:
    """A comparison of items with an example: a (dim,) unit vector for each part, and the share of the text."""

    vectors: Mapping[str, np.ndarray]
    text_share: float
    text_from_image: Expectation
    image_from_text: Expectation

    def addends(self, segment: Segment, rows: np.ndarray) -> dict[str, np.ndarray]:
        """(n,) float32 addends of the similarity of these (n,) rows, by part."""
        vectors = {name: segment.parts[name][rows].astype(np.float32) for name in PARTS}
        has = {name: vectors[name].any(axis=1) for name in PARTS}
        seen = {name: vectors[name] @ self.vectors[name] for name in PARTS}
        informative = np.where(has["image"], segment.informativeness(rows), 1.0) * has["text"]
        text = self.text_share * informative * seen["text"]
        text += (1 - self.text_share) * (has["text"] & ~has["image"]) * self.image_from_text.of(seen["text"])
        image = self.text_share * (1 - informative) * self.text_from_image.of(seen["image"])
        image += (1 - self.text_share) * seen["image"]
        return {"text": text.astype(np.float32), "image": np.where(has["image"], image, 0.0).astype(np.float32)}

    def similarity(self, segment: Segment, rows: np.ndarray) -> np.ndarray:
        """(n,) float32 similarities of these (n,) rows with the example."""
        addends = self.addends(segment, rows)
        return np.asarray(addends["text"] + addends["image"])


def compare_with(
    example: Example, reference_sample: ReferenceSample, compose: Callable[[np.ndarray, str], np.ndarray]
) -> MoreLikeThis:
    """The comparison with `example`; `compose` changes a part's (dim,) vector as the query's words ask.

    Where the example lacks a part, its other part's vector is compared with both parts of the items.
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
