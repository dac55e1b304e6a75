"""OpenEnv: `GenericEnvClient(base_url="http://host:8000")`, or `…/openenv/counting`; a WebSocket session or single calls.

An episode is one question: `reset(task=…, ground_truth=…, prompt=…)`, then `step({"response": …})` returns the reward and
ends it. A step may hold task and ground truth itself. Over plain HTTP, which has no session, it must.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from msgspec import Struct

from dataset_builder import tasks

from ..scoring.items import Fault, Item, Scored
from .base import Call, Protocol
from .json_body import decode, encode
from .refusal import Refusal
from .rows import to_item

if TYPE_CHECKING:
    from ..service import Service


class Action(Struct):
    """The model's response. In a session, the other fields come from `reset`."""

    response: str
    task: str | None = None
    ground_truth: Any = None
    extra_info: Any = None


class Request(Struct):
    action: dict[str, Any]
    timeout_s: float | None = None
    request_id: str | None = None


class Reply(Struct):
    observation: dict[str, Any]
    reward: float | None
    done: bool


class Message(Struct):
    type: str
    data: dict[str, Any] = {}


def _read(request: Request, call: Call) -> list[Item | Fault]:
    return [_make_item(request.action, {}, call)]


def _make_item(action: dict[str, Any], episode: dict[str, Any], call: Call) -> Item | Fault:
    fields = {key: value for key, value in action.items() if value is not None and key != "response"}
    return to_item(action.get("response"), None, call, {**episode, **fields})


def _write(request: Request, results: list[Scored], call: Call) -> Reply:
    return _result_reply(results[0])


def _result_reply(result: Scored) -> Reply:
    observation = {key: getattr(result, key) for key in ("parsed", "reason", "score", "exact", "above_chance", "task")}
    return Reply(observation, result.reward, True)


PROTOCOL = Protocol(
    name="openenv",
    summary="OpenEnv: one step without a session",
    path="/step",
    aliases=("/openenv/step", "/openenv/{task}/step"),
    request=Request,
    reply=Reply,
    read=_read,
    write=_write,
    example={"action": {"response": "<answer>3,1,5</answer>", "task": "counting", "ground_truth": "3,1,4"}},
)


class Session:
    """One WebSocket's episode."""

    def __init__(self, service: Service, call: Call) -> None:
        self._service = service
        self._call = call
        self._episode: dict[str, Any] = {}
        self._state: dict[str, Any] = {"episode_id": None, "step_count": 0}

    async def answer(self, text: str) -> dict[str, Any] | None:
        """Handle one message and return the reply; None closes the session."""
        try:
            message = decode(text.encode("utf-8", "surrogatepass"), Message)
        except Refusal as refusal:
            return _error(refusal.detail, "INVALID_JSON" if refusal.status_code == 400 else "VALIDATION_ERROR")
        match message.type:
            case "reset":
                self._episode = {key: value for key, value in message.data.items() if value is not None}
                self._state = {"episode_id": self._episode.get("episode_id") or uuid.uuid4().hex, "step_count": 0}
                return _observation(_reset_reply(self._episode, self._call))
            case "step":
                return await self._step(message.data)
            case "state":
                return {"type": "state", "data": self._state}
            case "close":
                return None
        return _error(f"type={message.type!r} is unknown; allowed: reset, step, state, close", "UNKNOWN_TYPE")

    async def _step(self, action: dict[str, Any]) -> dict[str, Any]:
        call = self._call
        [result] = await self._service.score([_make_item(action, self._episode, call)], call.mode, call.run)
        if isinstance(result, Fault):
            return _error(result.error.message, "EXECUTION_ERROR" if result.error.type == "internal" else "VALIDATION_ERROR")
        self._state = {**self._state, "step_count": self._state["step_count"] + 1}
        return _observation(_result_reply(result))


def _reset_reply(episode: dict[str, Any], call: Call) -> Reply:
    task = call.task or episode.get("task")
    observation = {"prompt": episode.get("prompt"), "task": task}
    if isinstance(task, str):
        with suppress(tasks.UnknownTask):  # the step reports it
            observation["answer_format"] = tasks.get(task).answer_format
    return Reply({key: value for key, value in observation.items() if value is not None}, None, False)


def _observation(reply: Reply) -> dict[str, Any]:
    return {"type": "observation", "data": reply}


def _error(message: str, code: str) -> dict[str, Any]:
    return {"type": "error", "data": {"message": message, "code": code}}


def router(service: Service) -> APIRouter:
    """The WebSocket session, and the other routes that OpenEnv requires."""
    routes = APIRouter(tags=["openenv"])

    async def session(socket: WebSocket) -> None:
        try:
            call = Call.read(socket.path_params, socket.scope["query_string"], service.settings.mode)
        except Refusal as refusal:
            await socket.close(1008, str(refusal))
            return
        await socket.accept()
        session = Session(service, call)
        with suppress(WebSocketDisconnect):
            while (message := await socket.receive())["type"] == "websocket.receive":
                text = message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace")
                reply = await session.answer(text)
                if reply is None:
                    await socket.close()
                    return
                await socket.send_text(encode(reply).decode())

    async def reset(body: dict[str, Any], task: str | None = None) -> dict[str, Any]:
        reply = _reset_reply(body, Call(task))
        return {"observation": reply.observation, "reward": None, "done": False}

    async def schema() -> dict[str, Any]:
        return {
            "action": msgspec.json.schema(Action),
            "observation": {"type": "object"},
            "state": {"type": "object", "properties": {"episode_id": {"type": "string"}, "step_count": {"type": "integer"}}},
        }

    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    async def state() -> dict[str, Any]:
        return {"episode_id": None, "step_count": 0}

    async def metadata() -> dict[str, str]:
        return {"name": "videossr", "description": "Rewards for questions about videos; one step an episode."}

    for prefix in ("", "/openenv", "/openenv/{task}"):
        routes.add_api_websocket_route(f"{prefix}/ws", session)
        in_schema = "{" not in prefix
        routes.post(f"{prefix}/reset", summary="OpenEnv: begin an episode", include_in_schema=in_schema)(reset)
        for name, endpoint in (("schema", schema), ("health", health), ("state", state), ("metadata", metadata)):
            routes.get(f"{prefix}/{name}", summary=f"OpenEnv: {name}", include_in_schema=in_schema)(endpoint)
    return routes
