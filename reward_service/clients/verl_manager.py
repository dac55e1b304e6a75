"""verl: a reward manager that sends each rollout's group (verl's uid) to the service.

    reward.reward_manager.source=importlib reward.reward_manager.name=RemoteRewardManager
    reward.reward_manager.module.path=pkg://reward_service.clients.verl_manager
    +reward.custom_reward_function.reward_kwargs.url=http://host:8000 reward.num_workers=1

verl sends each rollout to a random reward worker. With a single worker, all rollouts of a step share requests.
"""

import re
from functools import partial
from typing import Any

from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

from .verl import GROUP, ROLLOUT
from .verl import compute_score as remote_score


class RemoteRewardManager(NaiveRewardManager):  # type: ignore[misc]
    """verl's naive manager with `compute_score` of this package; adds group and rollout id to `extra_info`."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **kwargs: Any) -> None:
        # unlike the client's own default, this name is the same on all nodes
        run = f"{config.trainer.project_name}/{config.trainer.experiment_name}"
        settings = {
            "run": re.sub(r"[^\w.:/@+-]", "_", run),
            **(config.reward.custom_reward_function.get("reward_kwargs") or {}),
        }
        super().__init__(config, tokenizer, partial(remote_score, **settings), **kwargs)

    async def run_single(self, data: Any) -> dict[str, Any]:
        last = data[-1:]
        row = {key: values[0] for key, values in last.non_tensor_batch.items() if len(values)}
        uid, step, session = (row.get(key) for key in ("uid", "global_steps", "session_id"))
        if uid is not None:
            extra = {**(row.get("extra_info") or {}), GROUP: f"{uid}" if step is None else f"{step}/{uid}"}
            if session is not None:
                extra[ROLLOUT] = f"{uid}/{session}"
            last.non_tensor_batch["extra_info"][0] = extra
        result: dict[str, Any] = await super().run_single(last)
        return result
