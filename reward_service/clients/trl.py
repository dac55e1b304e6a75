"""TRL: `GRPOTrainer(reward_funcs=reward_function(url="http://host:8000"), …)`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import nan
from statistics import fmean
from typing import Any

from .columns import items
from .errors import RewardError, RewardRefused
from .shared import client

log = logging.getLogger(__name__)


def reward_function(**settings: Any) -> Callable[..., list[float | None]]:
    """A reward function for TRL.

    A completion without a score gets None, which TRL from 1.6 on leaves out of its group's baseline, and counts in the
    metric `videossr/failed`. It raises instead where TRL would make a 0 of None: beside other reward functions, whose sum
    skips a None, and in an older TRL. It also raises if the service refuses all of a batch, as the dataset is wrong then.

    It reads the columns `data_source` or `task`, and `ground_truth`, `solution` or `reward_model`; with `extra_info`
    (its `index`) the service knows which completions belong together.

    Args:
        settings: fields of `ClientSettings`; else `VIDEOSSR_REWARD_…`.

    Raises:
        ValueError: naming a setting that is unknown or not allowed.
    """
    rewards = client(**settings)
    may_leave_out = _leaves_out_none()

    def videossr_reward(
        prompts: Sequence[Any],
        completions: Sequence[Any],
        trainer_state: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        results = rewards.score(items(completions, columns, getattr(trainer_state, "global_step", None)))
        failed = [result for result in results if isinstance(result, RewardError)]
        if failed:
            log.warning("%d of %d completions have no score: %s", len(failed), len(results), failed[0])
            refused = all(isinstance(result, RewardRefused) for result in results)
            if refused or not may_leave_out or _is_one_of_several(log_metric):
                raise failed[0]
        scored = [result for result in results if not isinstance(result, RewardError)]
        if log_metric is not None:
            log_metric("videossr/failed", len(failed) / max(1, len(results)))
            for key in ("exact", "above_chance"):  # always: TRL gathers by name, from all processes
                log_metric(f"videossr/{key}", fmean(result[key] for result in scored) if scored else nan)
        if log_extra is not None:
            log_extra("reason", [str(result) if isinstance(result, RewardError) else result["reason"] for result in results])
        return [None if isinstance(result, RewardError) else float(result["score"]) for result in results]

    return videossr_reward


def _is_one_of_several(log_metric: Any) -> bool:
    """Whether the trainer whose method this is sums several rewards."""
    return len(getattr(getattr(log_metric, "__self__", None), "reward_funcs", ())) > 1


def _leaves_out_none() -> bool:
    try:
        major, minor = version("trl").split(".")[:2]
    except PackageNotFoundError:
        return True
    return (int(major), int(minor)) >= (1, 6)
