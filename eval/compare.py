"""Two runs on the same questions: what the second gains on the first, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from dataset_builder.tasks import UsageError

from .bootstrap import Estimate, column_means, estimate, mean_over_columns
from .results import OVERALL, Marked, Results, value
from .tables import percent

FEWEST = 8  # source videos; intervals from fewer are too short


@dataclass(frozen=True)
class Difference:
    """One column of two runs, over the questions that both have answered.

    Attributes:
        first, second: means.
        gain: of the second over the first; its interval comes from drawing source videos.
        pairs: how many questions.
    """

    column: str
    metric: str
    first: float
    second: float
    gain: Estimate
    pairs: int

    @property
    def verdict(self) -> str:
        """Whether the interval leaves out 0."""
        if self.gain.low is None or self.gain.high is None or self.gain.groups < FEWEST:
            return "too few videos to say"
        return "better" if self.gain.low > 0 else "worse" if self.gain.high < 0 else "no clear difference"


@dataclass(frozen=True)
class Comparison:
    """Columns, and overall, of two runs.

    Attributes:
        left_out: questions that only one of them has, or has answered.
    """

    first: str
    second: str
    columns: tuple[Difference, ...]
    overall: Difference
    left_out: int


def compare(first: Results, second: Results, *, mean_of_columns: bool) -> Comparison:
    """Pair two runs, question by question.

    Args:
        mean_of_columns: whether overall is that, or the mean of all questions.

    Raises:
        UsageError: if they share no answered question.
    """
    known = {_key(one): one for one in second.marked if one.mark is not None}
    pairs = [(one, known[_key(one)]) for one in first.marked if one.mark is not None and _key(one) in known]
    if not pairs:
        raise UsageError(
            f"{first.label!r} and {second.label!r} share no answered question: were they asked the same benchmark?"
        )
    gains = [value(right) - value(left) for left, right in pairs]
    groups = [left.sample.group for left, _ in pairs]
    means, drawn = column_means(gains, groups, [left.sample.column for left, _ in pairs])
    columns = []
    for name, mean in means.items():
        own = [pair for pair in pairs if pair[0].sample.column == name]
        gain = estimate(mean, drawn[name], len({left.sample.group for left, _ in own}))
        columns.append(_difference(name, own[0][0].sample.metric, own, gain))
    if mean_of_columns:
        gain = mean_over_columns(means, drawn, len(set(groups)))
        overall = Difference(
            OVERALL, "mean of columns", fmean(c.first for c in columns), fmean(c.second for c in columns), gain, len(pairs)
        )
    else:
        pooled, redrawn = column_means(gains, groups, [OVERALL] * len(gains))
        overall = _difference(
            OVERALL, pairs[0][0].sample.metric, pairs, estimate(pooled[OVERALL], redrawn[OVERALL], len(set(groups)))
        )
    there = len({_key(one) for one in (*first.marked, *second.marked)})
    return Comparison(first.label, second.label, tuple(columns), overall, there - len(pairs))


def _key(one: Marked) -> tuple[str, str, str]:
    return one.sample.id, one.sample.fingerprint, one.sample.truth


def _difference(name: str, metric: str, pairs: Sequence[tuple[Marked, Marked]], gain: Estimate) -> Difference:
    return Difference(
        name, metric, fmean(value(left) for left, _ in pairs), fmean(value(right) for _, right in pairs), gain, len(pairs)
    )


def table(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Head and rows; values in percent."""
    head = ["column", found.first, found.second, "gain [95 %]", "", "pairs"]
    shown = (*found.columns, found.overall) if len(found.columns) > 1 else (found.overall,)
    return head, [
        [one.column, percent(one.first), percent(one.second), _signed(one.gain), one.verdict, str(one.pairs)] for one in shown
    ]


def _signed(gain: Estimate) -> str:
    interval = "" if gain.low is None or gain.high is None else f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    return f"{100 * gain.mean:+.1f}{interval}"
