"""Intervals by resampling source videos: questions on one video share what is hard about it, so they are drawn together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

import numpy as np
import numpy.typing as npt

DRAWS = 2000
LEVEL = 0.95
ATTEMPTS = 20

Draws = npt.NDArray[np.float64]
"""The means of one column, one a draw."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval; both ends are None where there are too few source videos for one, all NaN without a sample."""

    mean: float
    low: float | None = None
    high: float | None = None
    groups: int = 0


def column_means(
    values: Sequence[float], groups: Sequence[str], columns: Sequence[str], *, seed: int = 0
) -> tuple[dict[str, float], dict[str, Draws]]:
    """The mean of each column, and its means when the groups are drawn with replacement.

    Args:
        values, groups, columns: one a sample. A draw takes whole groups, over all columns at once; one that leaves a column
            empty is drawn anew.

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
    weights = _weights(counts, np.random.default_rng(seed))
    drawn = (weights @ sums) / (weights @ counts)
    means = sums.sum(axis=0) / counts.sum(axis=0)
    return dict(zip(names, map(float, means), strict=True)), {name: drawn[:, at] for at, name in enumerate(names)}


def _weights(counts: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """How often each draw holds each group."""
    groups = len(counts)
    found: list[npt.NDArray[np.int64]] = []
    number = 0
    for _ in range(ATTEMPTS):
        tried = rng.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS)
        kept = tried[(tried @ counts > 0).all(axis=1)]
        found.append(kept)
        number += len(kept)
        if number >= DRAWS:
            break
    return np.concatenate(found)[:DRAWS]


def estimate(mean: float, drawn: Draws, groups: int) -> Estimate:
    """A mean with its interval, from the means of the draws; widened for few groups, whose draws vary too little."""
    if groups < 2 or len(drawn) < DRAWS // 10:
        return Estimate(mean, groups=groups)
    tail = 100 * (1 - LEVEL) / 2
    wider = sqrt(groups / (groups - 1))
    low, high = (mean + wider * (float(end) - mean) for end in np.percentile(drawn, (tail, 100 - tail)))
    return Estimate(mean, min(low, mean), max(high, mean), groups)


def mean_over_columns(means: Mapping[str, float], drawn: Mapping[str, Draws], groups: int) -> Estimate:
    """The plain mean of the columns' means, from the same draws of groups."""
    return estimate(fmean(means.values()), np.mean(np.stack(list(drawn.values())), axis=0), groups)
