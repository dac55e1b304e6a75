"""Chooses a server for each request: working servers in turn, and failed ones again after a cooldown."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import RewardUnavailable

MAX_COOLDOWNS = 4  # longest wait between attempts, in cooldowns


@dataclass
class Server:
    """One server's failures. Times are in seconds of the event loop's clock."""

    url: str
    cooldown: float
    failures: int = 0
    failing_since: float = 0.0
    failed_at: float = 0.0
    retry_at: float = 0.0

    def record_success(self) -> None:
        self.failures = 0

    def record_failure(self, now: float) -> None:
        if not self.failures:
            self.failing_since = now
        self.failures += 1
        self.failed_at = now
        self.retry_at = now + self.cooldown * min(2 ** (self.failures - 1), MAX_COOLDOWNS)

    def is_due(self, now: float) -> bool:
        return not self.failures or self.retry_at <= now

    def is_down(self, now: float, trip: float) -> bool:
        """Whether it has failed for at least `trip` seconds. A failure before a pause without requests does not count."""
        is_recent = now - self.failed_at <= (MAX_COOLDOWNS + 1) * self.cooldown
        return self.failures > 0 and is_recent and self.failed_at - self.failing_since >= trip


class Servers:
    """All servers, with a circuit breaker: if all fail for `trip` seconds, calls fail at once until a server is due again."""

    def __init__(self, urls: Sequence[str], trip: float, cooldown: float) -> None:
        self._servers = [Server(url, cooldown) for url in urls]
        self._trip = trip
        self._next = random.randrange(len(urls))

    def choose(self, now: float) -> Server:
        """The next server that works or is due for another attempt; else the server that is due first.

        Raises:
            RewardUnavailable: if all servers are down and none is due.
        """
        for _ in self._servers:
            self._next = (self._next + 1) % len(self._servers)
            server = self._servers[self._next]
            if server.is_due(now):
                break
        else:
            server = min(self._servers, key=lambda candidate: candidate.retry_at)
            if all(server.is_down(now, self._trip) for server in self._servers):
                raise RewardUnavailable(
                    f"all servers have failed for {self._trip:g} s: {', '.join(server.url for server in self._servers)}; "
                    f"next try in {server.retry_at - now:.1f} s"
                )
        if server.failures:
            server.retry_at = now + server.cooldown  # one request tests the server; others wait for its result
        return server
