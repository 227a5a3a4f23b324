"""How long the insights page takes on a large log, and what searches feel of it.

    python benchmarks/insights.py --home HOME [--searches 22000] [--days 80]

HOME is a copy of an indexed home: the log goes into it. People search the catalogue's own titles, the popular ones
more often, look at position k with chance 1 / k, and one search in ten has two hits swapped. Prints milliseconds.
"""

import argparse
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from magpie.data.clock import now_ms
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.search.request import SearchRequest
from magpie.web.app import create_app
from magpie.web.insights.figures import FiguresCache
from magpie.web.services import Services

DAY_MS = 86_400_000
NUM_TITLES, NUM_TIMED, BATCH = 400, 200, 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--searches", type=int, default=22_000)
    parser.add_argument("--days", type=int, default=80)
    given = parser.parse_args()
    app = create_app(Settings(home=given.home, rate_limit="100000 per second", trust_loopback=True))
    services: Services = app.extensions["magpie"]
    services.warm_up()
    fill_log(services, given.searches, given.days)
    shelf = FiguresCache(services)
    for days in (30, None):
        print(f"figures of {days or 'all'} days: {milliseconds(lambda days=days: shelf.get(days, '')):.0f}")
    client = app.test_client()
    print(f"the page: {milliseconds(lambda: client.get('/insights')):.0f}")
    print(f"the page again: {milliseconds(lambda: client.get('/insights')):.0f}")
    for name in ("days", "positions", "examination", "rankers"):
        print(f"plot {name}: {milliseconds(lambda name=name: client.get(f'/insights/plots/{name}.svg')):.0f}")
    print("searches alone: {:.1f} (p50), {:.1f} (p95)".format(*time_searches(services, client)))
    stopping = threading.Event()
    looking = threading.Thread(target=look_all_the_time, args=(services, stopping))
    looking.start()
    print("searches while figures are counted: {:.1f} (p50), {:.1f} (p95)".format(*time_searches(services, client)))
    stopping.set()
    looking.join()
    services.close()


def fill_log(services: Services, searches: int, days: int) -> None:
    """So many searches with ten hits each, spread evenly over the days up to now."""
    chance, log = random.Random(1), EventLog(services.database)
    titles = [item.title for item in next(services.catalogue.scan(NUM_TITLES))]
    answers: dict[str, tuple[list[str], bool]] = {}
    weights = [1 / place for place in range(1, len(titles) + 1)]
    asked: list[QueryRecord] = []
    clicked: list[EventRecord] = []
    for number in range(searches):
        words = chance.choices(titles, weights)[0]
        if words not in answers:
            found = services.engine.search(SearchRequest(text=words, k=10, facets=False))
            answers[words] = ([hit.item_id for hit in found.hits], found.confident)
        shown, is_confident = list(answers[words][0]), answers[words][1]
        if number % 10 == 0 and len(shown) > 1:
            a, b = chance.sample(range(len(shown)), 2)
            shown[a], shown[b] = shown[b], shown[a]
        at = now_ms() - int((1 - number / searches) * days * DAY_MS)
        name, client = f"bench-{number}", f"c{chance.randrange(searches // 6 + 1)}"
        known: dict[str, Any] = {"sort": "relevance", "ranker": "first-stage", "confident": is_confident, "k": 10}
        hits = tuple(ShownHit(item, position) for position, item in enumerate(shown, 1))
        asked.append(QueryRecord(name, words, client, "", "magpie", at, hits, known))
        clicked += [
            EventRecord("click", name, client, timestamp_ms=at + 5_000, object_id=item, position=position)
            for position, item in enumerate(shown, 1)
            if chance.random() < 0.3 / position
        ]
        if len(asked) == BATCH or number == searches - 1:
            log.record_queries(asked)
            log.record_events(clicked)
            asked, clicked = [], []
    print(f"log: {log.counts()}, of {len(answers)} different queries")


def look_all_the_time(services: Services, stopping: threading.Event) -> None:
    """Counts figures again and again, as nobody does."""
    while not stopping.is_set():
        FiguresCache(services).get(30, "")


def time_searches(services: Services, client: FlaskClient) -> tuple[float, float]:
    """Milliseconds of a search over HTTP without a network: the median and the 95th percentile."""
    words = ["red", "blue glass", "wooden chair", "lamp"]
    took = sorted(
        milliseconds(lambda place=place: client.get("/api/search", query_string={"q": words[place % len(words)]}))
        for place in range(NUM_TIMED)
    )
    return took[NUM_TIMED // 2], took[int(0.95 * NUM_TIMED)]


def milliseconds(do: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    do()
    return 1_000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
