"""A Prometheus histogram → the percentiles that it can tell, for people who have no Prometheus."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric


@dataclass(frozen=True)
class Latency:
    """Percentiles in milliseconds of `count` measurements since the server started; None above the last bucket."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def latency_of(histogram: Iterable[Metric]) -> Latency | None:
    """The percentiles of a collected histogram of seconds without labels, None before the first measurement."""
    samples = [one for metric in histogram for one in metric.samples if one.name.endswith("_bucket")]
    buckets = sorted((float(one.labels["le"]), int(one.value)) for one in samples)
    count = buckets[-1][1] if buckets else 0
    if not count:
        return None
    return Latency(count, *(_percentile(buckets, count, share) for share in (0.5, 0.95, 0.99)))


def _percentile(buckets: Sequence[tuple[float, int]], count: int, share: float) -> float | None:
    """Linear within the bucket that holds it, as Prometheus' histogram_quantile has it."""
    wanted, below, lower = share * count, 0, 0.0
    for upper, cumulative in buckets:
        if cumulative >= wanted:
            if upper == float("inf"):
                return None
            inside = (wanted - below) / max(cumulative - below, 1)
            return round(1000 * (lower + (upper - lower) * inside), 1)
        below, lower = cumulative, upper
    return None
