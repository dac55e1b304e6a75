"""Reads request bodies, with limits on size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from time import perf_counter
from typing import Any

from .errors import Refusal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DISCARD_FACTOR = 8  # at most this many times the body limit is read and thrown away


class Disconnected(Exception):
    """The client disconnected before it had sent the full body. No reply is needed."""


class BodyReader:
    """Reads bodies. The service calls `cancel_overdue` regularly to end reads that take too long.

    One periodic check costs a request nothing. A timer for each request would cost as much as parsing its JSON.
    """

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._started_at: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()

    async def read(self, receive: Receive, content_length: int | None) -> bytes:
        """Read the full body; `content_length` is the header's value, if there is one.

        Raises:
            Refusal: 413 if the body is larger than the limit, 408 if it takes too long.
            Disconnected: if the client disconnected.
        """
        if content_length is not None and content_length > self._max_bytes:
            raise self._too_large()
        task = asyncio.current_task()
        assert task is not None
        self._started_at[task] = perf_counter()
        try:
            return await self._read(receive)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise Refusal(408, "body_timeout", f"the body was not complete after {self._seconds:g} s") from None
        finally:
            del self._started_at[task]
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
        """Read the rest of a body and drop it, with limits. If data stays unread, closing the connection loses the reply."""
        bytes_left = DISCARD_FACTOR * self._max_bytes
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                while bytes_left > 0:
                    message = await receive()
                    if not message.get("more_body", False):  # the end of the body, or a disconnect
                        return
                    bytes_left -= len(message.get("body", b""))

    def limit_time(self, receive: Receive) -> Receive:
        """Wrap `receive` for another ASGI application. A client that takes too long appears to it as disconnected."""
        deadline = asyncio.get_running_loop().time() + self._seconds
        is_complete = False

        async def receive_in_time() -> MutableMapping[str, Any]:
            nonlocal is_complete
            if is_complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                return {"type": "http.disconnect"}
            is_complete = not message.get("more_body", False)
            return message

        return receive_in_time

    def cancel_overdue(self) -> None:
        """Cancel each read that has taken longer than the limit."""
        latest_start = perf_counter() - self._seconds
        for task, started in self._started_at.items():
            if started < latest_start and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()

    def _too_large(self) -> Refusal:
        return Refusal(413, "body_too_large", f"the body is larger than {self._max_bytes} bytes; send fewer items at once")
