"""The edit list: the source frame at each output position, and what is done to it: crop, effects, tiles, shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

CLIP, DONOR = 0, 1  # the source of a frame: the clip itself, or the other video of a swap

FrameRef = tuple[int, int]  # (CLIP or DONOR, index among that video's sampled frames)


@dataclass(frozen=True)
class Effect:
    """A pixel effect on the output positions start..end-1; `seed` is for effects with noise."""

    name: str
    start: int
    end: int
    parameter: float
    seed: int = 0


@dataclass(frozen=True)
class Shape:
    """A filled shape on one output position. Lengths in output pixels; `radius` is of the circumscribed circle."""

    kind: str
    position: int
    x: float
    y: float
    radius: float
    angle: float
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Track:
    """A filled shape that stands at one point after another, from the output position `start` on; lengths as for Shape.

    Attributes:
        points: its centre at each position.
        rim: colour of its edge, a fifth of the radius; None for none.
    """

    kind: str
    start: int
    points: tuple[tuple[float, float], ...]
    radius: float
    colour: tuple[int, int, int]
    rim: tuple[int, int, int] | None = None

    @property
    def end(self) -> int:
        """The position after its last one."""
        return self.start + len(self.points)


View = tuple[float, float, float]
"""A crop of a frame that is scaled up to fill the picture: centre x and y, and size, as shares of width and height."""


@dataclass(frozen=True)
class OutputClip:
    """One video of the question. What is done to its frames is done in this order.

    Attributes:
        frames: the source frame at each position.
        clock: the sampled frame whose time is this clip's 0; position k is shown at times[clock + k] - times[clock].
        views: the crop of each position; empty for whole frames.
        effects: applied in order.
        tiles: for each place of a square grid, row by row, the tile of the picture that is shown there; empty for none.
        shapes, tracks: drawn last.
    """

    frames: tuple[FrameRef, ...]
    clock: int = 0
    effects: tuple[Effect, ...] = ()
    shapes: tuple[Shape, ...] = ()
    tracks: tuple[Track, ...] = ()
    views: tuple[View, ...] = ()
    tiles: tuple[int, ...] = ()

    @property
    def edited(self) -> set[int]:
        """The positions that are drawn on or changed, show a frame of another video, or lie within reordered frames.

        Reordered frames reach from the first to the last position where the frame number does not increase by one.
        """
        if self.views or self.tiles:
            return set(range(len(self.frames)))
        indices = [index for _, index in self.frames]
        jumps = [k for k in range(1, len(indices)) if indices[k] != indices[k - 1] + 1]
        positions = set(range(jumps[0], jumps[-1])) if jumps else set()
        positions |= {k for k, (source, _) in enumerate(self.frames) if source == DONOR}
        positions |= {k for effect in self.effects for k in range(effect.start, effect.end)}
        positions |= {k for track in self.tracks for k in range(track.start, track.end)}
        return positions | {shape.position for shape in self.shapes}

    def times(self, sampled: tuple[float, ...]) -> tuple[float, ...]:
        """Seconds at which each position is shown, to the millisecond, from the clip's sampled times."""
        zero = sampled[self.clock]
        return tuple(round(sampled[self.clock + k] - zero, 3) for k in range(len(self.frames)))


@dataclass(frozen=True)
class EditList:
    """The recipe of a question's videos; can be stored as JSON."""

    clips: tuple[OutputClip, ...]

    @property
    def needs_donor(self) -> bool:
        """Whether it takes frames from another video."""
        return any(source == DONOR for clip in self.clips for source, _ in clip.frames)

    def to_json(self) -> str:
        """JSON text; equal edit lists give equal text."""
        clips = [
            {
                "clock": clip.clock,
                "effects": [vars(effect) for effect in clip.effects],
                "frames": clip.frames,
                "shapes": [vars(shape) for shape in clip.shapes],
                **({"tracks": [vars(track) for track in clip.tracks]} if clip.tracks else {}),
                **({"views": clip.views} if clip.views else {}),
                **({"tiles": clip.tiles} if clip.tiles else {}),
            }
            for clip in self.clips
        ]
        return json.dumps({"clips": clips}, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> EditList:
        """Read what `to_json` wrote."""
        return cls(tuple(_clip(clip) for clip in json.loads(text)["clips"]))


def _clip(fields: dict[str, Any]) -> OutputClip:
    return OutputClip(
        frames=tuple((source, index) for source, index in fields["frames"]),
        clock=fields["clock"],
        effects=tuple(Effect(**effect) for effect in fields["effects"]),
        shapes=tuple(Shape(**_frozen(shape)) for shape in fields["shapes"]),
        tracks=tuple(Track(**_frozen(track)) for track in fields.get("tracks", ())),
        views=_tuples(fields.get("views", ())),
        tiles=tuple(fields.get("tiles", ())),
    )


def _frozen(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuples(value) for name, value in fields.items()}


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


def unedited(frames: int) -> tuple[FrameRef, ...]:
    """References to all frames of a clip, in order."""
    return tuple((CLIP, index) for index in range(frames))
