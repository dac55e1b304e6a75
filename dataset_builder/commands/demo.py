"""`videossr demo`: builds and scores questions from rendered footage, as in `make demo`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .arguments import add_command
from .exit_codes import FAULTS, OK


def add(commands: Any) -> None:
    parser = add_command(
        commands, "demo", run, "build, score and show tasks from rendered footage; needs no video", "videossr demo --out demo/"
    )
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything (default: demo)")
    parser.add_argument("--seed", type=int, default=7)


def run(args: argparse.Namespace) -> int:
    from ..demo.tour import run_demo

    return OK if run_demo(args.out, args.seed) else FAULTS
