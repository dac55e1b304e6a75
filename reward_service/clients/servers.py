"""Chooses a server for each request: working servers in turn, and failed ones again after a pause."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic


@dataclass
class Server:
    """One server and its failures since it last answered. Times are of the clock `monotonic`."""

    url: str
    token: str
    turn: int = 0  # when it was last chosen
    failures: int = 0
    due_at: float = 0.0  # before, other servers are preferred if this one failed
    not_before: float = 0.0  # what the server itself asked for, with Retry-After


class Servers:
    """All servers of a client, for all its threads; `cooldown` is in seconds."""

    def __init__(self, addresses: Sequence[tuple[str, str]], cooldown: float) -> None:
        self._servers = [Server(url, token) for url, token in random.sample(addresses, len(addresses))]
        self._cooldown = cooldown
        self._turns = itertools.count(1)

    def choose(self) -> Server:
        """The next server that works or is due for another attempt; else the server that is due first."""
        now = monotonic()
        server = min(self._servers, key=lambda one: (max(now, one.due_at) if one.failures else now, one.turn))
        server.turn = next(self._turns)
        if server.failures:
            server.due_at = now + self._cooldown  # one request tests the server; others prefer another
        return server

    def record_failure(self, server: Server, retry_after: float) -> None:
        """Prefer other servers for one to four cooldowns, and send this one nothing for `retry_after` seconds."""
        server.not_before = monotonic() + retry_after
        server.due_at = max(server.not_before, monotonic() + self._cooldown * min(2**server.failures, 4))
        server.failures += 1
