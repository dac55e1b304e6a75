"""Intervals and verdicts hold as often as they say, from 8 to 100 source videos, also where all answers are right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import pytest

from eval.intervals import Mean, column_means, difference, estimate, holm, mean_of_means, p_value

COLUMNS = 9
Rng = np.random.Generator


def column(values: Sequence[float], groups: int) -> Mean:
    """One column whose values are dealt to source videos in turn."""
    return column_means(values, [str(k % groups) for k in range(len(values))], ["x"] * len(values))["x"]


@pytest.mark.parametrize("groups", [8, 25, 100])
@pytest.mark.parametrize(("share", "likeness"), [(0.003, 0.4), (0.02, 0.1), (0.5, 0.1), (0.95, 0.4)])
def test_intervals_hold_the_mean_as_often_as_they_say(groups: int, share: float, likeness: float) -> None:
    rng, hits, trials = np.random.default_rng(1), 0, 300
    scale = 1 / likeness - 1
    for _ in range(trials):
        of_videos = rng.beta(share * scale, (1 - share) * scale, groups)  # answers to one video are alike
        interval = estimate(column(list((rng.random((12, groups)) < of_videos).astype(float).ravel()), groups))
        assert interval.low is not None
        assert interval.high is not None
        assert 0 <= interval.low <= interval.mean <= interval.high <= 1
        hits += interval.low <= share <= interval.high
    assert hits / trials > 0.91


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_wrong_and_all_right_are_not_certain(value: float) -> None:
    wide, narrow = estimate(column([value] * 300, 25)), estimate(column([value] * 300, 300))
    for interval, width in ((wide, 0.146), (narrow, 0.0127)):
        assert interval.low is not None
        assert interval.high is not None
        assert interval.high - interval.low == pytest.approx(width, rel=0.05)
    gain = difference(column([0.0] * 300, 25), column([value] * 300, 25))
    assert gain.low is not None
    assert gain.high is not None
    assert -1 <= gain.low < gain.mean <= gain.high <= 1


def test_one_video_gives_no_interval() -> None:
    assert estimate(column([0.0, 1.0], 1)).low is None
    means = column_means([0.0, 1.0, 1.0], ["a", "a", "b"], ["x", "y", "y"])
    assert {name: mean.value for name, mean in means.items()} == {"x": 0.0, "y": 1.0}
    assert mean_of_means(list(means.values())).value == 0.5


def runs(rng: Rng, groups: int, share: float, spread: float, gain: float = 0.0) -> list[dict[str, Mean]]:
    """Two models, equally good but for `gain` in log odds; both find some videos easier than others, each its own."""
    names = [str(video) for video in range(groups) for _ in range(COLUMNS * 4)]
    columns = [str(name) for _ in range(groups) for name in range(COLUMNS) for _ in range(4)]
    means = []
    for more in (0.0, gain):
        ability = log(share / (1 - share)) + more + spread * rng.normal(size=(groups, COLUMNS, 1))
        values = rng.random((groups, COLUMNS, 4)) < 1 / (1 + np.exp(-ability))
        means.append(column_means(list(values.astype(float).ravel()), names, columns))
    return means


def p_values(first: dict[str, Mean], second: dict[str, Mean]) -> list[float]:
    return holm([p_value(first[name], second[name]) for name in first])


@pytest.mark.slow
@pytest.mark.parametrize("groups", [8, 13, 25, 100])
@pytest.mark.parametrize(("share", "spread"), [(0.02, 1.0), (0.5, 0.0), (0.8, 1.5)])
def test_verdicts_on_equal_models_are_wrong_in_few_cases(groups: int, share: float, spread: float) -> None:
    rng, trials = np.random.default_rng(2), 100
    columns = overall = 0
    for _ in range(trials):
        first, second = runs(rng, groups, share, spread)
        columns += min(p_values(first, second)) <= 0.05  # any of the nine
        overall += p_value(mean_of_means(list(first.values())), mean_of_means(list(second.values()))) <= 0.05
    most = trials * 0.05 + 2.6 * (trials * 0.05 * 0.95) ** 0.5  # which 5 % exceed in one of 200 cases
    assert columns <= most
    assert overall <= most


def test_a_gain_is_seen() -> None:
    first, second = runs(np.random.default_rng(3), 25, 0.3, 1.0, gain=3.0)
    assert max(p_values(first, second)) < 0.05
    gain = difference(first["0"], second["0"])
    assert gain.low is not None
    assert gain.low > 0


def test_holm_adjusts_like_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
