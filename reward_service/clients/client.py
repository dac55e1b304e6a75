"""The client of all trainer adapters. An item gets a score or an error, never a made-up 0."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import count
from typing import Any

from .replies import Outcome, RewardUnavailable
from .servers import Servers
from .session import Session
from .settings import ClientSettings, launch_name


class RewardClient:
    """Scores items on one or several servers, in any thread, event loop and fork: between calls it keeps no connection."""

    def __init__(self, settings: ClientSettings | None = None, **overrides: Any) -> None:
        self.settings = settings or ClientSettings.read(**overrides)
        self._tls = self.settings.tls_context()  # made once: a fork while it is made would hang
        self._servers = Servers(self.settings.addresses, self.settings.cooldown)
        self._sessions: dict[asyncio.AbstractEventLoop, Session] = {}

    def score(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Score items built by `item`. Returns, in order, a result dict (with `reward`) or a RewardError for each."""
        try:
            if asyncio._get_running_loop() is not None:  # as in a notebook
                return ThreadPoolExecutor(1, "videossr-rewards").submit(self._run, items).result()
            return self._run(items)
        except (RuntimeError, OSError) as error:  # the interpreter exits, or the process has too many files open
            return [RewardUnavailable(f"nothing could be sent: {error}") for _ in items]

    async def score_async(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Like `score`. Calls of one event loop that run at the same time share requests and connections."""
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop) or Session(self.settings, self._servers, self._tls)
        self._sessions[loop] = session
        session.calls += 1
        try:
            return await session.score(items)
        finally:
            session.calls -= 1
            if not session.calls:
                del self._sessions[loop]
                await session.close()

    def close(self) -> None:
        """Do nothing: a client keeps nothing open between calls."""

    def _run(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:  # leaves the thread's own loop as it is
            return runner.run(self.score_async(items))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.settings,)


_runs = count(1)
_cached_client = lru_cache(maxsize=16)(RewardClient)


def shared_client(**overrides: Any) -> RewardClient:
    """The process's client with these settings, so that all calls share requests. Raises ValueError for a wrong setting."""
    return _cached_client(ClientSettings.read(**overrides))


def run_client(**overrides: Any) -> RewardClient:
    """A client for one more training run of this process; its number follows the name of the launch."""
    settings = ClientSettings.read(**overrides)
    return RewardClient(replace(settings, run=f"{settings.run}.{next(_runs)}") if settings.run == launch_name() else settings)
