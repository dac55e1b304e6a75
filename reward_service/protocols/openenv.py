"""OpenEnv: `GenericEnvClient(base_url="http://host:8000")`, or `…/openenv/counting`; a WebSocket session or single calls.

An episode is one question: `reset(task=…, ground_truth=…, prompt=…)`, then `step({"response": …})` returns the reward and
ends it. A step may hold task and ground truth itself. Over plain HTTP, which has no session, it must.
"""

import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from msgspec import Struct

from dataset_builder import tasks

from ..scoring.items import Fault, Item, Scored
from .base import Call, Protocol
from .messages import Refusal, decode, encode, too_deep
from .rows import to_item

CODES = {400: "INVALID_JSON", 404: "UNKNOWN_TYPE", 422: "VALIDATION_ERROR", 500: "EXECUTION_ERROR"}
routes = APIRouter(tags=["openenv"])


class Request(Struct):
    action: dict[str, Any]


class Message(Struct):
    type: str
    data: dict[str, Any] = {}


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _to_item(action: dict[str, Any], episode: dict[str, Any], call: Call) -> Item | Fault:
    return to_item(action.get("response"), None, call, {**episode, **_without_none(action)})


def _describe_result(result: Scored) -> dict[str, Any]:
    observation = {key: getattr(result, key) for key in ("parsed", "reason", "score", "exact", "above_chance", "task")}
    return {"observation": observation, "reward": result.reward, "done": True}


def _describe_episode(episode: dict[str, Any], task: str | None) -> dict[str, Any]:
    task = task or episode.get("task")
    observation = {"prompt": episode.get("prompt"), "task": task}
    if isinstance(task, str):
        with suppress(tasks.UnknownTask):  # the step reports it
            observation["answer_format"] = tasks.get(task).answer_format
    return {"observation": _without_none(observation), "reward": None, "done": False}


@dataclass
class Session:
    """One WebSocket's episode."""

    service: Any
    call: Call
    episode: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=lambda: {"episode_id": None, "step_count": 0})

    async def answer(self, message: Message) -> dict[str, Any] | None:
        """The reply to a message; None closes the session. Raises Refusal if there is no reply."""
        match message.type:
            case "reset":
                self.episode = _without_none(message.data)
                self.state = {"episode_id": self.episode.get("episode_id") or uuid.uuid4().hex, "step_count": 0}
                return {"type": "observation", "data": _describe_episode(self.episode, self.call.task)}
            case "step":
                item = _to_item(message.data, self.episode, self.call)
                [result] = await self.service.score([item], self.call.mode, self.call.run)
                if isinstance(result, Fault):
                    kind = result.error.type
                    raise Refusal(500 if kind == "internal" else 422, kind, result.error.message)
                self.state["step_count"] += 1
                return {"type": "observation", "data": _describe_result(result)}
            case "state":
                return {"type": "state", "data": self.state}
            case "close":
                return None
        raise Refusal(404, "unknown_type", f"type={message.type!r} is unknown; allowed: reset, step, state, close")


@routes.websocket("/ws")
async def session(socket: WebSocket) -> None:
    service = socket.app.state.service
    try:
        session = Session(service, Call.read(socket, service.settings.mode))
    except Refusal as error:
        return await socket.close(1008, error.detail)
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while (received := await socket.receive())["type"] == "websocket.receive":
            text = received.get("text") or (received.get("bytes") or b"").decode("utf-8", "replace")
            try:
                reply = await session.answer(decode(text.encode("utf-8", "surrogatepass"), Message))
            except (Refusal, RecursionError) as error:
                refusal = error if isinstance(error, Refusal) else too_deep()
                reply = {"type": "error", "data": {"message": refusal.detail, "code": CODES[refusal.status_code]}}
            if reply is None:
                return await socket.close()
            await socket.send_text(encode(reply).decode())
    return None


@routes.post("/reset", summary="OpenEnv: begin an episode")
async def reset(body: dict[str, Any], task: str | None = None) -> dict[str, Any]:
    return _describe_episode(body, task)


@routes.get("/health", summary="OpenEnv: health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


PROTOCOL = Protocol(
    name="openenv",
    summary="OpenEnv: one step without a session",
    path="/step",
    aliases=("/openenv/step", "/openenv/{task}/step"),
    routes=routes,
    request=Request,
    read=lambda request, call: [_to_item(request.action, {}, call)],
    write=lambda request, results, call: _describe_result(results[0]),
    example={"action": {"response": "<answer>3,1,5</answer>", "task": "counting", "ground_truth": "3,1,4"}},
)
