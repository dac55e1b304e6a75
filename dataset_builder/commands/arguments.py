"""Arguments that several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any


def add_command(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], doc: str, example: str
) -> argparse.ArgumentParser:
    """Add a subcommand to `commands`, the argument of the module's `add`; `command` runs it and returns the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc, epilog=f"example: {example}")
    parser.set_defaults(command=command)
    return parser


def add_spec(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each field of BuildSpec (`--set` for overrides), `--videos` and the clip cache flags."""
    from ..questions.spec import BuildSpec

    for choice in fields(BuildSpec):
        doc = choice.metadata["doc"]
        if choice.name == "preset":
            parser.add_argument("preset", help=doc)
        elif choice.name == "overrides":
            parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=f"{doc}; see `videossr tasks`")
        else:
            default = "" if choice.default in (None, "") else f" (default: {choice.default})"
            kind = int if str(choice.type).startswith("int") else str
            flag = f"--{choice.name.replace('_', '-')}"
            parser.add_argument(flag, type=kind, default=choice.default, help=doc + default)
    parser.add_argument("--videos", required=True, help="folder of raw videos, local or any fsspec URL such as s3://…")
    add_cache(parser)


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a ClipCache."""
    parser.add_argument(
        "--clip-cache", help="folder for sampled clips, '' for none (default: $VIDEOSSR_CLIP_CACHE or ~/.cache/videossr)"
    )
    parser.add_argument("--clip-cache-gb", type=float, help="its size limit (default: $VIDEOSSR_CLIP_CACHE_GB or 20)")


def spec_of(args: argparse.Namespace) -> Any:
    """The BuildSpec of the flags; raises UsageError naming the value that is not allowed."""
    from ..questions.spec import BuildSpec
    from ..tasks import UsageError

    overrides = {}
    for setting in args.set:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} is not allowed; allowed: NAME=VALUE")
        overrides[name] = value
    choices = {choice.name: getattr(args, choice.name) for choice in fields(BuildSpec) if choice.name != "overrides"}
    return BuildSpec(**choices, overrides=overrides)


def cache_of(args: argparse.Namespace) -> Any:
    """The ClipCache of the flags."""
    from ..media.clip_cache import ClipCache

    return ClipCache.of(args.clip_cache, args.clip_cache_gb)
