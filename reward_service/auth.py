"""Tokens, as bearers; or as passwords, for trainers that can put them into a URL and into no header."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from .errors import Refusal

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/health", "/docs", "/openapi.json"})


def check(header: str | None, tokens: Sequence[bytes]) -> None:
    """Accept an Authorization header, decoded as Latin-1, with one of the tokens; one without a token counts as none.

    `http://any:TOKEN@host` sends it as a password, which counts as well.

    Raises:
        Refusal: 401.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() == "basic":
        token = _password(token)
    elif scheme.lower() != "bearer":
        token = ""
    if not token:
        raise Refusal(401, "unauthorized", "this server wants the header `Authorization: Bearer TOKEN`")
    # compare with all of them, so that the time taken says nothing
    if not sum(hmac.compare_digest(token.encode("latin-1"), allowed) for allowed in tokens):
        raise Refusal(401, "unauthorized", "the token is not one of this server's")


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
