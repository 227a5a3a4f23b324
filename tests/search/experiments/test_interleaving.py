"""Interleaving: a fair draft, the same list page by page, and one vote a person."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from magpie.data.database.connection import Database
from magpie.data.errors import BadSetting
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.search.experiments.interleaving import Interleaved, draft_teams, interleave
from magpie.search.ranker.named_rankings import check_rankings, find_rankings
from magpie.search.ranker.ranker_store import MANIFEST
from magpie.search.reports.interleaving_report import compare, read_comparisons
from magpie.search.request import Hit, SearchRequest, SearchResult
from magpie.web.app import create_app
from magpie.web.cli.main import FAILED
from tests.support.serving import backend_of
from tests.web.api.test_api import stored
from tests.web.cli.test_cli import Run, magpie  # noqa: F401

PAIR = ("first-stage", "current")
ASKED = SearchRequest(text="x", session_id="s", k=10)


def hits(*names: str) -> list[Hit]:
    return [Hit(name, at, 1.0, "", "", "", None, "", "", None, {}) for at, name in enumerate(names, 1)]


def answer(request: SearchRequest) -> SearchResult:
    """The learned ranking turns every ten hits round."""
    numbers = [n if not request.rerank else n - n % 10 + 9 - n % 10 for n in range(request.offset + request.k)]
    names = [f"item-{n}" for n in numbers]
    return SearchResult("q", "g", "learned" if request.rerank else "plain", 1.0, 100, True, hits(*names))


def drafted(number: int, **fields: int) -> Interleaved:
    return interleave(answer, replace(ASKED, session_id=f"s{number}", **fields), PAIR)


def ids(shown: Interleaved) -> list[str]:
    return [hit.item_id for hit in shown.result.hits]


def test_each_team_adds_its_best_in_turn() -> None:
    for seed in range(20):
        found = draft_teams(hits("a", "b", "c", "d"), hits("b", "a", "e", "f"), 4, random.Random(seed))
        teams = "".join(team for _, team in found)
        assert teams[:2] in ("AB", "BA") and teams[2:] in ("AB", "BA")
        expected = {"A": "a", "B": "b"}
        assert [hit.item_id for hit, _ in found[:2]] == [expected[team] for team in teams[:2]]
        assert {hit.item_id for hit, _ in found[2:]} == {"c", "e"}


def test_a_draft_ends_where_both_lists_end() -> None:
    found = draft_teams(hits("a", "b"), hits("a"), 10, random.Random(0))
    assert sorted(hit.item_id for hit, _ in found) == ["a", "b"]
    assert draft_teams([], [], 3, random.Random(0)) == []


def test_neither_team_is_favoured() -> None:
    firsts = Counter(drafted(number).teams[0] for number in range(400))
    assert abs(firsts["A"] - 200) < 60  # six standard deviations of a fair coin
    assert all(abs(drafted(number).teams.count("A") - 5) <= 1 for number in range(50))


def test_the_same_person_turns_the_pages_of_one_list() -> None:
    for number in range(20):
        whole = drafted(number, k=30)
        pages = [drafted(number, k=10, offset=at) for at in (0, 10, 20)]
        assert ids(whole) == [item for page in pages for item in ids(page)]
        assert whole.teams == "".join(page.teams for page in pages)
        assert [hit.position for hit in pages[1].result.hits] == list(range(11, 21))
        assert len(set(ids(whole))) == 30


@pytest.mark.parametrize("text", ["current", "current current", "none first-stage", "a b c", ""])
def test_two_different_rankings_are_wanted(text: str) -> None:
    with pytest.raises(BadSetting, match="first-stage"):
        check_rankings(text)


def test_rankings_are_found_by_name_and_number(settings: Settings) -> None:
    version = "000012-20260101T000000"
    (settings.rankers_dir / version).mkdir(parents=True)
    (settings.rankers_dir / version / MANIFEST).write_text("{}")
    for text in ("none 12", "first-stage 000012", f"none {version}"):
        assert find_rankings(settings, text) == f"first-stage {version}"
    for text in ("current 11", f"12 {version}", "current other"):
        with pytest.raises(BadSetting, match=r"first-stage.*000012|different"):
            find_rankings(settings, text)


def test_each_version_is_asked_for_its_own_order() -> None:
    asked: list[SearchRequest] = []

    def search(request: SearchRequest) -> SearchResult:
        asked.append(request)
        return answer(request)

    interleave(search, ASKED, ("first-stage", "000012-x"))
    assert [(one.rerank, one.ranker) for one in asked] == [(False, ""), (True, "000012-x")]


def test_the_test_is_the_exact_sign_test() -> None:
    found = compare(PAIR, 99, [3, 1, 1, 2, 1, 1, 1, 1, 1, -2, 0])
    assert (found.people, found.for_a, found.for_b, found.ties, found.share_of_b) == (11, 1, 9, 1, 0.9)
    assert found.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert compare(PAIR, 5, []).p_value == 1.0 and compare(PAIR, 5, []).share_of_b is None


def test_a_person_has_one_vote(database: Database) -> None:
    log = EventLog(database)
    for number in range(6):
        client = "busy" if number < 4 else f"c{number}"
        attributes = {"interleave": list(PAIR), "teams": "ABBA", "offset": 10}
        shown = tuple(ShownHit(item, place) for place, item in enumerate("abcd", 11))
        log.record_queries([QueryRecord(f"q{number}", "x", client, hits=shown, query_attributes=attributes)])
        clicked = "a" if number < 4 else "b"
        log.record_events([EventRecord("click", f"q{number}", client, object_id=clicked, event_id=f"e{number}")])
        log.record_events([EventRecord("purchase", f"q{number}", client, object_id=clicked, event_id=f"p{number}")])
        log.record_events([EventRecord("click", f"q{number}", client, object_id="elsewhere", event_id=f"x{number}")])
    log.record_queries([QueryRecord("odd", "x", hits=(ShownHit("a", 1),), query_attributes={"interleave": "?"})])
    (found,) = read_comparisons(database)
    assert (found.rankings, found.searches, found.people) == (PAIR, 6, 3)
    assert (found.for_a, found.for_b, found.ties) == (1, 2, 0)


# ---- served ----


@pytest.fixture
def comparing(own_shop: Settings) -> Iterator[Flask]:
    app = create_app(own_shop.model_copy(update={"compare": "first-stage current"}))
    yield app
    app.extensions["magpie"].close()


def test_a_comparison_from_search_to_report(comparing: Flask, own_shop: Settings, magpie: Run) -> None:  # noqa: F811
    client = backend_of(comparing)
    answer = client.post(
        "/api/search", json={"query": "red ball", "k": 6, "session_id": "s1", "layout": "list"}
    ).get_json()
    event = {"action_name": "click", "query_id": answer["query_id"], "session_id": "s1"}
    event["event_attributes"] = {"object": {"object_id": answer["hits"][0]["item_id"]}}  # type: ignore[assignment]
    client.post("/api/events", json=event)
    client.get("/?q=red+ball")  # a page without a name is not compared
    comparing.extensions["magpie"].query_log.close()
    named = [one for one in stored(own_shop) if one.get("session_id") == "s1" and "user_query" in one]
    assert named[0]["query_attributes"]["interleave"] == list(PAIR)
    layouts = [one["query_attributes"]["layout"] for one in stored(own_shop) if "user_query" in one]
    assert layouts == ["list", "grid"]
    assert sorted(Counter(named[0]["query_attributes"]["teams"]).items()) == [("A", 3), ("B", 3)]
    (found,) = magpie("report", "comparison", "--json", home=own_shop.home)["comparisons"]
    assert (found["searches"], found["people"], found["for_a"] + found["for_b"]) == (1, 1, 1)
    assert "first-stage" in magpie("report", "comparison", home=own_shop.home)[0]
    assert magpie("report", "clicks", "--json", home=own_shop.home)["comparisons"] == [found]
    assert "Interleaved" in magpie("report", "clicks", home=own_shop.home)[0]


def test_a_comparison_with_a_ranker_that_cannot_be_opened_does_not_begin(own_shop: Settings) -> None:
    app = create_app(own_shop.model_copy(update={"compare": "first-stage 000012-gone"}))
    client = backend_of(app)
    client.post("/api/search", json={"query": "red ball", "session_id": "s1"})
    assert "000012-gone" in " ".join(app.extensions["magpie"].engine.status()["alarms"])
    app.extensions["magpie"].close()
    (record,) = [one for one in stored(own_shop) if one.get("session_id") == "s1"]
    assert "interleave" not in record["query_attributes"]


def test_serve_refuses_rankings_that_are_not_there(magpie: Run) -> None:  # noqa: F811
    _, err = magpie("serve", "--compare", "current", "nonsense", status=FAILED)
    assert "nonsense" in err and "first-stage" in err
