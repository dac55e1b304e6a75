"""`videossr diagnose`: group statistics of rollouts in a file."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    doc = "group statistics of rollouts in a file: variance, hits, unparseable and blind answers"
    example = "example: videossr diagnose rollouts.jsonl --plot groups.png"
    parser = commands.add_parser("diagnose", help=doc, description=doc, epilog=example)
    parser.set_defaults(command=run)
    sources = "serve's --rollout-log, verl's rollout_data_dir, or items for /v1/score with `group`"
    parser.add_argument("rollouts", type=Path, help=f"JSONL file or folder: {sources}")
    parser.add_argument("--task", help="the task of lines that do not name one")
    parser.add_argument("--plot", type=Path, help="write the bimodality plot to this file (needs matplotlib)")
    parser.add_argument("--json", action="store_true", help="print JSON: `runs` as in /v1/stats, `rollouts`, `faults`")


def run(args: argparse.Namespace) -> int:
    from ..monitoring.diagnose import diagnose, table

    diagnosis = diagnose(args.rollouts, args.task)
    print(json.dumps(vars(diagnosis), indent=2) if args.json else table(diagnosis))
    for fault in diagnosis.faults:
        print(f"left out: {fault}", file=sys.stderr)
    if args.plot:
        from ..monitoring.plot import plot

        plot(diagnosis.runs, args.plot)
    return 1 if diagnosis.faults else 0
