"""ms-swift: a plugin of two lines, given with `--external_plugins plugin.py --reward_funcs videossr`.

from reward_service.clients.swift import register
register()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .columns import items
from .errors import RewardError
from .shared import client


class VideoSSRReward:
    """ms-swift's ORM protocol: made once with the training arguments, called with each batch.

    Raises when a completion has no score: ms-swift sums a None as 0.
    """

    def __init__(self, args: Any = None, **settings: Any) -> None:
        self.args = args
        self._client = client(**settings)

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float]:
        step = getattr(columns.get("trainer_state"), "global_step", None)
        results = self._client.score(items(completions, columns, step))
        for result in results:
            if isinstance(result, RewardError):
                raise result
        return [float(result["score"]) for result in results if not isinstance(result, RewardError)]


def register(name: str = "videossr") -> None:
    """Make the reward known to ms-swift under this name."""
    from swift.rewards import orms

    orms[name] = VideoSSRReward
