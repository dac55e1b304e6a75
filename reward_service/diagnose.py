"""`videossr diagnose`: the group statistics of the service, for rollouts in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.tasks import UsageError

from .items import Fault, Item, Scored
from .protocols.base import Call
from .protocols.reading import parse_item, to_item
from .rollouts import Rollout, to_rollout
from .scoring import score_item
from .stats import GroupStats

CHUNK = 4096  # rollouts in one transaction


@dataclass(frozen=True)
class Diagnosis:
    """Statistics by task and level, and one message for each line that could not be read or scored."""

    tasks: dict[str, dict[str, Any]]
    rollouts: int
    faults: tuple[str, ...]


def diagnose(path: Path, task: str | None = None) -> Diagnosis:
    """Compute the statistics of a JSONL file of rollouts, or of a folder of such files. A line is one of

    - an item for `/v1/score`, with `group`;
    - a rollout as verl dumps it (`rollout_data_dir`): `input`, `output`, `gts`, `step`, `uid`; grouped by `_verl_group`;
    - a scored rollout: `task`, `score`, `exact` and `group`.

    Args:
        path: the file or folder.
        task: the task of lines that do not name one.

    Raises:
        FileNotFoundError: if `path` does not exist.
        UsageError: if no line is a rollout.
    """
    stats = GroupStats()
    faults: list[str] = []
    chunk: list[Rollout] = []
    count = 0
    for line_number, rollout in _read_rollouts(path, task):
        if isinstance(rollout, str):
            faults.append(f"line {line_number}: {rollout}")
            continue
        count += 1
        chunk.append(rollout)
        if len(chunk) >= CHUNK:
            stats.write(chunk)
            chunk.clear()
    stats.write(chunk)
    if not count:
        reason = f"; {faults[0]}" if faults else ""
        raise UsageError(f"{path} holds no rollout{reason}")
    return Diagnosis(stats.summarize(), count, tuple(faults))


def _read_rollouts(path: Path, task: str | None) -> Iterator[tuple[int, Rollout | str]]:
    """Yield line number, and rollout or error message."""
    number = 0
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                number += 1
                if line.strip():
                    yield number, _read_line(line, task, number)


def _read_line(line: str, task: str | None, number: int) -> Rollout | str:
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"not valid JSON: {error}"
    return _read_row(row, task, number) if isinstance(row, dict) else "not a JSON object"


def _read_row(row: Mapping[str, Any], task: str | None, number: int) -> Rollout | str:
    if "output" in row and "gts" in row:
        fields = {"group": _verl_group(row), "id": number}
        item = to_item(row["output"], row["gts"], Call(task), row, **fields)
    elif "response" in row:
        item = to_item(
            row["response"], row.get("ground_truth"), Call(None if _names_task(row) else task), row, id=row.get("id", number)
        )
    elif isinstance(row.get("score"), (int, float)) and isinstance(row.get("exact"), (int, float)):
        return _read_scored_row(row, task)
    else:
        return "neither response and ground_truth, nor output and gts, nor score and exact"
    if isinstance(item, Fault):
        return item.error.message
    if item.group is None:
        return "no group; give the rollouts of one prompt the same `group`"
    result = score_item(item)
    return result.error.message if isinstance(result, Fault) else to_rollout(item, result)


def _verl_group(row: Mapping[str, Any]) -> str:
    """The group of a rollout in a verl dump: its step and prompt.

    verl 0.9.1 writes `uid` as prompt_rollout_output. Other versions write the prompt's uid, or none. Without a uid, prompt
    text and ground truth name the group, as questions about different videos may have the same text.
    """
    uid = row.get("uid")
    if uid is None:
        return json.dumps([row.get("step"), row.get("input"), row.get("gts")])
    numbered = re.fullmatch(r"(.+)_\d+_\d+", str(uid))
    return f"{row.get('step')} {numbered[1] if numbered else uid}"


def _names_task(row: Mapping[str, Any]) -> bool:
    return bool(row.get("task") or row.get("data_source"))


def _read_scored_row(row: Mapping[str, Any], task: str | None) -> Rollout | str:
    fields = {key: row[key] for key in ("group", "id", "extra_info") if row.get(key) is not None}
    item = parse_item({"response": "", "ground_truth": "", **fields})
    if isinstance(item, Fault):
        return item.error.message
    if item.group is None:
        return "no group; give the rollouts of one prompt the same `group`"
    name = str(row.get("task") or task or "unknown")
    scored = Scored(
        score=float(row["score"]), exact=float(row["exact"]), above_chance=0.0, parsed=str(row.get("parsed", "?")), reason="", task=name
    )  # fmt: skip
    return to_rollout(Item(response="", ground_truth="", group=item.group, id=item.id, extra_info=item.extra_info), scored)


COLUMNS = (
    ("rollouts", "rollouts"), ("groups", "groups"), ("mean", "mean"), ("std", "std"), ("within_group_std", "in group"),
    ("exact", "exact"), ("zero_variance", "no grad"), ("zero_variance_strict", "strict"), ("unparseable", "no answer"),
    ("blind", "blind"), ("top_answer_share", "top"),
)  # fmt: skip


def table(diagnosis: Diagnosis) -> str:
    """Format the statistics as text.

    `no grad`: share of groups whose smooth scores are all equal. `strict`: share of groups in which all rollouts hit or all
    miss. `top`: share of the most frequent answer.
    """
    lines = [f"{'task':12}{'level':10}" + "".join(f"{title:>10}" for _, title in COLUMNS)]
    for task, levels in diagnosis.tasks.items():
        for level, stats in levels.items():
            lines.append(f"{task:12}{level:10}" + "".join(f"{_format_cell(stats[key]):>10}" for key, _ in COLUMNS))
    return "\n".join(lines)


def _format_cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
