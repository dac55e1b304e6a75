"""The service's own format: a list of items. Each is scored, or gets its own error."""

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from ..scoring.items import Fault, Item, Mode
from .base import Call, Protocol
from .messages import decode
from .rows import parse_item

RESULT = {"anyOf": [{"$ref": "#/components/schemas/Scored"}, {"$ref": "#/components/schemas/Fault"}]}


class ScoreRequest(Struct, kw_only=True):
    items: list[Item]
    mode: Annotated[Mode, Meta(description="the score that `reward` holds; default: the server's setting")] | None = None
    run: Annotated[str, Meta(description="the training run, for the statistics")] | None = None


class _Request(ScoreRequest):
    items: list[Any]  # an item that does not match its type must not fail the others


class ScoreReply(Struct):
    """`results[k]` belongs to `items[k]`: a score, or an `error` that says why there is none."""

    results: Annotated[list[Any], Meta(extra_json_schema={"items": RESULT})]


def _read(request: _Request, call: Call) -> list[Item | Fault]:
    items = list(map(parse_item, request.items))
    if call.task is not None:  # an item's own task moves to `data_source`, so that the scorer reports a conflict
        for index, item in enumerate(items):
            if isinstance(item, Item):
                items[index] = replace(item, task=call.task, data_source=item.data_source or item.task)
    return items


PROTOCOL = Protocol(
    name="native",
    summary="Score a batch of rollouts",
    path="/v1/score",
    request=ScoreRequest,
    reply=ScoreReply,
    read=_read,
    write=lambda request, results, call: ScoreReply(results),
    decode=lambda body: decode(body, _Request),
    partial=True,
    example={"items": [{"task": "counting", "ground_truth": "3,1,4", "response": "<answer>3,1,5</answer>"}]},
)
