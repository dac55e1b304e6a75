"""`python -m eval public`, `convert` and `lmms-tasks`."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

from .convert import FORMATS
from .suite import FRAMES, SUITES, Converted, LmmsTask, PublicBenchmark

if TYPE_CHECKING:
    from .lmms import Settings

OK, FAULTS = 0, 1


def public(args: argparse.Namespace) -> int:
    """Print the table of a suite; with `--run`, first run the benchmarks that have no score yet. Returns the exit code.

    Raises:
        UsageError: for an argument that is not allowed.
    """
    from .. import tables
    from . import lmms

    benchmarks = _select_benchmarks(args)
    list(_question_files(args.questions))  # raises for wrong arguments before anything runs
    settings = lmms.Settings(
        args.lmms_python, args.model or "MODEL", args.base_url or "http://HOST:8000/v1", args.frames, args.max_pixels,
        args.in_flight, args.timeout, args.limit,
    )  # fmt: skip
    faults = []
    if args.run:
        if not (args.model and args.base_url):
            raise UsageError("--run needs --model and --base-url")
        if any(isinstance(benchmark.runner, LmmsTask) for benchmark in benchmarks):
            faults = [f"lmms-eval: {fault}" for fault in lmms.find_faults(settings)]
    lmms_ready = not faults  # without lmms-eval, converted benchmarks still run
    rows = []
    for benchmark in benchmarks:
        score, fault = _benchmark_score(benchmark, settings, args, lmms_ready)
        faults += [f"{benchmark.name}: {fault}"] if fault else []
        rows.append(_Row(benchmark, score))
    if args.json:
        print(json.dumps({"benchmarks": [row.to_dict() for row in rows], "faults": faults}))
    else:
        header = ["benchmark", f"paper at {args.frames}", "this model", "run by", ""]
        print(tables.markdown(header, [row.cells(args.frames) for row in rows]))
        for line in [] if args.run else _command_lines(benchmarks, settings, args):
            print(line)
        for line in faults:
            print(f"eval: {line}", file=sys.stderr)
    return FAULTS if faults else OK


@dataclass(frozen=True)
class _Row:
    benchmark: PublicBenchmark
    score: float | None

    def cells(self, frames: int) -> list[str]:
        paper = self.benchmark.paper.get(frames)
        runner = self.benchmark.runner
        return [
            self.benchmark.name,
            f"{paper[0]:.1f} → {paper[1]:.1f}" if paper else "–",
            "–" if self.score is None else f"{self.score:.1f}",
            f"lmms-eval {runner.name}" if isinstance(runner, LmmsTask) else f"eval {runner.kind}, format {runner.format}",
            self.benchmark.note,
        ]

    def to_dict(self) -> dict[str, Any]:
        paper = {str(frames): list(pair) for frames, pair in self.benchmark.paper.items()}
        return {"name": self.benchmark.name, "paper": paper, "score": self.score}


def _select_benchmarks(args: argparse.Namespace) -> list[PublicBenchmark]:
    if args.suite not in SUITES:
        raise UsageError(f"suite={args.suite!r} is unknown; {nearest(args.suite, list(SUITES))}")
    if args.frames not in FRAMES:
        print(
            f"eval: the paper reports nothing at {args.frames} frames; it reports {', '.join(map(str, FRAMES))}",
            file=sys.stderr,
        )
    suite = {benchmark.name: benchmark for benchmark in SUITES[args.suite]}
    names = args.only.split(",") if args.only else list(suite)
    for name in names:
        if name not in suite:
            raise UsageError(f"only={name!r} is unknown; {nearest(name, list(suite))}")
    return [suite[name] for name in names]


def _results_folder(args: argparse.Namespace, benchmark: PublicBenchmark) -> Path:
    """The folder of a benchmark's results; different for each model and each request setting."""
    settings = f"{args.model or 'MODEL'}-{args.frames}-frames-{args.max_pixels}-pixels" + (
        f"-first-{args.limit}" if args.limit else ""
    )
    return Path(args.out) / re.sub(r"[^A-Za-z0-9.]+", "-", settings).strip("-") / benchmark.name


def _benchmark_score(
    benchmark: PublicBenchmark, settings: Settings, args: argparse.Namespace, lmms_ready: bool
) -> tuple[float | None, str]:
    """(score in percent or None, what is wrong in one line or "")."""
    from . import lmms

    out = _results_folder(args, benchmark)
    try:
        if isinstance(benchmark.runner, Converted):
            return _converted_score(benchmark.runner, out, args)
        if args.run and lmms_ready:
            return lmms.run(benchmark.runner, settings, out), ""
        return lmms.read_score(benchmark.runner, out), ""
    except (RuntimeError, ValueError, OSError) as error:
        return None, str(error)


def _converted_score(runner: Converted, out: Path, args: argparse.Namespace) -> tuple[float | None, str]:
    """Like `_benchmark_score`; with `--run` it first runs the benchmark on the files that `--questions` names."""
    from ..results import score_run
    from ..run import RUN, Run

    if args.run:
        files = [paths for name, paths in _question_files(args.questions) if name == runner.format]
        if not files:
            return None, f"its annotation file and videos are not named; --questions {runner.format}=FILE,VIDEOS"
        _run_converted(runner, files, out, args)
    if not (out / RUN).exists():
        return None, ""
    run = Run.read(out)
    overall = score_run(run).overall
    faults = [f"{overall.failed} of {overall.asked} questions have no answer"] if overall.failed else []
    faults += [f"{len(run.benchmark.missing)} videos are missing"] if run.benchmark.missing else []
    return 100 * overall.value.mean, "; ".join(faults)


def _question_files(arguments: Sequence[str]) -> Iterator[tuple[str, tuple[Path, Path]]]:
    """(format, (annotation file, folder of videos)) of each `--questions`."""
    for argument in arguments:
        name, _, paths = argument.partition("=")
        file, comma, videos = paths.partition(",")
        if not comma:
            raise UsageError(f"questions={argument!r} is not allowed; allowed: FORMAT=FILE,VIDEOS")
        if name not in FORMATS:
            raise UsageError(f"questions={argument!r} has an unknown format; {nearest(name, list(FORMATS))}")
        yield name, (Path(file), Path(videos))


def _run_converted(runner: Converted, files: Sequence[tuple[Path, Path]], out: Path, args: argparse.Namespace) -> None:
    from ..backends.chat import Chat, ChatSettings
    from ..benchmarks.questions import from_file
    from ..runner import ask
    from .convert import convert

    entries = [entry for annotations, _ in files for entry in convert(runner.format, annotations)[0]]
    [videos, *others] = {videos for _, videos in files}
    if others:
        raise UsageError(f"the files of {runner.format} name several folders of videos; give one folder that holds all videos")
    questions = out.with_name(f"{out.name}.json")
    questions.parent.mkdir(parents=True, exist_ok=True)
    questions.write_text(json.dumps(entries))
    benchmark = from_file(
        questions,
        runner.kind,
        videos,
        frames=args.frames,
        max_pixels=args.max_pixels,
        limit=args.limit,
        clip_cache=args.clip_cache,
    )
    if not benchmark.samples:
        raise UsageError(f"none of its {len(benchmark.missing)} videos is in {str(videos)!r}")
    chat = Chat(ChatSettings(args.model, args.base_url, form="images", timeout=args.timeout))
    ask(benchmark, chat, out, in_flight=args.in_flight, clip_cache=args.clip_cache)


def _command_lines(benchmarks: Sequence[PublicBenchmark], settings: Settings, args: argparse.Namespace) -> Iterator[str]:
    """The shell commands that would run these benchmarks."""
    from . import lmms

    yield ""
    for benchmark in benchmarks:
        out = _results_folder(args, benchmark)
        runner = benchmark.runner
        if isinstance(runner, LmmsTask):
            yield f"# {benchmark.name}: {runner.dataset}"
            yield shlex.join(lmms.command(runner.name, settings, out))
        else:
            yield f"# {benchmark.name}"
            yield f"python -m eval convert {runner.format} FILE --out {out}.json"
            yield (
                f"python -m eval {runner.kind} {out}.json --videos VIDEOS --frames {args.frames} --model {settings.model} "
                f"--base-url {settings.base_url} --form images --out {out}"
            )


def convert_file(args: argparse.Namespace) -> int:
    """Write questions from a published annotation file."""
    from .convert import convert

    entries, left_out = convert(args.format, args.file)
    args.out.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")
    print(f"{len(entries)} questions in {args.out}" + (f"; {left_out} entries have no valid answer" if left_out else ""))
    return OK


def write_lmms_tasks(args: argparse.Namespace) -> int:
    """Write VIUBench as tasks for lmms-eval."""
    from .lmms_tasks import write_tasks

    names = write_tasks(args.build, args.out)
    print(
        f"{len(names)} tasks and their group in {args.out}; python -m lmms_eval … --include_path {args.out.absolute()} --tasks viubench"
    )
    return OK
