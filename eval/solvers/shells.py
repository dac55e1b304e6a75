"""Shells by tracking: each disc is the one nearest to where its last step would bring it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations

import numpy as np

from dataset_builder.tasks.shells import Places

from .discs import find_discs
from .shown import DecodedVideo


def solve(question: str, videos: Sequence[DecodedVideo]) -> Places:
    """The discs from left to right at the end, by their numbers at the beginning."""
    (video,) = videos
    match = re.search(r"(\d+) equal discs", question)
    assert match
    count = int(match[1])
    now, before = np.zeros((0, 2)), np.zeros((0, 2))
    for frame in video.frames:
        discs = np.array([disc[:2] for _, disc in find_discs(frame)[:count]])
        if len(discs) < count:
            continue
        if not len(now):
            now = before = discs[discs[:, 0].argsort()]
            continue
        expected = now + (now - before)
        distance = np.linalg.norm(expected[:, None] - discs[None], axis=2)
        best = min(permutations(range(count)), key=lambda order: distance[range(count), list(order)].sum())
        now, before = discs[list(best)], now
    order = now[:, 0].argsort() if len(now) else np.arange(count)[::-1]
    return Places(tuple(int(k) + 1 for k in order))
