"""TRL: `GRPOTrainer(reward_funcs=reward_function(url="http://host:8000"), …)`."""

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import nan
from statistics import fmean
from typing import Any

from .client import run_client
from .items import make_items
from .replies import RewardError, RewardRefused

log = logging.getLogger(__name__)


def reward_function(**settings: Any) -> Callable[..., list[float | None]]:
    """A reward function for TRL. `settings` are fields of `ClientSettings`; the rest comes from `VIDEOSSR_REWARD_…`.

    It reads the columns that `make_items` names. A completion without a score gets None, which TRL >= 1.6 leaves out of its
    group's baseline; the metric `videossr/failed` is their share. The function raises instead if TRL would treat None as 0
    (older TRL, several reward functions), and if the service refuses a whole batch, as then the dataset is wrong.
    """
    reward_client = run_client(**settings)
    try:
        skips_none = tuple(map(int, version("trl").split(".")[:2])) >= (1, 6)
    except PackageNotFoundError:
        skips_none = True

    def videossr_reward(
        prompts: Sequence[Any],
        completions: Sequence[Any],
        trainer_state: Any = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        results = reward_client.score(make_items(completions, columns, getattr(trainer_state, "global_step", None)))
        scored = [result for result in results if isinstance(result, dict)]
        failed = [result for result in results if isinstance(result, RewardError)]
        if failed:
            log.warning("%d of %d completions have no score: %s", len(failed), len(results), failed[0])
            trainer = getattr(log_metric, "__self__", None)
            adds_other_rewards = len(getattr(trainer, "reward_funcs", ())) > 1
            if adds_other_rewards or not skips_none or all(isinstance(result, RewardRefused) for result in results):
                raise failed[0]
        if log_metric is not None:
            log_metric("videossr/failed", len(failed) / max(1, len(results)))
            for key in ("exact", "above_chance"):  # in every process, as TRL gathers metrics by name
                log_metric(f"videossr/{key}", fmean(result[key] for result in scored) if scored else nan)
        if log_extra is not None:
            log_extra("reason", [result["reason"] if isinstance(result, dict) else str(result) for result in results])
        return [float(result["reward"]) if isinstance(result, dict) else None for result in results]

    return videossr_reward
