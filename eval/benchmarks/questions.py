"""Questions on videos from a file, as the paper's own scripts read them: option letters (VQA) or time intervals (VTG).

A JSON list, or one object a line, of

    {"video": "fFjv93ACGo8", "question": "What … A. … B. …", "answer": "C"}
    {"video": "3MSZA", "question": "person turns a light on", "answer": "24.3 - 30.4"}

`video` is a path below the folder of videos, with or without its extension, or a file's name anywhere below it; or a list of them.
Besides, there may be `options` (a list of texts, where the question does not hold them), `column` (of tables), `id`, and for
intervals `duration` in seconds.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av

from dataset_builder.identity import digest
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.sampling import Sampling
from dataset_builder.sources.find import VIDEO_EXTENSIONS
from dataset_builder.sources.identify import identify
from dataset_builder.sources.memory import ContentMemory
from dataset_builder.sources.source import Source
from dataset_builder.tasks import UsageError
from dataset_builder.tasks.answers import Interval
from dataset_builder.tasks.answers.reading import Unparseable, answer_text
from dataset_builder.tasks.base import PLACEHOLDER

from ..choice import lettered, options_of, parse_choice
from ..frames import files
from ..sample import Benchmark, Sample

PROMPTS = {
    "vqa": "{question}\nAnswer with the letter of the right option, inside <answer></answer>.",
    "vtg": "When does this happen in the video: {question}\n"
    "Answer with its start and end in seconds, for example <answer>12.3-45.6</answer>.",
}
GRID = 20  # steps of the video's length, for the best constant interval


@dataclass(frozen=True)
class _Entry:
    """One question of the file, and the line that it begins on."""

    number: int
    line: int
    fields: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        given = self.fields["video"]
        return list(given) if isinstance(given, list) else [given]

    @property
    def id(self) -> str:
        given = self.fields.get("id")
        return f"{self.number:05d}" if given is None else str(given)

    @property
    def column(self) -> str:
        return str(self.fields.get("column", "all"))

    @property
    def options(self) -> dict[str, str]:
        given = self.fields.get("options")
        return lettered([str(text) for text in given]) if given else options_of(self.fields["question"])


@dataclass(frozen=True)
class _Answer:
    """What is right, the best constant answer, and what that reaches in the entry's column."""

    truth: str
    blind: str
    chance: float
    info: dict[str, Any]


def from_file(
    path: str | os.PathLike[str],
    kind: str,
    videos: str | os.PathLike[str],
    *,
    frames: int = 48,
    max_pixels: int = 512 * 512,
    prompt: str | None = None,
    limit: int | None = None,
    clip_cache: str | None = None,
) -> Benchmark:
    """Read questions.

    Args:
        kind: `vqa` or `vtg`.
        videos: the folder that `video` is looked for in.
        frames: of each video, evenly spaced over the whole of it; a video that has fewer gives all.
        max_pixels: most pixels a frame; its sides are multiples of 64.
        prompt: what is asked, with `{question}` in it; None for `PROMPTS`.
        limit: the first so many of those whose videos are there.

    Raises:
        UsageError: naming line and field of the first entry that is wrong.
    """
    template = prompt or PROMPTS[kind]
    if "{question}" not in template:
        raise UsageError(f"prompt={template!r} is not allowed; allowed: a text with {{question}} in it")
    folder = Path(videos).expanduser()
    if not folder.is_dir():
        raise UsageError(f"videos={str(videos)!r} is no folder; give the folder of the questions' videos")
    sampling = Sampling(frames, max_pixels, share=1.0, fewer=True)
    entries = list(_checked(_entries(Path(path)), str(path), kind))
    found = _find(folder, {name for entry in entries for name in entry.names}, clip_cache)
    missing = dict.fromkeys(name for entry in entries for name in entry.names if name not in found)
    kept = [entry for entry in entries if not missing.keys() & set(entry.names)][:limit]
    answers = (_choices if kind == "vqa" else _intervals)(kept, found)
    samples = [
        _sample(entry, kind, template, [found[name] for name in entry.names], sampling, answer)
        for entry, answer in zip(kept, answers, strict=True)
    ]
    told = {"questions": len(entries), "frames": frames, "max_pixels": max_pixels, "prompt": template}
    return Benchmark(Path(path).stem, kind, tuple(samples), sampling, tuple(missing), told)


def _sample(entry: _Entry, kind: str, template: str, sources: list[Source], sampling: Sampling, answer: _Answer) -> Sample:
    text = str(entry.fields["question"]).strip()
    if kind == "vqa" and not options_of(text):
        text = "\n".join([text, *(f"{letter}. {option}" for letter, option in entry.options.items())])
    asked = template.replace("{question}", text)
    return Sample(
        id=entry.id,
        column=entry.column,
        group=sources[0].fingerprint or sources[0].name,
        question=asked if PLACEHOLDER in asked else "\n".join([*[PLACEHOLDER] * len(sources), asked]),
        truth=answer.truth,
        kind="choice" if kind == "vqa" else "interval",
        metric="accuracy" if kind == "vqa" else "iou",
        chance=answer.chance,
        blind=answer.blind,
        videos=files(sources),
        content=digest([source.fingerprint for source in sources], asdict(sampling)),
        info={**answer.info, "source": sources[0].name},
    )


def _entries(path: Path) -> Iterator[_Entry]:
    """The file's objects.

    Raises:
        UsageError: naming the line that is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"questions={str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"questions={str(path)!r} is no UTF-8 text; give a JSON list, or one JSON object a line") from None
    decoder = json.JSONDecoder()
    listed = text.lstrip().startswith("[")
    at, line, counted, number = (text.index("[") + 1 if listed else 0), 1, 0, 0
    while True:
        at = _skip(text, at, " \t\r\n," if listed else " \t\r\n")
        if at >= len(text) or (listed and text[at] == "]"):
            break
        line, counted, number = line + text.count("\n", counted, at), at, number + 1
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}, line {error.lineno}: no JSON ({error.msg}); give a list, or one object a line") from None
        yield _Entry(number, line, value)
    last = 1 + text.count("\n", 0, at)
    if listed and at >= len(text):
        raise UsageError(f"{path}, line {last}: the list does not end; is the file whole?")
    if listed and text[at + 1 :].strip():
        raise UsageError(f"{path}, line {last}: something stands behind the list's end")
    if number == 0:
        raise UsageError(f"{path} holds no question")


def _skip(text: str, at: int, what: str) -> int:
    while at < len(text) and text[at] in what:
        at += 1
    return at


def _checked(entries: Iterable[_Entry], path: str, kind: str) -> Iterator[_Entry]:
    """The entries, each looked at.

    Raises:
        UsageError: naming line and field of one that is wrong.
    """
    lines: dict[str, int] = {}
    for entry in entries:
        where = f"{path}, line {entry.line}"
        if not isinstance(entry.fields, dict):
            raise UsageError(f"{where}: {entry.fields!r} is no object with video, question and answer")
        for name in ("video", "question", "answer"):
            if name not in entry.fields:
                raise UsageError(f"{where}: field {name!r} is missing; there are {', '.join(entry.fields)}")
        for name, fault in _faults(entry, kind):
            raise UsageError(f"{where}, field {name!r}: {entry.fields[name]!r} {fault}")
        if entry.id in lines:
            raise UsageError(f"{where}, field 'id': {entry.id!r} is the id of line {lines[entry.id]} too")
        lines[entry.id] = entry.line
        yield entry


def _faults(entry: _Entry, kind: str) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it); what comes first must be right for what comes later."""
    fields = entry.fields
    if not entry.names or not all(isinstance(name, str) and name for name in entry.names):
        yield "video", "is neither a file's name nor a list of them"
    question = fields["question"]
    if not isinstance(question, str) or not question.strip():
        yield "question", "is no text"
    if PLACEHOLDER in question and question.count(PLACEHOLDER) != len(entry.names):
        yield "question", f"has {question.count(PLACEHOLDER)} places for {len(entry.names)} videos"
    if "options" in fields and (not isinstance(fields["options"], list) or len(fields["options"]) < 2):
        yield "options", "is no list of two texts or more"
    duration = fields.get("duration")
    if duration is not None and not (type(duration) in (int, float) and math.isfinite(duration) and duration > 0):
        yield "duration", "is no number of seconds above 0"
    try:
        _truth(entry, kind)
    except (Unparseable, TypeError) as error:
        yield "answer", f"is no {'option' if kind == 'vqa' else 'interval in seconds'}: {error}"


def _truth(entry: _Entry, kind: str) -> str:
    """The right answer as samples hold it; raises Unparseable if it is none."""
    answer = entry.fields["answer"]
    if kind == "vqa":
        return parse_choice(str(answer), entry.options)
    spans = answer if isinstance(answer, list) and answer and isinstance(answer[0], list) else [answer]
    texts = ["-".join(map(str, span)) if isinstance(span, list) else str(span) for span in spans]
    return "|".join(Interval.read(answer_text(text)).format() for text in texts)


def _choices(entries: Sequence[_Entry], found: Mapping[str, Source]) -> Iterator[_Answer]:
    """With the most frequent letter of each column as its best constant."""
    truths = [_truth(entry, "vqa") for entry in entries]
    letters: dict[str, Counter[str]] = defaultdict(Counter)
    for entry, truth in zip(entries, truths, strict=True):
        letters[entry.column][truth] += 1
    for entry, truth in zip(entries, truths, strict=True):
        own = letters[entry.column]
        letter, hits = own.most_common(1)[0]
        yield _Answer(truth, letter, hits / own.total(), {"options": entry.options})


def _intervals(entries: Sequence[_Entry], found: Mapping[str, Source]) -> Iterator[_Answer]:
    """With the share of a video that is best for each column as its best constant."""
    truths = [_truth(entry, "vtg") for entry in entries]
    lengths = [_duration(entry, found) for entry in entries]
    shares: dict[str, list[list[Interval]]] = defaultdict(list)
    for entry, truth, length in zip(entries, truths, lengths, strict=True):
        if length:
            spans = map(Interval.read, truth.split("|"))
            shares[entry.column].append([Interval(span.start / length, span.end / length) for span in spans])
    best = {column: _best_constant(own) for column, own in shares.items()}
    for entry, truth, length in zip(entries, truths, lengths, strict=True):
        constant, chance = best.get(entry.column, (Interval(0, 1), 0.0))
        blind = Interval(round(constant.start * length, 2), round(constant.end * length, 2)).format() if length else ""
        yield _Answer(truth, blind, chance, {"duration": length})


def _duration(entry: _Entry, found: Mapping[str, Source]) -> float:
    """Seconds of its video; 0 where neither the entry nor the file says."""
    if entry.fields.get("duration"):
        return float(entry.fields["duration"])
    try:
        with av.open(found[entry.names[0]].url, metadata_errors="replace") as container:
            return (container.duration or 0) / 1e6
    except (av.FFmpegError, OSError):  # said with its reason when its frames are asked for
        return 0.0


def _best_constant(spans: list[list[Interval]]) -> tuple[Interval, float]:
    """The share of a video, the same for all, that reaches the highest mean IoU, and that IoU."""
    best = (Interval(0, 1), 0.0)
    for start in range(GRID):
        for end in range(start + 1, GRID + 1):
            tried = Interval(start / GRID, end / GRID)
            reached = sum(max(map(tried.iou, own)) for own in spans) / len(spans)
            if reached > best[1]:
                best = (tried, reached)
    return best


def _find(folder: Path, names: set[str], clip_cache: str | None) -> dict[str, Source]:
    """The sources of those names that are there: at that path, or, of a bare name, anywhere below the folder.

    Raises:
        UsageError: if a bare name is that of several files.
    """
    there: dict[str, Path] = {}
    for name in names:
        tried = (folder / name, *(folder / f"{name}{ending}" for ending in (".mp4", *VIDEO_EXTENSIONS)))
        if (path := next((path for path in tried if path.is_file()), None)) is not None:
            there[name] = path
    bare = {name for name in names - there.keys() if "/" not in name}
    if bare:
        stems: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in VIDEO_EXTENSIONS:
                stems[path.stem].append(path)
        for name in sorted(bare):
            stem = Path(name).stem if Path(name).suffix.lower() in VIDEO_EXTENSIONS else name
            own = stems.get(stem, [])
            if len(own) > 1:
                raise UsageError(
                    f"video={name!r} is the name of several files: {', '.join(str(path.relative_to(folder)) for path in own[:3])}; give its path"
                )
            if own:
                there[name] = own[0]
    memory = ContentMemory(ClipCache.of(clip_cache).folder)
    sources = identify([Source(name, str(path.absolute())) for name, path in sorted(there.items())], memory)
    return {source.name: source for source in sources}
