"""Cloze: a video has gaps; which of the candidate clips fills which?

Gap 1 … Gap 2 … Candidate A: <video> …   ->   C,A
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from .answers import Answer, Chance, Labels
from .answers.labels import LETTERS
from .base import ANSWER_TAG, Plan, Task
from .edits import CLIP, EditList, Effect, OutputClip
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats
from .stretches import ALIGN, first_solvable, spread

PLACES_TRIED = 24
STATIC = 2.0  # mean grey levels of both joins; below this, anything joins smoothly


class Cloze(Task):
    """Fill gaps in a video with clips of the same video."""

    name = "cloze"
    version = 1
    ability = "temporal_reasoning"
    answer = Labels
    answer_format = "a letter for each gap, C,A"
    in_suite = True
    knobs = (
        Knob("gaps", (2, 2, 3, 3), "gaps in the video", 1, 8),
        Knob("candidates", (3, 4, 5, 6), "clips to choose from", 2, len(LETTERS)),
        Knob("gap", (3, 2, 2, 2), "length of a gap, in multiples of align", 1, 32),
        Knob("margin", (0.6, 0.4, 0.25, 0.15), "least share by which any other candidate joins worse", 0.0, 10.0),
        ALIGN,
    )

    def check(self, params: Params) -> None:
        if params["candidates"] < params["gaps"]:
            raise UsageError(f"candidates={params['candidates']} is not allowed; allowed: at least gaps={params['gaps']}")

    def min_frames(self, params: Params) -> int:
        return int(params["align"] * (params["candidates"] * params["gap"] + 2 * (params["gaps"] + 1)))

    def guess_space(self, params: Params, times: Sequence[float]) -> int:
        return int(params["candidates"])

    def chance(self, params: Params, frames: int) -> Chance:
        return Labels.chance(params["gaps"], params["candidates"], distinct=True)

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        video, *candidates = edits.clips
        letters = {clip.frames: letter for letter, clip in zip(LETTERS, candidates, strict=False)}
        fills = ",".join(letters.get(video.frames[effect.start : effect.end], "?") for effect in video.effects)
        return "" if answer.format() == fills else f"the gaps are filled by {fills}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for these gaps")
        return first_solvable(lambda: _plan(clip, rng, params), PLACES_TRIED)


def _plan(clip: ClipStats, rng: Random, params: Params) -> Plan:
    align, count = params["align"], params["gaps"]
    gap = align * params["gap"]
    wrong = params["candidates"] - count
    before = rng.randint(0, wrong)  # wrong candidates come from before and after the video that is shown
    first, frames = before * gap, clip.frames - wrong * gap
    frames -= frames % align
    places = [(first + start, first + end) for start, end in spread([gap] * count, frames, 2 * align, align, rng)]
    starts = [start for start, _ in places]
    outside = [k * gap for k in range(before)] + [first + frames + k * gap for k in range(wrong - before)]
    _check_joins(clip, starts, outside, gap, params["margin"])
    candidates = starts + outside
    rng.shuffle(candidates)
    blanks = tuple(Effect("blank", start - first, end - first, 1.0) for start, end in places)
    video = OutputClip(_frames(first, frames), clock=first, effects=blanks)
    clips = tuple(OutputClip(_frames(start, gap), clock=first) for start in candidates)  # one clock, which says nothing
    listing = "\n".join(f"Candidate {letter}: <video>" for letter in LETTERS[: len(clips)])
    times = video.times(clip.times)
    gaps = ", ".join(f"gap {k} from {times[blank.start]:.1f} s" for k, blank in enumerate(blanks, 1))
    question = (
        f"Video: <video>\n{listing}\nThe video has grey gaps: {gaps}. Each was cut out and is one of the candidates; the other "
        f"candidates are from before or after. Which candidate belongs into which gap? Answer with one letter for each gap, in "
        f"order, for example {'B,C,A if there were three' if count == 2 else 'B,A if there were two'}. {ANSWER_TAG}"
    )
    answer = Labels(tuple(LETTERS[candidates.index(start)] for start in starts))
    return Plan(question, answer, EditList((video, *clips)))


def _frames(start: int, length: int) -> tuple[tuple[int, int], ...]:
    return tuple((CLIP, index) for index in range(start, start + length))


def _check_joins(clip: ClipStats, starts: Sequence[int], outside: Sequence[int], gap: int, margin: float) -> None:
    """Raise Unsolvable if a wrong candidate joins a gap's ends about as smoothly as the true one."""
    for start in starts:

        def joins(candidate: int, start: int = start) -> float:
            return clip.distance(start - 1, candidate) + clip.distance(candidate + gap - 1, start + gap)

        rival = min((joins(other) for other in [*starts, *outside] if other != start), default=STATIC)
        if rival < STATIC:
            raise Unsolvable("too static: the candidates look alike")
        if rival < (1 + margin) * joins(start):
            raise Unsolvable("another candidate joins as smoothly")


TASK = Cloze()
