"""Figures → tables by name, the same for the page and for CSV files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from magpie.data.aggregates.query_sessions import DAY_MS
from magpie.search.confidence_intervals import Interval, share_of
from magpie.web.insights.figures import Figures


@dataclass(frozen=True)
class Sentence:
    """A sentence that the page says in the reader's language, by its name; CSV files have it as `english`."""

    english: str
    name: str
    values: Mapping[str, object]


Cell = str | int | float | Interval | Sentence | None


@dataclass(frozen=True)
class Column:
    """`name` heads the column in CSV; `kind` says how the page shows its values.

    Kinds are text, sentence, english (in any language), name, time, flag, query, item, part (of an item),
    fact, count, bar (a count or share with a bar), reason (of setting aside), share, number, value (of a fact),
    interval (which CSV has in three columns), and csv (only in CSV).
    """

    name: str
    kind: str


@dataclass(frozen=True)
class Table:
    """Rows of cells in the order of the columns."""

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]

    @property
    def csv_header(self) -> list[str]:
        """An interval takes three columns."""
        named = [
            [c.name, f"{c.name}_low", f"{c.name}_high"] if c.kind == "interval" else [c.name] for c in self.columns
        ]
        return [name for names in named for name in names]

    @property
    def csv_rows(self) -> list[list[object]]:
        """The values as they are, unrounded but for doubt beyond the sixth digit."""
        return [
            [value for cell, column in zip(row, self.columns, strict=True) for value in _plain(cell, column)]
            for row in self.rows
        ]


def _plain(cell: Cell, column: Column) -> list[object]:
    if column.kind == "interval":
        ends = (cell.value, cell.low, cell.high) if isinstance(cell, Interval) else (None, None, None)
        return [None if one is None else round(one, 6) for one in ends]
    if isinstance(cell, Sentence):
        return [cell.english]
    return [round(cell, 6) if isinstance(cell, float) else cell]


def _columns(**kinds: str) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in kinds.items())


def date_of(day: int) -> str:
    """A day since 1970 as ISO 8601 has it."""
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat()


def days_table(figures: Figures) -> Table:
    """Every day of the period, the newest first."""
    columns = _columns(
        day="name", searches="count", people="count", searches_with_click="count", searches_without_answer="count"
    )
    days = figures.demand.days[::-1] if figures.demand.searches and not figures.is_private else []
    return Table(columns, [(date_of(d.day), d.searches, d.people, d.clicked, d.unanswered) for d in days])


def queries_table(figures: Figures) -> Table:
    """What is searched most."""
    columns = _columns(query="query", searches="bar", people="count", click_share="share", no_answer_share="share")
    rows: list[tuple[Cell, ...]] = [
        (one.query, one.searches, one.people, one.clicked / one.searches, one.unanswered / one.searches)
        for one in figures.demand.queries
        if one.query
    ]
    return Table(columns, rows)


def unanswered_table(figures: Figures) -> Table:
    """Queries that found nothing that really matches, in most of their searches."""
    columns = _columns(query="query", searches_without_answer="bar", people="count")
    found = [one for one in figures.demand.queries if one.unanswered > one.searches / 2]
    found.sort(key=lambda one: (-one.unanswered, one.query))
    return Table(columns, [(one.query, one.unanswered, one.people) for one in found])


def unclicked_table(figures: Figures) -> Table:
    """Queries that found something, of which nobody opened anything."""
    columns = _columns(query="query", searches="bar", people="count")
    found = [one for one in figures.demand.queries if not one.clicked and one.unanswered <= one.searches / 2]
    return Table(columns, [(one.query, one.searches, one.people) for one in found])


def missing_table(figures: Figures) -> Table:
    """Words that people search with and no item has."""
    columns = _columns(word="query", people="bar", searches="count")
    return Table(columns, [(one.word, one.people, one.searches) for one in figures.demand.missing])


def positions_table(figures: Figures) -> Table:
    """Click-through by position, as it is and by look."""
    columns = _columns(
        position="count",
        impressions="count",
        clicks="count",
        clicks_per_impression="interval",
        clicks_per_look="interval",
    )
    rows: list[tuple[Cell, ...]] = [
        (one.position, one.impressions, one.clicks, one.raw, one.debiased) for one in figures.learned.positions
    ]
    return Table(columns, rows)


def examination_table(figures: Figures) -> Table:
    """How likely each position is looked at; empty while nothing was measured."""
    found = figures.learned.examination
    is_told = found.propensities.is_measured and figures.demand.people >= figures.min_people
    positions = range(1, len(found.propensities.theta) + 1) if is_told else ()
    rows: list[tuple[Cell, ...]] = [(position, found.at(position)) for position in positions]
    return Table(_columns(position="count", looked_at="interval"), rows)


def rankers_table(figures: Figures) -> Table:
    """Every trained ranker against no re-ranking, the newest first."""
    columns = _columns(
        ranker="name",
        trained_at="time",
        serving="flag",
        gain="interval",
        gain_as_clicked="interval",
        queries="count",
        verdict="english",
    )
    rows: list[tuple[Cell, ...]] = [
        (one.version, one.created_at, int(one.is_serving), one.known, one.as_clicked, one.queries, one.reason)
        for one in figures.learned.standings
    ]
    return Table(columns, rows)


def ranker_use_table(figures: Figures) -> Table:
    """How people searched while each ranking answered."""
    columns = _columns(
        ranker="name", searches="count", people="count", click_share="interval", reciprocal_rank="interval"
    )
    rows: list[tuple[Cell, ...]] = [
        (one.ranker, one.searches, one.people, one.clicked, one.reciprocal_rank) for one in figures.learned.use
    ]
    return Table(columns, rows)


def comparisons_table(figures: Figures) -> Table:
    """Interleaved rankings, by people who preferred either."""
    columns = _columns(
        a="name",
        b="name",
        searches="count",
        people="count",
        for_a="count",
        for_b="count",
        ties="count",
        share_of_b="interval",
        p_value="number",
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *one.rankings,
            one.searches,
            one.people,
            one.for_a,
            one.for_b,
            one.ties,
            share_of(one.for_b, one.for_a + one.for_b),
            one.p_value,
        )
        for one in figures.learned.comparisons
    ]
    return Table(columns, rows)


def conflicts_table(figures: Figures) -> Table:
    """Items whose picture and text tell of different things, the worst first."""
    columns = _columns(
        item_id="item", looks_like="item", suspect="part", agreement="number", reason="sentence", suggestion="sentence"
    )
    return Table(columns, [_conflict(one, figures) for one in figures.catalogue.conflicts])


def _conflict(one: Mapping[str, Any], figures: Figures) -> tuple[Cell, ...]:
    """An index that was built before all of it was known lacks some."""
    plain = tuple(one.get(name) for name in ("item_id", "looks_like", "suspect", "agreement"))
    if "suspect" not in one or "looks_like" not in one:
        return (*plain, None, None)
    title, alike = (_title(one[name], figures) for name in ("item_id", "looks_like"))
    return (
        *plain,
        Sentence(one.get("reason", ""), "conflict_reason", {"title": title, "alike": alike}),
        Sentence(one.get("suggestion", ""), f"conflict_{one['suspect']}", {"item": one["item_id"]}),
    )


def _title(item_id: str, figures: Figures) -> str:
    item = figures.catalogue.items.get(item_id)
    return (item.title if item else "") or item_id


def never_shown_table(figures: Figures) -> Table:
    """The newest of the items that nobody was shown."""
    items = {item.id: item for item in figures.catalogue.items.values()}
    newest = [items[number] for number in figures.catalogue.unseen.newest if number in items]
    return Table(_columns(item_id="item", title="csv"), [(one.item_id, one.title) for one in newest])


def exposure_table(figures: Figures) -> Table:
    """What is seen of each value against what people like; liking is left out where too few people chose."""
    columns = _columns(
        value="text",
        items="csv",
        items_share="share",
        seen_share="bar",
        chosen_share="csv",
        merit_share="share",
        seen_per_merit="number",
    )
    rows: list[tuple[Cell, ...]] = []
    for group in figures.catalogue.groups:
        chosen = round(group.people_share * figures.catalogue.choices)
        liked: tuple[Cell, ...] = (group.people_share, group.merit_share, group.ratio)
        liked = liked if chosen >= figures.min_people else (None, None, None)
        rows.append((group.value, group.items, group.items_share, group.exposure_share, *liked))
    return Table(columns, rows)


def health_table(figures: Figures) -> Table:
    """The index and the server in numbers; no row where nothing is known."""
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
        "texts_encoded": encoded.get("texts"),
        "pictures_encoded": encoded.get("pictures"),
        "pictures_cached": encoded.get("pictures_cached"),
        "cache_share": _cache_share(encoded),
    }
    if latency:
        facts |= {"searches_timed": latency.count, "p50_ms": latency.p50_ms}
        facts |= {"p95_ms": latency.p95_ms, "p99_ms": latency.p99_ms}
    rows: list[tuple[Cell, ...]] = [(name, value) for name, value in facts.items() if value not in (None, "")]
    return Table(_columns(figure="fact", value="value"), rows)


def set_aside_table(figures: Figures) -> Table:
    """What nothing is learned or counted from, by reason, the most first."""
    counted = sorted(figures.health.set_aside.items(), key=lambda pair: (-pair[1], pair[0]))
    return Table(_columns(reason="reason", records="bar"), [(name, count) for name, count in counted if count])


def _age_days(created_at: str) -> float | None:
    if not created_at:
        return None
    return round((datetime.now(UTC) - datetime.fromisoformat(created_at)).total_seconds() / 86_400, 1)


def _cache_share(encoded: Mapping[str, int]) -> float | None:
    """Of the pictures of the last rebuild those that the embedding cache had already."""
    needed = encoded.get("pictures", 0) + encoded.get("pictures_cached", 0)
    return round(encoded["pictures_cached"] / needed, 4) if needed and "pictures_cached" in encoded else None


TABLES: dict[str, Callable[[Figures], Table]] = {
    "days": days_table,
    "queries": queries_table,
    "unanswered": unanswered_table,
    "unclicked": unclicked_table,
    "missing": missing_table,
    "positions": positions_table,
    "examination": examination_table,
    "rankers": rankers_table,
    "ranker-use": ranker_use_table,
    "comparisons": comparisons_table,
    "conflicts": conflicts_table,
    "never-shown": never_shown_table,
    "exposure": exposure_table,
    "health": health_table,
    "set-aside": set_aside_table,
}
