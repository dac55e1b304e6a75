"""Scores items for every protocol, and monitors what it scored."""

from collections.abc import Sequence
from importlib import import_module

from dataset_builder import tasks

from .monitoring.monitor import Monitor
from .protocols.messages import Refusal
from .scoring.items import Fault, Item, Mode, Result
from .scoring.score import score_items
from .settings import Settings


class Service:
    """The scorer and the monitor of one process.

    Raises:
        UsageError: if a module of `imports` cannot be imported.
    """

    def __init__(self, settings: Settings) -> None:
        for module in settings.import_names:
            try:
                import_module(module)
            except ImportError as error:
                raise tasks.UsageError(f"imports={module!r}: {error}; it must be on PYTHONPATH") from None
        self.settings = settings
        self.monitor = Monitor(settings.stats_groups, settings.rollout_log, settings.log_text)

    async def score(self, items: Sequence[Item | Fault], mode: Mode, run: str = "") -> list[Result]:
        """Score items in order, in a training run. An item that is a Fault already is returned as it is.

        Raises:
            Refusal: 413 if there are more than `max_batch` items.
        """
        if len(items) > self.settings.max_batch:
            raise Refusal(413, "batch_too_large", f"{len(items)} items; allowed: {self.settings.max_batch} in one request")
        results = await score_items(items, mode, self.settings.max_response_chars)
        self.monitor.record(items, results, run)
        return results


def check_ready() -> None:
    """Score each task's blind answer against itself. Raises if that fails or does not give a score of 1."""
    for name in tasks.names():
        task = tasks.get(name)
        answer = task.chance(task.params("medium"), 48).blind.format()
        if task.score(answer, answer).score != 1:
            raise RuntimeError(f"task {name} does not score its own ground truth as 1")
