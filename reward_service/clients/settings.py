"""All settings of the client. Each is a keyword argument, or `VIDEOSSR_REWARD_…` in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

import httpx

ENV_PREFIX = "VIDEOSSR_REWARD_"
MODES = ("", "smooth", "strict", "above_chance")
_MINIMUMS = {"timeout": 0.001, "deadline": 0.001, "attempts": 1, "batch": 1, "connections": 1}  # other numbers: 0


@dataclass(frozen=True)
class ClientSettings:
    """How to reach the service. Each field is also `VIDEOSSR_REWARD_…` in the environment.

    Attributes:
        url: base URL of the service, or several, comma-separated.
        token: bearer token; "" for none.
        mode: smooth, strict or above_chance; "" for the server's default.
        timeout: seconds for one request, from the first byte sent to the last received.
        deadline: seconds after which a call gives up, retries included.
        attempts: requests for one call, the first one included. The default outlasts an outage of 30 s.
        backoff: seconds before the second attempt; doubles with each attempt, up to 8 s, with jitter.
        batch: maximum items in one request; long responses go in smaller requests.
        linger: seconds that a call waits for other calls, to share one request.
        connections: maximum requests at the same time.
        trip: if all requests fail for this many seconds, further calls fail at once.
        cooldown: seconds before a failed server is tried again; up to four times as long if it keeps failing.
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
        """Raises ValueError if a value is not allowed; the message names the setting."""
        if self.mode not in MODES:
            raise ValueError(f"mode={self.mode!r} is unknown; allowed: {', '.join(MODES[1:])}")
        for setting in fields(self):
            value, minimum = getattr(self, setting.name), _MINIMUMS.get(setting.name, 0)
            if not isinstance(value, str) and not (isfinite(value) and value >= minimum):
                raise ValueError(f"{setting.name}={value} is not allowed; the minimum is {minimum}")
        for address in self.urls:
            if not _is_address(address):
                raise ValueError(f"url={address!r} is not a server address; write it as http://host:8000")
        if not self.urls:
            raise ValueError("url='' names no server; write http://host:8000, or several addresses separated by commas")

    @classmethod
    def read(cls, **overrides: Any) -> ClientSettings:
        """Settings from `overrides` that are not None, else from the environment, else defaults.

        Raises:
            ValueError: if a setting is unknown or its value is not allowed; the message names it.
        """
        types: dict[str, Any] = {setting.name: type(setting.default) for setting in fields(cls)}
        if unknown := set(overrides) - set(types):
            raise ValueError(f"{unknown.pop()} is not a setting of the reward client; allowed: {', '.join(types)}")
        values = {name: os.environ[ENV_PREFIX + name.upper()] for name in types if ENV_PREFIX + name.upper() in os.environ}
        values |= {name: value for name, value in overrides.items() if value is not None}
        typed = {}
        for name, value in values.items():
            try:
                typed[name] = types[name](value)
            except (TypeError, ValueError):
                raise ValueError(f"{name}={value!r} of the reward client is not a number") from None
        return cls(**typed)

    @property
    def urls(self) -> tuple[str, ...]:
        """The base URLs in `url`, without trailing slashes."""
        return tuple(url.strip().rstrip("/") for url in self.url.split(",") if url.strip())


def _is_address(url: str) -> bool:
    try:
        return httpx.URL(url).scheme in ("http", "https")
    except httpx.InvalidURL:
        return False
