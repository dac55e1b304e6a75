"""`python -m eval`: ask a model, score what it said, compare, report."""

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
    given = make_parser().parse_args(arguments)
    try:
        return COMMANDS[given.name](given)
    except ModuleNotFoundError as error:
        print(f"eval: {error.name} is not installed; {_brings(error.name)}", file=sys.stderr)
        return USAGE
    except UsageError as error:
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


def _viubench(given: argparse.Namespace) -> int:
    from .benchmarks.viubench import from_build, from_videos, viubench_spec

    if (given.videos is None) == (given.data is None):
        raise UsageError("one of --videos and --data is wanted")
    if given.data is not None:
        fixed = [
            name
            for name, default in (("seed", 0), ("per_column", 300), ("frames", 48), ("max_pixels", 512 * 512))
            if getattr(given, name) != default
        ]
        if fixed:
            raise UsageError(
                f"{fixed[0]}={getattr(given, fixed[0])} is not allowed with --data, which has its own; leave it out"
            )
        benchmark = from_build(given.data)
    else:
        spec = viubench_spec(given.seed, given.frames, given.max_pixels, given.per_column)
        with progress_bar("planning", "questions", leave=False) as told:
            benchmark = from_videos(spec, given.videos, given.clip_cache, told)
    if given.expect and benchmark.hash != given.expect:
        raise UsageError(
            f"expect={given.expect}, but these questions have the hash {benchmark.hash}: other videos, seed or settings"
        )
    return _ask(given, benchmark)


def _questions(given: argparse.Namespace) -> int:
    from .benchmarks.questions import from_file

    benchmark = from_file(
        given.questions, given.name, given.videos,
        frames=given.frames, max_pixels=given.max_pixels, prompt=given.prompt, limit=given.limit, clip_cache=given.clip_cache,
    )  # fmt: skip
    return _ask(given, benchmark)


def _ask(given: argparse.Namespace, benchmark: Benchmark) -> int:
    from dataclasses import replace

    from .progress_bar import ProgressBar
    from .runner import ask

    backend = _backend(given)
    if given.limit is not None and benchmark.kind == "viubench":
        benchmark = replace(benchmark, samples=benchmark.samples[: given.limit])
    if not benchmark.samples:
        raise UsageError(f"there is no question to ask: none of its {len(benchmark.missing)} videos is there")
    label = given.label or backend.label
    out = given.out or Path("runs") / _slug(f"{benchmark.name}-{label}")
    if not given.json:
        print(f"{len(benchmark.samples)} questions, hash {benchmark.hash}; answers go to {out}", file=sys.stderr)

    with ProgressBar(len(benchmark.samples)) as bar:
        progress = ask(
            benchmark, backend, out, in_flight=given.in_flight, clip_cache=given.clip_cache, label=label, told=bar.tell
        )
    _show(out, given.json)
    if progress.failed:
        print(f"eval: {progress.failed} questions have no answer; the same command asks them again", file=sys.stderr)
    return FAULTS if progress.failed else OK


def _backend(given: argparse.Namespace) -> Backend:
    from .backends.baselines import BASELINES, Baseline
    from .backends.messages import FORMS

    if (given.baseline is None) == (given.model is None):
        raise UsageError("one of --model and --baseline is wanted")
    if given.baseline is not None:
        if given.baseline not in BASELINES:
            raise UsageError(f"baseline={given.baseline!r} is not allowed; {nearest(given.baseline, list(BASELINES))}")
        return Baseline(given.baseline)
    if given.form not in FORMS:
        raise UsageError(f"form={given.form!r} is not allowed; {nearest(given.form, FORMS)}")
    if given.base_url:
        from .backends.chat import Chat, ChatSettings

        names = ("model", "base_url", "form", "system", "max_tokens", "temperature", "timeout")
        return Chat(ChatSettings(**{name: getattr(given, name) for name in names}))
    from .backends.local import Local

    if given.form == "images" or given.temperature:
        name = "form" if given.form == "images" else "temperature"
        raise UsageError(
            f"{name}={getattr(given, name)!r} is not allowed without --base-url: a model in this process sees videos, and answers greedily"
        )
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
        if len(found.failures) > 5:
            print(f"failed: for {len(found.failures) - 5} more reasons, see {folder / 'responses.jsonl'}")
        for note in found.notes:
            print(f"note: {note}")
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
    from .results import results
    from .run import Run

    found = []
    for folder in given.runs:
        try:
            run = Run.read(folder)
            found.append((run, results(run)))
        except UsageError as error:
            print(f"eval: left out: {error}", file=sys.stderr)
    if not found:
        raise UsageError("there is no run to report")
    files = write_report(found, given.out, examples=given.examples, clip_cache=given.clip_cache)
    print(f"written: {', '.join(map(str, files))}")
    return OK if len(found) == len(given.runs) else FAULTS


def _export(given: argparse.Namespace) -> int:
    from .results import results
    from .run import Run

    run = Run.read(given.run)
    found = results(run)
    if given.form == "inspect":
        from .publish.inspect_log import write_inspect_log

        write_inspect_log(run, found, given.out)
        print(f"written: {given.out}; look at it with `inspect view`")
        return OK
    from .publish.hub import write_hub_files

    card, entries = write_hub_files(run, found, given.dataset or "", given.out, source=given.source, framework=given.framework)
    print(f"written: {card}, for the root of the dataset; {entries}, for the model's repository")
    return OK


def _public(given: argparse.Namespace) -> int:
    from .public.commands import public

    return public(given)


def _convert(given: argparse.Namespace) -> int:
    from .public.commands import convert_file

    return convert_file(given)


def _lmms_tasks(given: argparse.Namespace) -> int:
    from .public.commands import write_lmms_tasks

    return write_lmms_tasks(given)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-").lower()


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "viubench": _viubench,
    "vqa": _questions,
    "vtg": _questions,
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
