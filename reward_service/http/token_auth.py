"""Token authentication: a bearer token, or a password in the URL for trainers that cannot set headers."""

import base64
import binascii
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
        try:
            check_token(Headers(scope=scope).get("authorization", ""), self._tokens)
        except Refusal as refusal:
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail})
            return await error_reply(refusal)(scope, receive, send)
        return await self._app(scope, receive, send)


def check_token(header: str, tokens: Sequence[bytes]) -> None:
    """Check that an Authorization header, decoded as Latin-1, holds one of the tokens.

    A basic password counts as a token as well: `http://any:TOKEN@host` sends one.

    Raises:
        Refusal: 401 if the token is missing or wrong.
    """
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() == "basic":
        token = _read_password(token)
    elif scheme.lower() != "bearer":
        token = ""
    # compare with every token, so that the time does not reveal which one is close
    if not sum(hmac.compare_digest(token.encode("latin-1"), allowed) for allowed in tokens):
        message = "the token is not one of this server's" if token else "send the header `Authorization: Bearer TOKEN`"
        raise Refusal(401, "unauthorized", message, headers={"www-authenticate": "Bearer"})


def _read_password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
