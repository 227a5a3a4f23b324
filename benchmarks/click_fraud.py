"""How far bots push an item: its rank for honest people, with a fifth of all clicks from bots and without any.

    python -m benchmarks.click_fraud [--searches 20000] [--targets 4] [--searches-each 4]

All behaviour is simulated, in the small world of the tests: people look at position k with chance 1 / k and click what
they want. Bots search queries that show the item and click it, wherever it stands; each way of attack makes 20 % of all
clicks. Rank 1 is best; a change counts over every query that showed the item.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magpie.data.aggregates.click_aggregates import read_click_aggregates, refresh_click_aggregates
from magpie.data.database.connection import open_database
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import filter_spam
from magpie.search.click_models.click_models import choose_click_model
from magpie.search.click_models.overclicked_items import OVERCLICKED, without_promoters
from magpie.search.ranker_training.train_ranker import learn
from tests.support.clicked_world import DAYS, SHOWN, World, make_world

BOTS_SHARE = 0.2
START_MS = 1_790_000_000_000
DAY_MS = 86_400_000
SEARCHES_OF_A_PERSON = 4
Log = tuple[list[QueryRecord], list[EventRecord]]


@dataclass(frozen=True)
class Attack:
    """How bots go about it: clicks of each made-up client on the item, and on others that they do not care for."""

    name: str
    clicks_each: int
    others_each: int = 0


ATTACKS = (
    Attack("each bot clicks once", 1),
    Attack("each bot clicks 10 times", 10),
    Attack("each bot clicks 5,000 times", 5_000),
    Attack("each bot clicks another item as often", 2, 2),
    Attack("each bot clicks others three times as often", 1, 3),
)


def shown_for(world: World, key: str, chance: np.random.Generator) -> np.ndarray:
    """(SHOWN,) the places of the candidates as shown, in one search of three with two exchanged."""
    shown = np.arange(SHOWN)
    if chance.random() < 0.3:
        a, b = chance.choice(SHOWN, 2, replace=False)
        shown[[a, b]] = shown[[b, a]]
    return shown


def searched(
    world: World, name: str, key: str, client: str, at_ms: int, shown: np.ndarray, clicked: list[int]
) -> tuple[QueryRecord, list[EventRecord]]:
    """One search and the clicks on some of its positions (1-based)."""
    ids = [str(world.stages[key].ids[place]) for place in shown]
    hits = tuple(ShownHit(item, position) for position, item in enumerate(ids, 1))
    query = QueryRecord(name, key, client_id=client, application="simulated", timestamp_ms=at_ms, hits=hits)
    events = [
        EventRecord("click", name, client, timestamp_ms=at_ms + 3_000 * at, object_id=ids[at - 1], position=at)
        for at in clicked
    ]
    return query, events


def honest_log(world: World, searches: int, seed: int, each: int = SEARCHES_OF_A_PERSON) -> Log:
    """What people leave who look at position k with chance 1 / k and click what they want."""
    chance = np.random.default_rng(seed)
    keys, people = list(world.stages), max(1, searches // each)
    log: Log = ([], [])
    for number in range(searches):
        key = keys[int(len(keys) * chance.random() ** 1.5)]
        shown = shown_for(world, key, chance)
        wants = world.wants[key][shown]
        looked = chance.random(SHOWN) < 1 / np.arange(1, SHOWN + 1)
        clicked = [int(at) + 1 for at in np.flatnonzero(looked & (chance.random(SHOWN) < wants))]
        client, at_ms = f"person {chance.integers(people)}", START_MS + number * DAYS * DAY_MS // searches
        _add(log, *searched(world, f"honest {number}", key, client, at_ms, shown, clicked))
    return log


def bot_log(world: World, target: str, attack: Attack, clicks: int, seed: int) -> Log:
    """What bots leave that make so many clicks, those on items that they do not care for included."""
    chance = np.random.default_rng(seed)
    keys, others = queries_showing(world, target), list(world.stages)
    each = attack.clicks_each + attack.others_each
    log: Log = ([], [])
    for number in range(clicks):
        pushes = number % each < attack.clicks_each
        key = keys[chance.integers(len(keys))] if pushes else others[chance.integers(len(others))]
        shown = np.arange(SHOWN)
        ids = [str(world.stages[key].ids[place]) for place in shown]
        at = ids.index(target) + 1 if pushes else int(chance.integers(SHOWN)) + 1
        at_ms = START_MS + int(chance.integers(DAYS * DAY_MS))
        _add(log, *searched(world, f"bot {number}", key, f"bot {number // each}", at_ms, shown, [at]))
    return log


def _add(log: Log, query: QueryRecord, events: list[EventRecord]) -> None:
    log[0].append(query)
    log[1].extend(events)


def queries_showing(world: World, item: str) -> list[str]:
    """The queries whose first results hold the item."""
    return [key for key, stage in world.stages.items() if item in {str(id_) for id_ in stage.ids[:SHOWN]}]


def ranks_after(world: World, target: str, logs: list[Log], folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """By query the item's rank once a ranker is learned from these logs; and what was set aside, by reason."""
    database = open_database(Settings(home=folder))
    try:
        for queries, events in logs:
            EventLog(database).record_queries(queries)
            EventLog(database).record_events(events)
        aside = filter_spam(database)
        refresh_click_aggregates(database)
        cells = read_click_aggregates(database)
        browsing = choose_click_model(cells)
        num_clicks = cells.num_clicks
        cells, browsing = without_promoters(database, cells, browsing)
        aside[OVERCLICKED] = num_clicks - cells.num_clicks
    finally:
        database.close()
    ranker, _ = learn(cells, browsing, world.stages, world.numbers)
    ranks = {}
    for key in queries_showing(world, target):
        order = [str(id_) for id_ in world.stages[key].ids[ranker.order(world.stages[key], key)]]
        ranks[key] = order.index(target) + 1
    return ranks, {reason: count for reason, count in aside.items() if count}


def unwanted_items(world: World, count: int) -> list[str]:
    """Items that stand at the end of some first page and that its searchers hardly want."""
    last = {str(stage.ids[SHOWN - 2]): world.wants[key][SHOWN - 2] for key, stage in world.stages.items()}
    return sorted(last, key=lambda item: float(last[item]))[:count]


def homes() -> Iterator[Path]:
    """One empty folder after the other."""
    with tempfile.TemporaryDirectory() as folder:
        number = 0
        while True:
            number += 1
            yield Path(folder) / str(number)


def rises(
    world: World, target: str, attack: Attack, honest: Log, new_home: Callable[[], Path]
) -> tuple[list[int], dict[str, int]]:
    """By how many places each query's rank of the item rises through the attack, and what was set aside."""
    clicks = round(len(honest[1]) * BOTS_SHARE / (1 - BOTS_SHARE))
    before, _ = ranks_after(world, target, [honest], new_home())
    after, aside = ranks_after(world, target, [honest, bot_log(world, target, attack, clicks, 7)], new_home())
    return [before[key] - after[key] for key in before], aside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=20_000)
    parser.add_argument("--targets", type=int, default=4)
    parser.add_argument("--attack", default="", help="only those with this in their name")
    parser.add_argument("--searches-each", type=int, default=SEARCHES_OF_A_PERSON, help="of a person, on average")
    given = parser.parse_args()
    world, folders = make_world(), homes()
    honest = honest_log(world, given.searches, 1, given.searches_each)
    print(f"{given.searches:,} searches of people, {len(honest[1]):,} clicks; bots make {BOTS_SHARE:.0%} of all clicks")
    print("| attack | item | queries | rises: mean | most | set aside |")
    print("|---|---|---|---|---|---|")
    for attack in (attack for attack in ATTACKS if given.attack in attack.name):
        for target in unwanted_items(world, given.targets):
            found, aside = rises(world, target, attack, honest, lambda: next(folders))
            told = ", ".join(f"{reason} {count:,}" for reason, count in aside.items())
            mean = float(np.mean(found))
            print(f"| {attack.name} | {target} | {len(found)} | {mean:+.2f} | {max(found):+d} | {told} |", flush=True)


if __name__ == "__main__":
    main()
