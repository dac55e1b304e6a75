"""The OpenAPI document: FastAPI's, with the scoring routes. Schemas come from the types that decode the bodies."""

from typing import Any

import msgspec
from fastapi import FastAPI

from ..protocols import Protocol, protocols
from ..protocols.messages import ErrorBody
from ..scoring.items import MODES, Fault, Scored

ERRORS = {
    400: "The body is not JSON",
    401: "A token is missing or wrong",
    408: "The body took too long to arrive",
    413: "The body or the batch is too large",
    415: "The body has a content encoding",
    422: "The request cannot be scored; the message says why",
}
MODE = {"name": "mode", "in": "query", "schema": {"type": "string", "enum": list(MODES)}}
TASK = {"name": "task", "in": "path", "required": True, "schema": {"type": "string"}, "example": "counting"}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = FastAPI.openapi(app)
        _add_protocols(app.openapi_schema, protocols())
    return app.openapi_schema


def _add_protocols(document: dict[str, Any], protocols: tuple[Protocol, ...]) -> None:
    types = [ErrorBody, Scored, Fault, *(protocol.request for protocol in protocols), *(protocol.reply for protocol in protocols)]
    references, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}", schema_hook=lambda _: {}
    )
    content = {type_: {"application/json": {"schema": schema}} for type_, schema in zip(types, references, strict=True)}
    errors = {str(status): {"description": text, "content": content[ErrorBody]} for status, text in ERRORS.items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].update(errors)
