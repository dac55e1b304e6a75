"""All settings of the client. Each is a keyword argument, or `VIDEOSSR_REWARD_…` in the environment."""

import os
import re
import ssl
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any, Self
from urllib.parse import unquote

import httpx

from .launch import launch_name

ENV_PREFIX = "VIDEOSSR_REWARD_"
MODES = ("", "smooth", "strict", "above_chance")
_MINIMUMS = {"timeout": 0.001, "deadline": 0.001, "attempts": 1, "batch": 1, "connections": 1}  # other numbers: 0


@dataclass(frozen=True)
class ClientSettings:
    """How to reach the service. Each field is also `VIDEOSSR_REWARD_…` in the environment.

    Attributes:
        url: base URL of the service, or several, comma-separated; a token may stand in it: `http://any:TOKEN@host:8000`.
        token: bearer token; "" for none.
        mode: smooth, strict or above_chance; "" for the server's default.
        run: name of the training run in the service's statistics; default: one for each launch.
        ca: file with the certificates of a private authority; default: the system's, or SSL_CERT_FILE, SSL_CERT_DIR.
        timeout: seconds for one request, from the first byte sent to the last received.
        deadline: seconds after which a call gives up, retries included.
        attempts: requests for one call, the first one included. The default outlasts an outage of 30 s.
        backoff: seconds before the second attempt; doubles with each attempt, up to 8 s, with jitter.
        batch: maximum items in one request; long responses go in smaller requests.
        linger: seconds that a call waits for other calls, to share one request.
        connections: maximum requests at the same time.
        cooldown: seconds before a failed server is tried again, if others work; up to four times as long if it keeps failing.
    """

    url: str = field(default="http://127.0.0.1:8000", repr=False)
    token: str = field(default="", repr=False)
    mode: str = ""
    run: str = ""
    ca: str = ""
    timeout: float = 30.0
    deadline: float = 120.0
    attempts: int = 12
    backoff: float = 0.5
    batch: int = 64
    linger: float = 0.002
    connections: int = 16
    cooldown: float = 2.0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode={self.mode!r} is unknown; allowed: {', '.join(MODES[1:])}")
        object.__setattr__(self, "run", self.run or launch_name())
        if not re.fullmatch(r"[\w.:/@+-]{1,200}", self.run):
            raise ValueError(f"run={self.run!r:.80} is not a name; use letters, digits and . _ : / @ + -, at most 200")
        for setting in fields(self):
            value, minimum = getattr(self, setting.name), _MINIMUMS.get(setting.name, 0)
            if not isinstance(value, str) and not (isfinite(value) and value >= minimum):
                raise ValueError(f"{setting.name}={value} is not allowed; the minimum is {minimum}")
        if not self.addresses:
            raise ValueError("url='' names no server; write http://host:8000, or several addresses separated by commas")

    @classmethod
    def read(cls, **overrides: Any) -> Self:
        """Settings from `overrides` that are not None, else from the environment, else defaults.

        Raises:
            ValueError: if a setting is unknown or its value is not allowed; the message names it.
        """
        defaults: dict[str, Any] = {setting.name: setting.default for setting in fields(cls)}
        if unknown := set(overrides) - set(defaults):
            raise ValueError(f"{unknown.pop()} is not a setting of the reward client; allowed: {', '.join(defaults)}")
        settings = {}
        for name, default in defaults.items():
            value = overrides.get(name)
            if value is None:
                value = os.environ.get(ENV_PREFIX + name.upper(), default)
            try:
                settings[name] = type(default)(value)
            except (TypeError, ValueError):
                raise ValueError(f"{name}={value!r} of the reward client is not a number") from None
        return cls(**settings)

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """For each server: its base URL, without token or trailing slash, and its token."""
        return tuple(self._split_token(url.strip().rstrip("/")) for url in self.url.split(",") if url.strip())

    def _split_token(self, address: str) -> tuple[str, str]:
        bare = re.sub(r"//[^/]*@", "//", address)
        try:
            parsed = httpx.URL(address)
            if parsed.scheme not in ("http", "https"):
                raise httpx.InvalidURL("not http")
        except httpx.InvalidURL:
            raise ValueError(f"url={bare!r} is not a server address; write it as http://host:8000") from None
        return bare, unquote(parsed.password or "") or self.token

    def tls_context(self) -> ssl.SSLContext | bool:
        """The certificates that servers are checked with; False if none of them uses TLS. Raises OSError for a bad file."""
        if not any(url.startswith("https:") for url, _ in self.addresses):
            return False
        return ssl.create_default_context(cafile=self.ca) if self.ca else httpx.create_ssl_context(trust_env=True)
