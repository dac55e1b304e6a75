"""`videossr export`: writes a build in the format of a trainer."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_command
from .exit_codes import OK
from .progress_bar import progress_bar


def add(commands: Any) -> None:
    example = "videossr export verl data/30k --out data/30k-verl"
    parser = add_command(commands, "export", run, "write a build in the format of a trainer", example)
    parser.add_argument("trainer", help="verl or trl")
    parser.add_argument("folder", help="folder of the build, local or any fsspec URL such as s3://…")
    parser.add_argument("--out", required=True, help="folder for the export")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--force", action="store_true", help="replace the content of that folder")


def run(args: argparse.Namespace) -> int:
    from .. import exports
    from ..exports.base import export
    from ..storage.stored_build import Build

    target = exports.get(args.trainer)
    build = Build.read(args.folder)
    with progress_bar(f"{target.name} export") as progress:
        path = export(build, args.out, target, args.force, progress, args.workers)
    print(f"{build.rows} rows: {target.howto.format(path=path)}")
    return OK
