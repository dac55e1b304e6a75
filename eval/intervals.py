"""95 % intervals and tests over source videos: questions on one video are not independent, so each video counts as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
FLIPS = 9999
EXACT_GROUPS = 12  # up to so many source videos, all ways to flip their signs are tried
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval.

    `low` and `high` are None with fewer than two source videos; `mean` is NaN without a sample. `groups` is their number.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    groups: int = 0

    @property
    def ends(self) -> tuple[float, float]:
        """The interval; the mean twice if there is none."""
        return (self.mean if self.low is None else self.low), (self.mean if self.high is None else self.high)


@dataclass(frozen=True)
class Mean:
    """A mean of values in [0, 1], or the plain mean of several such means, as a sum over source videos.

    Attributes:
        value: the mean.
        shares: what each source video adds to the mean, shape (groups,).
        weights: what it would add if all its values were 1.
        residuals: how far it pulls the mean off; their sum of squares estimates the mean's variance.
        questions: number of values.
    """

    value: float
    shares: Array
    weights: Array
    residuals: Array
    questions: int

    @property
    def groups(self) -> int:
        return int((self.weights > 0).sum())


def column_means(values: Sequence[float], groups: Sequence[str], columns: Sequence[str]) -> dict[str, Mean]:
    """The mean of each column; one entry of the arguments per value. All means list the same source videos."""
    rows = {name: index for index, name in enumerate(sorted(set(groups)))}
    means = {}
    for column in dict.fromkeys(columns):
        sums, counts = np.zeros(len(rows)), np.zeros(len(rows))
        for value, group, name in zip(values, groups, columns, strict=True):
            if name == column:
                sums[rows[group]] += value
                counts[rows[group]] += 1
        mean, shares, weights = float(sums.sum() / counts.sum()), sums / counts.sum(), counts / counts.sum()
        means[column] = Mean(mean, shares, weights, shares - mean * weights, int(counts.sum()))
    return means


def mean_of_means(means: Sequence[Mean]) -> Mean:
    """The plain mean of the columns' means: the paper's Overall."""
    shares, weights, residuals = (
        np.mean([getattr(mean, name) for mean in means], axis=0) for name in ("shares", "weights", "residuals")
    )
    return Mean(fmean(mean.value for mean in means), shares, weights, residuals, sum(mean.questions for mean in means))


def estimate(mean: Mean) -> Estimate:
    """Wilson's interval for as many independent questions as these are worth.

    The design effect, by which questions on one video are worth less, cannot be seen where nearly all answers are right or
    wrong. One more success is imagined there (or failure), and that it would have taken its whole video along.
    """
    value, groups = mean.value, mean.groups
    if groups < 2:
        return Estimate(value, groups=groups)
    spread, rarer = value * (1 - value), mean.questions * min(value, 1 - value)
    effect = _variance(mean) * mean.questions / spread if spread else 0.0
    size = mean.questions / ((rarer * effect + mean.questions / groups) / (rarer + 1))
    quantile = _quantile(groups - 1)
    centre = (value + quantile**2 / (2 * size)) / (1 + quantile**2 / size)
    half = quantile / (1 + quantile**2 / size) * sqrt(spread / size + quantile**2 / (4 * size**2))
    return Estimate(value, min(value, max(0.0, centre - half)), max(value, min(1.0, centre + half)), groups)


def difference(first: Mean, second: Mean) -> Estimate:
    """Second minus first, of the same questions: the two intervals combined by their correlation (Newcombe's hybrid score)."""
    one, other = estimate(first), estimate(second)
    gain = other.mean - one.mean
    if one.groups < 2:
        return Estimate(gain, groups=one.groups)
    (one_low, one_high), (other_low, other_high) = one.ends, other.ends
    scale = sqrt(_variance(first) * _variance(second))
    covariance = float(first.residuals @ second.residuals) * one.groups / (one.groups - 1)
    correlation = min(1.0, max(-1.0, covariance / scale)) if scale else 0.0

    def reach(a: float, b: float) -> float:
        return sqrt(max(0.0, a * a - 2 * correlation * a * b + b * b))

    low = gain - reach(one_high - one.mean, other.mean - other_low)
    high = gain + reach(one.mean - one_low, other_high - other.mean)
    return Estimate(gain, low, high, one.groups)


def p_value(first: Mean, second: Mean) -> float:
    """How often chance alone gives such a gain: the share of ways to swap the two runs on whole videos that give one as large."""
    gains = (second.shares - first.shares)[first.weights > 0]
    groups = len(gains)
    if groups <= EXACT_GROUPS:
        signs = 1 - 2 * (np.arange(2**groups)[:, None] >> np.arange(groups) & 1)
    else:
        signs = 1 - 2 * np.random.default_rng(0).integers(0, 2, (FLIPS + 1, groups), dtype=np.int8)
        signs[0] = 1
    return float((np.abs(signs @ gains) >= abs(gains.sum()) - 1e-12).mean())


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of one family of tests: with a bound of 5 %, any false verdict among them comes in at most 5 % of cases."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _variance(mean: Mean) -> float:
    return float(mean.residuals @ mean.residuals) * mean.groups / (mean.groups - 1)


def _quantile(freedom: int) -> float:
    """Student's t quantile of `LEVEL`, by the expansion of Cornish and Fisher (1 % off at 3 degrees of freedom)."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    terms = (z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return float(sum(term / freedom**power for power, term in enumerate(terms)))
