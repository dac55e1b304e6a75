"""Clip statistics without a clip, from the standard library alone, so that plans made from them are the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

from dataset_builder.tasks.anomalies import PIXEL_EFFECTS
from dataset_builder.tasks.statistics import GRID_SIDE, SIGNATURE_BYTES, STILL_SIDE, STILLS, ClipStats


@cache
def lively(seed: int = 0, frames: int = 48, width: int = 320, height: int = 192, step: float = 0.25) -> ClipStats:
    """A clip in which all that tasks look for can be seen: it drifts steadily, and every effect changes it a lot."""
    rng = Random(seed)
    start = [rng.randrange(40, 120) for _ in range(SIGNATURE_BYTES)]
    drift = [rng.uniform(-1.6, 1.6) * 48 / frames * 1.5 for _ in range(SIGNATURE_BYTES)]
    signatures = bytes(min(255, max(0, round(v + d * t))) for t in range(frames) for v, d in zip(start, drift, strict=True))
    background = bytes(value for _ in range(frames * GRID_SIDE**2) for value in (rng.randrange(90, 130),) * 3 + (6,))
    return ClipStats(
        fingerprint=f"lively-{seed}",
        width=width,
        height=height,
        times=tuple(round(step * t, 3) for t in range(frames)),
        end=round(step * frames, 3),
        motion=(0.0, *(2.5 for _ in range(frames - 1))),
        pan_x=(0.0,) * frames,
        pan_y=(0.0,) * frames,
        zoom=(0.0,) * frames,
        visibility=dict.fromkeys(PIXEL_EFFECTS, (40.0,) * frames),
        signatures=signatures,
        stills=bytes(3 * STILL_SIDE**2 * STILLS),
        background=background,
    )


@cache
def filmed(seed: int = 0, frames: int = 48, width: int = 320, height: int = 192, step: float = 0.25) -> ClipStats:
    """A clip that every task can be planned from: each part of it goes up and down by itself; no two places look alike."""
    rng = Random(f"filmed {seed}")
    waves = [(rng.random(), rng.uniform(0.012, 0.024)) for _ in range(SIGNATURE_BYTES)]
    signatures = bytes(round(128 + 60 * _wave(phase + speed * t)) for t in range(frames) for phase, speed in waves)
    cells = [(60 + 8 * column, 60 + 8 * row, 128, 6) for row in range(GRID_SIDE) for column in range(GRID_SIDE)]
    background = bytes(value for cell in cells for value in cell) * frames
    still = bytes(value for row in range(STILL_SIDE) for column in range(STILL_SIDE) for value in (4 * column, 4 * row, 128))
    plain = lively(seed, frames, width, height, step)
    return replace(plain, fingerprint=f"filmed-{seed}", signatures=signatures, stills=still * STILLS, background=background)


def _wave(turns: float) -> float:
    """A triangle wave between -1 and 1, with a period of 1."""
    return 4 * abs(turns - int(turns + 0.5)) - 1


def still(frames: int = 48) -> ClipStats:
    """A grey, symmetric, motionless clip: nothing but shapes can be seen in it."""
    return ClipStats(
        fingerprint="still",
        width=256,
        height=192,
        times=tuple(round(0.5 * t, 3) for t in range(frames)),
        end=0.5 * frames,
        motion=(0.0,) * frames,
        pan_x=(0.0,) * frames,
        pan_y=(0.0,) * frames,
        zoom=(0.0,) * frames,
        visibility=dict.fromkeys(PIXEL_EFFECTS, (0.5,) * frames),
        signatures=bytes([100]) * SIGNATURE_BYTES * frames,
        stills=bytes([100]) * 3 * STILL_SIDE**2 * STILLS,
        background=bytes((100, 100, 100, 2)) * GRID_SIDE**2 * frames,
    )
