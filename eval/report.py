"""The report: one self-contained HTML page, with the same tables as Markdown and CSV and the same plots as PNG beside it."""

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
from .results import Results, ScoredSample
from .run import Run
from .sample import Sample, Video

TEMPLATE = Path(__file__).with_name("report.html.j2")
MAX_RESPONSE_LENGTH = 1500  # characters printed


@dataclass(frozen=True)
class Example:
    """One scored response, as the page prints it.

    Attributes:
        picture: the frames as a JPEG in base64; "" if the video cannot be loaded.
        picture_error: why there is no picture.
    """

    title: str
    response: str
    parsed: str
    truth: str
    reason: str
    value: str
    picture: str
    picture_error: str


@dataclass(frozen=True)
class Section:
    """All runs on one benchmark.

    Attributes:
        stem: of the names of its files.
        summary: number of questions, hash, and the benchmark's facts.
        plot: a PNG in base64.
    """

    title: str
    stem: str
    summary: str
    header: list[str]
    rows: list[list[str]]
    plot: str
    runs: list[dict[str, Any]]


def write_report(
    runs: Sequence[tuple[Run, Results]], out: Path, *, examples: int = 1, clip_cache: str | None = None
) -> list[Path]:
    """Write the page and the files beside it; returns their paths.

    Args:
        out: path of the page; the `.md`, `.csv` and `.png` files get the same name.
        examples: number of worst and of best responses to show for each column of each run.
    """
    from jinja2 import Environment, FileSystemLoader

    out.parent.mkdir(parents=True, exist_ok=True)
    files, sections, text = [out], [], ["# Evaluation\n"]
    hashes = list(dict.fromkeys(run.manifest["benchmark"]["hash"] for run, _ in runs))
    for number, benchmark_hash in enumerate(hashes):
        section_runs = [pair for pair in runs if pair[0].manifest["benchmark"]["hash"] == benchmark_hash]
        stem = out.stem if len(hashes) == 1 else f"{out.stem}-{number + 1}"
        section, plot = _make_section(section_runs, stem, examples, clip_cache)
        sections.append(section)
        text += [
            f"## {section.title}\n",
            section.summary + "\n",
            tables.markdown(section.header, section.rows) + "\n",
            f"![]({stem}.png)\n",
        ]
        for details in section.runs:
            text += [
                f"### {details['label']}\n",
                *(f"- {line}" for line in details["notes"]),
                "",
                tables.markdown(details["header"], details["rows"]) + "\n",
            ]
        files += [out.with_name(f"{stem}.csv"), out.with_name(f"{stem}.png")]
        files[-2].write_text(tables.to_csv([results for _, results in section_runs]))
        files[-1].write_bytes(plot)
    files.append(out.with_suffix(".md"))
    files[-1].write_text("\n".join(text), encoding="utf-8", errors="replace")
    page = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True).get_template(TEMPLATE.name)
    out.write_text(page.render(sections=sections), encoding="utf-8", errors="replace")
    return files


def _make_section(
    runs: Sequence[tuple[Run, Results]], stem: str, examples: int, clip_cache: str | None
) -> tuple[Section, bytes]:
    """The section, and its plot as PNG."""
    first = runs[0][0]
    all_results = [results for _, results in runs]
    with_paper = [column.name for column in all_results[0].columns] == list(paper.COLUMNS)
    buffer = io.BytesIO()
    plot_runs(all_results, buffer, with_paper=with_paper)
    facts = [f"{name} {value}" for name, value in first.benchmark.facts.items() if not isinstance(value, (dict, list))]
    summary = f"{len(first.benchmark.samples)} questions, hash {first.manifest['benchmark']['hash']}; {', '.join(facts)}"
    header, rows = tables.side_by_side(all_results, with_paper=with_paper)
    details = [_run_details(run, results, examples, clip_cache) for run, results in runs]
    plot = base64.b64encode(buffer.getvalue()).decode()
    return Section(first.benchmark.name, stem, summary, header, rows, plot, details), buffer.getvalue()


def _run_details(run: Run, results: Results, examples: int, clip_cache: str | None) -> dict[str, Any]:
    header, rows = tables.run_table(results)
    notes = [", ".join(f"{name} {value}" for name, value in run.manifest["protocol"].items())]
    notes += results.notes
    notes += [f"failed: {count} × {reason}" for reason, count in list(results.failures.items())[:10]]
    frames = Frames(run.benchmark.sampling, clip_cache)
    chosen = [_make_example(item, frames) for item in _select_examples(results, examples)]
    return {"label": results.label, "notes": notes, "header": header, "rows": rows, "examples": chosen}


def _select_examples(results: Results, examples: int) -> Iterator[ScoredSample]:
    """The worst and the best responses of each column."""
    for column in results.columns:
        items = [item for item in results.scored_samples if item.score is not None and item.sample.column == column.name]
        items.sort(key=lambda item: item.value)
        ends = [*range(min(examples, len(items))), *range(max(0, len(items) - examples), len(items))]
        yield from (items[index] for index in dict.fromkeys(ends))


def _make_example(item: ScoredSample, frames: Frames) -> Example:
    assert item.score is not None
    assert item.response is not None
    sample, score = item.sample, item.score
    picture, picture_error = "", ""
    try:
        picture = base64.b64encode(_draw_picture(sample, frames.of(sample))).decode()
    except (UnusableVideo, BuildError, OSError) as error:
        picture_error = str(error)
    response = item.response[:MAX_RESPONSE_LENGTH] + ("…" if len(item.response) > MAX_RESPONSE_LENGTH else "")
    title = f"{sample.column} · {sample.id} · {sample.info.get('source', '')}"
    value = tables.percent(item.value)
    return Example(title, response, score.parsed, sample.truth, score.reason, value, picture, picture_error)


def _draw_picture(sample: Sample, videos: Sequence[Video]) -> bytes:
    """The contact sheet of a sample, as JPEG."""
    clips = [(video.frames(), video.times) for video in videos]
    sheet = draw(Sheet(sample.id, sample.question, sample.truth, clips, _highlighted_frames(sample, videos)))
    return cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()


def _highlighted_frames(sample: Sample, videos: Sequence[Video]) -> list[set[int]]:
    """For each video, the indices of its edited frames, or of those within the true interval."""
    if "edits" in sample.videos:
        return [clip.edited for clip in EditList.from_json(sample.videos["edits"]).clips]
    try:
        spans = [Interval.read(truth) for truth in sample.truth.split("|")]
    except Unparseable:
        return [set() for _ in videos]
    return [
        {index for index, time in enumerate(video.times) if any(span.start <= time < span.end for span in spans)}
        for video in videos
    ]
