"""Prometheus metrics, shared by all workers of a server through prometheus_client's multiprocess files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

from .items import Fault, Result

LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
FILE_BYTES = 1 << 20  # more than the metrics of all routes and tasks need
CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"


class Metrics:
    """The metrics of one worker. All workers of a server share the folder."""

    def __init__(self, folder: Path) -> None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        self.folder = folder
        pid = os.getpid()  # read once: prometheus_client would make a system call at each increment
        values.ValueClass = values.MultiProcessValue(lambda: pid)  # type: ignore[no-untyped-call]

        for kind in ("counter", "histogram", "gauge_livesum", "gauge_livemax"):
            _allocate(folder / f"{kind}_{pid}.db")
        registry = CollectorRegistry()
        self._items = Counter("videossr_items", "Items by task and outcome", ["task", "outcome"], registry=registry)
        self._scores = Counter("videossr_score_sum", "Sum of smooth scores by task", ["task"], registry=registry)
        self._seconds = Histogram("videossr_request_seconds", "Time to answer, by route and status", ["route", "status"],
                                  registry=registry, buckets=LATENCIES)  # fmt: skip
        self._lost = Counter("videossr_stats_lost", "Rollouts scored, yet not in the statistics", registry=registry)
        gauges: dict[str, Any] = {"registry": registry, "multiprocess_mode": "livesum"}
        self._in_flight = Gauge("videossr_in_flight_requests", "Requests being answered", **gauges)
        self._queued = Gauge("videossr_queued_items", "Items accepted and not yet scored", **gauges)
        self._lag = Gauge("videossr_event_loop_lag_seconds", "How late the event loop wakes, worst worker",
                          registry=registry, multiprocess_mode="livemax")  # fmt: skip
        self.in_flight = 0
        self.queued = 0
        self.lag = 0.0
        self._labelled_metrics: dict[tuple[int | str, ...], Any] = {}

    def record_request(self, route: str, status: int, seconds: float) -> None:
        self._labelled(self._seconds, route, str(status)).observe(seconds)

    def record_results(self, results: Iterable[Result]) -> None:
        """Count results, whose `score` must be the smooth score. One increment per task and outcome, as increments are slow."""
        outcomes: dict[tuple[str, str], int] = {}
        sums: dict[str, float] = {}
        for result in results:
            if isinstance(result, Fault):
                key = ("", result.error.type)
            else:
                value = result.score
                outcome = "unparseable" if not result.parsed else "perfect" if value == 1 else "partial" if value else "zero"
                key = (result.task, outcome)
                sums[result.task] = sums.get(result.task, 0.0) + value
            outcomes[key] = outcomes.get(key, 0) + 1
        for (task, outcome), count in outcomes.items():
            self._labelled(self._items, task, outcome).inc(count)
        for task, total in sums.items():
            self._labelled(self._scores, task).inc(total)

    def record_lost(self, rollouts: int) -> None:
        self._lost.inc(rollouts)

    def publish_gauges(self) -> None:
        """Write the gauges to the shared files. Their values change too often to write each change."""
        self._in_flight.set(self.in_flight)
        self._queued.set(self.queued)
        self._lag.set(self.lag)

    def exposition(self) -> bytes:
        """The Prometheus text format, summed over all workers."""
        return generate_latest(self._collect_workers())

    def item_counts(self) -> dict[str, dict[str, float]]:
        """`{task: {outcome: count}}`, with the sum of smooth scores as `score_sum`. Task "" counts items that were not scored."""
        counts: dict[str, dict[str, float]] = {}
        for family in self._collect_workers().collect():
            for sample in family.samples:
                if sample.name == "videossr_items_total":
                    counts.setdefault(sample.labels["task"], {})[sample.labels["outcome"]] = sample.value
                elif sample.name == "videossr_score_sum_total":
                    counts.setdefault(sample.labels["task"], {})["score_sum"] = sample.value
        return counts

    def _collect_workers(self) -> Any:
        for path in self.folder.glob("gauge_live*_*.db"):
            if not _is_alive(int(path.stem.rsplit("_", 1)[1])):
                path.unlink(missing_ok=True)  # gauges of a killed worker
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self.folder))  # type: ignore[no-untyped-call]
        return registry

    def _labelled(self, metric: Any, *labels: str) -> Any:
        key: tuple[int | str, ...] = (id(metric), *labels)
        child = self._labelled_metrics.get(key)
        if child is None:
            child = self._labelled_metrics[key] = metric.labels(*labels)
        return child


def _allocate(path: Path) -> None:
    """Reserve the file's disk space. The process maps the file into memory, and would crash if the disk were full later."""
    if not path.exists():
        path.write_bytes(bytes(FILE_BYTES))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
