"""Scores a response: the metric values that tables report."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from dataset_builder import tasks
from dataset_builder.tasks.answers import Interval
from dataset_builder.tasks.answers.reading import Unparseable

from .reading import find_interval, intervals, parse_choice
from .sample import Sample

RECALLS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Score:
    """The score of one response.

    Attributes:
        values: by metric, each in [0, 1]. A task has `score` (smooth), `exact`, and `lenient`: the metric of its column where an
            interval may stand in a sentence. An option has `accuracy`. An interval has `iou`, `R@0.3`, `R@0.5`, `R@0.7` (1 if the
            IoU reaches that threshold), and `strict`: the IoU of what rewards would read.
        parsed: the answer as it was understood; "" if none could be parsed.
        reason: one short sentence.
    """

    values: dict[str, float] = field(default_factory=dict)
    parsed: str = ""
    reason: str = ""


def score_response(sample: Sample, response: str) -> Score:
    """Score a model's whole response; one without a parseable answer gets 0 on every metric."""
    if sample.kind == "task":
        return _score_task(sample, response)
    try:
        return _score_choice(sample, response) if sample.kind == "choice" else _score_interval(sample, response)
    except Unparseable as error:
        return Score(dict.fromkeys(metric_names(sample), 0.0), "", f"unparseable: {error}")


def metric_names(sample: Sample) -> list[str]:
    """The keys of `Score.values` for this sample."""
    recalls = [f"R@{iou}" for iou in RECALLS]
    return {"task": ["score", "exact", "lenient"], "choice": ["accuracy"], "interval": ["iou", "strict", *recalls]}[sample.kind]


def reading(sample: Sample) -> str:
    """How the answers behind the sample's metric are read: strict, lenient or paper."""
    return "strict" if sample.kind == "task" else "paper" if _is_paper(sample) else "lenient"


def succeeds(sample: Sample, score: Score) -> bool:
    """Whether a response is right, where that is a matter of yes or no."""
    return score.values[{"task": "exact", "choice": "accuracy", "interval": "R@0.5"}[sample.kind]] == 1


def _is_paper(sample: Sample) -> bool:
    return sample.info.get("protocol") == "paper"


def _score_task(sample: Sample, response: str) -> Score:
    task = tasks.get(sample.info["task"])
    score = task.score(response, sample.truth)
    lenient = score
    if not score.parsed and task.answer is Interval:
        with suppress(Unparseable):
            lenient = task.score(find_interval(response).format(), sample.truth)
    values = {"score": score.score, "exact": score.exact, "lenient": getattr(lenient, sample.metric)}
    return Score(values, score.parsed, score.reason)


def _score_choice(sample: Sample, response: str) -> Score:
    options = sample.info.get("options", {})
    if _is_paper(sample):  # its script compares the first character
        letter = response.strip()[:1].upper()
        if not letter or letter not in (options or "ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
            raise Unparseable("the first character is no option")
    else:
        letter = parse_choice(response, options)
    right = letter == sample.truth
    return Score({"accuracy": float(right)}, letter, "right" if right else f"{letter}, not {sample.truth}")


def _score_interval(sample: Sample, response: str) -> Score:
    truths = [Interval.read(truth) for truth in sample.truth.split("|")]
    strict: Interval | None = None
    with suppress(Unparseable):
        strict = Interval.parse(response)
    if _is_paper(sample):  # its script takes the first pair of numbers
        found = intervals(response)
        if not found:
            raise Unparseable("no interval of time")
        answer = found[0][0]
    else:
        answer = strict or find_interval(response)
    iou, strict_iou = (max(map(one.iou, truths)) if one else 0.0 for one in (answer, strict))
    values = {"iou": iou, "strict": strict_iou, **{f"R@{threshold}": float(iou >= threshold) for threshold in RECALLS}}
    return Score(values, answer.format(), f"IoU {iou:.3f}")
