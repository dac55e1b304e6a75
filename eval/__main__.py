"""`python -m eval`: runs a model on a benchmark, scores its responses, compares runs, writes reports."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builder.commands.exit_codes import FAULTS, INTERRUPTED, OK, USAGE
from dataset_builder.commands.progress_bar import progress_bar
from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

from .arguments import make_parser
from .benchmarks import GENERATED
from .protocols import OURS, PROTOCOLS, Protocol

if TYPE_CHECKING:
    from .backends.base import Backend
    from .results import Results
    from .sample import Benchmark

_PACKAGES = {"inspect_ai": "inspect-ai", **dict.fromkeys(("transformers", "torch"), "transformers torch torchvision")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    args = make_parser().parse_args(arguments)
    try:
        return _COMMANDS[args.name](args)
    except ModuleNotFoundError as error:
        packages = _PACKAGES.get(str(error.name), "-e .[eval]")
        print(f"eval: {error.name} is not installed; `pip install {packages}` installs it", file=sys.stderr)
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


def _run_generated(args: argparse.Namespace) -> int:
    from .benchmarks.generated import from_build, from_videos

    sources = [name for name in ("videos", "data", "original") if getattr(args, name) is not None]
    if len(sources) != 1:
        raise UsageError("give either --videos, --data or --original")
    fixed = {"videos": (), "data": ("seed", "per_column", "frames", "max_pixels"), "original": ("seed", "per_column")}
    for name in fixed[sources[0]]:
        if (value := getattr(args, name)) is not None:
            raise UsageError(f"{name}={value} is not allowed with --{sources[0]}, which fixes it; leave it out")
    if args.data is not None:
        benchmark = from_build(args.data)
    elif args.original is not None:
        from .benchmarks.original import from_original

        if args.frames is None:
            raise UsageError("--original needs --frames, the folder of its frames: ROOT in ROOT/VIDEO/0.jpg")
        benchmark = from_original(args.original, args.frames, args.max_pixels or GENERATED[args.name].max_pixels)
    else:
        frames, size = _frame_number(args), args.max_pixels
        spec = GENERATED[args.name].spec(args.seed or 0, frames=frames, max_pixels=size, per_column=args.per_column)
        with progress_bar("planning", "questions", leave=False) as progress:
            benchmark = from_videos(spec, args.videos, args.clip_cache, progress)
    if args.expect and benchmark.hash != args.expect:
        found = f"these questions have the hash {benchmark.hash}: other videos, seed or settings"
        raise UsageError(f"expect={args.expect}, but {found}")
    if (protocol := _protocol(args)) != OURS:
        marked = tuple(replace(one, info={**one.info, "protocol": protocol.name}) for one in benchmark.samples)
        benchmark = replace(benchmark, samples=marked, facts={**benchmark.facts, "protocol": protocol.name})
    return _run_benchmark(args, replace(benchmark, samples=benchmark.samples[: args.limit]))


def _run_questions(args: argparse.Namespace) -> int:
    from .benchmarks.questions import from_file

    protocol = _protocol(args, "frames", "prompt")
    benchmark = from_file(
        args.questions, args.name, args.videos, protocol=protocol, frames=_frame_number(args),
        max_pixels=args.max_pixels or 512 * 512, prompt=args.prompt, limit=args.limit, clip_cache=args.clip_cache,
    )  # fmt: skip
    return _run_benchmark(args, benchmark)


def _frame_number(args: argparse.Namespace) -> int | None:
    if args.frames is not None and not str(args.frames).isdecimal():
        raise UsageError(f"frames={args.frames!r} is not allowed; allowed: an integer from 2")
    return int(args.frames) if args.frames else None


def _check(args: argparse.Namespace, name: str, allowed: Sequence[str]) -> None:
    """Raises UsageError for another value of a flag."""
    if (value := getattr(args, name)) and value not in allowed:
        raise UsageError(f"{name}={value!r} is not allowed; {nearest(value, allowed)}")


def _protocol(args: argparse.Namespace, *fixed: str) -> Protocol:
    """The protocol of a run; raises UsageError if it is unknown, or a flag contradicts it."""
    _check(args, "protocol", list(PROTOCOLS))
    protocol = PROTOCOLS[args.protocol]
    for name in (*fixed, "max_tokens", "system"):
        if protocol != OURS and (value := getattr(args, name)) is not None:
            raise UsageError(f"{name}={value!r} is not allowed with --protocol {protocol.name}, which fixes it; leave it out")
    return protocol


def _run_benchmark(args: argparse.Namespace, benchmark: Benchmark) -> int:
    from .clocks import CLOCKS
    from .runner import ask

    backend = _make_backend(args, benchmark.kind)
    _check(args, "clock", list(CLOCKS))
    if args.clock and args.form == "images":
        raise UsageError(f"clock={args.clock!r} is not allowed with --form images, which shows each frame's time; leave it out")
    if not benchmark.samples:
        raise UsageError(f"there is no question to ask: none of its {len(benchmark.missing)} videos was found")
    label = args.label or backend.label + (f" ({args.protocol}'s protocol)" if args.protocol != OURS.name else "")
    out = args.out or Path("runs") / re.sub(r"[^A-Za-z0-9.]+", "-", f"{benchmark.name}-{label}").strip("-").lower()
    if not args.json:
        print(f"{len(benchmark.samples)} questions, hash {benchmark.hash}; answers go to {out}", file=sys.stderr)
    settings = {"in_flight": args.in_flight, "label": label, "draws": args.samples, "clock": args.clock}
    progress = ask(benchmark, backend, out, clip_cache=args.clip_cache, **settings)
    _print_results(out, args.json)
    if progress.failed:
        print(f"eval: {progress.failed} questions have no answer; run the same command to ask them again", file=sys.stderr)
    return FAULTS if progress.failed else OK


def _make_backend(args: argparse.Namespace, kind: str) -> Backend:
    from .backends.baselines import BASELINES, Baseline
    from .backends.messages import FORMS

    if (args.baseline is None) == (args.model is None):
        raise UsageError("give either --model or --baseline")
    _check(args, "baseline", list(BASELINES))
    _check(args, "form", FORMS)
    if args.baseline is not None:
        return Baseline(args.baseline)
    protocol = _protocol(args)
    system = protocol.systems.get(kind, "") if args.system is None else args.system
    tokens = args.max_tokens or protocol.max_tokens
    if args.samples > 1 and not args.temperature:
        raise UsageError(f"samples={args.samples} is not allowed at temperature 0, where all are the same; give --temperature")
    if args.base_url:
        from .backends.chat import Chat, ChatSettings

        settings = {name: getattr(args, name) for name in ("model", "base_url", "form", "temperature", "timeout")}
        return Chat(ChatSettings(**settings, system=system, max_tokens=tokens))
    from .backends.local import Local

    for name, value in (("form", args.form == "images"), ("temperature", args.temperature)):
        if value:
            how = "a model in this process gets videos, and decodes greedily"
            raise UsageError(f"{name}={getattr(args, name)!r} is not allowed without --base-url: {how}")
    return Local(args.model, text_only=args.form == "text", system=system, max_tokens=tokens)


def _print_results(folder: Path, as_json: bool) -> Results:
    from . import tables

    _, results = _read_run(folder)
    if as_json:
        print(json.dumps(tables.to_dict(results)))
        return results
    print(tables.markdown(*tables.run_table(results)))
    for reason, number in list(results.failures.items())[:5]:
        print(f"failed: {number} × {reason}")
    if len(results.failures) > 5:
        print(f"failed: for {len(results.failures) - 5} more reasons, see {folder / 'responses.jsonl'}")
    for note in results.notes:
        print(f"note: {note}")
    return results


def _read_run(folder: Path) -> tuple[Any, Results]:
    from .results import score_run
    from .run import Run

    run = Run.read(folder)
    return run, score_run(run)


def _score(args: argparse.Namespace) -> int:
    return FAULTS if _print_results(args.run, args.json).overall.failed else OK


def _compare(args: argparse.Namespace) -> int:
    from . import tables
    from .compare import compare, comparison_table
    from .plots import plot_comparison

    (run, first), (_, second) = _read_run(args.first), _read_run(args.second)
    comparison = compare(first, second, mean_of_columns=run.benchmark.kind == "generated")
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

    runs = []
    for folder in args.runs:
        try:
            runs.append(_read_run(folder))
        except UsageError as error:
            print(f"eval: left out: {error}", file=sys.stderr)
    if not runs:
        raise UsageError("there is no run to report")
    files = write_report(runs, args.out, examples=args.examples, clip_cache=args.clip_cache)
    print(f"written: {', '.join(map(str, files))}")
    return OK if len(runs) == len(args.runs) else FAULTS


def _export(args: argparse.Namespace) -> int:
    run, results = _read_run(args.run)
    if args.form == "inspect":
        from .publish.inspect_task import write_inspect_log

        write_inspect_log(run, results, args.out)
        print(f"written: {args.out}; view it with `inspect view`")
        return OK
    from .publish.hub import write_hub_files

    card, entries = write_hub_files(run, results, args.dataset or "", args.out, source=args.source, framework=args.framework)
    print(f"written: {card}, for the root of the dataset; {entries}, for the model's repository")
    return OK


def _public(args: argparse.Namespace) -> int:
    from .public.commands import COMMANDS

    return COMMANDS[args.name](args)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    **dict.fromkeys(GENERATED, _run_generated),
    **dict.fromkeys(("vqa", "vtg"), _run_questions),
    "score": _score,
    "compare": _compare,
    "report": _report,
    "export": _export,
    **dict.fromkeys(("public", "convert", "lmms-tasks"), _public),
}


if __name__ == "__main__":
    sys.exit(main())
