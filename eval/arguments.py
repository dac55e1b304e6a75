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

To continue a stopped run, or to ask failed questions again, run the same command. Flags of runs are also read from the
environment, e.g. --max-tokens from VIDEOSSR_EVAL_MAX_TOKENS; a server's API key from OPENAI_API_KEY.
Exit codes: 0 done, 1 questions failed or a run stopped, 2 bad arguments."""


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; `args.name` is the command."""
    parser = argparse.ArgumentParser(
        "python -m eval", description="How good is this model, and did training help?", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="command")

    _add_runs(commands)
    _add_analyses(commands)
    _add_exports(commands)
    return parser


def _add_runs(commands: Any) -> None:
    viubench = _add_command(commands, "viubench", "the paper's benchmark, generated from any videos and seed",
                    "python -m eval viubench --videos clips/ --baseline blind")  # fmt: skip
    _flag(viubench, "videos", help="folder of raw videos")
    _flag(viubench, "data", help="instead: a build, e.g. of `videossr build viubench`; its portions are the columns")
    _flag(viubench, "seed", type=int, default=0, help="default: 0; another seed gives other questions on the same videos")
    _flag(viubench, "per_column", type=int, default=300, help="questions for each column (default: 300)")
    _flag(viubench, "expect", metavar="HASH", help="refuse to run unless the benchmark has this hash")
    _add_frames(viubench)
    _add_run(viubench)

    for kind, doc in (("vqa", "option letters"), ("vtg", "time intervals: mIoU, R@0.3/0.5/0.7")):
        questions = _add_command(commands, kind, f"questions on videos from a file; answers are {doc}",
                     f"python -m eval {kind} questions.json --videos clips/ --model NAME --base-url URL")  # fmt: skip
        questions.add_argument("questions", type=Path, help="a JSON list, or one object per line: video, question, answer")
        _flag(questions, "videos", required=True, help="folder of the questions' videos")
        _flag(questions, "prompt", help="prompt template, with {question} in it")
        _add_frames(questions)
        _add_run(questions)


def _add_analyses(commands: Any) -> None:
    score = _add_command(
        commands, "score", "score a run's stored responses again, and print its table", "python -m eval score runs/a"
    )
    score.add_argument("run", type=Path)
    score.add_argument("--json", action="store_true", help="as JSON")

    compare = _add_command(commands, "compare", "the gain of a second run over a first, paired by question",
                   "python -m eval compare runs/base runs/trained --plot gain.png")  # fmt: skip
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.add_argument("--plot", type=Path, help="write the gains to this PNG")
    compare.add_argument("--json", action="store_true", help="as JSON")

    report = _add_command(commands, "report", "tables, plots, and pictures of the worst and best responses",
                  "python -m eval report runs/* --out report.html")  # fmt: skip
    report.add_argument("runs", type=Path, nargs="+")
    report.add_argument(
        "--out", type=Path, default=Path("report.html"), help="the page; .md, .csv and .png beside it (default: report.html)"
    )
    report.add_argument("--examples", type=int, default=1, help="worst and best responses to show per column (default: 1 each)")
    _flag(report, "clip_cache", help="folder of sampled clips")


def _add_exports(commands: Any) -> None:
    export = _add_command(commands, "export", "write a run for Inspect or for the Hub",
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
    export.add_argument("--source", help="for the Hub: a URL that shows the run")

    public = _add_command(commands, "public", "the paper's public benchmarks: run by lmms-eval, or from their annotation files",
                  "python -m eval public --model NAME --base-url URL --run")  # fmt: skip
    public.add_argument("--suite", default="paper", help="default: paper")
    public.add_argument("--only", help="names of its benchmarks, comma-separated")
    public.add_argument(
        "--run", action="store_true", help="run what has no score yet; without it, only print the table and the commands"
    )
    public.add_argument(
        "--questions",
        action="append",
        default=[],
        metavar="FORMAT=FILE,VIDEOS",
        help="annotation file and videos; can be repeated",
    )
    _flag(public, "lmms_python", default="python", help="the Python of lmms-eval's own environment")
    _add_frames(public)
    _add_server(public)
    _flag(public, "out", default="runs/public", help="folder of the results (default: runs/public)")
    public.add_argument("--json", action="store_true", help="as JSON")

    convert = _add_command(commands, "convert", "convert a published annotation file to questions",
                   "python -m eval convert qvhighlights highlight_val_release.jsonl --out qvhighlights.json")  # fmt: skip
    convert.add_argument("format", help="qvhighlights, activitynet, tacos, aotbench or cvbench")
    convert.add_argument("file", type=Path)
    convert.add_argument("--out", type=Path, required=True)

    tasks = _add_command(commands, "lmms-tasks", "write VIUBench as lmms-eval tasks, for its --include_path",
                 "python -m eval lmms-tasks data/viubench --out lmms/viubench")  # fmt: skip
    tasks.add_argument("build", help="folder of a build made with --video-format jpeg")
    tasks.add_argument("--out", type=Path, required=True)


def _add_command(commands: Any, name: str, doc: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc, epilog=f"example: {example}")
    parser.set_defaults(name=name)
    return parser


def _flag(parser: argparse.ArgumentParser, name: str, **options: Any) -> None:
    """Add a flag whose default can be set by an environment variable."""
    default = os.environ.get(ENV_PREFIX + name.upper(), options.pop("default", None))
    required = options.pop("required", False) and default is None
    parser.add_argument(f"--{name.replace('_', '-')}", default=default, required=required, **options)


def _positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not allowed; allowed: an integer from 1")
    return number


def _add_frames(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "frames", type=int, default=48, help="frames of each video (default: 48)")
    _flag(parser, "max_pixels", type=int, default=512 * 512, help="maximum number of pixels of a frame (default: 262144)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "baseline", help="instead of a model: uniform, blind, whole or solver")
    _add_server(parser)
    _flag(parser, "system", default="", help="system prompt (default: none)")
    _flag(parser, "max_tokens", type=_positive_int, default=2048, help="maximum tokens of a response (default: 2048)")
    _flag(parser, "temperature", type=float, default=0.0, help="sampling temperature (default: 0, greedy)")
    _flag(parser, "out", type=Path, help="the run's folder (default: runs/BENCHMARK-LABEL)")
    _flag(parser, "label", help="the run's name in tables (default: the model's name)")
    parser.add_argument("--json", action="store_true", help="the table as JSON")


def _add_server(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "model", help="its name on the server, or a checkpoint to load in this process")
    _flag(parser, "base_url", help="URL of an OpenAI-compatible server, up to /v1")
    _flag(
        parser,
        "form",
        default="video",
        help="how frames are sent to a server: video (vLLM), images (any server), or text (no frames)",
    )
    _flag(parser, "timeout", type=float, default=600.0, help="seconds for one response (default: 600)")
    _flag(parser, "in_flight", type=_positive_int, default=64, help="concurrent requests (default: 64)")
    _flag(parser, "limit", type=_positive_int, help="ask only the first so many questions")
    _flag(
        parser, "clip_cache", help="folder for sampled clips, '' for none (default: $VIDEOSSR_CLIP_CACHE or ~/.cache/videossr)"
    )
