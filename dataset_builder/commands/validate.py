"""`videossr validate`: a build, checked row by row."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .arguments import add_command
from .exit_codes import FAULTS, OK


def add(commands: Any) -> None:
    parser = add_command(commands, "validate", run, "check every row of a build", "videossr validate data/")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    from ..validate import table, to_json, validate

    findings = validate(args.folder)
    print(to_json(findings) if args.json else table(findings))
    return FAULTS if findings.faults else OK
