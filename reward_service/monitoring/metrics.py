"""Prometheus metrics of one process."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..scoring.items import Fault, Result

LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"


class Metrics:
    """Counts of items and requests since the process started."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._items = Counter("videossr_items", "Items by task and outcome", ["task", "outcome"], registry=self._registry)
        self._scores = Counter("videossr_score_sum", "Sum of smooth scores by task", ["task"], registry=self._registry)
        self._seconds = Histogram("videossr_request_seconds", "Time to answer, by route and status", ["route", "status"],
                                  registry=self._registry, buckets=LATENCIES)  # fmt: skip
        self.in_flight = Gauge("videossr_in_flight_requests", "Requests being answered", registry=self._registry)
        self.lag = Gauge("videossr_event_loop_lag_seconds", "How late the event loop wakes", registry=self._registry)

    def record_request(self, route: str, status: int, seconds: float) -> None:
        self._seconds.labels(route, str(status)).observe(seconds)

    def record_results(self, results: Iterable[Result]) -> None:
        """Count results, with one increment for each task and outcome."""
        outcomes: dict[tuple[str, str], int] = {}
        sums: dict[str, float] = {}
        for result in results:
            if isinstance(result, Fault):
                key = ("", result.error.type)
            else:
                score = result.score
                outcome = "unparseable" if not result.parsed else "perfect" if score == 1 else "partial" if score else "zero"
                key = (result.task, outcome)
                sums[result.task] = sums.get(result.task, 0.0) + score
            outcomes[key] = outcomes.get(key, 0) + 1
        for labels, count in outcomes.items():
            self._items.labels(*labels).inc(count)
        for task, total in sums.items():
            self._scores.labels(task).inc(total)

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self._registry)

    def item_counts(self) -> dict[str, dict[str, float]]:
        """`{task: {outcome: count}}`, with the sum of smooth scores as `score_sum`. Task "" counts items that were not scored."""
        counts: dict[str, dict[str, float]] = {}
        for metric, suffix in ((self._items, "_total"), (self._scores, "_total")):
            for sample in next(iter(metric.collect())).samples:
                if sample.name.endswith(suffix):
                    counts.setdefault(sample.labels["task"], {})[sample.labels.get("outcome", "score_sum")] = sample.value
        return counts
