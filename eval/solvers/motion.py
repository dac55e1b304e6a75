"""Motion by detection: where the disc is in each frame, and in which direction it goes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dataset_builder.tasks.motion import Directions

from .discs import find_discs
from .shown import DecodedVideo


def solve(question: str, videos: Sequence[DecodedVideo]) -> Directions:
    """The directions of the disc's steps, without those shorter than a third of the longest ones."""
    (video,) = videos
    path: list[tuple[float, float]] = []
    for frame in video.frames:
        discs = find_discs(frame)
        if discs:
            x, y, _ = min(
                (disc for _, disc in discs), key=lambda d: np.hypot(d[0] - path[-1][0], d[1] - path[-1][1]) if path else 0
            )
            path.append((x, y))
    steps = np.diff(np.array(path), axis=0) if len(path) > 1 else np.zeros((1, 2))
    fastest = np.percentile(np.abs(steps).max(axis=1), 80)
    moves: list[str] = []
    for dx, dy in steps:
        if max(abs(dx), abs(dy)) > 0.35 * fastest:
            move = ("right" if dx > 0 else "left") if abs(dx) > abs(dy) else ("down" if dy > 0 else "up")
            moves.append(move)
    merged = [move for before, move in pairwise(["", *moves]) if move != before]
    return Directions(tuple(merged or ["left"]))
