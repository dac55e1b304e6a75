"""Loops: one stretch of the video plays several times in a row; how often?

One stretch of this video plays several times in a row. How many times …?   ->   4
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from .answers import Answer, Chance, Number
from .base import ANSWER_TAG, Plan, Task
from .edits import CLIP, EditList, OutputClip
from .errors import Unsolvable
from .levels import Knob, Params
from .statistics import ClipStats
from .stretches import ALIGN, aligned, first_solvable

PLACES_TRIED = 24
FEWEST = 2


class Loops(Task):
    """Count how often something is repeated."""

    name = "loops"
    version = 1
    ability = "counting"
    answer = Number
    answer_format = "a number, 4"
    in_suite = True
    knobs = (
        Knob("most", (5, 6, 7, 9), "most plays of the stretch", FEWEST + 1, 64),
        Knob("length", (8, 6, 6, 4), "longest stretch in frames; a multiple of align", 2, 512),
        Knob(
            "min_change", (5.0, 4.0, 3.5, 3.0), "grey levels of each jump back to the stretch's beginning, at least", 1.0, 100.0
        ),
        Knob("clearness", (0.8, 0.6, 0.4, 0.2), "the jump back, against the movement before it", 0.0, 10.0),
        ALIGN,
    )

    def min_frames(self, params: Params) -> int:
        align = params["align"]
        return int(2 * align + 2 * align * params["most"])

    def guess_space(self, params: Params, times: Sequence[float]) -> Sequence[int]:
        return range(FEWEST, int(params["most"]) + 1)

    def chance(self, params: Params, frames: int) -> Chance:
        return Number.chance(range(FEWEST, params["most"] + 1))

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        frames = [index for _, index in edits.clips[0].frames]
        plays = 1 + sum(later <= now for now, later in pairwise(frames))
        return "" if answer.format() == str(plays) else f"the stretch plays {plays} times"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for {params['most']} plays")
        plays = rng.randint(FEWEST, params["most"])
        return first_solvable(lambda: _plan(clip, rng, params, plays), PLACES_TRIED)


def _plan(clip: ClipStats, rng: Random, params: Params, plays: int) -> Plan:
    align = params["align"]
    longest = min(max(params["length"], 2 * align), aligned((clip.frames - 2 * align) / params["most"], align))
    length = rng.randrange(2 * align, longest + 1, align)
    start = rng.randrange(align, clip.frames - align - length * plays + 1, align)
    end = start + length
    jump = clip.distance(end - 1, start)
    steps = [clip.distance(index - 1, index) for index in range(start + 1, end)]
    if jump < params["min_change"]:
        raise Unsolvable("too little moves: a repeat would not show")
    if jump < (1 + params["clearness"]) * max(steps):
        raise Unsolvable("the jump back is lost in the motion")
    after = clip.frames - plays * length - start  # frames that follow, so that the video's length says nothing
    frames = [*range(end), *(list(range(start, end)) * (plays - 1)), *range(end, end + after)]
    question = (
        "<video>\nOne stretch of this video plays several times in a row, without a pause. How many times does it play in all, "
        f"the first time included? Answer with a number, for example 12. {ANSWER_TAG}"
    )
    return Plan(question, Number(plays), EditList((OutputClip(tuple((CLIP, index) for index in frames)),)))


TASK = Loops()
