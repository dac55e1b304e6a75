"""verl: a reward manager that tells the service which rollouts belong together, by verl's own uid.

    reward.reward_manager.source=importlib
    reward.reward_manager.name=RemoteRewardManager
    reward.reward_manager.module.path=pkg://reward_service.clients.verl_manager
    +reward.custom_reward_function.reward_kwargs.url=http://host:8000
    reward.num_workers=1

Rollouts go to a random one of verl's reward workers: with one, all rollouts of a step share requests.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

from .verl import GROUP, ROLLOUT
from .verl import compute_score as remote_score


class RemoteRewardManager(NaiveRewardManager):  # type: ignore[misc]
    """verl's naive manager with our reward function, which learns of each rollout's group and name."""

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, **kwargs: Any) -> None:
        settings = config.reward.custom_reward_function.get("reward_kwargs") or {}
        super().__init__(config, tokenizer, partial(remote_score, **settings), **kwargs)

    async def run_single(self, data: Any) -> dict[str, Any]:
        last = data[-1:]
        fields = last.non_tensor_batch
        uid = _first(fields, "uid")
        if uid is not None:
            step = _first(fields, "global_steps")
            extra = dict(_first(fields, "extra_info") or {})
            extra[GROUP] = f"{uid}" if step is None else f"{step}/{uid}"
            session = _first(fields, "session_id")
            if session is not None:
                extra[ROLLOUT] = f"{uid}/{session}"
            fields["extra_info"][0] = extra
        result: dict[str, Any] = await super().run_single(last)
        return result


def _first(fields: Any, key: str) -> Any:
    values = fields.get(key)
    return None if values is None or not len(values) else values[0]
