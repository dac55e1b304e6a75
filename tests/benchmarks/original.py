"""The procedure that the paper's released scripts follow, written anew for comparison.

First stage: decode the frames at full size and write each as a JPEG file. Second stage, for each task: read the frames that it
edits, write the edited ones beside them, and add a row of paths to a JSON-lines file.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

FRAMES = 48


def sample_stage(videos: list[Path], out: Path) -> Iterator[list[Path]]:
    """Decode each video with decord and store its frames; yields the frame files, video by video."""
    import decord

    for video in videos:
        try:
            reader = decord.VideoReader(str(video), ctx=decord.cpu(0), num_threads=1)
        except decord.DECORDError:
            continue
        count = len(reader)
        indices = np.linspace(0.05 * count, 0.95 * count - 1, FRAMES).astype(int)
        if count < FRAMES:
            continue
        frames = reader.get_batch(indices).asnumpy()
        folder = out / video.stem
        folder.mkdir(parents=True)
        paths = [folder / f"{k:03d}.jpg" for k in range(FRAMES)]
        for path, frame in zip(paths, frames, strict=True):
            cv2.imwrite(str(path), frame[..., ::-1])
        yield paths


def task_stage(paths: list[Path], rows: Path) -> int:
    """One grounding, one counting and one jigsaw sample of a video's stored frames; returns how many."""
    lines = [_grounding(paths), _counting(paths), _jigsaw(paths)]
    with rows.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return len(lines)


def _grounding(paths: list[Path]) -> dict[str, object]:
    length = random.randint(8, 16)
    start = random.randint(0, FRAMES - length)
    shown = list(map(str, paths))
    for k in range(start, start + length):
        edited = paths[k].with_name(f"mirror_{k:03d}.jpg")
        with Image.open(paths[k]) as frame:
            ImageOps.mirror(frame).save(edited)
        shown[k] = str(edited)
    return {"videos": [shown], "answer": f"{start}-{start + length}"}


def _counting(paths: list[Path]) -> dict[str, object]:
    shown, counts = list(map(str, paths)), []
    drawn: dict[int, np.ndarray] = {}
    for _ in range(3):
        total = 0
        for k in random.sample(range(FRAMES), random.randint(1, 3)):
            frame = drawn.setdefault(k, cv2.imread(str(paths[k])))
            for _ in range(random.randint(1, 3)):
                x, y = random.randint(30, frame.shape[1] - 30), random.randint(30, frame.shape[0] - 30)
                cv2.circle(frame, (x, y), 25, (random.randint(0, 255), 80, 160), cv2.FILLED)
                total += 1
        counts.append(total)
    for k, frame in drawn.items():
        edited = paths[k].with_name(f"shapes_{k:03d}.jpg")
        cv2.imwrite(str(edited), frame)
        shown[k] = str(edited)
    return {"videos": [shown], "answer": ",".join(map(str, counts))}


def _jigsaw(paths: list[Path]) -> dict[str, object]:
    order = random.sample(range(6), 6)
    return {
        "videos": [list(map(str, paths[8 * k : 8 * k + 8])) for k in order],
        "answer": "".join(str(order.index(k) + 1) for k in range(6)),
    }
