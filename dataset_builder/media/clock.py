"""Repairs a video's clock: a few wrong time stamps are replaced, as one that is repeated must not move all the others."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from statistics import median

MAX_MISSING = 0.5  # share of the frames without a time stamp
MAX_WRONG = 0.1  # share of the time stamps that are repeated or out of order; more mean that the clock starts again


def repair_clock(stamps: Sequence[int | None]) -> list[Fraction] | None:
    """Strictly increasing times of frames, in the same unit, or None if most stamps are missing or the clock starts again.

    Right stamps, the longest increasing series among all, stay as they are; times between them are interpolated.
    """
    known = [index for index, stamp in enumerate(stamps) if stamp is not None]
    right = [known[k] for k in _longest_increase([stamps[index] or 0 for index in known])]
    if len(right) < 2 or len(known) < (1 - MAX_MISSING) * len(stamps) or len(right) < (1 - MAX_WRONG) * len(known):
        return None
    values = {index: Fraction(stamps[index] or 0) for index in right}
    step = median((values[b] - values[a]) / (b - a) for a, b in pairwise(right))
    times: list[Fraction] = []
    for index in range(len(stamps)):
        place = bisect_left(right, index)
        if index in values:
            times.append(values[index])
        elif place == 0:
            times.append(values[right[0]] - (right[0] - index) * step)
        elif place == len(right):
            times.append(values[right[-1]] + (index - right[-1]) * step)
        else:
            before, after = right[place - 1], right[place]
            times.append(values[before] + (values[after] - values[before]) * (index - before) / (after - before))
    return times


def _longest_increase(values: Sequence[int]) -> list[int]:
    """The indices of a longest strictly increasing subsequence."""
    ends: list[int] = []  # the smallest last value of a subsequence of each length
    at: list[int] = []  # its index
    previous = [-1] * len(values)
    for index, value in enumerate(values):
        length = bisect_left(ends, value)
        if length < len(ends) and ends[length] == value:  # a repeated stamp is that of the first frame
            continue
        previous[index] = at[length - 1] if length else -1
        ends[length : length + 1] = [value]
        at[length : length + 1] = [index]
    chain = []
    index = at[-1] if at else -1
    while index >= 0:
        chain.append(index)
        index = previous[index]
    return chain[::-1]
