"""Chooses a server for each request: working servers in turn, and failed ones again after a pause."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

MAX_COOLDOWNS = 4  # longest pause of a failing server, in cooldowns


@dataclass
class Server:
    """One server and its failures since it last answered. Times are of the clock `monotonic`."""

    url: str
    token: str
    failures: int = 0
    due_at: float = 0.0  # before, other servers are preferred
    not_before: float = 0.0  # what the server itself asked for, with Retry-After


class Servers:
    """All servers of a client; `cooldown` is in seconds."""

    def __init__(self, addresses: Sequence[tuple[str, str]], cooldown: float) -> None:
        self._servers = [Server(url, token) for url, token in addresses]
        self._cooldown = cooldown
        self._next = random.randrange(len(addresses))

    def choose(self) -> Server:
        """The next server that works or is due for another attempt; else the server that is due first."""
        now = monotonic()
        for _ in self._servers:
            self._next = (self._next + 1) % len(self._servers)
            server = self._servers[self._next]
            if not server.failures or server.due_at <= now:
                break
        else:
            server = min(self._servers, key=lambda candidate: candidate.due_at)
        if server.failures:
            server.due_at = now + self._cooldown  # one request tests the server; others prefer another
        return server

    def record_failure(self, server: Server, retry_after: float) -> None:
        """Prefer other servers for a while, and send this one nothing for `retry_after` seconds."""
        server.not_before = monotonic() + retry_after
        server.due_at = max(server.not_before, monotonic() + self._cooldown * min(2**server.failures, MAX_COOLDOWNS))
        server.failures += 1
