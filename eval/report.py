"""The report: one self-contained HTML page, with the same tables as Markdown and CSV and the same plots as PNG beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
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
        same = [pair for pair in runs if pair[0].manifest["benchmark"]["hash"] == benchmark_hash]
        stem = out.stem if len(hashes) == 1 else f"{out.stem}-{number + 1}"
        section, plot = _make_section(same, examples, clip_cache)
        sections.append(section)
        table = tables.markdown(section["header"], section["rows"])
        text += [f"## {section['title']}\n\n{section['summary']}\n\n{table}\n\n![]({stem}.png)\n"]
        for run in section["runs"]:
            notes = "".join(f"- {line}\n" for line in run["notes"])
            text += [f"### {run['label']}\n\n{notes}\n{tables.markdown(run['header'], run['rows'])}\n"]
        files += [out.with_name(f"{stem}.csv"), out.with_name(f"{stem}.png")]
        files[-2].write_text(tables.to_csv([results for _, results in same]))
        files[-1].write_bytes(plot)
    files.append(out.with_suffix(".md"))
    files[-1].write_text("\n".join(text), encoding="utf-8", errors="replace")
    page = Environment(loader=FileSystemLoader(TEMPLATE.parent), autoescape=True).get_template(TEMPLATE.name)
    out.write_text(page.render(sections=sections), encoding="utf-8", errors="replace")
    return files


def _make_section(
    runs: Sequence[tuple[Run, Results]], examples: int, clip_cache: str | None
) -> tuple[Mapping[str, Any], bytes]:
    """What the page says of all runs on one benchmark, and its plot as PNG."""
    first, all_results = runs[0][0], [results for _, results in runs]
    with_paper = [column.name for column in all_results[0].columns] == list(paper.COLUMNS)
    buffer = io.BytesIO()
    plot_runs(all_results, buffer, with_paper=with_paper)
    facts = [f"{name} {value}" for name, value in first.benchmark.facts.items() if not isinstance(value, (dict, list))]
    header, rows = tables.side_by_side(all_results, with_paper=with_paper)
    return {
        "title": first.benchmark.name,
        "summary": f"{len(first.benchmark.samples)} questions, hash {first.manifest['benchmark']['hash']}; {', '.join(facts)}",
        "header": header,
        "rows": rows,
        "plot": base64.b64encode(buffer.getvalue()).decode(),
        "runs": [_describe_run(run, results, examples, clip_cache) for run, results in runs],
    }, buffer.getvalue()


def _describe_run(run: Run, results: Results, examples: int, clip_cache: str | None) -> Mapping[str, Any]:
    header, rows = tables.run_table(results)
    notes = [", ".join(f"{name} {value}" for name, value in run.manifest["protocol"].items()), *results.notes]
    notes += [f"failed: {count} × {reason}" for reason, count in list(results.failures.items())[:10]]
    frames = Frames(run.benchmark.sampling, clip_cache)
    chosen = [_describe_response(item, frames) for item in _select_examples(results, examples)]
    return {"label": results.label, "notes": notes, "header": header, "rows": rows, "examples": chosen}


def _select_examples(results: Results, examples: int) -> Iterator[ScoredSample]:
    """The worst and the best responses of each column."""
    for column in results.columns:
        items = [item for item in results.scored_samples if item.score is not None and item.sample.column == column.name]
        items.sort(key=lambda item: item.value)
        ends = [*range(min(examples, len(items))), *range(max(0, len(items) - examples), len(items))]
        yield from (items[index] for index in dict.fromkeys(ends))


def _describe_response(item: ScoredSample, frames: Frames) -> Mapping[str, Any]:
    """A response, with its frames as a JPEG in base64, or why there are none."""
    sample, response = item.sample, item.response or ""
    picture, picture_error = "", ""
    try:
        picture = base64.b64encode(_draw_picture(sample, frames.of(sample))).decode()
    except (UnusableVideo, BuildError, OSError) as error:
        picture_error = str(error)
    return {
        "title": f"{sample.column} · {sample.id} · {sample.info.get('source', '')}",
        "response": response[:MAX_RESPONSE_LENGTH] + ("…" if len(response) > MAX_RESPONSE_LENGTH else ""),
        "score": item.score,
        "truth": sample.truth,
        "value": tables.percent(item.value),
        "picture": picture,
        "picture_error": picture_error,
    }


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
    inside = [[any(span.start <= time < span.end for span in spans) for time in video.times] for video in videos]
    return [{index for index, within in enumerate(flags) if within} for flags in inside]
