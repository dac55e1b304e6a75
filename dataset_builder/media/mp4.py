"""MP4 files of independent H.264 pictures, so that an edit re-encodes only the frames that it changes.

Every picture is an IDR picture of fixed quality: its bytes depend only on its pixels. Pictures of a clip can be reordered or
dropped without re-encoding, and one frame's shapes never bleed into the next. Times are whole milliseconds.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

from .frame import Frame

MILLISECOND = Fraction(1, 1000)
QUANTISER = 20
_OPTIONS = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "x264-params": f"qp={QUANTISER}:keyint=1:scenecut=0:colormatrix=smpte170m:annexb=1",
}
_FORMAT = "yuv420p"
_IDR_SLICE = 5
_DELIMITER = b"\x00\x00\x00\x02\x09\x10"


def encode_pictures(frames: Iterable[tuple[int, Frame | bytes]]) -> list[bytes]:
    """Encode frames as independent pictures, in the form of MP4 samples.

    Args:
        frames: (place, frame as array or JPEG file; a JPEG's colours are not converted). Neighbours in a file must differ in
            the parity of their places: H.264 requires different ids for consecutive IDR pictures, and the encoder
            alternates between 0 and 1.
    """
    pictures: list[bytes] = []
    codec, parity, decoder = None, 0, _jpeg_decoder()
    for place, frame in frames:
        if isinstance(frame, bytes):
            [picture] = decoder.decode(av.Packet(frame))
        else:
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
        picture = picture.reformat(format=_FORMAT, dst_color_range="MPEG", threads=1)
        codec = codec or _encoder(picture.width, picture.height)
        if parity != place % 2:
            _encode(codec, picture)
            parity ^= 1
        pictures.append(_encode(codec, picture))
        parity ^= 1
    return pictures


def write_mp4(pictures: Sequence[bytes], times: Sequence[float], end: float, width: int, height: int) -> bytes:
    """Write pictures into an MP4 file, shown at these rising times in seconds; the index is at the start of the file."""
    buffer = io.BytesIO()
    stamps = [round(time * 1000) for time in (*times, end)]
    options = {"moov_size": str(1024 + 32 * len(pictures)), "use_editlist": "0"}
    with av.open(buffer, "w", format="mp4", options=options) as container:
        stream = container.add_stream_from_template(_template(width, height).streams.video[0])
        stream.time_base = MILLISECOND
        for index, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.stream = stream
            packet.time_base = MILLISECOND
            packet.pts = packet.dts = stamps[index]
            packet.duration = stamps[index + 1] - stamps[index]
            packet.is_keyframe = True
            container.mux_one(packet)
    return buffer.getvalue()


def read_mp4(data: bytes) -> tuple[list[Frame], list[float]]:
    """All frames of an MP4 file and their times in seconds; raises av.FFmpegError if it is broken."""
    with av.open(io.BytesIO(data), "r") as container:
        if not container.streams.video:
            raise ValueError("the file holds no video")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        decoded = [(frame.to_ndarray(format="rgb24"), frame.time) for frame in container.decode(stream)]
    return [frame for frame, _ in decoded], [round(time or 0.0, 3) for _, time in decoded]


def _jpeg_decoder() -> av.VideoCodecContext:
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    return decoder


def _encoder(width: int, height: int) -> av.VideoCodecContext:
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, _FORMAT
    codec.time_base, codec.framerate = MILLISECOND, Fraction(30)
    codec.thread_count = 1
    codec.options = _OPTIONS
    return codec


def _encode(codec: av.VideoCodecContext, picture: av.VideoFrame) -> bytes:
    picture.pts = None
    (packet,) = codec.encode(picture)
    units = (unit.rstrip(b"\0") for unit in bytes(packet).split(b"\x00\x00\x01"))
    slices = [unit for unit in units if unit and unit[0] & 31 == _IDR_SLICE]
    return _DELIMITER + b"".join(len(unit).to_bytes(4, "big") + unit for unit in slices)


@lru_cache(maxsize=32)
def _template(width: int, height: int) -> av.container.InputContainer:
    """An MP4 file with one picture of this size; its stream headers fit every picture that `_encoder` makes."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30, options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = width, height, _FORMAT
        stream.codec_context.thread_count = 1
        black = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), "rgb24")
        container.mux(stream.encode(black))
        container.mux(stream.encode(None))
    return av.open(io.BytesIO(buffer.getvalue()), "r")
