"""Questions on videos from a file, as the paper's own scripts read them: option letters (VQA) or time intervals (VTG).

A JSON list, or one object a line, of

    {"video": "fFjv93ACGo8", "question": "What … A. … B. …", "answer": "C"}
    {"video": "3MSZA", "question": "person turns a light on", "answer": "24.3 - 30.4"}

`video` is a path below the folder of videos, with or without its extension; or a list of them. Besides, there may be `options` (a
list of texts, where the question does not hold them), `column` (of tables), `id`, and for intervals `duration` in seconds.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av

from dataset_builder.cache import clip_cache_folder
from dataset_builder.identity import digest
from dataset_builder.sampling import Sampling
from dataset_builder.sources import VIDEO_EXTENSIONS, ContentMemory, Source, identify
from dataset_builder.tasks.answers import Interval
from dataset_builder.tasks.parsing import Unparseable, answer_text

from ..choice import lettered, options_of, parse_choice
from ..frames import files
from ..sample import PLACE, Benchmark, Sample

PROMPTS = {
    "vqa": "{question}\nAnswer with the letter of the right option, inside <answer></answer>.",
    "vtg": "When does this happen in the video: {question}\n"
    "Answer with its start and end in seconds, for example <answer>12.3-45.6</answer>.",
}
GRID = 20  # steps of the video's length, for the best constant interval
_KNOWN = ("video", "question", "answer", "options", "column", "id", "duration")


_Answers = tuple[str, str, float, dict[str, Any]]
"""truth, best blind answer, what that reaches, info"""


@dataclass(frozen=True)
class _Entry:
    """One question of the file and the line that it begins on."""

    line: int
    fields: Mapping[str, Any]


def from_file(
    path: str | os.PathLike[str],
    kind: str,
    videos: str | os.PathLike[str],
    *,
    frames: int = 48,
    max_pixels: int = 512 * 512,
    prompt: str | None = None,
    clip_cache: str | None = None,
) -> Benchmark:
    """Read questions.

    Args:
        kind: `vqa` or `vtg`.
        videos: the folder that `video` is looked for in.
        frames: of each video, evenly spaced over the whole of it.
        max_pixels: most pixels a frame; its sides are multiples of 64.
        prompt: what is asked, with `{question}` in it; None for `PROMPTS`.

    Raises:
        ValueError: naming line and field of the first entry that is wrong.
    """
    template = prompt or PROMPTS[kind]
    if "{question}" not in template:
        raise ValueError(f"prompt={template!r} is not allowed; allowed: a text with {{question}} in it")
    folder = Path(videos).expanduser()
    if not folder.is_dir():
        raise ValueError(f"videos={str(videos)!r} is no folder; give the folder of the questions' videos")
    sampling = Sampling(frames, max_pixels, share=1.0)
    entries = [_checked(entry, str(path), kind) for entry in _entries(Path(path))]
    found = _find(folder, {name for entry in entries for name in _names(entry)}, clip_cache)
    samples, missing = [], []
    for entry, answers in zip(entries, (_choices if kind == "vqa" else _intervals)(entries, found), strict=True):
        sources = [found[name] for name in _names(entry)]
        missing += [name for name in _names(entry) if found[name] is None]
        if None not in sources:
            samples.append(_sample(entry, kind, template, [source for source in sources if source], sampling, answers))
    told = {"questions": len(entries), "frames": frames, "max_pixels": max_pixels, "prompt": template}
    return Benchmark(Path(path).stem, kind, tuple(samples), sampling, tuple(dict.fromkeys(missing)), told)


def _sample(entry: _Entry, kind: str, template: str, sources: list[Source], sampling: Sampling, answers: _Answers) -> Sample:
    truth, blind, chance, info = answers
    content = [source.fingerprint for source in sources]
    text = str(entry.fields["question"]).strip()
    if kind == "vqa" and not options_of(text):
        text = "\n".join([text, *(f"{letter}. {option}" for letter, option in info["options"].items())])
    asked = template.replace("{question}", text)
    question = asked if PLACE in asked else "\n".join([*[PLACE] * len(sources), asked])
    return Sample(
        id=str(entry.fields.get("id", f"line-{entry.line}")),
        column=str(entry.fields.get("column", "all")),
        group=sources[0].fingerprint or sources[0].name,
        question=question,
        truth=truth,
        kind="choice" if kind == "vqa" else "interval",
        metric="accuracy" if kind == "vqa" else "iou",
        chance=chance,
        blind=blind,
        videos=files(sources),
        content=digest(content, asdict(sampling)),
        info={**info, "source": sources[0].name},
    )


def _entries(path: Path) -> Iterator[_Entry]:
    """The file's objects, each with its line.

    Raises:
        ValueError: naming the line that is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"questions={str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"questions={str(path)!r} is no UTF-8 text; give a JSON list, or one JSON object a line") from None
    decoder = json.JSONDecoder()
    listed = text.lstrip().startswith("[")
    at = text.index("[") + 1 if listed else 0
    line, counted = 1, 0
    while True:
        at = _skip(text, at, " \t\r\n," if listed else " \t\r\n")
        if at >= len(text) or (listed and text[at] == "]"):
            break
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {error.lineno}: no JSON ({error.msg}); give a list, or one object a line") from None
        yield _Entry(line, value)
    if counted == 0:
        raise ValueError(f"{path} holds no question")


def _skip(text: str, at: int, what: str) -> int:
    while at < len(text) and text[at] in what:
        at += 1
    return at


def _checked(entry: _Entry, path: str, kind: str) -> _Entry:
    where = f"{path}, line {entry.line}"
    if not isinstance(entry.fields, dict):
        raise ValueError(f"{where}: {entry.fields!r} is no object with video, question and answer")
    for name in ("video", "question", "answer"):
        if name not in entry.fields:
            raise ValueError(f"{where}: field {name!r} is missing; there are {', '.join(entry.fields)}")
    names = _names(entry)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{where}, field 'video': {entry.fields['video']!r} is neither a file's name nor a list of them")
    if not isinstance(entry.fields["question"], str) or not entry.fields["question"].strip():
        raise ValueError(f"{where}, field 'question': {entry.fields['question']!r} is no text")
    try:
        _truth(entry, kind)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}, field 'answer': {entry.fields['answer']!r} {error}") from None
    return entry


def _names(entry: _Entry) -> list[str]:
    given = entry.fields["video"]
    return list(given) if isinstance(given, list) else [given]


def _options(entry: _Entry) -> dict[str, str]:
    given = entry.fields.get("options")
    return lettered([str(text) for text in given]) if given else options_of(entry.fields["question"])


def _truth(entry: _Entry, kind: str) -> str:
    """The right answer as samples hold it; raises ValueError if it is none."""
    answer = entry.fields["answer"]
    if kind == "vqa":
        try:
            return parse_choice(str(answer), _options(entry))
        except Unparseable as error:
            raise ValueError(f"is no option: {error}") from None
    spans = answer if isinstance(answer, list) and answer and isinstance(answer[0], list) else [answer]
    return "|".join(_span(span).format() for span in spans)


def _span(given: Any) -> Interval:
    text = "-".join(map(str, given)) if isinstance(given, list) else str(given)
    try:
        return Interval.read(answer_text(text))
    except Unparseable as error:
        raise ValueError(f"is no interval in seconds: {error}") from None


def _choices(entries: list[_Entry], found: Mapping[str, Source | None]) -> list[_Answers]:
    truths = [_truth(entry, "vqa") for entry in entries]
    letter, hits = Counter(truths).most_common(1)[0]
    return [
        (truth, letter, hits / len(truths), {"options": _options(entry)}) for truth, entry in zip(truths, entries, strict=True)
    ]


def _intervals(entries: list[_Entry], found: Mapping[str, Source | None]) -> list[_Answers]:
    truths = [_truth(entry, "vtg") for entry in entries]
    lengths = [_duration(entry, found) for entry in entries]
    relative = [
        [Interval(span.start / length, span.end / length) for span in map(Interval.read, truth.split("|"))]
        for truth, length in zip(truths, lengths, strict=True)
        if length
    ]
    best, chance = _best_constant(relative)
    return [
        (truth, Interval(round(best.start * length, 2), round(best.end * length, 2)).format() if length else "", chance, {"duration": length})
        for truth, length in zip(truths, lengths, strict=True)
    ]  # fmt: skip


def _duration(entry: _Entry, found: Mapping[str, Source | None]) -> float:
    """Seconds of its video; 0 where neither the entry nor the file says."""
    if entry.fields.get("duration"):
        return float(entry.fields["duration"])
    source = found[_names(entry)[0]]
    if source is None:
        return 0.0
    try:
        with av.open(source.url, metadata_errors="replace") as container:
            return (container.duration or 0) / 1e6
    except (av.FFmpegError, OSError):  # said with its reason when its frames are asked for
        return 0.0


def _best_constant(spans: list[list[Interval]]) -> tuple[Interval, float]:
    """The share of a video, the same for all, that reaches the highest mean IoU, and that IoU."""
    best = (Interval(0, 1), 0.0)
    for start in range(GRID):
        for end in range(start + 1, GRID + 1):
            tried = Interval(start / GRID, end / GRID)
            reached = sum(max(map(tried.iou, own)) for own in spans) / len(spans) if spans else 0.0
            if reached > best[1]:
                best = (tried, reached)
    return best


def _find(folder: Path, names: set[str], clip_cache: str | None) -> dict[str, Source | None]:
    """The source of each name, None where there is no file: at that path, else of that stem anywhere below the folder."""
    there: dict[str, Path] = {}
    for name in names:
        tried = (folder / name, *(folder / f"{name}{ending}" for ending in (".mp4", *VIDEO_EXTENSIONS)))
        if (path := next((path for path in tried if path.is_file()), None)) is not None:
            there[name] = path
    if len(there) < len(names):
        stems = {path.stem: path for path in sorted(folder.rglob("*")) if path.suffix.lower() in VIDEO_EXTENSIONS}
        for name in names - there.keys():
            if (path := stems.get(name) or stems.get(Path(name).stem)) is not None:
                there[name] = path
    memory = ContentMemory(clip_cache_folder(clip_cache))
    sources = identify([Source(name, str(path.absolute())) for name, path in sorted(there.items())], memory)
    return {**dict.fromkeys(names), **{source.name: source for source in sources}}
