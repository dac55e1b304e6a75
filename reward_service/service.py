"""The scoring service that all protocols use: scores items, counts them, and records group statistics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from importlib import import_module
from time import perf_counter

from dataset_builder import tasks

from .body import BodyReader
from .draining import Draining
from .errors import Refusal
from .items import Fault, Item, Mode, Result, make_fault
from .metrics import Metrics
from .rollouts import to_rollout
from .scoring import score_item, to_mode
from .settings import Settings
from .shared_folder import get_shared_folder
from .stats import GroupStats
from .time_limit import TimeLimit, TimeLimitExceeded

SLICE_SECONDS = 0.002  # scoring lets other requests run after this time
MONITOR_SECONDS = 0.25
STATS_WAIT_SECONDS = 0.5  # longest time that a reply waits for its rollouts to be committed
log = logging.getLogger("reward_service")


class Service:
    """The scorer of one worker process. Counts and statistics are shared by all workers."""

    def __init__(self, settings: Settings) -> None:
        for module in settings.import_names:
            import_module(module)
        self.settings = settings
        self._folder = get_shared_folder(settings)
        self.metrics = Metrics(self._folder)
        self.bodies = BodyReader(settings.max_body_bytes, settings.body_seconds)
        self.draining = Draining(settings.linger_seconds)
        self._is_open = False
        self.open()

    def open(self) -> None:
        """Open statistics and timer if they are closed. An application may be started more than once."""
        if not self._is_open:
            path = self._folder / "groups.sqlite"
            self.stats = GroupStats(path, self.settings.stats_groups, self._log_lost_rollouts, STATS_WAIT_SECONDS)
            self._time_limit = TimeLimit(self.settings.item_seconds)
            self._is_open = True

    async def score(self, items: Sequence[Item | Fault], mode: Mode) -> list[Result]:
        """Score items in order. An item that is a Fault already is returned as it is.

        Raises:
            Refusal: 413 if there are more than `max_batch` items.
        """
        if len(items) > self.settings.max_batch:
            raise Refusal(413, "batch_too_large", f"{len(items)} items; allowed: {self.settings.max_batch} in one request")
        results: list[Result] = []
        self.metrics.queued += len(items)
        try:
            while True:
                self._score_slice(items, results)
                if len(results) == len(items):
                    break
                await asyncio.sleep(0)
        finally:
            self.metrics.queued -= len(items)
        self.metrics.record_results(results)
        await self._record(items, results)
        to_mode(results, mode)
        return results

    def _score_slice(self, items: Sequence[Item | Fault], results: list[Result]) -> None:
        time_limit, max_chars, log_text = self._time_limit, self.settings.max_response_chars, self.settings.log_text
        slice_end = perf_counter() + SLICE_SECONDS
        for item in items[len(results) :] if results else items:
            if isinstance(item, Fault):
                results.append(item)
                continue
            result: Result
            try:
                time_limit.start()
                result = score_item(item, max_chars)
                time_limit.stop()
            except TimeLimitExceeded:
                result = make_fault("time_limit", f"scoring took longer than {time_limit.seconds:g} s", item)
            except Exception:  # a custom task may raise anything; only this item fails
                time_limit.stop()
                log.exception("task failed", extra={"task": item.task or item.data_source})
                result = make_fault("internal", "the task's scorer failed; the server's log has the traceback", item)
            if log_text and isinstance(result, Fault):
                log.info("item not scored", extra={"error": result.error.message, "response": item.response})
            results.append(result)
            if perf_counter() > slice_end:
                return

    async def _record(self, items: Sequence[Item | Fault], results: Sequence[Result]) -> None:
        rollouts = [
            to_rollout(item, result)
            for item, result in zip(items, results, strict=True)
            if not isinstance(item, Fault) and item.group is not None and not isinstance(result, Fault)
        ]
        if rollouts:
            await self.stats.record(rollouts)

    def _log_lost_rollouts(self, rollouts: int, error: Exception) -> None:
        self.metrics.record_lost(rollouts)
        log.error("statistics lost", extra={"rollouts": rollouts, "error": repr(error)})

    def check_ready(self) -> None:
        """Score each task's blind answer against itself. Raises if that fails or does not give a score of 1."""
        for name in tasks.names():
            task = tasks.get(name)
            answer = task.chance(task.params("medium"), 48).blind.format()
            if task.score(answer, answer).score != 1:
                raise RuntimeError(f"task {name} does not score its own ground truth as 1")

    async def monitor(self) -> None:
        """Until cancelled: publish gauges, measure how late the event loop wakes, and cancel overdue body reads."""
        while True:
            due = perf_counter() + MONITOR_SECONDS
            await asyncio.sleep(MONITOR_SECONDS)
            self.metrics.lag = max(0.0, perf_counter() - due)
            self.metrics.publish_gauges()
            self.bodies.cancel_overdue()

    def close(self) -> None:
        """Close statistics and timer. `open` opens them again."""
        if self._is_open:
            self._is_open = False
            self.stats.close()
            self._time_limit.close()
