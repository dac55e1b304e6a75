"""The service's own format: any number of items, each scored or refused by itself."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from ..errors import Refusal
from ..items import Fault, Item, Mode, Result, Scored
from ..json_body import decode
from .base import Call, Protocol
from .reading import parse_item


class ScoreRequest(Struct):
    items: list[Item]
    mode: Annotated[Mode, Meta(description="what `score` is; else as the server is set, at first smooth")] | None = None


class AnyItems(Struct):
    items: list[Any]
    mode: Mode | None = None


def ref(kind: type) -> str:
    return f"#/components/schemas/{kind.__name__}"


class ScoreReply(Struct):
    """`results[k]` is that of `items[k]`: a score, or under `error` why there is none."""

    results: Annotated[list[Any], Meta(extra_json_schema={"items": {"anyOf": [{"$ref": ref(Scored)}, {"$ref": ref(Fault)}]}})]


def _decode(body: bytes) -> Any:
    try:
        return decode(body, ScoreRequest)
    except Refusal as refusal:
        if refusal.status != 422:
            raise
    return decode(body, AnyItems)  # one item of a wrong type does not sink the others


def _read(request: ScoreRequest | AnyItems, call: Call) -> list[Item | Fault]:
    items = request.items if isinstance(request, ScoreRequest) else [parse_item(item) for item in request.items]
    if call.task is None:
        return list(items)
    return [_of_task(item, call.task) if isinstance(item, Item) else item for item in items]


def _of_task(item: Item, task: str) -> Item:
    """The item with the task of the URL, beside which its own name stays for the scorer to compare."""
    return replace(item, task=task, data_source=item.data_source or item.task)


def _write(request: ScoreRequest, results: list[Result], call: Call) -> ScoreReply:
    return ScoreReply(results)


PROTOCOL = Protocol(
    name="native",
    summary="Score a batch of rollouts",
    path="/v1/score",
    request=ScoreRequest,
    reply=ScoreReply,
    read=_read,
    write=_write,
    decode=_decode,
    partial=True,
    example={"items": [{"task": "counting", "ground_truth": "3,1,4", "response": "<answer>3,1,5</answer>"}]},
)
