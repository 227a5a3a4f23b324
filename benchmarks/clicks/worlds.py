"""Worlds of people who click, some of whom prefer nothing: what a training publishes in each, and what that does.

    python benchmarks/clicks/worlds.py --home HOME --queries Q.jsonl --qrels QRELS [--seeds 1 2] [--only "PBM, swaps"]

Click models: position-based (Richardson et al. 2007), cascade (Craswell et al. 2008), dynamic Bayesian network
(Chapelle and Zhang 2009), user browsing (Dupret and Piwowarski 2008), trust in high positions (Agarwal et al. 2019),
rows and columns of a grid (Xie et al., Grid-based evaluation metrics for web image search, WWW 2019), and mixtures.
In null worlds clicks depend on positions alone, or are those of other searches: nothing may be learned from them.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from outcomes import CANDIDATES, ndcg_at_10
from people import World, load_world, summed
from threadpoolctl import threadpool_limits

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import choose_click_model
from magpie.search.ranker_training.train_ranker import learn

DAYS, ASKED, LOSS = 28, 220, 0.05
_SMOOTHING = 20.0  # impressions, of the click rates that an afternoon's work would sort by
Chance = np.random.Generator
Clicks = Callable[[np.ndarray, Chance], np.ndarray]  # (searches, positions) wants -> clicked


def by_position(looks: Callable[[np.ndarray], np.ndarray], rate: float = 1.0) -> Clicks:
    """Every position is looked at with its own probability."""
    return lambda wants, chance: chance.random(wants.shape) < rate * looks(np.arange(1, wants.shape[1] + 1.0)) * wants


def cascade(wants: np.ndarray, chance: Chance) -> np.ndarray:
    """From the top to the first click, or until patience ends."""
    clicked, leaves = chance.random(wants.shape) < wants, chance.random(wants.shape) > 0.93
    gone = np.cumsum(clicked | leaves, axis=1) - (clicked | leaves)
    return np.asarray(clicked & (gone == 0))


def browsing_network(wants: np.ndarray, chance: Chance) -> np.ndarray:
    """Goes on after a click unless content with it, and after a skip nine times of ten."""
    clicked = chance.random(wants.shape) < wants
    leaves = chance.random(wants.shape) < np.where(clicked, 0.1 + 0.7 * wants, 0.1)
    gone = np.cumsum(leaves, axis=1) - leaves
    return np.asarray(clicked & (gone == 0))


def user_browsing(wants: np.ndarray, chance: Chance) -> np.ndarray:
    """Looks depend on the position and on how far the last click is above."""
    clicked, last = np.zeros(wants.shape, bool), np.full(len(wants), -1)
    for k in range(wants.shape[1]):
        after = 1.15 * (k + 1) ** -0.35 * np.maximum(k - last, 1.0) ** -0.75
        looks = np.minimum(np.where(last >= 0, after, (k + 1) ** -0.8), 1)
        clicked[:, k] = chance.random(len(wants)) < looks * wants[:, k]
        last = np.where(clicked[:, k], k, last)
    return clicked


def grid(wants: np.ndarray, chance: Chance) -> np.ndarray:
    """Row after row of five, the middle more than the edges; some rows are skipped."""
    searches, positions = wants.shape
    row = np.arange(positions) // 5
    ends, skips = chance.random((2, searches, row[-1] + 1))
    stays = np.cumprod(np.where(np.arange(row[-1] + 1) > 0, ends <= 0.72, True), axis=1)
    seen = stays * np.where(np.arange(row[-1] + 1) > 0, skips >= 0.2, True)
    looks = seen[:, row] * np.array([0.75, 0.95, 1, 0.95, 0.75])[np.arange(positions) % 5]
    return np.asarray(chance.random(wants.shape) < looks * wants)


def trusting(wants: np.ndarray, chance: Chance) -> np.ndarray:
    """Position k is looked at with 1 / k; what does not fit is clicked there the more readily the higher it stands."""
    position = np.arange(1, wants.shape[1] + 1)
    return np.asarray(chance.random(wants.shape) < (wants + (1 - wants) * 0.35 / position) / position)


def mixed(wants: np.ndarray, chance: Chance) -> np.ndarray:
    """Each person browses in a way of their own."""
    ways = (by_position(lambda k: 1 / k), cascade, grid, user_browsing, browsing_network)
    clicked, way = np.zeros(wants.shape, bool), chance.integers(len(ways), size=len(wants))
    for number, clicks in enumerate(ways):
        clicked[way == number] = clicks(wants[way == number], chance)
    return clicked


@dataclass(frozen=True)
class People:
    """How people of a world click, the share of searches with a swapped pair, and what makes the world a null one:
    everything is wanted alike (`wants_nothing`), or pages get the clicks of others (`is_shuffled`)."""

    clicks: Clicks
    swaps: float = 0.05
    searches: int = 16_000
    size: int = 0  # hits on a page; 0: ten or twenty
    wants_nothing: bool = False
    is_shuffled: bool = False

    @property
    def is_null(self) -> bool:
        return self.wants_nothing or self.is_shuffled


def power(eta: float, rate: float = 1.0) -> Clicks:
    return by_position(lambda k: k**-eta, rate)


_FOLD = by_position(lambda k: np.where(k <= 4, 0.9, 0.2))
WORLDS = {
    "clicks of other pages, swaps": People(power(1), searches=20_000, is_shuffled=True),
    "position only, eta .5, swaps": People(power(0.5), searches=20_000, wants_nothing=True),
    "position only, eta 1, swaps": People(power(1), searches=20_000, wants_nothing=True),
    "position only, a fold, no swaps": People(_FOLD, 0, 20_000, wants_nothing=True),
    "clicks of other pages, no swaps": People(power(1), 0, 20_000, is_shuffled=True),
    "PBM, swaps": People(power(1)),
    "eta .5, swaps": People(power(0.5)),
    "cascade, swaps": People(cascade),
    "grid, swaps": People(grid, size=20),
    "mixed, swaps": People(mixed),
    "trust, swaps": People(trusting),
    "all looked at, swaps": People(power(0, 0.5)),
    "all looked at, no swaps": People(power(0, 0.5), 0, 20_000),
    "PBM, no swaps": People(power(1), 0),
    "grid, no swaps": People(grid, 0, 12_000, size=20),
    "cascade, no swaps": People(cascade, 0),
}


def live(world: World, people: People, seed: int) -> tuple[ClickAggregates, list[str], list[str]]:
    """The log of one world, which queries are asked in it, and which never are."""
    chance = np.random.default_rng(seed)
    keys = [str(key) for key in chance.permutation(sorted(k for k, stage in world.stages.items() if len(stage) > 20))]
    asked, never = keys[:ASKED], keys[ASKED:]
    shares = 1 / np.arange(1, len(asked) + 1)
    query = chance.choice(len(asked), people.searches, p=shares / shares.sum())
    size = np.full(people.searches, people.size) if people.size else chance.choice([10, 20], people.searches)
    day = np.arange(people.searches) * DAYS // people.searches
    place_of = {number: place for place, number in enumerate(world.numbers.values())}
    items = np.array([[place_of[int(id_)] for id_ in world.stages[key].ids[:20]] for key in asked])
    wanted = np.stack([world.wants[key][:20] for key in asked])
    rows = []
    for length in np.unique(size):
        mine = np.flatnonzero(size == length)
        order = np.tile(np.arange(length), (len(mine), 1))
        swapped = np.flatnonzero(chance.random(len(mine)) < people.swaps)
        first = chance.integers(length, size=len(swapped))
        second = (first + chance.integers(1, length, size=len(swapped))) % length
        order[swapped, first], order[swapped, second] = second, first
        wants = np.full(order.shape, 0.35) if people.wants_nothing else wanted[query[mine][:, None], order]
        clicked = people.clicks(wants, chance)
        if people.is_shuffled:
            clicked = chance.permutation(clicked)
        position = np.arange(1, length + 1)
        last = np.maximum.accumulate(np.where(clicked, position, 0), axis=1)
        after = np.concatenate([np.zeros((len(mine), 1), np.int64), last[:, :-1]], axis=1)
        shown = items[query[mine][:, None], order]
        whole = (day[mine][:, None], query[mine][:, None], shown, position, after, clicked, False)
        rows.append(np.stack([column.ravel() for column in np.broadcast_arrays(*whole)]).astype(np.int64))
    columns = summed(np.concatenate(rows, axis=1))
    none = np.zeros(len(columns["day"]), np.int64)
    return (
        ClickAggregates(asked, list(world.numbers), [""], [""], ranker=none, layout=none, **columns),
        asked,
        never,
    )


def by_click_rate(world: World, cells: ClickAggregates) -> dict[str, np.ndarray]:
    """Clicks per impression, smoothed by what the item's place in the first stage usually gets."""
    width = len(cells.items)
    shown, clicked = (
        np.bincount(cells.query * width + cells.item, x, len(cells.queries) * width).reshape(-1, width)
        for x in (cells.impressions, cells.clicks)
    )
    place_of = {number: place for place, number in enumerate(world.numbers.values())}
    places = np.array([[place_of[int(i)] for i in world.stages[key].ids[:CANDIDATES]] for key in cells.queries])
    own = np.arange(len(places))[:, None]
    shown, clicked = shown[own, places], clicked[own, places]
    usual = clicked.sum(axis=0) / np.maximum(shown.sum(axis=0), 1)
    rates = (clicked + _SMOOTHING * usual) / (shown + _SMOOTHING)
    return dict(zip(cells.queries, np.argsort(-rates, axis=1, kind="stable"), strict=True))


def judged(world: World, keys: list[str], orders: dict[str, np.ndarray]) -> dict[str, float]:
    """nDCG@10 before and after, the share closed of the gap to the best order of the candidates, and the share of
    queries that lose more than LOSS."""
    before, after, best = (
        np.array([ndcg_at_10(world, key, order(key)) for key in keys])
        for order in (
            lambda key: np.arange(CANDIDATES),
            lambda key: orders.get(key, np.arange(CANDIDATES)),
            lambda key: np.argsort(-world.grades[key][:CANDIDATES], kind="stable"),
        )
    )
    gap = float((after - before).sum() / max((best - before).sum(), 1e-9))
    return {
        "before": before.mean(),
        "after": after.mean(),
        "gap": gap,
        "lose": float((before - after > LOSS).mean()),
    }


def outcome(world: World, people: People, seed: int) -> dict[str, Any]:
    """What a training on this world's log publishes, and what that does to queries asked and never asked."""
    cells, asked, never = live(world, people, seed)
    started = time.process_time()
    with threadpool_limits(1, "blas"):
        report = choose_click_model(cells)
        ranker, verdict = learn(cells, report, {key: world.stages[key] for key in asked}, world.numbers)
    seconds = time.process_time() - started
    orders = {}
    for key in (*asked, *never):
        if verdict.is_better and ranker.serves(key):
            order = ranker.order(world.stages[key], key)
            orders[key] = np.concatenate([order, np.arange(len(order), len(world.stages[key]))])
    of_asked, of_never = judged(world, asked, orders), judged(world, never, orders)
    lose = judged(world, asked + never, orders)["lose"]
    by_rate = judged(world, asked, by_click_rate(world, cells))["gap"]
    said = verdict.as_dict()
    return {
        "clicks": cells.num_clicks,
        "published": verdict.is_better,
        "gap": of_asked["gap"],
        "never": of_never["gap"],
        "by_rate": by_rate,
        "lose": lose,
        "before": of_asked["before"],
        "after": of_asked["after"],
        "seconds": seconds,
        "share": ranker.new_share,
        "said": said,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--qrels", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", nargs="+", choices=sorted(WORLDS), default=list(WORLDS))
    parser.add_argument("--out", type=Path, help="write one JSON line a world here")
    given = parser.parse_args()
    print(
        "| world | seed | clicks | published | asked: nDCG@10 | gap closed | click rates close | never asked | lose |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for seed in given.seeds:
        world = load_world(given.home, given.queries, given.qrels, seed)
        for name in given.only:
            found = outcome(world, WORLDS[name], seed)
            print(
                f"| {name} | {seed} | {found['clicks']:,} | {'yes' if found['published'] else 'no'} "
                f"| {found['before']:.3f} to {found['after']:.3f} | {found['gap']:.2f} | {found['by_rate']:.2f} "
                f"| {found['never']:.2f} | {found['lose']:.0%} |",
                flush=True,
            )
            if given.out:
                with given.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"world": name, "seed": seed} | found) + "\n")


if __name__ == "__main__":
    main()
