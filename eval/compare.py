"""Compares two runs on the same questions: the paired gain of the second over the first."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean

from dataset_builder.tasks import UsageError

from .intervals import LEVEL, Estimate, column_means, difference, holm, mean_of_means, p_value
from .results import OVERALL, Results, ScoredSample
from .tables import percent

MIN_GROUPS = 8  # source videos; fewer are too few for a verdict

_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Difference:
    """One column of two runs, over the questions that both have answered.

    Attributes:
        first, second: each run's mean.
        gain: second minus first, with its interval.
        p: how often chance alone gives such a gain; for columns adjusted by Holm's method, as one of many.
        pairs: number of questions.
    """

    column: str
    metric: str
    first: float
    second: float
    gain: Estimate
    p: float
    pairs: int

    @property
    def verdict(self) -> str:
        """`better` or `worse` if that is wrong in at most 5 % of cases."""
        if self.gain.groups < MIN_GROUPS:
            return "too few videos to say"
        return "no clear difference" if self.p > 1 - LEVEL else "better" if self.gain.mean > 0 else "worse"


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
    """Compare two runs on the questions that both have answered; of several responses to a question the mean counts.

    Args:
        mean_of_columns: overall is the mean of the columns; else the mean of all questions.

    Raises:
        UsageError: if they share no answered question, or were read differently.
    """
    if first.overall.reading != second.overall.reading:
        readings = f"{first.label!r} is read by {first.overall.reading}, {second.label!r} by {second.overall.reading}"
        raise UsageError(f"{readings}; compare runs of one protocol")
    ones, others = _answers(first), _answers(second)
    pairs = [(ones[key], others[key]) for key in ones if key in others]
    if not pairs:
        labels = f"{first.label!r} and {second.label!r}"
        raise UsageError(f"{labels} share no answered question; compare runs on the same videos, seed and settings")
    samples = [items[0].sample for items, _ in pairs]
    groups, columns = [sample.group for sample in samples], [sample.column for sample in samples]
    values = [[fmean(item.value for item in pair[side]) for pair in pairs] for side in (0, 1)]
    one, other = (column_means(side, groups, columns) for side in values)
    metrics = {sample.column: sample.metric for sample in samples}
    adjusted = holm([p_value(one[name], other[name]) for name in one])
    differences = tuple(
        Difference(name, metrics[name], one[name].value, other[name].value, difference(one[name], other[name]), p, one[name].questions)
        for name, p in zip(one, adjusted, strict=True)
    )  # fmt: skip
    if mean_of_columns:
        metric, whole = "mean of columns", [mean_of_means(list(side.values())) for side in (one, other)]
    else:
        metric, whole = samples[0].metric, [column_means(side, groups, [OVERALL] * len(side))[OVERALL] for side in values]
    overall = Difference(OVERALL, metric, whole[0].value, whole[1].value, difference(*whole), p_value(*whole), len(pairs))
    return Comparison(first.label, second.label, differences, overall, len(ones.keys() | others.keys()) - len(pairs))


def _answers(results: Results) -> dict[_Key, list[ScoredSample]]:
    """The responses that count, by question."""
    answers: dict[_Key, list[ScoredSample]] = defaultdict(list)
    for item in results.scored_samples:
        if item.counted:
            answers[item.sample.id, item.sample.fingerprint, item.sample.truth].append(item)
    return answers


def comparison_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """(header, rows); values in percent."""
    header = ["column", comparison.first, comparison.second, "gain [95 %]", "p (Holm)", "", "pairs"]
    columns = (*comparison.columns, comparison.overall) if len(comparison.columns) > 1 else (comparison.overall,)
    rows = []
    for row in columns:
        low, high = row.gain.ends
        gain = f"{100 * row.gain.mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        rows.append([row.column, percent(row.first), percent(row.second), gain, f"{row.p:.3f}", row.verdict, str(row.pairs)])
    return header, rows
