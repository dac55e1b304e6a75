"""Vertex AI (Gemini) tuning with a Cloud Run scorer: `https://host/vertex`. The reference's values are strings."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..items import Fault, Item, Scored
from .base import Call, Protocol
from .reading import to_item


class Example(Struct):
    references: dict[str, Any]
    contents: list[Any] = []


class Response(Struct):
    parts: list[Any]


class Request(Struct):
    example: Example
    response: Response
    metadata: dict[str, Any] = {}


class Reply(Struct):
    reward: float
    user_requested_aux_info: str


def _read(request: Request, call: Call) -> list[Item | Fault]:
    return [to_item(request.response.parts, None, call, request.example.references)]


def _write(request: Request, results: list[Scored], call: Call) -> Reply:
    result = results[0]
    return Reply(min(1.0, max(-1.0, result.score)), result.reason)  # what Vertex would clip it to


PROTOCOL = Protocol(
    name="vertex",
    summary="Vertex AI tuning scorer",
    path="/vertex",
    request=Request,
    reply=Reply,
    read=_read,
    write=_write,
    example={
        "example": {"contents": [], "references": {"task": "counting", "ground_truth": "3,1,4"}},
        "response": {"parts": [{"text": "<answer>3,1,5</answer>"}]},
        "metadata": {"step": 1, "tuning_job_id": 1},
    },
)
