"""Renders sample footage, so that a fresh machine has videos to build from, and the tests need no third-party video.

In each clip a camera moves over a large painted scene, with moving objects and changing light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin
from pathlib import Path

import av
import cv2
import numpy as np

from ..media.frame import Frame

WIDTH, HEIGHT, FPS, SECONDS = 320, 240, 12, 12
_SCENE_WIDTH, _SCENE_HEIGHT = 1280, 480

CameraPath = Callable[[float], tuple[float, float, float]]
"""Time in [0, 1] -> centre x and y in [0, 1], zoom."""


@dataclass(frozen=True)
class Shot:
    """One clip: the seed of its scene, the camera path, the brightness over time, and the number of moving objects."""

    name: str
    seed: int
    camera: CameraPath
    light: Callable[[float], float] = lambda t: 1.0
    movers: int = 0
    cut_at: float | None = None  # time in [0, 1] of a cut to another scene


SHOTS = (
    Shot("pan_right", 1, lambda t: (0.15 + 0.7 * t, 0.5, 1.0)),
    Shot("pan_left_evening", 2, lambda t: (0.85 - 0.7 * t, 0.5, 1.0), light=lambda t: 1.05 - 0.55 * t),
    Shot("zoom_in_town", 3, lambda t: (0.5 + 0.1 * t, 0.55, 1.0 + 1.2 * t), movers=2),
    Shot("wave_flight", 4, lambda t: (0.2 + 0.6 * t, 0.5 + 0.15 * sin(4 * pi * t), 1.3), movers=1),
    Shot("two_scenes", 5, lambda t: (0.2 + 0.5 * t, 0.5, 1.1), cut_at=0.5),
    Shot("street_traffic", 6, lambda t: (0.5 + 0.12 * t, 0.6, 1.4), movers=5),
    Shot("sunrise", 7, lambda t: (0.3 + 0.4 * t, 0.45, 1.0), light=lambda t: 0.45 + 0.6 * t, movers=2),
    Shot("round_trip", 8, lambda t: (0.5 - 0.3 * cos(1.6 * pi * t), 0.5 + 0.2 * sin(1.6 * pi * t), 1.5)),
)


def render_footage(folder: Path) -> list[Path]:
    """Write every shot into a folder as MP4; the same files each time. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{shot.name}.mp4", shot) for shot in SHOTS]


def _write(path: Path, shot: Shot) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        scenes = [_scene(shot.seed), _scene(shot.seed + 100)]
        for index in range(FPS * SECONDS):
            frame = _frame(shot, scenes, index / (FPS * SECONDS))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


def _frame(shot: Shot, scenes: list[Frame], time: float) -> Frame:
    scene = scenes[1 if shot.cut_at is not None and time >= shot.cut_at else 0].copy()
    for mover in range(shot.movers):
        _draw_mover(scene, shot.seed * 10 + mover, time)
    x, y, zoom = shot.camera(time)
    width, height = WIDTH / zoom * 1.3, HEIGHT / zoom * 1.3
    left = min(max(x * _SCENE_WIDTH - width / 2, 0), _SCENE_WIDTH - width - 1)
    top = min(max(y * _SCENE_HEIGHT - height / 2, 0), _SCENE_HEIGHT - height - 1)
    scale = WIDTH / width
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    frame = cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    return cv2.convertScaleAbs(frame, alpha=shot.light(time))


def _scene(seed: int) -> Frame:
    """Sky, hills, houses, trees, a road and signs."""
    rng = np.random.default_rng(seed)
    top, low = rng.integers(90, 200, 3), rng.integers(180, 250, 3)
    ramp = np.linspace(0, 1, _SCENE_HEIGHT)[:, None, None]
    scene = np.broadcast_to(top * (1 - ramp) + low * ramp, (_SCENE_HEIGHT, _SCENE_WIDTH, 3)).astype(np.uint8).copy()
    cv2.circle(scene, (int(rng.integers(100, 1180)), 70), 38, (255, 236, 150), cv2.FILLED, cv2.LINE_AA)
    for depth in range(3):
        base, swing = 200 + 50 * depth, rng.uniform(15, 45)
        xs = np.arange(0, _SCENE_WIDTH + 20, 20)
        ys = base + swing * np.sin(xs / rng.uniform(60, 180) + rng.uniform(0, 6))
        hill = np.vstack([np.column_stack([xs, ys]), [[_SCENE_WIDTH, _SCENE_HEIGHT], [0, _SCENE_HEIGHT]]]).astype(np.int32)
        cv2.fillPoly(scene, [hill], _colour(rng, 60, 150 - 25 * depth), cv2.LINE_AA)
    cv2.rectangle(scene, (0, 400), (_SCENE_WIDTH, 445), (92, 92, 98), cv2.FILLED)
    for x in range(0, _SCENE_WIDTH, 60):
        cv2.rectangle(scene, (x, 420), (x + 28, 425), (235, 235, 225), cv2.FILLED)
    for x in range(20, _SCENE_WIDTH - 60, 90):
        (_house if rng.random() < 0.55 else _tree)(scene, rng, x + int(rng.integers(-12, 12)))
    grain = rng.normal(0, 5, scene.shape)
    return np.clip(scene + grain, 0, 255).astype(np.uint8)


def _house(scene: Frame, rng: np.random.Generator, x: int) -> None:
    width, height = int(rng.integers(45, 70)), int(rng.integers(50, 120))
    floor = 398
    cv2.rectangle(scene, (x, floor - height), (x + width, floor), _colour(rng, 90, 230), cv2.FILLED)
    roof = np.array([[x - 5, floor - height], [x + width + 5, floor - height], [x + width // 2, floor - height - 28]])
    cv2.fillPoly(scene, [roof.astype(np.int32)], _colour(rng, 40, 160), cv2.LINE_AA)
    for left in range(x + 8, x + width - 12, 18):
        for top in range(floor - height + 10, floor - 20, 22):
            cv2.rectangle(scene, (left, top), (left + 9, top + 11), (250, 240, 180), cv2.FILLED)
    number, corner = f"{rng.integers(1, 99)}", (x + 6, floor - 4)
    cv2.putText(scene, number, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA)


def _tree(scene: Frame, rng: np.random.Generator, x: int) -> None:
    height = int(rng.integers(40, 90))
    cv2.rectangle(scene, (x + 14, 398 - height), (x + 20, 398), (96, 66, 40), cv2.FILLED)
    green = (int(rng.integers(20, 90)), int(rng.integers(110, 190)), int(rng.integers(20, 80)))
    for _ in range(6):
        centre = (x + 17 + int(rng.integers(-14, 14)), 398 - height + int(rng.integers(-14, 14)))
        cv2.circle(scene, centre, int(rng.integers(10, 18)), green, cv2.FILLED, cv2.LINE_AA)


def _draw_mover(scene: Frame, seed: int, time: float) -> None:
    """A car that drives along the road."""
    rng = np.random.default_rng(seed)
    speed = rng.uniform(0.3, 0.9) * rng.choice([-1, 1])
    x = int((rng.uniform(0, 1) + speed * time) % 1 * _SCENE_WIDTH)
    y = 410 + 18 * (speed > 0)
    cv2.rectangle(scene, (x, y - 16), (x + 52, y + 4), _colour(rng, 40, 240), cv2.FILLED)
    cv2.rectangle(scene, (x + 12, y - 28), (x + 40, y - 16), (190, 220, 240), cv2.FILLED)
    for wheel in (x + 12, x + 40):
        cv2.circle(scene, (wheel, y + 5), 7, (20, 20, 20), cv2.FILLED, cv2.LINE_AA)


def _colour(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high, 3)
    return int(red), int(green), int(blue)
