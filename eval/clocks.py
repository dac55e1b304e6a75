"""What times models are shown beside their frames: an answer between two of them may be out of a model's reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dataset_builder import tasks
from dataset_builder.tasks.answers import Answer, Interval
from dataset_builder.tasks.answers.interval import TIME, to_seconds

from .sample import Sample

Times = Sequence[float]


def _first_of(number: int) -> Callable[[Times], list[float]]:
    return lambda times: list(times[::number])


CLOCKS: Mapping[str, Callable[[Times], Times]] = {
    "frames": lambda times: times,
    "seconds": lambda times: sorted({float(int(time)) for time in times}),
    "first-of-2": _first_of(2),
    "first-of-4": _first_of(4),
    "none": lambda times: [],
}
"""The times of which a model sees some, by the name that `--clock` takes: whole seconds (Gemma), the first of merged frames
(GLM: 2, Kimi: 4), none (InternVL). Frames as images stand behind their times in text, for any model."""


def is_beyond(sample: Sample, clock: str, frames: int) -> bool:
    """Whether not even the answer with the nearest times on a clock is right; False for questions not about times.

    Args:
        frames: of a video that is shown whole.
    """
    task = tasks.get(sample.info["task"]) if sample.kind == "task" else None
    if sample.kind == "choice" or (task and task.answer.value is not TIME):
        return False
    length = sample.info.get("duration") or 0.0
    times = sample.videos["times"][0] if "times" in sample.videos else [length * k / frames for k in range(frames)]
    shown = CLOCKS[clock](times)
    truths = [task.read_truth(sample.truth)] if task else [Interval.read(truth) for truth in sample.truth.split("|")]
    return not any(_is_within(truth, shown) for truth in truths)


def _is_within(truth: Answer, shown: Times) -> bool:
    try:
        nearest = [min(shown, key=lambda time: abs(time - to_seconds(part))) for part in truth.parts()]
        return truth.from_parts([f"{time:.3f}" for time in nearest]).score(truth)[1] == 1
    except ValueError:  # no time is shown, or the same for both ends
        return False
