"""The procedure that the paper's released scripts follow, written anew for comparison.

First stage: decode the frames at full size, with the reader's own choice of threads, and write each as a JPEG file. Second
stage, a script for each task: read the frames that it edits, write the edited ones beside them, and a Parquet file of paths.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import datasets
import numpy as np
from PIL import Image, ImageOps

FRAMES = 48
SHAPES = ("circle", "square", "triangle")
APART = 8  # frames between those that show the same shape
Row = dict[str, Any]


def sample_stage(videos: list[Path], out: Path) -> Iterator[Path]:
    """Decode each video with decord and store its frames; yields the folder of each that has enough of them."""
    import decord

    for video in videos:
        folder = out / video.stem
        try:
            reader = decord.VideoReader(str(video), ctx=decord.cpu(0))
            first, end = int(len(reader) * 0.05), int(len(reader) * 0.95)
            if end - first < FRAMES:
                continue
            step = (end - first) // FRAMES
            frames = reader.get_batch([first + k * step for k in range(FRAMES)]).asnumpy()
        except decord.DECORDError:
            continue
        folder.mkdir(parents=True)
        for k, frame in enumerate(frames):
            cv2.imwrite(str(folder / f"{k}.jpg"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        yield folder


def task_stage(folders: list[Path], out: Path) -> int:
    """One grounding, one counting and one jigsaw sample of each video's stored frames; returns how many."""
    return sum(_script(ask, folders, out) for ask in (_grounding, _counting, _jigsaw))


def _script(ask: Callable[[Path], Row], folders: list[Path], out: Path) -> int:
    def rows(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
        asked = [_row(ask(Path(folder))) for folder in batch["video"]]
        return {name: [row[name] for row in asked] for name in asked[0]}

    asked_of = datasets.Dataset.from_dict({"video": list(map(str, folders))})
    made = asked_of.map(rows, batched=True, batch_size=1, remove_columns=["video"])
    made.to_parquet(out / f"{ask.__name__}.parquet")
    return len(made)


def _row(asked: Row) -> Row:
    sizes = {"sample_fps": 2.0, "max_pixels": 256 * 256, "min_pixels": 128 * 128}
    return {
        "prompt": [{"role": "user", "content": f"{'<video>' * len(asked['videos'])} {asked['question']}"}],
        "videos": [{"video": list(map(str, paths)), **sizes} for paths in asked["videos"]],
        "reward_model": {"style": "rule", "ground_truth": asked["answer"]},
        "extra_info": {"question": asked["question"], "answer": asked["answer"]},
    }


def _frames(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("*.jpg") if "_" not in path.name), key=lambda path: int(path.stem))[:FRAMES]


def _swap_channels(frame: Image.Image) -> Image.Image:
    red, green, blue = frame.split()
    return Image.merge("RGB", (blue, green, red))


def _zoom_out(frame: Image.Image) -> Image.Image:
    scale = random.uniform(1.2, 1.4)
    width, height = int(frame.width / scale), int(frame.height / scale)
    shown = Image.new("RGB", frame.size)
    small = frame.resize((width, height), Image.Resampling.LANCZOS)
    shown.paste(small, ((frame.width - width) // 2, (frame.height - height) // 2))
    return shown


EFFECTS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "mirror": ImageOps.mirror,
    "channels": _swap_channels,
    "rotate": lambda frame: frame.rotate(180),
    "zoom": _zoom_out,
}


def _grounding(folder: Path) -> Row:
    length = random.randint(8, 16)
    start = random.randint(0, FRAMES - length)
    name, effect = random.choice(list(EFFECTS.items()))
    shown = _frames(folder)
    for k in range(start, start + length):
        edited = folder / f"{k}_{name}.jpg"
        with Image.open(shown[k]) as frame:
            effect(frame).save(edited)
        shown[k] = edited
    return {"question": "When?", "videos": [shown], "answer": f"{start / 2:.1f}-{(start + length) / 2:.1f}"}


def _counting(folder: Path) -> Row:
    shown = _frames(folder)
    free = set(range(FRAMES))
    counts = dict.fromkeys(SHAPES, 0)
    for shape in SHAPES:
        chosen: list[int] = []
        wanted = random.randint(1, 3)
        for k in random.sample(sorted(free), len(free)):
            if len(chosen) < wanted and all(abs(k - other) > APART for other in chosen):
                chosen.append(k)
        free.difference_update(chosen)
        for k in chosen:
            frame = cv2.imread(str(shown[k]))
            count = random.randint(1, 3)
            for _ in range(count):
                _draw(frame, shape)
            counts[shape] += count
            shown[k] = folder / f"{k}_{shape}{count}.jpg"
            cv2.imwrite(str(shown[k]), frame)
    return {"question": "How many?", "videos": [shown], "answer": ",".join(map(str, counts.values()))}


def _draw(frame: np.ndarray, shape: str) -> None:
    height, width = frame.shape[:2]
    size = random.randint(int(min(height, width) * 0.2), int(min(height, width) * 0.4))
    centre = random.randint(size, width - size), random.randint(size, height - size)
    colour = [random.randint(50, 255) for _ in range(3)]
    if shape == "circle":
        cv2.circle(frame, centre, size // 2, colour, cv2.FILLED)
        return
    corners = 4 if shape == "square" else 3
    angles = random.uniform(0, 2 * np.pi) + np.arange(corners) * 2 * np.pi / corners
    outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * size / 2 + centre
    cv2.fillPoly(frame, [outline.astype(np.int32)], colour)


def _jigsaw(folder: Path) -> Row:
    paths = _frames(folder)
    order = random.sample(range(6), 6)
    return {
        "question": "In which order?",
        "videos": [paths[8 * k : 8 * k + 8] for k in order],
        "answer": "".join(str(order.index(k) + 1) for k in range(6)),
    }
