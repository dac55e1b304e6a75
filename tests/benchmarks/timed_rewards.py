"""Reward functions for verl that write down when a rollout came to be scored, and when its reward was there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from dataset_builder import tasks
from reward_service.clients import verl

LOG = "VIDEOSSR_BENCH_REWARDS"  # the file, in the environment of verl's processes


async def over_http(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """Our client's function."""
    start = time.time()
    told = await verl.compute_score(data_source, solution_str, ground_truth, extra_info, **settings)
    _write(start)
    return told


async def in_process(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **settings: Any
) -> dict[str, Any]:
    """The same value without a service."""
    start = time.time()
    score = tasks.get(data_source).score(solution_str, ground_truth, (extra_info or {}).get("chance"))
    _write(start)
    return score.to_dict()


def _write(start: float) -> None:
    with open(os.environ[LOG], "a") as file:
        file.write(json.dumps([start, time.time()]) + "\n")
