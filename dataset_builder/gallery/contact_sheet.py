"""Contact sheets: one question as a picture, with all frames and their times; edited frames have a border."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from ..media.frame import Frame
from ..questions.maker import Question
from ..questions.row import decode_video
from ..tasks import EditList
from ..tasks.edits import OutputClip

INK, PAPER, MARK, FAINT = (30, 30, 30), (250, 250, 248), (214, 60, 40), (120, 120, 120)
TILE = 150  # pixels of a tile's longer side
COLUMNS = 8
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Sheet:
    """The content of a contact sheet.

    Attributes:
        title, question, answer: lines above the frames.
        videos: frames and their times in seconds, for each video.
        marked: positions of frames with a border, for each video.
    """

    title: str
    question: str
    answer: str
    videos: Sequence[tuple[Sequence[Frame], Sequence[float]]]
    marked: Sequence[Collection[int]]


def contact_sheet(question: Question) -> Frame:
    """A picture of a planned question."""
    title = f"{question.portion.task.name}   level {question.portion.level.name}   {question.source.name}"
    videos = [(video.frames(), video.times) for video in question.videos]
    return draw(Sheet(title, question.plan.question, question.plan.answer.format(), videos, _edited(question.plan.edits)))


def row_sheet(row: Mapping[str, Any]) -> Frame:
    """A picture of a stored row."""
    info = row["extra_info"]
    videos = [(decode_video(video), times) for video, times in zip(row["videos"], info["frame_times"], strict=True)]
    title = f"{info['task']}   level {info['level_name']}   {info['source']}"
    answer = row["reward_model"]["ground_truth"]
    return draw(Sheet(title, row["prompt"][-1]["content"], answer, videos, _edited(EditList.from_json(info["recipe"]))))


def draw(sheet: Sheet) -> Frame:
    """A picture of the question, the answer and every frame of every video; marked frames have a red border."""
    columns = COLUMNS if len(sheet.videos) == 1 else max(2, min(COLUMNS, len(sheet.videos[0][0])))
    rows = [_tiles(frames, times, marked, columns) for (frames, times), marked in zip(sheet.videos, sheet.marked, strict=True)]
    width = max(row.shape[1] for row in rows)
    question = sheet.question.replace("<video>", "[video]")
    lines = [line for part in question.split("\n") for line in textwrap.wrap(part, max(30, width // 8)) or [""]]
    parts = [_text([sheet.title, *lines, f"Answer: {sheet.answer}"], width)]
    for k, row in enumerate(rows):
        if len(rows) > 1:
            parts.append(_text([captions(sheet.question)[k]], width))
        parts.append(cv2.copyMakeBorder(row, 0, 0, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=PAPER))
    return np.vstack(parts)


def captions(question: str) -> list[str]:
    """What the question calls each of its videos, e.g. `Clip 1`; what stands before it in its line."""
    return [before.rpartition("\n")[2].strip(" :") for before in question.split("<video>")[:-1]]


def write_picture(path: str, picture: Frame) -> None:
    """Write an RGB picture in the format of the file extension; raises OSError if that fails."""
    with open(path, "wb") as file:
        file.write(encode_picture(picture, os.path.splitext(path)[1]))


def encode_picture(picture: Frame, ending: str) -> bytes:
    """An RGB picture as a file of the format that an ending such as `.png` names; raises OSError if that fails."""
    done, data = cv2.imencode(ending, picture[..., ::-1])
    if not done:
        raise OSError(f"OpenCV could not write a picture as {ending}")
    return data.tobytes()


def _edited(edits: EditList) -> list[set[int]]:
    return [set(_cuts(clip)) or clip.edited for clip in edits.clips]


def _cuts(clip: OutputClip) -> list[int]:
    """The positions to which an otherwise unchanged video jumps; empty if it jumps at neighbouring positions, or is changed."""
    frames = [index for _, index in clip.frames]
    jumps = [at for at in range(1, len(frames)) if frames[at] != frames[at - 1] + 1]
    if clip.effects or clip.shapes or clip.tracks or clip.views or clip.tiles:
        return []
    return jumps if all(later > at + 1 for at, later in pairwise(jumps)) else []


def _tiles(frames: Sequence[Frame], times: Sequence[float], marked: Collection[int], columns: int) -> Frame:
    tiles = [_tile(frame, time, at in marked) for at, (frame, time) in enumerate(zip(frames, times, strict=True))]
    blank = np.full_like(tiles[0], PAPER)
    tiles += [blank] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])


def _tile(frame: Frame, time: float, marked: bool) -> Frame:
    height, width = frame.shape[:2]
    scale = TILE / max(height, width)
    small = cv2.resize(frame, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    tile = cv2.copyMakeBorder(small, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=MARK if marked else PAPER)
    tile = cv2.copyMakeBorder(tile, 0, 16, 1, 1, cv2.BORDER_CONSTANT, value=PAPER)
    cv2.putText(tile, f"{time:.2f} s", (5, tile.shape[0] - 5), _FONT, 0.36, MARK if marked else FAINT, 1, cv2.LINE_AA)
    return tile


def _text(lines: Sequence[str], width: int) -> Frame:
    page = np.full((20 * len(lines) + 12, width, 3), PAPER, np.uint8)
    for row, line in enumerate(lines):
        plain = line.encode("ascii", "replace").decode()
        cv2.putText(page, plain, (8, 20 * row + 20), _FONT, 0.45, INK, 1, cv2.LINE_AA)
    return page
