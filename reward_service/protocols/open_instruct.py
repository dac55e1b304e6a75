"""open-instruct: `code_api_url` set to `http://host:8000/open-instruct/counting`; a program is a completion, its tests are the label."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..items import Fault, Item, Scored
from .base import Call, Protocol
from .reading import to_item


class Request(Struct):
    program: str
    tests: Any
    max_execution_time: float | None = None


class Reply(Struct):
    results: list[float]
    runtimes: list[float]


def _read(request: Request, call: Call) -> list[Item | Fault]:
    label = request.tests[0] if isinstance(request.tests, list) and len(request.tests) == 1 else request.tests
    return [to_item(request.program, label, call)]


def _write(request: Request, results: list[Scored], call: Call) -> Reply:
    return Reply([results[0].score], [0.0])


PROTOCOL = Protocol(
    name="open-instruct",
    summary="open-instruct code verifier",
    path="/open-instruct",
    request=Request,
    reply=Reply,
    read=_read,
    write=_write,
    example={
        "program": "<answer>3,1,5</answer>",
        "tests": ['{"task": "counting", "ground_truth": "3,1,4"}'],
        "max_execution_time": 1.0,
    },
)
