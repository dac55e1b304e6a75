"""A request that is answered with an error: what is wrong, and what to send instead."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from .items import Error


class ErrorBody(Struct):
    """The body of every error reply; `errors` says which items."""

    error: Error
    errors: list[dict[str, Any]] = []


class Refusal(Exception):
    """A request is refused. Raised anywhere below the routes, which send it."""

    def __init__(self, status: int, kind: str, message: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = ErrorBody(Error(kind, message), errors or [])
