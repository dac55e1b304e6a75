"""Tally: shapes appear over time; how many of one kind have there been so far, at three times?

How many circles have appeared until 4.0, 8.5 and 14.0 seconds?   ->   2,3,5
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from .answers import Answer, Chance, Counts
from .base import ANSWER_TAG, Plan, Task
from .counting import SHAPES, place_shape
from .edits import EditList, OutputClip, Shape, Track, unedited
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats
from .stretches import ALIGN, first_solvable, seconds

TIMES = 3
LAYOUTS_TRIED = 8
FEWEST_SLOTS = 3  # pairs of frames between two times


class CountsAtTimes(Counts):
    """How many so far, at the first, second and third time."""

    labels: ClassVar[tuple[str, ...]] = ("first", "second", "third")
    units: ClassVar[frozenset[str]] = frozenset({*SHAPES, *(f"{shape}s" for shape in SHAPES)})


class Tally(Task):
    """Keep count over time."""

    name = "tally"
    version = 1
    ability = "counting"
    answer = CountsAtTimes
    answer_format = "numbers at three times, 2,3,5"
    in_suite = True
    knobs = (
        Knob("most", (3, 4, 5, 6), "most shapes of the asked kind between two times", 1, 24),
        Knob("others", (1, 2, 3, 4), "shapes of other kinds between two times", 0, 24),
        Knob("min_size", (0.12, 0.1, 0.08, 0.06), "smallest radius, as a share of the short side", 0.03, 0.4),
        Knob("max_size", (0.2, 0.165, 0.13, 0.1), "largest radius, as a share of the short side", 0.03, 0.4),
        Knob("contrast", (110.0, 95.0, 80.0, 65.0), "least colour distance to the background", 40.0, 200.0),
        ALIGN,
    )

    def check(self, params: Params) -> None:
        if params["min_size"] > params["max_size"]:
            raise UsageError(f"min_size={params['min_size']} is not allowed; allowed: at most max_size={params['max_size']}")

    def min_frames(self, params: Params) -> int:
        return int(params["align"]) * TIMES * (FEWEST_SLOTS + 1)

    def guess_space(self, params: Params, times: Sequence[float]) -> int:
        return int(TIMES * params["most"])

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(params["most"])

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        kind = next(kind for kind in SHAPES if f"How many {kind}s" in question)
        asked = map(float, re.findall(r"[0-9.]+", question.partition(" have appeared by ")[2].partition(" seconds")[0]))
        starts = [times[0][track.start] for track in edits.clips[0].tracks if track.kind == kind]
        counts = ",".join(str(sum(start < time for start in starts)) for time in asked)
        return "" if answer.format() == counts else f"{counts} {kind}s appear"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for these shapes")
        return first_solvable(lambda: _plan(clip, rng, params), LAYOUTS_TRIED)


def _plan(clip: ClipStats, rng: Random, params: Params) -> Plan:
    align = params["align"]
    kind = rng.choice(SHAPES)
    distractors = [other for other in SHAPES if other != kind]
    slots = clip.frames // align  # a shape stays for one
    cuts = sorted(rng.randint(0, slots - TIMES * (FEWEST_SLOTS + 1)) for _ in range(TIMES))
    ends = [(k + 1) * (FEWEST_SLOTS + 1) - 1 + cut for k, cut in enumerate(cuts)]  # the empty slot in which each time lies
    shapes: dict[int, list[Shape]] = {}
    counts: list[int] = []
    for first, end in zip([0, *(end + 1 for end in ends)], [*ends, slots], strict=True):
        asked = rng.randint(0 if counts else 1, params["most"])
        counts.append(asked + (counts[-1] if counts else 0))
        kinds = [kind] * asked + [rng.choice(distractors) for _ in range(params["others"])]
        for shown in kinds if end > first else []:  # nothing may be left after the last time
            start = align * rng.randrange(first, end)
            near = [
                shape for at in (start - align, start, start + align) for shape in shapes.get(at, [])
            ]  # no shape seems to move
            shape = place_shape(clip, rng, params, start, shown, near, align)
            shapes.setdefault(start, []).append(shape)
    tracks = tuple(_track(shape, align) for start in sorted(shapes) for shape in shapes[start])
    times = seconds(clip.times, [end * align for end in ends])
    listed = f"{times[0]:g}, {times[1]:g} and {times[2]:g}"
    question = (
        f"<video>\nCircles, squares and triangles, each filled with one colour, appear on this video, each for a moment. How many "
        f"{kind}s have appeared by {listed} seconds, counted from the beginning of the video each time? Answer with three "
        f"numbers, for example 0,4,7. {ANSWER_TAG}"
    )
    answer = CountsAtTimes(tuple(counts[:TIMES]))
    return Plan(question, answer, EditList((OutputClip(unedited(clip.frames), tracks=tracks),)))


def _track(shape: Shape, frames: int) -> Track:
    """The shape, standing for this many frames."""
    return Track(shape.kind, shape.position, ((shape.x, shape.y),) * frames, shape.radius, shape.colour)


@lru_cache(maxsize=64)
def _chance(most: int) -> Chance:
    """The first part has 1 to `most` shapes, each further one 0 to `most`, all equally likely."""
    so_far = [0.0] + [1 / most] * most
    distributions = [so_far]
    for _ in range(TIMES - 1):
        wider = [0.0] * (len(so_far) + most)
        for count, probability in enumerate(so_far):
            for more in range(most + 1):
                wider[count + more] += probability / (most + 1)
        so_far = wider
        distributions.append(so_far)
    return CountsAtTimes.chance(*distributions)


TASK = Tally()
