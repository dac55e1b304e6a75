"""What one would write first: FastAPI and pydantic around the same scorer. The benchmark's measure."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from dataset_builder import tasks


class Item(BaseModel):
    task: str
    response: str
    ground_truth: str
    extra_info: dict[str, Any] = {}
    group: str | None = None
    id: str | None = None


class ScoreRequest(BaseModel):
    items: list[Item]


class Scored(BaseModel):
    score: float
    exact: float
    above_chance: float
    parsed: str
    reason: str
    task: str


class ScoreReply(BaseModel):
    results: list[Scored]


app = FastAPI()


@app.post("/v1/score")
async def score(request: ScoreRequest) -> ScoreReply:
    scores = (tasks.get(one.task).score(one.response, one.ground_truth, one.extra_info.get("chance")) for one in request.items)
    return ScoreReply(results=[Scored(**one.to_dict()) for one in scores])
