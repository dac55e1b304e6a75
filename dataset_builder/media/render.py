"""Renders a question's videos from a clip and an edit list: the only place where pixels are changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..tasks.edits import CLIP, DONOR, EditList, OutputClip
from ..tasks.statistics import ClipStats
from .clip import Clip
from .effects import apply_effect
from .frame import Frame, encode_jpeg
from .layout import cover, crop, rearrange
from .mp4 import encode_pictures, write_mp4
from .shapes import draw_shape, track_shapes


@dataclass(frozen=True)
class RenderedClip:
    """One video of a question. Unedited frames are not copied but taken from the clip.

    Attributes:
        clip: the clip that the video was made from.
        sources: for each position, the index of the clip's frame shown there; ignored for positions in `drawn`.
        drawn: the edited frames, by position.
        times: seconds, from 0.
        end: seconds at which the last frame stops being shown.
    """

    clip: Clip
    sources: tuple[int, ...]
    drawn: Mapping[int, Frame]
    times: tuple[float, ...]
    end: float

    def frames(self) -> list[Frame]:
        """Every frame as an array."""
        return [self.drawn[at] if at in self.drawn else self.clip.frame(index) for at, index in enumerate(self.sources)]

    def jpegs(self) -> list[bytes]:
        """Every frame as a JPEG; unedited frames exactly as the clip stores them."""
        return [encode_jpeg(self.drawn[at]) if at in self.drawn else self.clip.jpegs[k] for at, k in enumerate(self.sources)]

    def mp4(self) -> bytes:
        """A playable file. If the clip has H.264 pictures, only edited and displaced frames are encoded."""
        pictures: dict[int, bytes] = {}
        shift = self.sources[0] % 2 if 0 not in self.drawn else 0
        for at, index in enumerate(self.sources):
            if at not in self.drawn and self.clip.h264 and index % 2 == (at + shift) % 2:
                pictures[at] = self.clip.h264[index]
        missing = [at for at in range(len(self.sources)) if at not in pictures]
        frames = ((at + shift, self.drawn.get(at, self.clip.jpegs[self.sources[at]])) for at in missing)
        pictures.update(zip(missing, encode_pictures(frames), strict=True))
        stats = self.clip.stats
        return write_mp4([pictures[at] for at in range(len(pictures))], self.times, self.end, stats.width, stats.height)


def render(clip: Clip, edits: EditList, donor: Clip | None = None) -> tuple[RenderedClip, ...]:
    """Apply an edit list; raises ValueError if it takes frames from a second video, the donor, and there is none."""
    if edits.needs_donor and donor is None:
        raise ValueError("this edit list takes frames from a second video: pass it as donor")
    return tuple(_render(clip, output, donor) for output in edits.clips)


def _render(clip: Clip, output: OutputClip, donor: Clip | None) -> RenderedClip:
    size = (clip.stats.width, clip.stats.height)
    drawn: dict[int, Frame] = {}
    for at, (source, index) in enumerate(output.frames):
        if source == DONOR and donor is not None:
            drawn[at] = cover(donor.frame(index), *size)

    def frame_at(at: int) -> Frame:
        return drawn[at] if at in drawn else clip.frame(output.frames[at][1])

    for at, view in enumerate(output.views):
        drawn[at] = crop(frame_at(at), view)
    for effect in output.effects:
        for at in range(effect.start, effect.end):
            drawn[at] = apply_effect(effect.name, frame_at(at), effect.parameter, at, effect.seed)
    if output.tiles:
        drawn = {at: rearrange(frame_at(at), output.tiles) for at in range(len(output.frames))}
    for shape in output.shapes:
        drawn[shape.position] = frame_at(shape.position)
        draw_shape(drawn[shape.position], shape)
    for track in output.tracks:
        for at, shapes in track_shapes(track):
            drawn[at] = frame_at(at)
            for shape in shapes:
                draw_shape(drawn[at], shape)
    sources = tuple(index if source == CLIP else 0 for source, index in output.frames)
    return RenderedClip(clip, sources, drawn, *timing(clip.stats, output))


def timing(stats: ClipStats, output: OutputClip) -> tuple[tuple[float, ...], float]:
    """`RenderedClip.times` and `RenderedClip.end` without rendering."""
    times = output.times(stats.times)
    after = output.clock + len(times)
    until = stats.times[after] if after < len(stats.times) else stats.end
    return times, round(until - stats.times[output.clock], 3)
