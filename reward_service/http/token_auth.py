"""Token authentication: a bearer token, or a password in the URL for trainers that cannot set headers."""

import base64
import hmac
from collections.abc import Sequence

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ..protocols.messages import Refusal
from .error_replies import error_reply

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/health", "/docs", "/openapi.json"})


class TokenAuth:
    """ASGI middleware that lets requests with one of the tokens pass, and all requests for open paths."""

    def __init__(self, app: ASGIApp, tokens: Sequence[bytes]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or get_route_path(scope) in OPEN_PATHS:
            return await self._app(scope, receive, send)
        token = _read_token(Headers(scope=scope).get("authorization", ""))
        # compare with every token, so that the time does not reveal which one is close
        if sum(hmac.compare_digest(token, allowed) for allowed in self._tokens):
            return await self._app(scope, receive, send)
        message = "the token is not one of this server's" if token else "send the header `Authorization: Bearer TOKEN`"
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008, "reason": message})
        refusal = Refusal(401, "unauthorized", message, headers={"www-authenticate": "Bearer"})
        return await error_reply(refusal)(scope, receive, send)


def _read_token(header: str) -> bytes:
    """The token in an Authorization header, which may be a password: `http://any:TOKEN@host` sends one."""
    scheme, _, credentials = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
        except ValueError:
            pass
    return b""
