"""ms-swift: a plugin of two lines, given with `--external_plugins plugin.py --reward_funcs videossr`.

from reward_service.clients.swift import register
register()
"""

from collections.abc import Sequence
from typing import Any

from .client import run_client
from .items import make_items
from .replies import RewardError


class VideoSSRReward:
    """ms-swift's ORM. A call raises RewardError if any completion has no score, as ms-swift would count None as 0."""

    def __init__(self, args: Any = None, **settings: Any) -> None:
        self.args = args
        self._client = run_client(**settings)

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float]:
        step = getattr(columns.get("trainer_state"), "global_step", None)
        rewards = []
        for result in self._client.score(make_items(completions, columns, step)):
            if isinstance(result, RewardError):
                raise result
            rewards.append(float(result["reward"]))
        return rewards


def register(name: str = "videossr") -> None:
    """Register the reward in ms-swift under this name."""
    from swift.rewards import orms

    orms[name] = VideoSSRReward
