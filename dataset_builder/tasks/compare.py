"""Compare: clips are set against a reference; how was each made from it?

A: the same … B: played backwards … C: mirrored …   ->   B,A,C
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from random import Random

from .answers import Answer, Chance, Labels
from .answers.labels import LETTERS
from .base import ANSWER_TAG, Plan, Task
from .edits import CLIP, EditList, Effect, OutputClip
from .errors import Unsolvable
from .levels import Knob, Params
from .statistics import ClipStats, mirrored, upside_down
from .stretches import ALIGN, aligned, difference, first_solvable

PLACES_TRIED = 16
MOST_FRAMES = 24  # a clip
DISGUISE = {"saturation": (1.0, 2.0), "blur": (0.0, 0.008), "noise": (0.0, 25.0)}  # parameter at strength 0 and 1

KINDS: dict[str, str] = {  # the easy ones first
    "same": "it shows the same",
    "upside_down": "it is turned upside down",
    "mirrored": "it is mirrored left to right",
    "backwards": "it is played backwards",
    "halves": "its second half comes first",
    "elsewhere": "it is from another part of the video",
}
_EFFECTS = {"upside_down": "rotate_180", "mirrored": "mirror"}
_FLIPS = {"upside_down": upside_down, "mirrored": mirrored}
_ORDERS: dict[str, Callable[[list[int]], list[int]]] = {
    "backwards": lambda frames: frames[::-1],
    "halves": lambda frames: frames[len(frames) // 2 :] + frames[: len(frames) // 2],
}


class Compare(Task):
    """Tell what is different between two clips."""

    name = "compare"
    version = 1
    ability = "comparison"
    answer = Labels
    answer_format = "a letter for each clip, B,A,C"
    in_suite = True
    knobs = (
        Knob("clips", (3, 3, 4, 5), "clips beside the reference", 2, 16),
        Knob("kinds", (4, 5, 6, 6), "what a clip may be", 2, len(KINDS)),
        Knob("disguise", (0.0, 0.4, 0.7, 1.0), "how strongly colours, sharpness or grain of all clips are changed", 0.0, 1.0),
        Knob("min_change", (6.0, 5.0, 4.0, 3.0), "grey levels by which any two kinds differ, at least", 1.0, 100.0),
        ALIGN,
    )

    def min_frames(self, params: Params) -> int:
        return 2 * int(params["align"] * (params["clips"] + 1))

    def guess_space(self, params: Params, times: Sequence[float]) -> int:
        return int(params["kinds"])

    def chance(self, params: Params, frames: int) -> Chance:
        return Labels.chance(params["clips"], params["kinds"], distinct=False)

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        reference, *clips = edits.clips
        kinds = ",".join(LETTERS[list(KINDS).index(_kind(reference, clip))] for clip in clips)
        return "" if answer.format() == kinds else f"the clips are {kinds}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for {params['clips'] + 1} clips")
        return first_solvable(lambda: _plan(clip, rng, params), PLACES_TRIED)


def _plan(clip: ClipStats, rng: Random, params: Params) -> Plan:
    kinds, align = list(KINDS)[: params["kinds"]], params["align"]
    length = min(aligned(clip.frames / (params["clips"] + 1), 2 * align), MOST_FRAMES)
    starts = range(0, clip.frames - length + 1, align)
    start = rng.choice(starts)
    away = [other for other in starts if abs(other - start) >= length]
    if not away:
        raise Unsolvable("no other part of the video is left")
    other = rng.choice(away)
    reference = list(range(start, start + length))
    elsewhere = list(range(other, other + length))
    _check_kinds(clip, reference, elsewhere, kinds, params["min_change"])
    outputs = [OutputClip(tuple((CLIP, index) for index in reference), clock=start)]
    truth = [rng.choice(kinds) for _ in range(params["clips"])]
    for kind in truth:
        frames = elsewhere if kind == "elsewhere" else _ORDERS.get(kind, list)(reference)
        effects = [Effect(_EFFECTS[kind], 0, length, 1.0)] if kind in _EFFECTS else []
        if params["disguise"]:
            name, (least, most) = rng.choice(list(DISGUISE.items()))
            parameter = round(least + (most - least) * params["disguise"], 4)
            effects.append(Effect(name, 0, length, parameter, rng.getrandbits(31)))
        outputs.append(OutputClip(tuple((CLIP, index) for index in frames), clock=start, effects=tuple(effects)))
    listing = "\n".join(f"Clip {k}: <video>" for k in range(1, len(truth) + 1))
    options = "\n".join(f"{letter}: {KINDS[kind]}" for letter, kind in zip(LETTERS, kinds, strict=False))
    disguised = " Colours, sharpness and grain may differ and do not count." if params["disguise"] else ""
    question = (
        f"Reference: <video>\n{listing}\nEach clip was made from the reference or from the same video. What is each, compared "
        f"with the reference?{disguised}\n{options}\nSeveral clips may be the same. Answer with one letter for each clip, "
        f"in order, for example B,A if there were two. {ANSWER_TAG}"
    )
    answer = Labels(tuple(LETTERS[kinds.index(kind)] for kind in truth))
    return Plan(question, answer, EditList(tuple(outputs)))


def _check_kinds(clip: ClipStats, reference: list[int], elsewhere: list[int], kinds: list[str], least: float) -> None:
    """Raise Unsolvable if two kinds would look alike."""
    shown = [clip.signature(index) for index in reference]
    pictures = {"same": shown, "elsewhere": [clip.signature(index) for index in elsewhere]}
    pictures |= {kind: [flip(picture) for picture in shown] for kind, flip in _FLIPS.items()}
    pictures |= {kind: [clip.signature(index) for index in order(reference)] for kind, order in _ORDERS.items()}
    for one, other in combinations(kinds, 2):
        if difference(pictures[one], pictures[other]) < least:
            raise Unsolvable(f"{one} and {other} would look alike")


def _kind(reference: OutputClip, clip: OutputClip) -> str:
    """What a clip is, from its edits."""
    for kind, effect in _EFFECTS.items():
        if any(each.name == effect for each in clip.effects):
            return kind
    frames = [index for _, index in clip.frames]
    shown = [index for _, index in reference.frames]
    if frames == shown:
        return "same"
    return next((kind for kind, order in _ORDERS.items() if order(shown) == frames), "elsewhere")


TASK = Compare()
