"""What the service remembers of the items that it scores: metrics, group statistics and the rollout log."""

import logging
import os
import socket
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from ..scoring.items import Fault, Item, Result, Scored
from .rollout import make_rollout
from .statistics import Statistics

LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
log = logging.getLogger("reward_service")


class Metrics(Collector):
    """Counts of items and requests since the process started, by task and outcome; task "" counts items that were not scored."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))  # `score_sum` is their sum
        self.registry = registry = CollectorRegistry()
        registry.register(self)
        labels = ["route", "status"]
        seconds = Histogram("videossr_request_seconds", "Time to answer", labels, registry=registry, buckets=LATENCIES)
        self.seconds = cache(seconds.labels)
        self.in_flight = 0
        Gauge("videossr_in_flight_requests", "Requests being answered", registry=registry).set_function(lambda: self.in_flight)

    def record(self, results: Iterable[Result]) -> None:
        for result in results:
            if isinstance(result, Fault):
                self.items[""][result.error.type] += 1
                continue
            score, counts = result.score, self.items[result.task]
            counts["unparseable" if not result.parsed else "perfect" if score == 1 else "partial" if score else "zero"] += 1
            counts["score_sum"] += score

    def collect(self) -> Iterable[Metric]:
        items = CounterMetricFamily("videossr_items", "Items by task and outcome", labels=["task", "outcome"])
        scores = CounterMetricFamily("videossr_score_sum", "Sum of smooth scores by task", labels=["task"])
        for task, counts in self.items.items():
            scores.add_metric([task], counts.get("score_sum", 0.0))
            for outcome in counts.keys() - {"score_sum"}:
                items.add_metric([task, outcome], counts[outcome])
        return items, scores


class Monitor:
    """The monitor of one process. It forgets all at its end, but for the rollout log, which `videossr diagnose` reads."""

    def __init__(self, max_groups: int, rollout_log: Path | None = None) -> None:
        self.metrics = Metrics()
        self._statistics = Statistics(max_groups)
        self._log_file = None if rollout_log is None else os.open(rollout_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._owner = {"process": f"{socket.gethostname()}:{os.getpid()}", "since": started}
        self._summary: bytes | None = None  # shared by all viewers until the next item

    def record(self, items: Sequence[Item | Fault], results: Sequence[Result], run: str) -> None:
        """Count results, and the rollouts of groups among them for their training run."""
        self._summary = None
        self.metrics.record(results)
        rollouts = [
            make_rollout(item, result, run)
            for item, result in zip(items, results, strict=True)
            if isinstance(item, Item) and isinstance(result, Scored) and item.group is not None
        ]
        self._statistics.add(rollouts)
        if self._log_file is not None and rollouts:
            try:
                os.write(self._log_file, msgspec.json.Encoder().encode_lines(rollouts))
            except OSError as error:  # a full disk must not stop a training run
                log.error("rollouts not logged", extra={"rollouts": len(rollouts), "error": str(error)})

    def summary(self) -> bytes:
        """Statistics by run, task and level, and item counts, as JSON; `process` and `since` say whose they are."""
        if self._summary is None:
            counts = {"runs": self._statistics.summary(), "items": self.metrics.items}
            self._summary = msgspec.json.encode({**self._owner, **counts})
        return self._summary
