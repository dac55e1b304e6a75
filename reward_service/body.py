"""Reading a request's body, within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from time import perf_counter
from typing import Any

from .errors import Refusal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DISCARDED = 8  # times the largest body


class Disconnected(Exception):
    """The client went away before its body was whole; nobody waits for a reply."""


class BodyReader:
    """Reads bodies. `sweep`, called now and then, ends the reading of those that take too long.

    One sweep for all costs a request nothing; a timer for each would cost as much as parsing its JSON.
    """

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()

    async def read(self, receive: Receive, declared: int | None) -> bytes:
        """The whole body; `declared` is its Content-Length.

        Raises:
            Refusal: 413 if it is larger than the limit, 408 if it takes too long.
            Disconnected: if the client went away.
        """
        if declared is not None and declared > self._max_bytes:
            raise self._too_large()
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = perf_counter()
        try:
            return await self._read(receive)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise Refusal(408, "body_timeout", f"the body was not whole after {self._seconds:g} s") from None
        finally:
            del self._reading[task]
            self._overdue.discard(task)

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join((*chunks, chunk)) if chunks else chunk
            chunks.append(chunk)

    async def discard(self, receive: Receive) -> None:
        """Read on, within the same bounds once more: a connection closed with data unread takes the reply along."""
        left = DISCARDED * self._max_bytes
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                while left > 0:
                    message = await receive()
                    if not message.get("more_body", False):  # its end, or a client that went away
                        return
                    left -= len(message.get("body", b""))

    def bounded(self, receive: Receive) -> Receive:
        """`receive` for others, to whom a client that takes too long looks like one that went away."""
        end = asyncio.get_running_loop().time() + self._seconds
        whole = False

        async def within() -> MutableMapping[str, Any]:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                return {"type": "http.disconnect"}
            whole = not message.get("more_body", False)
            return message

        return within

    def sweep(self) -> None:
        latest = perf_counter() - self._seconds
        for task, started in self._reading.items():
            if started < latest and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()

    def _too_large(self) -> Refusal:
        return Refusal(413, "body_too_large", f"the body is larger than {self._max_bytes} bytes; send fewer items a request")
