"""Prometheus metrics of one process."""

from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..scoring.items import Fault, Result

LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """Counts of items and requests since the process started."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._items = Counter("videossr_items", "Items by task and outcome", ["task", "outcome"], registry=registry)
        self._scores = Counter("videossr_score_sum", "Sum of smooth scores by task", ["task"], registry=registry)
        text = "Time to answer, by route and status"
        self.seconds = Histogram("videossr_request_seconds", text, ["route", "status"], registry=registry, buckets=LATENCIES)
        self.in_flight = Gauge("videossr_in_flight_requests", "Requests being answered", registry=registry)
        self.lag = Gauge("videossr_event_loop_lag_seconds", "How late the event loop wakes", registry=registry)

    def record(self, results: Iterable[Result]) -> None:
        """Count results, with one increment for each task and outcome."""
        counts: dict[tuple[str, str], int] = defaultdict(int)
        sums: dict[str, float] = defaultdict(float)
        for result in results:
            if isinstance(result, Fault):
                counts["", result.error.type] += 1
                continue
            score = result.score
            outcome = "unparseable" if not result.parsed else "perfect" if score == 1 else "partial" if score else "zero"
            counts[result.task, outcome] += 1
            sums[result.task] += score
        for labels, count in counts.items():
            self._items.labels(*labels).inc(count)
        for task, total in sums.items():
            self._scores.labels(task).inc(total)

    def item_counts(self) -> dict[str, dict[str, float]]:
        """`{task: {outcome: count}}`, with the sum of smooth scores as `score_sum`. Task "" counts items that were not scored."""
        counts: dict[str, dict[str, float]] = defaultdict(dict)
        for counter in (self._items, self._scores):
            for sample in next(iter(counter.collect())).samples:
                if sample.name.endswith("_total"):
                    counts[sample.labels["task"]][sample.labels.get("outcome", "score_sum")] = sample.value
        return counts
