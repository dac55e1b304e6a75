"""`videossr export`: a build as a trainer reads it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .arguments import add_command
from .exit_codes import OK
from .progress_bar import progress_bar


def add(commands: Any) -> None:
    parser = add_command(
        commands, "export", run, "write a build as a trainer reads it", "videossr export verl data/30k --out data/30k-verl"
    )
    parser.add_argument("trainer", help="verl or trl")
    parser.add_argument("folder", help="the build: a folder, or s3://… and whatever else fsspec knows")
    parser.add_argument("--out", type=Path, required=True, help="folder for the export")
    parser.add_argument("--force", action="store_true", help="replace what stands in that folder")


def run(args: argparse.Namespace) -> int:
    from .. import exports
    from ..exports.base import export
    from ..storage.stored_build import Build

    how = exports.get(args.trainer)
    build = Build.read(args.folder)
    with progress_bar(f"{how.name} export") as progress:
        path = export(build, args.out, how, args.force, progress)
    print(f"{build.rows} rows: {how.howto.format(path=path)}")
    return OK
