"""verl: an async reward function.

    reward.custom_reward_function.path=pkg://reward_service.clients.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.url=http://host:8000

With `reward_service.clients.verl_manager` the service learns which rollouts belong together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import RewardError
from .item import item
from .shared import client

GROUP, ROLLOUT = "videossr_group", "videossr_rollout"  # where the manager puts them in extra_info
_OF_VERL = ("reward_router_address", "reward_model_tokenizer")  # passed to every reward function; of no use here


async def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """Score one rollout on the service. Concurrent calls share requests.

    Args:
        settings: fields of `ClientSettings`, as `url="http://a:8000,http://b:8000"`; else `VIDEOSSR_REWARD_…`.

    Returns:
        The same keys always: score, exact, above_chance, parsed, reason, task. No `acc`: in validation verl would count
        what could not be scored as 0. Its `filter_groups.metric` may be `exact`.

    Raises:
        RewardError: if there is no score. verl then drops the rollout; a 0 would be learned from.
    """
    given = {name: value for name, value in settings.items() if name not in _OF_VERL}
    extra = extra_info or {}
    one = item(data_source, solution_str, ground_truth, extra, extra.get(GROUP), extra.get(ROLLOUT))
    [result] = await client(**given).score_async([one])
    if isinstance(result, RewardError):
        raise result
    return {key: value for key, value in result.items() if key != "id"}
