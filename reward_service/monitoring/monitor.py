"""What the service remembers of the items that it scores: metrics, group statistics and the rollout log."""

import logging
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ..scoring.items import Fault, Item, Result
from .metrics import Metrics
from .rollout import Rollout, make_rollout
from .statistics import Statistics

log = logging.getLogger("reward_service")


class Monitor:
    """The monitor of one process. It forgets all at its end, but for the rollout log, which `videossr diagnose` reads."""

    def __init__(self, max_groups: int, rollout_log: Path | None = None, log_text: bool = False) -> None:
        self.metrics = Metrics()
        self._statistics = Statistics(max_groups)
        self._log_text = log_text
        self._log_file = None if rollout_log is None else os.open(rollout_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self._owner = {"process": f"{socket.gethostname()}:{os.getpid()}", "since": started}
        self._summary: bytes | None = None  # shared by all viewers until the next item

    def record(self, items: Sequence[Item | Fault], results: Sequence[Result], run: str) -> None:
        """Count results, and the rollouts of groups among them for their training run."""
        self._summary = None
        self.metrics.record(results)
        rollouts: list[Rollout] = []
        for item, result in zip(items, results, strict=True):
            if isinstance(item, Fault):
                continue
            if isinstance(result, Fault):
                if self._log_text:
                    log.info("item not scored", extra={"error": result.error.message, "response": item.response})
            elif item.group is not None:
                rollouts.append(make_rollout(item, result, run))
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
