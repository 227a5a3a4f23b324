"""Exploration: a measured share of searches, one exchange each, the same for the same person, none without a name."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from magpie.data.aggregates.item_counts import ItemCount, count_items
from magpie.data.database.connection import Database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.search.experiments.exploration import WINDOW, Explored, Shares, explore, is_by_somebody
from magpie.search.request import Hit, SearchRequest, SearchResult
from magpie.web.app import create_app
from tests.support.serving import backend_of
from tests.web.api.test_api import stored

SWAPS_ONLY, NEW_ONLY, NEVER = Shares(1.0, 0.0), Shares(0.0, 1.0), Shares(0.0, 0.0)
DRAWS_ONLY = Shares(0.0, 0.0, 1.0)
ASKED = SearchRequest(text="ball", session_id="s", k=10)


def answer(request: SearchRequest) -> SearchResult:
    """A search that finds item-1 to item-100."""
    hits = [Hit(f"item-{n}", n, 1 / n, "", "", "", None, "", "", None, {}) for n in range(1, request.k + 1)]
    return SearchResult("q", "g", "first-stage", 1.0, 100, True, hits)


def asked_by(number: int, shares: Shares, k: int = 10) -> Explored:
    return explore(answer, replace(ASKED, session_id=f"s{number}", k=k), shares, is_cold=lambda item_id: True)


def ids(explored: Explored) -> list[str]:
    return [hit.item_id for hit in explored.result.hits]


def test_a_swap_exchanges_two_hits_and_nothing_else() -> None:
    explored = asked_by(1, SWAPS_ONLY)
    assert explored.arm == "swap" and explored.swapped
    first, second = explored.swapped
    expected = [f"item-{n}" for n in range(1, 11)]
    expected[first - 1], expected[second - 1] = expected[second - 1], expected[first - 1]
    assert ids(explored) == expected
    assert [hit.position for hit in explored.result.hits] == list(range(1, 11))


def test_a_swap_happens_in_its_share_of_searches_and_to_every_pair() -> None:
    arms = Counter(asked_by(n, Shares(0.05, 0.02)).arm for n in range(5_000))
    assert 200 < arms["swap"] < 300 and 65 < arms["new"] < 135  # 250 and 100, each within four standard deviations
    pairs = Counter(asked_by(n, SWAPS_ONLY).swapped for n in range(4_500))
    assert len(pairs) == 10 * 9 / 2 and min(pairs.values()) > 55  # 100 each are expected


def test_propensities_are_the_frequencies() -> None:
    """Over many people, each item stands at each position as often as the propensity logged there says."""
    shares, n = Shares(0.5, 0.0), 4_000
    seen: Counter[tuple[str, int]] = Counter()
    logged: dict[tuple[str, int], float] = {}
    for number in range(n):
        explored = asked_by(number, shares, k=4)
        for hit, propensity in zip(explored.result.hits, explored.propensities, strict=True):
            seen[hit.item_id, hit.position] += 1
            logged[hit.item_id, hit.position] = propensity
    assert logged["item-1", 1] == 1 - 0.5 * 2 / 4 and logged["item-1", 2] == pytest.approx(0.5 / 6)
    for place, propensity in logged.items():
        assert seen[place] / n == pytest.approx(propensity, abs=0.035)


def test_a_new_item_comes_up_from_below_the_page() -> None:
    cold = {"item-15", "item-40", "item-90"}  # the last one is too far down
    seen: Counter[str] = Counter()
    for number in range(60):
        request = replace(ASKED, session_id=f"s{number}")
        explored = explore(answer, request, NEW_ONLY, cold.__contains__)
        assert explored.arm == "new" and explored.swapped
        place, rank = explored.swapped
        assert ids(explored)[place - 1] == f"item-{rank}" and len(explored.result.hits) == 10
        assert explored.propensities[place - 1] == 1 / (10 * 2)
        seen[f"item-{rank}"] += 1
    assert set(seen) == {"item-15", "item-40"} and min(seen.values()) > 10
    assert explore(answer, ASKED, NEW_ONLY, lambda item_id: False) == Explored(answer(ASKED))


def test_the_same_person_sees_the_same_again_and_on_a_longer_page() -> None:
    for number in range(40):
        once, again, longer = (asked_by(number, SWAPS_ONLY, k) for k in (WINDOW, WINDOW, 2 * WINDOW))
        assert ids(once) == ids(again) == ids(longer)[:WINDOW]
    assert len({asked_by(number, SWAPS_ONLY).swapped for number in range(40)}) > 10


@pytest.mark.parametrize("changed", [{"session_id": ""}, {"sort": "price"}, {"rerank": False}], ids=str)
def test_what_chance_must_not_touch(changed: dict[str, object]) -> None:
    assert is_by_somebody(ASKED) and is_by_somebody(replace(ASKED, session_id="", client_id="c"))
    assert not is_by_somebody(replace(ASKED, **changed))  # type: ignore[arg-type]


def test_nothing_is_exchanged_on_further_pages() -> None:
    for shares in (SWAPS_ONLY, NEW_ONLY):
        assert explore(answer, replace(ASKED, offset=10), shares, lambda item_id: True).arm == ""


def drawing(request: SearchRequest) -> SearchResult:
    """A ranker that turns the order round where it may draw, and says how likely that was."""
    found = answer(replace(request, k=100))
    hits = found.hits if request.draw is None else [replace(hit, propensity=0.25) for hit in found.hits[::-1]]
    return replace(found, hits=hits[request.offset : request.offset + request.k])


def test_a_drawn_order_goes_on_from_page_to_page() -> None:
    pages = [explore(drawing, replace(ASKED, offset=at), DRAWS_ONLY, lambda item_id: True) for at in (0, 10)]
    assert [page.arm for page in pages] == ["draw", "draw"] and pages[0].propensities == (0.25,) * 10
    assert ids(pages[0]) + ids(pages[1]) == [f"item-{n}" for n in range(100, 80, -1)]


def test_drawing_has_its_share_and_needs_a_ranker_that_is_sure() -> None:
    def arm(number: int) -> str:
        request = replace(ASKED, session_id=f"s{number}")
        return explore(drawing, request, Shares(0.05, 0.02, 0.1), lambda item_id: True).arm

    arms = Counter(arm(n) for n in range(3_000))
    assert 235 < arms["draw"] < 365 and 100 < arms["swap"] < 200  # 300 and 150, within four standard deviations
    assert explore(answer, ASKED, DRAWS_ONLY, lambda item_id: True).arm == ""

    def unsure(request: SearchRequest) -> SearchResult:
        return replace(drawing(request), confident=False)

    left = explore(unsure, ASKED, DRAWS_ONLY, lambda item_id: True)
    assert left.arm == "" and ids(left)[0] == "item-1"


def test_an_unsure_answer_is_left_alone() -> None:
    def unsure(request: SearchRequest) -> SearchResult:
        return replace(answer(request), confident=False)

    assert ids(explore(unsure, ASKED, SWAPS_ONLY, lambda item_id: True)) == [f"item-{n}" for n in range(1, 11)]


def test_without_shares_nothing_happens() -> None:
    assert {asked_by(number, NEVER).arm for number in range(200)} == {""}


# ---- served ----


@pytest.fixture
def swapping(own_shop: Settings) -> Iterator[Flask]:
    app = create_app(own_shop.model_copy(update={"explore_share": 0.5, "explore_new_share": 0.0}))
    yield app
    app.extensions["magpie"].close()


def test_swaps_are_logged_and_those_without_a_name_never_see_one(swapping: Flask, own_shop: Settings) -> None:
    client = backend_of(swapping)
    plain = [hit["item_id"] for hit in client.get("/api/search?q=red+ball&k=8").get_json()["hits"]]
    shown = {}
    for number in range(12):
        body = {"query": "red ball", "k": 8, "session_id": f"s{number}"}
        hits = client.post("/api/search", json=body).get_json()["hits"]
        shown[f"s{number}"] = [hit["item_id"] for hit in hits]
        private = client.post("/api/search", json=body, headers={"DNT": "1"}).get_json()["hits"]
        assert [hit["item_id"] for hit in private] == plain
    swapping.extensions["magpie"].query_log.close()
    logged = {one["session_id"]: one for one in stored(own_shop) if one["session_id"]}
    assert {session: one["query_response_hit_ids"] for session, one in logged.items()} == shown
    arms = Counter(one["query_attributes"].get("explore") for one in logged.values())
    assert arms["swap"] > 1 and arms[None] > 1
    for one in logged.values():
        assert (one["query_response_hit_ids"] != plain) == ("swapped" in one["query_attributes"])
        assert all(0 < hit["propensity"] <= 1 for hit in one["query_response_hits"])


# ---- counting ----


def test_people_count_once_for_an_item(database: Database) -> None:
    log = EventLog(database)
    shown = (ShownHit("a", 1), ShownHit("b", 2))
    log.record_queries(
        [QueryRecord(f"q{n}", "x", client_id=f"c{n}", hits=shown, timestamp_ms=10**12) for n in range(3)]
    )
    log.record_queries([QueryRecord("old", "x", hits=shown, timestamp_ms=10**12 - 1)])
    log.record_queries([QueryRecord("bot", "x", hits=shown, timestamp_ms=10**12, filter_reason="bot")])
    for n, (client, item, action) in enumerate(
        [("c0", "a", "click"), ("c0", "a", "purchase"), ("c1", "a", "click"), ("c1", "b", "impression")]
    ):
        log.record_events([EventRecord(action, client_id=client, object_id=item, timestamp_ms=10**12 + n)])
    log.record_events([EventRecord("click", session_id="s", object_id="c", timestamp_ms=10**12)])
    assert count_items(database, since_ms=10**12) == {
        "a": ItemCount(3, 3.0, 2), "b": ItemCount(3, 1.5, 0), "c": ItemCount(0, 0.0, 1),
    }  # fmt: skip
