"""slime and miles: `--rm-type remote_rm --rm-url http://host:8000/slime/counting`; add `?reply=object` for `--reward-key reward`."""

from typing import Any

from msgspec import Struct

from ..scoring.items import Fault, Item, Scored
from .base import Call, Protocol
from .messages import Refusal
from .rows import continue_thought, to_item


class Request(Struct):
    response: str
    label: Any = None
    prompt: Any = None


def _read(request: Request, call: Call) -> list[Item | Fault]:
    return [to_item(continue_thought(request.prompt, request.response), request.label, call)]


def _write(request: Request, results: list[Scored], call: Call) -> float | Scored:
    reply_type = call.query.get("reply", "number")
    if reply_type not in ("number", "object"):
        raise Refusal(422, "invalid_request", f"reply={reply_type!r} is unknown; allowed: number, object")
    return results[0] if reply_type == "object" else results[0].reward


PROTOCOL = Protocol(
    name="slime",
    summary="slime and miles remote reward model",
    path="/slime",
    aliases=("/miles",),
    request=Request,
    reply=float | Scored,
    read=_read,
    write=_write,
    example={"response": "<answer>3,1,5</answer>", "label": {"task": "counting", "ground_truth": "3,1,4"}},
)
