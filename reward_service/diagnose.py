"""`videossr diagnose`: the service's group statistics, of rollouts in a file."""

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

CHUNK = 4096


@dataclass(frozen=True)
class Diagnosis:
    """Statistics by task and level, and the lines that could not be read or scored."""

    tasks: dict[str, dict[str, Any]]
    rollouts: int
    faults: tuple[str, ...]


def diagnose(path: Path, task: str | None = None) -> Diagnosis:
    """Read a JSONL file of rollouts, or a folder of such files. A line is one of

    - an item as `/v1/score` takes it, with `group`;
    - a rollout as verl dumps it (`rollout_data_dir`): `input`, `output`, `gts`, `step`, `uid`; grouped by `_verl_group`;
    - a rollout that is scored already: `task`, `score`, `exact` and `group`.

    Args:
        path: the file or folder.
        task: the task of lines that name none.

    Raises:
        FileNotFoundError: if there is no such file.
        UsageError: if it holds no rollout.
    """
    stats = GroupStats()
    faults: list[str] = []
    waiting: list[Rollout] = []
    number = 0
    for line, rollout in _rollouts(path, task):
        if isinstance(rollout, str):
            faults.append(f"line {line}: {rollout}")
            continue
        number += 1
        waiting.append(rollout)
        if len(waiting) >= CHUNK:
            stats.write(waiting)
            waiting.clear()
    stats.write(waiting)
    if not number:
        why = f"; {faults[0]}" if faults else ""
        raise UsageError(f"{path} holds no rollout{why}")
    return Diagnosis(stats.summarize(), number, tuple(faults))


def _rollouts(path: Path, task: str | None) -> Iterator[tuple[int, Rollout | str]]:
    number = 0
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                number += 1
                if line.strip():
                    yield number, _read(line, task, number)


def _read(line: str, task: str | None, number: int) -> Rollout | str:
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"no JSON: {error}"
    return _rollout(row, task, number) if isinstance(row, dict) else "no JSON object"


def _rollout(row: Mapping[str, Any], task: str | None, number: int) -> Rollout | str:
    if "output" in row and "gts" in row:
        names = {"group": _verl_group(row), "id": number}
        item = to_item(row["output"], row["gts"], Call(task), row, **names)
    elif "response" in row:
        item = to_item(
            row["response"], row.get("ground_truth"), Call(None if _named(row) else task), row, id=row.get("id", number)
        )
    elif isinstance(row.get("score"), (int, float)) and isinstance(row.get("exact"), (int, float)):
        return _scored(row, task)
    else:
        return "neither response and ground_truth, nor output and gts, nor score and exact"
    if isinstance(item, Fault):
        return item.error.message
    if item.group is None:
        return "no group; give the rollouts of one prompt the same `group`"
    result = score_item(item)
    return result.error.message if isinstance(result, Fault) else to_rollout(item, result)


def _verl_group(row: Mapping[str, Any]) -> str:
    """The prompt that a dumped rollout is of, within its step.

    verl 0.9.1 writes `uid` as prompt_rollout_output. Other dumps have none, or that of the prompt alone; without one, two
    prompts of a step are told apart by text and truth, as questions about other videos may have the same words.
    """
    uid = row.get("uid")
    if uid is None:
        return json.dumps([row.get("step"), row.get("input"), row.get("gts")])
    numbered = re.fullmatch(r"(.+)_\d+_\d+", str(uid))
    return f"{row.get('step')} {numbered[1] if numbered else uid}"


def _named(row: Mapping[str, Any]) -> bool:
    return bool(row.get("task") or row.get("data_source"))


def _scored(row: Mapping[str, Any], task: str | None) -> Rollout | str:
    known = {key: row[key] for key in ("group", "id", "extra_info") if row.get(key) is not None}
    item = parse_item({"response": "", "ground_truth": "", **known})
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
    """The statistics as text. `no grad`: groups whose smooth scores are all equal; `strict`: whose members all
    hit, or all miss; `top`: the
    share of the most frequent answer."""
    lines = [f"{'task':12}{'level':10}" + "".join(f"{title:>10}" for _, title in COLUMNS)]
    for task, levels in diagnosis.tasks.items():
        for level, found in levels.items():
            lines.append(f"{task:12}{level:10}" + "".join(f"{_cell(found[key]):>10}" for key, _ in COLUMNS))
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
