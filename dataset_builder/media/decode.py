"""Decoding: T frames from the middle of a video, identical to those of a full decode, with their true times.

A first pass reads only the packets, which is cheap, to learn every frame's time. A second pass decodes: it skips groups of
pictures without a chosen frame and, in the other groups, frames that are neither chosen nor used as a reference.
"""

from __future__ import annotations

import errno
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import av
import numpy as np
import numpy.typing as npt

from ..errors import UnusableVideo
from ..sources.read import Video
from .clock import repair_clock
from .container import opened, pixel_aspect
from .frame import Frame
from .geometry import scale
from .sampling import Sampling
from .snap import snap

Stamp = TypeVar("Stamp", int, Fraction)

MIN_KEYFRAMES = 4
KEPT_BYTES = 64 << 20  # compressed data kept in memory; a larger video is read twice


@dataclass(frozen=True)
class SampledFrames:
    """T frames at output geometry, and T times in seconds since the video's first frame.

    `end` is when the last frame stops being shown, taking the mean distance between frames as its duration.
    """

    frames: list[Frame]
    times: tuple[float, ...]
    end: float


def sample(video: Video, sampling: Sampling) -> SampledFrames:
    """Decode frames that are evenly spaced in time over the middle of a video.

    Args:
        video: a local path, the file's bytes, or what opens it.
        sampling: number and size of frames, share of the video to use, and whether to use keyframes only.

    Raises:
        UnusableVideo: if the file is no video, is broken where frames are taken, or has too few frames.
        OSError: if the file cannot be read.
    """
    try:
        if sampling.mode == "snap" and (snapped := snap(video, sampling)) is not None:
            return _sampled(*snapped)
        return (_sample_keyframes if sampling.mode == "keyframe" else _sample_exactly)(video, sampling)
    except (UnusableVideo, MemoryError):
        raise
    except Exception as error:
        # Python reads the file, so that its OSErrors are the machine's, but for seeking to where there is nothing
        is_ours = isinstance(error, OSError) and not isinstance(error, av.FFmpegError) and error.errno != errno.EINVAL
        if is_ours:
            raise
        is_known = isinstance(error, (av.FFmpegError, UnicodeDecodeError))
        reason = str(getattr(error, "strerror", None) or error).lower() if is_known else f"{type(error).__name__}: {error}"
        raise UnusableVideo(f"cannot be decoded: {reason}") from error


def _sample_exactly(video: Video, sampling: Sampling) -> SampledFrames:
    with _index(video) as indexed:
        if indexed.reliable:
            stamps = indexed.stamps()
            within = _middle(stamps, stamps, sampling.share)
            chosen = _spread(stamps, within, _count(within, sampling), f"frames{_where(sampling)}")
            decoded = _decode(indexed, set(chosen), sampling.max_pixels)
            if list(decoded) == chosen:
                return _sampled(list(decoded.values()), [float((pts - stamps[0]) * indexed.unit) for pts in chosen])
    return _sample_linearly(video, sampling)


def _sample_keyframes(video: Video, sampling: Sampling) -> SampledFrames:
    with _index(video) as indexed:
        stamps = indexed.stamps()
        if not stamps:  # keyframes have no times
            return _sample_linearly(video, sampling)
        keys = indexed.stamps(keyframes=True)
        within = _middle(keys, stamps, sampling.share)
        count = min(sampling.frames, len(within)) // 2 * 2
        chosen = _spread(keys, within, max(count, min(sampling.frames, MIN_KEYFRAMES)), f"keyframes{_where(sampling)}")
        decoded = _decode_keyframes(indexed, set(chosen), sampling.max_pixels)
    if len(decoded) < len(chosen):
        raise UnusableVideo(f"{len(chosen) - len(decoded)} of {len(chosen)} keyframes could not be decoded")
    return _sampled([decoded[pts] for pts in chosen], [float((pts - stamps[0]) * indexed.unit) for pts in chosen])


def _sampled(frames: list[Frame], times: list[float]) -> SampledFrames:
    if len({frame.shape for frame in frames}) > 1:
        raise UnusableVideo("has a picture that changes size")
    exact: list[float] = []
    for time in times:
        exact.append(round(max(time, exact[-1] + 0.001) if exact else time, 3))
    step = (exact[-1] - exact[0]) / (len(exact) - 1)
    return SampledFrames(frames, tuple(exact), round(exact[-1] + step, 3))


@dataclass(frozen=True)
class _IndexedVideo:
    """An open video that has been read through once.

    Attributes:
        pts, keyframe, shown: of each packet of the best video stream, in decoding order; a packet without a time is not shown.
        unit: seconds per time stamp unit.
        pixel_aspect: width of a stored pixel by its height.
        reliable: whether the packets' time stamps are the times of their frames.
        buffered: the packets with their data, or None if the video is larger than KEPT_BYTES.
    """

    video: Video
    codec: av.VideoCodecContext
    pts: npt.NDArray[np.int64]
    keyframe: npt.NDArray[np.bool_]
    shown: npt.NDArray[np.bool_]
    unit: Fraction
    pixel_aspect: Fraction
    reliable: bool
    buffered: list[av.Packet[av.VideoStream]] | None

    def stamps(self, keyframes: bool = False) -> list[int]:
        """The times of all frames that are shown, or of the keyframes among them, in presentation order."""
        stamps: list[int] = np.sort(self.pts[self.shown & self.keyframe if keyframes else self.shown]).tolist()
        return stamps

    @contextmanager
    def reopen(self) -> Iterator[tuple[av.VideoCodecContext, Iterable[av.Packet[av.VideoStream]]]]:
        """A decoder, and all packets with their data from the start."""
        if self.buffered is not None:
            yield self.codec, self.buffered
            return
        with opened(self.video) as (container, stream):
            yield stream.codec_context, (packet for packet in container.demux(stream) if packet.size)


@contextmanager
def _index(video: Video) -> Iterator[_IndexedVideo]:
    with ExitStack() as stack:
        container, stream = stack.enter_context(opened(video))
        # an hour has a hundred thousand packets: 10 bytes each
        pts, keyframe, shown = array("q"), bytearray(), bytearray()
        buffered: list[av.Packet[av.VideoStream]] = []
        size, has_all_stamps = 0, True
        for packet in container.demux(stream):
            if packet.size:
                pts.append(packet.pts or 0)
                keyframe.append(packet.is_keyframe)
                shown.append(packet.pts is not None and not packet.is_discard)
                has_all_stamps &= packet.pts is not None
                size += packet.size
                if size <= KEPT_BYTES:
                    buffered.append(packet)
                else:
                    buffered.clear()
        if not pts:
            raise UnusableVideo("holds no video data")
        stamps = np.array(pts)
        # AVI stores no presentation times, so streams with reordered frames have wrong time stamps
        reordered = container.format.name == "avi" and stream.codec_context.has_b_frames
        is_reliable = has_all_stamps and len(np.unique(stamps)) == len(stamps) and not reordered and any(shown)
        unit, aspect, codec = stream.time_base or Fraction(1), pixel_aspect(stream), stream.codec_context
        if size > KEPT_BYTES:
            stack.close()  # its index takes memory, and `reopen` reads another
        is_key, is_shown = (np.frombuffer(flags, np.bool_) for flags in (keyframe, shown))
        kept = buffered if size <= KEPT_BYTES else None
        yield _IndexedVideo(video, codec, stamps, is_key, is_shown, unit, aspect, is_reliable, kept)


def _middle(stamps: list[Stamp], whole: list[Stamp], share: float) -> range:
    """The indices of those `stamps` that lie in the middle `share` of the video, whose time stamps are `whole`."""
    if len(whole) < 2:
        return range(len(stamps))
    first = whole[0]
    length = (whole[-1] - first) * len(whole) / (len(whole) - 1)
    cut = (1 - share) / 2 * length
    return range(bisect_left(stamps, first + cut), bisect_right(stamps, first + length - cut))


def _count(within: range, sampling: Sampling) -> int:
    return min(sampling.frames, len(within)) if sampling.fewer else sampling.frames


def _where(sampling: Sampling) -> str:
    return f" in its middle {sampling.share:.0%}" if sampling.share < 1 else ""


def _spread(stamps: list[Stamp], within: range, count: int, what: str) -> list[Stamp]:
    """`count` different stamps, evenly spaced in time: the last one at or before each target; raises UnusableVideo."""
    if count < 2 or len(within) < count:
        raise UnusableVideo(f"{len(within)} {what}, {max(count, 2)} wanted")
    first, last = stamps[within[0]], stamps[within[-1]]
    chosen: list[int] = []
    for position in range(count):
        target = first + (last - first) * position / (count - 1)
        index = bisect_right(stamps, target + 1e-6) - 1
        index = max(index, chosen[-1] + 1) if chosen else within[0]
        chosen.append(min(index, within[-1] - (count - 1 - position)))
    return [stamps[index] for index in chosen]


def _decode(indexed: _IndexedVideo, chosen: set[int], max_pixels: int) -> dict[int, Frame]:
    """Decode the chosen frames; gives fewer if the stream does not contain what its packets claim."""
    needed = _needed(indexed, chosen)
    frames: dict[int, Frame] = {}

    def collect(decoded: list[av.VideoFrame]) -> None:
        for frame in decoded:
            if frame.pts in chosen:
                frames[frame.pts] = scale(frame, max_pixels, indexed.pixel_aspect)

    with indexed.reopen() as (codec, packets):
        previous = -1
        for index, packet in enumerate(packets):
            if index >= len(needed) or not needed[index]:
                continue
            if previous >= 0 and index != previous + 1:
                collect(codec.decode(None))
                codec.flush_buffers()
            previous = index
            codec.skip_frame = "DEFAULT" if packet.pts in chosen else "NONREF"
            collect(codec.decode(packet))
        collect(codec.decode(None))
    return frames


def _needed(indexed: _IndexedVideo, chosen: set[int]) -> npt.NDArray[np.bool_]:
    """Which packets to decode: for each chosen frame, from the last keyframe at or before it up to the frame."""
    keys = np.flatnonzero(indexed.keyframe).tolist()
    if not keys or keys[0] != 0:
        keys.insert(0, 0)
    needed = np.zeros(len(indexed.pts), np.bool_)
    for index in np.flatnonzero(np.isin(indexed.pts, list(chosen))).tolist():
        group = bisect_right(keys, index) - 1
        while group > 0 and indexed.pts[keys[group]] > indexed.pts[index]:
            group -= 1  # shown before the keyframe that precedes it in the file: it belongs to the previous group
        needed[keys[group] : index + 1] = True
    return needed


def _decode_keyframes(indexed: _IndexedVideo, chosen: set[int], max_pixels: int) -> dict[int, Frame]:
    frames: dict[int, Frame] = {}
    with indexed.reopen() as (codec, packets):
        codec.skip_frame = "NONKEY"
        for packet in packets:
            if packet.is_keyframe and packet.pts in chosen:
                for frame in [*codec.decode(packet), *codec.decode(None)]:
                    frames.setdefault(packet.pts, scale(frame, max_pixels, indexed.pixel_aspect))
                codec.flush_buffers()
    return frames


def _sample_linearly(video: Video, sampling: Sampling) -> SampledFrames:
    """For streams without reliable packet times: decode everything twice and take frames in the decoder's order."""
    with opened(video) as (container, stream):
        clock = [frame.pts for frame in container.decode(stream)]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        unit = stream.time_base
        aspect = pixel_aspect(stream)
    repaired = repair_clock(clock)
    if repaired is None or unit is None:
        repaired, unit = list(map(Fraction, range(len(clock)))), 1 / rate
    stamps = repaired
    within = _middle(stamps, stamps, sampling.share)
    chosen = _spread(stamps, within, _count(within, sampling), f"frames{_where(sampling)}")
    indices = {bisect_left(stamps, stamp) for stamp in chosen}
    with opened(video) as (container, stream):
        frames = [scale(frame, sampling.max_pixels, aspect) for k, frame in enumerate(container.decode(stream)) if k in indices]
    if len(frames) != len(chosen):
        raise UnusableVideo(f"{len(frames)} of {len(chosen)} frames could be decoded")
    return _sampled(frames, [float((stamp - stamps[0]) * unit) for stamp in chosen])
