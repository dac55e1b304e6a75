"""`python -m eval`: runs a model on a benchmark, scores its responses, compares runs, writes reports."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builder.commands.progress_bar import progress_bar
from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

from .arguments import make_parser

if TYPE_CHECKING:
    from .backends.base import Backend
    from .results import Results
    from .sample import Benchmark

OK, FAULTS, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = make_parser().parse_args(arguments)
    try:
        return COMMANDS[args.name](args)
    except ModuleNotFoundError as error:
        print(f"eval: {error.name} is not installed; {_install_hint(error.name)}", file=sys.stderr)
        return USAGE
    except UsageError as error:
        print(f"eval: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("eval: interrupted; run the same command to continue", file=sys.stderr)
        return INTERRUPTED
    except (RuntimeError, OSError) as error:
        print(f"eval: {error}", file=sys.stderr)
        return FAULTS


def _install_hint(module: str | None) -> str:
    packages = {
        "inspect_ai": "inspect-ai",
        "transformers": "transformers torch torchvision",
        "torch": "transformers torch torchvision",
    }
    return f"`pip install {packages.get(str(module), '-e .[eval]')}` installs it"


def _run_viubench(args: argparse.Namespace) -> int:
    from .benchmarks.viubench import from_build, from_videos, viubench_spec

    if (args.videos is None) == (args.data is None):
        raise UsageError("give either --videos or --data")
    if args.data is not None:
        changed = [
            name
            for name, default in (("seed", 0), ("per_column", 300), ("frames", 48), ("max_pixels", 512 * 512))
            if getattr(args, name) != default
        ]
        if changed:
            raise UsageError(
                f"{changed[0]}={getattr(args, changed[0])} is not allowed with --data: the build fixes it; leave it out"
            )
        benchmark = from_build(args.data)
    else:
        spec = viubench_spec(args.seed, args.frames, args.max_pixels, args.per_column)
        with progress_bar("planning", "questions", leave=False) as progress:
            benchmark = from_videos(spec, args.videos, args.clip_cache, progress)
    if args.expect and benchmark.hash != args.expect:
        raise UsageError(
            f"expect={args.expect}, but these questions have the hash {benchmark.hash}: other videos, seed or settings"
        )
    return _run_benchmark(args, benchmark)


def _run_questions(args: argparse.Namespace) -> int:
    from .benchmarks.questions import from_file

    benchmark = from_file(
        args.questions, args.name, args.videos,
        frames=args.frames, max_pixels=args.max_pixels, prompt=args.prompt, limit=args.limit, clip_cache=args.clip_cache,
    )  # fmt: skip
    return _run_benchmark(args, benchmark)


def _run_benchmark(args: argparse.Namespace, benchmark: Benchmark) -> int:
    from dataclasses import replace

    from .progress_bar import ProgressBar
    from .runner import ask

    backend = _make_backend(args)
    if args.limit is not None and benchmark.kind == "viubench":
        benchmark = replace(benchmark, samples=benchmark.samples[: args.limit])
    if not benchmark.samples:
        raise UsageError(f"there is no question to ask: none of its {len(benchmark.missing)} videos was found")
    label = args.label or backend.label
    out = args.out or Path("runs") / _slugify(f"{benchmark.name}-{label}")
    if not args.json:
        print(f"{len(benchmark.samples)} questions, hash {benchmark.hash}; answers go to {out}", file=sys.stderr)

    with ProgressBar(len(benchmark.samples)) as bar:
        progress = ask(
            benchmark, backend, out, in_flight=args.in_flight, clip_cache=args.clip_cache, label=label, on_progress=bar.update
        )
    _print_results(out, args.json)
    if progress.failed:
        print(f"eval: {progress.failed} questions have no answer; run the same command to ask them again", file=sys.stderr)
    return FAULTS if progress.failed else OK


def _make_backend(args: argparse.Namespace) -> Backend:
    from .backends.baselines import BASELINES, Baseline
    from .backends.messages import FORMS

    if (args.baseline is None) == (args.model is None):
        raise UsageError("give either --model or --baseline")
    if args.baseline is not None:
        if args.baseline not in BASELINES:
            raise UsageError(f"baseline={args.baseline!r} is not allowed; {nearest(args.baseline, list(BASELINES))}")
        return Baseline(args.baseline)
    if args.form not in FORMS:
        raise UsageError(f"form={args.form!r} is not allowed; {nearest(args.form, FORMS)}")
    if args.base_url:
        from .backends.chat import Chat, ChatSettings

        names = ("model", "base_url", "form", "system", "max_tokens", "temperature", "timeout")
        return Chat(ChatSettings(**{name: getattr(args, name) for name in names}))
    from .backends.local import Local

    if args.form == "images" or args.temperature:
        name = "form" if args.form == "images" else "temperature"
        raise UsageError(
            f"{name}={getattr(args, name)!r} is not allowed without --base-url: a model in this process gets videos, and decodes greedily"
        )
    return Local(args.model, text_only=args.form == "text", system=args.system, max_tokens=args.max_tokens)


def _print_results(folder: Path, as_json: bool) -> Results:
    from . import tables
    from .results import score_run
    from .run import Run

    results = score_run(Run.read(folder))
    if as_json:
        print(json.dumps(tables.to_dict(results)))
    else:
        print(tables.markdown(*tables.run_table(results)))
        for reason, number in list(results.failures.items())[:5]:
            print(f"failed: {number} × {reason}")
        if len(results.failures) > 5:
            print(f"failed: for {len(results.failures) - 5} more reasons, see {folder / 'responses.jsonl'}")
        for note in results.notes:
            print(f"note: {note}")
    return results


def _score(args: argparse.Namespace) -> int:
    results = _print_results(args.run, args.json)
    return FAULTS if results.overall.failed else OK


def _compare(args: argparse.Namespace) -> int:
    from . import tables
    from .compare import compare, comparison_table
    from .plots import plot_comparison
    from .results import score_run
    from .run import Run

    first, second = Run.read(args.first), Run.read(args.second)
    comparison = compare(score_run(first), score_run(second), mean_of_columns=first.benchmark.kind == "viubench")
    if args.plot:
        plot_comparison(comparison, args.plot)
    if args.json:
        print(json.dumps(asdict(comparison)))
    else:
        print(tables.markdown(*comparison_table(comparison)))
        if comparison.left_out:
            print(f"left out: {comparison.left_out} questions that one of the two has not answered")
    return OK


def _report(args: argparse.Namespace) -> int:
    from .report import write_report
    from .results import score_run
    from .run import Run

    runs = []
    for folder in args.runs:
        try:
            run = Run.read(folder)
            runs.append((run, score_run(run)))
        except UsageError as error:
            print(f"eval: left out: {error}", file=sys.stderr)
    if not runs:
        raise UsageError("there is no run to report")
    files = write_report(runs, args.out, examples=args.examples, clip_cache=args.clip_cache)
    print(f"written: {', '.join(map(str, files))}")
    return OK if len(runs) == len(args.runs) else FAULTS


def _export(args: argparse.Namespace) -> int:
    from .results import score_run
    from .run import Run

    run = Run.read(args.run)
    results = score_run(run)
    if args.form == "inspect":
        from .publish.inspect_log import write_inspect_log

        write_inspect_log(run, results, args.out)
        print(f"written: {args.out}; view it with `inspect view`")
        return OK
    from .publish.hub import write_hub_files

    card, entries = write_hub_files(run, results, args.dataset or "", args.out, source=args.source, framework=args.framework)
    print(f"written: {card}, for the root of the dataset; {entries}, for the model's repository")
    return OK


def _public(args: argparse.Namespace) -> int:
    from .public.commands import public

    return public(args)


def _convert(args: argparse.Namespace) -> int:
    from .public.commands import convert_file

    return convert_file(args)


def _lmms_tasks(args: argparse.Namespace) -> int:
    from .public.commands import write_lmms_tasks

    return write_lmms_tasks(args)


def _slugify(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-").lower()


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "viubench": _run_viubench,
    "vqa": _run_questions,
    "vtg": _run_questions,
    "score": _score,
    "compare": _compare,
    "report": _report,
    "export": _export,
    "public": _public,
    "convert": _convert,
    "lmms-tasks": _lmms_tasks,
}


if __name__ == "__main__":
    sys.exit(main())
