"""From a run's answers to its table: a value with its interval for each column, and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from .bootstrap import Draws, Estimate, column_means, estimate
from .marks import Mark, mark, metrics
from .run import Run
from .sample import Sample

OVERALL = "overall"


@dataclass(frozen=True)
class Column:
    """What a model reaches in one column.

    Attributes:
        value: the mean of `metric` over the samples that have an answer, answers that do not parse counting 0.
        asked, failed, unparsed: how many samples; those without an answer; those whose answer does not parse.
        of_all: the same mean with failures counting 0.
        released: the mean over parsed answers alone, as the paper's scripts divide.
        chance: what the best blind answer reaches.
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
        """0 for the best blind answer, 1 for a perfect score."""
        return (self.value.mean - self.chance) / (1 - self.chance) if self.chance < 1 else self.value.mean - 1


@dataclass(frozen=True)
class Marked:
    """A sample, its response and mark; both are None where it failed or was not asked yet."""

    sample: Sample
    response: str | None
    mark: Mark | None
    error: str


@dataclass(frozen=True)
class Results:
    """A run's table.

    Attributes:
        columns: in the order of the samples.
        overall: of VIUBench the plain mean of the columns, else the mean of all samples.
        failures: why samples have no answer, and how many.
        marked: every sample.
    """

    label: str
    columns: tuple[Column, ...]
    overall: Column
    failures: Mapping[str, int]
    marked: tuple[Marked, ...]

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def results(run: Run) -> Results:
    """Mark all answers of a run; those of an unfinished one that are there.

    Raises:
        ValueError: if it has no answer.
    """
    marked = tuple(_marked(run, sample) for sample in run.benchmark.samples)
    answered = [one for one in marked if one.mark is not None]
    if not answered:
        raise ValueError(f"{str(run.folder)!r} holds no answer yet; run its command again")
    names = list(dict.fromkeys(one.sample.column for one in answered))
    values = [value(one) for one in answered]
    groups = [one.sample.group for one in answered]
    means, drawn = column_means(values, groups, [one.sample.column for one in answered])
    sizes = {name: len({one.sample.group for one in answered if one.sample.column == name}) for name in names}
    columns = tuple(
        _column(name, [one for one in marked if one.sample.column == name], estimate(means[name], drawn[name], sizes[name]))
        for name in names
    )
    overall = _overall(run.benchmark.kind, columns, marked, drawn, (values, groups))
    failures = Counter(one.error for one in marked if one.mark is None)
    return Results(run.label, columns, overall, dict(failures.most_common()), marked)


def value(one: Marked) -> float:
    """The value that its column reports; 0 where it failed."""
    return one.mark.values[one.sample.metric] if one.mark else 0.0


def _marked(run: Run, sample: Sample) -> Marked:
    found = run.responses.get(sample.id)
    if found is None:
        return Marked(sample, None, None, "not asked yet")
    return Marked(sample, found.text, None if found.text is None else mark(sample, found.text), found.error)


def _column(name: str, marked: Sequence[Marked], reached: Estimate) -> Column:
    answered = [one for one in marked if one.mark is not None]
    parsed = [one for one in answered if one.mark is not None and one.mark.parsed]
    metric = marked[0].sample.metric
    others = [other for other in metrics(marked[0].sample) if other != metric]
    return Column(
        name=name,
        metric=metric,
        value=reached,
        asked=len(marked),
        failed=len(marked) - len(answered),
        unparsed=len(answered) - len(parsed),
        of_all=fmean(map(value, marked)),
        released=fmean(map(value, parsed)) if parsed else 0.0,
        chance=fmean(one.sample.chance for one in marked),
        others={other: fmean(one.mark.values[other] for one in answered if one.mark) for other in others},
    )


def _overall(
    kind: str,
    columns: Sequence[Column],
    marked: Sequence[Marked],
    drawn: Mapping[str, Draws],
    pooled: tuple[list[float], list[str]],
) -> Column:
    values, groups = pooled
    if kind != "viubench":
        means, redrawn = column_means(values, groups, [OVERALL] * len(values))
        return _column(OVERALL, marked, estimate(means[OVERALL], redrawn[OVERALL], len(set(groups))))
    with np.errstate(invalid="ignore"):
        draws = np.nanmean(np.stack([drawn[column.name] for column in columns]), axis=0)
    shared = [name for name in ("score", "exact") if all(name == one.metric or name in one.others for one in columns)]
    names = dict.fromkeys(one.sample.column for one in marked)  # of an unfinished run, some have no answer yet
    return Column(
        name=OVERALL,
        metric="mean of columns",
        value=estimate(fmean(one.value.mean for one in columns), draws, len(set(groups))),
        asked=len(marked),
        failed=sum(one.mark is None for one in marked),
        unparsed=sum(one.unparsed for one in columns),
        of_all=sum(one.of_all for one in columns) / len(names),
        released=fmean(one.released for one in columns),
        chance=fmean(one.chance for one in columns),
        others={name: fmean(one.value.mean if one.metric == name else one.others[name] for one in columns) for name in shared},
    )
