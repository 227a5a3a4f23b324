"""Queries that nobody typed, drawn from the catalogue's own words: what the index is centred and checked with.

A probe is a window of a title's words or a pair of attribute values, as people type them. Noise probes are
random letters. How near the two kinds come to the items tells what a confident answer looks like here.
"""

import random
from dataclasses import dataclass, field

import numpy as np

from magpie.indexer.text.item_text import ItemText

NUM_QUERIES = 256
NUM_NOISE = 96
TOP = 3
_BLOCK_ROWS = 8_192
_CONSONANTS = "bcdfghjklmnpqrstvwxz"


@dataclass
class QuerySampler:
    """Draws probes while the catalogue passes by (reservoir sampling, Vitter 1985, algorithm R); seeded."""

    texts: list[str] = field(default_factory=list)
    _seen: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(20_250_801))

    def add(self, text: ItemText) -> None:
        """Considers one item."""
        if not (text.title or text.values):
            return
        self._seen += 1
        if len(self.texts) < NUM_QUERIES:
            self.texts.append(self._query_about(text))
        elif (place := self._random.randrange(self._seen)) < NUM_QUERIES:
            self.texts[place] = self._query_about(text)

    def _query_about(self, text: ItemText) -> str:
        words = text.title.split()
        if text.values and (not words or self._random.random() < 0.5):
            return " ".join(self._random.sample(text.values, min(2, len(text.values))))
        start = self._random.randrange(max(1, len(words) - 2))
        return " ".join(words[start : start + 3])


def draw_noise(count: int = NUM_NOISE) -> list[str]:
    """Random letters in one to three words, the same in every process."""
    chance = random.Random(7)
    return [
        " ".join("".join(chance.choices(_CONSONANTS, k=chance.randint(4, 8))) for _ in range(chance.randint(1, 3)))
        for _ in range(count)
    ]


def nearness(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(q,) mean inner product of each query with its three nearest rows; unit rows throughout."""
    if not len(vectors):
        return np.zeros(len(queries), np.float32)
    best = np.full((len(queries), TOP), -1.0, np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        scores = queries @ vectors[start : start + _BLOCK_ROWS].T
        best = np.partition(np.concatenate([best, scores], axis=1), -TOP, axis=1)[:, -TOP:]
    return np.asarray(np.sort(best, axis=1)[:, -min(TOP, len(vectors)) :].mean(axis=1))


def calibrate_confidence(probes: np.ndarray, noise: np.ndarray, vectors: np.ndarray) -> dict[str, float]:
    """The nearness below which an answer is as likely noise: half way between what most probes and most noise reach.

    `probes` and `noise` are centred unit rows, `vectors` the fused ones.
    """
    low, high = nearness(probes, vectors), nearness(noise, vectors)
    reached = float(np.quantile(low, 0.1)) if len(low) else 1.0
    by_noise = float(np.quantile(high, 0.9)) if len(high) else 0.0
    return {"threshold": (reached + by_noise) / 2, "probes_p10": reached, "noise_p90": by_noise}
