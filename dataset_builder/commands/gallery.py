"""`videossr gallery`: a page with every task at every level."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .arguments import add_cache, add_command, cache_of
from .exit_codes import OK


def add(commands: Any) -> None:
    parser = add_command(
        commands, "gallery", run, "every task at every level as web pages, with playable clips and answers",
        "videossr gallery --videos clips/ --out gallery/",
    )  # fmt: skip
    parser.add_argument("--videos", required=True, help="folder of raw videos, local or any fsspec URL such as s3://…")
    parser.add_argument("--out", type=Path, default=Path("gallery"), help="folder for the pages (default: gallery)")
    parser.add_argument("--seed", type=int, default=0)
    add_cache(parser)


def run(args: argparse.Namespace) -> int:
    from ..gallery.pages import write_gallery
    from .progress_bar import progress_bar

    with progress_bar("questions") as progress:
        missing = write_gallery(args.videos, args.out, args.seed, cache_of(args), progress)
    if missing:
        print(f"videossr: {missing} tasks and levels gave no question; index.html says why", file=sys.stderr)
    print(f"open {args.out / 'index.html'}")
    return OK
