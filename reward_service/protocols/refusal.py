"""Error replies: what is wrong with a request, and what to send instead."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from starlette.exceptions import HTTPException

from ..scoring.items import Error


class ErrorBody(Struct):
    """The body of every error reply. `errors` lists the items that could not be scored."""

    error: Error
    errors: list[dict[str, Any]] = []


class Refusal(HTTPException):
    """A request is refused with an HTTP status. May be raised anywhere; `body` is the reply."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.body = ErrorBody(Error(kind, message), errors or [])
