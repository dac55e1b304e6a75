"""The edit list: the source frame at each output position, and the effects and shapes on it."""

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
class OutputClip:
    """One video of the question.

    Attributes:
        frames: the source frame at each position.
        clock: the sampled frame whose time is this clip's 0; position k is shown at times[clock + k] - times[clock].
        effects: applied in order, before the shapes.
        shapes: drawn last.
    """

    frames: tuple[FrameRef, ...]
    clock: int = 0
    effects: tuple[Effect, ...] = ()
    shapes: tuple[Shape, ...] = ()

    @property
    def edited(self) -> set[int]:
        """The positions with an effect or a shape, with a frame of another video, or within reordered frames.

        Reordered frames reach from the first to the last position where the frame number does not increase by one.
        """
        indices = [index for _, index in self.frames]
        jumps = [k for k in range(1, len(indices)) if indices[k] != indices[k - 1] + 1]
        positions = set(range(jumps[0], jumps[-1])) if jumps else set()
        positions |= {k for k, (source, _) in enumerate(self.frames) if source == DONOR}
        positions |= {k for effect in self.effects for k in range(effect.start, effect.end)}
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
        shapes=tuple(Shape(**{**shape, "colour": tuple(shape["colour"])}) for shape in fields["shapes"]),
    )


def unedited(frames: int) -> tuple[FrameRef, ...]:
    """References to all frames of a clip, in order."""
    return tuple((CLIP, index) for index in range(frames))
