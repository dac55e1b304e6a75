"""`videossr diagnose`: the group statistics of the service, for rollouts in a file."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dataset_builder.tasks import UsageError

from ..protocols.base import Call
from ..protocols.rows import to_item
from ..scoring.items import Fault
from ..scoring.score import score_item
from .rollout import Rollout, level_label, make_rollout
from .statistics import Statistics

COLUMNS = (
    ("rollouts", "rollouts"), ("groups", "groups"), ("mean", "mean"), ("std", "std"), ("within_group_std", "in group"),
    ("exact", "exact"), ("zero_variance", "no grad"), ("zero_variance_strict", "strict"), ("unparseable", "no answer"),
    ("blind", "blind"), ("top_answer_share", "top"),
)  # fmt: skip
NO_GROUP = "no group; give the rollouts of one prompt the same `group`"


@dataclass(frozen=True)
class Diagnosis:
    """Statistics by run, task and level, and one message for each line that could not be read or scored."""

    runs: dict[str, dict[str, dict[str, Any]]]
    rollouts: int
    faults: tuple[str, ...]


def diagnose(path: Path, task: str | None = None) -> Diagnosis:
    """Compute the statistics of a JSONL file of rollouts, or of a folder of such files. A line is one of

    - a line of the service's `--rollout-log`, or any line with `group`, `task`, `score` and `exact`;
    - an item for `/v1/score`, with `group`;
    - a rollout as verl dumps it (`rollout_data_dir`): `input`, `output`, `gts`, `step`, `uid`; grouped by `_verl_group`.

    `task` is the task of lines that do not name one. Raises UsageError if no line is a rollout.
    """
    statistics = Statistics(max_groups=sys.maxsize)
    rollouts, faults = 0, []
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip():
            continue
        try:
            statistics.add([_read_rollout(line, task, number)])
            rollouts += 1
        except UsageError as fault:
            faults.append(f"line {number}: {fault}")
    if not rollouts:
        raise UsageError(f"{path} holds no rollout{f'; {faults[0]}' if faults else ''}")
    return Diagnosis(statistics.summary(), rollouts, tuple(faults))


def _read_lines(path: Path) -> Iterator[str]:
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield from lines


def _read_rollout(line: str, task: str | None, number: int) -> Rollout:
    """The rollout of a line; raises UsageError if it holds none."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"not valid JSON: {error}") from None
    if not isinstance(row, dict):
        raise UsageError("not a JSON object")
    run = str(row.get("run") or "")
    call = Call(None if row.get("task") or row.get("data_source") else task)
    if "output" in row and "gts" in row:
        item = to_item(row["output"], row["gts"], call, row, group=_verl_group(row), id=number)
    elif "response" in row:
        item = to_item(row["response"], row.get("ground_truth"), call, row, id=row.get("id", number))
    elif "score" in row and "exact" in row:
        if row.get("group") is None:
            raise UsageError(NO_GROUP)
        fields = {"task": task or "unknown", "parsed": "?"} | row | {"run": run, "level": level_label(None, row.get("level"))}
        fields |= {key: str(row[key]) for key in ("group", "id") if row.get(key) is not None}
        try:
            return msgspec.convert(fields, Rollout)
        except msgspec.ValidationError as error:
            raise UsageError(str(error)) from None
    else:
        raise UsageError("neither response and ground_truth, nor output and gts, nor score and exact")
    if isinstance(item, Fault):
        raise UsageError(item.error.message)
    if item.group is None:
        raise UsageError(NO_GROUP)
    result = score_item(item)
    if isinstance(result, Fault):
        raise UsageError(result.error.message)
    return make_rollout(item, result, run)


def _verl_group(row: dict[str, Any]) -> str:
    """The group of a rollout in a verl dump: its step and prompt.

    verl 0.9.1 writes `uid` as prompt_rollout_output; other versions write the prompt's uid, or none. Then prompt text and
    ground truth name the group, as questions about different videos may have the same text.
    """
    uid = row.get("uid")
    if uid is None:
        return json.dumps([row.get("step"), row.get("input"), row.get("gts")])
    numbered = re.fullmatch(r"(.+)_\d+_\d+", str(uid))
    return f"{row.get('step')} {numbered[1] if numbered else uid}"


def table(diagnosis: Diagnosis) -> str:
    """Format the statistics as text.

    `no grad` is the share of groups with equal smooth scores, `strict` of groups in which all rollouts hit or all miss, and
    `top` the share of the most frequent answer.
    """
    lines = []
    for run, levels_by_task in diagnosis.runs.items():
        lines += [f"run {run}"] if run else []
        lines.append(f"{'task':12}{'level':10}" + "".join(f"{title:>10}" for _, title in COLUMNS))
        for task, levels in levels_by_task.items():
            for level, stats in levels.items():
                lines.append(f"{task:12}{level:10}" + "".join(f"{_format_cell(stats[key]):>10}" for key, _ in COLUMNS))
    return "\n".join(lines)


def _format_cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
