"""verl: an async reward function.

    reward.custom_reward_function.path=pkg://reward_service.clients.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.url=http://host:8000

Use `reward_service.clients.verl_manager` as well to tell the service which rollouts form a group.
"""

from collections.abc import Mapping
from typing import Any

from .client import shared_client
from .errors import RewardError
from .item import item

GROUP, ROLLOUT = "videossr_group", "videossr_rollout"  # keys that the manager sets in extra_info
KEYS = ("exact", "above_chance", "parsed", "reason", "task")
_UNUSED_ARGUMENTS = ("reward_router_address", "reward_model_tokenizer")  # verl passes them to every reward function


async def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """Score one rollout on the service. Concurrent calls share requests.

    Args:
        settings: fields of `ClientSettings`, e.g. `url="http://a:8000,http://b:8000"`; the rest from `VIDEOSSR_REWARD_…`.

    Returns:
        Always the same keys: score (verl's word for the reward), exact, above_chance, parsed, reason, task. There is no `acc`,
        as in validation verl would count a rollout without a score as 0. Use `exact` for `filter_groups.metric`.

    Raises:
        RewardError: if there is no score. verl then drops the rollout, instead of training on a false 0.
    """
    overrides = {name: value for name, value in settings.items() if name not in _UNUSED_ARGUMENTS}
    extra = extra_info or {}
    rollout = item(data_source, solution_str, ground_truth, extra, extra.get(GROUP), extra.get(ROLLOUT))
    [result] = await shared_client(**overrides).score_async([rollout])
    if isinstance(result, RewardError):
        raise result
    return {"score": result["reward"], **{key: result[key] for key in KEYS}}
