"""What a session's clicks are worth: shoppers with tastes of their own, against somebody else's clicks.

    python benchmarks/clicks/sessions.py --feed FEED.csv --home HOME [--seeds 1 2 3] [--searches 2000]

HOME is that of `prototype_protocol.py`. Shoppers search four times a session on average and click by their own gender,
colours and brands (`shoppers.py`). Searches after a click in the same session are ordered with the taste that it
shows, and with that of a random other session. Prints how many more expected clicks the shopper makes among the first
ten, with its standard error over sessions, and the share of searches that lose more than one in a hundred.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from attribute_queries import TrueFeed, read_true_feed
from people import BEHAVIOURS
from shoppers import SHOWN, Searches, Shoppers, draw_searches, look_and_click, open_shop

from magpie.data.aggregates.recent_choices import RecentChoice
from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.live_index.segment import Segment
from magpie.search.personalisation.personalise import find_shift, preferences_of
from magpie.search.query.parse_query import ParsedQuery
from magpie.search.request import SearchRequest
from magpie.search.retrieval.ranked_list import RankedList

HABIT = BEHAVIOURS["eta 1"]


@dataclass(frozen=True)
class Asked:
    """What the engine makes of each query, and what is searched."""

    requests: list[SearchRequest]
    parsed_queries: list[ParsedQuery]
    orders: list[RankedList]
    segments: list[Segment]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--feed", "--home"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--searches", type=int, default=2_000)
    given = parser.parse_args()
    feed = read_true_feed(given.feed)
    print("| seed | searches | own session | somebody else's | searches that lose > 1 % |\n" + "|---" * 5 + "|")
    for seed in given.seeds:
        try_seed(feed, given.home, seed, given.searches)


def try_seed(feed: TrueFeed, home: Path, seed: int, number: int) -> None:
    """Prints one row."""
    shoppers = Shoppers.draw(open_shop(feed, home, seed), seed)
    shop, chance = shoppers.shop, np.random.default_rng([8, seed])
    settings = Settings(home=home)
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    requests = [SearchRequest(text=key, facets=False) for key in shop.keys]
    parsed_queries, orders = zip(*(engine.first_stage(request) for request in requests), strict=True)
    asked = Asked(requests, list(parsed_queries), list(orders), engine.serving.segments)
    searches = draw_searches(shoppers, np.random.default_rng(seed).permutation(len(shop.keys)), 3 * number, chance)
    clicked = browse(shoppers, searches, chance)
    later = [n for n in range(len(searches)) if history(searches, clicked, n)][:number]
    other = chance.permutation(later)
    before, own, theirs = np.array(
        [worths(shoppers, asked, searches, clicked, n, m) for n, m in zip(later, other, strict=True)]
    ).T
    session = searches.session[later]
    lost = float((own < 0.99 * before).mean())
    lifts = (lift(before, after, session) for after in (own, theirs))
    print(
        f"| {seed} | {len(later):,} | {' | '.join(f'{x:+.1%} ± {se:.1%}' for x, se in lifts)} | {lost:.0%} |",
        flush=True,
    )
    engine.close()
    database.close()


def browse(shoppers: Shoppers, searches: Searches, chance: np.random.Generator) -> list[list[int]]:
    """The candidates that each search clicked, from the first-stage order."""
    lists = np.tile(np.arange(SHOWN), (len(searches), 1))
    wants = shoppers.wants(searches.shopper, searches.query, lists)
    clicks = look_and_click(wants, shoppers.shop.grades[searches.query[:, None], lists], HABIT, chance)
    return [np.flatnonzero(row).tolist() for row in clicks]


def history(searches: Searches, clicked: list[list[int]], n: int) -> list[tuple[int, int]]:
    """(query, candidate) clicked earlier in the session of the n-th search, newest first."""
    found, at = [], n - 1
    while at >= 0 and searches.session[at] == searches.session[n]:
        found += [(int(searches.query[at]), candidate) for candidate in reversed(clicked[at])]
        at -= 1
    return found


def worths(
    shoppers: Shoppers, asked: Asked, searches: Searches, clicked: list[list[int]], n: int, other: int
) -> tuple[float, float, float]:
    """Expected clicks of the n-th searcher on the order as it is, with its own session, with that of another search."""
    query, shopper = int(searches.query[n]), searches.shopper[n : n + 1]
    wants = shoppers.wants(shopper, searches.query[n : n + 1], np.arange(shoppers.shop.places.shape[1])[None])[0]
    looks = HABIT.examination(np.arange(1, 11))
    found = [float(wants[:10] @ looks)]
    for whose in (n, other):
        visits = [
            RecentChoice(int(asked.orders[q].ids[candidate]), "click", 0, True)
            for q, candidate in history(searches, clicked, whose)
        ]
        taste = preferences_of(visits, 0)
        shift = taste and find_shift(
            asked.orders[query], asked.requests[query], asked.parsed_queries[query], asked.segments, taste
        )
        found.append(float(wants[shift.rank[:10]] @ looks) if shift else found[0])
    return found[0], found[1], found[2]


def lift(before: np.ndarray, after: np.ndarray, session: np.ndarray) -> tuple[float, float]:
    """How many more clicks, as a share, and its standard error over sessions."""
    gain = float((after - before).sum() / before.sum())
    _, place = np.unique(session, return_inverse=True)
    deviations = np.bincount(place, after - before - gain * before)
    return gain, float(np.sqrt((deviations**2).sum()) / before.sum())


if __name__ == "__main__":
    main()
