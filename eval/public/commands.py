"""`python -m eval public`, `convert` and `lmms-tasks`."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dataset_builder.commands.exit_codes import FAULTS, OK
from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

from .convert import FORMATS, convert
from .lmms import Settings, command, find_faults, read_score, run
from .suite import FRAMES, SUITES, Converted, LmmsTask, PublicBenchmark

Files = dict[str, list[tuple[Path, Path]]]
"""By format: annotation files, each with the folder of its videos."""


def public(args: argparse.Namespace) -> int:
    """Print the table of a suite; with `--run`, first run the benchmarks that have no score yet. Returns the exit code.

    Raises:
        UsageError: for an argument that is not allowed.
    """
    from ..tables import markdown

    benchmarks, files = _select_benchmarks(args), _question_files(args.questions)
    settings = Settings(
        args.lmms_python, args.model or "MODEL", args.base_url or "http://HOST:8000/v1", args.frames, args.max_pixels,
        args.in_flight, args.timeout, args.limit,
    )  # fmt: skip
    faults = []
    if args.run:
        if not (args.model and args.base_url):
            raise UsageError("--run needs --model and --base-url")
        tasks = [benchmark.runner for benchmark in benchmarks if isinstance(benchmark.runner, LmmsTask)]
        faults = [f"lmms-eval: {fault}" for fault in (find_faults(args.lmms_python, tasks) if tasks else ())]
    lmms_ready = args.run and not faults  # without lmms-eval, converted benchmarks still run
    scores = []
    for benchmark in benchmarks:
        score, fault = None, ""
        try:
            score, fault = _score(benchmark, settings, files, args, lmms_ready)
        except (RuntimeError, ValueError, OSError) as error:
            fault = str(error)
        scores.append(score)
        faults += [f"{benchmark.name}: {fault}"] if fault else []
    rows = list(zip(benchmarks, scores, strict=True))
    if args.json:
        listed = [
            {"name": benchmark.name, "paper": dict(zip(FRAMES, benchmark.paper, strict=False)), "score": score}
            for benchmark, score in rows
        ]
        print(json.dumps({"benchmarks": listed, "faults": faults, "protocol": _protocol(args)}))
    else:
        header = ["benchmark", f"paper at {args.frames}", "this model", "run by", "trained by", ""]
        print(markdown(header, [_cells(benchmark, score, args.frames) for benchmark, score in rows]))
        print(_protocol(args))
        for line in [] if args.run else _command_lines(benchmarks, settings, args):
            print(line)
        for line in faults:
            print(f"eval: {line}", file=sys.stderr)
    return FAULTS if faults else OK


def _protocol(args: argparse.Namespace) -> str:
    return f"all with {args.frames} frames of at most {args.max_pixels} pixels a video, sent as images, each after its time"


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


def _question_files(arguments: Sequence[str]) -> Files:
    """The values of `--questions`."""
    files: Files = {}
    for argument in arguments:
        name, _, paths = argument.partition("=")
        file, comma, videos = paths.partition(",")
        if not comma:
            raise UsageError(f"questions={argument!r} is not allowed; allowed: FORMAT=FILE,VIDEOS")
        if name not in FORMATS:
            raise UsageError(f"questions={argument!r} has an unknown format; {nearest(name, list(FORMATS))}")
        files.setdefault(name, []).append((Path(file), Path(videos)))
    return files


def _results_folder(args: argparse.Namespace, benchmark: PublicBenchmark) -> Path:
    """The folder of a benchmark's results; different for each model and each request setting."""
    settings = [
        args.model or "MODEL",
        args.frames,
        "frames",
        args.max_pixels,
        "pixels",
        *(["first", args.limit] if args.limit else []),
    ]
    return Path(args.out) / re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(map(str, settings))).strip("-") / benchmark.name


def _score(
    benchmark: PublicBenchmark, settings: Settings, files: Files, args: argparse.Namespace, lmms_ready: bool
) -> tuple[float | None, str]:
    """(score in percent or None, what is wrong in one line or "")."""
    from ..results import score_run
    from ..run import RUN, Run

    out, runner = _results_folder(args, benchmark), benchmark.runner
    if isinstance(runner, LmmsTask):
        return (run(runner, settings, out) if lmms_ready else read_score(runner, out)), ""
    if args.run:
        if runner.format not in files:
            return None, f"its annotation file and videos are not named; --questions {runner.format}=FILE,VIDEOS"
        _run_converted(runner, files[runner.format], out, args)
    if not (out / RUN).exists():
        return None, ""
    done = Run.read(out)
    overall = score_run(done).overall
    faults = [f"{overall.failed} of {overall.asked} questions have no answer"] if overall.failed else []
    faults += [f"{len(done.benchmark.missing)} videos are missing"] if done.benchmark.missing else []
    return 100 * overall.value.mean, "; ".join(faults)


def _run_converted(runner: Converted, files: Sequence[tuple[Path, Path]], out: Path, args: argparse.Namespace) -> None:
    from ..backends.chat import Chat, ChatSettings
    from ..benchmarks.questions import from_file
    from ..runner import ask

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
    for benchmark in benchmarks:
        out, runner = _results_folder(args, benchmark), benchmark.runner
        if isinstance(runner, LmmsTask):
            yield f"\n# {benchmark.name}: {runner.dataset}\n{shlex.join(command(runner.name, settings, out))}"
        else:
            flags = f"--frames {args.frames} --model {settings.model} --base-url {settings.base_url} --form images --out {out}"
            yield f"\n# {benchmark.name}\npython -m eval convert {runner.format} FILE --out {out}.json"
            yield f"python -m eval {runner.kind} {out}.json --videos VIDEOS {flags}"


def convert_file(args: argparse.Namespace) -> int:
    """Write questions from a published annotation file."""
    entries, left_out = convert(args.format, args.file)
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
