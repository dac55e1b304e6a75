"""Changes by trial: the listed alterations of a neighbouring frame that best explain the jumps at both ends of a stretch."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.media.effects import apply_effect
from dataset_builder.media.frame import Frame
from dataset_builder.tasks.anomalies import ANOMALIES
from dataset_builder.tasks.answers import Labels
from dataset_builder.tasks.changes import EFFECTS

from .shown import DecodedVideo

STRENGTHS = (1.0, 0.75, 0.5)
SIZE = (24, 16)
DETAIL_WEIGHT = 2.0  # of sharpness and grain, against colour
MAX_SHARE = 0.2  # of the video's frames, for a stretch


def solve(question: str, videos: Sequence[DecodedVideo]) -> Labels:
    """The letters of the best explained alterations, by their start."""
    (video,) = videos
    match = re.search(r"(\d+) stretches", question)
    assert match
    phrases = {ANOMALIES[name].phrase: name for name in EFFECTS}
    options = {line[0]: phrases[line[3:]] for line in question.split("\n") if line[3:] in phrases}
    plain = [_features(frame) for frame in video.frames]
    jumps = np.array([_difference(one, other) for one, other in itertools.pairwise(plain)])
    explained = [(*_best_stretch(video.frames, plain, jumps, name), letter) for letter, name in options.items()]
    best = sorted(explained, reverse=True)[: int(match[1])]
    return Labels(tuple(letter for _, _, letter in sorted(best, key=lambda each: each[1])))


def _best_stretch(frames: Sequence[Frame], plain: list[np.ndarray], jumps: np.ndarray, name: str) -> tuple[float, int]:
    """(gain, start): how much of the smaller of its two jumps the alteration explains, at the best stretch."""
    anomaly, best = ANOMALIES[name], (-np.inf, 0)
    for strength in STRENGTHS if anomaly.graded else (1.0,):
        altered = [_features(apply_effect(name, frame, anomaly.parameter(strength), k, 0)) for k, frame in enumerate(frames)]
        into = jumps - [_difference(one, other) for one, other in zip(altered, plain[1:], strict=False)]
        out_of = jumps - [_difference(one, other) for one, other in zip(plain, altered[1:], strict=False)]
        for start in range(2, len(frames) - 2, 2):
            for end in range(start + 2, min(len(frames) - 1, start + max(2, round(MAX_SHARE * len(frames)))), 2):
                best = max(best, (float(min(into[start - 1], out_of[end - 1])), start))
    return best


def _features(frame: Frame) -> np.ndarray:
    """Colours and fine detail on a coarse grid."""
    detail = np.abs(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32), cv2.CV_32F))
    colour = cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.dstack([colour, DETAIL_WEIGHT * cv2.resize(detail, SIZE, interpolation=cv2.INTER_AREA)])


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())
