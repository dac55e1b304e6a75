"""Counting: circles, squares and triangles are drawn onto single frames; how many of each are there?

Circles, squares and triangles … how many of each are there?   ->   3,1,4
"""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import dist, pi
from random import Random
from typing import ClassVar

from .answers import Answer, Chance, Counts
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, OutputClip, Shape, unedited
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats

SHAPES = ("circle", "square", "triangle")
LAYOUTS_TRIED = 6
PLACES_TRIED = 60
COLOURS_TRIED = 12
GAP = 3.0  # pixels between shapes, and between a shape and the border
SPREAD_WEIGHT = 1.5  # weight of the background's texture, which hides shapes like a similar colour does

QUESTION = (
    "<video>\nCircles, squares and triangles, each filled with one colour, have been drawn onto some frames of this video. "
    "How many of each are there in the whole video? A shape on one frame counts once; frames may hold several. "
    f"Answer as circles,squares,triangles, for example 2,5,1. {ANSWER_TAG}"
)


class ShapeCounts(Counts):
    """How many circles, squares and triangles."""

    labels: ClassVar[tuple[str, ...]] = SHAPES


class Counting(Task):
    """Count shapes that were drawn onto frames (paper, counting task)."""

    name = "counting"
    version = 1
    ability = "counting"
    answer = ShapeCounts
    answer_format = "circles,squares,triangles, 3,1,4"
    in_mixed = in_suite = True
    knobs = (
        Knob("max_frames", (3, 3, 4, 5), "most frames that carry one kind of shape", 1, 64),
        Knob("max_per_frame", (3, 4, 4, 5), "most shapes of one kind on one frame", 1, 12),
        Knob("min_size", (0.1, 0.085, 0.07, 0.055), "smallest radius, as a share of the short side", 0.03, 0.4),
        Knob("max_size", (0.2, 0.165, 0.13, 0.09), "largest radius, as a share of the short side", 0.03, 0.4),
        Knob("contrast", (110.0, 95.0, 80.0, 65.0), "least colour distance to the background", 40.0, 200.0),
    )

    def check(self, params: Params) -> None:
        if params["min_size"] > params["max_size"]:
            raise UsageError(f"min_size={params['min_size']} is not allowed; allowed: at most max_size={params['max_size']}")

    def guess_space(self, params: Params, times: Sequence[float]) -> int:
        return int(params["max_frames"] * params["max_per_frame"])

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(min(params["max_frames"], frames), params["max_per_frame"])

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        drawn = Counter(shape.kind for clip in edits.clips for shape in clip.shapes)
        counts = ",".join(str(drawn[kind]) for kind in SHAPES)
        return "" if answer.format() == counts else f"{counts} were drawn"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        """For each kind independently, frames per kind and shapes per frame are uniform (paper, data construction)."""
        counts = {kind: _counts(clip.frames, rng, params) for kind in SHAPES}
        reason = ""
        for _ in range(LAYOUTS_TRIED):
            try:
                shapes = _layout(clip, rng, params, counts)
            except Unsolvable as refusal:
                reason = str(refusal)
                continue
            answer = ShapeCounts(tuple(sum(counts[kind]) for kind in SHAPES))
            return Plan(QUESTION, answer, EditList((OutputClip(unedited(clip.frames), shapes=shapes),)))
        raise Unsolvable(reason)


def _counts(frames: int, rng: Random, params: Params) -> list[int]:
    """Number of shapes of one kind, for each of the frames that carry it."""
    number = rng.randint(1, min(params["max_frames"], frames))
    return [rng.randint(1, params["max_per_frame"]) for _ in range(number)]


def _layout(clip: ClipStats, rng: Random, params: Params, counts: dict[str, list[int]]) -> tuple[Shape, ...]:
    """Choose frames, places and colours for all shapes."""
    placed: dict[int, list[Shape]] = {}
    for kind, per_frame in counts.items():
        for frame, count in zip(rng.sample(range(clip.frames), len(per_frame)), per_frame, strict=True):
            for _ in range(count):
                others = placed.setdefault(frame, [])
                others.append(place_shape(clip, rng, params, frame, kind, others))
    return tuple(shape for frame in sorted(placed) for shape in placed[frame])


def place_shape(
    clip: ClipStats, rng: Random, params: Params, frame: int, kind: str, others: Sequence[Shape], frames: int = 1
) -> Shape:
    """A shape apart from the others of its frame, of a colour that stands out; raises Unsolvable if none was found.

    Args:
        params: `min_size`, `max_size` and `contrast`.
        frames: number of frames, from `frame` on, in which its colour must stand out.
    """
    short = min(clip.width, clip.height)
    room = False
    for _ in range(PLACES_TRIED):
        radius = rng.uniform(params["min_size"], params["max_size"]) * short
        border = radius + GAP
        x, y = rng.uniform(border, clip.width - border), rng.uniform(border, clip.height - border)
        if any(dist((x, y), (other.x, other.y)) < radius + other.radius + GAP for other in others):
            continue
        room = True
        colour = _colour(clip, rng, params["contrast"], range(frame, frame + frames), x, y, radius)
        if colour:
            angle = rng.uniform(0, 2 * pi)
            return Shape(kind, frame, round(x, 2), round(y, 2), round(radius, 2), round(angle, 4), colour)
    raise Unsolvable("no colour stands out" if room else "no room for the shapes")


def _colour(
    clip: ClipStats, rng: Random, contrast: float, frames: range, x: float, y: float, radius: float
) -> tuple[int, int, int] | None:
    cells = [cell for frame in frames for cell in clip.cells(frame, x, y, radius)]
    for _ in range(COLOURS_TRIED):
        red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.6, 1.0), rng.uniform(0.35, 1.0))
        colour = (round(red * 255), round(green * 255), round(blue * 255))
        if all(dist(colour, cell[:3]) - SPREAD_WEIGHT * cell[3] >= contrast for cell in cells):
            return colour
    return None


@lru_cache(maxsize=64)
def _chance(max_frames: int, max_per_frame: int) -> Chance:
    return ShapeCounts.chance(count_distribution(max_frames, max_per_frame))


def count_distribution(max_frames: int, max_per_frame: int) -> list[float]:
    """P(count = i), with uniform frames in 1..max_frames and uniform shapes per frame in 1..max_per_frame."""
    total = [0.0] * (max_frames * max_per_frame + 1)
    sums = [1.0]
    for _ in range(max_frames):
        wider = [0.0] * (len(sums) + max_per_frame)
        for value, probability in enumerate(sums):
            for shapes in range(1, max_per_frame + 1):
                wider[value + shapes] += probability / max_per_frame
        sums = wider
        for value, probability in enumerate(sums):
            total[value] += probability / max_frames
    return total


TASK = Counting()
