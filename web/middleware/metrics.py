"""What the server measures about itself: for Prometheus, and percentiles for people who have none."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_BUCKETS_S = (0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """Counters of one application; a registry of its own, so that several applications fit in one process."""

    def __init__(self, status: Callable[[], dict[str, Any]], folder: Path | None = None) -> None:
        """`folder` is prometheus_client's PROMETHEUS_MULTIPROC_DIR where several workers count together."""
        self.registry = CollectorRegistry()
        self.since_s = time.time()
        self.request_seconds = Histogram(
            "magpie_request_seconds", "Time to answer, by route.", ["method", "route", "status"],
            buckets=_BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        self.searches = Counter(
            "magpie_searches", "Searches answered, by what was asked with and whether the answer was confident.",
            ["kind", "confident"], registry=self.registry,
        )  # fmt: skip
        self.search_seconds = Histogram(
            "magpie_search_seconds", "Time in the search engine alone.", buckets=_BUCKETS_S, registry=self.registry
        )
        self.events = Counter(
            "magpie_events", "Behaviour events, by what became of them.", ["outcome"], registry=self.registry
        )
        self.unlogged = Counter(
            "magpie_unlogged_searches", "Searches answered and not logged, for want of room in the log.",
            registry=self.registry,
        )  # fmt: skip
        self.errors = Counter("magpie_errors", "Answers of status 500 and above.", ["route"], registry=self.registry)
        self.refused = Counter(
            "magpie_refused", "Requests that never reached the application: too many at once, too large, too slow.",
            ["status"], registry=self.registry,
        )  # fmt: skip
        self._counted = self.registry
        if folder:
            self._counted = CollectorRegistry()
            MultiProcessCollector(self._counted, str(folder))  # type: ignore[no-untyped-call]
        self._own = CollectorRegistry()
        self._own.register(_IndexCollector(status))
        ProcessCollector(registry=self._own)

    def count_refusal(self, status: int) -> None:
        """Counts a request that was refused at the door."""
        self.refused.labels(str(status)).inc()

    def collect(self, name: str) -> list[Metric]:
        """What the metric of this name has counted, in all workers."""
        return [metric for metric in self._counted.collect() if metric.name == name]

    def render(self) -> bytes:
        """All of them in Prometheus' text format: counts of all workers, and this process's own figures."""
        return bytes(generate_latest(self._counted) + generate_latest(self._own))


class _IndexCollector(Collector):
    """Reads the engine's status when asked, so that no figure is older than the scrape."""

    def __init__(self, status: Callable[[], dict[str, Any]]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        yield InfoMetricFamily(
            "magpie_generation", "The published index that answers.",
            value={name: str(status.get(name) or "") for name in ("generation", "model", "fusion", "index", "ranker")},
        )  # fmt: skip
        yield GaugeMetricFamily("magpie_items", "Searchable items.", value=float(status.get("items") or 0))
        yield GaugeMetricFamily("magpie_alarms", "Things wrong with the index.", value=len(status.get("alarms") or []))

    def describe(self) -> list[Metric]:
        return []


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
