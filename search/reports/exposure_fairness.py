"""Exposure fairness: the exposure of each value of an attribute against its merit, from the click log.

Exposure is fair where it goes with merit (Singh and Joachims, Fairness of exposure in rankings, KDD 2018). Merit is
estimated from clicks per exposure, so that items do not earn it by being shown often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from magpie.data.aggregates.item_counts import ItemCount, count_items, first_shown
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.errors import BadFilter
from magpie.indexer.indexes.attribute_columns_builder import fields_of
from magpie.indexer.indexes.column_types import words_of

NONE = "(none)"
_DOUBT = 10.0  # exposures by which an item's rate is drawn towards that of all
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Group:
    """One value's shares, from 0 to 1: of the items, of what was seen, of the people who chose, and of merit.

    `ratio` is the share of what was seen for each share of merit: above 1, more is seen of it than people's liking
    earns; None where merit is zero.
    """

    value: str
    items: int
    items_share: float
    exposure_share: float
    people_share: float
    merit_share: float
    ratio: float | None


@dataclass(frozen=True)
class NewItems:
    """Items that were first shown within the last `days`, or never yet."""

    days: int
    items: int
    never_shown: int
    items_share: float
    exposure_share: float
    people_share: float


@dataclass(frozen=True)
class ExposureReport:
    """The groups, the most seen first, and the new items; over `days` of the log."""

    by: str
    days: int
    impressions: int
    people: int
    groups: list[Group]
    new_items: NewItems

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        return asdict(self)


def report_exposure(database: Database, catalogue: Catalogue, by: str, days: int, new_days: int) -> ExposureReport:
    """Exposure against merit by an attribute (or `category`), over the last days. Raises BadFilter for an unknown one.

    An item with several values counts for each of them in equal parts.
    """
    now = now_ms()
    counts = count_items(database, now - days * _DAY_MS)
    seen_before = {item for item, first in first_shown(database).items() if first < now - new_days * _DAY_MS}
    values: dict[str, list[str]] = {}
    known: set[str] = set()
    for batch in catalogue.scan():
        for item in batch:
            fields = fields_of(item)
            known |= fields.keys()
            values[item.item_id] = words_of(fields[by]) if by in fields else [NONE]
    if by not in known:
        raise BadFilter(f"There is no field {by!r} to report by; there are: {', '.join(sorted(known))}.")
    new = [item for item in values if item not in seen_before]
    return ExposureReport(
        by,
        days,
        sum(count.shown for count in counts.values()),
        sum(count.people for count in counts.values()),
        group_exposure(values, counts),
        _new_items(new, len(values), counts, new_days),
    )


def group_exposure(values: Mapping[str, Sequence[str]], counts: Mapping[str, ItemCount]) -> list[Group]:
    """The groups of these items by value, the most seen first; `values` by item id.

    An item's merit is its clicks per look, drawn towards that of all by ten looks. A group's merit is the mean of its
    items' merits, weighed by how many of them were shown at all, so that what nobody could judge counts for nothing.
    """
    shown = {item: counts[item] for item in values if item in counts}
    exposure_of_all = sum(count.exposure for count in shown.values())
    people_of_all = sum(count.people for count in shown.values())
    usual = people_of_all / exposure_of_all if exposure_of_all else 0.0
    sums: dict[str, list[float]] = {}
    for item, words in values.items():
        count = counts.get(item, ItemCount())
        merit = (count.people + _DOUBT * usual) / (count.exposure + _DOUBT) if item in shown else 0.0
        for word in words:
            total = sums.setdefault(word, [0, 0.0, 0.0, 0.0])
            part = 1 / len(words)
            for at, amount in enumerate((1, count.exposure * part, count.people * part, merit * part)):
                total[at] += amount
    merit_of_all = sum(total[3] for total in sums.values())
    groups = [
        _group(word, total, (len(values), exposure_of_all, people_of_all, merit_of_all)) for word, total in sums.items()
    ]
    return sorted(groups, key=lambda group: (-group.exposure_share, group.value))


def _group(value: str, sums: Sequence[float], totals: Sequence[float]) -> Group:
    items, exposure, people, merit = (_share(own, whole) for own, whole in zip(sums, totals, strict=True))
    return Group(value, int(sums[0]), items, exposure, people, merit, round(exposure / merit, 4) if merit else None)


def _new_items(new: Sequence[str], num_items: int, counts: Mapping[str, ItemCount], days: int) -> NewItems:
    own = [counts[item] for item in new if item in counts]
    return NewItems(
        days,
        len(new),
        sum(1 for item in new if counts.get(item, ItemCount()).shown == 0),
        _share(len(new), num_items),
        _share(sum(count.exposure for count in own), sum(count.exposure for count in counts.values())),
        _share(sum(count.people for count in own), sum(count.people for count in counts.values())),
    )


def _share(part: float, whole: float) -> float:
    return round(part / whole, 6) if whole else 0.0
