"""The settings for taking clips from videos."""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("exact", "snap", "keyframe")
SIDE = 64  # output sides are multiples of this, so that verl and Qwen do not resize them


@dataclass(frozen=True)
class Sampling:
    """How clips are taken from videos.

    Attributes:
        frames: T, evenly spaced in time.
        max_pixels: most pixels a frame; its sides are multiples of 64.
        mode: `exact`; `snap` for frames up to a quarter of the spacing away where those are cheaper to decode; `keyframe` for the
            keyframes nearest to even spacing, fewer than T if the video has fewer.
        share: middle share of the video that frames are taken from (paper: 0.9).
        fewer: whether a video with fewer than T frames gives all of them instead of being unusable.
    """

    frames: int = 48
    max_pixels: int = 256 * 256
    mode: str = "exact"
    share: float = 0.9
    fewer: bool = False
