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
    from .benchmarks import GENERATED

    for name, benchmark in GENERATED.items():
        generated = _add_command(commands, name, benchmark.doc, f"python -m eval {name} --videos clips/ --baseline blind")
        _flag(generated, "videos", help="folder of raw videos")
        _flag(generated, "data", help="instead: a build, e.g. of `videossr build viubench`; its portions are the columns")
        _flag(generated, "original", help="instead: a file of the authors' rows; --frames is the folder of their frames")
        _flag(generated, "seed", type=int, help="default: 0; another seed gives other questions on the same videos")
        _flag(generated, "per_column", type=_positive, help=f"questions for each column (default: {benchmark.per_column})")
        _flag(generated, "expect", metavar="HASH", help="refuse to run unless the benchmark has this hash")
        _add_frames(generated)
        _add_run(generated)
    for kind, doc in (("vqa", "option letters"), ("vtg", "time intervals: mIoU, R@0.3/0.5/0.7")):
        questions = _add_command(commands, kind, f"questions on videos from a file; answers are {doc}",
                     f"python -m eval {kind} questions.json --videos clips/ --model NAME --base-url URL")  # fmt: skip
        questions.add_argument("questions", type=Path, help="a JSON list, or one object per line: video, question, answer")
        _flag(questions, "videos", required=True, help="folder of the questions' videos")
        _flag(questions, "prompt", help="prompt template, with {question} in it")
        _add_frames(questions)
        _add_run(questions)


def _add_analyses(commands: Any) -> None:
    score = _add_command(commands, "score", "score a run's stored responses again", "python -m eval score runs/a")
    score.add_argument("run", type=Path)
    _add_json(score)

    compare = _add_command(commands, "compare", "the gain of a second run over a first, paired by question",
                   "python -m eval compare runs/base runs/trained --plot gain.png")  # fmt: skip
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.add_argument("--plot", type=Path, help="write the gains to this PNG")
    _add_json(compare)

    report = _add_command(commands, "report", "tables, plots, and pictures of the worst and best responses",
                  "python -m eval report runs/* --out report.html")  # fmt: skip
    report.add_argument("runs", type=Path, nargs="+")
    page = "the page; .md, .csv and .png beside it (default: report.html)"
    report.add_argument("--out", type=Path, default=Path("report.html"), help=page)
    report.add_argument("--examples", type=int, default=1, help="worst and best responses to show per column (default: 1 each)")
    _flag(report, "clip_cache", help="folder of sampled clips")


def _add_exports(commands: Any) -> None:
    export = _add_command(commands, "export", "write a run for Inspect or for the Hub",
                  "python -m eval export inspect runs/a --out a.eval")  # fmt: skip
    export.add_argument("form", choices=("inspect", "hub"))
    export.add_argument("run", type=Path)
    out = "a .eval file; for the Hub a folder for eval.yaml and .eval_results/"
    export.add_argument("--out", type=Path, required=True, help=out)
    export.add_argument("--dataset", help="for the Hub: the benchmark's dataset, owner/name")
    framework = "for the Hub: eval.yaml's evaluation_framework (default: videossr)"
    export.add_argument("--framework", default="videossr", help=framework)
    export.add_argument("--source", help="for the Hub: a URL that shows the run")

    public = _add_command(commands, "public", "public benchmarks: run by lmms-eval, or from their annotation files",
                  "python -m eval public --model NAME --base-url URL --run")  # fmt: skip
    public.add_argument(
        "--suite", default="paper", help="paper, or time: more benchmarks of what our tasks train (default: paper)"
    )
    public.add_argument("--only", help="names of its benchmarks, comma-separated")
    run = "run what has no score yet; without it, only print the table and the commands"
    public.add_argument("--run", action="store_true", help=run)
    questions = "annotation file and videos; can be repeated"
    public.add_argument("--questions", action="append", default=[], metavar="FORMAT=FILE,VIDEOS", help=questions)
    _flag(public, "lmms_python", default="python", help="the Python of lmms-eval's own environment")
    _flag(public, "frames", type=_positive, default=48, help="frames of each video (default: 48)")
    _flag(public, "max_pixels", type=int, default=512 * 512, help="maximum number of pixels of a frame (default: 262144)")
    _add_server(public)
    _flag(public, "out", default="runs/public", help="folder of the results (default: runs/public)")
    _add_json(public)

    convert = _add_command(commands, "convert", "convert a published annotation file to questions",
                   "python -m eval convert qvhighlights highlight_val_release.jsonl --out qvhighlights.json")  # fmt: skip
    convert.add_argument("format", help="qvhighlights, activitynet, tacos, aotbench or cvbench")
    convert.add_argument("file", type=Path, nargs="+")
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


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not allowed; allowed: an integer from 1")
    return number


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_frames(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "frames", help="frames of each video (default: 48)")
    _flag(parser, "max_pixels", type=int, help="maximum number of pixels of a frame (default: 262144)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "baseline", help="instead of a model: uniform, blind, whole or solver")
    _add_server(parser)
    _flag(parser, "form", default="video", help="how a server gets frames: video (vLLM), images with times (any), text (none)")
    _flag(parser, "protocol", default="ours", help="ours, or paper: prompts, frames and parser of its scripts (default: ours)")
    _flag(parser, "clock", default="", help="the model's clock, if it is not shown each frame's time, e.g. seconds or none")
    _flag(parser, "system", help="system prompt (default: none)")
    _flag(parser, "max_tokens", type=_positive, help="maximum tokens of a response (default: 2048)")
    _flag(parser, "temperature", type=float, default=0.0, help="sampling temperature (default: 0, greedy)")
    _flag(parser, "samples", type=_positive, default=1, help="responses to each question: mean and pass@k (default: 1)")
    _flag(parser, "out", type=Path, help="the run's folder (default: runs/BENCHMARK-LABEL)")
    _flag(parser, "label", help="the run's name in tables (default: the model's name)")
    _add_json(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "model", help="its name on the server, or a checkpoint to load in this process")
    _flag(parser, "base_url", help="URL of an OpenAI-compatible server, up to /v1")
    _flag(parser, "timeout", type=float, default=600.0, help="seconds for one response (default: 600)")
    _flag(parser, "in_flight", type=_positive, default=64, help="concurrent requests (default: 64)")
    _flag(parser, "limit", type=_positive, help="ask only the first so many questions")
    cache = "folder for sampled clips, '' for none (default: $VIDEOSSR_CLIP_CACHE or ~/.cache/videossr)"
    _flag(parser, "clip_cache", help=cache)
