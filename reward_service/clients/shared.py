"""One client per process and settings, so that all calls share connections and batches."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .core import RewardClient
from .settings import ClientSettings


def shared_client(**overrides: Any) -> RewardClient:
    """The process's client with these settings; the rest comes from the environment.

    Raises:
        ValueError: if a setting is unknown or its value is not allowed; the message names it.
    """
    return _cached_client(ClientSettings.read(**overrides))


@lru_cache(maxsize=16)
def _cached_client(settings: ClientSettings) -> RewardClient:
    return RewardClient(settings)
