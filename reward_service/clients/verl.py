"""verl: an async reward function.

    reward.custom_reward_function.path=pkg://reward_service.clients.verl reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.url=http://host:8000

Use `reward_service.clients.verl_manager` as well to tell the service which rollouts form a group.
"""

from collections.abc import Mapping
from typing import Any

from .client import shared_client
from .items import item
from .replies import RewardError

GROUP, ROLLOUT = "videossr_group", "videossr_rollout"  # keys that the manager sets in extra_info


async def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """Score one rollout. Concurrent calls share requests. `settings` are fields of `ClientSettings`, as for `shared_client`.

    Returns always the same keys: score (verl's word for the reward), exact, above_chance, parsed, reason, task. There is no
    `acc`, as in validation verl would count a rollout without a score as 0. Use `exact` for `filter_groups.metric`.
    Raises RewardError if there is no score. verl then drops the rollout, instead of training on a false 0.
    """
    for unused in ("reward_router_address", "reward_model_tokenizer"):  # verl passes them to every reward function
        settings.pop(unused, None)
    extra = extra_info or {}
    rollout = item(data_source, solution_str, ground_truth, extra, extra.get(GROUP), extra.get(ROLLOUT))
    [result] = await shared_client(**settings).score_async([rollout])
    if isinstance(result, RewardError):
        raise result
    return {"score": result["reward"], **{key: result[key] for key in ("exact", "above_chance", "parsed", "reason", "task")}}
