"""What changes since the last rebuild cost: time until they are searchable, search time, memory, by how many there are.

    python -m benchmarks.live_changes HOME [--changes 1000 5000 20000 40000]

Works on a copy of HOME, which must have an index. So many items get another title, in lots of 1,000; then single
changes and deletions are timed, and searches of one thread. The engine is in this process, without a server.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.http_latency import make_queries
from magpie.data.catalogue.catalogue import Catalogue, Item, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest

LOT = 1_000
SINGLE_CHANGES = 20
SEARCHES = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--changes", type=int, nargs="+", default=[1_000, 5_000, 20_000, 40_000])
    given = parser.parse_args()
    queries = make_queries(given.home, SEARCHES)
    with opened_copy(given.home) as (catalogue, engine):
        print("| changed | searchable after | segments | one change | one deletion | p50 | p99 | anonymous memory |")
        print("|---|---|---|---|---|---|---|---|")
        items = (item for batch in catalogue.scan() for item in batch)
        print_row(catalogue, engine, queries, 0, 0.0)
        done = 0
        for wanted in given.changes:
            started = time.perf_counter()
            while done < wanted:
                lot = list(islice(items, min(LOT, wanted - done)))
                if not lot:
                    break
                catalogue.upsert([renamed(item, f"new {item.title}") for item in lot], Path("/"))
                done += len(lot)
            follow(engine)
            took = time.perf_counter() - started
            settle(engine)
            print_row(catalogue, engine, queries, done, took)


@contextmanager
def opened_copy(home: Path) -> Iterator[tuple[Catalogue, SearchEngine]]:
    """The catalogue and an engine on a copy of this home."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder) / "home")
        shutil.copytree(home, settings.home)
        database = open_database(settings)
        engine = SearchEngine(settings, database)
        engine.warm_up()
        yield Catalogue(database, settings), engine
        engine.close()
        database.close()


def renamed(item: Item, title: str) -> ItemDraft:
    """The same item under another title."""
    known = {name: getattr(item, name) for name in ("description", "category", "price", "currency", "url")}
    pictures = tuple(str(picture.path) for picture in item.pictures)
    return ItemDraft(item.item_id, title, **known, attributes=dict(item.attributes), pictures=pictures)


def follow(engine: SearchEngine) -> None:
    """Until every change is searchable."""
    engine.refresh()
    while engine.status()["changes_waiting"]:
        engine.refresh()


def settle(engine: SearchEngine) -> None:
    """Until no segments have been merged for a while."""
    for _ in range(20):
        time.sleep(0.25)
        engine.refresh()


def print_row(catalogue: Catalogue, engine: SearchEngine, queries: list[str], changed: int, took_s: float) -> None:
    changes, deletions = [], []
    for number in range(SINGLE_CHANGES):
        draft = ItemDraft(f"single-{number}", f"a thing changed {changed} times")
        catalogue.upsert([draft], Path("/"))
        changes.append(timed(engine.refresh))
        catalogue.delete(draft.item_id)
        deletions.append(timed(engine.refresh))
    searches = sorted(timed(partial(engine.search, SearchRequest(text=text))) for text in queries)
    p50, p99 = (1000 * searches[int(share * (len(searches) - 1))] for share in (0.5, 0.99))
    one, gone = (1000 * sorted(found)[len(found) // 2] for found in (changes, deletions))
    print(
        f"| {changed:,} | {took_s:.1f} s | {len(engine.serving.segments)} | {one:.0f} ms | {gone:.0f} ms "
        f"| {p50:.1f} ms | {p99:.1f} ms | {anonymous_mb():.0f} MB |",
        flush=True,
    )


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def anonymous_mb() -> float:
    """What this process holds besides files."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Anonymous:")).split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
