"""The published ranker in the read path: taken up, explained, logged, and out of the way when it fails."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.data.database.connection import Database, open_database
from magpie.data.erasure.erase import forget_client
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord
from magpie.data.settings import Settings
from magpie.search.click_models.click_models import ClickModel
from magpie.search.click_models.debiased_rates import count_pairs
from magpie.search.click_models.position_bias import assumed_propensities
from magpie.search.engine import SearchEngine
from magpie.search.experiments.exploration import Explored
from magpie.search.ranker.click_statistics import gather_click_statistics
from magpie.search.ranker.first_stage_arrays import FirstStage, gather_first_stage
from magpie.search.ranker.named_rankings import FIRST_STAGE
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker.ranker_store import publish_ranker, ranker_versions, save_ranker
from magpie.search.ranker_training.fit_ranker import fit_ranker
from magpie.search.ranker_training.train_ranker import train
from magpie.search.request import Hit, SearchRequest
from magpie.web.api.answer_search import query_record
from magpie.web.middleware.identity import NOBODY

QUERY = SearchRequest(text="red", k=20, explain=True)


@pytest.fixture
def database(own_shop: Settings) -> Iterator[Database]:
    opened = open_database(own_shop)
    yield opened
    opened.close()


@pytest.fixture
def engine(own_shop: Settings, database: Database) -> Iterator[SearchEngine]:
    opened = SearchEngine(own_shop, database)
    opened.refresh()
    yield opened
    opened.close()


def numbers_of(engine: SearchEngine, items: list[str]) -> dict[str, int]:
    """`items.id` of the hits of QUERY, in their order."""
    _, order = engine.first_stage(QUERY)
    return dict(zip(items, map(int, order.ids[: len(items)]), strict=True))


def favouring(item_id: str, engine: SearchEngine) -> Ranker:
    """A ranker trained on people who always click one item."""
    stages: dict[str, FirstStage] = {}
    hits = engine.search(QUERY).hits
    for text in ("red", "ball", "box", "ring", "kite", "plate", "blue", "green"):
        parsed, order = engine.first_stage(replace(QUERY, text=text))
        stages[text] = gather_first_stage(order, parsed)
    items = [hit.item_id for hit in hits]
    number = len(items)
    zeros, ones = np.zeros(number, np.int64), np.ones(number, np.int64)
    shown = {"position": ones, "after": zeros, "impressions": 4_000 * ones, "conversions": zeros}
    clicks = np.array([3_000 if item == item_id else 4 for item in items])
    cells = ClickAggregates(
        ["red"], items, [""], [""], zeros, zeros, zeros, zeros, np.arange(number), clicks=clicks, **shown
    )
    found = numbers_of(engine, items)
    pairs = count_pairs(cells, ClickModel(assumed_propensities()))
    return fit_ranker(gather_click_statistics(pairs, stages, found), stages)


def test_a_published_ranker_is_taken_up_and_given_back(own_shop: Settings, engine: SearchEngine) -> None:
    before = engine.search(QUERY)
    assert before.ranker == FIRST_STAGE
    last = before.hits[-1].item_id
    version = save_ranker(own_shop, favouring(last, engine), engine.fingerprint, {})
    engine.refresh()
    assert engine.search(QUERY).ranker == FIRST_STAGE
    publish_ranker(own_shop, version)
    engine.refresh()
    after = engine.search(QUERY)
    assert after.ranker == version == engine.status()["ranker"]
    assert after.hits[0].item_id == last
    assert len({hit.item_id for hit in after.hits}) == len(before.hits)
    assert engine.search(replace(QUERY, rerank=False)).hits == before.hits
    assert engine.search(replace(QUERY, sort="price")).ranker == FIRST_STAGE
    (own_shop.rankers_dir / "CURRENT").unlink()
    engine.refresh()
    assert engine.search(QUERY).hits == before.hits


def test_versions_that_are_not_published_can_be_compared(own_shop: Settings, database: Database) -> None:
    engine = SearchEngine(own_shop, database)
    hits = engine.search(QUERY).hits
    wanted = [hits[-1].item_id, hits[-2].item_id]
    versions = [save_ranker(own_shop, favouring(item, engine), engine.fingerprint, {}) for item in wanted]
    comparing = SearchEngine(own_shop.model_copy(update={"compare": " ".join(versions)}), database)
    assert all(comparing.ranks_by(version) for version in versions)
    answers = [comparing.search(replace(QUERY, ranker=version)) for version in versions]
    assert [answer.hits[0].item_id for answer in answers] == wanted
    assert [answer.ranker for answer in answers] == versions
    assert comparing.search(QUERY).ranker == comparing.status()["ranker"] == FIRST_STAGE
    assert not engine.ranks_by(versions[0])


def test_an_order_is_drawn_with_its_chances(own_shop: Settings, engine: SearchEngine) -> None:
    last = engine.search(QUERY).hits[-1].item_id
    assert engine.search(replace(QUERY, draw=1)).hits[0].propensity is None  # nothing is published yet
    publish_ranker(own_shop, save_ranker(own_shop, favouring(last, engine), engine.fingerprint, {}))
    engine.refresh()
    plain, drawn, other = (engine.search(replace(QUERY, draw=seed)).hits for seed in (None, 1, 2))
    assert plain[0].propensity is None
    assert all(hit.propensity is not None and 0 < hit.propensity <= 1 for hit in drawn)
    assert drawn == engine.search(replace(QUERY, draw=1)).hits != other
    assert len({hit.item_id for hit in drawn}) == len(drawn) == len(plain)
    assert drawn[0].item_id == last  # 3,000 clicks leave no doubt
    pages = [engine.search(replace(QUERY, draw=1, k=5, offset=at)).hits for at in (0, 5)]
    assert [hit for page in pages for hit in page] == drawn[:10]


def test_addends_sum_to_falling_scores_and_inputs_are_logged(own_shop: Settings, engine: SearchEngine) -> None:
    last = engine.search(QUERY).hits[-1].item_id
    publish_ranker(own_shop, save_ranker(own_shop, favouring(last, engine), engine.fingerprint, {}))
    engine.refresh()
    result = engine.search(QUERY)
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)
    for hit in result.hits:
        assert hit.explain is not None and sum(hit.explain.values()) == pytest.approx(hit.score, abs=1e-5)
    assert result.hits[0].explain is not None and result.hits[0].explain["clicks"] > 0
    logged = query_record(QUERY, NOBODY, Explored(result), is_typing=False)
    assert logged.query_attributes["ranker"] == result.ranker
    first = logged.hits[0].features
    assert first is not None and first["first_stage_rank"] == 20
    assert first["first_stage_score"] == pytest.approx(
        result.hits[0].score - result.hits[0].explain["clicks"], abs=1e-4
    )
    assert json.dumps(dict(first))


def test_a_page_continues_the_one_before(own_shop: Settings, engine: SearchEngine) -> None:
    last = engine.search(QUERY).hits[-1].item_id
    publish_ranker(own_shop, save_ranker(own_shop, favouring(last, engine), engine.fingerprint, {}))
    engine.refresh()
    whole = [hit.item_id for hit in engine.search(QUERY).hits]
    pages = [engine.search(replace(QUERY, k=5, offset=offset)).hits for offset in (0, 5, 10, 15)]
    assert [hit.item_id for page in pages for hit in page] == whole


FAULTS: dict[str, Callable[[Path], object]] = {
    "missing trees": lambda folder: (folder / "trees-4.npz").unlink(),
    "garbage trees": lambda folder: (folder / "trees-4.npz").write_text("nonsense"),
    "truncated trees": lambda folder: halve(folder / "trees-0.npz"),
    "missing arrays": lambda folder: (folder / "arrays.npz").unlink(),
    "garbage arrays": lambda folder: (folder / "arrays.npz").write_bytes(b"\0nonsense" * 100),
    "truncated arrays": lambda folder: halve(folder / "arrays.npz"),
    "empty arrays": lambda folder: (folder / "arrays.npz").write_bytes(b""),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "truncated manifest": lambda folder: halve(folder / "manifest.json"),
    "garbage manifest": lambda folder: (folder / "manifest.json").write_bytes(b"\xff\xfe nonsense"),
    "a list for a manifest": lambda folder: (folder / "manifest.json").write_text("[]"),
    "a number for a manifest": lambda folder: (folder / "manifest.json").write_text("4"),
    "the version is a file": lambda folder: (shutil.rmtree(folder), folder.write_text("nonsense")),
    "CURRENT is garbage": lambda folder: (folder.parent / "CURRENT").write_bytes(b"\xff\0\xfe"),
    "CURRENT is a folder": lambda folder: ((folder.parent / "CURRENT").unlink(), (folder.parent / "CURRENT").mkdir()),
}


def halve(path: Path) -> None:
    """Cuts off the second half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def assert_the_first_stage_serves(settings: Settings, before: list[Hit]) -> None:
    """In an engine that starts with what is on disk now, as a server does, which raises an alarm."""
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    engine.refresh()
    found = engine.search(QUERY)
    assert (found.hits, found.ranker) == (before, FIRST_STAGE)
    assert any("magpie train ranker" in alarm for alarm in engine.status()["alarms"])
    engine.close()
    database.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_ranker_leaves_the_first_stage(own_shop: Settings, engine: SearchEngine, fault: str) -> None:
    before = engine.search(QUERY).hits
    version = save_ranker(own_shop, favouring(before[-1].item_id, engine), engine.fingerprint, {})
    publish_ranker(own_shop, version)
    FAULTS[fault](own_shop.rankers_dir / version)
    assert_the_first_stage_serves(own_shop, before)


def test_every_field_of_the_manifest_is_needed(own_shop: Settings, engine: SearchEngine) -> None:
    before = engine.search(QUERY).hits
    version = save_ranker(own_shop, favouring(before[-1].item_id, engine), engine.fingerprint, {})
    publish_ranker(own_shop, version)
    path = own_shop.rankers_dir / version / "manifest.json"
    whole = json.loads(path.read_text())
    for name in set(whole) - {"log_read_ms"}:  # without it the ranker counts as stale once something is forgotten
        path.write_text(json.dumps({other: value for other, value in whole.items() if other != name}))
        assert_the_first_stage_serves(own_shop, before)
    path.write_text(json.dumps(whole | {"kappa": "many"}))
    assert_the_first_stage_serves(own_shop, before)


def test_a_ranker_of_another_encoder_is_logged(
    own_shop: Settings, engine: SearchEngine, caplog: pytest.LogCaptureFixture
) -> None:
    before = engine.search(QUERY).hits
    version = save_ranker(own_shop, favouring(before[-1].item_id, engine), "another", {})
    publish_ranker(own_shop, version)
    with caplog.at_level(logging.ERROR):
        engine.refresh()
    assert version in caplog.text
    assert engine.search(QUERY).hits == before
    assert any(version in alarm for alarm in engine.status()["alarms"])


def serve_in_its_place(engine: SearchEngine, ranker: Ranker) -> None:
    """Lets the engine serve by a ranker that never was on disk."""
    reranker = engine._reranker
    reranker._loaded = {version: replace(one, ranker=ranker) for version, one in reranker._loaded.items()}


def test_a_ranker_that_fails_while_serving_is_logged_and_raises_an_alarm(
    own_shop: Settings, engine: SearchEngine, caplog: pytest.LogCaptureFixture
) -> None:
    before = engine.search(QUERY).hits
    ranker = favouring(before[-1].item_id, engine)
    publish_ranker(own_shop, save_ranker(own_shop, ranker, engine.fingerprint, {}))
    engine.refresh()
    serve_in_its_place(engine, replace(ranker, trees=replace(ranker.trees, forests=[])))
    with caplog.at_level(logging.ERROR):
        assert engine.search(QUERY).hits == before
    assert "first-stage order" in caplog.text and "red ball" not in caplog.text
    assert any("first stage serves" in alarm for alarm in engine.status()["alarms"])
    serve_in_its_place(engine, ranker)
    assert engine.search(QUERY).ranker != FIRST_STAGE
    assert engine.status()["alarms"] == []


class SlowRanker(Ranker):
    """Thinks about its features for longer than anybody may wait."""

    def features(self, stage: FirstStage, key: str) -> np.ndarray:
        time.sleep(0.05)
        return super().features(stage, key)


def test_a_ranker_that_is_too_slow_rests(
    own_shop: Settings, database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SearchEngine(own_shop.model_copy(update={"rerank_limit_ms": 20.0}), database)
    before = engine.search(QUERY).hits
    ranker = favouring(before[-1].item_id, engine)
    publish_ranker(own_shop, save_ranker(own_shop, ranker, engine.fingerprint, {}))
    engine.refresh()
    slow = SlowRanker(**{name: getattr(ranker, name) for name in ranker.__dataclass_fields__})
    serve_in_its_place(engine, slow)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found = engine.search(QUERY)
            assert (found.hits, found.ranker) == (before, FIRST_STAGE)
    assert caplog.text.count("the first-stage order is shown") == 3 and "making features ended after" in caplog.text
    assert any("too slow" in alarm for alarm in engine.status()["alarms"])
    calls: list[str] = []
    monkeypatch.setattr(SlowRanker, "features", lambda self, stage, key: calls.append(key))
    assert engine.search(QUERY).hits == before
    assert calls == []  # it rests: nobody waits for it any more
    engine.close()


def test_a_ranker_that_knows_what_was_forgotten_says_so_and_does_not_outlive_the_next_training(
    own_shop: Settings, engine: SearchEngine, database: Database
) -> None:
    last = engine.search(QUERY).hits[-1].item_id
    version = save_ranker(own_shop, favouring(last, engine), engine.fingerprint, {})
    publish_ranker(own_shop, version)
    log = EventLog(database)
    log.record_events([EventRecord("click", client_id="somebody")])
    engine.refresh()
    assert engine.status()["stale"] == [] and engine.status()["ranker"] == version
    forget_client(log.database, "somebody")
    engine.refresh()
    assert engine.status()["stale"] == ["ranker"] and "train ranker" in engine.status()["alarms"][0]
    assert not train(
        own_shop, database, engine.first_stage, engine.fingerprint
    ).published  # there is nothing to learn from
    engine.refresh()
    assert engine.status()["stale"] == [] and engine.status()["ranker"] == FIRST_STAGE
    assert not engine.status()["alarms"] and not ranker_versions(own_shop)


def test_training_on_too_few_clicks_publishes_nothing(
    own_shop: Settings, engine: SearchEngine, database: Database
) -> None:
    report = train(own_shop, database, engine.first_stage, engine.fingerprint)
    assert not report.published and report.version is None
    assert "1,000" in report.verdict.reason
    assert json.dumps(report.as_dict())
