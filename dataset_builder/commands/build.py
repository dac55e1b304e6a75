"""`videossr build`: a build on disk."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .arguments import add_command, add_spec, spec_of
from .exit_codes import FAULTS, OK
from .progress_bar import progress_bar


def add(commands: Any) -> None:
    parser = add_command(
        commands, "build", run, "build a dataset; a rerun continues",
        "videossr build mixed --videos clips/ --out data/ --difficulty 0.6 --set jigsaw.clips=5",
    )  # fmt: skip
    parser.add_argument("config", help="a preset or a task")
    parser.add_argument("--out", required=True, help="folder for the build, or s3://… and whatever else fsspec knows")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes (default: 1); with Ray, shards at a time (default: all)"
    )
    parser.add_argument("--engine", default="local", help="local or ray (default: local)")
    parser.add_argument("--address", help="of the Ray cluster; auto for the one that runs here (default: start one)")
    parser.add_argument("--force", action="store_true", help="replace another build in that folder")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_spec(parser)


def run(args: argparse.Namespace) -> int:
    spec = spec_of(args)
    from ..build import build

    with progress_bar(spec.config) as progress:
        report = build(
            spec, args.videos, args.out, workers=args.workers, engine=args.engine, address=args.address, force=args.force,
            clip_cache=args.clip_cache, clip_cache_gb=args.clip_cache_gb, progress=progress,
            so_far=lambda report: progress.note(refused=report.refused.total(), unusable=len(report.unusable)),
            reading=lambda done, total: progress.note(read=f"{done} of {total} videos"),
        )  # fmt: skip
    print(json.dumps(report.to_dict(), indent=2) if args.json else report.table())
    if spec.total is not None and report.missing:
        short = ", ".join(f"{name} by {count}" for name, count in report.missing.items())
        print(f"videossr: the build is short: {short}; add videos, see the refusals above", file=sys.stderr)
        return FAULTS
    return OK
