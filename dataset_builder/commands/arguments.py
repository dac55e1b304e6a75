"""Arguments that several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def add_command(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], doc: str, example: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc, epilog=f"example: {example}")
    parser.set_defaults(command=command)
    return parser


def add_spec(parser: argparse.ArgumentParser) -> None:
    """The flags that make a BuildSpec, by its field names."""
    parser.add_argument("--videos", required=True, help="folder of raw videos, or s3://… and whatever else fsspec knows")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--difficulty", help="easy, medium, hard, extreme or a number in [0, 1] (default: the preset's)")
    parser.add_argument("--samples", type=int, help="rows in all (default: the preset's)")
    parser.add_argument("--per-video", type=int, default=1, help="for presets without a total: rows of each task a video")
    parser.add_argument("--frames", type=int, default=48, help="frames a clip (default: 48)")
    parser.add_argument("--max-pixels", type=int, default=256 * 256, help="most pixels a frame (default: 65536)")
    parser.add_argument("--sampling", default="exact", help="exact or keyframe (default: exact)")
    parser.add_argument("--video-format", default="mp4", help="mp4 or jpeg (default: mp4)")
    parser.add_argument("--system-prompt", default="", help="put before each question (default: none)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a task parameter, see `videossr tasks`"
    )
    add_cache(parser)


def add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clip-cache", help="folder for sampled clips, '' for none (default: $VIDEOSSR_CLIP_CACHE or ~/.cache/videossr)"
    )
    parser.add_argument("--clip-cache-gb", type=float, help="its size limit (default: $VIDEOSSR_CLIP_CACHE_GB or 20)")


def spec_of(args: argparse.Namespace) -> Any:
    from ..spec import BuildSpec

    overrides = {}
    for setting in args.set:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting!r} is not allowed; allowed: NAME=VALUE")
        overrides[name] = value
    names = [name for name in BuildSpec.field_names() if name != "overrides"]
    return BuildSpec(**{name: getattr(args, name) for name in names}, overrides=overrides)
