"""`videossr regenerate`: builds a pushed dataset again and compares."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .arguments import add_cache, add_command, cache_of
from .exit_codes import FAULTS, OK
from .progress_bar import progress_bar


def add(commands: Any) -> None:
    parser = add_command(
        commands, "regenerate", run, "make a pushed dataset again from its card, and compare row by row",
        "videossr regenerate me/videossr-30k --videos clips/ --out again/",
    )  # fmt: skip
    parser.add_argument("repo", help="owner/name")
    parser.add_argument("--videos", required=True, help="folder of the source videos; file names do not matter")
    parser.add_argument("--out", help="folder for the build (default: a temporary one)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_cache(parser)


def run(args: argparse.Namespace) -> int:
    from tempfile import TemporaryDirectory

    from ..hub.regenerate import regenerate

    with progress_bar(f"regenerate {args.repo}") as progress, TemporaryDirectory(prefix="videossr-") as temporary:
        out, cache = args.out or temporary, cache_of(args)
        comparison = regenerate(args.repo, args.videos, out, workers=args.workers, cache=cache, progress=progress)
    print(json.dumps(comparison.to_dict(), indent=2) if args.json else comparison.table())
    return OK if comparison.is_same else FAULTS
