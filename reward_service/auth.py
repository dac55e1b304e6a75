"""Bearer tokens."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from .errors import Refusal

OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/health", "/docs", "/openapi.json"})


def check(header: str | None, tokens: Sequence[bytes]) -> None:
    """Accept an Authorization header with one of the tokens; a header without a token counts as none.

    Raises:
        Refusal: 401.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if not token or scheme.lower() != "bearer":
        raise Refusal(401, "unauthorized", "this server wants the header `Authorization: Bearer TOKEN`")
    # compare with all of them, so that the time taken says nothing
    if not sum(hmac.compare_digest(token.encode(), allowed) for allowed in tokens):
        raise Refusal(401, "unauthorized", "the token is not one of this server's")
