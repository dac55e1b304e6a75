"""`python -m eval public`, `convert` and `lmms-tasks`."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dataset_builder.commands.exit_codes import FAULTS, OK, USAGE
from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

from .convert import FORMATS, convert
from .lmms import command, environment, find_faults, read_score
from .suite import FRAMES, SUITES, Converted, LmmsTask, PublicBenchmark


def public(args: argparse.Namespace) -> int:
    """Print the table of a suite; with `--run`, first run the benchmarks that have no score yet. Returns the exit code.

    Raises:
        UsageError: for an argument that is not allowed.
    """
    from ..tables import markdown

    benchmarks, files = _select_benchmarks(args), _question_files(args.questions)
    faults = []
    if args.run:
        if not (args.model and args.base_url):
            raise UsageError("--run needs --model and --base-url")
        tasks = [benchmark.runner for benchmark in benchmarks if isinstance(benchmark.runner, LmmsTask)]
        faults = [f"lmms-eval: {fault}" for fault in (find_faults(args.lmms_python, tasks) if tasks else ())]
    lmms_ready = not faults  # without lmms-eval, converted benchmarks still run
    scores: list[float | None] = []
    for benchmark in benchmarks:
        out = _results_folder(args, benchmark)
        try:
            is_lmms = isinstance(benchmark.runner, LmmsTask)
            score, fault = _read_score(benchmark, out)
            if args.run and score is None and (lmms_ready or not is_lmms):
                _run(benchmark, args, out, files)
                score, fault = _read_score(benchmark, out)
        except (RuntimeError, ValueError, OSError) as error:
            score, fault = None, str(error)
        scores.append(score)
        faults += [f"{benchmark.name}: {fault}"] if fault else []
    protocol = f"all with {args.frames} frames of at most {args.max_pixels} pixels a video, sent as images, each after its time"
    rows = list(zip(benchmarks, scores, strict=True))
    if args.json:
        listed = [
            {"name": one.name, "paper": dict(zip(FRAMES, one.paper, strict=False)), "score": score} for one, score in rows
        ]
        print(json.dumps({"benchmarks": listed, "faults": faults, "protocol": protocol}))
        return FAULTS if faults else OK
    header = ["benchmark", f"paper at {args.frames}", "this model", "run by", "trained by", ""]
    print(markdown(header, [_cells(benchmark, score, args.frames) for benchmark, score in rows]))
    print(protocol)
    for benchmark in [] if args.run else benchmarks:
        lines = _commands(benchmark, args, _results_folder(args, benchmark), [("FILE", "VIDEOS")])
        print(f"\n# {benchmark.name}", *(shlex.join(line) for line in lines), sep="\n")
    for line in faults:
        print(f"eval: {line}", file=sys.stderr)
    return FAULTS if faults else OK


def _cells(benchmark: PublicBenchmark, score: float | None, frames: int) -> list[str]:
    paper, runner = dict(zip(FRAMES, benchmark.paper, strict=False)).get(frames), benchmark.runner
    return [
        benchmark.name,
        f"{paper[0]:.1f} → {paper[1]:.1f}" if paper else "–",
        "–" if score is None else f"{score:.1f}",
        f"lmms-eval {runner.name}" if isinstance(runner, LmmsTask) else f"eval {runner.kind}, format {runner.format}",
        benchmark.trains or "–",
        benchmark.note,
    ]


def _select_benchmarks(args: argparse.Namespace) -> list[PublicBenchmark]:
    if args.suite not in SUITES:
        raise UsageError(f"suite={args.suite!r} is unknown; {nearest(args.suite, list(SUITES))}")
    if args.frames not in FRAMES:
        known = ", ".join(map(str, FRAMES))
        print(f"eval: the paper reports nothing at {args.frames} frames; it reports {known}", file=sys.stderr)
    suite = {benchmark.name: benchmark for benchmark in SUITES[args.suite]}
    names = args.only.split(",") if args.only else list(suite)
    for name in names:
        if name not in suite:
            raise UsageError(f"only={name!r} is unknown; {nearest(name, list(suite))}")
    return [suite[name] for name in names]


def _question_files(arguments: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """The values of `--questions`: by format, annotation files, each with the folder of its videos."""
    files: dict[str, list[tuple[str, str]]] = {}
    for argument in arguments:
        name, _, paths = argument.partition("=")
        file, comma, videos = paths.partition(",")
        if not comma:
            raise UsageError(f"questions={argument!r} is not allowed; allowed: FORMAT=FILE,VIDEOS")
        if name not in FORMATS:
            raise UsageError(f"questions={argument!r} has an unknown format; {nearest(name, list(FORMATS))}")
        files.setdefault(name, []).append((file, videos))
        if len({videos for _, videos in files[name]}) > 1:
            raise UsageError(f"the files of {name} name several folders of videos; give one folder that holds all videos")
    return files


def _results_folder(args: argparse.Namespace, benchmark: PublicBenchmark) -> Path:
    """The folder of a benchmark's results; different for each model and each request setting."""
    limit = ["first", args.limit] if args.limit else []
    settings = "-".join(map(str, (args.model or "MODEL", args.frames, "frames", args.max_pixels, "pixels", *limit)))
    return Path(args.out) / re.sub(r"[^A-Za-z0-9.]+", "-", settings).strip("-") / benchmark.name


def _read_score(benchmark: PublicBenchmark, out: Path) -> tuple[float | None, str]:
    """(score in percent or None, what is wrong in one line or "")."""
    from ..results import score_run
    from ..run import RUN, Run

    if isinstance(benchmark.runner, LmmsTask):
        return read_score(benchmark.runner, out), ""
    if not (out / RUN).exists():
        return None, ""
    run = Run.read(out)
    overall = score_run(run).overall
    faults = [f"{overall.failed} of {overall.asked} questions have no answer"] if overall.failed else []
    faults += [f"{len(run.benchmark.missing)} videos are missing"] if run.benchmark.missing else []
    return 100 * overall.value.mean, "; ".join(faults)


def _commands(
    benchmark: PublicBenchmark, args: argparse.Namespace, out: Path, files: Sequence[tuple[str, str]]
) -> list[list[str]]:
    """The command lines that run a benchmark.

    Args:
        files: annotation files, each with the folder of its videos.
    """
    model, url = args.model or "MODEL", args.base_url or "http://HOST:8000/v1"
    runner = benchmark.runner
    if isinstance(runner, LmmsTask):
        asked = {"nframes": args.frames, "max_pixels": args.max_pixels, "num_cpus": args.in_flight, "timeout": args.timeout}
        return [command(args.lmms_python, runner.name, out, limit=args.limit, model=model, base_url=url, **asked)]
    ours, questions = ["python", "-m", "eval"], f"{out}.json"
    asked = {"videos": files[0][1], "model": model, "base-url": url, "form": "images", "out": out}
    for name in ("frames", "max_pixels", "in_flight", "timeout", "limit", "clip_cache"):
        asked |= {name.replace("_", "-"): value} if (value := getattr(args, name)) is not None else {}
    flags = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    return [
        [*ours, "convert", runner.format, *(file for file, _ in files), "--out", questions],
        [*ours, runner.kind, questions, *flags],
    ]


def _run(benchmark: PublicBenchmark, args: argparse.Namespace, out: Path, files: dict[str, list[tuple[str, str]]]) -> None:
    """Run its commands; raises RuntimeError naming the last error that one prints."""
    runner = benchmark.runner
    if isinstance(runner, Converted) and runner.format not in files:
        raise RuntimeError(f"its annotation file and videos are not named; --questions {runner.format}=FILE,VIDEOS")
    log = out.with_name(f"{out.name}.log")
    out.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        for line in _commands(benchmark, args, out, files[runner.format] if isinstance(runner, Converted) else []):
            words = line if isinstance(runner, LmmsTask) else [sys.executable, *line[1:]]
            if subprocess.run(words, stdout=file, stderr=file, check=False, env=environment()).returncode == USAGE:
                break
    if _read_score(benchmark, out)[0] is None:
        errors = [text for text in log.read_text(errors="replace").splitlines() if "rror" in text or text.startswith("eval: ")]
        where = f"is {runner.dataset} available (in $HF_HOME, or for download)? " if isinstance(runner, LmmsTask) else ""
        raise RuntimeError(f"no score; {where}{(errors or ['it printed no error'])[-1].strip()[-300:]} ({log})")


def convert_file(args: argparse.Namespace) -> int:
    """Write questions from published annotation files."""
    converted = [convert(args.format, file) for file in args.file]
    entries = [entry for found, _ in converted for entry in found]
    left_out = sum(number for _, number in converted)
    args.out.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")
    print(f"{len(entries)} questions in {args.out}" + (f"; {left_out} entries have no valid answer" if left_out else ""))
    return OK


def write_lmms_tasks(args: argparse.Namespace) -> int:
    """Write VIUBench as tasks for lmms-eval."""
    from .lmms_tasks import write_tasks

    names = write_tasks(args.build, args.out)
    how = f"python -m lmms_eval … --include_path {args.out.absolute()} --tasks viubench"
    print(f"{len(names)} tasks and their group in {args.out}; {how}")
    return OK


COMMANDS = {"public": public, "convert": convert_file, "lmms-tasks": write_lmms_tasks}
