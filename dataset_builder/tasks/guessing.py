"""Uniform guesses: what somebody answers who knows the form of an answer and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from .answers import Answer, Counts, Interval, Order
from .levels import Params


def guess(truth: Answer, params: Params, times: Sequence[float], rng: Random) -> Answer:
    """An answer of the truth's form, by chance.

    Args:
        params: the question's, for the largest count.
        times: of the video's frames, in seconds.

    Raises:
        TypeError: for a type of answer that it knows no guess of.
    """
    if isinstance(truth, Interval):
        start, end = sorted(rng.sample(list(times), 2))
        return Interval(start, end)
    if isinstance(truth, Counts):
        top = params["max_frames"] * params["max_per_frame"]
        return type(truth)(tuple(rng.randint(1, top) for _ in truth.values))
    if isinstance(truth, Order):
        return Order(tuple(rng.sample(truth.items, len(truth.items))))
    raise TypeError(f"{type(truth).__name__} has no uniform guess; add one to tasks/guessing.py")
