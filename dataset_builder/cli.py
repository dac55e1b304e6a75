"""The `videossr` command. Every subcommand imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OK, FAULTS, USAGE, INTERRUPTED = 0, 1, 2, 130

EXAMPLES = """examples:
  videossr demo --out demo/
  videossr tasks
  videossr preview jigsaw --videos clips/ --seed 7 --difficulty hard
  videossr build videossr-30k --videos clips/ --out data/30k --seed 7 --workers 8
  videossr validate data/30k
  videossr push data/30k me/videossr-30k --license cc-by-4.0
  videossr serve --port 8000 --workers 4
  videossr diagnose rollouts.jsonl --plot groups.png

exit codes: 0 done, 1 faults found or the build stopped, 2 a wrong argument, 130 interrupted
With VIDEOSSR_TRACEBACK=1 an error comes with its traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv[:1] == ["serve"]:  # its flags are its settings, which only it should load
            return _serve(argv[1:])
        args = _parser().parse_args(argv)
        command: Callable[[argparse.Namespace], int] = args.command
        return command(args)
    except Exception as error:
        if os.environ.get("VIDEOSSR_TRACEBACK"):
            raise
        return _told(error)
    except KeyboardInterrupt:
        print("videossr: interrupted; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED


def _told(error: Exception) -> int:
    """Say an error in one line, if it is one that a user can mend; returns its exit code."""
    if isinstance(error, ModuleNotFoundError):
        print(
            f"videossr: {error}; the extra `{_extra(error.name)}` brings it: pip install -e '.[{_extra(error.name)}]'",
            file=sys.stderr,
        )
        return USAGE
    if isinstance(error, ValueError | FileNotFoundError):
        print(f"videossr: {error}", file=sys.stderr)
        return USAGE
    if isinstance(error, RuntimeError | OSError):
        print(f"videossr: {_explained(error)}", file=sys.stderr)
        return FAULTS
    raise error


def _extra(module: str | None) -> str:
    """The extra that brings a module."""
    served = ("fastapi", "starlette", "uvicorn", "pydantic", "pydantic_settings", "msgspec", "prometheus_client")
    others = {**dict.fromkeys(served, "serve"), "matplotlib": "plot", "ray": "cluster", "s3fs": "s3"}
    return others.get(str(module), "build")


def _explained(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        place = error.filename or f"the output, the clip cache or the temporary folder ({tempfile.gettempdir()}, or TMPDIR)"
        return f"no space left on the disk of {place}; free some and run the same command again"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "videossr", description="Verifiable video questions from raw videos.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="command")

    listing = _add(
        commands, "tasks", _tasks, "list the tasks: answers, knobs at each level, chance floors", "videossr tasks --json"
    )
    listing.add_argument("--json", action="store_true", help="as JSON")

    preview = _add(
        commands, "preview", _preview, "one question as a contact sheet and playable clips",
        "videossr preview grounding --videos clips/ --set effects=mirror",
    )  # fmt: skip
    preview.add_argument("config", help="a task or a preset")
    preview.add_argument("--out", type=Path, default=Path("preview"), help="folder for the files (default: preview)")
    preview.add_argument("--number", type=int, default=0, help="which question of the build (default: the first)")
    _add_spec(preview)

    build = _add(
        commands, "build", _build, "build a dataset; a rerun continues",
        "videossr build mixed --videos clips/ --out data/ --difficulty 0.6 --set jigsaw.clips=5",
    )  # fmt: skip
    build.add_argument("config", help="a preset or a task")
    build.add_argument("--out", required=True, help="folder for the build, or s3://… and whatever else fsspec knows")
    build.add_argument(
        "--workers", type=int, default=1, help="processes (default: 1); with Ray, shards at a time (default: all)"
    )
    build.add_argument("--engine", default="local", help="local or ray (default: local)")
    build.add_argument("--address", help="of the Ray cluster; auto for the one that runs here (default: start one)")
    build.add_argument("--force", action="store_true", help="replace another build in that folder")
    build.add_argument("--json", action="store_true", help="print the report as JSON")
    _add_spec(build)

    validate = _add(commands, "validate", _validate, "check every row of a build", "videossr validate data/")
    validate.add_argument("folder", type=Path)
    validate.add_argument("--json", action="store_true", help="as JSON")

    export = _add(
        commands, "export", _export, "write a build as a trainer reads it", "videossr export verl data/30k --out data/30k-verl"
    )
    export.add_argument("trainer", help="verl or trl")
    export.add_argument("folder", type=Path, help="the build")
    export.add_argument("--out", type=Path, required=True, help="folder for the export")
    export.add_argument("--force", action="store_true", help="replace what stands in that folder")

    push = _add(
        commands, "push", _push, "push a build to the Hugging Face Hub; a rerun goes on",
        "videossr push data/30k me/videossr-30k --license cc-by-4.0",
    )  # fmt: skip
    push.add_argument("folder", type=Path, help="the build")
    push.add_argument("repo", help="owner/name; made if it is not there")
    push.add_argument("--license", help="of the dataset, as the Hub spells it: cc-by-4.0, … (needed unless its card has one)")
    push.add_argument(
        "--source-dataset", action="append", default=[], metavar="NAME", help="a dataset that the videos come from; repeatable"
    )
    push.add_argument("--public", action="store_true", help="make the new repository public (default: private)")
    push.add_argument("--force", action="store_true", help="replace another dataset that stands there")

    regenerate = _add(
        commands, "regenerate", _regenerate, "make a pushed dataset again from its card, and compare row by row",
        "videossr regenerate me/videossr-30k --videos clips/ --out again/",
    )  # fmt: skip
    regenerate.add_argument("repo", help="owner/name")
    regenerate.add_argument("--videos", required=True, help="folder of the source videos, under whatever names")
    regenerate.add_argument("--out", type=Path, help="folder for the build (default: a temporary one)")
    regenerate.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    regenerate.add_argument("--json", action="store_true", help="as JSON")
    _add_cache(regenerate)

    demo = _add(
        commands,
        "demo",
        _demo,
        "build, score and show tasks from rendered footage; needs no video",
        "videossr demo --out demo/",
    )
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything (default: demo)")
    demo.add_argument("--seed", type=int, default=7)
    commands.add_parser("serve", help="score rollouts over HTTP, see `videossr serve --help`")

    diagnose = _add(
        commands, "diagnose", _diagnose, "group statistics of rollouts in a file: variance, hits, unparseable and blind answers",
        "videossr diagnose rollouts.jsonl --plot groups.png",
    )  # fmt: skip
    diagnose.add_argument(
        "rollouts", type=Path, help="JSONL, or a folder of it: items as for /v1/score with `group`, or verl's rollout_data_dir"
    )
    diagnose.add_argument("--task", help="the task of lines that name none")
    diagnose.add_argument("--plot", type=Path, help="write the bimodality plot to this file (needs matplotlib)")
    diagnose.add_argument("--json", action="store_true", help="as JSON: `tasks` as in /v1/stats, `rollouts`, `faults`")
    return parser


def _add(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], doc: str, example: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc, epilog=f"example: {example}")
    parser.set_defaults(command=command)
    return parser


def _add_spec(parser: argparse.ArgumentParser) -> None:
    """The flags that make a BuildSpec, by its field names."""
    parser.add_argument("--videos", required=True, help="folder of raw videos, or s3://… and whatever else fsspec knows")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--difficulty", help="easy, medium, hard, extreme or a number in [0, 1] (default: the preset's)")
    parser.add_argument("--samples", type=int, help="rows in all (default: the preset's)")
    parser.add_argument("--per-video", type=int, default=1, help="for presets without a total: rows of each task a video")
    parser.add_argument("--frames", type=int, default=48, help="frames a clip (default: 48)")
    parser.add_argument("--max-pixels", type=int, default=256 * 256, help="most pixels a frame (default: 65536)")
    parser.add_argument("--sampling", default="exact", help="exact or keyframe (default: exact)")
    parser.add_argument("--video-format", default="mp4", help="mp4 or jpeg (default: mp4)")
    parser.add_argument("--system-prompt", default="", help="put before each question (default: none)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a task parameter, see `videossr tasks`"
    )
    _add_cache(parser)


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clip-cache", help="folder for sampled clips, '' for none (default: $VIDEOSSR_CLIP_CACHE or ~/.cache/videossr)"
    )
    parser.add_argument("--clip-cache-gb", type=float, help="its size limit (default: $VIDEOSSR_CLIP_CACHE_GB or 20)")


def _spec(args: argparse.Namespace) -> Any:
    from .spec import BuildSpec

    overrides = {}
    for setting in args.set:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--set {setting!r} is not allowed; allowed: NAME=VALUE")
        overrides[name] = value
    names = [name for name in BuildSpec.field_names() if name != "overrides"]
    return BuildSpec(**{name: getattr(args, name) for name in names}, overrides=overrides)


def _tasks(args: argparse.Namespace) -> int:
    from . import tasks

    listing = {name: _described(tasks.get(name)) for name in tasks.names()}
    if args.json:
        print(json.dumps(listing, indent=2))
        return OK
    for name, task in listing.items():
        print(f"{name} (version {task['version']})\n  answer: {task['answer']}")
        print(f"  {'knob':15}" + "".join(f"{level:>10}" for level in tasks.LEVELS))
        for knob in task["knobs"]:
            values = knob["values"].values()
            shown = [",".join(value) if isinstance(value, list) else _number(value) for value in values]
            if max(map(len, shown)) > 9:  # a list, the same at every level
                print(f"  {knob['name']:15}  {shown[0]}   {knob['doc']}\n{_wrapped(knob['allowed'])}")
            else:
                print(f"  {knob['name']:15}" + "".join(f"{value:>10}" for value in shown) + f"   {knob['doc']}")
        for row in ("chance", "chance_exact"):
            print(f"  {row:15}" + "".join(f"{value:10.3f}" for value in task[row].values()) + "   best blind answer, 48 frames")
        print()
    return OK


def _wrapped(text: str) -> str:
    return textwrap.fill(f"allowed: {text}", 118, initial_indent=" " * 19, subsequent_indent=" " * 19, break_on_hyphens=False)


def _described(task: Any) -> dict[str, Any]:
    from .tasks import LEVELS, Level

    floors = {level: task.chance(task.params(level), 48) for level in LEVELS}
    knobs = [
        {"name": knob.name, "doc": knob.doc, "allowed": knob.allowed(), "values": {level: _plain(knob.at(Level.of(level))) for level in LEVELS}}
        for knob in task.knobs
    ]  # fmt: skip
    return {
        "version": task.version,
        "answer": task.answer_format,
        "knobs": knobs,
        "chance": {level: round(floor.smooth, 4) for level, floor in floors.items()},
        "chance_exact": {level: round(floor.exact, 4) for level, floor in floors.items()},
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _number(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.3g}" if isinstance(value, float) else str(value)


def _preview(args: argparse.Namespace) -> int:
    spec = _spec(args)
    from .preview import contact_sheet, write_picture
    from .questions import Question
    from .work import each_question, folder_work

    work, _ = folder_work(spec, args.videos, "preview", args.clip_cache, args.clip_cache_gb)
    passed = 0
    for made in each_question(work):
        if not isinstance(made, Question):
            print(f"refused: {made.source}: {made.reason}", file=sys.stderr)
            continue
        passed += 1
        if passed <= args.number:
            continue
        args.out.mkdir(parents=True, exist_ok=True)
        stem = args.out / f"{made.portion.name}-{made.portion.level.name}-{args.number}"
        write_picture(f"{stem}.png", contact_sheet(made))
        names = [f"{stem}.mp4"] if len(made.videos) == 1 else [f"{stem}-clip{k}.mp4" for k in range(1, len(made.videos) + 1)]
        for name, video in zip(names, made.videos, strict=True):
            Path(name).write_bytes(video.mp4())
        print(f"{made.plan.question}\n\nanswer: {made.plan.answer}\nwritten: {stem}.png, {', '.join(names)}")
        return OK
    print(f"videossr: only {passed} questions could be made", file=sys.stderr)
    return FAULTS


class _Bar:
    """A progress bar that is told (how many are done, how many there are)."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def note(self, **told: int | str) -> None:
        """Show this beside it, from its next drawing on."""
        self._bar.set_postfix(told, refresh=False)
        self._bar.update(0)


@contextmanager
def _progress(what: str, unit: str = "rows") -> Iterator[_Bar]:
    from tqdm import tqdm

    with tqdm(unit=f" {unit}", desc=what, smoothing=0.1) as bar:
        yield _Bar(bar)


def _build(args: argparse.Namespace) -> int:
    spec = _spec(args)
    from .build import build

    with _progress(spec.config) as progress:
        report = build(
            spec, args.videos, args.out, workers=args.workers, engine=args.engine, address=args.address, force=args.force,
            clip_cache=args.clip_cache, clip_cache_gb=args.clip_cache_gb, progress=progress,
            so_far=lambda report: progress.note(refused=report.refused.total(), unusable=len(report.unusable)),
            reading=lambda done, total: progress.note(read=f"{done} of {total} videos"),
        )  # fmt: skip
    print(json.dumps(report.to_dict(), indent=2) if args.json else report.table())
    if spec.total is not None and report.missing:
        short = ", ".join(f"{name} by {count}" for name, count in report.missing.items())
        print(f"videossr: the build is short: {short}; add videos, see the refusals above", file=sys.stderr)
        return FAULTS
    return OK


def _validate(args: argparse.Namespace) -> int:
    from .validate import table, to_json, validate

    findings = validate(args.folder)
    print(to_json(findings) if args.json else table(findings))
    return FAULTS if findings.faults else OK


def _demo(args: argparse.Namespace) -> int:
    from .demo import run_demo

    return OK if run_demo(args.out, args.seed) else FAULTS


def _export(args: argparse.Namespace) -> int:
    from . import exports
    from .exports.base import export
    from .finished import Build

    how = exports.get(args.trainer)
    build = Build.read(args.folder)
    with _progress(f"{how.name} export") as progress:
        path = export(build, args.out, how, args.force, progress)
    print(f"{build.rows} rows: {how.howto.format(path=path)}")
    return OK


def _push(args: argparse.Namespace) -> int:
    from .finished import Build
    from .hub.push import push, quietly

    build = Build.read(args.folder)
    quietly()
    with _progress(f"push {args.repo}", "files") as progress:
        url = push(
            build, args.repo, license=args.license, source_datasets=args.source_dataset, public=args.public, force=args.force,
            progress=progress,
        )  # fmt: skip
    print(f'{build.rows} rows: {url}\nload_dataset("{args.repo}", "{next(iter(build.summary["portions"]))}", split="train")')
    return OK


def _regenerate(args: argparse.Namespace) -> int:
    from tempfile import TemporaryDirectory

    from .hub.regenerate import regenerate

    with _progress(f"regenerate {args.repo}") as progress, TemporaryDirectory(prefix="videossr-") as temporary:
        comparison = regenerate(
            args.repo, args.videos, args.out or temporary, workers=args.workers, clip_cache=args.clip_cache,
            clip_cache_gb=args.clip_cache_gb, progress=progress,
        )  # fmt: skip
    print(json.dumps(comparison.to_dict(), indent=2) if args.json else comparison.table())
    return OK if comparison.is_same else FAULTS


def _serve(arguments: Sequence[str]) -> int:
    from reward_service.serve import read_settings, serve

    serve(read_settings(arguments))
    return OK


def _diagnose(args: argparse.Namespace) -> int:
    from reward_service.diagnose import diagnose, table

    diagnosis = diagnose(args.rollouts, args.task)
    if args.json:
        print(json.dumps({"tasks": diagnosis.tasks, "rollouts": diagnosis.rollouts, "faults": diagnosis.faults}, indent=2))
    else:
        print(table(diagnosis))
    for fault in diagnosis.faults[:20]:
        print(f"left out: {fault}", file=sys.stderr)
    if len(diagnosis.faults) > 20:
        print(f"left out: {len(diagnosis.faults) - 20} more", file=sys.stderr)
    if args.plot:
        from reward_service.plot import plot

        plot(diagnosis.tasks, args.plot)
    return FAULTS if diagnosis.faults else OK


if __name__ == "__main__":
    sys.exit(main())
