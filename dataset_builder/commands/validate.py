"""`videossr validate`: checks every row of a build."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .arguments import add_command
from .exit_codes import FAULTS, OK


def add(commands: Any) -> None:
    parser = add_command(commands, "validate", run, "check every row of a build", "videossr validate data/")
    parser.add_argument("folder", help="folder of the build, local or any fsspec URL such as s3://…")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    from ..storage.validate import validate

    findings = validate(args.folder)
    print(json.dumps(findings.to_dict(), indent=2) if args.json else findings.table())
    return FAULTS if findings.faults else OK
