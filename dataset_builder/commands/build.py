"""`videossr build`: builds a dataset on disk or in a store."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .arguments import add_command, add_spec, cache_of, spec_of
from .exit_codes import FAULTS, OK
from .progress_bar import progress_bar


def add(commands: Any) -> None:
    parser = add_command(
        commands, "build", run, "build a dataset; a rerun continues",
        "videossr build mixed --videos clips/ --out data/ --difficulty 0.6 --set jigsaw.clips=5",
    )  # fmt: skip
    add_spec(parser)
    parser.add_argument("--out", required=True, help="folder for the build, local or any fsspec URL such as s3://…")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes (default: 1); with Ray, shards at a time (default: all)"
    )
    parser.add_argument("--engine", default="local", help="local or ray (default: local)")
    parser.add_argument("--address", help="of the Ray cluster; auto for the one on this machine (default: start one)")
    parser.add_argument("--force", action="store_true", help="replace another build in that folder")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    spec = spec_of(args)
    from ..storage.build import BuildProgress, build
    from ..storage.engine import make_engine

    with progress_bar(spec.preset) as bar:
        progress = BuildProgress(
            videos=lambda done, total: bar.note(read=f"{done} of {total} videos"),
            rows=bar,
            report=lambda report: bar.note(refused=report.refused.total(), unusable=len(report.unusable)),
        )
        engine = make_engine(args.engine, args.workers, args.address)
        report = build(spec, args.videos, args.out, engine=engine, cache=cache_of(args), force=args.force, progress=progress)
    print(json.dumps(report.summary(), indent=2) if args.json else report.table())
    if spec.total is not None and report.missing:
        missing = ", ".join(f"{name} by {count}" for name, count in report.missing.items())
        print(f"videossr: the build is short: {missing}; add videos, see the refusals above", file=sys.stderr)
        return FAULTS
    return OK
