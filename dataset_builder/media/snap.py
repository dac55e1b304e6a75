"""Frames near evenly spaced times that are cheap to decode: a keyframe where one is near, else one soon after a keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av

from ..sources.read import Video
from .container import opened, pixel_aspect
from .frame import Frame
from .geometry import scale
from .sampling import Sampling

SHIFT = Fraction(1, 4)  # of the distance between two wanted times: as far as a frame may lie from its own
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")  # containers that know where their keyframes are
_REORDERED = 32  # packets among which the first shown frame is


def snap(video: Video, sampling: Sampling) -> tuple[list[Frame], list[float]] | None:
    """T frames, each at most SHIFT from evenly spaced times, and their times in seconds since the first frame of the video.

    None where this is not cheap, or not possible: wanted times closer than keyframes, a container without an index. Reads only
    what it decodes.
    """
    with opened(video) as (container, stream):
        if container.format.name not in _INDEXED or sampling.frames < 2:
            return None
        span = _span(container, stream)
        if span is None:
            return None
        first, length, frame_length = span
        share = Fraction(sampling.share).limit_denominator(1000)
        start, end = first + length * (1 - share) / 2, first + length * (1 + share) / 2
        spacing = (end - start) / (sampling.frames - 1)
        keys = sum(entry.is_keyframe for entry in stream.index_entries)
        if 2 * keys * spacing < length:  # sought anew for each time, a denser choice would cost more than decoding all
            return None
        aspect = pixel_aspect(stream)
        frames, times = [], []
        for k in range(sampling.frames):
            wanted = start + k * spacing
            shift = SHIFT * spacing if 0 < k < sampling.frames - 1 else 2 * frame_length  # the ends hold the others in place
            frame = _near(container, stream, max(start, wanted - shift), min(end, wanted + shift))
            if frame is None or frame.pts is None:
                return None
            frames.append(scale(frame, sampling.max_pixels, aspect))
            times.append(float((frame.pts - first) * (stream.time_base or 1)))
        return frames, times


def _span(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[int, Fraction, Fraction] | None:
    """(time of the first frame, length, mean length of a frame), in the stream's unit; None if it has no times."""
    if not stream.time_base or not stream.average_rate:
        return None
    first = _shown(container, stream, _REORDERED)
    seconds = stream.duration * stream.time_base if stream.duration else Fraction(container.duration or 0, av.time_base)
    if not first or not seconds:
        return None
    container.seek(min(first) + int(seconds / stream.time_base), stream=stream)
    last = _shown(container, stream)
    frame_length = 1 / (stream.average_rate * stream.time_base)
    return (min(first), max(last) - min(first) + frame_length, frame_length) if last else None


def _shown(container: av.container.InputContainer, stream: av.VideoStream, most: int = 1 << 40) -> list[int]:
    """The time stamps of the next packets whose frames are shown."""
    packets = zip(range(most), container.demux(stream), strict=False)
    return [packet.pts for _, packet in packets if packet.size and packet.pts is not None and not packet.is_discard]


def _near(
    container: av.container.InputContainer, stream: av.VideoStream, early: Fraction, late: Fraction
) -> av.VideoFrame | None:
    """The last keyframe between these times, else the first frame; None if there is none."""
    codec = stream.codec_context
    codec.flush_buffers()
    packets = _from_keyframe(container, stream, int(late))
    codec.skip_frame = "DEFAULT"
    for packet in packets:
        if packet.is_keyframe and packet.pts is not None and early <= packet.pts <= late:
            decoded = [*codec.decode(packet), *codec.decode(None)]
        else:
            codec.skip_frame = "NONREF" if packet.pts is not None and packet.pts < early else "DEFAULT"
            decoded = codec.decode(packet) if packet.size else codec.decode(None)
        for frame in decoded:
            if frame.pts is not None and frame.pts >= early:
                return frame if frame.pts <= late else None
    return None


def _from_keyframe(
    container: av.container.InputContainer, stream: av.VideoStream, time: int
) -> Iterator[av.Packet[av.VideoStream]]:
    """The packets from the last keyframe that is shown at or before a time. Containers seek by decoding times, which are earlier."""
    target = time
    while True:
        container.seek(target, stream=stream)
        packets = container.demux(stream)
        packet = next(packets)
        if packet.pts is None or packet.dts is None or packet.pts <= time or packet.dts >= target:
            break
        target = packet.dts - 1
    yield packet
    yield from packets
