"""From a run's answers to its table: a value with its interval for each column, and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from statistics import fmean

from dataset_builder.tasks import UsageError

from .bootstrap import Draws, Estimate, column_means, estimate, mean_over_columns
from .marks import Mark, mark, metrics
from .run import RESPONSES, Run
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
        columns: in the order of the samples; one without an answer has NaN.
        overall: of VIUBench the plain mean of the columns, NaN while one has no answer; else the mean of all samples.
        failures: why samples have no answer, and how many.
        notes: what is to be known before the values are believed.
        marked: every sample.
    """

    label: str
    columns: tuple[Column, ...]
    overall: Column
    failures: Mapping[str, int]
    notes: tuple[str, ...]
    marked: tuple[Marked, ...]

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def results(run: Run) -> Results:
    """Mark all answers of a run; those of an unfinished one that are there.

    Raises:
        UsageError: if it has no answer.
    """
    marked = tuple(_marked(run, sample) for sample in run.benchmark.samples)
    answered = [one for one in marked if one.mark is not None]
    failures = dict(Counter(one.error for one in marked if one.mark is None).most_common())
    if not answered:
        told = "; ".join(f"{number} × {reason}" for reason, number in list(failures.items())[:3])
        raise UsageError(f"{str(run.folder)!r} holds no answer: {told}")
    values = [value(one) for one in answered]
    groups = [one.sample.group for one in answered]
    means, drawn = column_means(values, groups, [one.sample.column for one in answered])
    columns = []
    for name in dict.fromkeys(one.sample.column for one in marked):
        own = [one for one in marked if one.sample.column == name]
        sizes = len({one.sample.group for one in own if one.mark is not None})
        columns.append(_column(name, own, estimate(means[name], drawn[name], sizes) if name in means else Estimate(nan)))
    if run.benchmark.kind == "viubench":
        overall = _overall(columns, marked, means, drawn, len(set(groups)))
    else:
        pooled, redrawn = column_means(values, groups, [OVERALL] * len(values))
        overall = _column(OVERALL, marked, estimate(pooled[OVERALL], redrawn[OVERALL], len(set(groups))))
    return Results(run.label, tuple(columns), overall, failures, tuple(_notes(run)), marked)


def _notes(run: Run) -> Iterator[str]:
    """What is to be known before the values are believed."""
    own = [found for sample in run.benchmark.samples if (found := run.response(sample)) is not None]
    if cut_off := sum(bool(one.seen.get("cut_off")) for one in own):
        yield f"{cut_off} answers were cut off at the most tokens of a response; give more (--max-tokens)"
    looks = {str(one.seen["markers"]) for one in own if "markers" in one.seen}
    for look in sorted(look for look in looks if look.startswith(("unknown", "none"))):
        yield f"whether the frames arrived is not known: {look.partition(': ')[2]}"
    if run.benchmark.missing:
        shown = ", ".join(run.benchmark.missing[:20]) + (", …" if len(run.benchmark.missing) > 20 else "")
        yield f"{len(run.benchmark.missing)} videos are missing, whose questions were not asked: {shown}"
    unusable = run.benchmark.told.get("unusable", {})
    if unusable:
        yield f"{len(unusable)} videos gave no question: {', '.join(f'{name} ({reason})' for name, reason in list(unusable.items())[:10])}"
    if run.spoilt:
        yield f"{run.spoilt} lines of {RESPONSES} cannot be read; their questions count as not asked"


def value(one: Marked) -> float:
    """The value that its column reports; 0 where it failed."""
    return one.mark.values[one.sample.metric] if one.mark else 0.0


def _marked(run: Run, sample: Sample) -> Marked:
    found = run.response(sample)
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
        others={other: fmean(one.mark.values[other] for one in answered if one.mark) for other in others if answered},
    )


def _overall(
    columns: Sequence[Column], marked: Sequence[Marked], means: Mapping[str, float], drawn: Mapping[str, Draws], groups: int
) -> Column:
    """The plain mean, as the paper's Overall; none while a column has no answer."""
    whole = len(drawn) == len(columns)
    reached = mean_over_columns(means, drawn, groups) if whole else Estimate(nan)
    shared = [name for name in ("score", "exact") if whole and all(name == one.metric or name in one.others for one in columns)]
    return Column(
        name=OVERALL,
        metric="mean of columns",
        value=reached,
        asked=len(marked),
        failed=sum(one.mark is None for one in marked),
        unparsed=sum(one.unparsed for one in columns),
        of_all=fmean(one.of_all for one in columns),
        released=fmean(one.released for one in columns),
        chance=fmean(one.chance for one in columns),
        others={name: fmean(one.value.mean if one.metric == name else one.others[name] for one in columns) for name in shared},
    )
