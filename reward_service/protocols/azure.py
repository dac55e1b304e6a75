"""Azure reinforcement fine-tuning, endpoint grader: its URL is `https://host/azure`, with a token of ours in its header."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..items import Fault, Item, Scored
from .base import Call, Protocol
from .reading import to_item


class Sample(Struct):
    output_text: str | None = None
    choices: list[Any] = []


class Request(Struct):
    sample: Sample
    item: dict[str, Any]
    trace_id: str | None = None


class Reply(Struct):
    score: float


def _read(request: Request, call: Call) -> list[Item | Fault]:
    response: Any = request.sample.output_text
    if response is None and request.sample.choices:
        choice = request.sample.choices[0]
        response = choice.get("message") if isinstance(choice, dict) else choice
    return [to_item(response, None, call, request.item)]


def _write(request: Request, results: list[Scored], call: Call) -> Reply:
    return Reply(results[0].score)


PROTOCOL = Protocol(
    name="azure",
    summary="Azure RFT endpoint grader",
    path="/azure",
    request=Request,
    reply=Reply,
    read=_read,
    write=_write,
    example={
        "sample": {"output_text": "<answer>3,1,5</answer>"},
        "item": {"task": "counting", "ground_truth": "3,1,4"},
        "trace_id": "t-1",
    },
)
