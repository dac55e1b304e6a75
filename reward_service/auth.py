"""Token authentication: a bearer token, or a password in the URL for trainers that cannot set headers."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from .errors import Refusal

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/health", "/docs", "/openapi.json"})


def check_token(header: str | None, tokens: Sequence[bytes]) -> None:
    """Check that an Authorization header, decoded as Latin-1, holds one of the tokens.

    A basic password counts as a token as well: `http://any:TOKEN@host` sends one.

    Raises:
        Refusal: 401 if the header or its token is missing, or if the token is wrong.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() == "basic":
        token = _read_password(token)
    elif scheme.lower() != "bearer":
        token = ""
    if not token:
        raise Refusal(401, "unauthorized", "this server requires the header `Authorization: Bearer TOKEN`")
    # compare with every token, so that the time does not reveal which one is close
    if not sum(hmac.compare_digest(token.encode("latin-1"), allowed) for allowed in tokens):
        raise Refusal(401, "unauthorized", "the token is not one of this server's")


def _read_password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
