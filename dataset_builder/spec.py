"""What to build: every choice that a row depends on, checked before anything is decoded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from . import tasks
from .presets import Portion, Preset, preset
from .sampling import MODES, SIDE, Sampling
from .tasks import Level, Task
from .tasks.levels import Params, nearest

VIDEO_FORMATS = ("mp4", "jpeg")
_MAX_FRAMES = 4096
_MAX_SIDE = 4096


@dataclass(frozen=True)
class PreparedPortion:
    """A portion of the mixture with its task, level and parameters resolved."""

    name: str
    task: Task
    level: Level
    params: Params
    metric: str


@dataclass(frozen=True)
class BuildSpec:
    """The choices behind a dataset. The same names serve as keyword, flag and configuration field.

    Attributes:
        config: a preset's name, or a task's.
        seed: any integer from 0 up.
        difficulty: `easy | medium | hard | extreme`, a number in [0, 1], or None for the preset's own.
        samples: how many rows in all; None for the preset's number.
        per_video: for presets without a number: rows of each portion from every video.
        frames: T, sampled from the middle 90 % of each video.
        max_pixels: most pixels a frame; sides are multiples of 64.
        sampling: `exact`, or `keyframe` (much cheaper, uneven times).
        video_format: `mp4`, or `jpeg` for lists of images.
        system_prompt: put before the question unless empty.
        overrides: task parameters by name, `clips` for every task that has it or `jigsaw.clips` for one.

    Raises:
        ValueError: naming the field, the value and what is allowed.
    """

    config: str = "mixed"
    seed: int = 0
    difficulty: str | float | None = None
    samples: int | None = None
    per_video: int = 1
    frames: int = 48
    max_pixels: int = 256 * 256
    sampling: str = "exact"
    video_format: str = "mp4"
    system_prompt: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_integer("seed", 0, 2**63 - 1)
        self._check_integer("per_video", 1, 10**9)
        self._check_integer("frames", 2, _MAX_FRAMES)
        self._check_integer("max_pixels", SIDE * SIDE, _MAX_SIDE * _MAX_SIDE)
        if self.samples is not None:
            self._check_integer("samples", 1, 10**12)
        self._check_choice("sampling", MODES)
        self._check_choice("video_format", VIDEO_FORMATS)
        if not isinstance(self.system_prompt, str):
            raise ValueError(f"system_prompt={self.system_prompt!r} is not allowed; allowed: text, empty for none")
        if not isinstance(self.overrides, Mapping):
            raise ValueError(f"overrides={self.overrides!r} is not allowed; allowed: a mapping of parameter names to values")
        if self.difficulty is not None:
            Level.of(self.difficulty)
            if all(portion.difficulty for portion in self.preset.portions):
                raise ValueError(f"difficulty={self.difficulty!r} is not allowed; {self.config} fixes its levels")
        self.portions  # noqa: B018 - resolves and so checks every parameter

    def _check_integer(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name}={value!r} is not allowed; allowed: an integer from {low} to {high}")

    def _check_choice(self, name: str, allowed: tuple[str, ...]) -> None:
        if getattr(self, name) not in allowed:
            raise ValueError(f"{name}={getattr(self, name)!r} is not allowed; {nearest(getattr(self, name), allowed)}")

    @property
    def preset(self) -> Preset:
        return preset(self.config)

    @property
    def total(self) -> int | None:
        """How many rows in all; None if that depends on the number of videos."""
        return self.samples if self.samples is not None else self.preset.total

    @property
    def clip_sampling(self) -> Sampling:
        return Sampling(self.frames, self.max_pixels, self.sampling)

    @cached_property
    def portions(self) -> tuple[PreparedPortion, ...]:
        known: set[str] = set()
        prepared = tuple(self._prepare(portion, known) for portion in self.preset.portions)
        unknown = sorted(set(self.overrides) - known)
        if unknown:
            names = sorted(
                {name for part in prepared for knob in part.task.knobs for name in (knob.name, f"{part.task.name}.{knob.name}")}
            )
            raise ValueError(
                f"{unknown[0]}={self.overrides[unknown[0]]!r} is not a parameter of {self.config}; {nearest(unknown[0], names)}"
            )
        return prepared

    def _prepare(self, portion: Portion, known: set[str]) -> PreparedPortion:
        task = tasks.get(portion.task)
        level = Level.of(portion.difficulty or (self.preset.difficulty if self.difficulty is None else self.difficulty))
        given = dict(portion.overrides)
        for knob in task.knobs:
            for name in (knob.name, f"{task.name}.{knob.name}"):
                if name in self.overrides:
                    if knob.name in portion.overrides:
                        raise ValueError(
                            f"{name}={self.overrides[name]!r} is not allowed; {portion.name} of {self.config} fixes it"
                        )
                    known.add(name)
                    given[knob.name] = self.overrides[name]
        params = task.params(level, given)
        fewest = task.min_frames(params)
        if self.frames < fewest:
            raise ValueError(
                f"frames={self.frames} is not allowed; {portion.name} at level {level.name} needs at least {fewest}"
            )
        return PreparedPortion(portion.name, task, level, params, portion.metric)

    def counts(self, videos: int) -> list[int]:
        """Rows of each portion, largest remainders first; for presets without a number, from this many videos."""
        if self.total is None:
            return [videos * self.per_video] * len(self.portions)
        weights = [portion.weight for portion in self.preset.portions]
        shares = [self.total * weight / sum(weights) for weight in weights]
        counts = [math.floor(share) for share in shares]
        order = sorted(range(len(shares)), key=lambda k: counts[k] - shares[k])
        for k in order[: self.total - sum(counts)]:
            counts[k] += 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `BuildSpec(**values)` makes the same spec; the same for every way to say it."""
        level = None if self.difficulty is None else Level.of(self.difficulty).value
        read = {}
        for name, value in sorted(self.overrides.items()):
            knobs = (knob for portion in self.portions for knob in portion.task.knobs)
            read[name] = next(knob.read(value) for knob in knobs if knob.name == name.rpartition(".")[2])
        return {**asdict(self), "difficulty": level, "overrides": read}

    @classmethod
    def field_names(cls) -> list[str]:
        return [field.name for field in fields(cls)]
