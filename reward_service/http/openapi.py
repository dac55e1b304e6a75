"""The OpenAPI document: FastAPI's, with the scoring routes. Schemas come from the types that decode the bodies."""

from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI

from ..protocols import protocols
from ..protocols.messages import ErrorBody
from ..scoring.items import MODES, Fault, Scored

REFERENCE = "#/components/schemas/{name}"
ERRORS = (400, 401, 408, 413, 415, 422)
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
    errors = {str(code): {"description": HTTPStatus(code).phrase, **_content(schemas[ErrorBody])} for code in ERRORS}
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
