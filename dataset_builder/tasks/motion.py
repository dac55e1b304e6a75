"""Motion: a disc moves over the video; which moves does it make?

A white disc with a black rim … makes 4 straight moves … Which, in order?   ->   left,up,left,down
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from . import answers
from .answers import Answer, Chance
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, OutputClip, unedited
from .errors import Unsolvable
from .levels import Knob, Params
from .moves import DISC, MIN_RADIUS, disc, moves_along, path
from .statistics import ClipStats
from .stretches import ALIGN, aligned

STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
MARGIN = 3.0  # pixels between the disc and the border
MIN_STEP = 1.2  # radii that a move covers, at least
DRAWS_FOR_CHANCE = 1000


class Directions(answers.Sequence):
    """Moves in order."""

    symbols: ClassVar[tuple[str, ...]] = tuple(STEPS)
    units: ClassVar[frozenset[str]] = frozenset({"move", "moves"})


class Motion(Task):
    """Follow a moving shape."""

    name = "motion"
    version = 1
    ability = "motion"
    answer = Directions
    answer_format = "directions in order, left,up,left,down"
    in_suite = True
    knobs = (
        Knob("moves", (4, 5, 6, 8), "moves of the disc", 2, 12),
        Knob("size", (0.1, 0.085, 0.07, 0.05), "radius, as a share of the short side", 0.02, 0.2),
        Knob("step", (0.34, 0.28, 0.23, 0.16), "length of a move, as a share of the short side, at most", 0.05, 0.8),
        ALIGN,
    )

    def min_frames(self, params: Params) -> int:
        return 2 * int(params["align"] * params["moves"])

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(params["moves"])

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        [track] = edits.clips[0].tracks
        moves = moves_along(track.points, STEPS)
        return "" if answer.parts() == moves else f"the disc moves {','.join(moves)}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        count, align = params["moves"], params["align"]
        frames = aligned(clip.frames / count, align)  # of one move
        if frames < 2 * align:
            raise Unsolvable(f"{clip.frames} frames are too few for {count} moves")
        moves = _draw(rng, count)
        short = min(clip.width, clip.height)
        radius = params["size"] * short
        corners = [(0, 0)]
        for move in moves:
            corners.append((corners[-1][0] + STEPS[move][0], corners[-1][1] + STEPS[move][1]))
        columns, rows = ([corner[axis] for corner in corners] for axis in (0, 1))
        room = 2 * (radius + MARGIN)
        widest, highest = max(columns) - min(columns), max(rows) - min(rows)
        fitting = min((clip.width - room) / max(1, widest), (clip.height - room) / max(1, highest))
        step = min(params["step"] * short, fitting)
        if radius < MIN_RADIUS or step < MIN_STEP * radius:
            raise Unsolvable(f"the picture of {clip.width} x {clip.height} is too small for {count} moves")
        left = radius + MARGIN + rng.uniform(0, clip.width - room - widest * step) - min(columns) * step
        top = radius + MARGIN + rng.uniform(0, clip.height - room - highest * step) - min(rows) * step
        track = disc(path([(left + x * step, top + y * step) for x, y in corners], frames, clip.frames), radius)
        question = (
            f"<video>\n{DISC.capitalize()} moves over this video. It makes {count} straight moves, one after another, each to "
            f"the left, to the right, up or down, and then stays; two moves in a row differ. Which moves does it make, in order? Answer with "
            f"{count} of the words left, right, up and down, for example up,left,up if there were three. {ANSWER_TAG}"
        )
        return Plan(question, Directions(moves), EditList((OutputClip(unedited(clip.frames), tracks=(track,)),)))


def _draw(rng: Random, count: int) -> tuple[str, ...]:
    moves: list[str] = []
    for _ in range(count):
        moves.append(rng.choice([name for name in STEPS if moves[-1:] != [name]]))
    return tuple(moves)


@lru_cache(maxsize=64)
def _chance(count: int) -> Chance:
    rng = Random(0)
    return Directions.chance([_draw(rng, count) for _ in range(DRAWS_FOR_CHANCE)], 1 / (4 * 3 ** (count - 1)))


TASK = Motion()
