"""Off-policy estimates on real clicks (Open Bandit Dataset): does the interval hold the other policy's click rate?

    python benchmarks/clicks/off_policy.py --data FOLDER

FOLDER holds random/ and bts/ (Thompson sampling) with the campaigns men and women: 10,000 impressions each, with the
probability at which each was shown. What one policy logged estimates the click rate of the other, and the clicks
that this other had are the truth, with an error of its own.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CAMPAIGNS, POLICIES = ("men", "women"), ("random", "bts")
MOST_WEIGHT = 20.0  # as the gate's
PRIOR = 100.0  # impressions by which an item's click rate is drawn towards that of all
FOLDS = 4
SURELY = 1.645  # two-sided 90 %


@dataclass(frozen=True)
class Log:
    """(n,) impressions: item, position (0-based), click, and the probability with which the item was chosen."""

    item: np.ndarray
    position: np.ndarray
    click: np.ndarray
    chance: np.ndarray


def read_log(path: Path) -> Log:
    with path.open(encoding="utf-8") as file:
        rows = [(r["item_id"], r["position"], r["click"], r["propensity_score"]) for r in csv.DictReader(file)]
    item, position, click, chance = np.array(rows, float).T
    return Log(item.astype(int), position.astype(int) - 1, click, chance)


def policy_of(log: Log, num_items: int) -> np.ndarray:
    """(3, items) how often a policy shows each item at each position, by its log."""
    counts = np.bincount(log.position * num_items + log.item, minlength=3 * num_items).reshape(3, num_items) + 0.5
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def item_rates(log: Log, num_items: int) -> np.ndarray:
    """(items,) click rates, drawn towards the usual rate."""
    clicks, shown = (np.bincount(log.item, x, num_items) for x in (log.click, np.ones(len(log.click))))
    return np.asarray((clicks + PRIOR * float(log.click.mean())) / (shown + PRIOR))


def estimates(log: Log, target: np.ndarray) -> dict[str, tuple[float, float]]:
    """The target policy's click rate and its standard error, by each estimator."""
    num_items = target.shape[1]
    weight = np.minimum(target[log.position, log.item] / log.chance, MOST_WEIGHT)
    residual, direct = np.zeros(len(weight)), np.zeros(len(weight))
    fold = np.arange(len(weight)) % FOLDS
    for held in range(FOLDS):
        mine = fold == held
        rest = Log(*(column[~mine] for column in (log.item, log.position, log.click, log.chance)))
        rates = item_rates(rest, num_items)
        direct[mine] = target[log.position[mine]] @ rates
        residual[mine] = log.click[mine] - rates[log.item[mine]]
    normalised = weight / weight.mean()
    snips = float((normalised * log.click).mean())
    parts = {
        "inverse propensity": weight * log.click,
        "self-normalised": snips + normalised * (log.click - snips),
        "doubly robust": direct + weight * residual,
    }
    return {name: (float(x.mean()), float(x.std() / len(x) ** 0.5)) for name, x in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    print("| campaign | logged by | estimated: | estimator | rate, 90 % interval | true rate ± error | held |")
    print("|---|---|---|---|---|---|---|")
    for campaign in CAMPAIGNS:
        logs = {name: read_log(folder / name / campaign / f"{campaign}.csv") for name in POLICIES}
        num_items = max(int(log.item.max()) for log in logs.values()) + 1
        policies = {"random": np.full((3, num_items), 1 / num_items), "bts": policy_of(logs["bts"], num_items)}
        for by, other in (("random", "bts"), ("bts", "random")):
            truth = float(logs[other].click.mean())
            own_error = float(logs[other].click.std() / len(logs[other].click) ** 0.5)
            for name, (rate, error) in estimates(logs[by], policies[other]).items():
                low, high = rate - SURELY * error, rate + SURELY * error
                interval = f"{rate:.2%} ({low:.2%} to {high:.2%})"
                held = "yes" if low <= truth <= high else "no"
                print(f"| {campaign} | {by} | {other} | {name} | {interval} | {truth:.2%} ± {own_error:.2%} | {held} |")


if __name__ == "__main__":
    main()
