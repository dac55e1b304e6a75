"""All settings of the client. Each is a keyword argument, or `VIDEOSSR_REWARD_…` in the environment."""

import os
import re
import socket
import ssl
from dataclasses import dataclass, field, fields
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, Self

import httpx

MODES = ("", "smooth", "strict", "above_chance")
_MINIMUMS = {"timeout": 0.001, "deadline": 0.001, "attempts": 1, "batch": 1, "connections": 1}  # other numbers: 0


@dataclass(frozen=True)
class ClientSettings:
    """How to reach the service. Times are in seconds.

    `url` holds one or more base URLs, comma-separated; each may hold a token: `http://any:TOKEN@host:8000`.
    """

    url: str = field(default="http://127.0.0.1:8000", repr=False)
    token: str = field(default="", repr=False)  # bearer token of servers without one in `url`
    mode: str = ""  # smooth, strict or above_chance; "" for the server's default
    run: str = ""  # name of the training run in the service's statistics; default: one for each launch
    ca: str = ""  # file with a private authority's certificates; default: the system's, or SSL_CERT_FILE, SSL_CERT_DIR
    timeout: float = 30.0  # for one request, from the first byte sent to the last received
    deadline: float = 120.0  # for a call, retries included
    attempts: int = 12  # requests for one call, the first one included; the default outlasts an outage of 30 s
    backoff: float = 0.5  # before the second attempt; doubles with each attempt, up to 8 s, with jitter
    batch: int = 64  # maximum items in one request; long responses go in smaller requests
    linger: float = 0.002  # how long a call waits for other calls, to share one request
    connections: int = 16  # maximum requests at the same time
    cooldown: float = 2.0  # before a failed server is tried again, if others work; up to 4 times that if it keeps failing

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
        """Settings from `overrides` that are not None, else from the environment, else defaults. Raises ValueError."""
        defaults: dict[str, Any] = {setting.name: setting.default for setting in fields(cls)}
        if unknown := set(overrides) - set(defaults):
            raise ValueError(f"{unknown.pop()} is not a setting of the reward client; allowed: {', '.join(defaults)}")
        given = {name: value for name, value in overrides.items() if value is not None}
        settings = {}
        for name, default in defaults.items():
            value = given.get(name, os.environ.get(f"VIDEOSSR_REWARD_{name.upper()}", default))
            try:
                settings[name] = type(default)(value)
            except (TypeError, ValueError, OverflowError):
                raise ValueError(f"{name}={value!r} of the reward client is not a number") from None
        return cls(**settings)

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """For each server: its base URL, without token or trailing slash, and its token."""
        addresses = []
        for address in (part.strip().rstrip("/") for part in self.url.split(",") if part.strip()):
            bare = re.sub(r"//[^/]*@", "//", address)
            try:
                parsed = httpx.URL(address)
                if parsed.scheme not in ("http", "https"):
                    raise httpx.InvalidURL("not http")
            except httpx.InvalidURL:
                raise ValueError(f"url={bare!r} is not a server address; write it as http://host:8000") from None
            addresses.append((bare, parsed.password or self.token))
        return tuple(addresses)

    def tls_context(self) -> ssl.SSLContext:
        """The certificates that servers are checked with. Raises ValueError for a bad file."""
        if not self.ca and not any(httpx.URL(url).scheme == "https" for url, _ in self.addresses):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # unused, and trusts nobody
        try:
            return ssl.create_default_context(cafile=self.ca) if self.ca else httpx.create_ssl_context(trust_env=True)
        except OSError as error:
            raise ValueError(f"ca={self.ca!r} holds no certificates: {error}") from None


@cache
def launch_name() -> str:
    """One name for each launch: the same on all ranks of a node, whose parent is its launcher; another after a restart.

    Several nodes share a name under Slurm and with torchrun's `--rdzv-id`; otherwise set `VIDEOSSR_REWARD_RUN` there.
    """
    if "SLURM_STEP_ID" in os.environ:
        return ".".join(os.environ.get(f"SLURM_{part}", "0") for part in ("JOB_ID", "STEP_ID", "RESTART_COUNT"))
    if (name := os.environ.get("TORCHELASTIC_RUN_ID", "none")) != "none":
        return name
    pid = os.getppid() if "LOCAL_RANK" in os.environ or "RAY_JOB_ID" in os.environ else os.getpid()
    try:  # containers give their processes the same ids each time, but not the same start, in ticks of the machine
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        start = ""
    return ".".join(filter(None, (socket.gethostname(), str(pid), start, os.environ.get("RAY_JOB_ID"))))
