"""How much of the way to the best order clicks lead: simulated people on a real catalogue with known judgments.

    python benchmarks/clicks/simulate.py --home HOME --queries Q.jsonl --qrels QRELS [--searches 40000] [--eta 1]

All behaviour here is simulated: people look at position k with chance k^-eta (or down to the click that satisfies
them, --browsing cascade) and click what fits, the more the better its grade and its hidden appeal. Half of them see
ten results, half twenty; one search in ten has a random pair swapped; a quarter of the queries is never asked.
"""

import argparse
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.catalogue import Catalogue
from data.click_cells import Cells
from data.database import open_database
from data.query_keys import query_key
from data.settings import Settings
from search.engine import SearchEngine
from search.evaluation import read_qrels
from search.learning.browsing import BrowsingReport, PositionModel, choose_browsing_model
from search.learning.first_stage import FirstStage, gather_first_stage
from search.learning.propensities import POSITIONS, Propensities
from search.learning.ranker import Ranker
from search.learning.training import learn
from search.request import SearchRequest

DAYS, SHOWN, CANDIDATES, HELD_OUT = 14, 20, 50, 0.27


@dataclass(frozen=True)
class World:
    """Queries with their candidates, grades (n,) and wants: the chance of a click on what is looked at."""

    stages: dict[str, FirstStage]
    grades: dict[str, np.ndarray]
    ideals: dict[str, np.ndarray]
    wants: dict[str, np.ndarray]
    numbers: dict[str, int]


def load_world(home: Path, queries: Path, qrels: Path, seed: int) -> World:
    """The first stage's candidates of every text query, with what the judgments say of them."""
    settings = Settings(home=home)
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    names = {item.id: item.item_id for batch in Catalogue(database, settings).scan() for item in batch}
    judged: dict[str, dict[str, int]] = {}
    for judgment in read_qrels(qrels):
        judged.setdefault(judgment.query_id, {})[judgment.doc_id] = judgment.relevance
    stages, grades, ideals, wants = {}, {}, {}, {}
    for line in queries.read_text(encoding="utf-8").splitlines():
        query = json.loads(line)
        if not query.get("text") or len(query.keys() - {"query_id", "text"}):
            continue
        key, known = query_key(query["text"]), judged[query["query_id"]]
        question, order = engine.first_stage(SearchRequest(text=key))
        stages[key] = gather_first_stage(order, question)
        items = [names[int(number)] for number in stages[key].ids]
        grades[key] = np.array([known.get(item, 0) for item in items])
        ideals[key] = np.sort(list(known.values()))[::-1][:10]
        appeal = np.array([0.35 + 0.65 * random.Random(f"{item}/{seed}").random() ** 2 for item in items])
        wants[key] = 0.08 + 0.92 * (2.0 ** grades[key] - 1) / 7 * appeal
    engine.close()
    database.close()
    return World(stages, grades, ideals, wants, {name: number for number, name in names.items()})


def browse(world: World, asked: list[str], searches: int, looks: Callable[[int], float] | None, seed: int) -> Cells:
    """The log of so many searches; `looks` gives the chance to look at a position, None for a cascade."""
    chance = np.random.default_rng(seed)
    shares = np.arange(1, len(asked) + 1) ** -0.8
    names = {number: name for name, number in world.numbers.items()}
    items = list(world.numbers)
    place_of = {name: place for place, name in enumerate(items)}
    cells: dict[tuple[int, int, int, int, int], list[int]] = {}
    for search, query in enumerate(chance.choice(len(asked), searches, p=shares / shares.sum())):
        key = asked[query]
        shown = np.arange(min(SHOWN if chance.random() < 0.5 else SHOWN // 2, len(world.stages[key])))
        if chance.random() < 0.1:
            a, b = chance.choice(len(shown), 2, replace=False)
            shown[[a, b]] = shown[[b, a]]
        after, goes_on = 0, True
        for position, candidate in enumerate(shown, 1):
            want = float(world.wants[key][candidate])
            sees = goes_on if looks is None else chance.random() < looks(position)
            clicks = bool(sees and chance.random() < want)
            goes_on = goes_on and chance.random() < 0.88 and not (clicks and chance.random() < 0.1 + 0.7 * want)
            item = place_of[names[int(world.stages[key].ids[candidate])]]
            cell = cells.setdefault((search * DAYS // searches, int(query), item, position, after), [0, 0])
            cell[0] += 1
            cell[1] += clicks
            after = position if clicks else after
    day, number, item, position, last = np.array(list(cells)).T
    shown, clicked = np.array(list(cells.values())).T
    none = np.zeros(len(cells), np.int64)
    named = (asked, items, ["first-stage"], [""])
    return Cells(*named, day, none, none, number, item, position, last, shown, clicked, none)


def ndcg_at_10(world: World, key: str, order: np.ndarray) -> float:
    """nDCG@10 with gain 2^grade - 1."""
    discounts = np.log2(np.arange(2, 12))
    gains, ideal = (2.0 ** world.grades[key][order[:10]] - 1), 2.0 ** world.ideals[key] - 1
    best = float((ideal / discounts[: len(ideal)]).sum())
    return float((gains / discounts[: len(gains)]).sum()) / best if best else 0.0


def show(world: World, name: str, orders: dict[str, np.ndarray], groups: dict[str, list[str]]) -> None:
    """Prints nDCG@10, the share of the gap to the best order that is closed, and the share of queries harmed."""
    line = f"| {name} "
    for keys in groups.values():
        before = np.array([ndcg_at_10(world, key, np.arange(CANDIDATES)) for key in keys])
        after = np.array([ndcg_at_10(world, key, orders[key]) for key in keys])
        ideal = [np.argsort(-world.wants[key][:CANDIDATES], kind="stable") for key in keys]
        best = np.array([ndcg_at_10(world, key, order) for key, order in zip(keys, ideal, strict=True)])
        closed = (after - before).sum() / (best - before).sum()
        harmed = [f"{float((before - after > by).mean()):.1%}" for by in (0.01, 0.05)]
        line += f"| {after.mean():.3f} | {closed:+.0%} | {' / '.join(harmed)} "
    print(line + "|", flush=True)


def orders_of(world: World, ranker: Ranker, cells: Cells) -> dict[str, dict[str, np.ndarray]]:
    """Every way of ranking that is compared, by name: the order of the candidates by query."""
    places = cells.query * len(cells.items) + cells.item
    size = len(cells.queries) * len(cells.items)
    counts = (cells.impressions, cells.clicks)
    shown, clicked = (np.bincount(places, x, size).reshape(-1, len(cells.items)) for x in counts)
    names = {number: place for place, number in enumerate(world.numbers.values())}

    def raw(key: str) -> np.ndarray:
        if key not in cells.queries:
            return np.arange(CANDIDATES)
        items, query = [names[int(number)] for number in world.stages[key].ids], cells.queries.index(key)
        return np.argsort(-(clicked[query, items] / np.maximum(shown[query, items], 1)), kind="stable")

    def tail(key: str, order: np.ndarray) -> np.ndarray:
        return np.concatenate([order, np.arange(len(order), len(world.stages[key]))])

    keys, stages = list(world.stages), world.stages
    return {
        "none": {key: np.arange(len(stages[key])) for key in keys},
        "raw click rate": {key: raw(key) for key in keys},
        "debiased, no guard": {
            key: np.argsort(-ranker.believed_rates(stages[key], key, ranker.features(stages[key], key)), kind="stable")
            for key in keys
        },
        "debiased, guarded": {key: tail(key, ranker.order(stages[key], key)) for key in keys},
        "best order of 50": {key: np.argsort(-world.wants[key][:CANDIDATES], kind="stable") for key in keys},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--home", "--queries", "--qrels"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--searches", type=int, default=40_000)
    parser.add_argument("--eta", type=float, default=1.0)
    parser.add_argument("--browsing", choices=("position", "cascade"), default="position")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    world = load_world(given.home, given.queries, given.qrels, given.seed)
    keys = sorted(world.stages)
    random.Random(given.seed).shuffle(keys)
    held = keys[: int(HELD_OUT * len(keys))]
    asked = keys[len(held) :]
    looks = None if given.browsing == "cascade" else lambda position: float(position**-given.eta)
    cells = browse(world, asked, given.searches, looks, given.seed)
    report = choose_browsing_model(cells)
    ranker, verdict = learn(cells, report, world.stages, world.numbers)
    as_clicked = PositionModel(Propensities(np.ones(POSITIONS), np.zeros(POSITIONS), 0))
    taken_as_they_are = BrowsingReport(as_clicked, as_clicked.propensities, None, None, None)
    naive, _ = learn(cells, taken_as_they_are, world.stages, world.numbers)
    print(f"{given.browsing}, eta {given.eta}, {cells.num_clicks:,} clicks; likelier model: {report.likelier}")
    if looks is not None:
        truth = np.array([looks(position) for position in range(1, 11)])
        error = np.sqrt(np.mean((report.propensities.theta[:10] - truth) ** 2))
        print(f"propensities off by {error:.3f} (RMSE, positions 1 to 10)")
    print(f"gate: {verdict.reason} Naive twin: {verdict.naive.lift if verdict.naive else 0:+.1%}")
    print("| | asked: nDCG@10 | gap closed | harmed > .01 / .05 | never asked: nDCG@10 | gap closed | harmed |")
    print("|---|---|---|---|---|---|---|")
    ways = orders_of(world, ranker, cells)
    ways = {**ways, "naive twin, guarded": orders_of(world, naive, cells)["debiased, guarded"]}
    for name, orders in ways.items():
        show(world, name, orders, {"asked": asked, "never asked": held})


if __name__ == "__main__":
    main()
