"""`videossr diagnose` on what verl 0.9.1 wrote of two steps of 4 questions x 4 rollouts (`trainer.rollout_data_dir`).

All its prompts have the same text, as questions about different videos may.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reward_service.monitoring.diagnose import diagnose

DUMP = Path(__file__).with_name("verl_dump")


def as_written(row: dict[str, Any]) -> dict[str, Any]:
    return row


def with_the_prompts_uid(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "uid": row["uid"].rsplit("_", 2)[0]}


def without_uid(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "uid"}


@pytest.mark.parametrize("form", [as_written, with_the_prompts_uid, without_uid])
def test_the_rollouts_of_a_prompt_are_a_group(form: Callable[[dict[str, Any]], dict[str, Any]], tmp_path: Path) -> None:
    for step in DUMP.glob("*.jsonl"):
        rows = [form(json.loads(line)) for line in step.read_text().splitlines()]
        (tmp_path / step.name).write_text("\n".join(map(json.dumps, rows)))
    diagnosis = diagnose(tmp_path, "counting")
    assert diagnosis.rollouts == 32
    assert not diagnosis.faults
    counting = diagnosis.runs[""]["counting"]["unknown"]
    assert counting["groups"] == 8
    assert list(counting["hits"]) == ["4"]
