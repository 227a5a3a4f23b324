"""Filters, facets and sorting over columns, against plain Python over the same items."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.catalogue.attribute_types import Kind, typed
from magpie.data.catalogue.catalogue import Item, Value
from magpie.data.catalogue.instants import instant_of, period_of
from magpie.data.errors import BadFilter
from magpie.indexer.indexes.attribute_columns import Columns, check_names
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.indexes.field_filter import FieldFilter, written_span

KINDS = {"year": "number", "colour": "text", "tags": "list", "new": "boolean", "made": "date"}
COLOURS = ["Red", "Blue", "dark green"]


def item(number: int, price: float | None = None, category: str = "", **attributes: Value) -> Item:
    return Item(
        id=number, item_id=str(number), title=f"Item {number}", description="", category=category, price=price,
        currency="", url="", attributes=attributes, pictures=(), revision=1, updated_at=datetime.now(UTC),
    )  # fmt: skip


def built(items: list[Item]) -> Columns:
    builder = ColumnsBuilder(KINDS)
    for one in items:
        builder.add(one)
    return builder.build()


ITEMS = [
    item(1, 10, "Toys", year=2010, colour="Red", tags=["a", "b"], new=True, made="2026-01-31"),
    item(2, 20.5, "Toys", year=2012, colour="Blue", tags=["b"], made="2026-01-31T23:30:00-02:00"),
    item(3, None, "Home", colour="Red", new=False, made="last year"),
    item(4, 5, year=2012),
]


@pytest.fixture(scope="module", params=["built", "loaded"])
def columns(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Columns:
    made = built(ITEMS)
    if request.param == "loaded":
        folder: Path = tmp_path_factory.mktemp("columns")
        made.save(folder)
        return Columns.load(folder)
    return made


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ({"colour": ["Red"]}, [0, 2]),
        ({"colour": ["red", "BLUE"]}, [0, 1, 2]),
        ({"colour": ["Red"], "year": {"gte": 2000}}, [0]),
        ({"price": {"gt": 5, "lte": 20.5}}, [0, 1]),
        ({"price": {"gte": 5, "lt": 10}}, [3]),
        ({"year": ["2012"]}, [1, 3]),
        ({"tags": ["b"]}, [0, 1]),
        ({"new": ["true"]}, [0]),
        ({"category": ["Toys"]}, [0, 1]),
        ({"colour": ["Purple"]}, []),
        ({"year": ["not a number"]}, []),
        ({"material": ["wood"]}, []),
        ({"made": {"gte": "2026-01-31", "lte": "2026-01-31"}}, [0]),
        ({"made": {"lte": "2026-01-31-02:00"}}, [0, 1]),
        ({"made": {"gt": "2026-01-31"}}, [1]),
        ({"made": ["2026-02-01T01:30:00Z"]}, [1]),
        ({"made": ["Last year"]}, [2]),
        ({"made": {"not": {"gte": "2026-02-01"}}}, [0, 2, 3]),
        ({"made": {"exists": False}}, [3]),
        ({"colour": {"not": ["red"]}}, [1, 3]),
        ({"colour": {"not": "red", "exists": True}}, [1]),
        ({"price": {"gte": 5, "not": [{"gte": 10, "lte": 20}, 20.5]}}, [3]),
        ({"material": {"not": "wood"}, "year": {"exists": True}}, [0, 1, 3]),
        ({"colour": FieldFilter(spans=(written_span("Red..ish"),), values=("blue",))}, [1]),
    ],
)
def test_filters(columns: Columns, filters: dict, rows: list[int]) -> None:
    assert list(np.flatnonzero(columns.allowed(filters))) == rows


PATHS = ["Home", "home >> Kitchen", "Home/Kitchen/Knives", "Home | Bath", "Homeware", "Garden > Home", "", "Home > A/B"]


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (["Home"], [0, 1, 2, 3, 7]),
        (["Home > Kitchen"], [1, 2]),
        (["home/kitchen", "Garden"], [1, 2, 5]),
        (["Home > A"], []),
        (["Home > A/B"], [7]),
        (["Kitchen"], []),
        ({"not": ["Home"]}, [4, 5, 6]),
        ({"not": "Home > Kitchen", "exists": True}, [0, 3, 4, 5, 7]),
    ],
)
def test_a_category_filter_takes_in_what_lies_below_it(wanted: object, rows: list[int]) -> None:
    columns = built([item(n, category=path) for n, path in enumerate(PATHS, 1)])
    assert list(np.flatnonzero(columns.allowed({"category": wanted}))) == rows


def test_no_filter_lets_everything_pass(columns: Columns) -> None:
    assert columns.allowed({}) is None


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"year": {"near": 3}}, "'near'"),
        ({"year": {"gte": "x"}}, "not a number"),
        ({"year": {"gte": "2026-01-31"}}, "no range of numbers"),
        ({"made": {"gte": 2026}}, "no range of dates"),
        ({"made": FieldFilter(spans=(written_span("2026-01-31..2026-02-30"),))}, "no range of dates"),
        ({"year": {"gte": float("nan")}}, "not a number"),
        ({"year": {}}, "gte"),
        ({"colour": {"gte": 3}}, "holds words"),
        ({"colour": []}, "no values"),
    ],
)
def test_bad_filters_say_what_is_wrong(columns: Columns, filters: dict, message: str) -> None:
    with pytest.raises(BadFilter, match=message):
        columns.allowed(filters)


def test_unknown_names_are_answered_with_the_known_ones(columns: Columns) -> None:
    with pytest.raises(BadFilter, match="colour"):
        check_names(["color"], [columns], "filter")
    check_names(["newest"], [columns], "sort", also=("newest",))


@given(st.lists(st.tuples(st.sampled_from([*COLOURS, ""]), st.lists(st.sampled_from("abc"), unique=True)), max_size=30))
def test_facets_count_like_plain_python(rows: list[tuple[str, list[str]]]) -> None:
    items = [item(n, colour=colour, tags=tags) for n, (colour, tags) in enumerate(rows, 1)]
    columns = built(items)
    facets = columns.facets(np.arange(len(items)), frozenset(columns.names), 30)
    for name, values in (("colour", [c for c, _ in rows if c]), ("tags", [t for _, tags in rows for t in tags])):
        expected = sorted(((v, values.count(v)) for v in set(values)), key=lambda pair: (-pair[1], pair[0]))
        assert facets.get(name, []) == expected


MIXED: list[Value] = [7, 7.5, -1e308, 5e-324, "7", "about 30", "a word", True, False, ["x", "y"]]
MIXED += ["2026-03-05", "2026-03-05T10:00:00+02:00"]
MIXED_ROWS = st.lists(st.one_of(st.none(), st.sampled_from(MIXED)), max_size=12)
NAMES = frozenset({"x"})


def of_kind(values: list[Value | None], kind: Kind) -> Columns:
    builder = ColumnsBuilder({"x": kind})
    for n, value in enumerate(values, 1):
        builder.add(item(n, **({} if value is None else {"x": typed(value, kind)})))
    return builder.build()


@given(MIXED_ROWS, st.sampled_from(["number", "text", "date"]), st.sampled_from(["number", "text", "date"]))
def test_columns_of_another_kind_become_what_they_would_have_been_built_as(
    values: list[Value | None], before: Kind, after: Kind
) -> None:
    turned, expected = of_kind(values, before).as_kinds({"x": after}), of_kind(values, after)
    rows = np.arange(len(values))
    assert turned.names == expected.names
    assert turned.facets(rows, NAMES, None) == expected.facets(rows, NAMES, None)
    for wanted in ("7", "7.5", "about 30", "true", "x", "a word", "2026-03-05"):
        filters = {"x": [wanted]}
        assert list(turned.allowed(filters)) == list(expected.allowed(filters))
    if after == "number" and values.count(None) < len(values):
        bounds = {"x": {"gte": -1e308, "lt": 7.5}}
        assert list(turned.allowed(bounds)) == list(expected.allowed(bounds))
    if after == "date" and values.count(None) < len(values):
        bounds = {"x": {"gte": "2026-03-05T09:00+02:00", "lt": "2026-03-06"}}
        assert list(turned.allowed(bounds)) == list(expected.allowed(bounds))


def test_odd_values_among_numbers_are_found_by_value_and_in_no_range(tmp_path: Path) -> None:
    columns = of_kind([1, "about 2", None, 3, ["x", "y"]], "number")
    columns.save(tmp_path)
    for some in (columns, Columns.load(tmp_path)):
        assert list(np.flatnonzero(some.allowed({"x": ["About 2", "y"]}))) == [1, 4]
        assert list(np.flatnonzero(some.allowed({"x": {"gte": 0}}))) == [0, 3]
        assert some.facets(np.arange(5), NAMES, 30) == {"x": [("1", 1), ("3", 1)]}
        assert some.as_kinds({"x": "number"}) is some


def test_ranges_leave_out_what_has_no_number(columns: Columns) -> None:
    numbers = {name: values.tolist() for name, values in columns.numbers(np.arange(4)).items()}
    assert {name: (min(values), max(values)) for name, values in numbers.items()} == {
        "price": (5, 20.5),
        "year": (2010, 2012),
        "made": (instant_of("2026-01-31"), instant_of("2026-02-01T01:30")),
    }
    assert columns.numbers(np.array([2])) == {}


DAYS = [f"2026-0{month}-{day}" for month in (1, 2) for day in ("09", "10", "28")]
TIMES = [day + time for day in DAYS for time in ("", "T10:00:00+02:00", " 00:00")]
BOUNDS = st.sampled_from([*TIMES, "2026-01-10+02:00", "2026-02-09Z"])


@given(st.lists(st.sampled_from(TIMES), min_size=1, max_size=12), BOUNDS, BOUNDS)
def test_ranges_of_dates_are_those_of_plain_python(times: list[str], low: str, high: str) -> None:
    columns = of_kind(list(times), "date")
    (start, after_start), (end, after_end) = period_of(low), period_of(high)
    moments = [instant_of(typed(time, "date")) for time in times]

    def rows(**bounds: str) -> list[int]:
        return list(np.flatnonzero(columns.allowed({"x": bounds})))

    last = (lambda m: m < after_end) if after_end > end else (lambda m: m <= end)
    assert rows(gte=low, lte=high) == [row for row, m in enumerate(moments) if m >= start and last(m)]
    assert rows(gt=low, lt=high) == [
        row for row, m in enumerate(moments) if not m < after_start and m > start and m < end
    ]
    span = FieldFilter(spans=(written_span(f"{low} .. {high}"),))
    assert list(np.flatnonzero(columns.allowed({"x": span}))) == rows(gte=low, lte=high)
