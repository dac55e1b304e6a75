"""Scores a response: the metric values that tables report."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataset_builder import tasks
from dataset_builder.tasks.answers import Interval
from dataset_builder.tasks.answers.reading import Unparseable, answer_text

from .choice import parse_choice
from .sample import Sample

RECALLS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Score:
    """The score of one response.

    Attributes:
        values: by metric, each in [0, 1]. A task has `score` (smooth) and `exact` (strict), an option `accuracy`, an interval
            `iou` and `R@0.3`, `R@0.5`, `R@0.7` (1 if the IoU reaches that threshold).
        parsed: the answer as it was understood; "" if none could be parsed.
        reason: one short sentence.
    """

    values: dict[str, float] = field(default_factory=dict)
    parsed: str = ""
    reason: str = ""


def score_response(sample: Sample, response: str) -> Score:
    """Score a model's whole response; one without a parseable answer gets 0 on every metric."""
    if sample.kind == "task":
        score = tasks.get(sample.info["task"]).score(response, sample.truth)
        return Score({"score": score.score, "exact": score.exact}, score.parsed, score.reason)
    try:
        return _score_choice(sample, response) if sample.kind == "choice" else _score_interval(sample, response)
    except Unparseable as error:
        return Score(dict.fromkeys(metric_names(sample), 0.0), "", f"unparseable: {error}")


def metric_names(sample: Sample) -> list[str]:
    """The keys of `Score.values` for this sample."""
    return {"task": ["score", "exact"], "choice": ["accuracy"], "interval": ["iou", *(f"R@{iou}" for iou in RECALLS)]}[
        sample.kind
    ]


def _score_choice(sample: Sample, response: str) -> Score:
    letter = parse_choice(response, sample.info.get("options", {}))
    right = letter == sample.truth
    return Score({"accuracy": float(right)}, letter, "right" if right else f"{letter}, not {sample.truth}")


def _score_interval(sample: Sample, response: str) -> Score:
    answer = Interval.read(answer_text(response))
    iou = max(answer.iou(Interval.read(truth)) for truth in sample.truth.split("|"))
    values = {"iou": iou, **{f"R@{threshold}": float(iou >= threshold) for threshold in RECALLS}}
    return Score(values, answer.format(), f"IoU {iou:.3f}")
