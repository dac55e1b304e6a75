"""NeMo Gym resources server, also for verifiers and prime-rl: the base URL is `http://host:8000`, or `…/nemo-gym/counting`.

A dataset row's `ground_truth` and `task` (or `reward_model`, `data_source`) come along in each request; NeMo Gym's own task
index groups the rollouts; as it names no step, those of a second epoch join the first's. With observability on, Gym puts `/ng-rollout/ID` before its paths; the routes drop it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean, pstdev
from typing import Any

from fastapi import APIRouter
from msgspec import Struct

from ..items import Fault, Item, Scored, fault
from ..json_body import convert, decode
from .base import Call, Protocol
from .reading import to_item

TASK_INDEX = "_ng_task_index"
REWARDS = ("reward", "exact", "above_chance", "unparseable")


class Request(Struct):
    """For documentation; what else a row holds is echoed as it is."""

    responses_create_params: dict[str, Any]
    response: dict[str, Any]


def _decode(body: bytes) -> dict[str, Any]:
    request = decode(body, dict[str, Any])
    convert(request, Request)
    return request


def _read(request: dict[str, Any], call: Call) -> list[Item | Fault]:
    outputs = request["response"].get("output")
    if not isinstance(outputs, list):
        return [fault("invalid_item", "response.output is no list of items; send a Responses API object")]
    messages = [part for part in outputs if isinstance(part, dict) and part.get("type") == "message" and _is_models(part)]
    # a rollout that ends in a tool call has said nothing: that is an unparseable response, no fault
    text = messages[-1].get("content") if messages else ""
    names = {}
    if isinstance(request.get(TASK_INDEX), int):
        names["group"] = request[TASK_INDEX]
    return [to_item(text, None, call, request, **names)]


def _is_models(message: Mapping[str, Any]) -> bool:
    return bool(message.get("role", "assistant") == "assistant")


def _write(request: dict[str, Any], results: list[Scored], call: Call) -> dict[str, Any]:
    result = results[0]
    return {
        **request,
        "reward": result.score,
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
    """The routes beside `/verify`, which keep no state here."""
    routes = APIRouter(tags=["nemo-gym"])
    for prefix in ("", "/nemo-gym", "/nemo-gym/{task}"):
        shown = "{" not in prefix
        routes.post(f"{prefix}/seed_session", summary="NeMo Gym: begin a rollout", include_in_schema=shown)(_seed_session)
        routes.post(f"{prefix}/aggregate_metrics", summary="NeMo Gym: metrics of rollouts", include_in_schema=shown)(
            _aggregate_metrics
        )
    return routes


async def _seed_session() -> dict[str, Any]:
    return {}


async def _aggregate_metrics(body: dict[str, Any]) -> dict[str, Any]:
    verified = [row for row in body.get("verify_responses") or [] if isinstance(row, dict)]
    by_task: dict[Any, list[Mapping[str, Any]]] = {}
    for row in verified:
        by_task.setdefault(str(row.get(TASK_INDEX)), []).append(row)
    overall = _described(verified)
    return {
        "group_level_metrics": [{TASK_INDEX: rows[0].get(TASK_INDEX), **_described(rows)} for rows in by_task.values()],
        "agent_metrics": overall,
        "key_metrics": {key: value for key, value in overall.items() if key.startswith("mean/")},
    }


def _described(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    rows = list(rows)
    for key in REWARDS:
        values = [float(row[key]) for row in rows if isinstance(row.get(key), (int, float))]
        if values:
            found |= {f"mean/{key}": fmean(values), f"std/{key}": pstdev(values), f"min/{key}": min(values), f"max/{key}": max(values)}  # fmt: skip
    return found
