"""The registry of tasks.

It holds every module of this package that ends in `TASK = …`, and every task that an installed package names in the entry-point
group `videossr.tasks`. The modules in the environment variable VIDEOSSR_IMPORTS (comma-separated) are imported in every process
that looks up a task, workers included, so that they can `register` theirs.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from functools import cache

from .answers import Answer, Chance, Score
from .base import Plan, Task, item_rng
from .edits import EditList
from .errors import UnknownTask, Unsolvable, UsageError, nearest
from .levels import LEVELS, Level
from .statistics import ClipStats

__all__ = [
    "LEVELS", "Answer", "Chance", "ClipStats", "EditList", "Level", "Plan", "Score", "Task", "UnknownTask", "Unsolvable",
    "UsageError", "get", "item_rng", "names", "register",
]  # fmt: skip

PREFIX = "videossr/"  # of the task name in a row's data_source
ENTRY_POINTS = "videossr.tasks"
IMPORTS = "VIDEOSSR_IMPORTS"


def register(task: Task) -> None:
    """Add a task from outside this package; raises UsageError if it is no Task, or if another task has its name."""
    if not isinstance(task, Task):
        raise UsageError(f"{task!r} is no task; register an instance of a subclass of dataset_builder.tasks.Task")
    other = _registered().get(task.name)
    if other is not None and type(other) is not type(task):
        raise UsageError(f"two tasks are called {task.name!r}: {type(other)} and {type(task)}; rename one")
    _registered()[task.name] = task


@cache
def _registered() -> dict[str, Task]:
    """The registry, empty until `_load` fills it."""
    return {}


@cache
def _load() -> None:
    """Register all tasks of this package, of entry points and of VIDEOSSR_IMPORTS, once."""
    from importlib.metadata import entry_points

    for module in pkgutil.iter_modules(__path__):
        task = getattr(importlib.import_module(f"{__name__}.{module.name}"), "TASK", None)
        if task is not None:
            register(task)
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            register(entry.load())
        except (ImportError, AttributeError) as error:
            package = entry.dist.name if entry.dist else "?"
            raise UsageError(f"the task {entry.name!r} of the package {package!r} cannot be loaded: {error}") from error
    for name in filter(None, os.environ.get(IMPORTS, "").split(",")):
        try:
            importlib.import_module(name.strip())
        except ImportError as error:
            raise UsageError(f"imports={name.strip()!r}: {error}; it has to be on PYTHONPATH, or installed") from None


def names() -> list[str]:
    """All task names, sorted."""
    _load()
    return sorted(_registered())


def get(name: str) -> Task:
    """The task of this name, or of a row's data_source (`videossr/name`); raises UnknownTask, which lists the names."""
    key = name.removeprefix(PREFIX) if isinstance(name, str) else name
    _load()
    try:
        return _registered()[key]
    except (KeyError, TypeError):
        raise UnknownTask(f"task={name!r} is unknown; {nearest(str(key), names())}") from None
