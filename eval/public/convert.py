"""Published annotation files, made into questions of ours; each function reads one benchmark's format.

`python -m eval convert FORMAT FILE --out questions.json`, then `python -m eval vqa` or `vtg`. Entries that hold no question (a moment
that ends before it begins) are left out and counted.
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
    """`highlight_val_release.jsonl`: a query with one or several windows, in seconds; the best of them counts."""
    rows = _lines(path)
    return [
        {
            "id": f"qid-{row['qid']}",
            "video": row["vid"],
            "question": row["query"],
            "answer": row["relevant_windows"],
            "duration": row["duration"],
        }
        for row in rows
    ]


def activitynet(path: Path) -> list[Entry]:
    """`val_1.json` or, as is customary for grounding, `val_2.json`: sentences with their seconds, by video."""
    return [entry for video, told in _object(path).items() for entry in _sentences(video, told, told["duration"], 1.0)]


def tacos(path: Path) -> list[Entry]:
    """2D-TAN's `test.json`: sentences with the numbers of their frames, by video."""
    found = []
    for video, told in _object(path).items():
        found += _sentences(video.removesuffix(".avi"), told, told["num_frames"] / told["fps"], told["fps"])
    return found


def aotbench(path: Path) -> list[Entry]:
    """One of its five lists: a whole prompt with its options, and a letter."""
    return [
        {
            "id": f"{path.stem}-{row['qa_idx']}",
            "video": row["video_name"],
            "question": row["question"],
            "answer": row["ans"],
            "column": path.stem,
        }
        for row in _list(path)
    ]


def cvbench(path: Path) -> list[Entry]:
    """`CVBench.json`: two to four videos a question; a letter, or Yes or No."""
    found = []
    for row in _list(path):
        videos = [row[name] for name in ("video_1", "video_2", "video_3", "video_4") if row.get(name)]
        options = row["options"]
        if len(options) == 1:  # all of them in one text
            options = [part.strip() for part in re.split(r"(?<!\w)(?=[A-D]\. )", options[0]) if part.strip()]
        found.append(
            {
                "id": f"id-{row['id']}",
                "video": videos,
                "question": row["question"],
                "options": options,
                "answer": row["answer"],
                "column": row["task_type"],
            }
        )
    return found


FORMATS: Mapping[str, Callable[[Path], list[Entry]]] = {
    "qvhighlights": qvhighlights,
    "activitynet": activitynet,
    "tacos": tacos,
    "aotbench": aotbench,
    "cvbench": cvbench,
}


def convert(name: str, path: Path) -> tuple[list[Entry], int]:
    """The questions of an annotation file, and how many entries hold none.

    Raises:
        UsageError: if the format is unknown, or the file is not of it.
    """
    if name not in FORMATS:
        raise UsageError(f"format={name!r} is unknown; {nearest(name, list(FORMATS))}")
    try:
        entries = FORMATS[name](path)
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        what = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{str(path)!r} is no annotation file of {name}: {what}") from None
    kept = [entry for entry in entries if not isinstance(entry["answer"], list) or entry["answer"]]
    return kept, len(entries) - len(kept)


def _sentences(video: str, told: Mapping[str, Any], duration: float, per_second: float) -> list[Entry]:
    """Moments within the video, in seconds; those that hold no time get no answer."""
    found = []
    for at, (span, sentence) in enumerate(zip(told["timestamps"], told["sentences"], strict=True)):
        start, end = (round(min(max(edge / per_second, 0.0), duration), 2) for edge in span)
        answer = [[start, end]] if end > start else []
        found.append(
            {
                "id": f"{video}-{at}",
                "video": video,
                "question": sentence.strip(),
                "answer": answer,
                "duration": round(duration, 2),
            }
        )
    return found


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _object(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise TypeError("it holds no object of videos")
    return found


def _list(path: Path) -> list[Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, list):
        raise TypeError("it holds no list of questions")
    return found
