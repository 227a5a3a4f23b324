"""One order and one count: neither the page nor the filters change what matches, and all pages make one list."""

from collections.abc import Iterator

import pytest

from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.search import first_stage
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.search.retrieval import candidates

NUMBER = 32  # items of the shop: five kinds in six colours, and two more


@pytest.fixture(scope="module")
def engine(shop: Settings) -> Iterator[SearchEngine]:
    database = open_database(shop)
    yield SearchEngine(shop, database)
    database.close()


def pages(engine: SearchEngine, size: int, **request: object) -> tuple[list[str], set[int]]:
    """All hits of a request, page by page, and the totals that the pages told."""
    found: list[str] = []
    totals: set[int] = set()
    while True:
        answer = engine.search(SearchRequest(k=size, offset=len(found), **request))
        totals.add(answer.total)
        if not answer.hits:
            return found, totals
        found += [hit.item_id for hit in answer.hits]


@pytest.mark.parametrize("mode", ["hybrid", "fused", "lexical"])
@pytest.mark.parametrize("filters", [{}, {"colour": ["red", "blue"]}])
def test_pages_of_any_size_make_one_list(
    engine: SearchEngine, mode: str, filters: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "NEAREST", 5)  # so that blocks of neighbours are appended, too
    monkeypatch.setattr(candidates, "SCORED", 3)
    lists = [pages(engine, size, text="red ball", mode=mode, filters=filters) for size in (1, 3, 7, 100)]
    assert all(found == lists[0][0] and totals == lists[0][1] for found, totals in lists)
    found, totals = lists[0]
    assert len(set(found)) == len(found)
    if mode != "lexical":  # k hits whenever so many pass the filters
        assert len(found) == (10 if filters else NUMBER)
    assert len(totals) == 1 and 1 <= totals.pop() <= len(found)


def test_pages_make_one_list_where_low_prices_are_preferred(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "SCORED", 8)
    lists = [pages(engine, size, text="cheap red ball", mode="lexical")[0] for size in (2, 5, 40)]
    assert lists[0] == lists[1] == lists[2]


def test_what_matches_comes_first_whatever_is_near(engine: SearchEngine) -> None:
    answer = engine.search(SearchRequest(text="ball", k=NUMBER))
    assert answer.total == 7 and len(answer.hits) == NUMBER
    assert all("ball" in hit.title for hit in answer.hits[:7])


def test_a_facet_counts_what_choosing_it_leaves(engine: SearchEngine) -> None:
    whole = engine.search(SearchRequest(text="red ball"))
    for field, values in whole.facets.items():
        for value in values:
            chosen = engine.search(SearchRequest(text="red ball", filters={field: [value.value]}))
            assert chosen.total == value.count
            for other, counts in chosen.facets.items():
                if other != field:
                    both = {field: [value.value], other: [counts[0].value]}
                    assert engine.search(SearchRequest(text="red ball", filters=both)).total == counts[0].count


def test_lexical_matches_that_are_not_scored_come_after_those_that_are(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [hit.item_id for hit in engine.search(SearchRequest(text="red", mode="lexical", k=NUMBER)).hits]
    monkeypatch.setattr(candidates, "SCORED", 2)
    assert [hit.item_id for hit in engine.search(SearchRequest(text="red", mode="lexical", k=NUMBER)).hits] == whole


def test_the_same_request_with_other_filters_is_not_searched_again(engine: SearchEngine) -> None:
    request = SearchRequest(text="red ball")
    before = first_stage.run_first_stage(engine.serving, request)
    filtered = SearchRequest(text="red ball", filters={"colour": ["red"]})
    again = first_stage.run_first_stage(engine.serving, filtered, before)
    assert again.total == first_stage.run_first_stage(engine.serving, filtered).total < before.total


def test_pages_without_a_query_make_one_list_of_the_newest(engine: SearchEngine) -> None:
    found, totals = pages(engine, 5)
    assert found == pages(engine, 40)[0] and len(set(found)) == len(found) == NUMBER and totals == {NUMBER}
    assert found == [hit.item_id for hit in engine.search(SearchRequest(k=40, sort="newest")).hits]
