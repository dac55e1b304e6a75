"""Adds to verl's validation metrics what the evaluator's tables show: each portion by its own metric, and the mean of portions.

verl's own are by task alone, and by reward.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from verl.trainer.ppo.v1.trainer_base import PPOTrainer

_verls_metrics = PPOTrainer._val_metrics_update


@dataclass(frozen=True)
class Answer:
    """A validation rollout: its portion, the name of the portion's metric, and its value."""

    portion: str
    metric: str
    value: float


def table(answers: Iterable[Answer]) -> dict[str, float]:
    """The mean of each portion, and of all portions."""
    columns: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        columns[f"val/{answer.portion}/{answer.metric}"].append(answer.value)
    means = {name: fmean(values) for name, values in sorted(columns.items())}
    return {**means, "val/mean": fmean(means.values())} if means else {}


def _with_table(self: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
    metrics: dict[str, float] = _verls_metrics(self, *args, **kwargs)
    return metrics | table(self.replay_buffer.take_answers())


PPOTrainer._val_metrics_update = _with_table
