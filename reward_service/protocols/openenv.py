"""OpenEnv: `GenericEnvClient(base_url="http://host:8000")`, or `…/openenv/counting`; a WebSocket session or single calls.

An episode is one question: `reset(task=…, ground_truth=…, prompt=…)`, then `step({"response": …})` returns the reward and
ends it. A step may hold task and ground truth itself. Over plain HTTP, which has no session, it must.
"""

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from msgspec import Struct

from dataset_builder import tasks

from ..scoring.items import Fault, Item, Scored
from .base import Call, Protocol
from .messages import Refusal, decode, encode
from .rows import to_item

if TYPE_CHECKING:
    from ..service import Service


# an action; in a session, the fields besides the response come from `reset`
SCHEMA = {
    "type": "object",
    "required": ["response"],
    "properties": {key: {} for key in ("response", "task", "ground_truth", "extra_info")},
}


class Request(Struct):
    action: dict[str, Any]


class Message(Struct):
    type: str
    data: dict[str, Any] = {}


def _to_item(action: dict[str, Any], episode: dict[str, Any], call: Call) -> Item | Fault:
    fields = {key: value for key, value in action.items() if value is not None and key != "response"}
    return to_item(action.get("response"), None, call, {**episode, **fields})


def _reply(result: Scored) -> dict[str, Any]:
    observation = {key: getattr(result, key) for key in ("parsed", "reason", "score", "exact", "above_chance", "task")}
    return {"observation": observation, "reward": result.reward, "done": True}


def _reset(episode: dict[str, Any], task: str | None) -> dict[str, Any]:
    task = task or episode.get("task")
    observation = {"prompt": episode.get("prompt"), "task": task}
    if isinstance(task, str):
        with suppress(tasks.UnknownTask):  # the step reports it
            observation["answer_format"] = tasks.get(task).answer_format
    known = {key: value for key, value in observation.items() if value is not None}
    return {"observation": known, "reward": None, "done": False}


PROTOCOL = Protocol(
    name="openenv",
    summary="OpenEnv: one step without a session",
    path="/step",
    aliases=("/openenv/step", "/openenv/{task}/step"),
    request=Request,
    read=lambda request, call: [_to_item(request.action, {}, call)],
    write=lambda request, results, call: _reply(results[0]),
    example={"action": {"response": "<answer>3,1,5</answer>", "task": "counting", "ground_truth": "3,1,4"}},
)


class Session:
    """One WebSocket's episode."""

    def __init__(self, service: "Service", call: Call) -> None:
        self._service = service
        self._call = call
        self._episode: dict[str, Any] = {}
        self._state: dict[str, Any] = {"episode_id": None, "step_count": 0}

    async def answer(self, text: str) -> dict[str, Any] | None:
        """The reply to a message; None closes the session."""
        try:
            message = decode(text.encode("utf-8", "surrogatepass"), Message)
        except Refusal as refusal:
            return _error(refusal.detail, "INVALID_JSON" if refusal.status_code == 400 else "VALIDATION_ERROR")
        match message.type:
            case "reset":
                self._episode = {key: value for key, value in message.data.items() if value is not None}
                self._state = {"episode_id": self._episode.get("episode_id") or uuid.uuid4().hex, "step_count": 0}
                return {"type": "observation", "data": _reset(self._episode, self._call.task)}
            case "step":
                return await self._step(message.data)
            case "state":
                return {"type": "state", "data": self._state}
            case "close":
                return None
        return _error(f"type={message.type!r} is unknown; allowed: reset, step, state, close", "UNKNOWN_TYPE")

    async def _step(self, action: dict[str, Any]) -> dict[str, Any]:
        call = self._call
        [result] = await self._service.score([_to_item(action, self._episode, call)], call.mode, call.run)
        if isinstance(result, Fault):
            return _error(result.error.message, "EXECUTION_ERROR" if result.error.type == "internal" else "VALIDATION_ERROR")
        self._state["step_count"] += 1
        return {"type": "observation", "data": _reply(result)}


def _error(message: str, code: str) -> dict[str, Any]:
    return {"type": "error", "data": {"message": message, "code": code}}


def router(service: "Service") -> APIRouter:
    """The WebSocket session, and the other routes that OpenEnv requires."""
    routes = APIRouter(tags=["openenv"])

    async def session(socket: WebSocket) -> None:
        try:
            session = Session(service, Call.read(socket.path_params, socket.scope["query_string"], service.settings.mode))
        except Refusal as refusal:
            return await socket.close(1008, refusal.detail)
        await socket.accept()
        with suppress(WebSocketDisconnect):
            while (message := await socket.receive())["type"] == "websocket.receive":
                text = message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace")
                if (reply := await session.answer(text)) is None:
                    return await socket.close()
                await socket.send_text(encode(reply).decode())
        return None

    async def reset(body: dict[str, Any], task: str | None = None) -> dict[str, Any]:
        return _reset(body, task)

    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    async def schema() -> dict[str, Any]:
        return {"action": SCHEMA, "observation": {"type": "object"}, "state": {"type": "object"}}

    for prefix in ("", "/openenv", "/openenv/{task}"):
        routes.add_api_websocket_route(f"{prefix}/ws", session)
        shown = "{" not in prefix
        routes.post(f"{prefix}/reset", summary="OpenEnv: begin an episode", include_in_schema=shown)(reset)
        routes.get(f"{prefix}/health", summary="OpenEnv: health", include_in_schema=shown)(health)
        routes.get(f"{prefix}/schema", summary="OpenEnv: schema", include_in_schema=shown)(schema)
    return routes
