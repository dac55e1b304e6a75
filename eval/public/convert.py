"""Converts published annotation files to question files; each function reads one benchmark's format.

`python -m eval convert FORMAT FILE --out questions.json`, then `python -m eval vqa` or `vtg`. Entries without a valid answer (an
interval that ends before it starts) are left out and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

Entry = dict[str, Any]


def qvhighlights(path: Path) -> list[Entry]:
    """`highlight_val_release.jsonl`: a query with one or several windows, in seconds; the one with the highest IoU counts."""
    return [
        _entry(f"qid-{row['qid']}", row["vid"], row["query"], row["relevant_windows"], duration=row["duration"])
        for row in map(json.loads, filter(str.strip, path.read_text(encoding="utf-8").splitlines()))
    ]


def activitynet(path: Path) -> list[Entry]:
    """`val_1.json` or, as is usual for grounding, `val_2.json`: sentences with start and end in seconds, by video."""
    return [entry for video, facts in _read(path, dict).items() for entry in _sentences(video, facts, facts["duration"], 1.0)]


def tacos(path: Path) -> list[Entry]:
    """2D-TAN's `test.json`: sentences with first and last frame number, by video."""
    entries = []
    for video, facts in _read(path, dict).items():
        entries += _sentences(video.removesuffix(".avi"), facts, facts["num_frames"] / facts["fps"], facts["fps"])
    return entries


def aotbench(path: Path) -> list[Entry]:
    """One of its five lists: a complete prompt with options, and a letter."""
    return [
        _entry(f"{path.stem}-{row['qa_idx']}", row["video_name"], row["question"], row["ans"], column=path.stem)
        for row in _read(path, list)
    ]


def cvbench(path: Path) -> list[Entry]:
    """`CVBench.json`: two to four videos for each question; the answer is a letter, or Yes or No."""
    entries = []
    for row in _read(path, list):
        videos = [row[name] for name in ("video_1", "video_2", "video_3", "video_4") if row.get(name)]
        options = row["options"]
        if len(options) == 1:  # one string holds all options
            options = [part.strip() for part in re.split(r"(?<!\w)(?=[A-D]\. )", options[0]) if part.strip()]
        entries.append(
            _entry(f"id-{row['id']}", videos, row["question"], row["answer"], options=options, column=row["task_type"])
        )
    return entries


FORMATS: Mapping[str, Callable[[Path], list[Entry]]] = {
    function.__name__: function for function in (qvhighlights, activitynet, tacos, aotbench, cvbench)
}


def convert(name: str, path: Path) -> tuple[list[Entry], int]:
    """(questions of an annotation file, number of entries without a valid answer).

    Raises:
        UsageError: if the format is unknown, or the file does not have it.
    """
    if name not in FORMATS:
        raise UsageError(f"format={name!r} is unknown; {nearest(name, list(FORMATS))}")
    try:
        entries = FORMATS[name](path)
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        message = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{str(path)!r} is no annotation file of {name}: {message}") from None
    valid = [entry for entry in entries if not isinstance(entry["answer"], list) or entry["answer"]]
    return valid, len(entries) - len(valid)


def _sentences(video: str, facts: Mapping[str, Any], duration: float, rate: float) -> list[Entry]:
    """One entry for each sentence, with its interval clipped to the video; an empty interval gives an empty answer.

    Args:
        duration: of the video, in seconds.
        rate: timestamps per second.
    """
    entries = []
    for index, (span, sentence) in enumerate(zip(facts["timestamps"], facts["sentences"], strict=True)):
        start, end = (round(min(max(time / rate, 0.0), duration), 2) for time in span)
        answer = [[start, end]] if end > start else []
        entries.append(_entry(f"{video}-{index}", video, sentence.strip(), answer, duration=round(duration, 2)))
    return entries


def _entry(name: str, video: str | list[str], question: str, answer: Any, **more: Any) -> Entry:
    return {"id": name, "video": video, "question": question, "answer": answer, **more}


def _read(path: Path, kind: type) -> Any:
    annotations = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(annotations, kind):
        raise TypeError(f"it holds no {'object with one entry per video' if kind is dict else 'list of questions'}")
    return annotations
