"""Continuity of frames: the order in which each clip's first frame looks most like the last frame of the clip before."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.media.frame import Frame
from dataset_builder.tasks.answers import Order

from .shown import Shown


def solve(question: str, videos: Sequence[Shown]) -> Order:
    first = np.stack([_thumb(video.frames[0]) for video in videos])
    last = np.stack([_thumb(video.frames[-1]) for video in videos])
    cost = np.abs(last[:, None] - first[None]).mean(axis=2)
    return Order(tuple(clip + 1 for clip in shortest_path(cost)))


def _thumb(frame: Frame) -> np.ndarray:
    return cv2.resize(frame, (32, 20), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()


def shortest_path(cost: np.ndarray) -> list[int]:
    """The cheapest path through all nodes, cost[i, j] being that of a step from i to j (Held and Karp)."""
    size = len(cost)
    best = np.full((1 << size, size), np.inf)
    before = np.full((1 << size, size), -1)
    best[1 << np.arange(size), np.arange(size)] = 0
    for visited in range(1 << size):
        for node in range(size):
            if visited >> node & 1 and visited != 1 << node:
                ways = best[visited ^ 1 << node] + cost[:, node]
                before[visited, node] = ways.argmin()
                best[visited, node] = ways.min()
    visited, node = (1 << size) - 1, int(best[-1].argmin())
    path = []
    while node >= 0:
        path.append(node)
        visited, node = visited ^ 1 << node, int(before[visited, node])
    return path[::-1]
