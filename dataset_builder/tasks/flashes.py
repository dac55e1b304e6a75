"""Flashes: discs of different colours appear one after another; in which order do the colours come?

In which order … : 1 red, 2 blue, 3 green, 4 yellow?   ->   3142
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist
from random import Random
from typing import ClassVar

from .answers import Answer, Chance, Order
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, OutputClip, Track, unedited
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats
from .stretches import ALIGN, first_solvable, spread

PALETTE = {  # the first ones differ most
    "red": (215, 25, 25),
    "green": (20, 150, 45),
    "blue": (35, 60, 220),
    "yellow": (250, 225, 40),
    "white": (252, 252, 252),
    "black": (8, 8, 8),
    "pink": (250, 130, 195),
    "turquoise": (60, 220, 210),
    "orange": (245, 135, 15),
    "purple": (120, 35, 165),
}
LAYOUTS_TRIED = 8
PLACES_TRIED = 40
SPREAD_WEIGHT = 1.0  # weight of the background's texture, which hides discs like a similar colour does
MARGIN = 3.0  # pixels between a disc and the border


class ColourOrder(Order):
    """The numbers of colours, in order."""

    units: ClassVar[frozenset[str]] = frozenset({"colour", "colours", "color", "colors", *PALETTE})


class Flashes(Task):
    """Remember the order of short events that are spread over the whole video."""

    name = "flashes"
    version = 1
    ability = "temporal_ordering"
    answer = ColourOrder
    answer_format = "numbers of the listed colours in order, 3142 (comma-separated from 10 up)"
    in_suite = True
    knobs = (
        Knob("flashes", (4, 5, 6, 8), "discs that appear", 3, len(PALETTE)),
        Knob("colours", (6, 7, 8, 10), "colours to choose from, of which the later ones are alike", 2, len(PALETTE)),
        Knob("duration", (4, 4, 2, 2), "frames that a disc stays, at most; a multiple of align", 1, 64),
        Knob("size", (0.18, 0.14, 0.1, 0.07), "radius, as a share of the short side", 0.03, 0.4),
        Knob("contrast", (100.0, 90.0, 80.0, 70.0), "least colour distance to the background", 30.0, 200.0),
        ALIGN,
    )

    def check(self, params: Params) -> None:
        if params["flashes"] > params["colours"]:
            raise UsageError(f"flashes={params['flashes']} is not allowed; allowed: at most colours={params['colours']}")

    def min_frames(self, params: Params) -> int:
        count, align = params["flashes"], params["align"]
        return int(count * align + (count + 1) * align)

    def chance(self, params: Params, frames: int) -> Chance:
        return Order.chance(params["flashes"])

    def _default_baseline(self, truth: Answer) -> float:
        return Order.chance(len(truth.parts())).smooth

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        starts = [track.start for track in edits.clips[0].tracks]  # in the order in which the question lists the colours
        order = Order(tuple(k + 1 for k in sorted(range(len(starts)), key=starts.__getitem__)))
        return "" if answer.parts() == order.parts() else f"the discs appear as {order.format()}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        return first_solvable(lambda: _plan(clip, rng, params), LAYOUTS_TRIED)


def _plan(clip: ClipStats, rng: Random, params: Params) -> Plan:
    count, align = params["flashes"], params["align"]
    room = (clip.frames - (count + 1) * align) // (count * align) * align
    length = min(max(align, params["duration"] // align * align), max(align, room))
    places = spread([length] * count, clip.frames, align, align, rng)
    order = list(range(count))  # order[k]: the place at which the k-th listed colour appears
    while order == sorted(order):
        rng.shuffle(order)
    names = rng.sample(list(PALETTE)[: params["colours"]], count)
    tracks = tuple(_disc(clip, rng, params, PALETTE[name], *places[at]) for name, at in zip(names, order, strict=True))
    answer = ColourOrder(tuple(order.index(at) + 1 for at in range(count)))
    listed = ", ".join(f"{k} {name}" for k, name in enumerate(names, 1))
    form = "separated by commas, for example 2,3,1" if count > 9 else "without spaces, for example 231"
    question = (
        f"<video>\n{count} discs, each of another colour, appear on this video one after another, each for a moment. In which "
        f"order do their colours appear: {listed}? Answer with the numbers, first to last, {form} if there were three. "
        f"{ANSWER_TAG}"
    )
    return Plan(question, answer, EditList((OutputClip(unedited(clip.frames), tracks=tracks),)))


def _disc(clip: ClipStats, rng: Random, params: Params, colour: tuple[int, int, int], start: int, end: int) -> Track:
    radius = round(params["size"] * min(clip.width, clip.height), 2)
    border = radius + MARGIN
    for _ in range(PLACES_TRIED):
        x = round(rng.uniform(border, clip.width - border), 2)
        y = round(rng.uniform(border, clip.height - border), 2)
        cells = [cell for frame in range(start, end) for cell in clip.cells(frame, x, y, radius)]
        if all(dist(colour, cell[:3]) - SPREAD_WEIGHT * cell[3] >= params["contrast"] for cell in cells):
            return Track("circle", start, ((x, y),) * (end - start), radius, colour)
    raise Unsolvable("a colour stands out nowhere")


TASK = Flashes()
