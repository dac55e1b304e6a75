"""What to build: every choice that rows depend on, checked before any video is decoded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from .. import tasks
from ..media.sampling import MODES, SIDE, Sampling
from ..tasks import Level, Task, UsageError
from ..tasks.errors import nearest
from ..tasks.levels import Knob, Params
from .presets import Portion, Preset, preset

VIDEO_FORMATS = ("mp4", "jpeg")
_MAX_FRAMES = 4096
_MAX_SIDE = 4096


def _choice(
    default: Any, doc: str, *, low: int | None = None, high: int | None = None, allowed: tuple[str, ...] | None = None
) -> Any:
    """A field that is also a command-line flag, with its help text and the integers or words that are allowed."""
    return field(default=default, metadata={"doc": doc, "low": low, "high": high, "allowed": allowed})


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
    """The choices behind a dataset: keywords of `load_dataset`, flags of `videossr build`.

    Raises:
        UsageError: naming the field, the value and what is allowed.
    """

    preset: str = _choice("mixed", "name of a preset or a task")
    seed: int = _choice(0, "seed of every question", low=0, high=2**63 - 1)
    difficulty: str | float | None = _choice(None, "easy, medium, hard, extreme or a number in [0, 1]; the preset's if not set")
    samples: int | None = _choice(None, "number of rows; the preset's if not set", low=1, high=10**12)
    per_video: int = _choice(
        1, "for presets without a fixed number of rows: rows of each portion from every video", low=1, high=10**9
    )
    frames: int = _choice(48, "frames a clip, sampled from the middle 90 %% of a video", low=2, high=_MAX_FRAMES)
    max_pixels: int = _choice(256 * 256, "most pixels a frame; sides are multiples of 64", low=SIDE**2, high=_MAX_SIDE**2)
    sampling: str = _choice(
        "exact",
        "exact; snap: keyframes near even times, cheap on long videos; keyframe: cheap on all, at uneven times",
        allowed=MODES,
    )
    video_format: str = _choice("mp4", "mp4, or jpeg for lists of images", allowed=VIDEO_FORMATS)
    system_prompt: str = _choice("", "system message before the question; empty for none")
    overrides: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={"doc": "task parameters by name: `clips` for every task that has it, `jigsaw.clips` for one"},
    )

    def __post_init__(self) -> None:
        for choice in fields(self):
            limits = choice.metadata
            self._check(choice.name, limits.get("low"), limits.get("high"), limits.get("allowed"))
        if not isinstance(self.system_prompt, str):
            raise UsageError(f"system_prompt={self.system_prompt!r} is not allowed; allowed: text, empty for none")
        if not isinstance(self.overrides, Mapping):
            raise UsageError(f"overrides={self.overrides!r} is not allowed; allowed: a mapping of parameter names to values")
        if self.total is not None and self.per_video != 1:
            raise UsageError(f"per_video={self.per_video} is not allowed; {self.preset} has {self.total} rows in all")
        if self.difficulty is not None:
            Level.of(self.difficulty)
            if all(portion.difficulty for portion in self.mixture.portions):
                raise UsageError(f"difficulty={self.difficulty!r} is not allowed; {self.preset} fixes its levels")
        self.portions  # noqa: B018 - resolving checks every parameter

    def _check(self, name: str, low: int | None, high: int | None, allowed: tuple[str, ...] | None) -> None:
        value = getattr(self, name)
        if low is not None and high is not None and not (value is None and name == "samples"):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise UsageError(f"{name}={value!r} is not allowed; allowed: an integer from {low} to {high}")
        elif allowed and value not in allowed:
            raise UsageError(f"{name}={value!r} is not allowed; {nearest(value, allowed)}")

    @property
    def mixture(self) -> Preset:
        """The preset that `preset` names."""
        return preset(self.preset)

    @property
    def total(self) -> int | None:
        """Number of rows; None if it depends on the number of videos."""
        return self.samples if self.samples is not None else self.mixture.total

    @property
    def clip_sampling(self) -> Sampling:
        """How clips are taken from the videos."""
        return Sampling(self.frames, self.max_pixels, self.sampling)

    @cached_property
    def portions(self) -> tuple[PreparedPortion, ...]:
        """The mixture's portions, each with its level and its parameters in this build."""
        portions = self.mixture.portions
        for name, value in self.overrides.items():
            if next(self._knobs(name), None) is None:
                knobs = [(portion.task, knob.name) for portion in portions for knob in tasks.get(portion.task).knobs]
                names = sorted({text for task, knob in knobs for text in (knob, f"{task}.{knob}")})
                raise UsageError(f"{name}={value!r} is not a parameter of {self.preset}; {nearest(name, names)}")
        return tuple(map(self._prepare, portions))

    def _knobs(self, override: str) -> Iterator[Knob]:
        """The knobs that an override sets."""
        for portion in self.mixture.portions:
            yield from (knob for knob in tasks.get(portion.task).knobs if override in _names(portion, knob))

    def _prepare(self, portion: Portion) -> PreparedPortion:
        task = tasks.get(portion.task)
        level = Level.of(portion.difficulty or (self.mixture.difficulty if self.difficulty is None else self.difficulty))
        overrides = dict(portion.overrides)
        for knob in task.knobs:
            for name in _names(portion, knob):
                if name in self.overrides:
                    value = overrides[knob.name] = self.overrides[name]
                    if knob.name in portion.overrides:
                        raise UsageError(f"{name}={value!r} is not allowed; {portion.name} of {self.preset} fixes it")
        try:
            params = task.params(level, overrides)
        except UsageError as error:
            raise UsageError(f"{error} (task {task.name})") from None
        fewest = task.min_frames(params)
        if self.frames < fewest:
            need = f"{portion.name} at level {level.name} needs at least {fewest}"
            raise UsageError(f"frames={self.frames} is not allowed; {need}")
        return PreparedPortion(portion.name, task, level, params, portion.metric)

    def counts(self, videos: int) -> list[int]:
        """Rows of each portion for this many videos; a fixed total is shared out by largest remainder."""
        if self.total is None:
            return [videos * self.per_video] * len(self.portions)
        weights = [portion.weight for portion in self.mixture.portions]
        shares = [self.total * weight / sum(weights) for weight in weights]
        counts = [math.floor(share) for share in shares]
        order = sorted(range(len(shares)), key=lambda k: counts[k] - shares[k])
        for k in order[: self.total - sum(counts)]:
            counts[k] += 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `BuildSpec(**values)` makes the same spec. Equal specs give equal values, however they were written."""
        level = None if self.difficulty is None else Level.of(self.difficulty).value
        overrides = {name: next(self._knobs(name)).read(value) for name, value in sorted(self.overrides.items())}
        return {**asdict(self), "difficulty": level, "overrides": overrides}


def _names(portion: Portion, knob: Knob) -> tuple[str, str]:
    """The names by which an override may refer to a knob."""
    return knob.name, f"{portion.task}.{knob.name}"
