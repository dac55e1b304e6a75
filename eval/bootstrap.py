"""Intervals by resampling source videos: questions on one video share what is hard about it, so they are drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 2000
LEVEL = 0.95

Draws = npt.NDArray[np.float64]
"""The means of one column, one a draw; NaN where a draw holds no sample of it."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval; both ends are None where there are too few source videos for one."""

    mean: float
    low: float | None = None
    high: float | None = None


def column_means(
    values: Sequence[float], groups: Sequence[str], columns: Sequence[str], *, seed: int = 0
) -> tuple[dict[str, float], dict[str, Draws]]:
    """The mean of each column, and its means when the groups are drawn with replacement.

    Args:
        values, groups, columns: one a sample. A draw takes whole groups, over all columns at once.

    Returns:
        Means by column; its `Draws`, by column.
    """
    names = list(dict.fromkeys(columns))
    group_names = sorted(set(groups))
    row = {name: at for at, name in enumerate(group_names)}
    sums, counts = np.zeros((len(group_names), len(names))), np.zeros((len(group_names), len(names)))
    for value, group, column in zip(values, groups, columns, strict=True):
        at = row[group], names.index(column)
        sums[at] += value
        counts[at] += 1
    weights = np.random.default_rng(seed).multinomial(
        len(group_names), np.full(len(group_names), 1 / len(group_names)), size=DRAWS
    )
    with np.errstate(invalid="ignore"):
        drawn = (weights @ sums) / (weights @ counts)
    means = sums.sum(axis=0) / counts.sum(axis=0)
    return dict(zip(names, map(float, means), strict=True)), {name: drawn[:, at] for at, name in enumerate(names)}


def estimate(mean: float, drawn: Draws, groups: int) -> Estimate:
    """A mean with its interval, from the means of the draws."""
    if groups < 2:
        return Estimate(mean)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(drawn, (tail, 100 - tail))
    return Estimate(mean, float(low), float(high))
