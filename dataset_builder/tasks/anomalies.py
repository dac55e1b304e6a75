"""The anomalies that grounding can put into a clip: their wording and their strength.

An effect's parameter runs from `neutral` (no effect) at strength 0 to `full` at strength 1. The pixel effects are drawn by
`dataset_builder.media.effects` under the same names; the others only rearrange frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["pixel", "order", "donor"]


@dataclass(frozen=True)
class Anomaly:
    """One kind of anomaly.

    Attributes:
        phrase: completes "In one stretch of this video, …".
        kind: "pixel" changes frames, "order" rearranges them, "donor" takes them from another video.
        neutral, full: the parameter at strength 0 and 1, in the unit given in the table below.
        graded: whether strengths between 0 and 1 are possible.
        salience: visibility of one grey level of its change, relative to the other effects.
    """

    phrase: str
    kind: Kind = "pixel"
    neutral: float = 0.0
    full: float = 1.0
    graded: bool = True
    salience: float = 1.0

    def parameter(self, strength: float) -> float:
        """The effect's parameter at a strength; effects that are not graded ignore it."""
        return round(self.neutral + (self.full - self.neutral) * (strength if self.graded else 1.0), 4)

    def share(self, strength: float) -> float:
        """Visible change at this strength, as a share of the change at full strength."""
        return self.salience * (strength if self.graded else 1.0)


ANOMALIES: dict[str, Anomaly] = {
    "grayscale": Anomaly("the colour is gone"),  # share of grey mixed in
    "invert": Anomaly("the colours are inverted, as in a negative", graded=False),
    "channel_swap": Anomaly("the red and the blue colour channel are swapped"),  # share of the swapped frame mixed in
    "rotate_90": Anomaly("the picture is turned by 90 degrees clockwise", graded=False),
    "rotate_180": Anomaly("the picture is turned upside down (by 180 degrees)", graded=False),
    "rotate_270": Anomaly("the picture is turned by 90 degrees counter-clockwise", graded=False),
    "noise": Anomaly("the picture is covered with random noise", full=60.0),  # standard deviation in grey levels
    "zoom_in": Anomaly("the picture is zoomed in", neutral=1.0, full=1.5),  # magnification
    "zoom_out": Anomaly("the picture is zoomed out, with black around it", neutral=1.0, full=0.7),  # scale
    "mirror": Anomaly("the picture is mirrored left to right", graded=False),
    "blur": Anomaly("the picture is blurred", full=0.025, salience=3.0),  # sigma as a share of the short side
    "saturation": Anomaly("the colours are far too strong", neutral=1.0, full=3.0),  # factor
    "flicker": Anomaly("the brightness flickers", full=0.6),  # gain and loss, alternating with every pair of frames
    "shuffle": Anomaly("the frames are out of order", "order", graded=False),
    "stutter": Anomaly("the picture keeps freezing and jumping ahead", "order", full=8.0),  # frames per freeze
    "fast_forward": Anomaly("the video runs too fast", "order", neutral=1.0, full=3.0),  # speed
    "reverse": Anomaly("the video runs backwards", "order", graded=False),
    "swap": Anomaly("the picture is of another video", "donor", graded=False),
}

PIXEL_EFFECTS = tuple(name for name, anomaly in ANOMALIES.items() if anomaly.kind == "pixel")
DEFAULT_MIX = ("channel_swap", "mirror", "zoom_out", "rotate_180")  # the paper's training mixture
