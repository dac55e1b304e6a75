"""NeMo Gym resources server, also for verifiers and prime-rl: the base URL is `http://host:8000`, or `…/nemo-gym/counting`.

A request holds the dataset row's `ground_truth` and `task` (or `reward_model`, `data_source`). NeMo Gym's task index is the
group; it names no step, so rollouts of all epochs share a group. Where several runs share a service, `http://host:8000/run/NAME`
as the base URL tells their groups apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean, pstdev
from typing import Any

from fastapi import APIRouter
from msgspec import Struct

from ..scoring.items import Fault, Item, Scored, make_fault
from .base import Call, Protocol
from .json_body import convert, decode
from .rows import to_item

TASK_INDEX = "_ng_task_index"
REWARDS = ("reward", "exact", "above_chance", "unparseable")


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
    messages = [part for part in outputs if isinstance(part, dict) and part.get("type") == "message" and _is_from_model(part)]
    # a rollout without a message, e.g. that ends in a tool call, is an unparseable response, and not a Fault
    text = messages[-1].get("content") if messages else ""
    fields = {}
    if isinstance(request.get(TASK_INDEX), int):
        fields["group"] = request[TASK_INDEX]
    return [to_item(text, None, call, request, **fields)]


def _is_from_model(message: Mapping[str, Any]) -> bool:
    return bool(message.get("role", "assistant") == "assistant")


def _write(request: dict[str, Any], results: list[Scored], call: Call) -> dict[str, Any]:
    result = results[0]
    return {
        **request,
        "reward": result.reward,
        "score": result.score,
        "exact": result.exact,
        "above_chance": result.above_chance,
        "unparseable": float(not result.parsed),
        "reason": result.reason,
    }


PROTOCOL = Protocol(
    name="nemo-gym",
    summary="NeMo Gym, verifiers and prime-rl: verify a rollout",
    path="/verify",
    aliases=("/nemo-gym/verify", "/nemo-gym/{task}/verify"),
    request=Request,
    reply=dict[str, Any],
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


def router() -> APIRouter:
    """The routes besides `/verify`. They keep no state."""
    routes = APIRouter(tags=["nemo-gym"])
    for prefix in ("", "/nemo-gym", "/nemo-gym/{task}"):
        in_schema = "{" not in prefix
        routes.post(f"{prefix}/seed_session", summary="NeMo Gym: begin a rollout", include_in_schema=in_schema)(_seed_session)
        routes.post(f"{prefix}/aggregate_metrics", summary="NeMo Gym: metrics of rollouts", include_in_schema=in_schema)(
            _aggregate_metrics
        )
    return routes


async def _seed_session() -> dict[str, Any]:
    return {}


async def _aggregate_metrics(body: dict[str, Any]) -> dict[str, Any]:
    verified_rows = [row for row in body.get("verify_responses") or [] if isinstance(row, dict)]
    by_task: dict[Any, list[Mapping[str, Any]]] = {}
    for row in verified_rows:
        by_task.setdefault(str(row.get(TASK_INDEX)), []).append(row)
    overall = _metric_statistics(verified_rows)
    return {
        "group_level_metrics": [{TASK_INDEX: rows[0].get(TASK_INDEX), **_metric_statistics(rows)} for rows in by_task.values()],
        "agent_metrics": overall,
        "key_metrics": {key: value for key, value in overall.items() if key.startswith("mean/")},
    }


def _metric_statistics(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    statistics: dict[str, float] = {}
    rows = list(rows)
    for key in REWARDS:
        values = [float(row[key]) for row in rows if isinstance(row.get(key), (int, float))]
        if values:
            statistics |= {f"mean/{key}": fmean(values), f"std/{key}": pstdev(values), f"min/{key}": min(values), f"max/{key}": max(values)}  # fmt: skip
    return statistics
