"""`videossr validate`: a build, checked row by row."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .arguments import add_command
from .exit_codes import FAULTS, OK


def add(commands: Any) -> None:
    parser = add_command(commands, "validate", run, "check every row of a build", "videossr validate data/")
    parser.add_argument("folder", help="the build: a folder, or s3://… and whatever else fsspec knows")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    from ..storage.validate import validate

    findings = validate(args.folder)
    print(json.dumps(findings.to_dict(), indent=2) if args.json else findings.table())
    return FAULTS if findings.faults else OK
