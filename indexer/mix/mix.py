"""The mix: what the lexical score and the similarities of text and picture count in the score of a search.

    score = words · lexical + text · (q · text half) + image · (q · picture half)

The weights are those of the catalogue, which `fit_mix` measures, times what is known of each query: lexical scores
count less where the catalogue lacks some of its words and its texts say little, vectors count less where the encoder
lacks some of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.indexer.fusion.halves import stand_twice

_LEAST_KNOWN = 0.05  # of a query's letters: vectors still order what no word finds
_SHARE_PER_SILENCE = 4.0  # vectors against words where texts say nothing; docs/notes/relevance.md
_POWER_PER_SILENCE = 3.0  # of the known share of a query's words, there
_FULL_TEXT_WEIGHT = 0.7  # of a text that tells all, as `TextWeighing` gives it


@dataclass(frozen=True)
class Weights:
    """The weights of one query: of the lexical score, and of the two halves of a fused row."""

    words: float
    text: float
    image: float

    @property
    def vectors(self) -> float:
        """What a similarity of 1 counts where text and picture are alike."""
        return (self.text + self.image) / 2


@dataclass(frozen=True)
class Mix:
    """The weights of a catalogue: `words` + `vectors` is 2, `text` + `image` is 2, none is negative.

    `power` is that of the share of a query's words that the catalogue has, in the weight of the lexical score.
    """

    vectors: float = 1.0
    text: float = 1.0
    image: float = 1.0
    power: float = 0.0

    @property
    def words(self) -> float:
        return 2.0 - self.vectors

    def of_query(self, known_words: float, known_by_encoder: float) -> Weights:
        """The weights of a query, by the shares of it that the catalogue's words and the encoder know."""
        vectors = self.vectors * max(_LEAST_KNOWN, known_by_encoder)
        return Weights(self.words * known_words**self.power, vectors * self.text, vectors * self.image)

    def stand_twice(self, queries: np.ndarray) -> np.ndarray:
        """(q, 2·dim) queries as fused rows are compared with them, without what depends on each query."""
        return stand_twice(queries, self.text, self.image)

    def of_vectors(self) -> Weights:
        """The weights of a query that no words are searched for."""
        return Weights(1.0, self.text, self.image)


EVEN = Mix()


def prior_mix(silence: float) -> Mix:
    """The mix before anything is measured, where texts are as silent as this (0 to 1, `silence_of`)."""
    ratio = _SHARE_PER_SILENCE**silence
    return Mix(vectors=2 * ratio / (1 + ratio), power=_POWER_PER_SILENCE * silence)


def silence_of(mean_text_weight: float | None, typical_agreement: float) -> float:
    """From 0 to 1: how little the catalogue's texts say of its items, although the encoder understands the pictures.

    `mean_text_weight` is that of the texts of items with a picture in fusion, None without such items. Where the texts
    agree with the pictures as little as chance would have it (`typical_agreement`, in deviations above random pairs),
    nothing is known of either.
    """
    if mean_text_weight is None:
        return 0.0
    unsaid = 1 - min(1.0, mean_text_weight / _FULL_TEXT_WEIGHT)
    return unsaid * min(1.0, max(0.0, typical_agreement - 1))


def mix_of(manifest: Mapping[str, Any]) -> Mix:
    """The mix of a generation; where an older Magpie built it, the prior."""
    if "mix" in manifest:
        return Mix(**manifest["mix"]["weights"])
    weight = manifest.get("fusion_weights", {}).get("text")
    return prior_mix(silence_of(weight, manifest["text_weighing"]["typical"]))
