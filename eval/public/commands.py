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


def public(given: argparse.Namespace) -> int:
    """Show the table of a suite, and with `--run` fill it.

    Raises:
        UsageError: for an argument that is not allowed.
    """
    from .. import tables
    from . import lmms

    chosen = _chosen(given)
    list(_files(given.questions))  # refuses wrong ones
    settings = lmms.Settings(
        given.lmms_python, given.model or "MODEL", given.base_url or "http://HOST:8000/v1", given.frames, given.max_pixels,
        given.in_flight, given.timeout, given.limit,
    )  # fmt: skip
    told = []
    if given.run:
        if not (given.model and given.base_url):
            raise UsageError("--run wants --model and --base-url")
        told = (
            [f"lmms-eval: {fault}" for fault in lmms.faults(settings)]
            if any(isinstance(one.by, LmmsTask) for one in chosen)
            else []
        )
    able = not told  # what one benchmark lacks keeps no other from being run
    rows = []
    for benchmark in chosen:
        score, fault = _score(benchmark, settings, given, able)
        told += [f"{benchmark.name}: {fault}"] if fault else []
        rows.append(_Row(benchmark, score))
    if given.json:
        print(json.dumps({"benchmarks": [row.to_dict() for row in rows], "faults": told}))
    else:
        print(
            tables.markdown(
                ["benchmark", f"paper at {given.frames}", "this model", "run by", ""], [row.cells(given.frames) for row in rows]
            )
        )
        for line in [] if given.run else _how(chosen, settings, given):
            print(line)
        for line in told:
            print(f"eval: {line}", file=sys.stderr)
    return FAULTS if told else OK


@dataclass(frozen=True)
class _Row:
    benchmark: PublicBenchmark
    score: float | None

    def cells(self, frames: int) -> list[str]:
        paper = self.benchmark.paper.get(frames)
        by = self.benchmark.by
        return [
            self.benchmark.name,
            f"{paper[0]:.1f} → {paper[1]:.1f}" if paper else "–",
            "–" if self.score is None else f"{self.score:.1f}",
            f"lmms-eval {by.name}" if isinstance(by, LmmsTask) else f"eval {by.kind}, format {by.format}",
            self.benchmark.note,
        ]

    def to_dict(self) -> dict[str, Any]:
        paper = {str(frames): list(pair) for frames, pair in self.benchmark.paper.items()}
        return {"name": self.benchmark.name, "paper": paper, "score": self.score}


def _chosen(given: argparse.Namespace) -> list[PublicBenchmark]:
    if given.suite not in SUITES:
        raise UsageError(f"suite={given.suite!r} is unknown; {nearest(given.suite, list(SUITES))}")
    if given.frames not in FRAMES:
        print(
            f"eval: the paper has no figures for {given.frames} frames; it has them for {', '.join(map(str, FRAMES))}",
            file=sys.stderr,
        )
    suite = {one.name: one for one in SUITES[given.suite]}
    wanted = given.only.split(",") if given.only else list(suite)
    for name in wanted:
        if name not in suite:
            raise UsageError(f"only={name!r} is unknown; {nearest(name, list(suite))}")
    return [suite[name] for name in wanted]


def _folder(given: argparse.Namespace, benchmark: PublicBenchmark) -> Path:
    """Where a benchmark's results are: apart for each model and each way to ask it."""
    asked = f"{given.model or 'MODEL'}-{given.frames}-frames-{given.max_pixels}-pixels" + (
        f"-first-{given.limit}" if given.limit else ""
    )
    return Path(given.out) / re.sub(r"[^A-Za-z0-9.]+", "-", asked).strip("-") / benchmark.name


def _score(benchmark: PublicBenchmark, settings: Settings, given: argparse.Namespace, able: bool) -> tuple[float | None, str]:
    """Percent, where it is known; and what is wrong, in a line."""
    from . import lmms

    out = _folder(given, benchmark)
    try:
        if isinstance(benchmark.by, Converted):
            return _own(benchmark.by, out, given)
        if given.run and able:
            return lmms.run(benchmark.by, settings, out), ""
        return lmms.read(benchmark.by, out), ""
    except (RuntimeError, ValueError, OSError) as error:
        return None, str(error)


def _own(by: Converted, out: Path, given: argparse.Namespace) -> tuple[float | None, str]:
    """A converted benchmark: its run, made with `--run` from the files that `--questions` names."""
    from ..results import results
    from ..run import RUN, Run

    if given.run:
        own = [places for name, places in _files(given.questions) if name == by.format]
        if not own:
            return None, f"its annotation file and videos are not named; --questions {by.format}=FILE,VIDEOS"
        _ask(by, own, out, given)
    if not (out / RUN).exists():
        return None, ""
    run = Run.read(out)
    found = results(run).overall
    lacking = [f"{found.failed} of {found.asked} questions have no answer"] if found.failed else []
    lacking += [f"{len(run.benchmark.missing)} videos are missing"] if run.benchmark.missing else []
    return 100 * found.value.mean, "; ".join(lacking)


def _files(given: Sequence[str]) -> Iterator[tuple[str, tuple[Path, Path]]]:
    for one in given:
        name, _, rest = one.partition("=")
        file, comma, videos = rest.partition(",")
        if not comma:
            raise UsageError(f"questions={one!r} is not allowed; allowed: FORMAT=FILE,VIDEOS")
        if name not in FORMATS:
            raise UsageError(f"questions={one!r} is of no format; {nearest(name, list(FORMATS))}")
        yield name, (Path(file), Path(videos))


def _ask(by: Converted, own: Sequence[tuple[Path, Path]], out: Path, given: argparse.Namespace) -> None:
    from ..backends.chat import Chat, ChatSettings
    from ..benchmarks.questions import from_file
    from ..progress_bar import ProgressBar
    from ..runner import ask
    from .convert import convert

    entries = [entry for annotations, _ in own for entry in convert(by.format, annotations)[0]]
    [videos, *others] = {videos for _, videos in own}
    if others:
        raise UsageError(f"the files of {by.format} name several folders of videos; give one that holds all")
    questions = out.with_name(f"{out.name}.json")
    questions.parent.mkdir(parents=True, exist_ok=True)
    questions.write_text(json.dumps(entries))
    benchmark = from_file(
        questions,
        by.kind,
        videos,
        frames=given.frames,
        max_pixels=given.max_pixels,
        limit=given.limit,
        clip_cache=given.clip_cache,
    )
    if not benchmark.samples:
        raise UsageError(f"none of its {len(benchmark.missing)} videos is in {str(videos)!r}")
    chat = Chat(ChatSettings(given.model, given.base_url, form=by.form or given.form, timeout=given.timeout))
    with ProgressBar(len(benchmark.samples), by.format) as bar:
        ask(benchmark, chat, out, in_flight=given.in_flight, clip_cache=given.clip_cache, told=bar.tell)


def _how(chosen: Sequence[PublicBenchmark], settings: Settings, given: argparse.Namespace) -> Iterator[str]:
    """The commands behind the table."""
    from . import lmms

    yield ""
    for benchmark in chosen:
        out = _folder(given, benchmark)
        if isinstance(benchmark.by, LmmsTask):
            yield f"# {benchmark.name}: {benchmark.by.dataset}"
            yield shlex.join(lmms.command(benchmark.by.name, settings, out))
        else:
            by = benchmark.by
            yield f"# {benchmark.name}"
            yield f"python -m eval convert {by.format} FILE --out {out}.json"
            yield (
                f"python -m eval {by.kind} {out}.json --videos VIDEOS --frames {given.frames} --model {settings.model} "
                f"--base-url {settings.base_url} --out {out}" + (f" --form {by.form}" if by.form else "")
            )


def convert_file(given: argparse.Namespace) -> int:
    """Write questions from a published annotation file."""
    from .convert import convert

    entries, left_out = convert(given.format, given.file)
    given.out.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n")
    print(f"{len(entries)} questions in {given.out}" + (f"; {left_out} entries hold none" if left_out else ""))
    return OK


def write_lmms_tasks(given: argparse.Namespace) -> int:
    """Write VIUBench as tasks of lmms-eval."""
    from .lmms_tasks import write_tasks

    names = write_tasks(given.build, given.out)
    print(
        f"{len(names)} tasks and their group in {given.out}; python -m lmms_eval … --include_path {given.out.absolute()} --tasks viubench"
    )
    return OK
