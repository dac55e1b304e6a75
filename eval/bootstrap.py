"""Bootstrap intervals over source videos: questions on one video are not independent, so they are resampled together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

import numpy as np
import numpy.typing as npt

DRAWS = 2000
LEVEL = 0.95
MAX_ROUNDS = 20

Draws = npt.NDArray[np.float64]
"""The mean of one column in each draw, shape (draws,)."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval.

    `low` and `high` are None with too few source videos; `mean` is NaN without a sample. `groups` is the number of source videos.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    groups: int = 0


def column_means(
    values: Sequence[float], groups: Sequence[str], columns: Sequence[str], *, seed: int = 0
) -> tuple[dict[str, float], dict[str, Draws]]:
    """The mean of each column, and its mean in each bootstrap draw.

    Args:
        values, groups, columns: one entry per sample. A draw resamples whole groups with replacement, for all columns at once;
            a draw that leaves a column empty is drawn again.

    Returns:
        (mean by column, `Draws` by column).
    """
    names = list(dict.fromkeys(columns))
    group_names = sorted(set(groups))
    row = {name: index for index, name in enumerate(group_names)}
    sums, counts = np.zeros((len(group_names), len(names))), np.zeros((len(group_names), len(names)))
    for value, group, column in zip(values, groups, columns, strict=True):
        cell = row[group], names.index(column)
        sums[cell] += value
        counts[cell] += 1
    weights = _draw_weights(counts, np.random.default_rng(seed))
    draws = (weights @ sums) / (weights @ counts)
    means = sums.sum(axis=0) / counts.sum(axis=0)
    return dict(zip(names, map(float, means), strict=True)), {name: draws[:, index] for index, name in enumerate(names)}


def _draw_weights(counts: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """How often each draw contains each group, shape (draws, groups); `counts` has shape (groups, columns)."""
    groups = len(counts)
    accepted: list[npt.NDArray[np.int64]] = []
    number = 0
    for _ in range(MAX_ROUNDS):
        weights = rng.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS)
        valid = weights[(weights @ counts > 0).all(axis=1)]
        accepted.append(valid)
        number += len(valid)
        if number >= DRAWS:
            break
    return np.concatenate(accepted)[:DRAWS]


def estimate(mean: float, draws: Draws, groups: int) -> Estimate:
    """A mean with its percentile interval, widened by sqrt(n / (n - 1)) because draws of n groups vary too little."""
    if groups < 2 or len(draws) < DRAWS // 10:
        return Estimate(mean, groups=groups)
    tail = 100 * (1 - LEVEL) / 2
    widening = sqrt(groups / (groups - 1))
    low, high = (mean + widening * (float(end) - mean) for end in np.percentile(draws, (tail, 100 - tail)))
    return Estimate(mean, min(low, mean), max(high, mean), groups)


def mean_over_columns(means: Mapping[str, float], draws: Mapping[str, Draws], groups: int) -> Estimate:
    """The plain mean of the columns' means, with its interval from the same draws."""
    return estimate(fmean(means.values()), np.mean(np.stack(list(draws.values())), axis=0), groups)
