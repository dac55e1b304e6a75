"""What the service remembers of the items that it scores: metrics, group statistics and the rollout log."""

import logging
import os
import socket
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..scoring.items import Fault, Item, Result, Scored
from .rollout import make_rollout
from .statistics import Statistics

LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
log = logging.getLogger("reward_service")


class Metrics:
    """Counts of items and requests since the process started."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._items = Counter("videossr_items", "Items by task and outcome", ["task", "outcome"], registry=registry)
        self._scores = Counter("videossr_score_sum", "Sum of smooth scores by task", ["task"], registry=registry)
        text = "Time to answer, by route and status"
        self.seconds = Histogram("videossr_request_seconds", text, ["route", "status"], registry=registry, buckets=LATENCIES)
        self.in_flight = Gauge("videossr_in_flight_requests", "Requests being answered", registry=registry)

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
            counts = {"runs": self._statistics.summary(), "items": self.metrics.item_counts()}
            self._summary = msgspec.json.encode({**self._owner, **counts})
        return self._summary
