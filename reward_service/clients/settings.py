"""Every setting of the client, in one place: a keyword here, `VIDEOSSR_REWARD_…` in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

import httpx

ENV_PREFIX = "VIDEOSSR_REWARD_"
MODES = ("", "smooth", "strict", "above_chance")
_LEAST = {"timeout": 0.001, "deadline": 0.001, "attempts": 1, "batch": 1, "connections": 1}  # 0 for every other number


@dataclass(frozen=True)
class ClientSettings:
    """How to reach the service. Each field is also `VIDEOSSR_REWARD_…` in the environment.

    Attributes:
        url: base URL of the service, or several, comma-separated.
        token: bearer token; "" for none.
        mode: smooth, strict or above_chance; "" as the server is set.
        timeout: seconds that one request may take, from its first byte sent to the last received.
        deadline: seconds after which a call gives up, retries and all.
        attempts: requests for one call, the first among them. As they are, an outage of 30 s costs no score.
        backoff: seconds before the second attempt; doubles from one to the next, up to 8 s, with jitter.
        batch: most items in one request; long ones go in smaller requests.
        linger: seconds that a call waits for others to share its request.
        connections: most requests at once.
        trip: seconds of nothing but failures after which calls fail at once, without waiting.
        cooldown: seconds after which a failing server is tried again; four times as long if it goes on failing.
    """

    url: str = "http://127.0.0.1:8000"
    token: str = field(default="", repr=False)
    mode: str = ""
    timeout: float = 30.0
    deadline: float = 120.0
    attempts: int = 12
    backoff: float = 0.5
    batch: int = 64
    linger: float = 0.002
    connections: int = 16
    trip: float = 60.0
    cooldown: float = 2.0

    def __post_init__(self) -> None:
        """Raises: ValueError: naming the setting that is not allowed."""
        if self.mode not in MODES:
            raise ValueError(f"mode={self.mode!r} is unknown; allowed: {', '.join(MODES[1:])}")
        for one in fields(self):
            value, least = getattr(self, one.name), _LEAST.get(one.name, 0)
            if not isinstance(value, str) and not (isfinite(value) and value >= least):
                raise ValueError(f"{one.name}={value} is not allowed; {least} is the least")
        for address in self.urls:
            if not _is_address(address):
                raise ValueError(f"url={address!r} is no address of a server; send it as http://host:8000")
        if not self.urls:
            raise ValueError("url='' names no server; send it as http://host:8000, several comma-separated")

    @classmethod
    def read(cls, **given: Any) -> ClientSettings:
        """Settings as given, else from the environment, else their defaults.

        Raises:
            ValueError: naming the setting that is unknown or not allowed.
        """
        kinds: dict[str, Any] = {one.name: type(one.default) for one in fields(cls)}
        if unknown := set(given) - set(kinds):
            raise ValueError(f"{unknown.pop()} is no setting of the reward client; allowed: {', '.join(kinds)}")
        values = {name: os.environ[ENV_PREFIX + name.upper()] for name in kinds if ENV_PREFIX + name.upper() in os.environ}
        values |= {name: value for name, value in given.items() if value is not None}
        typed = {}
        for name, value in values.items():
            try:
                typed[name] = kinds[name](value)
            except (TypeError, ValueError):
                raise ValueError(f"{name}={value!r} of the reward client is no number") from None
        return cls(**typed)

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(url.strip().rstrip("/") for url in self.url.split(",") if url.strip())


def _is_address(url: str) -> bool:
    try:
        return httpx.URL(url).scheme in ("http", "https")
    except httpx.InvalidURL:
        return False
