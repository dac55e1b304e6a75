"""Turns a run's responses into its results: a mean with a 95 % interval for each column, and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from statistics import fmean

from dataset_builder.tasks import UsageError

from .bootstrap import Draws, Estimate, column_means, estimate, mean_over_columns
from .marks import Score, metric_names, score_response
from .run import RESPONSES, Run
from .sample import Sample

OVERALL = "overall"


@dataclass(frozen=True)
class Column:
    """A model's results in one column.

    Attributes:
        value: the mean of `metric` over the samples that have a response; a response that cannot be parsed counts 0.
        asked: number of samples.
        failed: number of samples without a response.
        unparsed: number of samples whose response cannot be parsed.
        of_all: the mean over all samples, with failed ones as 0.
        released: the mean over parsed responses only, as the paper's released scripts divide.
        chance: the blind baseline on `metric`.
        others: means of the other metrics.
    """

    name: str
    metric: str
    value: Estimate
    asked: int
    failed: int
    unparsed: int
    of_all: float
    released: float
    chance: float
    others: Mapping[str, float]

    @property
    def above_chance(self) -> float:
        """0 at the blind baseline, 1 for a perfect score."""
        return (self.value.mean - self.chance) / (1 - self.chance) if self.chance < 1 else self.value.mean - 1


@dataclass(frozen=True)
class ScoredSample:
    """A sample with its response and score; both are None if it failed or was not asked yet, and `error` says why."""

    sample: Sample
    response: str | None
    score: Score | None
    error: str


@dataclass(frozen=True)
class Results:
    """The results of one run.

    Attributes:
        columns: in the order of the samples; a column without a response has the value NaN.
        overall: for VIUBench the plain mean of the columns, NaN while one of them has no response; else the mean of all samples.
        failures: the reasons why samples have no response, with counts.
        notes: warnings that affect how far the values can be trusted.
        scored_samples: every sample.
    """

    label: str
    columns: tuple[Column, ...]
    overall: Column
    failures: Mapping[str, int]
    notes: tuple[str, ...]
    scored_samples: tuple[ScoredSample, ...]

    def column(self, name: str) -> Column | None:
        """The column of this name, if the run has it."""
        return next((column for column in self.columns if column.name == name), None)


def score_run(run: Run) -> Results:
    """Score the responses of a run; an unfinished run is scored on those that it has.

    Raises:
        UsageError: if it has no response.
    """
    items = tuple(_score_sample(run, sample) for sample in run.benchmark.samples)
    answered = [item for item in items if item.score is not None]
    failures = dict(Counter(item.error for item in items if item.score is None).most_common())
    if not answered:
        reasons = "; ".join(f"{count} × {reason}" for reason, count in list(failures.items())[:3])
        raise UsageError(f"{str(run.folder)!r} holds no answer: {reasons}")
    values = [metric_value(item) for item in answered]
    groups = [item.sample.group for item in answered]
    means, draws = column_means(values, groups, [item.sample.column for item in answered])
    columns = []
    for name in dict.fromkeys(item.sample.column for item in items):
        column_items = [item for item in items if item.sample.column == name]
        group_count = len({item.sample.group for item in column_items if item.score is not None})
        value = estimate(means[name], draws[name], group_count) if name in means else Estimate(nan)
        columns.append(_make_column(name, column_items, value))
    if run.benchmark.kind == "viubench":
        overall = _mean_column(columns, items, means, draws, len(set(groups)))
    else:
        pooled, pooled_draws = column_means(values, groups, [OVERALL] * len(values))
        overall = _make_column(OVERALL, items, estimate(pooled[OVERALL], pooled_draws[OVERALL], len(set(groups))))
    return Results(run.label, tuple(columns), overall, failures, tuple(_make_notes(run)), items)


def _make_notes(run: Run) -> Iterator[str]:
    responses = [response for sample in run.benchmark.samples if (response := run.response(sample)) is not None]
    if cut_off := sum(bool(response.seen.get("cut_off")) for response in responses):
        yield f"{cut_off} answers were cut off at the maximum number of tokens; raise it (--max-tokens)"
    marker_checks = {str(response.seen["markers"]) for response in responses if "markers" in response.seen}
    for check in sorted(check for check in marker_checks if check.startswith(("unknown", "none"))):
        yield f"it is not known whether all frames arrived: {check.partition(': ')[2]}"
    if missing := run.benchmark.missing:
        names = ", ".join(missing[:20]) + (", …" if len(missing) > 20 else "")
        yield f"{len(missing)} videos are missing, so their questions were not asked: {names}"
    if unusable := run.benchmark.facts.get("unusable", {}):
        yield f"{len(unusable)} videos gave no question: {', '.join(f'{name} ({reason})' for name, reason in list(unusable.items())[:10])}"
    if run.unreadable_lines:
        yield f"{run.unreadable_lines} lines of {RESPONSES} cannot be read; their questions count as not asked"


def metric_value(item: ScoredSample) -> float:
    """The sample's value on the metric of its column; 0 if it failed."""
    return item.score.values[item.sample.metric] if item.score else 0.0


def _score_sample(run: Run, sample: Sample) -> ScoredSample:
    response = run.response(sample)
    if response is None:
        return ScoredSample(sample, None, None, "not asked yet")
    score = None if response.text is None else score_response(sample, response.text)
    return ScoredSample(sample, response.text, score, response.error)


def _make_column(name: str, items: Sequence[ScoredSample], value: Estimate) -> Column:
    answered = [item for item in items if item.score is not None]
    parsed = [item for item in answered if item.score is not None and item.score.parsed]
    metric = items[0].sample.metric
    others = [other for other in metric_names(items[0].sample) if other != metric]
    return Column(
        name=name,
        metric=metric,
        value=value,
        asked=len(items),
        failed=len(items) - len(answered),
        unparsed=len(answered) - len(parsed),
        of_all=fmean(map(metric_value, items)),
        released=fmean(map(metric_value, parsed)) if parsed else 0.0,
        chance=fmean(item.sample.chance for item in items),
        others={other: fmean(item.score.values[other] for item in answered if item.score) for other in others if answered},
    )


def _mean_column(
    columns: Sequence[Column],
    items: Sequence[ScoredSample],
    means: Mapping[str, float],
    draws: Mapping[str, Draws],
    groups: int,
) -> Column:
    """The plain mean of the columns, the paper's Overall; NaN while a column has no response."""
    complete = len(draws) == len(columns)
    value = mean_over_columns(means, draws, groups) if complete else Estimate(nan)
    shared = [
        metric
        for metric in ("score", "exact")
        if complete and all(metric == column.metric or metric in column.others for column in columns)
    ]
    return Column(
        name=OVERALL,
        metric="mean of columns",
        value=value,
        asked=len(items),
        failed=sum(item.score is None for item in items),
        unparsed=sum(column.unparsed for column in columns),
        of_all=fmean(column.of_all for column in columns),
        released=fmean(column.released for column in columns),
        chance=fmean(column.chance for column in columns),
        others={name: fmean(c.value.mean if c.metric == name else c.others[name] for c in columns) for name in shared},
    )
