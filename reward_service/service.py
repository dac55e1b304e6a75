"""Scores items for every protocol, and monitors what it scored."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from time import perf_counter

from dataset_builder import tasks

from .monitoring.monitor import Monitor
from .protocols.messages import Refusal
from .scoring.items import Fault, Item, Mode, Result
from .scoring.score import score_item
from .settings import Settings

SLICE_SECONDS = 0.002  # scoring lets other requests run after this time


class Service:
    """The scorer and the monitor of one process. Raises UsageError if a module of `imports` or a task is wrong."""

    def __init__(self, settings: Settings) -> None:
        for module in filter(None, map(str.strip, settings.imports.split(","))):
            try:
                import_module(module)
            except ImportError as error:
                raise tasks.UsageError(f"imports={module!r}: {error}; it must be on PYTHONPATH") from None
        self.settings = settings
        self.monitor = Monitor(settings.stats_groups, settings.rollout_log)
        for task in map(tasks.get, tasks.names()):
            answer = task.chance(task.params("medium"), 48).blind
            if task.score(answer.format(), answer.ground_truth()).score != 1:
                raise tasks.UsageError(f"task {task.name} does not score its own ground truth as 1")

    async def score(self, items: Sequence[Item | Fault], mode: Mode, run: str = "") -> list[Result]:
        """Score items in order, in a training run; raises Refusal 413 if there are more than `max_batch`.

        An item that is a Fault already is returned as it is. Other requests run in between.
        """
        if len(items) > self.settings.max_batch:
            raise Refusal(413, "batch_too_large", f"{len(items)} items; allowed: {self.settings.max_batch} in one request")
        results: list[Result] = []
        slice_end = perf_counter() + SLICE_SECONDS
        for item in items:
            results.append(item if isinstance(item, Fault) else score_item(item, mode))
            if (now := perf_counter()) > slice_end and len(results) < len(items):
                await asyncio.sleep(0)
                slice_end = now + SLICE_SECONDS
        self.monitor.record(items, results, run)
        return results
