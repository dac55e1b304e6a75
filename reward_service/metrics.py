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
FILE_BYTES = 1 << 20  # more than all routes and tasks take
TEXT = "text/plain; version=1.0.0; charset=utf-8"


class Metrics:
    """What operators watch. All workers of a server share the folder."""

    def __init__(self, folder: Path) -> None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        self.folder = folder
        worker = os.getpid()  # once: prometheus_client would ask the system at each addition
        values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]

        for kind in ("counter", "histogram", "gauge_livesum", "gauge_livemax"):
            _allocate(folder / f"{kind}_{worker}.db")
        own = CollectorRegistry()
        self._items = Counter("videossr_items", "Items by task and outcome", ["task", "outcome"], registry=own)
        self._scores = Counter("videossr_score_sum", "Sum of smooth scores by task", ["task"], registry=own)
        self._seconds = Histogram("videossr_request_seconds", "Time to answer, by route and status", ["route", "status"],
                                  registry=own, buckets=LATENCIES)  # fmt: skip
        self._lost = Counter("videossr_stats_lost", "Rollouts scored, yet not in the statistics", registry=own)
        gauges: dict[str, Any] = {"registry": own, "multiprocess_mode": "livesum"}
        self._in_flight = Gauge("videossr_in_flight_requests", "Requests being answered", **gauges)
        self._queued = Gauge("videossr_queued_items", "Items accepted and not yet scored", **gauges)
        self._lag = Gauge("videossr_event_loop_lag_seconds", "How late the event loop wakes, worst worker",
                          registry=own, multiprocess_mode="livemax")  # fmt: skip
        self.in_flight = 0
        self.queued = 0
        self.lag = 0.0
        self._bound: dict[tuple[int | str, ...], Any] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        self._child(self._seconds, route, str(status)).observe(seconds)

    def scored(self, results: Iterable[Result]) -> None:
        """Count a request's smoothly scored items: one addition for each task and outcome, not for each item."""
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
        for (task, outcome), number in outcomes.items():
            self._child(self._items, task, outcome).inc(number)
        for task, total in sums.items():
            self._child(self._scores, task).inc(total)

    def lost(self, rollouts: int) -> None:
        self._lost.inc(rollouts)

    def sample(self) -> None:
        """Publish what changes too often to be written at each change."""
        self._in_flight.set(self.in_flight)
        self._queued.set(self.queued)
        self._lag.set(self.lag)

    def text(self) -> bytes:
        """The exposition, summed over all workers."""
        return generate_latest(self._collected())

    def items(self) -> dict[str, dict[str, float]]:
        """`{task: {outcome: number}}`, and under `score_sum` the sum of smooth scores; "" holds what named no known task."""
        found: dict[str, dict[str, float]] = {}
        for family in self._collected().collect():
            for sample in family.samples:
                if sample.name == "videossr_items_total":
                    found.setdefault(sample.labels["task"], {})[sample.labels["outcome"]] = sample.value
                elif sample.name == "videossr_score_sum_total":
                    found.setdefault(sample.labels["task"], {})["score_sum"] = sample.value
        return found

    def _collected(self) -> Any:
        for path in self.folder.glob("gauge_live*_*.db"):
            if not _alive(int(path.stem.rsplit("_", 1)[1])):
                path.unlink(missing_ok=True)  # what a killed worker had in flight
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self.folder))  # type: ignore[no-untyped-call]
        return registry

    def _child(self, metric: Any, *labels: str) -> Any:
        key: tuple[int | str, ...] = (id(metric), *labels)
        child = self._bound.get(key)
        if child is None:
            child = self._bound[key] = metric.labels(*labels)
        return child


def _allocate(path: Path) -> None:
    """Take a file's space now: a disk that is full later would end the process, which maps it into memory."""
    if not path.exists():
        path.write_bytes(bytes(FILE_BYTES))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
