"""The anomalies that grounding can put into a clip: what each is called, and how strong it is.

An effect's parameter runs from `neutral`, where it does nothing, to `full`; `strength` in (0, 1] says how far. The pixel
effects are drawn by `dataset_builder.effects` under the same names; the others only reorder frames.
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
        neutral, full: the parameter at strength 0 and 1, in the unit named beside it below.
        graded: whether it can be half done.
        salience: how much more the eye makes of a grey level of its change than of another effect's.
    """

    phrase: str
    kind: Kind = "pixel"
    neutral: float = 0.0
    full: float = 1.0
    graded: bool = True
    salience: float = 1.0

    def parameter(self, strength: float) -> float:
        """The effect's own parameter; those that cannot be half done ignore the strength."""
        return round(self.neutral + (self.full - self.neutral) * (strength if self.graded else 1.0), 4)

    def share(self, strength: float) -> float:
        """How much of the change at full strength is left, as the eye sees it."""
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
    "stutter": Anomaly("the picture keeps freezing and jumping ahead", "order", full=8.0),  # frames held
    "fast_forward": Anomaly("the video runs too fast", "order", neutral=1.0, full=3.0),  # speed
    "reverse": Anomaly("the video runs backwards", "order", graded=False),
    "swap": Anomaly("the picture is of another video", "donor", graded=False),
}

PIXEL_EFFECTS = tuple(name for name, anomaly in ANOMALIES.items() if anomaly.kind == "pixel")
DEFAULT_MIX = ("channel_swap", "mirror", "zoom_out", "rotate_180")  # the paper's training mixture
