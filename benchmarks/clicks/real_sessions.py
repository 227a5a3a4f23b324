"""Real sessions of a web search (CLARA2): which model of browsing explains later clicks, and what do rates know?

    python benchmarks/clicks/real_sessions.py --data FOLDER

FOLDER holds CLARA2SearchLog_beta, CLARA2QueryUrlRelevance_beta and query_id_map.csv. Every model estimates how
attractive each result is for each query on the first three quarters of the sessions and predicts the clicks of the
last. Then raw and debiased rates are compared with the grades.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from magpie.data.aggregates.click_aggregates import ClickAggregates
from magpie.search.click_models.click_models import ClickModel, fit_cascade
from magpie.search.click_models.position_bias import assumed_propensities, measure_propensities
from magpie.search.ranker.gamma_posterior import fit_kappa, gamma_posterior, rates_by_rank

PAGE = 10
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # of the prior of an attraction, in looks
ROUNDS = 8
MOST_AMBIGUOUS = 0.5  # share of a query's results that the next best match of the two files shares


@dataclass(frozen=True)
class Pages:
    """Result pages in the order of the sessions: `query` (n,), `results` and `clicked` (n, PAGE)."""

    query: np.ndarray
    results: np.ndarray
    clicked: np.ndarray

    def where(self, chosen: np.ndarray) -> "Pages":
        return Pages(self.query[chosen], self.results[chosen], self.clicked[chosen])


# A model of browsing says (n, PAGE) how likely each result is looked at, given the clicks above and the attractions.
Looks = Callable[[np.ndarray, np.ndarray], np.ndarray]


def read_pages(path: Path) -> Pages:
    """A click counts on the last page of its session that shows the result."""
    query, results, clicked = [], [], []
    shown: dict[tuple[str, str], tuple[int, int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split("\t")
        if len(parts) > 2 and parts[2] == "Q":
            urls = parts[5 : 5 + PAGE]
            if len(urls) < PAGE:
                continue
            shown |= {(parts[0], url): (len(query), place) for place, url in enumerate(urls)}
            query.append(int(parts[3]))
            results.append([int(url) for url in urls])
            clicked.append([0] * PAGE)
        elif len(parts) > 3 and parts[2] == "C" and (parts[0], parts[3]) in shown:
            page, place = shown[parts[0], parts[3]]
            clicked[page][place] = 1
    return Pages(np.array(query), np.array(results), np.array(clicked))


def cells_of(pages: Pages) -> ClickAggregates:
    """The pages as the counts that Magpie learns from; all in one day, by one ranker."""
    queries, query = np.unique(pages.query, return_inverse=True)
    urls, item = np.unique(pages.results, return_inverse=True)
    last = np.maximum.accumulate(np.where(pages.clicked > 0, np.arange(1, PAGE + 1), 0), axis=1)
    after = np.concatenate([np.zeros((len(last), 1), np.int64), last[:, :-1]], axis=1)
    position = np.tile(np.arange(1, PAGE + 1), len(query))
    size = len(position)
    nothing, one = np.zeros(size, np.int64), np.ones(size, np.int64)
    names = ([str(q) for q in queries], [str(url) for url in urls], ["engine"], [""])
    columns = (np.repeat(query, PAGE), item.ravel(), position, after.ravel(), one, pages.clicked.ravel(), nothing)
    return ClickAggregates(*names, nothing, nothing, nothing, *columns)


def by_position(theta: np.ndarray) -> Looks:
    return lambda clicked, attraction: np.broadcast_to(theta[:PAGE], clicked.shape)


def by_model(model: ClickModel) -> Looks:
    """As a click model examines each position below the last click above."""

    def looks(clicked: np.ndarray, attraction: np.ndarray) -> np.ndarray:
        position = np.arange(1, PAGE + 1)
        last = np.maximum.accumulate(np.where(clicked > 0, position, 0), axis=1)
        after = np.concatenate([np.zeros((len(last), 1), np.int64), last[:, :-1]], axis=1)
        return np.clip(model.examination(np.broadcast_to(position, clicked.shape), after), 1e-3, 1)

    return looks


@dataclass(frozen=True)
class Attractions:
    """Chances of a click on what is looked at, by (query, result), drawn towards their mean."""

    known: dict[tuple[int, int], float]
    mean: float

    def of(self, pages: Pages) -> np.ndarray:
        pairs = zip(np.repeat(pages.query, PAGE).tolist(), pages.results.ravel().tolist(), strict=True)
        return np.array([self.known.get(pair, self.mean) for pair in pairs]).reshape(-1, PAGE)


def fit_attractions(pages: Pages, looks: Looks, strength: float) -> Attractions:
    """Clicks over looks, and looks given attractions, in turns."""
    keys = np.stack([np.repeat(pages.query, PAGE), pages.results.ravel()])
    different, pair = np.unique(keys, axis=1, return_inverse=True)
    clicks = np.bincount(pair, pages.clicked.ravel())
    attraction = np.full(pages.clicked.shape, float(pages.clicked.mean()))
    for _ in range(ROUNDS):
        looked = np.bincount(pair, looks(pages.clicked, attraction).ravel())
        mean = float(clicks.sum() / looked.sum())
        rates = np.minimum((clicks + strength * mean) / (looked + strength), 0.98)
        attraction = rates[pair].reshape(attraction.shape)
    return Attractions(dict(zip(map(tuple, different.T.tolist()), rates.tolist(), strict=True)), mean)


def likelihoods(pages: Pages, looks: Looks, attractions: Attractions) -> np.ndarray:
    """(n,) log-likelihood of each page's clicks, each given those above it."""
    attraction = attractions.of(pages)
    chance = np.clip(looks(pages.clicked, attraction) * attraction, 1e-5, 1 - 1e-5)
    return np.where(pages.clicked > 0, np.log(chance), np.log(1 - chance)).sum(axis=1)


def best_strength(pages: Pages, looks: Looks) -> float:
    """The prior strength that explains the last quarter of these pages best."""
    cut = len(pages.query) * 3 // 4
    early, late = pages.where(np.arange(len(pages.query)) < cut), pages.where(np.arange(len(pages.query)) >= cut)
    return max(STRENGTHS, key=lambda s: float(likelihoods(late, looks, fit_attractions(early, looks, s)).sum()))


def compare_models(early: Pages, late: Pages) -> None:
    cells = cells_of(early)
    curve = measure_propensities(cells)
    theta, cascade = curve.theta, fit_cascade(cells, curve)
    models: dict[str, Looks] = {
        "position, measured": by_position(theta),
        "position, 1 / position": by_position(assumed_propensities().theta),
        "no browsing (all looked at)": by_position(np.ones(PAGE)),
        "cascade (position and last click above)": by_model(cascade),
    }
    print(f"after a click: {cascade.as_dict()}")
    print(f"looked at: {theta[:PAGE].round(3)}")
    print("| model | nats a page | against position, measured | p (paired t) | prior |\n|---|---|---|---|---|")
    base = None
    for name, looks in models.items():
        strength = best_strength(early, looks)
        found = likelihoods(late, looks, fit_attractions(early, looks, strength))
        base = found if base is None else base
        gain = found - base
        p = stats.ttest_1samp(gain, 0).pvalue if gain.any() else 1.0
        error = gain.std() / len(gain) ** 0.5
        print(f"| {name} | {found.mean():.4f} | {gain.mean():+.4f} ± {error:.4f} | {p:.2g} | {strength:g} |")


def read_grades(folder: Path) -> dict[tuple[int, int], int]:
    """Grades by the log's query id, of the queries that are surely the same in both files."""
    names: dict[int, int] = {}
    with (folder / "query_id_map.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if int(row["runner_up_matched"]) <= MOST_AMBIGUOUS * int(row["urls_matched"]):
                names[int(row["relevance_query_id"])] = int(row["log_query_id"])
    grades = {}
    for line in (folder / "CLARA2QueryUrlRelevance_beta").read_text(encoding="utf-8").splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[0].isdigit() and int(parts[0]) in names:
            grades[names[int(parts[0])], int(parts[1])] = int(parts[2])
    return grades


def concordance(scores: np.ndarray, grades: np.ndarray) -> float:
    """The share of pairs of different grades that the scores order rightly; ties count half."""
    better = grades[:, None] > grades[None]
    return float((np.sign(scores[:, None] - scores[None])[better] + 1).mean() / 2)


def result_rates(pages: Pages, theta: np.ndarray, by_rank: np.ndarray) -> dict[tuple[int, int], float]:
    """Clicks per look by (query, result), drawn towards `by_rank` (PAGE,) at the places where it was shown, as
    strongly as makes the clicks likeliest."""
    keys = np.stack([np.repeat(pages.query, PAGE), pages.results.ravel()])
    different, pair = np.unique(keys, axis=1, return_inverse=True)
    place = np.tile(np.arange(PAGE), len(pages.query))
    shown, clicks = np.bincount(pair), np.bincount(pair, pages.clicked.ravel())
    promised, looks = np.bincount(pair, by_rank[place]) / shown, np.bincount(pair, theta[place])
    rates = gamma_posterior(promised, looks, clicks, fit_kappa(promised, looks, clicks))
    return dict(zip(map(tuple, different.T.tolist()), rates.tolist(), strict=True))


def compare_rates(pages: Pages, grades: dict[tuple[int, int], int]) -> None:
    """Raw and debiased rates, drawn towards their mean or towards what a rank promises, against the grades."""
    theta, as_clicked = measure_propensities(cells_of(pages)).theta[:PAGE], np.ones(PAGE)
    seen, clicked, ranks = np.full(PAGE, float(len(pages.query))), pages.clicked.sum(axis=0), np.arange(PAGE)
    ways: dict[str, dict[tuple[int, int], float]] = {"the order shown": {}}
    for name, looks in (("raw", as_clicked), ("debiased", theta)):
        mean = np.full(PAGE, clicked.sum() / (seen * looks).sum())
        promised = mean * rates_by_rank(ranks, seen * looks * mean, clicked)[:PAGE]
        ways[f"{name}, drawn to the mean"] = result_rates(pages, looks, mean)
        ways[f"{name}, drawn to what the rank promises"] = result_rates(pages, looks, promised)
    found: dict[str, list[float]] = {name: [] for name in ways}
    for query in np.unique(pages.query):
        mine = pages.where(pages.query == query)
        urls = [url for url in np.unique(mine.results).tolist() if (query, url) in grades]
        graded = np.array([grades[query, url] for url in urls])
        if not mine.clicked.any() or len(np.unique(graded)) < 2:
            continue
        for name, rates in ways.items():
            shown = [-float(np.nonzero(mine.results == url)[1].mean()) for url in urls]
            scores = [rates[query, url] for url in urls] if rates else shown
            found[name].append(concordance(np.array(scores), graded))
    base = np.array(found["the order shown"])
    print(f"\n{len(base)} queries with clicks and different grades")
    print("| order | pairs ordered rightly | against the order shown | paired t | Wilcoxon |\n|---|---|---|---|---|")
    for name, values in found.items():
        gain = np.array(values) - base
        tests = (stats.ttest_1samp(gain, 0).pvalue, stats.wilcoxon(gain).pvalue) if gain.any() else (1.0, 1.0)
        print(f"| {name} | {np.mean(values):.3f} | {gain.mean():+.4f} | p {tests[0]:.2g} | p {tests[1]:.2g} |")
    print("\n| debiased against raw | pairs ordered rightly | paired t | Wilcoxon | queries better / worse |")
    print("|---|---|---|---|---|")
    for prior in ("drawn to the mean", "drawn to what the rank promises"):
        gain = np.array(found[f"debiased, {prior}"]) - np.array(found[f"raw, {prior}"])
        tests = stats.ttest_1samp(gain, 0).pvalue, stats.wilcoxon(gain).pvalue
        counts = f"{int((gain > 0).sum())} / {int((gain < 0).sum())}"
        error = gain.std(ddof=1) / len(gain) ** 0.5
        print(f"| {prior} | {gain.mean():+.4f} ± {error:.4f} | p {tests[0]:.2g} | p {tests[1]:.2g} | {counts} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    pages = read_pages(folder / "CLARA2SearchLog_beta")
    is_early = np.arange(len(pages.query)) < len(pages.query) * 3 // 4
    print(f"{len(pages.query):,} pages, {int(pages.clicked.sum()):,} clicks")
    compare_models(pages.where(is_early), pages.where(~is_early))
    compare_rates(pages, read_grades(folder))


if __name__ == "__main__":
    main()
