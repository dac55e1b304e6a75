"""Compares two runs on the same questions: the paired gain of the second over the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from dataset_builder.tasks import UsageError

from .bootstrap import Estimate, column_means, estimate, mean_over_columns
from .results import OVERALL, Results, ScoredSample, metric_value
from .tables import percent

MIN_GROUPS = 8  # source videos; with fewer, bootstrap intervals are too short for a verdict


@dataclass(frozen=True)
class Difference:
    """One column of two runs, over the questions that both have answered.

    Attributes:
        first, second: each run's mean.
        gain: mean of second minus first; its interval comes from resampling source videos.
        pairs: number of questions.
    """

    column: str
    metric: str
    first: float
    second: float
    gain: Estimate
    pairs: int

    @property
    def verdict(self) -> str:
        """`better` or `worse` if the interval excludes 0."""
        if self.gain.low is None or self.gain.high is None or self.gain.groups < MIN_GROUPS:
            return "too few videos to say"
        return "better" if self.gain.low > 0 else "worse" if self.gain.high < 0 else "no clear difference"


@dataclass(frozen=True)
class Comparison:
    """All columns of two runs, and overall.

    Attributes:
        first, second: the runs' labels.
        left_out: number of questions that only one run has, or has answered.
    """

    first: str
    second: str
    columns: tuple[Difference, ...]
    overall: Difference
    left_out: int


def compare(first: Results, second: Results, *, mean_of_columns: bool) -> Comparison:
    """Compare two runs on the questions that both have answered.

    Args:
        mean_of_columns: overall is the mean of the columns; else the mean of all questions.

    Raises:
        UsageError: if they share no answered question.
    """
    by_key = {_question_key(item): item for item in second.scored_samples if item.score is not None}
    pairs = [
        (item, by_key[_question_key(item)])
        for item in first.scored_samples
        if item.score is not None and _question_key(item) in by_key
    ]
    if not pairs:
        raise UsageError(
            f"{first.label!r} and {second.label!r} share no answered question: are they runs of the same benchmark?"
        )
    gains = [metric_value(right) - metric_value(left) for left, right in pairs]
    groups = [left.sample.group for left, _ in pairs]
    means, draws = column_means(gains, groups, [left.sample.column for left, _ in pairs])
    columns = []
    for name, mean in means.items():
        column_pairs = [pair for pair in pairs if pair[0].sample.column == name]
        gain = estimate(mean, draws[name], len({left.sample.group for left, _ in column_pairs}))
        columns.append(_make_difference(name, column_pairs[0][0].sample.metric, column_pairs, gain))
    if mean_of_columns:
        gain = mean_over_columns(means, draws, len(set(groups)))
        overall = Difference(
            OVERALL, "mean of columns", fmean(c.first for c in columns), fmean(c.second for c in columns), gain, len(pairs)
        )
    else:
        pooled, pooled_draws = column_means(gains, groups, [OVERALL] * len(gains))
        gain = estimate(pooled[OVERALL], pooled_draws[OVERALL], len(set(groups)))
        overall = _make_difference(OVERALL, pairs[0][0].sample.metric, pairs, gain)
    all_keys = {_question_key(item) for item in (*first.scored_samples, *second.scored_samples)}
    return Comparison(first.label, second.label, tuple(columns), overall, len(all_keys) - len(pairs))


def _question_key(item: ScoredSample) -> tuple[str, str, str]:
    return item.sample.id, item.sample.fingerprint, item.sample.truth


def _make_difference(name: str, metric: str, pairs: Sequence[tuple[ScoredSample, ScoredSample]], gain: Estimate) -> Difference:
    first, second = (fmean(metric_value(pair[side]) for pair in pairs) for side in (0, 1))
    return Difference(name, metric, first, second, gain, len(pairs))


def comparison_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """(header, rows); values in percent."""
    header = ["column", comparison.first, comparison.second, "gain [95 %]", "", "pairs"]
    columns = (*comparison.columns, comparison.overall) if len(comparison.columns) > 1 else (comparison.overall,)
    return header, [
        [row.column, percent(row.first), percent(row.second), _format_gain(row.gain), row.verdict, str(row.pairs)]
        for row in columns
    ]


def _format_gain(gain: Estimate) -> str:
    interval = "" if gain.low is None or gain.high is None else f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    return f"{100 * gain.mean:+.1f}{interval}"
