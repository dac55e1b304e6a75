"""Adds the scoring routes to FastAPI's OpenAPI document. Schemas come from the types that decode the bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..protocols.base import Protocol
from ..protocols.refusal import ErrorBody
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
    error, requests, replies = schemas[0], schemas[3 : 3 + len(protocols)], schemas[3 + len(protocols) :]
    error_responses = {
        str(status): {"description": text, "content": {"application/json": {"schema": error}}}
        for status, text in _ERRORS.items()
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].update(error_responses)
    for protocol, request, reply in zip(protocols, requests, replies, strict=True):
        for path in protocol.all_paths:
            operation = _make_operation(protocol, request, reply, path, error_responses)
            document["paths"].setdefault(path, {})["post"] = operation
    document_schemas = document.setdefault("components", {}).setdefault("schemas", {})
    document_schemas |= components
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's error types, replaced by ErrorBody
        document_schemas.pop(unused, None)
    return document


def _make_operation(protocol: Protocol, request: Any, reply: Any, path: str, error_responses: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": "mode", "in": "query", "required": False, "schema": {"type": "string", "enum": list(MODES)}},
    ]
    if "{task}" in path:
        parameters.append({"name": "task", "in": "path", "required": True, "schema": {"type": "string"}, "example": "counting"})
    return {
        "operationId": path.strip("/").replace("/", "_").replace("{task}", "task").replace(".", "_"),
        "tags": [protocol.name],
        "summary": protocol.summary,
        "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": {"schema": request, "example": protocol.example}}},
        "responses": {
            "200": {"description": "Scored", "content": {"application/json": {"schema": reply}}},
            **error_responses,
        },
    }
