"""The command line of `python -m eval`: its commands and their flags."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

ENV_PREFIX = "VIDEOSSR_EVAL_"
EXAMPLES = """examples:
  python -m eval viubench --videos clips/ --seed 0 --model Qwen/Qwen3-VL-8B-Instruct --base-url http://host:8000/v1
  python -m eval viubench --videos clips/ --baseline whole            # the paper's row Random; also uniform, blind, solver
  python -m eval vqa questions.json --videos clips/ --model ./checkpoint             # in this process, by transformers
  python -m eval compare runs/base runs/trained --plot gain.png
  python -m eval report runs/* --out report.html

Stopped, or with failures, the same command goes on. Flags of runs are also read from the environment, --max-tokens as
VIDEOSSR_EVAL_MAX_TOKENS; the key of a server from OPENAI_API_KEY. Exit codes: 0 done, 1 questions failed or a run stopped,
2 bad arguments."""


def make_parser() -> argparse.ArgumentParser:
    """Its `name` says which command was given."""
    parser = argparse.ArgumentParser(
        "python -m eval", description="How good is this model, and did training help?", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="command")

    _add_runs(commands)
    _add_readings(commands)
    _add_public(commands)
    return parser


def _add_runs(commands: Any) -> None:
    viubench = _add(commands, "viubench", "the paper's benchmark, made from any videos and seed",
                    "python -m eval viubench --videos clips/ --baseline blind")  # fmt: skip
    _flag(viubench, "videos", help="folder of raw videos")
    _flag(viubench, "data", help="instead: a build, as `videossr build viubench` makes it; its portions are the columns")
    _flag(viubench, "seed", type=int, default=0, help="default: 0; another seed asks other questions of the same videos")
    _flag(viubench, "per_column", type=int, default=300, help="questions a column (default: 300)")
    _flag(viubench, "expect", metavar="HASH", help="refuse to run unless the benchmark has this hash")
    _add_frames(viubench)
    _add_run(viubench)

    for kind, doc in (("vqa", "option letters"), ("vtg", "time intervals: mIoU, R@0.3/0.5/0.7")):
        asked = _add(commands, kind, f"questions on videos from a file; answers are {doc}",
                     f"python -m eval {kind} questions.json --videos clips/ --model NAME --base-url URL")  # fmt: skip
        asked.add_argument("questions", type=Path, help="JSON list, or one object a line: video, question, answer")
        _flag(asked, "videos", required=True, help="folder of the questions' videos")
        _flag(asked, "prompt", help="what is asked, with {question} in it")
        _add_frames(asked)
        _add_run(asked)


def _add_readings(commands: Any) -> None:
    score = _add(commands, "score", "the table of a run, scored anew from its answers", "python -m eval score runs/a")
    score.add_argument("run", type=Path)
    score.add_argument("--json", action="store_true", help="as JSON")

    compare = _add(commands, "compare", "what a second run gains on a first, question by question",
                   "python -m eval compare runs/base runs/trained --plot gain.png")  # fmt: skip
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.add_argument("--plot", type=Path, help="write the gains to this PNG")
    compare.add_argument("--json", action="store_true", help="as JSON")

    report = _add(commands, "report", "tables, plots, and the worst and best answers as pictures",
                  "python -m eval report runs/* --out report.html")  # fmt: skip
    report.add_argument("runs", type=Path, nargs="+")
    report.add_argument(
        "--out", type=Path, default=Path("report.html"), help="the page; .md, .csv and .png beside it (default: report.html)"
    )
    report.add_argument("--examples", type=int, default=1, help="worst and best answers shown a column (default: 1 each)")
    _flag(report, "clip_cache", help="folder of sampled clips")


def _add_public(commands: Any) -> None:
    export = _add(commands, "export", "a run as Inspect or the Hub reads it",
                  "python -m eval export inspect runs/a --out a.eval")  # fmt: skip
    export.add_argument("form", choices=("inspect", "hub"))
    export.add_argument("run", type=Path)
    export.add_argument(
        "--out", type=Path, required=True, help="a .eval file; for the Hub a folder for eval.yaml and .eval_results/"
    )
    export.add_argument("--dataset", help="for the Hub: the benchmark's dataset, owner/name")
    export.add_argument(
        "--framework", default="videossr", help="for the Hub: eval.yaml's evaluation_framework (default: videossr)"
    )
    export.add_argument("--source", help="for the Hub: a URL where the run can be looked at")

    public = _add(commands, "public", "the paper's public benchmarks: by lmms-eval, or from their annotation files",
                  "python -m eval public --model NAME --base-url URL --run")  # fmt: skip
    public.add_argument("--suite", default="paper", help="default: paper")
    public.add_argument("--only", help="of its benchmarks, comma-separated")
    public.add_argument(
        "--run", action="store_true", help="run what has no result yet; without it the table and the commands are shown"
    )
    public.add_argument(
        "--questions", action="append", default=[], metavar="FORMAT=FILE,VIDEOS", help="annotation file and videos; repeatable"
    )
    _flag(public, "lmms_python", default="python", help="the Python of lmms-eval's own environment")
    _add_frames(public)
    _add_server(public)
    _flag(public, "out", default="runs/public", help="folder of the results (default: runs/public)")
    public.add_argument("--json", action="store_true", help="as JSON")

    convert = _add(commands, "convert", "questions from a published annotation file",
                   "python -m eval convert qvhighlights highlight_val_release.jsonl --out qvhighlights.json")  # fmt: skip
    convert.add_argument("format", help="qvhighlights, activitynet, tacos, aotbench or cvbench")
    convert.add_argument("file", type=Path)
    convert.add_argument("--out", type=Path, required=True)

    tasks = _add(commands, "lmms-tasks", "VIUBench as tasks of lmms-eval, for its --include_path",
                 "python -m eval lmms-tasks data/viubench --out lmms/viubench")  # fmt: skip
    tasks.add_argument("build", help="with --video-format jpeg")
    tasks.add_argument("--out", type=Path, required=True)


def _add(commands: Any, name: str, doc: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc, epilog=f"example: {example}")
    parser.set_defaults(name=name)
    return parser


def _flag(parser: argparse.ArgumentParser, name: str, **more: Any) -> None:
    """A flag that the environment may give instead."""
    default = os.environ.get(ENV_PREFIX + name.upper(), more.pop("default", None))
    required = more.pop("required", False) and default is None
    parser.add_argument(f"--{name.replace('_', '-')}", default=default, required=required, **more)


def _whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not allowed; allowed: an integer from 1")
    return number


def _add_frames(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "frames", type=int, default=48, help="of each video (default: 48)")
    _flag(parser, "max_pixels", type=int, default=512 * 512, help="most pixels a frame (default: 262144)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "baseline", help="instead of a model: uniform, blind, whole or solver")
    _add_server(parser)
    _flag(parser, "system", default="", help="a system prompt (default: none)")
    _flag(parser, "max_tokens", type=_whole, default=2048, help="of a response (default: 2048)")
    _flag(parser, "temperature", type=float, default=0.0, help="default: 0, greedy")
    _flag(parser, "out", type=Path, help="the run's folder (default: runs/BENCHMARK-LABEL)")
    _flag(parser, "label", help="how tables call the run (default: the model's name)")
    parser.add_argument("--json", action="store_true", help="the table as JSON")


def _add_server(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "model", help="what a server calls it, or a checkpoint for this process")
    _flag(parser, "base_url", help="of an OpenAI-compatible server, up to /v1")
    _flag(parser, "form", default="video", help="how frames reach a server: video (vLLM), images (any), or text for none")
    _flag(parser, "timeout", type=float, default=600.0, help="seconds for an answer (default: 600)")
    _flag(parser, "in_flight", type=_whole, default=64, help="questions asked at a time (default: 64)")
    _flag(parser, "limit", type=_whole, help="the first so many questions")
    _flag(
        parser, "clip_cache", help="folder for sampled clips, '' for none (default: $VIDEOSSR_CLIP_CACHE or ~/.cache/videossr)"
    )
