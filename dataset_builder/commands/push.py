"""`videossr push`: pushes a build to the Hub."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_command
from .exit_codes import OK
from .progress_bar import progress_bar


def add(commands: Any) -> None:
    parser = add_command(
        commands, "push", run, "push a build to the Hugging Face Hub; a rerun continues",
        "videossr push data/30k me/videossr-30k --license cc-by-4.0",
    )  # fmt: skip
    parser.add_argument("folder", help="folder of the build, local or any fsspec URL such as s3://…")
    parser.add_argument("repo", help="owner/name; created if it does not exist")
    parser.add_argument("--license", help="of the dataset, as the Hub spells it: cc-by-4.0, … (needed unless its card has one)")
    parser.add_argument(
        "--source-dataset", action="append", default=[], metavar="NAME", help="a dataset that the videos come from; repeatable"
    )
    parser.add_argument("--public", action="store_true", help="make the new repository public (default: private)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--force", action="store_true", help="replace another dataset in that repository")


def run(args: argparse.Namespace) -> int:
    from ..hub.push import push, quietly
    from ..storage.stored_build import Build

    build = Build.read(args.folder)
    quietly()
    with progress_bar(f"push {args.repo}", "files") as progress:
        url = push(
            build, args.repo, license=args.license, source_datasets=args.source_dataset, public=args.public, force=args.force,
            progress=progress, workers=args.workers,
        )  # fmt: skip
    print(f'{build.rows} rows: {url}\nload_dataset("{args.repo}", "{next(iter(build.summary.portions))}", split="train")')
    return OK
