"""Reads questions on videos from a file: multiple choice (`vqa`) or temporal grounding (`vtg`).

The file is a JSON list, or has one JSON object per line:

    {"video": "fFjv93ACGo8", "question": "What … A. … B. …", "answer": "C"}
    {"video": "3MSZA", "question": "person turns a light on", "answer": "24.3 - 30.4"}

`video` is a path in the folder of videos, with or without extension, or a file name anywhere below that folder; or a list of these.
Optional fields: `options` (a list of texts, if the question does not contain them), `column` (in tables), `id`, and for `vtg`
`duration` in seconds.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
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

from ..frames import file_reference
from ..protocols import OURS, Protocol
from ..reading import letter_options, parse_choice, parse_options
from ..sample import Benchmark, Sample

GRID = 20  # the best constant interval is searched in steps of 1/20 of the video


@dataclass(frozen=True)
class _Entry:
    """One question of the file, by its number."""

    number: int
    kind: str
    fields: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """The names of its videos."""
        video = self.fields["video"]
        return list(video) if isinstance(video, list) else [video]

    @property
    def id(self) -> str:
        value = self.fields.get("id")
        return f"{self.number:05d}" if value is None else str(value)

    @property
    def column(self) -> str:
        return str(self.fields.get("column", "all"))

    @cached_property
    def options(self) -> dict[str, str]:
        texts = self.fields.get("options")
        return letter_options([str(text) for text in texts]) if texts else parse_options(self.fields["question"])

    @cached_property
    def truth(self) -> str:
        """The right answer in the format of `Sample.truth`; raises Unparseable if it is invalid."""
        answer = self.fields["answer"]
        if self.kind == "vqa":
            return parse_choice(str(answer), self.options)
        spans = answer if isinstance(answer, list) and answer and isinstance(answer[0], list) else [answer]
        texts = ["-".join(map(str, span)) if isinstance(span, list) else str(span) for span in spans]
        return "|".join(Interval.read(answer_text(text)).format() for text in texts)

    def faults(self) -> Iterator[tuple[str, str]]:
        """(field, what is wrong with it). Only the first one is reliable: later checks assume that earlier ones passed."""
        fields, question = self.fields, self.fields["question"]
        if not self.names or not all(isinstance(name, str) and name for name in self.names):
            yield "video", "is neither a file's name nor a list of them"
        if not isinstance(question, str) or not question.strip():
            yield "question", "is no text"
        if PLACEHOLDER in question and question.count(PLACEHOLDER) != len(self.names):
            yield "question", f"has {question.count(PLACEHOLDER)} {PLACEHOLDER} for {len(self.names)} videos"
        if "options" in fields and (not isinstance(fields["options"], list) or len(fields["options"]) < 2):
            yield "options", "is no list of two texts or more"
        duration = fields.get("duration")
        if duration is not None and not (type(duration) in (int, float) and math.isfinite(duration) and duration > 0):
            yield "duration", "is no number of seconds above 0"
        try:
            _ = self.truth
        except (Unparseable, TypeError) as error:
            yield "answer", f"is no {'option' if self.kind == 'vqa' else 'interval in seconds'}: {error}"


def from_file(
    path: str | os.PathLike[str], kind: str, videos: str | os.PathLike[str], *, protocol: Protocol = OURS, frames: int | None = None,
    max_pixels: int = 512 * 512, prompt: str | None = None, limit: int | None = None, clip_cache: str | None = None,
) -> Benchmark:  # fmt: skip
    """Read a benchmark from a file of questions.

    Args:
        kind: `vqa` or `vtg`.
        videos: the folder of the videos.
        protocol: the prompt and the frames, unless the next arguments replace them.
        frames: frames of each video, evenly spaced over its whole length; a video with fewer frames gives all.
        max_pixels: maximum number of pixels of a frame; its sides are multiples of 64.
        prompt: a template with `{question}` in it.
        limit: only the first so many questions whose videos are found.

    Raises:
        UsageError: naming number and field of the first invalid entry.
    """
    template = prompt or protocol.prompts[kind]
    if "{question}" not in template:
        raise UsageError(f"prompt={template!r} is not allowed; allowed: a text with {{question}} in it")
    folder = Path(videos).expanduser()
    if not folder.is_dir():
        raise UsageError(f"videos={str(videos)!r} is no folder; give the folder of the questions' videos")
    sampling = Sampling(frames or protocol.frames, max_pixels, share=1.0, fewer=True)
    entries = _read_entries(Path(path), kind)
    sources = _find_videos(folder, {name for entry in entries for name in entry.names}, clip_cache)
    missing = dict.fromkeys(name for entry in entries for name in entry.names if name not in sources)
    usable = [entry for entry in entries if not missing.keys() & set(entry.names)][:limit]
    lengths = (
        {name: _length(sources[name]) for entry in usable for name in entry.names} if protocol.rate or kind == "vtg" else {}
    )
    blinds = _best_letters(usable) if kind == "vqa" else _best_intervals(usable, lengths)
    samples = []
    for entry, (blind, chance, info) in zip(usable, blinds, strict=True):
        own = [sources[name] for name in entry.names]
        numbers = (
            [_frame_number(lengths[name], protocol.rate, sampling.frames) for name in entry.names] if protocol.rate else []
        )
        reference = file_reference(own, numbers, protocol.min_pixels)
        text = str(entry.fields["question"]).strip()
        if kind == "vqa" and not parse_options(text):
            text = "\n".join([text, *(f"{letter}. {option}" for letter, option in entry.options.items())])
        question = template.replace("{question}", text)
        sample = Sample(
            id=entry.id,
            column=entry.column,
            group=own[0].fingerprint or own[0].name,
            question=question if PLACEHOLDER in question else "\n".join([*[PLACEHOLDER] * len(own), question]),
            truth=entry.truth,
            kind="choice" if kind == "vqa" else "interval",
            metric="accuracy" if kind == "vqa" else "iou",
            chance=chance,
            blind=blind,
            videos=reference,
            content=digest([one.fingerprint for one in own], asdict(sampling), *([numbers] if numbers else [])),
            info={**info, "source": own[0].name, **({"protocol": protocol.name} if protocol != OURS else {})},
        )
        samples.append(sample)
    facts = {"questions": len(entries), "frames": sampling.frames, "max_pixels": max_pixels, "prompt": template}
    facts |= {"protocol": protocol.name} if protocol != OURS else {}
    return Benchmark(Path(path).stem, kind, tuple(samples), sampling, tuple(missing), facts)


def _read_entries(path: Path, kind: str) -> list[_Entry]:
    """The file's objects, each checked; raises UsageError naming number and field."""
    entries: dict[str, _Entry] = {}
    for number, value in enumerate(_read_values(path), 1):
        where, entry = f"{path}, question {number}", _Entry(number, kind, value)
        if not isinstance(value, dict):
            raise UsageError(f"{where}: {value!r} is no object with video, question and answer")
        for name in ("video", "question", "answer"):
            if name not in value:
                raise UsageError(f"{where}: field {name!r} is missing; there are {', '.join(value)}")
        for name, fault in entry.faults():
            raise UsageError(f"{where}, field {name!r}: {value[name]!r} {fault}")
        if entry.id in entries:
            raise UsageError(f"{where}, field 'id': {entry.id!r} is also the id of question {entries[entry.id].number}")
        entries[entry.id] = entry
    return list(entries.values())


def _read_values(path: Path) -> list[Any]:
    """The file's JSON values; raises UsageError naming the line that is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"questions={str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"questions={str(path)!r} is no UTF-8 text; give a JSON list, or one JSON object per line") from None
    values: list[Any] = []
    line = 0
    try:
        if text.lstrip().startswith("["):
            values = json.loads(text)
        else:
            for line, content in enumerate(text.split("\n")):  # noqa: B007 - the error names it
                values += [json.loads(content)] if content.strip() else []
    except json.JSONDecodeError as error:
        message = f"no JSON ({error.msg}); give a complete list, or one object per line"
        raise UsageError(f"{path}, line {line + error.lineno}: {message}") from None
    if not values:
        raise UsageError(f"{path} holds no question")
    return values


_Blind = tuple[str, float, dict[str, Any]]  # the best constant answer, its mean score, and what `Sample.info` holds


def _best_letters(entries: Sequence[_Entry]) -> Iterator[_Blind]:
    """The best constant answer is the most frequent letter of each column."""
    letters: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        letters[entry.column][entry.truth] += 1
    for entry in entries:
        letter, hits = letters[entry.column].most_common(1)[0]
        yield letter, hits / letters[entry.column].total(), {"options": entry.options}


def _best_intervals(entries: Sequence[_Entry], lengths: Mapping[str, float]) -> Iterator[_Blind]:
    """The best constant answer is one interval for each column, relative to the length of the video."""
    durations = [float(entry.fields.get("duration") or lengths[entry.names[0]]) for entry in entries]
    relative: dict[str, list[list[Interval]]] = defaultdict(list)
    for entry, length in zip(entries, durations, strict=True):
        if length:
            spans = map(Interval.read, entry.truth.split("|"))
            relative[entry.column].append([Interval(span.start / length, span.end / length) for span in spans])
    best = {column: _best_constant(spans) for column, spans in relative.items()}
    for entry, length in zip(entries, durations, strict=True):
        constant, chance = best.get(entry.column, (Interval(0, 1), 0.0))
        blind = Interval(round(constant.start * length, 2), round(constant.end * length, 2)).format() if length else ""
        yield blind, chance, {"duration": length}


def _best_constant(spans: list[list[Interval]]) -> tuple[Interval, float]:
    """The constant interval with the highest mean IoU, and that mean; of several true intervals the best counts."""
    candidates = (Interval(start / GRID, end / GRID) for start in range(GRID) for end in range(start + 1, GRID + 1))
    scored = ((sum(max(map(one.iou, truths)) for truths in spans) / len(spans), one) for one in candidates)
    mean_iou, best = max(scored, key=lambda pair: pair[0])
    return best, mean_iou


def _length(source: Source) -> float:
    """The length of a video in seconds; 0 if its file does not say."""
    try:
        with av.open(source.url, metadata_errors="replace") as container:
            return (container.duration or 0) / 1e6
    except (av.FFmpegError, OSError):  # reported later, when its frames are loaded
        return 0.0


def _frame_number(length: float, rate: float, most: int) -> int:
    """How many frames a rate gives, in pairs, as Qwen's processor counts them."""
    return min(most, max(2, round(length * rate) // 2 * 2)) if length else most


def _find_videos(folder: Path, names: set[str], clip_cache: str | None) -> dict[str, Source]:
    """The sources that exist, by name. A name is a path in the folder, or without `/` a file name anywhere below it.

    Raises:
        UsageError: if several files have the same name.
    """
    paths: dict[str, Path] = {}
    for name in names:
        candidates = (folder / name, *(folder / f"{name}{ending}" for ending in (".mp4", *VIDEO_EXTENSIONS)))
        if (path := next((path for path in candidates if path.is_file()), None)) is not None:
            paths[name] = path
    elsewhere = sorted(name for name in names - paths.keys() if "/" not in name)
    stems: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")) if elsewhere else ():
        if path.suffix.lower() in VIDEO_EXTENSIONS:
            stems[path.stem].append(path)
    for name in elsewhere:
        matches = stems[Path(name).stem if Path(name).suffix.lower() in VIDEO_EXTENSIONS else name]
        if len(matches) > 1:
            listed = ", ".join(str(path.relative_to(folder)) for path in matches[:3])
            raise UsageError(f"video={name!r} is the name of several files: {listed}; give its path")
        if matches:
            paths[name] = matches[0]
    files = {str(path.absolute()): Source(name, str(path.absolute())) for name, path in sorted(paths.items())}
    found = {source.url: source for source in identify(files.values(), ContentMemory(ClipCache.of(clip_cache).folder))}
    return {name: replace(found[str(path.absolute())], name=name) for name, path in paths.items()}
