"""Scores items, counts them, remembers their groups. What every protocol stands on."""

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
from .items import Fault, Item, Mode, Result, fault
from .metrics import Metrics
from .rollouts import to_rollout
from .scoring import score_item, to_mode
from .settings import Settings
from .shared_folder import shared_folder
from .stats import GroupStats
from .time_limit import TimeLimit, TimeLimitExceeded

SLICE_SECONDS = 0.002  # then other requests have their turn
WATCH_SECONDS = 0.25
STATS_SECONDS = 0.5  # then a reply does not wait for its rollouts to be committed
log = logging.getLogger("reward_service")


class Service:
    """One worker's scorer. Its counts and statistics are those of all workers."""

    def __init__(self, settings: Settings) -> None:
        for module in settings.import_names:
            import_module(module)
        self.settings = settings
        self._folder = shared_folder(settings)
        self.metrics = Metrics(self._folder)
        self.bodies = BodyReader(settings.max_body_bytes, settings.body_seconds)
        self.draining = Draining(settings.linger_seconds)
        self._open = False
        self.open()

    def open(self) -> None:
        """Take hold of statistics and timer, unless this is done: an application may be started more than once."""
        if not self._open:
            path = self._folder / "groups.sqlite"
            self.stats = GroupStats(path, self.settings.stats_groups, self._lost, STATS_SECONDS)
            self._limit = TimeLimit(self.settings.item_seconds)
            self._open = True

    async def score(self, items: Sequence[Item | Fault], mode: Mode) -> list[Result]:
        """Score items in order; those that arrive as faults stay so.

        Raises:
            Refusal: 413 if they are too many.
        """
        if len(items) > self.settings.max_batch:
            raise Refusal(413, "batch_too_large", f"{len(items)} items; allowed: {self.settings.max_batch} a request")
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
        self.metrics.scored(results)
        await self._record(items, results)
        to_mode(results, mode)
        return results

    def _score_slice(self, items: Sequence[Item | Fault], results: list[Result]) -> None:
        limit, max_chars, log_text = self._limit, self.settings.max_response_chars, self.settings.log_text
        end = perf_counter() + SLICE_SECONDS
        for item in items[len(results) :] if results else items:
            if isinstance(item, Fault):
                results.append(item)
                continue
            result: Result
            try:
                limit.start()
                result = score_item(item, max_chars)
                limit.stop()
            except TimeLimitExceeded:
                result = fault("time_limit", f"scoring took longer than {limit.seconds:g} s", item)
            except Exception:  # somebody's own task may raise anything; it costs this item alone
                limit.stop()
                log.exception("task failed", extra={"task": item.task or item.data_source})
                result = fault("internal", "the task's scorer failed; the server's log says how", item)
            if log_text and isinstance(result, Fault):
                log.info("item not scored", extra={"error": result.error.message, "response": item.response})
            results.append(result)
            if perf_counter() > end:
                return

    async def _record(self, items: Sequence[Item | Fault], results: Sequence[Result]) -> None:
        rollouts = [
            to_rollout(item, result)
            for item, result in zip(items, results, strict=True)
            if not isinstance(item, Fault) and item.group is not None and not isinstance(result, Fault)
        ]
        if rollouts:
            await self.stats.record(rollouts)

    def _lost(self, rollouts: int, error: Exception) -> None:
        self.metrics.lost(rollouts)
        log.error("statistics lost", extra={"rollouts": rollouts, "error": repr(error)})

    def check(self) -> None:
        """Whether items can be scored; raises what stands in the way."""
        for name in tasks.names():
            task = tasks.get(name)
            answer = task.chance(task.params("medium"), 48).blind.format()
            if task.score(answer, answer).score != 1:
                raise RuntimeError(f"task {name} does not give its own truth a score of 1")

    async def watch(self) -> None:
        """Publish gauges, and how late the event loop wakes, and end what is overdue, until cancelled."""
        while True:
            due = perf_counter() + WATCH_SECONDS
            await asyncio.sleep(WATCH_SECONDS)
            self.metrics.lag = max(0.0, perf_counter() - due)
            self.metrics.sample()
            self.bodies.sweep()

    def close(self) -> None:
        if self._open:
            self._open = False
            self.stats.close()
            self._limit.close()
