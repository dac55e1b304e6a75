"""Jigsaw by continuity: the order in which each clip's first frame is most similar to the last frame of the previous clip."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.media.frame import Frame
from dataset_builder.tasks.answers import Order

from .shown import DecodedVideo


def solve(question: str, videos: Sequence[DecodedVideo]) -> Order:
    """The clip order of lowest total difference between neighbouring frames."""
    first = np.stack([_thumbnail(video.frames[0]) for video in videos])
    last = np.stack([_thumbnail(video.frames[-1]) for video in videos])
    cost = np.abs(last[:, None] - first[None]).mean(axis=2)
    return Order(tuple(clip + 1 for clip in shortest_path(cost)))


def _thumbnail(frame: Frame) -> np.ndarray:
    return cv2.resize(frame, (32, 20), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()


def shortest_path(cost: np.ndarray) -> list[int]:
    """The cheapest path that visits all n nodes (Held–Karp); cost (n, n) holds the cost of a step from i to j."""
    size = len(cost)
    best = np.full((1 << size, size), np.inf)
    previous = np.full((1 << size, size), -1)
    best[1 << np.arange(size), np.arange(size)] = 0
    for visited in range(1 << size):
        for node in range(size):
            if visited >> node & 1 and visited != 1 << node:
                costs = best[visited ^ 1 << node] + cost[:, node]
                previous[visited, node] = costs.argmin()
                best[visited, node] = costs.min()
    visited, node = (1 << size) - 1, int(best[-1].argmin())
    path = []
    while node >= 0:
        path.append(node)
        visited, node = visited ^ 1 << node, int(previous[visited, node])
    return path[::-1]
