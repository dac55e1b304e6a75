"""The report: one HTML page that stands alone, with the same tables as Markdown and CSV and the same plots as PNG beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from dataset_builder.errors import BuildError, UnusableVideo
from dataset_builder.gallery.contact_sheet import Sheet, draw
from dataset_builder.tasks import EditList
from dataset_builder.tasks.answers import Interval
from dataset_builder.tasks.answers.reading import Unparseable

from . import paper, tables
from .frames import Frames
from .plots import plot_runs
from .results import Marked, Results, value
from .run import Run
from .sample import Sample, Video

TEMPLATE = Path(__file__).with_name("report.html.j2")
LONGEST_RESPONSE = 1500  # characters shown


@dataclass(frozen=True)
class Example:
    """One answer, shown."""

    title: str
    response: str
    parsed: str
    truth: str
    reason: str
    value: str
    picture: str  # JPEG in base64, or "" where the video cannot be had any more
    absent: str  # why not


@dataclass(frozen=True)
class Section:
    """All runs on one benchmark.

    Attributes:
        stem: of its files' names.
    """

    title: str
    stem: str
    told: str
    head: list[str]
    rows: list[list[str]]
    plot: str
    runs: list[dict[str, Any]]


def write_report(
    runs: Sequence[tuple[Run, Results]], out: Path, *, examples: int = 1, clip_cache: str | None = None
) -> list[Path]:
    """Write the page and what belongs to it; gives the files.

    Args:
        out: the page; `.md`, `.csv` and `.png` files stand beside it under its name.
        examples: how many of the worst and of the best answers are shown for each column of each run.
    """
    from jinja2 import Environment, FileSystemLoader

    out.parent.mkdir(parents=True, exist_ok=True)
    files, sections, words = [out], [], ["# Evaluation\n"]
    benchmarks = list(dict.fromkeys(run.told["benchmark"]["hash"] for run, _ in runs))
    for number, name in enumerate(benchmarks):
        own = [one for one in runs if one[0].told["benchmark"]["hash"] == name]
        stem = out.stem if len(benchmarks) == 1 else f"{out.stem}-{number + 1}"
        section, plot = _section(own, stem, examples, clip_cache)
        sections.append(section)
        words += [
            f"## {section.title}\n",
            section.told + "\n",
            tables.markdown(section.head, section.rows) + "\n",
            f"![]({stem}.png)\n",
        ]
        for one in section.runs:
            words += [
                f"### {one['label']}\n",
                *(f"- {line}" for line in one["notes"]),
                "",
                tables.markdown(one["head"], one["rows"]) + "\n",
            ]
        files += [out.with_name(f"{stem}.csv"), out.with_name(f"{stem}.png")]
        files[-2].write_text(tables.to_csv([found for _, found in own]))
        files[-1].write_bytes(plot)
    files.append(out.with_suffix(".md"))
    files[-1].write_text("\n".join(words), encoding="utf-8", errors="replace")
    page = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True).get_template(TEMPLATE.name)
    out.write_text(page.render(sections=sections), encoding="utf-8", errors="replace")
    return files


def _section(runs: Sequence[tuple[Run, Results]], stem: str, examples: int, clip_cache: str | None) -> tuple[Section, bytes]:
    first = runs[0][0]
    found = [one for _, one in runs]
    with_paper = [column.name for column in found[0].columns] == list(paper.COLUMNS)
    buffer = io.BytesIO()
    plot_runs(found, buffer, with_paper=with_paper)
    facts = [f"{name} {given}" for name, given in first.benchmark.told.items() if not isinstance(given, (dict, list))]
    told = f"{len(first.benchmark.samples)} questions, hash {first.told['benchmark']['hash']}; {', '.join(facts)}"
    head, rows = tables.side_by_side(found, with_paper=with_paper)
    described = [_described(run, one, examples, clip_cache) for run, one in runs]
    plot = base64.b64encode(buffer.getvalue()).decode()
    return Section(first.benchmark.name, stem, told, head, rows, plot, described), buffer.getvalue()


def _described(run: Run, found: Results, examples: int, clip_cache: str | None) -> dict[str, Any]:
    head, rows = tables.detail(found)
    notes = [", ".join(f"{name} {given}" for name, given in run.told["protocol"].items())]
    notes += found.notes
    notes += [f"failed: {number} × {reason}" for reason, number in list(found.failures.items())[:10]]
    frames = Frames(run.benchmark.sampling, clip_cache)
    shown = [_example(one, frames) for one in _choose(found, examples)]
    return {"label": found.label, "notes": notes, "head": head, "rows": rows, "examples": shown}


def _choose(found: Results, examples: int) -> Iterator[Marked]:
    """The worst and the best answers of each column."""
    for column in found.columns:
        own = sorted((one for one in found.marked if one.mark is not None and one.sample.column == column.name), key=value)
        ends = [*range(min(examples, len(own))), *range(max(0, len(own) - examples), len(own))]
        yield from (own[index] for index in dict.fromkeys(ends))


def _example(one: Marked, frames: Frames) -> Example:
    assert one.mark is not None
    assert one.response is not None
    picture, absent = "", ""
    try:
        picture = base64.b64encode(_picture(one.sample, frames.of(one.sample))).decode()
    except (UnusableVideo, BuildError, OSError) as error:
        absent = str(error)
    sample = one.sample
    long = len(one.response) > LONGEST_RESPONSE
    response = one.response[:LONGEST_RESPONSE] + ("…" if long else "")
    title = f"{sample.column} · {sample.id} · {sample.info.get('source', '')}"
    return Example(title, response, one.mark.parsed, sample.truth, one.mark.reason, tables.percent(value(one)), picture, absent)


def _picture(sample: Sample, videos: Sequence[Video]) -> bytes:
    shown = [(video.frames(), video.times) for video in videos]
    sheet = draw(Sheet(sample.id, sample.question, sample.truth, shown, _marked(sample, videos)))
    return cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()


def _marked(sample: Sample, videos: Sequence[Video]) -> list[set[int]]:
    """What the right answer is about: the edited frames, or those within the interval."""
    if "edits" in sample.videos:
        return [clip.edited for clip in EditList.from_json(sample.videos["edits"]).clips]
    try:
        spans = [Interval.read(truth) for truth in sample.truth.split("|")]
    except Unparseable:
        return [set() for _ in videos]
    return [
        {at for at, time in enumerate(video.times) if any(span.start <= time < span.end for span in spans)} for video in videos
    ]
