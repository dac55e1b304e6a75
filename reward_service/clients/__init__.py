"""Python clients of the reward service, for trainers that call a reward function. They need httpx, and no server code."""

from .client import RewardClient
from .items import item
from .replies import RewardError, RewardRefused, RewardUnavailable
from .settings import ClientSettings

__all__ = ["ClientSettings", "RewardClient", "RewardError", "RewardRefused", "RewardUnavailable", "item"]
