"""The client of all trainer adapters. An item gets a score or an error, never a made-up 0."""

import asyncio
import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from .errors import RewardError, RewardRefused, RewardUnavailable
from .replies import Outcome
from .servers import Servers
from .session import Session
from .settings import ClientSettings


class RewardClient:
    """Scores items on one or several servers. It keeps no thread and no connection between calls, so that it works in any
    thread, event loop and fork.
    """

    def __init__(self, settings: ClientSettings | None = None, **overrides: Any) -> None:
        self.settings = settings or ClientSettings.read(**overrides)
        self._servers = Servers(self.settings.addresses, self.settings.cooldown)
        self._sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, Session] = WeakKeyDictionary()

    def score(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Score items built by `item`. Returns, in order, a result dict (with `reward`) or a RewardError for each."""
        outcomes: list[Outcome] = []

        def run() -> None:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:  # leaves the thread's own loop as it is
                outcomes.extend(runner.run(self.score_async(items)))

        try:
            if _in_event_loop():  # as in a notebook
                thread = threading.Thread(target=run, name="videossr-rewards")
                thread.start()
                thread.join()
            else:
                run()
        except (RuntimeError, OSError) as error:  # the interpreter exits, or the process has too many files open
            return [RewardUnavailable(f"nothing could be sent: {error}") for _ in items]
        return outcomes

    async def score_async(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Like `score`. Calls of one event loop that run at the same time share requests and connections."""
        encoded = [_encode(item) for item in items]
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            try:
                session = self._sessions[loop] = Session(self.settings, self._servers)
            except OSError as error:
                return [RewardRefused(f"ca={self.settings.ca!r}: {error}") for _ in items]
        session.calls += 1
        try:
            return await session.score(encoded)
        finally:
            session.calls -= 1
            if not session.calls:
                del self._sessions[loop]
                await session.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["settings"])  # type: ignore[misc]


def shared_client(**overrides: Any) -> RewardClient:
    """The process's client with these settings, so that all calls share requests.

    Raises:
        ValueError: if a setting is unknown or its value is not allowed; the message names it.
    """
    return _cached_client(ClientSettings.read(**overrides))


@lru_cache(maxsize=16)
def _cached_client(settings: ClientSettings) -> RewardClient:
    return RewardClient(settings)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _encode(item: Mapping[str, Any]) -> bytes | RewardError:
    if "group" in item and "id" not in item:
        item = {**item, "id": uuid.uuid4().hex}  # a retried request then counts once in the statistics
    try:
        return json.dumps(item).encode()  # ASCII, as UTF-8 cannot encode half a surrogate pair
    except (TypeError, ValueError, RecursionError) as error:
        return RewardRefused(f"the item cannot be encoded as JSON: {error}; build it with item()")
