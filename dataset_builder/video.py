"""Decoding: T frames from the middle of a video, exactly those of a full decode, with their true times.

A first pass reads the packets, which is cheap, and knows every frame's time. A second decodes, leaving out whole groups of
pictures that hold no wanted frame and, within the others, frames that nothing refers to and nobody wants.
"""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import log

import av
import numpy as np
from av.video.reformatter import Interpolation

from .clip import Frame

av.logging.set_level(av.logging.PANIC)  # what matters is raised; FFmpeg's own lines would only garble progress bars

MIDDLE = 0.9  # share of the video that frames are taken from (paper's sampling)
SIDE = 64  # output sides are multiples of this, which verl's and Qwen's resizing leave alone
SAMPLINGS = ("exact", "keyframe")
MIN_KEYFRAMES = 4
_SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


class UnusableVideo(Exception):
    """This file gives no clip; the message says why, in few words."""


@dataclass(frozen=True)
class SampledFrames:
    """Frames at output geometry with their times in seconds since the video's first frame; both of length T.

    `end` is when the last of them stops being shown, by the mean distance between them.
    """

    frames: list[Frame]
    times: tuple[float, ...]
    end: float


@dataclass(frozen=True)
class _Packet:
    pts: int | None
    keyframe: bool
    shown: bool


def sample(video: str | bytes, frames: int, area: int, sampling: str = "exact") -> SampledFrames:
    """Decode `frames` frames, evenly spaced in time over the middle 90 % of a video.

    Args:
        video: a local path, or the file's bytes.
        frames: T. Keyframe sampling takes fewer where the video has fewer keyframes, always an even number.
        area: most pixels a frame; sides become multiples of 64 that come nearest to the aspect.
        sampling: "exact", or "keyframe" for the keyframes nearest to even spacing, at their own times.

    Raises:
        UnusableVideo: if the file cannot be opened, is broken where it matters, or has too few frames.
    """
    try:
        return _sample(video, frames, area, sampling)
    except (av.FFmpegError, OSError, UnicodeDecodeError) as error:
        name = getattr(error, "strerror", None) or str(error)
        raise UnusableVideo(f"cannot be decoded: {name.lower()}") from error


def _sample(video: str | bytes, frames: int, area: int, sampling: str) -> SampledFrames:
    packets, unit, reliable = _packets(video)
    stamps = sorted(p.pts for p in packets if p.shown and p.pts is not None)
    if sampling == "keyframe":
        keys = sorted(p.pts for p in packets if p.keyframe and p.shown and p.pts is not None)
        within = _middle(keys, stamps)
        wanted = _spread(keys, within, max(MIN_KEYFRAMES, min(frames, len(within) // 2 * 2)), "keyframes")
        decoded = _decode_keyframes(video, set(wanted), area)
        missing = len(wanted) - len(decoded)
        if missing:
            raise UnusableVideo(f"{missing} of {len(wanted)} keyframes could not be decoded")
    else:
        wanted = _spread(stamps, _middle(stamps, stamps), frames, "frames")
        decoded = _decode(video, packets, set(wanted), area) if reliable else {}
        if list(decoded) != wanted:
            return _sample_linearly(video, frames, area)
    return _sampled([decoded[pts] for pts in wanted], [float((pts - stamps[0]) * unit) for pts in wanted])


def _sampled(frames: list[Frame], times: list[float]) -> SampledFrames:
    exact: list[float] = []
    for time in times:
        exact.append(round(max(time, exact[-1] + 0.001) if exact else time, 3))
    step = (exact[-1] - exact[0]) / (len(exact) - 1)
    return SampledFrames(frames, tuple(exact), round(exact[-1] + step, 3))


@contextmanager
def _opened(video: str | bytes) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    source = io.BytesIO(video) if isinstance(video, bytes) else video
    with av.open(source, "r", metadata_errors="replace") as container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream):
            raise UnusableVideo("has no video stream")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        yield container, stream


def _packets(video: str | bytes) -> tuple[list[_Packet], Fraction, bool]:
    """The best stream's packets in decoding order, its time base, and whether their times are those of their frames."""
    with _opened(video) as (container, stream):
        packets = [_Packet(p.pts, p.is_keyframe, not p.is_discard) for p in container.demux(stream) if p.size]
        if not any(p.shown and p.pts is not None for p in packets) or stream.time_base is None:
            raise UnusableVideo("holds no video data")
        # AVI keeps no presentation times, so reordered frames come with wrong ones
        reordered = container.format.name == "avi" and stream.codec_context.has_b_frames
        stamps = {p.pts for p in packets}
        return packets, stream.time_base, not reordered and None not in stamps and len(stamps) == len(packets)


def _middle(stamps: list[int], whole: list[int]) -> range:
    """The indices of `stamps` that lie in the middle part of the whole video's times."""
    if len(whole) < 2:
        return range(len(stamps))
    first = whole[0]
    length = (whole[-1] - first) * len(whole) / (len(whole) - 1)
    cut = (1 - MIDDLE) / 2 * length
    return range(bisect_left(stamps, first + cut), bisect_right(stamps, first + length - cut))


def _spread(stamps: list[int], within: range, count: int, what: str) -> list[int]:
    """`count` different stamps, evenly spaced in time: for each target the last one not after it.

    Raises:
        UnusableVideo: if there are too few.
    """
    if count < 2 or len(within) < count:
        wanted = max(count, 2)
        raise UnusableVideo(f"{len(within)} {what} in its middle {MIDDLE:.0%}, {wanted} wanted")
    first, last = stamps[within[0]], stamps[within[-1]]
    chosen: list[int] = []
    for position in range(count):
        target = first + (last - first) * position / (count - 1)
        index = bisect_right(stamps, target + 1e-6) - 1
        index = max(index, chosen[-1] + 1) if chosen else within[0]
        chosen.append(min(index, within[-1] - (count - 1 - position)))
    return [stamps[index] for index in chosen]


def _decode(video: str | bytes, packets: list[_Packet], wanted: set[int], area: int) -> dict[int, Frame]:
    """Decode the wanted frames; may return fewer where the stream does not hold what its packets say."""
    needed = _needed(packets, wanted)
    found: dict[int, Frame] = {}
    with _opened(video) as (container, stream):
        codec = stream.codec_context
        scaler = _Scaler(area)
        before = -1

        def take(frames: list[av.VideoFrame]) -> None:
            for frame in frames:
                if frame.pts in wanted:
                    found[frame.pts] = scaler(frame)

        for index, packet in enumerate(p for p in container.demux(stream) if p.size):
            if index >= len(needed) or not needed[index]:
                continue
            if before >= 0 and index != before + 1:
                take(codec.decode(None))
                codec.flush_buffers()
            before = index
            codec.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            take(codec.decode(packet))
        take(codec.decode(None))
    return found


def _needed(packets: list[_Packet], wanted: set[int]) -> list[bool]:
    """Which packets to decode: from the last keyframe shown no later than a wanted frame, up to that frame."""
    keys = [index for index, packet in enumerate(packets) if packet.keyframe]
    if not keys or keys[0] != 0:
        keys.insert(0, 0)
    needed = [False] * len(packets)
    for index, packet in enumerate(packets):
        if packet.pts not in wanted:
            continue
        group = bisect_right(keys, index) - 1
        while group > 0 and (packets[keys[group]].pts or 0) > (packet.pts or 0):
            group -= 1  # shown before the keyframe that precedes it in the file: belongs to the group before
        needed[keys[group] : index + 1] = [True] * (index + 1 - keys[group])
    return needed


def _decode_keyframes(video: str | bytes, wanted: set[int], area: int) -> dict[int, Frame]:
    found: dict[int, Frame] = {}
    with _opened(video) as (container, stream):
        codec = stream.codec_context
        codec.skip_frame = "NONKEY"
        scaler = _Scaler(area)
        for packet in container.demux(stream):
            if packet.size and packet.is_keyframe and packet.pts in wanted:
                for frame in [*codec.decode(packet), *codec.decode(None)]:
                    found.setdefault(packet.pts, scaler(frame))
                codec.flush_buffers()
    return found


def _sample_linearly(video: str | bytes, frames: int, area: int) -> SampledFrames:
    """For streams whose packets do not say when their frames are shown: decode all, twice, taking the order as it comes."""
    with _opened(video) as (container, stream):
        stamps = [frame.pts for frame in container.decode(stream)]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        unit = stream.time_base
    known = [pts for pts in stamps if pts is not None]
    if len(known) < len(stamps) or any(b <= a for a, b in pairwise(known)):
        known, unit = list(range(len(stamps))), 1 / rate
    if unit is None:
        raise UnusableVideo("says nothing of its frames' times")
    chosen = _spread(known, _middle(known, known), frames, "frames")
    indices = {bisect_left(known, stamp) for stamp in chosen}
    with _opened(video) as (container, stream):
        scaler = _Scaler(area)
        kept = [scaler(frame) for index, frame in enumerate(container.decode(stream)) if index in indices]
    if len(kept) != frames:
        raise UnusableVideo(f"{len(kept)} of {frames} frames could be decoded")
    return _sampled(kept, [float((stamp - known[0]) * unit) for stamp in chosen])


class _Scaler:
    """Turns decoded frames into RGB arrays at the output geometry, upright."""

    def __init__(self, area: int) -> None:
        self.area = area

    def __call__(self, frame: av.VideoFrame) -> Frame:
        if frame.is_corrupt:
            raise UnusableVideo("is corrupt where frames are wanted")
        turns = round(frame.rotation / 90) % 4
        shown = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
        width, height = output_size(*shown, self.area)
        if turns % 2:
            width, height = height, width
        scaled = frame.reformat(width, height, "rgb24", interpolation=_SCALING, threads=1).to_ndarray()
        return np.ascontiguousarray(np.rot90(scaled, turns)) if turns else scaled


@lru_cache(maxsize=256)
def output_size(width: int, height: int, area: int) -> tuple[int, int]:
    """Sides that are multiples of 64, at most `area` pixels together: the best compromise of aspect and size."""

    def loss(size: tuple[int, int]) -> float:
        return abs(log(size[0] * height / (size[1] * width))) + 0.25 * log(area / (size[0] * size[1]))

    most = area // SIDE
    sizes = [(w, h) for w in range(SIDE, most + 1, SIDE) for h in range(SIDE, area // w + 1, SIDE)]
    return min(sizes, key=loss)
