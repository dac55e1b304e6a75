"""Cuts: pieces were left out of the video; when does it jump?

Pieces were cut out of this video at 3 places … When does it jump?   ->   3.2,7.9,12.4
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random

from .answers import Answer, Chance, Instants
from .base import ANSWER_TAG, Plan, Task
from .edits import CLIP, EditList, OutputClip
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats
from .stretches import ALIGN, first_solvable, seconds, spread

PLACES_TRIED = 100
DRAWS_FOR_CHANCE = 400
TOLERANCE = 0.1  # share of the video's length by which an instant may be off before it earns nothing


class Cuts(Task):
    """Notice where something is missing."""

    name = "cuts"
    version = 1
    ability = "temporal_grounding"
    answer = Instants
    answer_format = "seconds, rising, 3.2,7.9,12.4"
    in_suite = True
    knobs = (
        Knob("cuts", (2, 3, 4, 5), "places at which a piece is missing", 1, 8),
        Knob("piece", (8, 6, 4, 4), "frames of a missing piece", 1, 256),
        Knob("min_change", (6.0, 5.0, 4.0, 3.0), "grey levels of each jump, at least", 1.0, 100.0),
        Knob("clearness", (0.6, 0.45, 0.3, 0.2), "share by which each jump exceeds all movement between frames", 0.0, 10.0),
        ALIGN,
    )

    def min_frames(self, params: Params) -> int:
        return int(params["cuts"] * params["piece"] + params["align"] * (params["cuts"] + 1))

    def guess_space(self, params: Params, times: Sequence[float]) -> Sequence[float]:
        return times

    def chance(self, params: Params, frames: int) -> Chance:
        if frames < self.min_frames(params):
            raise UsageError(f"clips of {frames} frames are too short for these parameters")
        return _chance(params["cuts"], _shown(params, frames), params["align"])

    def blind(self, params: Params, times: tuple[float, ...], end: float) -> Instants:
        guess = self.chance(params, len(times)).blind
        assert isinstance(guess, Instants)
        frame = end / len(times)  # seconds
        return Instants(tuple(round(at * frame, 3) for at in guess.times), guess.pair * frame, guess.tolerance * frame)

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        jumps = Instants(seconds(times[0], _jumps(edits.clips[0])))
        return "" if answer == jumps else f"the video jumps at {jumps}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for {params['cuts']} cuts")
        steps = [clip.distance(at - 1, at) if at else 0.0 for at in range(clip.frames)]
        return first_solvable(lambda: _plan(clip, rng, params, steps), PLACES_TRIED)


def _shown(params: Params, frames: int) -> int:
    """Frames of the video with the pieces left out; the same for every question."""
    return int(frames - params["cuts"] * params["piece"])


def _jumps(clip: OutputClip) -> list[int]:
    frames = [index for _, index in clip.frames]
    return [k for k in range(1, len(frames)) if frames[k] != frames[k - 1] + 1]


def _draw(rng: Random, cuts: int, shown: int, align: int) -> list[int]:
    """Positions of the cuts, apart from each other and from the ends."""
    return [start for start, _ in spread([0] * cuts, shown, align, align, rng)]


def _plan(clip: ClipStats, rng: Random, params: Params, steps: Sequence[float]) -> Plan:
    shown, align = _shown(params, clip.frames), params["align"]
    cuts = _draw(rng, params["cuts"], shown, align)
    frames = [at + params["piece"] * sum(cut <= at for cut in cuts) for at in range(shown)]
    jump = min(clip.distance(frames[cut - 1], frames[cut]) for cut in cuts)
    if jump < params["min_change"]:
        raise Unsolvable("too little moves: a cut would not show")
    if jump < (1 + params["clearness"]) * max(steps[frames[at]] for at in range(1, shown) if at not in cuts):
        raise Unsolvable("the video has jumps of its own")
    output = OutputClip(tuple((CLIP, index) for index in frames))
    times = output.times(clip.times)
    length = clip.times[shown] if shown < clip.frames else clip.end
    answer = Instants(
        seconds(times, cuts), round(align * length / shown, 3), round(_tolerance(shown, align) * length / shown, 3)
    )
    question = (
        f"<video>\nPieces were cut out of this video at {len(cuts)} places, where it jumps ahead. When does it jump, in seconds "
        f"from the beginning of the video? Answer with {len(cuts)} times, rising, for example "
        f"{'1.5,4.0,6.5' if len(cuts) != 3 else '1.5,4.0'} for {'three' if len(cuts) != 3 else 'two'} jumps. {ANSWER_TAG}"
    )
    return Plan(question, answer, EditList((output,)))


def _tolerance(shown: int, align: int) -> float:
    """Frames; a pair and a half at least, as a model cannot tell the frames of a pair apart."""
    return max(TOLERANCE * shown, 1.5 * align)


@lru_cache(maxsize=64)
def _chance(cuts: int, shown: int, align: int) -> Chance:
    rng = Random(0)
    samples = [tuple(_draw(rng, cuts, shown, align)) for _ in range(DRAWS_FOR_CHANCE)]
    return Instants.chance(samples, align, _tolerance(shown, align))


TASK = Cuts()
