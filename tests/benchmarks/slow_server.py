"""An OpenAI-compatible server that answers nothing in particular after a fixed time, and looks at no request.

python -m tests.benchmarks.slow_server SECONDS
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()
latency = 0.0


@app.get("/v1/models")
async def models() -> dict[str, Any]:
    return {"object": "list", "data": [{"id": "slow", "object": "model", "created": 0, "owned_by": "benchmark"}]}


@app.post("/v1/chat/completions")
async def complete(request: Request) -> dict[str, Any]:
    await request.body()
    await asyncio.sleep(latency)
    message = {"role": "assistant", "content": "<answer>3,3,3</answer>"}
    return {
        "id": "x", "object": "chat.completion", "created": 0, "model": "slow",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }  # fmt: skip


if __name__ == "__main__":
    latency = float(sys.argv[1])
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(512)
        print(f"http://127.0.0.1:{held.getsockname()[1]}/v1", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[held])
