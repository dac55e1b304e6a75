"""From a response to its marks: the values that tables report."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataset_builder import tasks
from dataset_builder.tasks.answers import Interval
from dataset_builder.tasks.answers.reading import Unparseable, answer_text

from .choice import parse_choice
from .sample import Sample

RECALLS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Mark:
    """What one response is worth.

    Attributes:
        values: by metric. Of a task `score` (smooth) and `exact` (strict); of an option `accuracy`; of an interval `iou` and
            `R@0.3`, `R@0.5`, `R@0.7`, whether that IoU is reached.
        parsed: the answer as understood, "" where there was none.
        reason: one short sentence.
    """

    values: dict[str, float] = field(default_factory=dict)
    parsed: str = ""
    reason: str = ""


def mark(sample: Sample, response: str) -> Mark:
    """Mark a model's whole response; one that holds no answer is worth 0."""
    if sample.kind == "task":
        score = tasks.get(sample.info["task"]).score(response, sample.truth)
        return Mark({"score": score.score, "exact": score.exact}, score.parsed, score.reason)
    try:
        return _choice(sample, response) if sample.kind == "choice" else _interval(sample, response)
    except Unparseable as error:
        return Mark(dict.fromkeys(metrics(sample), 0.0), "", f"unparseable: {error}")


def metrics(sample: Sample) -> list[str]:
    """The names of its marks' values."""
    return {"task": ["score", "exact"], "choice": ["accuracy"], "interval": ["iou", *(f"R@{share}" for share in RECALLS)]}[
        sample.kind
    ]


def _choice(sample: Sample, response: str) -> Mark:
    letter = parse_choice(response, sample.info.get("options", {}))
    right = letter == sample.truth
    return Mark({"accuracy": float(right)}, letter, "right" if right else f"{letter}, not {sample.truth}")


def _interval(sample: Sample, response: str) -> Mark:
    given = Interval.read(answer_text(response))
    iou = max(given.iou(Interval.read(truth)) for truth in sample.truth.split("|"))
    values = {"iou": iou, **{f"R@{share}": float(iou >= share) for share in RECALLS}}
    return Mark(values, given.format(), f"IoU {iou:.3f}")
