"""Between JSON bodies and typed values."""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from .errors import Refusal

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


@lru_cache(maxsize=64)
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode(body: bytes, kind: type[T]) -> T:
    """Read a body as a type.

    Raises:
        Refusal: 400 if it is no JSON, 422 if the JSON does not fit, saying where.
    """
    try:
        value: T = _decoder(kind).decode(body)  # type: ignore[arg-type]
        return value
    except msgspec.ValidationError as error:
        raise Refusal(422, "invalid_request", str(error)) from None
    except msgspec.DecodeError:
        return convert(_lenient(body), kind)
    except RecursionError:
        raise too_deep() from None


def convert(value: Any, kind: type[T]) -> T:
    """Fit decoded JSON to a type.

    Raises:
        Refusal: 422, saying where it does not fit.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Refusal(422, "invalid_request", str(error)) from None


def too_deep() -> Refusal:
    return Refusal(400, "malformed_json", "the body is no JSON that can be read: it is nested too deeply")


def _lenient(body: bytes) -> Any:
    """Python's JSON, which some trainers write: NaN, and text cut within a surrogate pair."""
    if not body.strip():
        raise Refusal(400, "malformed_json", "the body is empty; send JSON")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "malformed_json", f"the body is no JSON: {error}") from None


def encode(value: Any) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:  # an echoed text holds half a surrogate pair
        return json.dumps(msgspec.to_builtins(value)).encode()
