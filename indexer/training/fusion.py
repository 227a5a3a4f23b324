"""`magpie train fusion`: the published index and its catalogue in, trained fusions with the gate's judgement out."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.catalogue import Catalogue
from data.database import Database
from data.errors import BadInput
from data.home_lock import lock_home
from data.settings import Settings
from indexer.generation import open_current, open_encoder_of
from indexer.learned_fusion import KINDS, LearnedFusion, fusion_file
from indexer.training.fusion_examples import FusionExamples, Progress, read_examples
from indexer.training.fusion_gate import judge
from indexer.training.fusion_training import FusionOptions, train_weights

__all__ = ["FusionOptions", "FusionReport", "train_fusion"]

FEWEST_ITEMS = 100
_JUDGED = 5  # one item of so many judges
_MOST_JUDGED = 2_000


@dataclass(frozen=True)
class FusionReport:
    """What was trained: items used, the gate's judgement by kind, and which one `--fusion auto` will use."""

    items: int
    judged_on: int
    judgements: dict[str, dict[str, Any]]
    auto: str
    seconds: float


def train_fusion(settings: Settings, database: Database, options: FusionOptions, progress: Progress) -> FusionReport:
    """Trains each kind of fusion on the current generation's vectors and keeps the weights in the home.

    Raises NoIndex without an index, ModelMismatch where its encoder is not the one at hand, BadInput where fewer than
    a hundred items have words, HomeLocked while another training of fusions runs.
    """
    started = time.perf_counter()
    with lock_home(settings.home, "train-fusion"):
        generation, _ = open_current(settings)
        encoder = open_encoder_of(generation)
        catalogue = Catalogue(database, settings)
        examples = read_examples(catalogue, generation, encoder, options.seed, progress)
        if len(examples) < FEWEST_ITEMS:
            raise BadInput(
                f"{len(examples)} indexed items have words; a fusion is trained on at least {FEWEST_ITEMS}. "
                "Import more of the catalogue, then run `magpie index rebuild`."
            )
        learning, judging = _split(examples)
        judgements = {}
        for kind in KINDS:
            file = fusion_file(settings, kind)
            file.parent.mkdir(parents=True, exist_ok=True)
            arrays = train_weights(kind, learning, options, file.parent, progress)
            untried = LearnedFusion(kind, arrays, encoder.spec.fingerprint, {})
            judgements[kind] = judge(untried, judging, generation.text_weighing)
            LearnedFusion(kind, arrays, encoder.spec.fingerprint, judgements[kind]).save(file)
    passed = {kind: float(judged["gain"]) for kind, judged in judgements.items() if judged["passed"]}
    return FusionReport(
        items=len(examples),
        judged_on=len(judging),
        judgements=judgements,
        auto=max(passed, key=passed.__getitem__, default="average"),
        seconds=round(time.perf_counter() - started, 1),
    )


def _split(examples: FusionExamples) -> tuple[FusionExamples, FusionExamples]:
    """Examples to learn from and to be judged on. Items with the same words stay together."""
    chance = [_fraction(words) for words in examples.item_words]
    judging = np.array(chance) < 1 / _JUDGED
    return examples.take(np.flatnonzero(~judging)), examples.take(np.flatnonzero(judging)[:_MOST_JUDGED])


def _fraction(words: frozenset[str]) -> float:
    """A number in [0, 1) that depends on the words alone."""
    digest = hashlib.blake2b(" ".join(sorted(words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
