"""Turns a run's responses into its results: a mean with a 95 % interval for each column, and overall."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, isnan, nan
from statistics import fmean

from dataset_builder.tasks import UsageError

from .clocks import is_beyond
from .intervals import Estimate, column_means, estimate, mean_of_means
from .marks import Score, metric_names, reading, score_response, succeeds
from .protocols import OURS, PROTOCOLS
from .run import RESPONSES, Run
from .sample import Sample

OVERALL = "overall"


@dataclass(frozen=True)
class Column:
    """A model's results in one column.

    Attributes:
        reading: how answers were read: strict, lenient or paper.
        value: the mean of `metric` over the responses; one that cannot be parsed counts 0 (with the paper's protocol: not at all).
        asked: number of questions, times the responses to each.
        failed: those without a response.
        unparsed: responses that cannot be parsed.
        beyond: those whose answer the model's clock cannot express; they count nowhere else.
        of_all: the mean over all, with failed ones as 0.
        released: the mean over parsed responses only, as the paper's released scripts divide.
        chance: the blind baseline on `metric`.
        others: means of the other metrics; `pass@k` is the chance that one of k responses is right.
    """

    name: str
    metric: str
    reading: str
    value: Estimate
    asked: int
    failed: int
    unparsed: int
    beyond: int
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
    """A sample with one of its responses; response and score are None if it failed or was not asked yet, `error` says why.

    `beyond`: its answer is out of reach of the model's clock. `counted`: whether it is part of the value.
    """

    sample: Sample
    response: str | None
    score: Score | None
    error: str
    beyond: bool
    counted: bool

    @property
    def value(self) -> float:
        """On the metric of its column; 0 if it failed."""
        return self.score.values[self.sample.metric] if self.score else 0.0


@dataclass(frozen=True)
class Results:
    """The results of one run.

    Attributes:
        columns: in the order of the samples; a column without a response has the value NaN.
        overall: for a generated benchmark the plain mean of the columns, NaN while one of them has no response; else the mean of all.
        failures: the reasons why samples have no response, with counts.
        notes: what the values depend on, and warnings that affect how far they can be trusted.
        scored_samples: every sample, as often as it was asked.
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
    items = tuple(_score_samples(run))
    failures = dict(Counter(item.error for item in items if item.score is None).most_common())
    counted = [item for item in items if item.counted]
    if not any(item.score for item in items):
        reasons = "; ".join(f"{count} × {reason}" for reason, count in list(failures.items())[:3])
        raise UsageError(f"{str(run.folder)!r} holds no answer: {reasons}")
    generated = run.benchmark.kind == "generated"
    by_column: dict[str, list[ScoredSample]] = defaultdict(list)
    for item in items:
        by_column[item.sample.column].append(item)
    values, groups = [item.value for item in counted], [item.sample.group for item in counted]
    means = column_means(values, groups, [item.sample.column for item in counted])
    columns = [
        _make_column(name, column_items, estimate(means[name]) if name in means else Estimate(nan))
        for name, column_items in by_column.items()
    ]
    if generated:
        whole = estimate(mean_of_means(list(means.values()))) if len(means) == len(columns) else Estimate(nan)
        overall = _mean_column(columns, whole)
    else:
        pooled = column_means(values, groups, [OVERALL] * len(values))
        overall = _make_column(OVERALL, items, estimate(pooled[OVERALL]) if pooled else Estimate(nan))
    return Results(run.label, tuple(columns), overall, failures, tuple(_make_notes(run, overall)), items)


def _score_samples(run: Run) -> Iterator[ScoredSample]:
    clock = run.manifest.get("clock") or "frames"
    parsed_alone = PROTOCOLS[run.benchmark.facts.get("protocol", OURS.name)].parsed_alone
    for sample in run.benchmark.samples:
        beyond = clock != "frames" and is_beyond(sample, clock, run.benchmark.sampling.frames)
        for response in run.responses_to(sample):
            if response is None or response.text is None:
                yield ScoredSample(sample, None, None, response.error if response else "not asked yet", beyond, counted=False)
                continue
            score = score_response(sample, response.text)
            counted = not beyond and bool(score.parsed or not parsed_alone)
            yield ScoredSample(sample, response.text, score, "", beyond, counted)


def _make_notes(run: Run, overall: Column) -> Iterator[str]:
    facts, manifest = run.benchmark.facts, run.manifest
    if (protocol := facts.get("protocol", OURS.name)) != OURS.name:
        yield f"protocol {protocol}: prompts, frames, token limit, reading and denominator of the {protocol}'s scripts"
    if overall.beyond:
        yield f"clock {manifest['clock']}: {overall.beyond} answers are times that the model was not shown; they are left out"
    responses = [response for sample in run.benchmark.samples for response in run.responses_to(sample) if response]
    if cut_off := sum(bool(response.seen.get("cut_off")) for response in responses):
        yield f"{cut_off} answers were cut off at the maximum number of tokens; raise it (--max-tokens)"
    marker_checks = {str(response.seen["markers"]) for response in responses if "markers" in response.seen}
    for check in sorted(check for check in marker_checks if check.startswith(("unknown", "none"))):
        yield f"it is not known whether all frames arrived: {check.partition(': ')[2]}"
    if missing := run.benchmark.missing:
        names = ", ".join(missing[:20]) + (", …" if len(missing) > 20 else "")
        yield f"{len(missing)} videos are missing, so their questions were not asked: {names}"
    if unusable := facts.get("unusable", {}):
        yield f"{len(unusable)} videos gave no question: {', '.join(f'{name} ({reason})' for name, reason in list(unusable.items())[:10])}"
    if run.unreadable_lines:
        yield f"{run.unreadable_lines} lines of {RESPONSES} cannot be read; their questions count as not asked"


def _make_column(name: str, items: Sequence[ScoredSample], value: Estimate) -> Column:
    within = [item for item in items if not item.beyond]
    scores = [(item.value, item.score) for item in within if item.score]
    parsed = [number for number, score in scores if score.parsed]
    first = items[0].sample
    others = {
        other: fmean(score.values[other] for _, score in scores)
        for other in metric_names(first)
        if other != first.metric and scores
    }
    return Column(
        name=name,
        metric=first.metric,
        reading=reading(first),
        value=value,
        asked=len(items),
        failed=len(within) - len(scores),
        unparsed=len(scores) - len(parsed),
        beyond=len(items) - len(within),
        of_all=fmean(item.value for item in within) if within else nan,
        released=fmean(parsed) if parsed else 0.0,
        chance=fmean(item.sample.chance for item in within or items),
        others={**others, **_pass_at(within)},
    )


def _pass_at(items: Sequence[ScoredSample]) -> dict[str, float]:
    """For k = 2, 4, 8, … up to the number of responses: the chance that one of k responses to a question is right."""
    rights: dict[str, list[bool]] = defaultdict(list)
    for item in items:
        if item.score:
            rights[item.sample.id].append(succeeds(item.sample, item.score))
    number = min(map(len, rights.values()), default=0)
    sizes = sorted({*(2**power for power in range(1, number.bit_length()) if 2**power <= number), number} - {0, 1})
    return {
        f"pass@{k}": fmean(1 - comb(len(right) - sum(right), k) / comb(len(right), k) for right in rights.values())
        for k in sizes
    }


def _mean_column(columns: Sequence[Column], value: Estimate) -> Column:
    """The plain mean of the columns, the paper's Overall; NaN while a column has no response."""
    values = [{column.metric: column.value.mean, **column.others} for column in columns]
    shared = [name for name in values[0] if all(name in others for others in values) and not isnan(value.mean)]
    return Column(
        name=OVERALL,
        metric="mean of columns",
        reading=columns[0].reading,
        value=value,
        asked=sum(column.asked for column in columns),
        failed=sum(column.failed for column in columns),
        unparsed=sum(column.unparsed for column in columns),
        beyond=sum(column.beyond for column in columns),
        of_all=fmean(column.of_all for column in columns),
        released=fmean(column.released for column in columns),
        chance=fmean(column.chance for column in columns),
        others={name: fmean(others[name] for others in values) for name in shared},
    )
