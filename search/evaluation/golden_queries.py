"""The owner's golden queries, asked of a new generation before it is published: one that answers worse is refused."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from magpie.data.database.connection import Database
from magpie.data.errors import GoldenQueriesFailed
from magpie.data.settings import Settings
from magpie.indexer.generations.generation import Generation
from magpie.indexer.generations.store import current_id, read_manifest
from magpie.search.engine import SearchEngine
from magpie.search.evaluation.evaluate import EvaluationOptions, evaluate

MEASURE = "nDCG@10"
MOST_LOST = 0.02  # of the measure; less than this can be one query's last hit
QUERIES, QRELS = "queries.jsonl", "qrels.txt"

Judge = Callable[[Generation], dict[str, Any]]


def golden_judge(settings: Settings, database: Database, accept_worse: bool = False) -> Judge:
    """What a rebuild asks before it publishes: the figures for the manifest, {} without golden queries.

    The queries and their judgments are `golden/queries.jsonl` and `golden/qrels.txt` in the home, as for
    `magpie evaluate`. The call raises GoldenQueriesFailed where the measure falls by more than `MOST_LOST` below what
    the current generation reached on the same files, unless `accept_worse`; BadQuery where a file has a fault.
    """

    def judge(candidate: Generation) -> dict[str, Any]:
        folder = settings.home / "golden"
        if not (folder / QUERIES).is_file():
            return {}
        engine = SearchEngine.of_generation(settings, database, candidate)
        report = evaluate(engine, folder / QUERIES, folder / QRELS, EvaluationOptions(MEASURE, depth=10))
        reached = report.measures.get(MEASURE, 0.0)
        asked = {"files": _fingerprint(folder), "measure": MEASURE, "num_queries": report.num_queries}
        before = _reached_before(settings, asked)
        if before is not None and reached < before - MOST_LOST and not accept_worse:
            raise GoldenQueriesFailed(
                f"The new index answers the {report.num_queries} golden queries worse: {MEASURE} {reached:.3f} instead "
                f"of {before:.3f}. The old one goes on being served. If that is as it should be, repeat with "
                "--accept-worse."
            )
        return {**asked, "value": reached, "before": before} | ({"notes": report.notes} if report.notes else {})

    return judge


def _reached_before(settings: Settings, asked: dict[str, Any]) -> float | None:
    """The current generation's figure on the same files, None where there is none."""
    current = current_id(settings)
    if current is None:
        return None
    golden = read_manifest(settings.generations_dir / current).get("golden", {})
    is_same = all(golden.get(name) == value for name, value in asked.items())
    return float(golden["value"]) if is_same else None


def _fingerprint(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for name in (QUERIES, QRELS):
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()
