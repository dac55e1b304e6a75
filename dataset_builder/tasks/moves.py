"""Moves, one after another: of a view, and of discs, which are white with a black rim, so that they stand out from anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import cos, pi

from .edits import Track

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
DISC = "a white disc with a black rim"
MIN_RADIUS = 5.0  # pixels, below which a rim does not show

Point = tuple[float, float]


def disc(points: Sequence[tuple[float, ...]], radius: float) -> Track:
    """A disc that is at these points, one a frame, from the first frame on."""
    rounded = tuple((round(x, 2), round(y, 2)) for x, y in points)
    return Track("circle", 0, rounded, round(radius, 2), WHITE, BLACK)


def ease(share: float) -> float:
    """How much of a move is done after a share of its time: slow at both ends."""
    return (1 - cos(pi * share)) / 2


def path(corners: Sequence[tuple[float, ...]], frames: int, total: int) -> list[tuple[float, ...]]:
    """Where something is at each of `total` frames: it takes `frames` from corner to corner, then stays."""
    points = [
        tuple(a + (b - a) * ease(k / frames) for a, b in zip(one, other, strict=True))
        for one, other in pairwise(corners)
        for k in range(frames)
    ]
    return points + [corners[-1]] * (total - len(points))


def moves_along(points: Sequence[tuple[float, ...]], steps: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The moves of which these points are the path; `steps` are the signs of each move's change."""
    moves: list[str] = []
    for one, other in pairwise(points):
        signs = tuple((b > a) - (b < a) for a, b in zip(one, other, strict=True))
        move = next((name for name, step in steps.items() if step == signs), "")
        if move and moves[-1:] != [move]:
            moves.append(move)
    return moves
