"""One client for all calls with the same settings in a process, so that they share connections and batches."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .core import RewardClient
from .settings import ClientSettings


def client(**given: Any) -> RewardClient:
    """The process's client of these settings; what is not given comes from the environment.

    Raises:
        ValueError: naming a setting that is unknown or not allowed.
    """
    return _client(ClientSettings.read(**given))


@lru_cache(maxsize=16)
def _client(settings: ClientSettings) -> RewardClient:
    return RewardClient(settings)
