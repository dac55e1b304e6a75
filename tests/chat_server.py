"""An OpenAI-compatible server on loopback that takes videos as vLLM does: lists of JPEG frames, whose times the request says.

Its prompts can be asked back (`return_token_ids`, `/detokenize`), with the times of the frames that it kept.
"""

from __future__ import annotations

import asyncio
import base64
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from PIL import Image

KEPT_UNLESS_TOLD = 32  # frames, as vLLM


@dataclass(frozen=True)
class Asked:
    """A request as the model sees it.

    Attributes:
        parts: of the user's message, in order: ("text", …), ("image", JPEG), ("video", (JPEGs, their times)).
    """

    parts: list[tuple[str, Any]]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        return "".join(value for kind, value in self.parts if kind == "text")

    @property
    def videos(self) -> list[tuple[list[bytes], list[float]]]:
        return [value for kind, value in self.parts if kind == "video"]


@dataclass
class Behaviour:
    """What the server does.

    Attributes:
        answer: (request) -> (response, prompt as the model saw it).
        refuses: per-request settings, as vLLM does without --trust-request-mm-kwargs.
        faults: called with the number of the request; an HTTP status to fail with, or 0.
        latency: seconds.
        reply: makes another reply of it.
        asked: every request so far.
    """

    answer: Callable[[Asked], tuple[str, str]]
    model: str = "tiny"
    refuses: bool = False
    faults: Callable[[int], int] = lambda number: 0
    latency: float = 0.0
    reply: Callable[[dict[str, Any]], Any] = lambda told: told
    asked: list[Asked] = field(default_factory=list)


def prompt_of(asked: Asked) -> str:
    """What Qwen3-VL's processor writes: a time before each pair of frames, and a token for 32 by 32 pixels of it."""
    words = []
    for kind, value in asked.parts:
        if kind == "text":
            words.append(value)
        elif kind == "video":
            times = [*value[1], *value[1][-1:]] if len(value[1]) % 2 else value[1]
            width, height = Image.open(io.BytesIO(value[0][0])).size
            pads = "<|video_pad|>" * (width // 32 * (height // 32))
            words += [f"<{(times[at] + times[at + 1]) / 2:.1f} seconds>{pads}" for at in range(0, len(times), 2)]
    return "".join(words)


def make_app(behaviour: Behaviour) -> FastAPI:
    app = FastAPI()
    number = iter(range(10**9))

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": behaviour.model, "object": "model", "created": 0, "owned_by": "tests"}]}

    @app.post("/detokenize")
    async def detokenize(request: Request) -> dict[str, str]:
        return {"prompt": "".join(map(chr, (await request.json())["tokens"]))}

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Any:
        body = await request.json()
        if status := behaviour.faults(next(number)):
            return JSONResponse({"error": {"message": "something broke", "type": "x", "code": status}}, status)
        if behaviour.refuses and ("media_io_kwargs" in body or "mm_processor_kwargs" in body):
            return JSONResponse(
                {"error": {"message": "Per-request media_io_kwargs are disabled by default; --trust-request-mm-kwargs", "type": "BadRequestError", "code": 400}},
                400,
            )  # fmt: skip
        asked = _read(body)
        behaviour.asked.append(asked)
        start = time.perf_counter()
        text, prompt = await asyncio.to_thread(behaviour.answer, asked)
        await asyncio.sleep(max(0.0, behaviour.latency - (time.perf_counter() - start)))
        told: dict[str, Any] = {
            "id": "x", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": len(prompt), "completion_tokens": len(text), "total_tokens": len(prompt) + len(text)},
        }  # fmt: skip
        if body.get("return_token_ids"):
            told["prompt_token_ids"] = list(map(ord, prompt))
        return JSONResponse(behaviour.reply(told))

    return app


def _read(body: dict[str, Any]) -> Asked:
    settings = body.get("media_io_kwargs", {}).get("video", {})
    parts: list[tuple[str, Any]] = []
    content = body["messages"][-1]["content"]
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if part["type"] == "text":
            parts.append(("text", part["text"]))
            continue
        head, _, data = part[part["type"]]["url"].partition(",")
        if part["type"] == "image_url":
            parts.append(("image", base64.b64decode(data)))
            continue
        assert head == "data:video/jpeg;base64"
        frames = [base64.b64decode(frame) for frame in data.split(",")]
        kept = settings.get("num_frames", KEPT_UNLESS_TOLD)
        frames = frames if kept < 0 else frames[:kept]
        numbers = settings.get("frames_indices", list(range(len(frames))))
        parts.append(("video", (frames, [number / settings.get("fps", 1.0) for number in numbers[: len(frames)]])))
    return Asked(parts, body)


@contextmanager
def serving_chat(behaviour: Behaviour) -> Iterator[str]:
    """Run it in a thread; gives the base URL."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(512)
        server = uvicorn.Server(uvicorn.Config(make_app(behaviour), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join()
