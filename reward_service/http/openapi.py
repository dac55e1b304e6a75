"""Adds the scoring routes to FastAPI's OpenAPI document. Schemas come from the types that decode the bodies."""

from collections.abc import Iterable
from typing import Any

import msgspec

from ..protocols.base import Protocol
from ..protocols.messages import ErrorBody
from ..scoring.items import MODES, Fault, Scored

_REF = "#/components/schemas/{name}"
_ERRORS = {
    400: "The body is not JSON",
    401: "A token is missing or wrong",
    408: "The body took too long to arrive",
    413: "The body or the batch is too large",
    415: "The body has a content encoding",
    422: "The request cannot be scored; the message says why",
}


def add_protocols(document: dict[str, Any], protocols: Iterable[Protocol]) -> dict[str, Any]:
    """Add the routes of the protocols to an OpenAPI document, and return it."""
    protocols = list(protocols)
    types = [ErrorBody, Scored, Fault, *(p.request for p in protocols), *(p.reply for p in protocols)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF, schema_hook=lambda _: {})
    errors = {str(status): {"description": text, **_content(schemas[0])} for status, text in _ERRORS.items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].update(errors)
    for protocol, request, reply in zip(protocols, schemas[3 : 3 + len(protocols)], schemas[3 + len(protocols) :], strict=True):
        for path in protocol.all_paths:
            parameters: list[dict[str, Any]] = [
                {"name": "mode", "in": "query", "schema": {"type": "string", "enum": list(MODES)}}
            ]
            if "{task}" in path:
                parameters.append({"name": "task", "in": "path", "required": True, "schema": {"type": "string"}, "example": "counting"})  # fmt: skip
            operation = {
                "operationId": path.strip("/").translate(str.maketrans("/.", "__", "{}")),
                "tags": [protocol.name],
                "summary": protocol.summary,
                "parameters": parameters,
                "requestBody": {"required": True, **_content(request, example=protocol.example)},
                "responses": {"200": {"description": "Scored", **_content(reply)}, **errors},
            }
            document["paths"].setdefault(path, {})["post"] = operation
    document_schemas = document.setdefault("components", {}).setdefault("schemas", {})
    document_schemas |= components
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's error types, replaced by ErrorBody
        document_schemas.pop(unused, None)
    return document


def _content(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema, **more}}}
