"""`videossr tasks`: lists the tasks."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import Any

from .arguments import add_command
from .exit_codes import OK


def add(commands: Any) -> None:
    doc = "list the tasks: answers, knobs at each level, blind baselines"
    parser = add_command(commands, "tasks", run, doc, "videossr tasks --json")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    from .. import tasks

    listing = {name: _describe(tasks.get(name)) for name in tasks.names()}
    if args.json:
        print(json.dumps(listing, indent=2))
        return OK
    for name, task in listing.items():
        print(f"{name} (version {task['version']})\n  answer: {task['answer']}")
        print(f"  {'knob':15}" + "".join(f"{level:>10}" for level in tasks.LEVELS))
        for knob in task["knobs"]:
            values = knob["values"].values()
            cells = [",".join(value) if isinstance(value, list) else _number(value) for value in values]
            if max(map(len, cells)) > 9:  # too long for a column: a list, which is the same at every level
                print(f"  {knob['name']:15}  {cells[0]}   {knob['doc']}\n{_wrap(knob['allowed'])}")
            else:
                print(f"  {knob['name']:15}" + "".join(f"{value:>10}" for value in cells) + f"   {knob['doc']}")
        for row in ("chance", "chance_exact"):
            print(f"  {row:15}" + "".join(f"{value:10.3f}" for value in task[row].values()) + "   best blind answer, 48 frames")
        print()
    return OK


def _wrap(text: str) -> str:
    return textwrap.fill(f"allowed: {text}", 118, initial_indent=" " * 19, subsequent_indent=" " * 19, break_on_hyphens=False)


def _describe(task: Any) -> dict[str, Any]:
    from ..tasks import LEVELS, Level

    baselines = {level: task.chance(task.params(level), 48) for level in LEVELS}
    knobs = [
        {"name": knob.name, "doc": knob.doc, "allowed": knob.allowed(), "values": {level: _plain(knob.at(Level.of(level))) for level in LEVELS}}
        for knob in task.knobs
    ]  # fmt: skip
    return {
        "version": task.version,
        "answer": task.answer_format,
        "knobs": knobs,
        "chance": {level: round(baseline.smooth, 4) for level, baseline in baselines.items()},
        "chance_exact": {level: round(baseline.exact, 4) for level, baseline in baselines.items()},
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _number(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.3g}" if isinstance(value, float) else str(value)
