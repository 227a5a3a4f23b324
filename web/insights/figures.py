"""Counts all figures of the insights page for a period, once a minute at most, for its plots and tables."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from magpie.data.aggregates.demand_counts import DayCount, QueryCount, WordCount, count_days, count_queries, count_words
from magpie.data.aggregates.item_counts import ItemCount, count_items
from magpie.data.aggregates.position_counts import count_positions
from magpie.data.aggregates.query_sessions import DAY_MS, Searches, read_searches
from magpie.data.catalogue.items import Item
from magpie.data.clock import now_ms
from magpie.data.errors import MagpieError, NoIndex
from magpie.data.feeds.named_feeds import FeedRun, feed_runs
from magpie.data.spam.click_spam import count_filtered, count_records
from magpie.indexer.generations.store import describe_current, read_conflicts
from magpie.search.click_models.saved_bias import PositionBias, read_position_bias
from magpie.search.live_index.segment import Segment
from magpie.search.reports.catalogue_gaps import Unseen, comparable_fields, exposure_by, find_unseen, missing_words
from magpie.search.reports.debiased_ctr import ClickThrough, click_through
from magpie.search.reports.exposure_fairness import Group
from magpie.search.reports.interleaving_report import Comparison, read_comparisons
from magpie.search.reports.ranker_history import RankerUse, Standing, count_ranker_use, read_standings
from magpie.web.middleware.metrics import Latency, latency_of
from magpie.web.services import Services

KEPT_S = 60.0
ITEMS_SHOWN = 12
UNSEEN_LISTED = 200
_KEPT_PERIODS = 4


@dataclass(frozen=True)
class Period:
    """The last `days` days up to today (UTC), None for the whole log; first and last day as days since 1970."""

    days: int | None
    first_day: int
    last_day: int

    @property
    def since_ms(self) -> int:
        """The first day's beginning, in milliseconds since 1970."""
        return self.first_day * DAY_MS


@dataclass(frozen=True)
class Demand:
    """Searches of the period: in total, by day and by query; `missing` are the words that no item contains."""

    searches: int
    people: int
    clicked: int
    unanswered: int
    days: list[DayCount]
    queries: list[QueryCount]
    missing: list[WordCount]


@dataclass(frozen=True)
class Learned:
    """Clicks by position, position bias, and how the rankers and compared rankings did."""

    positions: list[ClickThrough]
    examination: PositionBias
    standings: list[Standing]
    use: list[RankerUse]
    comparisons: list[Comparison]


@dataclass(frozen=True)
class CatalogueFigures:
    """Conflicts, items never shown, and exposure by value of `field`; `items` are those that tables show by id."""

    conflicts: list[dict[str, Any]]
    unseen: Unseen
    fields: list[str]
    field: str
    groups: list[Group]
    choices: int
    items: dict[str, Item]


@dataclass(frozen=True)
class Health:
    """The served index, the latency of searches since the server started (`since_s`, in seconds since 1970), and
    how many of the log's records are filtered out as spam, by reason, and the last imports of named feeds."""

    status: dict[str, Any]
    manifest: dict[str, Any]
    latency: Latency | None
    since_s: float
    set_aside: dict[str, int]
    records: int
    feed_runs: list[FeedRun]


@dataclass(frozen=True)
class Figures:
    """All figures of a period. What fewer than `min_people` people did is left out."""

    period: Period
    min_people: int
    demand: Demand
    learned: Learned
    catalogue: CatalogueFigures
    health: Health

    @property
    def is_private(self) -> bool:
        """Whether fewer than `min_people` people searched, so that nothing about searches may be shown."""
        return self.demand.searches > 0 and self.demand.people < self.min_people


class FiguresCache:
    """Caches figures for a minute, and counts for one request at a time, so that searches keep their threads."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counting = threading.Lock()
        self._kept: dict[tuple[int | None, str], tuple[float, Figures]] = {}

    def get(self, days: int | None, field: str) -> Figures:
        """The figures of the last days, at most a minute old; exposure is by `field`, "" for the first field."""
        with self._counting:
            now = time.monotonic()
            kept = {key: one for key, one in self._kept.items() if now - one[0] < KEPT_S}
            if (days, field) not in kept:
                kept[days, field] = (now, self._count(days, field))
            self._kept = dict(list(kept.items())[-_KEPT_PERIODS:])
            return kept[days, field][1]

    def _count(self, days: int | None, field: str) -> Figures:
        """The figures, read in short transactions that block no writer."""
        services, today = self._services, now_ms() // DAY_MS
        searches = read_searches(services.database, (today - days + 1) * DAY_MS if days else 0)
        first = today - days + 1 if days else int(searches.day.min(initial=today))
        period, segments = Period(days, first, today), _segments(services)
        return Figures(
            period,
            services.settings.min_clients,
            _demand(services, searches, period, segments),
            _learned(services, searches, period),
            _catalogue_figures(services, searches, period, segments, field),
            _health(services),
        )


def _learned(services: Services, searches: Searches, period: Period) -> Learned:
    database, settings = services.database, services.settings
    least, examination = settings.min_clients, read_position_bias(settings)
    positions = count_positions(database, period.since_ms, least)
    compared = read_comparisons(database, period.since_ms)
    return Learned(
        click_through(positions, examination),
        examination,
        _standings(services),
        count_ranker_use(searches, least),
        [one for one in compared if one.people >= least],
    )


def _segments(services: Services) -> Sequence[Segment]:
    try:
        return services.engine.serving.segments
    except MagpieError:  # the status says why
        return ()


def _standings(services: Services) -> list[Standing]:
    try:
        return read_standings(services.settings)
    except MagpieError:  # a broken ranker is among the alarms
        return []


def _demand(services: Services, searches: Searches, period: Period, segments: Sequence[Segment]) -> Demand:
    least = services.settings.min_clients
    return Demand(
        searches=len(searches),
        people=searches.num_people,
        clicked=int((searches.clicked > 0).sum()),
        unanswered=int((~searches.is_answered).sum()),
        days=count_days(searches, period.first_day, period.last_day, least),
        queries=count_queries(searches, least),
        missing=missing_words(count_words(searches, least), segments) if segments else [],
    )


def _catalogue_figures(
    services: Services, searches: Searches, period: Period, segments: Sequence[Segment], field: str
) -> CatalogueFigures:
    counts = count_items(services.database, period.since_ms)
    conflicts, unseen = _conflicts(services), Unseen(0, 0, [])
    if segments:
        unseen = find_unseen(segments, services.catalogue, counts, UNSEEN_LISTED)
    fields = comparable_fields(segments)
    chosen = field if field in fields else next(iter(fields), "")
    is_telling = bool(chosen) and searches.num_people >= services.settings.min_clients
    return CatalogueFigures(
        conflicts,
        unseen,
        fields,
        chosen,
        exposure_by(segments, services.catalogue, counts, chosen) if is_telling else [],
        _choices(counts),
        _items(services, conflicts, unseen),
    )


def _choices(counts: Mapping[str, ItemCount]) -> int:
    return sum(count.people for count in counts.values())


def _conflicts(services: Services) -> list[dict[str, Any]]:
    try:
        return read_conflicts(services.settings)
    except (NoIndex, OSError, ValueError):  # the status shows an index that is missing or broken
        return []


def _items(services: Services, conflicts: Sequence[Mapping[str, Any]], unseen: Unseen) -> dict[str, Item]:
    named = services.catalogue.ids_of(
        list({one[part] for one in conflicts[:ITEMS_SHOWN] for part in ("item_id", "looks_like") if part in one})
    )
    found = services.catalogue.get_many([*named.values(), *unseen.newest])
    return {item.item_id: item for item in found.values()}


def _health(services: Services) -> Health:
    try:
        manifest = describe_current(services.settings)
    except MagpieError:  # the status says why
        manifest = {}
    set_aside = count_filtered(services.database)
    records = count_records(services.database)
    timed, status = services.metrics, services.status()
    latency = latency_of(timed.collect("magpie_search_seconds"))
    return Health(status, manifest, latency, timed.since_s, set_aside, records, feed_runs(services.settings))
