"""Tables of the index and server in numbers, and of what was filtered out as spam."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from magpie.web.insights.figures import Figures
from magpie.web.insights.tables.table import Cell, Table, columns_of

MAX_FEED_RUNS = 50


def health_table(figures: Figures) -> Table:
    """The served index and the latency of searches in numbers; unknown facts have no row."""
    status, manifest, latency = figures.health.status, figures.health.manifest, figures.health.latency
    recall: dict[str, float] = manifest.get("recall") or {}
    encoded: dict[str, int] = manifest.get("encoded") or {}
    facts: dict[str, Cell] = {
        "generation": status.get("generation"),
        "created_at": str(status.get("created_at") or "").partition("+")[0].replace("T", " "),
        "age_days": _age_days(str(status.get("created_at") or "")),
        "items": status.get("items"),
        "changes_since": status.get("changes_since"),
        "model": status.get("model"),
        "index": status.get("index"),
        "ranker": status.get("ranker"),
        "size_mb": round(manifest["size_bytes"] / 1e6, 1) if "size_bytes" in manifest else None,
        **{f"recall_{name}": value for name, value in recall.items()},
        **_mix(manifest.get("mix") or {}),
        "texts_encoded": encoded.get("texts"),
        "pictures_encoded": encoded.get("pictures"),
        "pictures_cached": encoded.get("pictures_cached"),
        "cache_share": _cache_share(encoded),
    }
    if latency:
        facts |= {"searches_timed": latency.count, "p50_ms": latency.p50_ms}
        facts |= {"p95_ms": latency.p95_ms, "p99_ms": latency.p99_ms}
    rows: list[tuple[Cell, ...]] = [(name, value) for name, value in facts.items() if value not in (None, "")]
    return Table(columns_of(figure="fact", value="value"), rows)


def set_aside_table(figures: Figures) -> Table:
    """The number of records filtered out as spam, by reason, the most first."""
    counted = sorted(figures.health.set_aside.items(), key=lambda pair: (-pair[1], pair[0]))
    return Table(columns_of(reason="reason", records="bar"), [(name, count) for name, count in counted if count])


def feed_runs_table(figures: Figures) -> Table:
    """The last imports of the feeds that the owner named, the newest first."""
    rows: list[tuple[Cell, ...]] = []
    for run in reversed(figures.health.feed_runs[-MAX_FEED_RUNS:]):
        began = datetime.fromtimestamp(run.began_at, UTC).isoformat(timespec="minutes")
        counts = (run.read, run.inserted, run.updated, run.removed, run.rejected)
        rows.append((run.name, began, run.seconds, *counts, run.fault or None))
    numbers = dict.fromkeys(("seconds", "read", "inserted", "updated", "removed", "rejected"), "value")
    return Table(columns_of(feed="name", began_at="time", **numbers, fault="english"), rows)


def _age_days(created_at: str) -> float | None:
    if not created_at:
        return None
    return round((datetime.now(UTC) - datetime.fromisoformat(created_at)).total_seconds() / 86_400, 1)


def _mix(mix: Mapping[str, Any]) -> dict[str, Cell]:
    """What words and vectors count in hybrid search, and how well they find what the catalogue's own texts ask for."""
    if not mix:
        return {}
    own, judged = mix["own_picture"] or {}, mix["judgement"].get("all", {})
    return {
        "verdict": mix["verdict"],
        "weight_of_words": round(2 - mix["weights"]["vectors"], 2),
        "weight_of_vectors": mix["weights"]["vectors"],
        "own_picture_found": own.get("found"),
        "own_picture_chance": own.get("chance"),
        **{f"ndcg_{part}": judged.get(part) for part in ("mix", "words", "text", "image")},
    }


def _cache_share(encoded: Mapping[str, int]) -> float | None:
    """The share of the last rebuild's pictures that were in the embedding cache."""
    needed = encoded.get("pictures", 0) + encoded.get("pictures_cached", 0)
    return round(encoded["pictures_cached"] / needed, 4) if needed and "pictures_cached" in encoded else None
