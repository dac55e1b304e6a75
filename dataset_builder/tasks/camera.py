"""Camera: a view moves over the picture as a camera would; which moves does it make?

The view … makes 4 moves: left, right, up, down, in (closer), out …   ->   left,in,up,out
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import ClassVar

from . import answers
from .answers import Answer, Chance
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, OutputClip, View, unedited
from .errors import Unsolvable
from .levels import Knob, Params
from .moves import moves_along, path
from .statistics import CELL_BYTES, GRID_SIDE, ClipStats
from .stretches import ALIGN, aligned

MOVES = {"left": (-1, 0, 0), "right": (1, 0, 0), "up": (0, -1, 0), "down": (0, 1, 0), "in": (0, 0, 1), "out": (0, 0, -1)}
DRAWS_FOR_CHANCE = 1000
State = tuple[int, int, int]
MIDDLE: State = (0, 0, 0)
MIN_TEXTURE = 4.0  # grey levels by which the picture varies within small areas, on average
MAX_MOTION = 20.0  # mean grey-level change between frames, above which a move would be lost


class CameraMoves(answers.Sequence):
    """Camera moves in order."""

    symbols: ClassVar[tuple[str, ...]] = tuple(MOVES)
    units: ClassVar[frozenset[str]] = frozenset({"move", "moves", "zoom", "zooms", "pan", "pans", "goes", "go"})


class Camera(Task):
    """Tell how the camera moves."""

    name = "camera"
    version = 1
    ability = "motion"
    answer = CameraMoves
    answer_format = "moves in order, left,in,up,out"
    in_suite = True
    knobs = (
        Knob("moves", (4, 5, 6, 7), "moves of the view", 2, 12),
        Knob("amount", (0.2, 0.16, 0.12, 0.1), "length of a pan, as a share of the picture", 0.03, 0.2),
        Knob("zoom", (1.5, 1.4, 1.3, 1.2), "magnification of a move closer", 1.05, 2.0),
        Knob(
            "drift",
            (0.35, 0.4, 0.45, 0.5),
            "most that the video's own camera moves during a pan, as a share of the pan",
            0.0,
            1.0,
        ),
        ALIGN,
    )

    def min_frames(self, params: Params) -> int:
        return 2 * int(params["align"] * params["moves"])

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(params["moves"])

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        moves = moves_along([(x, y, -size) for x, y, size in edits.clips[0].views], MOVES)
        return "" if answer.parts() == moves else f"the view moves {','.join(moves)}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        count, amount = params["moves"], params["amount"]
        frames = aligned(clip.frames / count, params["align"])  # of one move
        if frames < 2 * params["align"]:
            raise Unsolvable(f"{clip.frames} frames are too few for {count} moves")
        _check(clip, frames, params["drift"] * amount)
        moves = _draw(rng, count)
        wide = 1 - 2 * amount  # size of the widest view, which pans within the picture
        states = _states(moves)
        corners: list[View] = [(0.5 + x * amount, 0.5 + y * amount, wide / params["zoom"] ** z) for x, y, z in states]
        views = tuple((round(x, 5), round(y, 5), round(size, 5)) for x, y, size in path(corners, frames, clip.frames))
        question = (
            f"<video>\nThe view of this video moves as a camera would: it makes {count} moves, one after another, each for the same "
            "time, and then stays. Each move pans left, right, up or down (left: what lies further left comes into view), or goes in (closer) or out; "
            f"two moves in a row differ. Which moves does it make, in order? Answer with {count} of the words left, right, up, "
            f"down, in and out, for example out,up,right if there were three. {ANSWER_TAG}"
        )
        output = OutputClip(unedited(clip.frames), views=views)
        return Plan(question, CameraMoves(moves), EditList((output,)))


def _check(clip: ClipStats, frames: int, drift: float) -> None:
    """Raise Unsolvable where a move of the view would not show."""
    cells = GRID_SIDE * GRID_SIDE * CELL_BYTES
    for at in range(0, clip.frames, frames):
        if any(abs(sum(moved[at : at + frames])) > drift for moved in (clip.pan_x, clip.pan_y, clip.zoom)):
            raise Unsolvable("the camera moves by itself")
        motion = clip.motion[at : at + frames]
        if sum(motion) / len(motion) > MAX_MOTION or max(motion) > 2 * MAX_MOTION:
            raise Unsolvable("too much moves in the picture")
        spreads = clip.background[at * cells : (at + frames) * cells][CELL_BYTES - 1 :: CELL_BYTES]
        if sum(spreads) / len(spreads) < MIN_TEXTURE:
            raise Unsolvable("too flat for a move to show")


def _allowed(state: State, last: str) -> dict[str, State]:
    """The moves that are possible, each with where it leads: between 3 x 3 places at 2 distances, none twice in a row."""
    allowed = {}
    for name, step in MOVES.items():
        x, y, z = (value + change for value, change in zip(state, step, strict=True))
        if abs(x) <= 1 and abs(y) <= 1 and 0 <= z <= 1 and name != last:
            allowed[name] = (x, y, z)
    return allowed


def _draw(rng: Random, count: int) -> tuple[str, ...]:
    """Moves from the middle place, wide; each is uniform among the possible ones."""
    state, moves = MIDDLE, list[str]()
    for _ in range(count):
        allowed = _allowed(state, moves[-1] if moves else "")
        moves.append(rng.choice(list(allowed)))
        state = allowed[moves[-1]]
    return tuple(moves)


def _states(moves: Sequence[str]) -> list[State]:
    states = [MIDDLE]
    for move in moves:
        states.append(_allowed(states[-1], "")[move])
    return states


@lru_cache(maxsize=64)
def _chance(count: int) -> Chance:
    rng = Random(0)
    likeliest = {(MIDDLE, ""): 1.0}  # the highest probability of moves that lead to a place with a last move
    for _ in range(count):
        after: dict[tuple[State, str], float] = {}
        for (state, last), probability in likeliest.items():
            allowed = _allowed(state, last)
            for name, there in allowed.items():
                after[there, name] = max(after.get((there, name), 0.0), probability / len(allowed))
        likeliest = after
    return CameraMoves.chance([_draw(rng, count) for _ in range(DRAWS_FOR_CHANCE)], max(likeliest.values()))


TASK = Camera()
