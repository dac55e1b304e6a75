"""Tiles by seams: swaps of tiles from several beginnings, until the colours at the seams change least."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from random import Random

import numpy as np

from dataset_builder.tasks.tiles import TileOrder

from .shown import DecodedVideo

FRAMES = 6
STARTS = 24


def solve(question: str, videos: Sequence[DecodedVideo]) -> TileOrder:
    """The arrangement of lowest seam cost that was found."""
    (video,) = videos
    match = re.search(r"into (\d+) x", question)
    assert match
    side = int(match[1])
    frames = np.stack(video.frames[:: len(video.frames) // FRAMES]).astype(np.float32)
    rows = np.array_split(np.arange(frames.shape[1]), side)
    columns = np.array_split(np.arange(frames.shape[2]), side)
    height, width = min(map(len, rows)), min(map(len, columns))
    tiles = [frames[:, row[0] : row[0] + height, column[0] : column[0] + width] for row in rows for column in columns]
    across = np.array([[abs(one[:, :, -2] - other[:, :, 1]).mean() for other in tiles] for one in tiles])
    down = np.array([[abs(one[:, -2] - other[:, 1]).mean() for other in tiles] for one in tiles])

    def cost(order: np.ndarray) -> float:
        grid = order.reshape(side, side)
        return float(across[grid[:, :-1], grid[:, 1:]].sum() + down[grid[:-1], grid[1:]].sum())

    rng, best = Random(0), (np.inf, np.arange(side * side))
    for _ in range(STARTS):
        order = np.array(rng.sample(range(side * side), side * side))
        now, improved = cost(order), True
        while improved:
            improved = False
            for one, other in combinations(range(side * side), 2):
                order[[one, other]] = order[[other, one]]
                if (value := cost(order)) < now - 1e-6:
                    now, improved = value, True
                else:
                    order[[one, other]] = order[[other, one]]
        if now < best[0]:
            best = (now, order)
    return TileOrder(tuple(int(tile) + 1 for tile in best[1]))
