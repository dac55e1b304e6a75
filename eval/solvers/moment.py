"""Moment by comparison: the place at which the clip, mirrored or zoomed as it may be, differs least from the video."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from dataset_builder.media.frame import Frame
from dataset_builder.tasks.answers import Interval

from .shown import DecodedVideo
from .thumbnails import thumbnails

ZOOMS = (1.0, 1.3, 1.5)


def solve(question: str, videos: Sequence[DecodedVideo]) -> Interval:
    """The best place of the clip in the video."""
    video, clip = videos
    length = len(clip.frames)
    part = thumbnails(clip.frames)
    candidates = []
    for zoom in ZOOMS:
        whole = thumbnails([_zoomed(frame, zoom) for frame in video.frames])
        for seen in (part, part[:, :, ::-1]):
            for start in range(len(video.frames) - length + 1):
                candidates.append((float(abs(whole[start : start + length] - seen).mean()), start))
    _, start = min(candidates)
    end = start + length
    step = video.times[-1] - video.times[-2]
    return Interval(video.times[start], video.times[end] if end < len(video.times) else video.times[-1] + step)


def _zoomed(frame: Frame, zoom: float) -> Frame:
    height, width = frame.shape[:2]
    top, left = round(height * (1 - 1 / zoom) / 2), round(width * (1 - 1 / zoom) / 2)
    return cv2.resize(frame[top : height - top or None, left : width - left or None], (width, height))
