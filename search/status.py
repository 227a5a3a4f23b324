"""Describes what is being served, with an alarm for everything that the owner should know."""

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
    """The status where nothing can be served, with the reason among the alarms."""
    return {"ready": False, "generation": None, "items": 0, "model": None, "alarms": [reason]}


def describe_status(serving: Serving, reranker: Reranker, forgotten_ms: int, last_fault: str) -> dict[str, Any]:
    """What is being served.

    `forgotten_ms` is when something of the log was last forgotten, `last_fault` why a newer generation or change was
    not taken up, "" where nothing went wrong.
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
    """What was made before something of the log was forgotten, and so may still tell of it."""
    stale = {
        "index": is_stale(serving.generation.manifest, forgotten_ms),
        "ranker": reranker.learned_before(forgotten_ms),
    }
    return [name for name, it_is in stale.items() if it_is]
