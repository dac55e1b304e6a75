"""The OpenAPI document: FastAPI's, with the scoring routes. Schemas come from the types that decode the bodies."""

from typing import Any

import msgspec
from fastapi import FastAPI

from ..protocols import protocols
from ..protocols.messages import ErrorBody
from ..scoring.items import MODES, Fault, Scored

REFERENCE = "#/components/schemas/{name}"
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


def make_document(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made at the first call."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = FastAPI.openapi(app)
    types = [ErrorBody, Scored, Fault, *(type_ for protocol in protocols() for type_ in (protocol.request, protocol.reply))]
    references, components = msgspec.json.schema_components(types, ref_template=REFERENCE, schema_hook=lambda _: {})
    schemas = dict(zip(types, references, strict=True))
    errors = {str(status): {"description": text, **_content(schemas[ErrorBody])} for status, text in ERRORS.items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].update(errors)
    for protocol in protocols():
        for path in protocol.all_paths:
            document["paths"].setdefault(path, {})["post"] = {
                "operationId": path.strip("/").translate(str.maketrans("/.", "__", "{}")),
                "tags": [protocol.name],
                "summary": protocol.summary,
                "parameters": [MODE, TASK] if "{task}" in path else [MODE],
                "requestBody": {"required": True, **_content(schemas[protocol.request], example=protocol.example)},
                "responses": {"200": {"description": "Scored", **_content(schemas[protocol.reply])}, **errors},
            }
    own_schemas = document.setdefault("components", {}).setdefault("schemas", {})
    own_schemas |= components
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's error types, replaced by ErrorBody
        own_schemas.pop(unused, None)
    return document


def _content(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema, **more}}}
