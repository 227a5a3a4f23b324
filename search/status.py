"""Describes what is being served, with alarms for the owner."""

from typing import Any

from magpie.indexer.generations.recall_check import warn_of_recall
from magpie.indexer.generations.store import is_stale
from magpie.search.ranker.reranker import Reranker
from magpie.search.serving import Serving

_STALE_ALARMS = {
    "index": "Something was forgotten after the index had learned of it: it is gone after `magpie index rebuild`.",
    "ranker": "Something was forgotten after the ranker had learned of it: it is gone after `magpie train ranker`.",
}


def not_ready(reason: str) -> dict[str, Any]:
    """The status without a served index, with `reason` as its alarm."""
    return {"ready": False, "generation": None, "items": 0, "model": None, "alarms": [reason]}


def describe_status(serving: Serving, reranker: Reranker, forgotten_ms: int, last_fault: str) -> dict[str, Any]:
    """The status as the API and the command line show it: generation, items, model, ranker, pending changes, alarms.

    `forgotten_ms` is the time of the last erasure from the log (milliseconds since 1970); `last_fault` says why a newer
    generation or change could not be loaded, "" where none failed.
    """
    alarms = list(serving.alarms) + ([last_fault] if last_fault else [])
    if serving.delta.is_full:
        alarms.append(
            f"{serving.delta.num_items:,} changed items are searched beside the index, and no more are taken in: "
            "run `magpie index rebuild`. Deletions act all the same."
        )
    stale = _find_stale(serving, reranker, forgotten_ms)
    alarms += [_STALE_ALARMS[name] for name in stale]
    about = serving.generation.manifest
    alarms += [*filter(None, [warn_of_recall(about)]), *reranker.alarms]
    return {
        "ready": True,
        "generation": serving.generation.id,
        "items": sum(int((~segment.dead).sum()) for segment in serving.segments),
        "model": about["model"],
        "index": about["index"],
        "created_at": about["created_at"],
        "changes_since": len(serving.delta.dead_ids),
        "changes_waiting": serving.delta.latest - serving.delta.revision,
        "ranker": reranker.version,
        "stale": stale,
        "alarms": alarms,
    }


def _find_stale(serving: Serving, reranker: Reranker, forgotten_ms: int) -> list[str]:
    """Which of "index" and "ranker" were made before the last erasure, and may still contain what was erased."""
    stale = {
        "index": is_stale(serving.generation.manifest, forgotten_ms),
        "ranker": reranker.learned_before(forgotten_ms),
    }
    return [name for name, is_older in stale.items() if is_older]
