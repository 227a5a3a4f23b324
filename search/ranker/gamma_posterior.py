"""Combines expected click rates with a query's own clicks (Gamma posterior), and blends the result with a prior."""

import numpy as np

from magpie.search.ranker.first_stage_arrays import DEPTH

_LEVEL_PRIOR = 3.0  # clicks by which a query's level is drawn towards the usual one
_KAPPAS = np.exp(np.linspace(np.log(0.3), np.log(300), 40))
_HALF_KNOWN = 30.0  # exposures of a query that take half of that
_OF_KNOWN = 0.9  # of the first stage's share, which a query's own exposures may take
_BEYOND = 0.999  # a rank further down, below the ranks that were shown


def level(relative: np.ndarray, exposure: np.ndarray, clicks: np.ndarray, usual_rate: float) -> float:
    """The rate by which a query's relative rates are multiplied, drawn towards the usual rate."""
    return float((clicks.sum() + _LEVEL_PRIOR) / ((exposure * relative).sum() + _LEVEL_PRIOR / usual_rate))


def gamma_posterior(mean: np.ndarray, exposure: np.ndarray, clicks: np.ndarray, kappa: float) -> np.ndarray:
    """(n,) mean of the Gamma posterior of Poisson rates: kappa exposures at the expected rate, then those seen."""
    return (clicks + kappa * mean) / (exposure + kappa)


def fit_kappa(mean: np.ndarray, exposure: np.ndarray, clicks: np.ndarray) -> float:
    """The prior strength under which the clicks are likeliest: empirical Bayes, negative binomial."""
    from scipy.special import gammaln  # here: a server that has no ranker does without it

    seen = exposure > 0
    mean, exposure, clicks = mean[seen], exposure[seen], clicks[seen]

    def likelihood(kappa: float) -> float:

        shape = kappa * mean
        counts = gammaln(shape + clicks) - gammaln(shape)
        return float(
            (counts + shape * np.log(kappa / (kappa + exposure)) + clicks * np.log(exposure / (kappa + exposure))).sum()
        )

    return float(max(_KAPPAS, key=likelihood))


def rates_by_rank(rank: np.ndarray, expected: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    """(DEPTH,) relative click rate by first-stage rank (0-based): never rising, nearly flat beyond the ranks shown."""
    from scipy.optimize import isotonic_regression  # here: a server that has no ranker does without it

    sums = [np.bincount(rank, x, DEPTH) for x in (expected, clicks)]
    seen = np.flatnonzero(sums[0] > 0)
    if not len(seen):
        return np.ones(DEPTH)
    falling = isotonic_regression(
        (sums[1][seen] + 1) / (sums[0][seen] + 1), weights=sums[0][seen] + 1, increasing=False
    ).x
    steps = np.maximum(np.arange(DEPTH) - seen[-1], 0)
    return np.maximum(np.interp(np.arange(DEPTH), seen, falling), 1e-4) * _BEYOND**steps


def guarded(rates: np.ndarray, prior: np.ndarray, weight: float) -> np.ndarray:
    """(n,) scores: the weighted mean of the logarithm of the posterior rates and of the prior."""
    return weight * np.log(np.maximum(rates, 1e-9)) + (1 - weight) * prior


def learned_weight(new_share: float, query_exposure: float, num_clicks: float) -> float:
    """The weight of the posterior in the score: `new_share` for new queries, more with the exposures of the query, and
    all of it less while the log has few clicks."""
    more = _OF_KNOWN * (1 - new_share) * query_exposure / (query_exposure + _HALF_KNOWN)
    return (new_share + more) * ramp(num_clicks)


def ramp(num_clicks: float) -> float:
    """From 0 to 1: the trust in a log with so many clicks."""
    return num_clicks / (num_clicks + 2_000)
