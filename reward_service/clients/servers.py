"""Which of several servers to ask: those that work, in turn; and those that failed, again and again, but seldom."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import RewardUnavailable

LONGEST = 4  # cooldowns


@dataclass
class Server:
    """One server's recent history."""

    url: str
    cooldown: float
    failures: int = 0
    failing_since: float = 0.0
    failed_at: float = 0.0
    retry_at: float = 0.0

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self, now: float) -> None:
        if not self.failures:
            self.failing_since = now
        self.failures += 1
        self.failed_at = now
        self.retry_at = now + self.cooldown * min(2 ** (self.failures - 1), LONGEST)

    def is_due(self, now: float) -> bool:
        return not self.failures or self.retry_at <= now

    def is_down(self, now: float, trip: float) -> bool:
        """Whether it has failed for longer than `trip`, and lately: a pause in which nobody asked says nothing."""
        lately = now - self.failed_at <= (LONGEST + 1) * self.cooldown
        return self.failures > 0 and lately and self.failed_at - self.failing_since >= trip


class Servers:
    """All servers. When all have failed for longer than `trip` seconds, asking ends at once until one is due again."""

    def __init__(self, urls: Sequence[str], trip: float, cooldown: float) -> None:
        self._servers = [Server(url, cooldown) for url in urls]
        self._trip = trip
        self._next = random.randrange(len(urls))

    def choose(self, now: float) -> Server:
        """The next server that works or is due to be tried again; else the one that is due first.

        Raises:
            RewardUnavailable: if all have failed for long, and none is due.
        """
        for _ in self._servers:
            self._next = (self._next + 1) % len(self._servers)
            server = self._servers[self._next]
            if server.is_due(now):
                break
        else:
            server = min(self._servers, key=lambda one: one.retry_at)
            if all(one.is_down(now, self._trip) for one in self._servers):
                raise RewardUnavailable(
                    f"all servers have failed for {self._trip:g} s: {', '.join(one.url for one in self._servers)}; "
                    f"next try in {server.retry_at - now:.1f} s"
                )
        if server.failures:
            server.retry_at = now + server.cooldown  # others wait for how this one goes
        return server
