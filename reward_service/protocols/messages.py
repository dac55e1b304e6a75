"""JSON bodies as typed values, and errors: what is wrong with a request, and what to send instead."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ..scoring.items import Error

T = TypeVar("T")
make_decoder: Callable[[type[T]], msgspec.json.Decoder[T]] = cache(msgspec.json.Decoder)  # type: ignore[assignment]


class ErrorBody(msgspec.Struct):
    """The body of every error reply. `errors` lists the items that could not be scored."""

    error: Error
    errors: list[dict[str, Any]] = []


class Refusal(HTTPException):
    """A request is refused with an HTTP status. May be raised anywhere; `body` is the reply."""

    def __init__(
        self, status: int, kind: str, message: str, *, errors: Any = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message, headers)
        self.body = ErrorBody(Error(kind, message), list(errors))

    def reply(self) -> Response:
        return Response(encode(self.body), self.status_code, self.headers, "application/json")


def decode(body: bytes, type_: type[T]) -> T:
    """Decode a JSON body as a type; raises Refusal 400 if it is not JSON, 422 if the JSON does not match the type."""
    try:
        return make_decoder(type_).decode(body)
    except msgspec.ValidationError as error:
        raise Refusal(422, "invalid_request", str(error)) from None
    except msgspec.DecodeError as error:
        message = f"the body is not valid JSON: {error}" if body.strip() else "the body is empty; send JSON"
    try:  # Python's json module writes more than the standard: NaN, and half a surrogate pair
        value = json.loads(body)
    except ValueError:
        raise Refusal(400, "malformed_json", message) from None
    return convert(value, type_)


def convert(value: Any, type_: type[T]) -> T:
    """Convert decoded JSON to a type; raises Refusal 422 if it does not match."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise Refusal(422, "invalid_request", str(error)) from None


def too_deep() -> Refusal:
    """The error for JSON that is nested too deeply to be read or written."""
    return Refusal(400, "malformed_json", "the body is not valid JSON: it is nested too deeply")


def encode(value: Any) -> bytes:
    """Encode a value as JSON."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a text of the request holds half a surrogate pair
        return json.dumps(msgspec.to_builtins(value)).encode()
