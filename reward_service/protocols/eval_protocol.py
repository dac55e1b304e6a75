"""eval-protocol: `RewardFunction(mode="remote", endpoint="http://host:8000/eval-protocol/counting")`."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from ..scoring.items import Fault, Item, Scored
from .base import Call, Protocol
from .rows import to_item


class Request(Struct):
    messages: Annotated[list[Any], Meta(min_length=1)]
    ground_truth: Any = None
    task: str | None = None
    data_source: str | None = None
    extra_info: Any = None
    group: Any = None


def _read(request: Request, call: Call) -> list[Item | Fault]:
    row = {key: getattr(request, key) for key in ("task", "data_source", "extra_info", "group")}
    # without a ground truth, the client sends the chat in its place
    ground_truth = request.ground_truth if isinstance(request.ground_truth, (str, dict, int)) else None
    return [to_item(request.messages, ground_truth, call, row)]


def _write(request: Request, results: list[Scored], call: Call) -> dict[str, Any]:
    [result] = results
    flags = {"reason": result.reason, "is_score_valid": True, "success": True}
    metrics = {key: {"score": getattr(result, key), **flags} for key in ("exact", "above_chance")}
    return {"score": result.reward, "reason": result.reason, "metrics": metrics}


PROTOCOL = Protocol(
    name="eval-protocol",
    summary="eval-protocol remote reward function",
    path="/eval-protocol",
    request=Request,
    read=_read,
    write=_write,
    example={
        "messages": [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "<answer>3,1,5</answer>"}],
        "ground_truth": "3,1,4",
        "task": "counting",
    },
)
