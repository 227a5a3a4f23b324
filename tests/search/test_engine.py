"""The read path on a small drawn shop: words, pictures, items, filters, paging, and changes since the index."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.catalogue.instants import format_instant
from magpie.data.database.connection import open_database
from magpie.data.database.tables import items
from magpie.data.errors import BadFilter, BadPicture, BadQuery, ItemNotFound, NoIndex
from magpie.data.settings import Settings
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.request import MODES, SearchRequest
from magpie.search.retrieval.facets import MOST_RECOUNTED
from tests.support.shop import COLOURS, draw


@pytest.fixture(scope="module")
def engine(shop: Settings) -> Iterator[SearchEngine]:
    database = open_database(shop)
    yield SearchEngine(shop, database)
    database.close()


@pytest.fixture
def changing(own_shop: Settings) -> Iterator[tuple[SearchEngine, Catalogue, Settings]]:
    database = open_database(own_shop)
    yield SearchEngine(own_shop, database), Catalogue(database, own_shop), own_shop
    database.close()


def ids(engine: SearchEngine, **request: object) -> list[str]:
    return [hit.item_id for hit in engine.search(SearchRequest(**request)).hits]


def test_words_find_what_they_name(engine: SearchEngine) -> None:
    assert ids(engine, text="red ball", k=1) == ["ball-red"]
    assert ids(engine, text="yelow kite", k=1) == ["kite-yellow"]


def test_what_is_being_typed_finds_what_begins_so(engine: SearchEngine) -> None:
    assert ids(engine, text="red ki", prefix=True, k=1) == ["kite-red"]
    assert engine.search(SearchRequest(text="red ki", mode="lexical", read=False)).total > 1
    assert engine.search(SearchRequest(text="red ki", mode="lexical", prefix=True)).total == 1


def test_a_picture_finds_its_item_in_image_mode(engine: SearchEngine, tmp_path: Path) -> None:
    picture = draw("box", "green", tmp_path / "x.png").read_bytes()
    assert ids(engine, picture=picture, mode="image", k=1) == ["box-green"]


def test_like_never_returns_its_own_item(engine: SearchEngine) -> None:
    found = ids(engine, like="ball-red", k=100)
    assert "ball-red" not in found
    assert len(found) == 31


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_returns_k_and_explains_its_scores(engine: SearchEngine, mode: str) -> None:
    result = engine.search(SearchRequest(text="blue box", mode=mode, explain=True, k=5))
    assert [hit.position for hit in result.hits] == list(range(1, len(result.hits) + 1))
    assert len(result.hits) == 5
    for hit in result.hits:
        assert hit.explain is not None
        assert math.isclose(sum(hit.explain.values()), hit.score, abs_tol=1e-5)


def test_not_pushes_down(engine: SearchEngine) -> None:
    plain = ids(engine, text="ball", k=32)
    without = ids(engine, text="ball", not_text="red", k=32)
    assert without.index("ball-red") > plain.index("ball-red")
    assert without[0].startswith("ball")


def test_a_price_in_the_words_is_a_filter(engine: SearchEngine) -> None:
    result = engine.search(SearchRequest(text="ball under 8", k=32))
    assert {hit.item_id for hit in result.hits[:4]} == {"ball-red", "ball-green", "ball-blue", "ball-yellow"}
    assert all(hit.price is not None and hit.price <= 8 for hit in result.hits)
    assert [(one.kind, one.text, one.filter) for one in result.understood][:1] == [("price", "under 8", {"lte": 8})]
    assert result.ranges["price"].maximum <= 8 and sum(one.count for one in result.facets["colour"]) <= result.total
    assert ids(engine, text="under 8", k=32) == ids(engine, filters={"price": {"lte": 8}}, k=32)
    assert ids(engine, text="ball under 8", literal=("under 8",), k=32) != [hit.item_id for hit in result.hits]
    assert engine.search(SearchRequest(text="ball under 8", read=False)).understood == []


def test_a_price_in_the_words_and_a_filter_both_hold(engine: SearchEngine) -> None:
    found = engine.search(SearchRequest(text="under 20", filters={"price": {"gte": 10}}, k=32)).hits
    assert found and all(hit.price is not None and 10 <= hit.price <= 20 for hit in found)


def test_cheaper_than_the_example(engine: SearchEngine) -> None:
    found = engine.search(SearchRequest(text="cheaper", like="kite-blue", k=32)).hits
    assert found and all(hit.price is not None and hit.price < 5 + 14 for hit in found)


def test_cheap_things_come_first_among_equals(engine: SearchEngine) -> None:
    hits = engine.search(SearchRequest(text="cheap ring", k=6, explain=True)).hits
    assert {hit.item_id.split("-")[0] for hit in hits} == {"ring"}
    added = {hit.price: (hit.explain or {})["price"] for hit in hits}
    assert [added[price] for price in sorted(added)] == sorted(added.values(), reverse=True)
    plain = engine.search(SearchRequest(text="ring", explain=True)).hits
    assert all("price" not in (hit.explain or {}) for hit in plain)


def test_not_may_name_several_things(engine: SearchEngine) -> None:
    first = ids(engine, text="ball", not_text="red, blue", k=4)
    assert set(first) == {"ball-green", "ball-yellow", "ball-black", "ball-orange"}


def test_filters_hold_and_still_fill_the_page(engine: SearchEngine) -> None:
    result = engine.search(SearchRequest(text="ball", filters={"colour": ["Red"]}, k=5))
    assert [hit.attributes["colour"] for hit in result.hits] == ["Red"] * 5
    result = engine.search(SearchRequest(text="ball", filters={"price": {"gte": 10, "lt": 20}}, k=50))
    assert len(result.hits) == 10
    assert all(10 <= hit.price < 20 for hit in result.hits)


def test_totals_with_other_filters_are_those_of_the_searches(engine: SearchEngine) -> None:
    others = [{}, {"colour": ["Red"]}, {"colour": ["Teal"]}, {"price": {"lt": 9}, "kind": ["ball"]}]
    asked = [
        SearchRequest(text=text, filters=filters, not_text="blue" if text else "", k=1)
        for text in ("red ball", "zzxqv wqkjhd", "")
        for filters in others
    ]
    answers = [engine.search(each) for each in asked]
    assert engine.totals(asked) == [each.total if each.confident else 0 for each in answers]


def test_all_categories_are_counted_where_that_is_asked_for(engine: SearchEngine) -> None:
    asked = SearchRequest(filters={"category": ["Toys"], "kind": ["ball", "box"]}, k=1)
    assert engine.search(asked).categories == {}
    found = engine.search(SearchRequest(filters=asked.filters, k=1, count_categories=True)).categories
    assert found == {"Toys": len(COLOURS), "Household": len(COLOURS)}


def test_facets_of_many_filtered_fields_are_told_apart(changing, tmp_path: Path) -> None:
    engine, catalogue, _ = changing
    names = [f"f{n}" for n in range(MOST_RECOUNTED + 2)]
    sides = [dict.fromkeys(names, side) for side in ("left", "right")]
    drafts = [ItemDraft(f"s-{n}", "Oak shelf", attributes=side) for n, side in enumerate(sides)]
    drafts += [ItemDraft(f"o-{name}", "Oak shelf", attributes={**sides[0], name: "right"}) for name in names]
    catalogue.upsert(drafts, tmp_path)
    engine.refresh()
    found = engine.search(SearchRequest(text="oak shelf", filters={name: ["left"] for name in names}))
    counted = {name: {one.value: one.count for one in found.facets[name]} for name in names}
    assert all(counted[name] == {"left": 1, "right": 1} for name in names[:MOST_RECOUNTED])
    assert all(counted[name] == {"left": 1} for name in names[MOST_RECOUNTED:])
    assert [notice.count(names[-1]) for notice in found.notices] == [1]
    assert (
        engine.search(
            SearchRequest(text="oak shelf", filters={name: ["left"] for name in names[:MOST_RECOUNTED]})
        ).notices
        == []
    )


@given(st.integers(1, 12), st.integers(0, 30))
def test_pages_are_cut_from_one_order(engine: SearchEngine, k: int, offset: int) -> None:
    everything = ids(engine, text="round toy", k=32)
    assert ids(engine, text="round toy", k=k, offset=offset) == everything[offset : offset + k]


@pytest.mark.parametrize(("sort", "key"), [("price", lambda p: p), ("-price", lambda p: -p)])
def test_sorting_by_price_puts_items_without_one_last(engine: SearchEngine, sort: str, key) -> None:
    prices = [hit.price for hit in engine.search(SearchRequest(sort=sort, k=50)).hits]
    known = [p for p in prices if p is not None]
    assert known == sorted(known, key=key)
    assert prices[-2:] == [None, None]


def test_sorting_by_words_and_newest(engine: SearchEngine) -> None:
    titles = [hit.title.casefold() for hit in engine.search(SearchRequest(sort="title", k=50)).hits]
    assert titles == sorted(titles)
    assert ids(engine, sort="newest", k=1) == ["no-picture"]


def test_facets_follow_the_filter(engine: SearchEngine) -> None:
    result = engine.search(SearchRequest(filters={"kind": ["ball"]}, k=1))
    assert {f.value: f.count for f in result.facets["colour"]} == dict.fromkeys(
        ["Red", "Green", "Blue", "Yellow", "Black", "Orange"], 1
    )
    assert result.total == 6
    assert (result.ranges["price"].minimum, result.ranges["price"].maximum) == (5, 10)


def test_choosing_a_value_leaves_the_others_of_its_field_to_choose(engine: SearchEngine) -> None:
    free = engine.search(SearchRequest(filters={"kind": ["ball"]}, k=1)).facets
    chosen = engine.search(SearchRequest(filters={"kind": ["ball"], "colour": ["red", "Blue"]}, k=1))
    assert chosen.facets["colour"] == free["colour"]
    assert {f.value: f.count for f in chosen.facets["kind"]}["ball"] == chosen.total == 2


def test_a_range_filter_leaves_the_whole_range_to_choose(engine: SearchEngine) -> None:
    result = engine.search(SearchRequest(filters={"kind": ["ball"], "price": {"lt": 7}}, k=1))
    assert result.total < 6
    assert (result.ranges["price"].minimum, result.ranges["price"].maximum) == (5, 10)


def test_nonsense_is_not_shown_as_an_answer(engine: SearchEngine) -> None:
    assert engine.search(SearchRequest(text="zzxqv wqkjhd")).confident is False
    assert engine.search(SearchRequest(text="blue ball")).confident is True


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (SearchRequest(text="x", k=0), BadQuery),
        (SearchRequest(text="x", k=1001), BadQuery),
        (SearchRequest(text="x", offset=9_995, k=10), BadQuery),
        (SearchRequest(text="x" * 1001), BadQuery),
        (SearchRequest(text="x", mode="magic"), BadQuery),
        (SearchRequest(not_text="red"), BadQuery),
        (SearchRequest(text="x", image_weight=2), BadQuery),
        (SearchRequest(picture=b"x", like="ball-red"), BadQuery),
        (SearchRequest(like="nobody"), ItemNotFound),
        (SearchRequest(text="x", filters={"size": ["M"]}), BadFilter),
        (SearchRequest(text="x", sort="size"), BadFilter),
        (SearchRequest(picture=b"no picture"), BadPicture),
        (SearchRequest(mode="lexical", like="ball-red"), BadQuery),
    ],
)
def test_bad_requests_are_refused(engine: SearchEngine, request_: SearchRequest, error: type[Exception]) -> None:
    with pytest.raises(error):
        engine.search(request_)


def test_without_an_index(settings: Settings, database) -> None:
    with pytest.raises(NoIndex):
        SearchEngine(settings, database).search(SearchRequest(text="x"))


def test_changes_are_found_at_once_and_kept_by_the_rebuild(changing, tmp_path: Path) -> None:
    engine, catalogue, settings = changing
    assert ids(engine, text="red ball", k=1) == ["ball-red"]
    umbrella = ItemDraft(item_id="new", title="Zorblatt umbrella", price=3.0, attributes={"colour": "Teal"})
    catalogue.upsert([umbrella], tmp_path)
    catalogue.upsert([ItemDraft(item_id="ball-red", title="Crumpled paper")], tmp_path)
    catalogue.delete("box-blue")
    for rebuilt in (False, True):
        if rebuilt:
            rebuild(settings, catalogue.database)
        engine.refresh()
        assert ids(engine, text="zorblatt umbrella", k=1) == ["new"]
        assert ids(engine, text="crumpled paper", k=1) == ["ball-red"]
        everything = ids(engine, text="ball", k=100)
        assert "box-blue" not in everything
        assert sorted(everything) == sorted(set(everything))
        assert len(everything) == 32
        assert ids(engine, filters={"colour": ["Teal"]}) == ["new"]
        assert ids(engine, sort="price", k=1) == ["new"]
        assert engine.status()["changes_since"] == (0 if rebuilt else 3)


SHELVES = [ItemDraft(f"s-{n}", "Oak shelf", attributes={"width": 10 + n, "maker": f"Maker {n}"}) for n in range(40)]


def shelves(engine: SearchEngine) -> dict[str, object]:
    """Everything an answer tells of the numbers and words of the shelves; nothing of it may depend on segments."""
    found = engine.search(SearchRequest(text="oak shelf", filters={"width": {"gte": 0}}, k=100, sort="width"))
    return {
        "rising": [hit.item_id for hit in found.hits],
        "falling": ids(engine, text="oak shelf", sort="-width", k=100),
        "facets": engine.search(SearchRequest(filters={"maker": [f"Maker {n}" for n in range(50)]})).facets,
        "ranges": found.ranges,
        "by value": ids(engine, filters={"width": ["about 30"]}),
        "within": ids(engine, filters={"width": {"gte": 12, "lte": 20}}, sort="width", k=100),
    }


def test_an_odd_value_changes_no_number_and_no_facet_before_or_after_a_rebuild(changing, tmp_path: Path) -> None:
    engine, catalogue, settings = changing
    catalogue.upsert(SHELVES, tmp_path)
    rebuild(settings, catalogue.database)
    engine.refresh()
    catalogue.upsert([ItemDraft("odd", "Oak shelf", attributes={"width": "about 30", "maker": "Maker 39"})], tmp_path)
    catalogue.upsert([ItemDraft("s-0", "Oak shelf", attributes={"width": 99.5, "maker": "Maker 38"})], tmp_path)
    engine.refresh()
    before = shelves(engine)
    assert before["by value"] == ["odd"] and before["within"] == [f"s-{n}" for n in range(2, 11)]
    assert before["rising"] == [*(f"s-{n}" for n in range(1, 40)), "s-0"]
    assert before["falling"][0] == "s-0" and before["falling"].index("odd") >= 40
    facets = before["facets"]
    assert "width" not in facets  # 40 different numbers, of which one segment has one
    top = [(one.value, one.count) for one in facets["maker"][:3]]
    assert top == [("Maker 38", 2), ("Maker 39", 2), ("Maker 1", 1)]
    rebuild(settings, catalogue.database)
    engine.refresh()
    assert shelves(engine) == before


def test_words_that_turn_into_numbers_are_numbers_in_every_segment(changing, tmp_path: Path) -> None:
    engine, catalogue, settings = changing
    catalogue.upsert([ItemDraft("deep", "Shelf", attributes={"depth": "deep"})], tmp_path)
    catalogue.upsert([ItemDraft("deep-2", "Shelf", attributes={"depth": "21.5"})], tmp_path)
    rebuild(settings, catalogue.database)
    engine.refresh()
    catalogue.upsert([ItemDraft(f"d-{n}", "Shelf", attributes={"depth": 20 + n}) for n in range(9)], tmp_path)
    engine.refresh()
    wanted = ["d-0", "d-1", "deep-2", "d-2"]
    assert ids(engine, filters={"depth": {"lte": 22}}, sort="depth") == wanted
    assert ids(engine, filters={"depth": ["deep"]}) == ["deep"]
    catalogue.upsert([ItemDraft(f"w-{n}", "Shelf", attributes={"depth": f"word {n}"}) for n in range(9)], tmp_path)
    engine.refresh()
    assert ids(engine, filters={"depth": ["21.5", "word 3"]}, sort="depth") == ["deep-2", "w-3"]
    with pytest.raises(BadFilter, match="holds words"):
        engine.search(SearchRequest(filters={"depth": {"lte": 22}}))


MADE = ["2026-01-31T23:30:00-02:00", "2026-01-31", "2026-02-01T01:00:00Z", "2026-02-02", "", "soon", "2026-03-01"]


def test_dates_are_compared_as_instants_in_every_segment(changing, tmp_path: Path) -> None:
    engine, catalogue, settings = changing
    drafts = [ItemDraft(f"d-{n}", "Oak shelf", attributes={"made": made}) for n, made in enumerate(MADE)]
    drafts += [ItemDraft(f"e-{n}", "Oak shelf", attributes={"made": f"2025-0{n}-01"}) for n in range(1, 9)]
    catalogue.upsert(drafts[::2], tmp_path)
    rebuild(settings, catalogue.database)
    engine.refresh()
    catalogue.upsert(drafts[1::2], tmp_path)
    engine.refresh()

    def dates() -> dict[str, object]:
        shelf = {"title": ["Oak shelf"]}
        browsed = engine.search(SearchRequest(filters={"made": {"gte": "2026-01-01"}}, k=100))
        return {
            "rising": ids(engine, filters=shelf, sort="made", k=100)[8:],
            "falling": ids(engine, filters=shelf, sort="-made", k=100)[:5],
            "a day": ids(engine, filters={"made": {"gte": "2026-01-31", "lte": "2026-01-31"}}),
            "by value": ids(engine, filters={"made": ["2026-02-01T01:30:00Z"]}),
            "odd": ids(engine, filters={"made": ["soon"]}),
            "range": browsed.ranges["made"],
            "facet": browsed.facets["made"][0],
        }

    before = dates()
    assert before["rising"] == ["d-1", "d-2", "d-0", "d-3", "d-6", "d-4", "d-5"]
    assert before["falling"] == ["d-6", "d-3", "d-0", "d-2", "d-1"]
    assert (before["a day"], before["by value"], before["odd"]) == (["d-1"], ["d-0"], ["d-5"])
    assert before["range"].is_dates and format_instant(before["range"].maximum) == "2026-03-01"
    assert format_instant(before["range"].minimum) == "2025-01-01"  # a filter does not narrow its own range
    rebuild(settings, catalogue.database)
    engine.refresh()
    assert dates() == before


@pytest.mark.parametrize("rebuilt", [False, True])
def test_no_stored_value_makes_an_answer_fail(changing, tmp_path: Path, rebuilt: bool) -> None:
    engine, catalogue, settings = changing
    values = [1e308, -1e308, 1.7976931348623157e308, 5e-324, 4006381333931, "NaN", "Infinity", 2**53 + 1, True, ["x"]]
    names = ["a", "b"]  # every value beside its neighbours
    catalogue.upsert(
        [
            ItemDraft(f"x-{n}", "Extreme peg", attributes=dict(zip(names, (value, values[n - 1]), strict=True)))
            for n, value in enumerate(values)
        ],
        tmp_path,
    )
    # as an older version took it
    with catalogue.database.writing() as connection:
        great = json.dumps({"a": 10**400})
        connection.execute(update(items).where(items.c.item_id == "x-9").values(attributes=great))
    if rebuilt:
        rebuild(settings, catalogue.database)
    engine.refresh()
    for sort in ("relevance", "a", "-a", "b", "-b"):
        found = engine.search(SearchRequest(text="extreme peg", sort=sort, k=50))
        assert len({hit.item_id for hit in found.hits if hit.item_id.startswith("x-")}) == len(values)
        json.dumps([hit.attributes for hit in found.hits], allow_nan=False)
        assert found.facets
    assert "x-9" in ids(engine, filters={"a": ["1" + "0" * 400]})


def test_a_facet_that_fails_is_logged_and_the_search_is_answered(changing, caplog: pytest.LogCaptureFixture) -> None:
    engine, _, _ = changing
    engine.serving.segments[0].columns["colour"].codes[:] = 99  # as no column is built: a damaged index
    found = engine.search(SearchRequest(text="ball"))
    assert found.hits and (found.ranges, found.facets) == ({}, {})
    assert "could not be counted" in caplog.text


def test_a_changed_item_can_be_liked(changing, tmp_path: Path) -> None:
    engine, catalogue, _ = changing
    catalogue.upsert([ItemDraft(item_id="new", title="Red ball")], tmp_path)
    engine.refresh()
    assert ids(engine, like="new", k=1) == ["ball-red"]
