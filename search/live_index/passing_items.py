"""Finds the items that pass filters now: by the served index, and by the catalogue where it changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.catalogue.versions import read_versions
from magpie.indexer.indexes.attribute_columns import Columns, check_names
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.indexes.field_filter import FilterValue
from magpie.search.live_index.segment import Segment

_READ_AT_ONCE = 2_000


@dataclass(frozen=True)
class PassingItems:
    """The (n,) int64 `items.id`, ascending, of the items that pass, as of this revision of the catalogue or later."""

    ids: np.ndarray
    revision: int


def find_passing(
    catalogue: Catalogue, segments: Sequence[Segment], revision: int, filters: Mapping[str, FilterValue]
) -> PassingItems:
    """The items that pass all the filters. `segments` index every change of the catalogue up to `revision`.

    Raises UnknownField, BadFilter, NoRange, NotTogether.
    """
    versions, kinds = read_versions(catalogue.database, revision), catalogue.attribute_kinds()
    outdated = np.union1d(versions.ids, versions.deleted_ids)
    parts: list[tuple[np.ndarray, np.ndarray, Columns]] = []
    for segment in segments:
        is_valid = ~segment.dead & ~np.isin(segment.ids, outdated)
        parts.append((segment.ids, is_valid, segment.columns.as_kinds(kinds)))
    for start in range(0, len(versions.ids), _READ_AT_ONCE):
        items = catalogue.get_many(versions.ids[start : start + _READ_AT_ONCE].tolist())
        builder = ColumnsBuilder(kinds)
        for item in items.values():
            builder.add(item)
        parts.append((np.array(list(items), np.int64), np.ones(len(items), bool), builder.build()))
    check_names(filters, [columns for _, _, columns in parts], "filter")
    passing = [np.zeros(0, np.int64)]
    for ids, is_valid, columns in parts:
        allowed = columns.allowed(filters)
        passing.append(ids[is_valid if allowed is None else is_valid & allowed])
    return PassingItems(np.unique(np.concatenate(passing)), versions.latest)
