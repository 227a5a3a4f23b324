"""A catalogue as a plain dictionary that answers searches by looking at every item: what the real one is held to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from magpie.data.catalogue.attribute_types import Kind, kind_of, kind_of_column, typed_attributes
from magpie.data.catalogue.items import Value

Filters = Mapping[str, list[str] | Mapping[str, float]]
Fields = dict[str, Value]
SHOWN_FACETS = 30
MOST_WORDS, MOST_NUMBERS = 1_000, 30  # distinct values up to which a column is a facet


@dataclass
class PlainCatalogue:
    """The items by id, each with title, category, price, attributes, and a number that grows with time."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    _last: int = 0
    _known: tuple[dict[str, Kind], dict[str, Fields]] | None = None  # of the items as they are now

    def put(self, item_id: str, body: Mapping[str, Any]) -> None:
        """Makes the item, or replaces all but its age."""
        if item_id not in self.items:
            self._last += 1
            self.items[item_id] = {"number": self._last}
        self.items[item_id] = {"number": self.items[item_id]["number"], **body}
        self._known = None

    def delete(self, item_id: str) -> None:
        """Removes the item."""
        del self.items[item_id]
        self._known = None

    def kinds(self) -> dict[str, Kind]:
        """The kind of every attribute by the items that there are now."""
        return self._read()[0]

    def rows(self) -> dict[str, Fields]:
        """What can be filtered and sorted by, of each item."""
        return self._read()[1]

    def _read(self) -> tuple[dict[str, Kind], dict[str, Fields]]:
        if self._known is None:
            kinds = self._count_kinds()
            self._known = kinds, self._type_rows(kinds)
        return self._known

    def _count_kinds(self) -> dict[str, Kind]:
        counts: dict[str, Counter[Kind]] = {}
        for item in self.items.values():
            for name, value in item["attributes"].items():
                counts.setdefault(name, Counter())[kind_of(value)] += 1
        return {name: kind_of_column(counted) for name, counted in counts.items()}

    def _type_rows(self, kinds: Mapping[str, Kind]) -> dict[str, Fields]:
        return {
            item_id: {
                **typed_attributes(item["attributes"], kinds),
                **{name: item[name] for name in ("title", "category", "price") if item.get(name) not in (None, "")},
            }
            for item_id, item in self.items.items()
        }

    def numbers(self) -> set[str]:
        """The names of the columns of numbers."""
        return {"price"} | {name for name, kind in self.kinds().items() if kind == "number"}

    def matching(self, filters: Filters) -> list[str]:
        """The ids of the items that pass all the filters, the oldest first."""
        rows, numbers = self.rows(), self.numbers()
        passing = [
            item_id
            for item_id, row in rows.items()
            if all(_passes(row.get(name), wanted, name in numbers) for name, wanted in filters.items())
        ]
        return sorted(passing, key=lambda item_id: self.items[item_id]["number"])

    def ordered(self, filters: Filters, sort: str) -> list[str]:
        """The ids of the matching items by the field; ties to the older item, items without the field last."""
        name, is_descending = sort.removeprefix("-"), sort.startswith("-")
        found = self.matching(filters)
        if name == "newest":
            return found if is_descending else found[::-1]
        rows, is_number = self.rows(), name in self.numbers()
        keys = {item_id: _sort_key(rows[item_id].get(name), is_number) for item_id in found}
        known = sorted((one for one in found if keys[one] is not None), key=lambda one: keys[one], reverse=False)  # type: ignore[arg-type,return-value]
        if is_descending:
            groups = sorted({keys[one] for one in known}, reverse=True)  # type: ignore[type-var]
            known = [one for key in groups for one in known if keys[one] == key]
        return known + [one for one in found if keys[one] is None]

    def facets(self, filters: Filters) -> dict[str, dict[str, int]]:
        """By column how many matching items have each of its values, each field without the filter on it."""
        rows, numbers = self.rows(), self.numbers()
        found: dict[str, dict[str, int]] = {}
        for name in {name for row in rows.values() for name in row} - {"title"}:
            is_number = name in numbers
            every = {value for row in rows.values() for value in _facet_values(row.get(name), is_number)}
            if len(every) > (MOST_NUMBERS if is_number else MOST_WORDS):
                continue
            others = {other: wanted for other, wanted in filters.items() if other != name}
            chosen = filters.get(name, [])
            counts = _counted((rows[one].get(name) for one in self.matching(others)), is_number)
            shown = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN_FACETS])
            if isinstance(chosen, list):
                wanted = {value.casefold() for value in chosen}
                own = _counted((rows[one].get(name) for one in self.matching(filters)), is_number)
                shown |= {value: number for value, number in own.items() if value.casefold() in wanted}
            if shown:
                found[name] = shown
        return found

    def ranges(self, filters: Filters) -> dict[str, tuple[float, float]]:
        """By column of numbers the least and the greatest among the matching items, without the filter on it."""
        rows, found = self.rows(), {}
        for name in self.numbers():
            others = {other: wanted for other, wanted in filters.items() if other != name}
            values = [_number(rows[one].get(name)) for one in self.matching(others)]
            if known := [value for value in values if value is not None]:
                found[name] = (min(known), max(known))
        return found


def _number(value: Value | None) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def words(value: Value | None) -> list[str]:
    """The words that a filter compares with a value."""
    if value is None or value == "" or value == []:
        return []
    if isinstance(value, list):
        return list(dict.fromkeys(value))
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [value if isinstance(value, str) else str(int(value)) if _is_whole(value) else repr(float(value))]


def _is_whole(number: float) -> bool:
    return float(number).is_integer() and abs(number) < 1e15


def _passes(value: Value | None, wanted: list[str] | Mapping[str, float], is_number: bool) -> bool:
    number = _number(value) if is_number else None
    if isinstance(wanted, list):
        if number is not None:
            return any(_as_float(one) == number for one in wanted)
        return bool({word.casefold() for word in words(value)} & {one.casefold() for one in wanted})
    if number is None:
        return False
    tests = {"gte": number.__ge__, "gt": number.__gt__, "lte": number.__le__, "lt": number.__lt__}
    return all(tests[operator](float(bound)) for operator, bound in wanted.items())


def _as_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _sort_key(value: Value | None, is_number: bool) -> float | str | None:
    if is_number:
        return _number(value)
    first = words(value)
    return first[0].casefold() if first else None


def _facet_values(value: Value | None, is_number: bool) -> list[str]:
    return words(value) if not is_number or _number(value) is not None else []


def _counted(values: Iterable[Value | None], is_number: bool) -> Counter[str]:
    return Counter(word for value in values for word in _facet_values(value, is_number))
