"""What SQLite and PostgreSQL cost the same home: copying it, importing, searching, events; and two servers on one.

    python -m benchmarks.databases HOME

Works on copies of HOME, which must have an index and its database in SQLite. PostgreSQL is a temporary cluster with its
usual durability on this machine, reached over a socket. Prints one line a measure. Delays are those of two server
processes: from the answer to a change on one until a search on the other shows it.
"""

import argparse
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.http_latency import make_queries
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.api_tokens import create_token
from magpie.data.database.connection import open_database
from magpie.data.database.copy_database import copy_database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from tests.support.postgresql import EMPTY, running_cluster
from tests.support.servers import Caller
from tests.support.serving import serving

SEARCHES, SINGLE_EVENTS, BATCHES, BATCH, CHANGES = 500, 300, 50, 1_000, 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    given = parser.parse_args()
    queries = make_queries(given.home, SEARCHES)
    with tempfile.TemporaryDirectory() as folder, running_cluster("") as cluster, cluster.database(EMPTY) as url:
        homes = [Path(folder, name, "home") for name in ("sqlite", "one", "other")]
        for home in homes:
            shutil.copytree(given.home, home)
        on_sqlite = Settings(home=homes[0])
        measure(on_sqlite, queries)
        started = time.perf_counter()
        report = copy_database(on_sqlite, url, lambda *_: None)
        print(f"copied {report.rows:,} rows, compared: {time.perf_counter() - started:.1f} s")
        on_postgresql = Settings(home=homes[1], database_url=url)
        for settings in (on_postgresql, on_sqlite, on_postgresql):
            measure(settings, queries)
        print_delays(on_postgresql, homes)


def measure(settings: Settings, queries: list[str]) -> None:
    """Prints what reading and writing cost on this database."""
    with closing(open_database(settings)) as database:
        print(f"{database.engine.dialect.name}:")
        engine, log, catalogue = SearchEngine(settings, database), EventLog(database), Catalogue(database, settings)
        engine.refresh()
        print_percentiles("one search", [timed(lambda q=q: engine.search(SearchRequest(text=q))) for q in queries])
        print_percentiles(
            "one event, on disk", [timed(lambda: log.record_events(events(1))) for _ in range(SINGLE_EVENTS)]
        )
        took = timed(lambda: [log.record_events(events(BATCH)) for _ in range(BATCHES)])
        print(f"  events in lots of {BATCH:,}: {BATCHES * BATCH / took:,.0f} a second")
        drafts = [ItemDraft(f"bench-{uuid.uuid4().hex}", f"Thing {n}", price=float(n)) for n in range(BATCH)]
        print(f"  items without pictures: {BATCH / timed(lambda: catalogue.upsert(drafts, Path('/'))):,.0f} a second")
        engine.close()


def events(count: int) -> list[EventRecord]:
    return [EventRecord("click", object_id="none", event_id=uuid.uuid4().hex) for _ in range(count)]


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def print_percentiles(name: str, seconds: list[float]) -> None:
    p50, p99 = 1_000 * np.percentile(seconds, [50, 99])
    print(f"  {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def print_delays(settings: Settings, homes: list[Path]) -> None:
    """Prints how long it takes until a change through one server is searchable on the other."""
    with closing(open_database(settings)) as database:
        token = create_token(database, "bench", ["admin"])
    url = {"MAGPIE_DATABASE_URL": settings.database}
    with serving(homes[1], **url) as one, serving(homes[2], **url) as other:
        sender, reader = Caller(one, token), Caller(other, token)
        for caller in (sender, reader):
            caller.wait_for("red")
        delays = []
        for n in range(CHANGES):
            name = f"zq{uuid.uuid4().hex[:12]}"
            sender.ask("PUT", f"/api/items/{name}", {"title": f"{name} {n}"})
            delays.append(timed(lambda name=name: reader.wait_for(name, name)))
    print(f"changed on one, searchable on the other: median {np.median(delays):.2f} s, longest {max(delays):.2f} s")


if __name__ == "__main__":
    main()
