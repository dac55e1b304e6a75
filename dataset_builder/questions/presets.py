"""Presets: named mixtures of tasks. A dataset's configuration is named after a preset or a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .. import tasks
from ..tasks import LEVELS
from ..tasks.anomalies import DEFAULT_MIX
from ..tasks.errors import UsageError, nearest

Metric = Literal["score", "exact"]


@dataclass(frozen=True)
class Portion:
    """One part of a mixture.

    Attributes:
        name: its column in tables, and part of each row's file names.
        task: the task's name.
        weight: its share of the rows, relative to the other portions' weights.
        difficulty: its fixed level; None takes the build's.
        overrides: its fixed parameters, which replace those of the level.
        metric: which part of a Score its column reports.
    """

    name: str
    task: str
    weight: int = 1
    difficulty: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    metric: Metric = "score"


@dataclass(frozen=True)
class Preset:
    """A mixture.

    Attributes:
        total: number of rows; None makes one of each portion for every video.
        difficulty: the level of portions without a fixed one, unless the build sets it.
    """

    name: str
    doc: str
    portions: tuple[Portion, ...]
    total: int | None = None
    difficulty: str = "medium"


def _single(name: str) -> Preset:
    return Preset(name, f"The {name} task alone, one question a video.", (Portion(name, name),))


def _grounding_columns(names: tuple[str, ...], weight: int, level: str | None = None, **more: Any) -> tuple[Portion, ...]:
    return tuple(Portion(f"grounding_{n}", "grounding", weight, level, {"effects": (n,), **more}) for n in names)


def _mixed() -> Preset:
    names = _default_tasks()
    listed = f"{', '.join(names[:-1])} and {names[-1]}".capitalize()
    return Preset("mixed", f"{listed}, one of each a video.", tuple(Portion(name, name) for name in names))


def _suite() -> Preset:
    portions = tuple(Portion(name, name) for name in _suite_tasks())
    return Preset("suite", f"All {len(portions)} tasks in equal parts, one question of each a video.", portions)


def _every_level() -> tuple[Portion, ...]:
    return tuple(Portion(f"{name}_{level}", name, difficulty=level) for name in _suite_tasks() for level in LEVELS)


def _suite_bench() -> Preset:
    columns = _every_level()
    return Preset(
        "suite-bench",
        f"The suite's benchmark: every task at every level, {len(columns)} columns of 25.",
        columns,
        25 * len(columns),
    )


def _gallery() -> Preset:
    return Preset("gallery", "Every task at every level, one question of each a video.", _every_level())


def _suite_tasks() -> list[str]:
    return [name for name in tasks.names() if tasks.get(name).in_suite]


def _demo() -> Preset:
    names = _default_tasks()
    portions = tuple(Portion(f"{name}_{level}", name, difficulty=level) for name in names for level in ("easy", "hard"))
    return Preset("demo", "Every task at an easy and a hard level, two questions each.", portions, total=2 * len(portions))


def _default_tasks() -> list[str]:
    return [name for name in tasks.names() if tasks.get(name).in_mixed]


_VIDEOSSR_30K = Preset(
    "videossr-30k",
    "The paper's training mixture: 4 x 3k grounding, 12k jigsaw of 6 clips, 6k counting.",
    (*_grounding_columns(DEFAULT_MIX, 3000), Portion("jigsaw", "jigsaw", 12000), Portion("counting", "counting", 6000)),
    total=30_000,
    difficulty="easy",
)

_EASY_SIZES = {
    "min_size": 0.1,
    "max_size": 0.2,
    "contrast": 110.0,
}  # the paper's counting levels differ only in the number of shapes

_VIUBENCH = Preset(
    "viubench",
    "The paper's benchmark: 9 columns of 300 questions, with its levels and its strict metrics.",
    (
        Portion("counting_easy", "counting", difficulty="easy", metric="exact"),
        Portion("counting_hard", "counting", difficulty="hard", overrides=_EASY_SIZES, metric="exact"),
        *_grounding_columns(("channel_swap", "rotate_180", "zoom_out", "mirror", "shuffle"), 1, "easy", align=1),
        Portion("jigsaw_easy", "jigsaw", difficulty="easy", metric="exact"),
        Portion("jigsaw_hard", "jigsaw", difficulty="hard", metric="exact"),
    ),
    total=2_700,
    difficulty="easy",
)


def presets() -> dict[str, Preset]:
    """The mixtures by name, built from the tasks that are registered now."""
    return {
        preset.name: preset for preset in (_mixed(), _suite(), _VIDEOSSR_30K, _VIUBENCH, _suite_bench(), _gallery(), _demo())
    }


def preset(name: str) -> Preset:
    """The preset of this name, or the preset of a single task; raises UsageError listing the names for any other."""
    known = presets()
    if isinstance(name, str) and name in known:
        return known[name]
    if name in tasks.names():
        return _single(name)
    raise UsageError(f"preset={name!r} is unknown; {nearest(name, preset_names())}")


def preset_names() -> list[str]:
    """The mixtures, then the tasks, each of which is also a preset."""
    return [*presets(), *tasks.names()]
