"""NeMo Gym resources server, also for verifiers and prime-rl: the base URL is `http://host:8000`, or `…/nemo-gym/counting`.

A request holds the dataset row's `ground_truth` and `task` (or `reward_model`, `data_source`). NeMo Gym's task index is the
group; it names no step, so rollouts of all epochs share a group. The base URL `http://host:8000/run/NAME` tells runs apart.
"""

from itertools import groupby
from statistics import fmean, pstdev
from typing import Any

from fastapi import APIRouter
from msgspec import Struct

from ..scoring.items import Fault, Item, Scored, make_fault
from .base import Call, Protocol
from .messages import convert, decode
from .rows import to_item

TASK_INDEX = "_ng_task_index"
SCORES = ("reward", "score", "exact", "above_chance")
routes = APIRouter(tags=["nemo-gym"])  # besides `/verify`; they keep no state


class Request(Struct):
    """The keys that each request has. The reply returns all other keys of the row unchanged."""

    responses_create_params: dict[str, Any]
    response: dict[str, Any]


def _decode(body: bytes) -> dict[str, Any]:
    request = decode(body, dict[str, Any])
    convert(request, Request)
    return request


def _read(request: dict[str, Any], call: Call) -> list[Item | Fault]:
    outputs = request["response"].get("output")
    if not isinstance(outputs, list):
        return [make_fault("invalid_item", "response.output is not a list of items; send a Responses API object")]
    messages = [part for part in outputs if isinstance(part, dict) and part.get("type") == "message"]
    texts = [message.get("content") for message in messages if message.get("role", "assistant") == "assistant"]
    group = {"group": request[TASK_INDEX]} if isinstance(request.get(TASK_INDEX), int) else {}
    # a rollout without a message, e.g. that ends in a tool call, is an unparseable response, and not a Fault
    return [to_item(texts[-1] if texts else "", None, call, request, **group)]


def _write(request: dict[str, Any], results: list[Scored], call: Call) -> dict[str, Any]:
    [result] = results
    scores = {name: getattr(result, name) for name in SCORES}
    return {**request, **scores, "unparseable": float(not result.parsed), "reason": result.reason}


@routes.post("/seed_session", summary="NeMo Gym: begin a rollout")
async def _seed_session() -> dict[str, Any]:
    return {}


@routes.post("/aggregate_metrics", summary="NeMo Gym: metrics of rollouts")
async def _aggregate_metrics(body: dict[str, Any]) -> dict[str, Any]:
    def index(row: dict[str, Any]) -> str:
        return str(row.get(TASK_INDEX))

    rows = sorted((row for row in body.get("verify_responses") or [] if isinstance(row, dict)), key=index)
    groups = [list(group) for _, group in groupby(rows, key=index)]
    overall = _statistics(rows)
    return {
        "group_level_metrics": [{TASK_INDEX: group[0].get(TASK_INDEX), **_statistics(group)} for group in groups],
        "agent_metrics": overall,
        "key_metrics": {key: value for key, value in overall.items() if key.startswith("mean/")},
    }


def _statistics(rows: list[dict[str, Any]]) -> dict[str, float]:
    statistics: dict[str, float] = {}
    for name in (*SCORES, "unparseable"):
        if values := [float(row[name]) for row in rows if isinstance(row.get(name), (int, float))]:
            statistics |= {f"mean/{name}": fmean(values), f"std/{name}": pstdev(values)}
    return statistics


PROTOCOL = Protocol(
    name="nemo-gym",
    summary="NeMo Gym, verifiers and prime-rl: verify a rollout",
    path="/verify",
    aliases=("/nemo-gym/verify", "/nemo-gym/{task}/verify"),
    routes=routes,
    request=Request,
    read=_read,
    write=_write,
    decode=_decode,
    example={
        "task": "counting",
        "ground_truth": "3,1,4",
        "responses_create_params": {"input": []},
        "response": {"output": [{"type": "message", "content": [{"type": "output_text", "text": "<answer>3,1,5</answer>"}]}]},
    },
)
