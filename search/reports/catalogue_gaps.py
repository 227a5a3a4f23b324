"""Gaps of the catalogue: searched words that no item has, and items that nobody was shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.data.aggregates.demand_counts import WordCount
from magpie.data.aggregates.item_counts import ItemCount
from magpie.data.catalogue.catalogue import Catalogue
from magpie.indexer.indexes.collection_statistics import CollectionStatistics
from magpie.indexer.text.query_words import analyse_query
from magpie.search.live_index.segment import Segment
from magpie.search.reports.exposure_fairness import NONE, Group, group_exposure


@dataclass(frozen=True)
class Unseen:
    """The number of `items` that were never shown, and the newest of them (`items.id`)."""

    items: int
    never_shown: int
    newest: list[int]


def missing_words(words: Sequence[WordCount], segments: Sequence[Segment]) -> list[WordCount]:
    """The words that no item has, not even joined or split."""
    statistics = CollectionStatistics((segment.lexical, segment.dead) for segment in segments)
    languages = segments[0].lexical.languages
    looked_up = [(one, statistics.look_up(analyse_query(one.word, languages))) for one in words]
    return [one for one, found in looked_up if found.texts and not found.words]


def find_unseen(
    segments: Sequence[Segment], catalogue: Catalogue, counts: Mapping[str, ItemCount], limit: int
) -> Unseen:
    """The items without impressions in these counts."""
    shown = catalogue.ids_of([item_id for item_id, count in counts.items() if count.shown])
    living = np.concatenate([segment.ids[~segment.dead] for segment in segments])
    unseen = np.setdiff1d(living, np.fromiter(shown.values(), np.int64, len(shown)))
    return Unseen(len(living), len(unseen), unseen[::-1][:limit].tolist())


def comparable_fields(segments: Sequence[Segment]) -> list[str]:
    """Fields whose values group the items, `category` first."""
    found = {name for segment in segments for name in segment.columns.grouping}
    return sorted(found, key=lambda name: (name != "category", name))


def exposure_by(
    segments: Sequence[Segment], catalogue: Catalogue, counts: Mapping[str, ItemCount], field: str
) -> list[Group]:
    """How much is seen of each value of the field and how much people like it, the most seen first."""
    numbers = catalogue.ids_of(list(counts))
    known = {numbers[item_id]: count for item_id, count in counts.items() if item_id in numbers}
    values: dict[str, list[str]] = {}
    for segment in segments:
        column = segment.columns.grouping.get(field)
        for row in np.flatnonzero(~segment.dead).tolist():
            values[str(segment.ids[row])] = (column.words(row) if column else []) or [NONE]
    return group_exposure(values, {str(number): count for number, count in known.items()})
