"""The registry of tasks. Any module of this package that ends in `TASK = …` is in it; `register` adds one from elsewhere."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from .answers import Answer, Chance, Score
from .base import Plan, Task, Unsolvable, item_rng
from .clip_stats import ClipStats
from .edits import EditList
from .levels import LEVELS, Level, nearest

__all__ = [
    "LEVELS", "Answer", "Chance", "ClipStats", "EditList", "Level", "Plan", "Score", "Task", "UnknownTask", "Unsolvable",
    "get", "item_rng", "names", "register",
]  # fmt: skip

PREFIX = "videossr/"  # how a row's data_source names its task


class UnknownTask(ValueError):
    """No task has this name; the message names the nearest."""


@cache
def _registry() -> dict[str, Task]:
    found = {}
    for module in pkgutil.iter_modules(__path__):
        task = getattr(importlib.import_module(f"{__name__}.{module.name}"), "TASK", None)
        if task is not None:
            found[task.name] = task
    return found


def register(task: Task) -> None:
    """Add a task that lives outside this package. Worker processes that are spawned must import its module too."""
    _registry()[task.name] = task


def names() -> list[str]:
    """All task names, sorted."""
    return sorted(_registry())


def get(name: str) -> Task:
    """The task of this name, with or without the `videossr/` of a row's data_source.

    Raises:
        UnknownTask: naming what there is.
    """
    key = name.removeprefix(PREFIX) if isinstance(name, str) else name
    try:
        return _registry()[key]
    except (KeyError, TypeError):
        raise UnknownTask(f"task={name!r} is unknown; {nearest(str(key), names())}") from None
