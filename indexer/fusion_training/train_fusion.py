"""`magpie train fusion`: trains fusions on the published index, tests them, and keeps them in the home."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import Database
from magpie.data.errors import BadInput
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings
from magpie.indexer.encoder.encode_catalogue import Progress
from magpie.indexer.fusion.learned_fusion import KINDS, LearnedFusion, fusion_file
from magpie.indexer.fusion_training.acceptance_test import FEWEST_JUDGED, judge
from magpie.indexer.fusion_training.examples import FusionExamples, read_examples
from magpie.indexer.fusion_training.training_loop import FusionOptions, train_weights
from magpie.indexer.generations.generation import open_encoder_of
from magpie.indexer.generations.store import open_current

__all__ = ["FusionOptions", "FusionReport", "train_fusion"]

FEWEST_ITEMS = 100
_JUDGED = 5  # one item of so many judges
_MOST_JUDGED = 2_000
_DESCRIPTIVE_SHARE = 0.5
_MOST_RANKED = 5_000  # other items among which a judged query's answers must be found


@dataclass(frozen=True)
class FusionReport:
    """What was trained: items used, how many of them with people's own queries, the acceptance test by kind, and
    which kind `--fusion auto` will use."""

    items: int
    clicked: int
    judged_on: int
    judgements: dict[str, dict[str, Any]]
    auto: str
    seconds: float


def train_fusion(
    settings: Settings,
    database: Database,
    options: FusionOptions,
    progress: Progress,
    clicked: Mapping[str, Sequence[ClickedQuery]] | None = None,
) -> FusionReport:
    """Trains each kind of fusion on the current generation's vectors and keeps the weights in the home.

    `clicked` are the queries that led people to items, by item id. Raises NoIndex without an index, ModelMismatch
    where its encoder is not the one at hand, BadInput where fewer than a hundred items have words, HomeLocked while
    another training of fusions runs.
    """
    started = time.perf_counter()
    with lock_home(settings.home, "train-fusion"):
        generation, _ = open_current(settings)
        encoder = open_encoder_of(generation)
        catalogue = Catalogue(database, settings)
        examples = read_examples(catalogue, generation, encoder, clicked or {}, options.seed, progress)
        if len(examples) < FEWEST_ITEMS:
            raise BadInput(
                f"{len(examples)} indexed items have words; a fusion is trained on at least {FEWEST_ITEMS}. "
                "Import more of the catalogue, then run `magpie index rebuild`."
            )
        learning, judges = _split(examples)
        others = np.setdiff1d(np.arange(len(examples)), judges)[:_MOST_RANKED]
        ranked = examples.take(np.concatenate([judges, others]))
        judgements = {}
        for kind in KINDS:
            file = fusion_file(settings, kind)
            file.parent.mkdir(parents=True, exist_ok=True)
            arrays = train_weights(kind, examples.take(learning), options, file.parent, progress)
            untried = LearnedFusion(kind, arrays, encoder.spec.fingerprint, {})
            judgements[kind] = judge(untried, ranked, len(judges), generation.text_weighing)
            LearnedFusion(kind, arrays, encoder.spec.fingerprint, judgements[kind]).save(file)
    passed = {kind: float(judged["gain"]) for kind, judged in judgements.items() if judged["passed"]}
    return FusionReport(
        items=len(examples),
        clicked=sum(map(bool, examples.clicked_queries)),
        judged_on=len(judges),
        judgements=judgements,
        auto=max(passed, key=passed.__getitem__, default="average"),
        seconds=round(time.perf_counter() - started, 1),
    )


def _split(examples: FusionExamples) -> tuple[np.ndarray, np.ndarray]:
    """The examples to learn from and those to be judged on. Items with the same words, or of one clicked query, stay
    together.

    What people asked judges where there is enough of it, else the held-out words that describe. Where most of the
    texts' words do not describe, nothing can judge: a fusion that finds brands and series again, which stand in the
    text, may be useless to people who look for "blue shoes".
    """
    asked = zip(examples.query_texts, examples.item_words, examples.clicked_queries, strict=True)
    chance = [_fraction(frozenset([query]) if clicked else words) for query, words, clicked in asked]
    judging = np.array(chance) < 1 / _JUDGED
    people = judging & np.array([bool(clicked) for clicked in examples.clicked_queries])
    descriptive = judging & examples.describes
    if np.count_nonzero(people) >= FEWEST_JUDGED:
        judges = people
    else:
        judges = (
            descriptive if descriptive.sum() >= _DESCRIPTIVE_SHARE * judging.sum() else np.zeros(len(judging), bool)
        )
    return np.flatnonzero(~judging), np.flatnonzero(judges)[:_MOST_JUDGED]


def _fraction(words: frozenset[str]) -> float:
    """A number in [0, 1) that depends on the words alone."""
    digest = hashlib.blake2b(" ".join(sorted(words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
