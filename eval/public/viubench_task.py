"""The functions of VIUBench's lmms-eval tasks, for the files that `lmms_tasks.write_tasks` writes.

It imports `dataset_builder.tasks` alone, which needs no library: lmms-eval has its own environment.
"""

from __future__ import annotations

import re
from typing import Any

from dataset_builder.tasks import get
from dataset_builder.tasks.base import PLACEHOLDER


def select_portion(docs: Any, portion: str) -> Any:
    indices = [index for index, info in enumerate(docs["extra_info"]) if info["portion"] == portion]
    return docs.select(indices)


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """All frames of all videos, in order."""
    return [frame.convert("RGB") for video in doc["videos"] for frame in video]


def doc_to_text(doc: dict[str, Any]) -> str:
    return str(doc["prompt"][-1]["content"]).replace(PLACEHOLDER, "").strip()


def doc_to_messages(doc: dict[str, Any]) -> list[dict[str, Any]]:
    """The question; each `<video>` is replaced by its frames, each after its time."""
    videos = iter(zip(doc["videos"], doc["extra_info"]["frame_times"], strict=True))
    content: list[dict[str, Any]] = []
    for piece in re.split(f"({PLACEHOLDER})", doc["prompt"][-1]["content"]):
        if piece != PLACEHOLDER:
            content += [{"type": "text", "text": piece}] if piece.strip() else []
            continue
        frames, times = next(videos)
        for frame, time in zip(frames, times, strict=True):
            content += [{"type": "text", "text": f"<{time:.1f} seconds>"}, {"type": "image", "url": frame.convert("RGB")}]
    return [{"role": "user", "content": content}]


def doc_to_target(doc: dict[str, Any]) -> str:
    return str(doc["reward_model"]["ground_truth"])


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, Any]:
    """The score of one response, strict or smooth as its column reports it."""
    info = doc["extra_info"]
    score = get(doc["data_source"]).score(results[0], doc["reward_model"]["ground_truth"], info["chance"]).to_dict()
    name = f"{info['portion']}-{info['index']:05d}"
    return {"viubench": {"id": name, "score": score[info["metric"]], "parsed": score["parsed"], "reason": score["reason"]}}


def mean_percent(items: list[dict[str, Any]]) -> float:
    return float(100.0 * sum(item["score"] for item in items) / len(items))
