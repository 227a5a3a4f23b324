"""A home of whose insights every section has something to tell, made by the parts that make it in earnest."""

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import open_database
from magpie.data.events.event_log import EventLog
from magpie.data.events.filter_reasons import BOT
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.indexer.fusion.modality_conflicts import Conflicts, describe_conflicts, save_conflicts
from magpie.indexer.generations.store import MANIFEST, current_id, read_manifest, seal
from magpie.search.click_models.position_bias import measure_propensities
from magpie.search.click_models.saved_bias import save_position_bias
from magpie.search.engine import SearchEngine
from magpie.search.ranker.ranker_store import publish_ranker, save_ranker
from magpie.search.ranker_training.off_policy_gate import Estimate
from tests.search.ranker.test_reranker import favouring
from tests.support.clicked_world import browse, make_world
from tests.support.insights_log import people, search

DISAGREEING = ("kite-green", "ball-red")  # its picture looks like that of the other


def teach(settings: Settings) -> None:
    """Fills the shop of these settings with searches, rankers, measured looks, votes and a conflict."""
    database = open_database(settings)
    for days in range(0, 40, 4):
        search(database, "red ball", people(6, first=days), clicked=1, days_ago=days, ranker="000001-a")
        search(database, "drone", people(7), days_ago=days, confident=False)
    search(database, "kite", people(6))
    _vote(EventLog(database))
    EventLog(database).record_events([EventRecord("click", object_id="ball-red", filter_reason=BOT)])
    cells = browse(make_world(), 4_000)
    save_position_bias(settings, cells, measure_propensities(cells))
    tear(settings)
    engine = SearchEngine(settings, database)
    engine.refresh()
    for lift in (0.02, 0.05):
        known, placebo = (Estimate(one, one - 0.01, one + 0.01, 0.9, 0.05, 0.1, 40) for one in (lift, 0.0))
        report = {"reason": "It is better on later days.", "known": known.as_dict(), "placebo": placebo.as_dict()}
        version = save_ranker(settings, favouring("ball-red", engine), engine.fingerprint, report)
    publish_ranker(settings, version)
    engine.close()
    database.close()


def tear(settings: Settings) -> None:
    """The index knows one item whose picture and text disagree."""
    database = open_database(settings)
    items = next(Catalogue(database, settings).scan(1000))
    database.close()
    ids = [item.item_id for item in items]
    row, alike = (ids.index(one) for one in DISAGREEING)
    pictures = np.eye(len(ids), dtype=np.float32)
    pictures[row] = pictures[alike]
    found = Conflicts(np.array([row]), np.array([-0.2]), np.array([True]), 0.95)
    folder = settings.generations_dir / str(current_id(settings))
    save_conflicts(describe_conflicts(found, pictures, ids, [item.title for item in items]), folder)
    about = {name: value for name, value in read_manifest(folder).items() if name not in ("files", "size_bytes")}
    (folder / MANIFEST).unlink()
    seal(folder, about)


def _vote(log: EventLog) -> None:
    """Six people, each with one search of two interleaved rankings and a click on the second's."""
    for number, client in enumerate(people(6)):
        attributes = {"interleave": ["first-stage", "current"], "teams": "AB", "sort": "relevance", "confident": True}
        hits, at = tuple(ShownHit(item, place) for place, item in enumerate(("box-red", "ball-red"), 1)), now_ms()
        asked = QueryRecord(f"vote-{number}", "red", client, hits=hits, query_attributes=attributes, timestamp_ms=at)
        log.record_queries([asked])
        log.record_events([EventRecord("click", f"vote-{number}", client, object_id="ball-red", timestamp_ms=at)])
