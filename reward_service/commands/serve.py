"""`videossr serve`: the reward service."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    doc = "score rollouts over HTTP, see `videossr serve --help`"
    # pydantic parses the flags, so that other commands do not load it: argparse must treat no argument as a flag
    parser = commands.add_parser("serve", help=doc, add_help=False, prefix_chars="\0")
    parser.add_argument("settings", nargs="*")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    from ..serve import read_settings, serve

    serve(read_settings(args.settings))
    return 0
