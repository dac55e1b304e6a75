"""Limits on request bodies: size, time, and no compression."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..protocols.messages import Refusal

DISCARD_FACTOR = 8  # at most this many times the limit is read and thrown away
CLOSE = {"connection": "close"}  # the rest of the body may not have been read


class BodyLimits:
    """ASGI middleware. Reading a body that breaks a limit raises Refusal in the application behind it."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        deadline = asyncio.get_running_loop().time() + self._seconds
        refusal = _check_encoding(Headers(scope=scope))
        size, is_complete = 0, False

        async def receive_within_limits() -> Message:
            nonlocal refusal, size, is_complete
            if is_complete:  # the application waits for the client to disconnect
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    while True:
                        message = await receive()
                        size += len(message.get("body", b""))
                        is_complete = not message.get("more_body", False)
                        if size > self._max_bytes:
                            text = f"the body is larger than {self._max_bytes} bytes; send fewer items at once"
                            refusal = Refusal(413, "body_too_large", text, headers=CLOSE)
                        # read the rest and drop it: closing a connection with unread data would lose the reply
                        if refusal is None or is_complete or size > DISCARD_FACTOR * self._max_bytes:
                            break
            except TimeoutError:
                refusal = Refusal(408, "body_timeout", f"the body was not complete after {self._seconds:g} s", headers=CLOSE)
            if refusal is not None:
                raise refusal
            return message

        return await self._app(scope, receive_within_limits, send)


def _check_encoding(headers: Headers) -> Refusal | None:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    text = f"the body is compressed ({encoding}); send it without content-encoding"
    return Refusal(415, "unsupported_encoding", text, headers=CLOSE)
