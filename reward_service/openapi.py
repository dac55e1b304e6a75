"""The OpenAPI document: FastAPI's own, and the scoring routes from the very types that decode their bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .errors import ErrorBody
from .items import MODES, Fault, Scored
from .protocols.base import Protocol

_REF = "#/components/schemas/{name}"
_ERRORS = {
    400: "The body is no JSON",
    401: "A token is missing or wrong",
    408: "The body took too long",
    413: "The body or the batch is too large",
    415: "The body is encoded",
    422: "What was sent cannot be scored; the message says why",
}


def add_protocols(document: dict[str, Any], protocols: Iterable[Protocol]) -> dict[str, Any]:
    """The document with the protocols' routes in it."""
    protocols = list(protocols)
    kinds = [ErrorBody, Scored, Fault, *(p.request for p in protocols), *(p.reply for p in protocols)]
    found, components = msgspec.json.schema_components(kinds, ref_template=_REF, schema_hook=lambda _: {})
    error, requests, replies = found[0], found[3 : 3 + len(protocols)], found[3 + len(protocols) :]
    refused = {
        str(status): {"description": text, "content": {"application/json": {"schema": error}}}
        for status, text in _ERRORS.items()
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].update(refused)
    for protocol, request, reply in zip(protocols, requests, replies, strict=True):
        plain = [path for path in (protocol.path, *protocol.aliases) if "{" not in path]
        tasked = [f"{protocol.path}/{{task}}", *(alias for alias in protocol.aliases if "{" in alias)]
        for path in (*plain, *tasked):
            operation = _operation(protocol, request, reply, path, refused)
            document["paths"].setdefault(path, {})["post"] = operation
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= components
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's, in whose place ErrorBody stands
        schemas.pop(unused, None)
    return document


def _operation(protocol: Protocol, request: Any, reply: Any, path: str, refused: dict[str, Any]) -> dict[str, Any]:
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
            **refused,
        },
    }
