"""What a request must pass before it is scored: token authentication, and the limits on its body."""

import asyncio
import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..protocols.messages import Refusal

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/health", "/docs", "/openapi.json"})
DISCARD_FACTOR = 8  # at most this many times the limit is read and thrown away
CLOSE = {"connection": "close"}  # the rest of the body may not have been read


@dataclass(frozen=True)
class TokenAuth:
    """Lets requests with one of the tokens pass, and all requests for open paths."""

    app: ASGIApp
    tokens: Sequence[bytes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or get_route_path(scope) in OPEN_PATHS:
            return await self.app(scope, receive, send)
        token = _read_token(Headers(scope=scope).get("authorization", ""))
        # compare with every token, so that the time does not reveal which one is close
        if sum(hmac.compare_digest(token, allowed) for allowed in self.tokens):
            return await self.app(scope, receive, send)
        message = "the token is not one of this server's" if token else "send the header `Authorization: Bearer TOKEN`"
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008, "reason": message})
        refusal = Refusal(401, "unauthorized", message, headers={"www-authenticate": "Bearer"})
        return await refusal.reply()(scope, receive, send)


def _read_token(header: str) -> bytes:
    """The token in an Authorization header: a bearer token, or a password, as `http://any:TOKEN@host` sends one."""
    scheme, _, credentials = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1")
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2] if scheme.lower() == "basic" else b""
    except ValueError:
        return b""


@dataclass(frozen=True)
class BodyLimits:
    """Limits size and time of bodies, and refuses compressed ones: reading them raises Refusal in the application behind."""

    app: ASGIApp
    max_bytes: int
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        deadline = loop.time() + self.seconds
        size, is_complete, refusal = 0, False, None
        encoding = next((value.strip().lower() for name, value in scope["headers"] if name == b"content-encoding"), b"")
        if encoding not in (b"", b"identity"):
            text = f"the body is compressed ({encoding.decode('latin-1')}); send it without content-encoding"
            refusal = Refusal(415, "unsupported_encoding", text, headers=CLOSE)

        async def receive_within_limits() -> Message:
            nonlocal size, is_complete, refusal
            if is_complete:  # the application waits for the client to disconnect
                return await receive()
            timer = loop.call_at(deadline, task.cancel)  # asyncio.timeout costs ten times as much
            try:
                while True:
                    message = await receive()
                    size += len(message.get("body", b""))
                    is_complete = not message.get("more_body", False)
                    if size > self.max_bytes:
                        text = f"the body is larger than {self.max_bytes} bytes; send fewer items at once"
                        refusal = Refusal(413, "body_too_large", text, headers=CLOSE)
                    # read the rest and drop it: closing a connection with unread data would lose the reply
                    if refusal is None or is_complete or size > DISCARD_FACTOR * self.max_bytes:
                        break
            except asyncio.CancelledError:
                if loop.time() < deadline or task.uncancel():
                    raise
                refusal = Refusal(408, "body_timeout", f"the body was not complete after {self.seconds:g} s", headers=CLOSE)
            finally:
                timer.cancel()
            if refusal is not None:
                raise refusal
            return message

        return await self.app(scope, receive_within_limits, send)
