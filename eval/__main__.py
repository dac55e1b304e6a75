"""`python -m eval`: ask a model, score what it said, compare, report."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builder.tasks.levels import nearest

if TYPE_CHECKING:
    from .backends.base import Backend
    from .results import Results
    from .sample import Benchmark

OK, FAULTS, USAGE, INTERRUPTED = 0, 1, 2, 130
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


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = given.command
        return command(given)
    except ModuleNotFoundError as error:
        print(f"eval: {error.name} is not installed; {_brings(error.name)}", file=sys.stderr)
        return USAGE
    except ValueError as error:
        print(f"eval: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("eval: interrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    except (RuntimeError, OSError) as error:
        print(f"eval: {error}", file=sys.stderr)
        return FAULTS


def _brings(module: str | None) -> str:
    own = {
        "inspect_ai": "inspect-ai",
        "transformers": "transformers torch torchvision",
        "torch": "transformers torch torchvision",
    }
    return f"`pip install {own.get(str(module), '-e .[eval]')}` brings it"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m eval", description="How good is this model, and did training help?", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="command")

    viubench = _add(commands, "viubench", _viubench, "the paper's benchmark, made from any videos and seed",
                    "python -m eval viubench --videos clips/ --baseline blind")  # fmt: skip
    _flag(viubench, "videos", help="folder of raw videos")
    _flag(viubench, "data", help="instead: a build, as `videossr build viubench` makes it; its portions are the columns")
    _flag(viubench, "seed", type=int, default=0, help="default: 0; another seed asks other questions of the same videos")
    _flag(viubench, "per_column", type=int, default=300, help="questions a column (default: 300)")
    _flag(viubench, "expect", metavar="HASH", help="refuse to run unless the benchmark has this hash")
    _add_frames(viubench)
    _add_run(viubench)

    for kind, doc in (("vqa", "option letters"), ("vtg", "time intervals: mIoU, R@0.3/0.5/0.7")):
        asked = _add(commands, kind, _questions, f"questions on videos from a file; answers are {doc}",
                     f"python -m eval {kind} questions.json --videos clips/ --model NAME --base-url URL")  # fmt: skip
        asked.set_defaults(kind=kind)
        asked.add_argument("questions", type=Path, help="JSON list, or one object a line: video, question, answer")
        _flag(asked, "videos", required=True, help="folder of the questions' videos")
        _flag(asked, "prompt", help="what is asked, with {question} in it")
        _add_frames(asked)
        _add_run(asked)

    score = _add(commands, "score", _score, "the table of a run, scored anew from its answers", "python -m eval score runs/a")
    score.add_argument("run", type=Path)
    score.add_argument("--json", action="store_true", help="as JSON")

    compare = _add(commands, "compare", _compare, "what a second run gains on a first, question by question",
                   "python -m eval compare runs/base runs/trained --plot gain.png")  # fmt: skip
    compare.add_argument("first", type=Path)
    compare.add_argument("second", type=Path)
    compare.add_argument("--plot", type=Path, help="write the gains to this PNG")
    compare.add_argument("--json", action="store_true", help="as JSON")

    report = _add(commands, "report", _report, "tables, plots, and the worst and best answers as pictures",
                  "python -m eval report runs/* --out report.html")  # fmt: skip
    report.add_argument("runs", type=Path, nargs="+")
    report.add_argument(
        "--out", type=Path, default=Path("report.html"), help="the page; .md, .csv and .png beside it (default: report.html)"
    )
    report.add_argument("--examples", type=int, default=1, help="worst and best answers shown a column (default: 1 each)")
    _flag(report, "clip_cache", help="folder of sampled clips")
    return parser


def _add(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], doc: str, example: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc, epilog=f"example: {example}")
    parser.set_defaults(command=command)
    return parser


def _flag(parser: argparse.ArgumentParser, name: str, **more: Any) -> None:
    """A flag that the environment may give instead."""
    default = os.environ.get(ENV_PREFIX + name.upper(), more.pop("default", None))
    required = more.pop("required", False) and default is None
    parser.add_argument(f"--{name.replace('_', '-')}", default=default, required=required, **more)


def _add_frames(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "frames", type=int, default=48, help="of each video (default: 48)")
    _flag(parser, "max_pixels", type=int, default=512 * 512, help="most pixels a frame (default: 262144)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "model", help="what a server calls it, or a checkpoint for this process")
    _flag(parser, "base_url", help="of an OpenAI-compatible server, up to /v1")
    _flag(parser, "baseline", help="instead of a model: uniform, blind, whole or solver")
    _flag(parser, "form", default="video", help="how frames reach a server: video (vLLM), images (any), or text for none")
    _flag(parser, "system", default="", help="a system prompt (default: none)")
    _flag(parser, "max_tokens", type=int, default=2048, help="of a response (default: 2048)")
    _flag(parser, "temperature", type=float, default=0.0, help="default: 0, greedy")
    _flag(parser, "timeout", type=float, default=600.0, help="seconds for an answer (default: 600)")
    _flag(parser, "in_flight", type=int, default=64, help="questions asked at a time (default: 64)")
    _flag(parser, "out", type=Path, help="the run's folder (default: runs/BENCHMARK-MODEL)")
    _flag(parser, "limit", type=int, help="the first so many questions")
    _flag(
        parser, "clip_cache", help="folder for sampled clips, '' for none (default: $VIDEOSSR_CLIP_CACHE or ~/.cache/videossr)"
    )
    parser.add_argument("--json", action="store_true", help="the table as JSON")


def _viubench(given: argparse.Namespace) -> int:
    from .benchmarks.viubench import from_build, from_videos, viubench_spec

    if (given.videos is None) == (given.data is None):
        raise ValueError("one of --videos and --data is wanted")
    if given.data is not None:
        benchmark = from_build(given.data)
    else:
        spec = viubench_spec(given.seed, given.frames, given.max_pixels, given.per_column)
        with _planning() as told:
            benchmark = from_videos(spec, given.videos, given.clip_cache, told)
    if given.expect and benchmark.hash != given.expect:
        raise ValueError(
            f"expect={given.expect}, but these questions have the hash {benchmark.hash}: other videos, seed or settings"
        )
    return _ask(given, benchmark)


def _questions(given: argparse.Namespace) -> int:
    from .benchmarks.questions import from_file

    benchmark = from_file(
        given.questions, given.kind, given.videos,
        frames=given.frames, max_pixels=given.max_pixels, prompt=given.prompt, clip_cache=given.clip_cache,
    )  # fmt: skip
    return _ask(given, benchmark)


def _ask(given: argparse.Namespace, benchmark: Benchmark) -> int:
    from dataclasses import replace

    from .frames import Frames
    from .runner import Progress, run

    backend = _backend(given)
    if given.limit is not None:
        benchmark = replace(benchmark, samples=benchmark.samples[: given.limit])
    if benchmark.missing:
        shown = ", ".join(benchmark.missing[:5]) + (", …" if len(benchmark.missing) > 5 else "")
        print(f"eval: {len(benchmark.missing)} videos are missing, their questions are not asked: {shown}", file=sys.stderr)
    if not benchmark.samples:
        raise ValueError("there is no question to ask")
    out = given.out or Path("runs") / _slug(f"{benchmark.name}-{backend.label}")
    if not given.json:
        print(f"{len(benchmark.samples)} questions, hash {benchmark.hash}; answers go to {out}", file=sys.stderr)

    async def ask() -> Progress:
        try:
            return await run(
                benchmark, backend, Frames(benchmark.sampling, given.clip_cache), out, in_flight=given.in_flight, told=bar.tell
            )
        finally:
            await backend.close()

    with _Bar(len(benchmark.samples)) as bar:
        progress = asyncio.run(ask())
    _show(out, given.json)
    if progress.failed:
        print(f"eval: {progress.failed} questions have no answer; the same command asks them again", file=sys.stderr)
    return FAULTS if progress.failed else OK


def _backend(given: argparse.Namespace) -> Backend:
    from .backends.baselines import BASELINES, Baseline

    if (given.baseline is None) == (given.model is None):
        raise ValueError("one of --model and --baseline is wanted")
    if given.baseline is not None:
        if given.baseline not in BASELINES:
            raise ValueError(f"baseline={given.baseline!r} is not allowed; {nearest(given.baseline, list(BASELINES))}")
        return Baseline(given.baseline)
    if given.base_url:
        from .backends.chat import Chat, ChatSettings

        return Chat(
            ChatSettings(
                given.model, given.base_url, os.environ.get("OPENAI_API_KEY", "none"), form=given.form, system=given.system,
                max_tokens=given.max_tokens, temperature=given.temperature, timeout=given.timeout,
            )
        )  # fmt: skip
    from .backends.local import Local

    if given.form == "images":
        raise ValueError("form='images' is not allowed without --base-url; allowed: video, text")
    return Local(given.model, text_only=given.form == "text", system=given.system, max_tokens=given.max_tokens)


def _show(folder: Path, as_json: bool) -> Results:
    from . import tables
    from .results import results
    from .run import Run

    found = results(Run.read(folder))
    if as_json:
        print(json.dumps(tables.to_dict(found)))
    else:
        print(tables.markdown(*tables.detail(found)))
        for reason, number in list(found.failures.items())[:5]:
            print(f"failed: {number} × {reason}")
    return found


def _score(given: argparse.Namespace) -> int:
    found = _show(given.run, given.json)
    return FAULTS if found.overall.failed else OK


def _compare(given: argparse.Namespace) -> int:
    from . import tables
    from .compare import compare, table
    from .plots import plot_comparison
    from .results import results
    from .run import Run

    first, second = Run.read(given.first), Run.read(given.second)
    found = compare(results(first), results(second), mean_of_columns=first.benchmark.kind == "viubench")
    if given.plot:
        plot_comparison(found, given.plot)
    if given.json:
        print(json.dumps(asdict(found)))
    else:
        print(tables.markdown(*table(found)))
        if found.left_out:
            print(f"left out: {found.left_out} questions that one of the two has not answered")
    return OK


def _report(given: argparse.Namespace) -> int:
    from .report import write_report
    from .run import Run

    files = write_report([Run.read(run) for run in given.runs], given.out, examples=given.examples, clip_cache=given.clip_cache)
    print(f"written: {', '.join(map(str, files))}")
    return OK


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-").lower()


class _Bar:
    """The progress bar of a run: rate, failures, running score."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit=" questions", smoothing=0.1)

    def tell(self, progress: Any) -> None:
        tokens = f"{(progress.prompt_tokens + progress.completion_tokens) / 1e6:.1f}M"
        self._bar.set_postfix(failed=progress.failed, score=f"{100 * progress.score:.1f}", tokens=tokens, refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


@contextmanager
def _planning() -> Iterator[Callable[[int, int], None]]:
    """A bar that is told (questions, in all)."""
    from tqdm import tqdm

    with tqdm(unit=" questions", desc="planning", leave=False) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield tell


if __name__ == "__main__":
    sys.exit(main())
