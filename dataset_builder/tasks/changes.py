"""Changes: several stretches are altered, each in its own way; in which order do the alterations come?

A: the picture is blurred … B: the colour is gone …   ->   B,D,A
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from .anomalies import ANOMALIES
from .answers import Answer, Chance, Labels
from .answers.labels import LETTERS
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, Effect, OutputClip, unedited
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats
from .stretches import ALIGN, aligned, check_visible, first_solvable, share_of, spread

LAYOUTS_TRIED = 12
EFFECTS = (
    "grayscale", "invert", "channel_swap", "rotate_90", "noise", "zoom_out", "mirror", "blur", "saturation",
)  # fmt: skip
"""Not upside down, which a picture that is symmetric from top to bottom shows like mirrored."""
WHOLE = frozenset({"grayscale", "channel_swap"})  # as half of it would not be what its phrase says


class Changes(Task):
    """Recognise what happens, in order."""

    name = "changes"
    version = 1
    ability = "temporal_ordering"
    answer = Labels
    answer_format = "a letter for each stretch, B,D,A"
    in_suite = True
    knobs = (
        Knob("changes", (3, 3, 4, 5), "altered stretches", 2, 8),
        Knob("options", (5, 6, 6, 7), "alterations to choose from", 2, len(LETTERS)),
        Knob("share", (1 / 8, 1 / 10, 1 / 12, 1 / 16), "length of a stretch, as a share of the video", 0.01, 0.4),
        Knob("strength", (1.0, 0.85, 0.7, 0.5), "strength of effects that have degrees", 0.05, 1.0),
        Knob("min_change", (8.0, 6.0, 5.0, 4.0), "grey levels that every altered frame differs by, at least", 1.0, 100.0),
        Knob("clearness", (1.0, 0.7, 0.5, 0.3), "the change at both ends, against the motion there", 0.0, 10.0),
        ALIGN,
    )

    def check(self, params: Params) -> None:
        if params["options"] < params["changes"]:
            raise UsageError(f"options={params['options']} is not allowed; allowed: at least changes={params['changes']}")

    def min_frames(self, params: Params) -> int:
        return int(params["align"] * (2 * params["changes"] + 1))

    def guess_space(self, params: Params, times: Sequence[float]) -> int:
        return int(params["options"])

    def chance(self, params: Params, frames: int) -> Chance:
        return Labels.chance(params["changes"], params["options"], distinct=True)

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        effects = sorted(edits.clips[0].effects, key=lambda effect: effect.start)
        lines = question.split("\n")
        letters = ",".join(line[0] for e in effects for line in lines if line[1:] == f": {ANOMALIES[e.name].phrase}")
        return "" if answer.format() == letters else f"the stretches are altered as {letters}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for {params['changes']} stretches")
        return first_solvable(lambda: _plan(clip, rng, params), LAYOUTS_TRIED)


def _plan(clip: ClipStats, rng: Random, params: Params) -> Plan:
    count, align = params["changes"], params["align"]
    room = (clip.frames - (count + 1) * align) / count
    length = min(share_of(clip.frames, params["share"], align), aligned(room, align))
    places = spread([length] * count, clip.frames, align, align, rng)
    options = [name for name in EFFECTS if all(_shows(clip, name, start, end, params) for start, end in places)]
    if len(options) < params["options"]:
        raise Unsolvable(f"only {len(options)} alterations show in this shot")
    options = rng.sample(options, params["options"])
    effects = [
        Effect(name, start, end, ANOMALIES[name].parameter(_strength(name, params)), rng.getrandbits(31))
        for name, (start, end) in zip(options, places, strict=False)
    ]
    rng.shuffle(options)
    listing = "\n".join(f"{letter}: {ANOMALIES[name].phrase}" for letter, name in zip(LETTERS, options, strict=False))
    question = (
        f"<video>\n{count} stretches of this video are altered, each in another way. Which of these alterations come, in the "
        f"order of the video?\n{listing}\nAnswer with {count} letters, first to last, for example B,A if there were two. "
        f"{ANSWER_TAG}"
    )
    answer = Labels(tuple(LETTERS[options.index(effect.name)] for effect in effects))
    return Plan(question, answer, EditList((OutputClip(unedited(clip.frames), effects=tuple(effects)),)))


def _strength(name: str, params: Params) -> float:
    return 1.0 if name in WHOLE else float(params["strength"])


def _shows(clip: ClipStats, name: str, start: int, end: int, params: Params) -> bool:
    try:
        check_visible(clip, name, start, end, {**params, "strength": _strength(name, params)})
    except Unsolvable:
        return False
    return True


TASK = Changes()
