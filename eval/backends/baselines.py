"""Scripted baselines: guesses without a model, and classical computer vision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from dataset_builder import tasks
from dataset_builder.tasks.answers import Interval

from ..sample import Sample, Video
from .base import AnswerError, Reply


def uniform_guess(sample: Sample, videos: Sequence[Video], seed: int) -> str:
    """A uniformly random answer of the right type."""
    rng = Random(f"guess\0{sample.id}\0{seed}")
    if sample.kind == "choice":
        letters: list[str] = sorted(sample.info["options"]) or list("ABCD")
        return rng.choice(letters)
    if sample.kind == "interval":
        return Interval(*sorted(rng.uniform(0, _video_length(sample)) for _ in range(2))).format()
    task = tasks.get(sample.info["task"])
    space = task.guess_space(sample.info["params"], sample.videos["times"][0])
    return task.read_truth(sample.truth).guess(rng, space).format()


def blind_answer(sample: Sample, videos: Sequence[Video], seed: int) -> str:
    """The best constant answer, which does not use the video."""
    return sample.blind or str(_video_length(sample))


def whole_video(sample: Sample, videos: Sequence[Video], seed: int) -> str:
    """The whole video for a time interval, else a uniform guess: the paper's row Random."""
    if sample.kind == "interval":
        return Interval(0, _video_length(sample)).format()
    if sample.kind == "task" and tasks.get(sample.info["task"]).answer is Interval:
        return Interval(0, sample.info["end"]).format()
    return uniform_guess(sample, videos, seed)


def solver_answer(sample: Sample, videos: Sequence[Video], seed: int) -> str:
    """Classical vision: change points, contours, continuity of frames."""
    from ..solvers import SOLVERS, DecodedVideo

    name = sample.info.get("task")
    if name not in SOLVERS:
        raise AnswerError(f"there is no solver for {name or sample.kind}; there are solvers for {', '.join(SOLVERS)}")
    return SOLVERS[name](sample.question, [DecodedVideo(video.frames(), video.times) for video in videos]).format()


def _video_length(sample: Sample) -> float:
    """Seconds; raises AnswerError if it is not known."""
    if not (length := float(sample.info["duration"])):
        raise AnswerError("the length of the video is not known; give `duration`")
    return length


BASELINES: Mapping[str, Callable[[Sample, Sequence[Video], int], str]] = {
    "uniform": uniform_guess,
    "blind": blind_answer,
    "whole": whole_video,
    "solver": solver_answer,
}
"""By the name that `--baseline` takes."""


@dataclass(frozen=True)
class Baseline:
    """A backend that answers by one of `BASELINES`; `seed` is that of `uniform` and `whole`, which guess."""

    name: str
    seed: int = 0

    @property
    def needs_videos(self) -> bool:
        return self.name == "solver"

    @property
    def label(self) -> str:
        return {"whole": "random (whole video)"}.get(self.name, self.name)

    @property
    def protocol(self) -> Mapping[str, Any]:
        return {"baseline": self.name, **({"seed": self.seed} if self.name in ("uniform", "whole") else {})}

    async def check(self) -> None: ...

    async def answer(self, sample: Sample, videos: Sequence[Video], draw: int = 0) -> Reply:
        if not self.needs_videos:
            return Reply(BASELINES[self.name](sample, videos, self.seed + draw))
        return Reply(await asyncio.to_thread(BASELINES[self.name], sample, videos, self.seed))

    async def close(self) -> None: ...
