"""Temporal grounding: one stretch of the video is altered; when does it start and end?

In one stretch of this video, the picture is mirrored left to right. When … ?   ->   14.5-26.2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from random import Random

from .anomalies import ANOMALIES, DEFAULT_MIX, Anomaly
from .answers import Answer, Chance, Interval
from .base import ANSWER_TAG, Plan, Task
from .edits import CLIP, DONOR, EditList, Effect, FrameRef, OutputClip, unedited
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats
from .stretches import ALIGN, check_visible, frame_at

PLACES_TRIED = 16  # per effect
MIN_FOREIGN = 20.0  # grey levels by which frames of another video must differ
MIN_FASTER = 1.3  # factor by which a sped-up stretch must move more from frame to frame
MIN_MOTION = 2.0  # mean grey-level change between frames, for effects that only reorder frames
MIN_REORDERED = 3  # frames; in fewer, another order would not show
ROUNDED = 0.051  # largest difference in seconds between a frame's time and its rounded value in the answer
SPANS_FOR_CHANCE = 1500  # if there are more spans, an evenly spaced subset


class Grounding(Task):
    """Find the stretch that was altered (paper, anomaly grounding task)."""

    name = "grounding"
    version = 1
    ability = "temporal_grounding"
    answer = Interval
    answer_format = "start-end in seconds, 14.5-26.2"
    in_mixed = in_suite = True
    knobs = (
        Knob("effects", (DEFAULT_MIX,) * 4, "anomalies to choose from", choices=tuple(ANOMALIES)),
        Knob("min_share", (1 / 6, 1 / 8, 1 / 12, 1 / 24), "shortest stretch, as a share of the clip", 0.01, 0.8),
        Knob("max_share", (1 / 3, 1 / 4, 1 / 6, 1 / 12), "longest stretch, as a share of the clip", 0.01, 0.8),
        Knob("strength", (1.0, 0.85, 0.7, 0.5), "strength of effects that have degrees", 0.05, 1.0),
        Knob("named", (True, True, False, False), "whether the question says what was altered"),
        Knob("min_change", (8.0, 6.0, 4.0, 2.5), "grey levels that every altered frame differs by, at least", 1.0, 100.0),
        Knob("clearness", (1.5, 1.0, 0.6, 0.3), "the change at both ends, against the motion there", 0.0, 10.0),
        ALIGN,
    )

    def check(self, params: Params) -> None:
        if params["min_share"] > params["max_share"]:
            low, high = params["min_share"], params["max_share"]
            raise UsageError(f"min_share={low} is not allowed; allowed: at most max_share={high}")

    def min_frames(self, params: Params) -> int:
        align = params["align"]
        return next(frames for frames in range(2, 1 << 20) if _lengths(params, frames)[0] + 2 * align <= frames)

    def wants_donor(self, params: Params) -> bool:
        return any(ANOMALIES[name].kind == "donor" for name in params["effects"])

    def guess_space(self, params: Params, times: Sequence[float]) -> Sequence[float]:
        return times

    def chance(self, params: Params, frames: int) -> Chance:
        key = tuple(params[name] for name in ("effects", "min_share", "max_share", "strength", "align"))
        return _chance(*key, frames=frames)

    def blind(self, params: Params, times: tuple[float, ...], end: float) -> Interval:
        frames = len(times)
        guess = self.chance(params, frames).blind
        assert isinstance(guess, Interval)
        edges = guess.start / frames * end, guess.end / frames * end
        digits = 2 if round(edges[0], 2) < round(edges[1], 2) else 3
        return Interval(round(edges[0], digits), round(edges[1], digits))

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        assert isinstance(answer, Interval)
        [clip], [frame_times] = edits.clips, times
        edited = clip.edited
        start, end = frame_at(frame_times, answer.start), frame_at(frame_times, answer.end)
        if max(abs(frame_times[start] - answer.start), abs(frame_times[end] - answer.end)) > ROUNDED:
            return "no frame has these times"
        whole = clip.effects or edits.needs_donor  # reordered frames may leave a frame at an end in place
        if not edited or min(edited) < start or max(edited) >= end or (whole and len(edited) < end - start):
            return f"frames {sorted(edited)} are altered"
        return ""

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        places = _places(clip.frames, params["align"], *_lengths(params, clip.frames))
        if not places:
            raise Unsolvable(f"{clip.frames} frames are too few for a stretch with something on both sides")
        reasons = []
        for name in rng.sample(params["effects"], len(params["effects"])):
            for _ in range(PLACES_TRIED):
                attempt = _Attempt(name, *rng.choice(places), clip, donor, params)
                try:
                    return _plan(attempt, rng)
                except Unsolvable as refusal:
                    reason = f"{name}: {refusal}"
            reasons.append(reason)
        raise Unsolvable("; ".join(reasons))


@dataclass(frozen=True)
class _Attempt:
    """One anomaly at one place: output positions start..end-1."""

    name: str
    start: int
    end: int
    clip: ClipStats
    donor: ClipStats | None
    params: Params

    @property
    def anomaly(self) -> Anomaly:
        return ANOMALIES[self.name]

    @property
    def inside(self) -> list[int]:
        return list(range(self.start, self.end))

    @property
    def parameter(self) -> float:
        return self.anomaly.parameter(self.params["strength"])


def _plan(attempt: _Attempt, rng: Random) -> Plan:
    start, end, clip = attempt.start, attempt.end, attempt.clip
    frames = unedited(clip.frames)
    effects: tuple[Effect, ...] = ()
    if attempt.anomaly.kind == "pixel":
        check_visible(clip, attempt.name, start, end, attempt.params)
        effects = (Effect(attempt.name, start, end, attempt.parameter, rng.getrandbits(31)),)
    elif attempt.anomaly.kind == "donor":
        frames = _swapped(attempt)
    else:
        frames = _reordered(attempt, rng)
    output = OutputClip(frames, effects=effects)
    times = output.times(clip.times)
    answer = _truth(times, start, end, 1 if clip.end / clip.frames >= 0.5 else 2)
    named = attempt.anomaly if attempt.params["named"] else None
    return Plan(_question(named), answer, EditList((output,)))


def _truth(times: Sequence[float], start: int, end: int, digits: int) -> Interval:
    """The stretch in seconds, with `digits` decimals or as many as identify its first and last frame."""
    while digits < 3 and any(frame_at(times, round(times[frame], digits)) != frame for frame in (start, end)):
        digits += 1
    return Interval(round(times[start], digits), round(times[end], digits))


def _question(anomaly: Anomaly | None) -> str:
    what = f"In one stretch of this video, {anomaly.phrase}." if anomaly else "One stretch of this video has been altered."
    return (
        f"<video>\n{what} When does that stretch start and end, in seconds from the beginning of the video? "
        f"Answer as start-end, for example 3.5-8.0. {ANSWER_TAG}"
    )


def _lengths(params: Params, frames: int) -> tuple[int, int]:
    align = params["align"]
    shortest = max(align, align * round(params["min_share"] * frames / align))
    longest = min(align * round(params["max_share"] * frames / align), frames - 2 * align)
    return shortest, max(shortest, longest)


@lru_cache(maxsize=64)
def _places(frames: int, align: int, shortest: int, longest: int) -> tuple[tuple[int, int], ...]:
    """Every aligned stretch with unaltered frames on both sides; repeated so that each length is equally frequent."""
    spans_by_length = []
    for length in range(shortest, longest + 1, align):
        starts = range(align, frames - align - length + 1, align)
        spans_by_length.append([(start, start + length) for start in starts])
    if not spans_by_length or not all(spans_by_length):
        return ()
    most = max(map(len, spans_by_length))
    return tuple(span for spans in spans_by_length for span in (spans * (most // len(spans) + 1))[:most])


@lru_cache(maxsize=256)
def _chance(
    effects: tuple[str, ...], min_share: float, max_share: float, strength: float, align: int, *, frames: int
) -> Chance:
    lengths = _lengths({"min_share": min_share, "max_share": max_share, "align": align}, frames)
    spans: list[tuple[float, float]] = []
    for name in effects:
        for start, end in _places(frames, align, *lengths):
            speed = _speed(ANOMALIES[name], strength, frames, end - start) if name == "fast_forward" else 1
            length = frames - (end - start) * (speed - 1)
            spans.append((start * frames / length, end * frames / length))
    if not spans:
        raise UsageError(f"clips of {frames} frames are too short for these parameters")
    return Interval.chance(spans[:: len(spans) // SPANS_FOR_CHANCE + 1], frames)


def _swapped(attempt: _Attempt) -> tuple[FrameRef, ...]:
    clip, donor = attempt.clip, attempt.donor
    if donor is None or donor.frames < attempt.end:
        raise Unsolvable("no other video is long enough")
    if min(clip.distance(index, index, of=donor) for index in attempt.inside) < MIN_FOREIGN:
        raise Unsolvable("the other video looks alike")
    return tuple((DONOR if attempt.start <= index < attempt.end else CLIP, index) for index in range(clip.frames))


def _reordered(attempt: _Attempt, rng: Random) -> tuple[FrameRef, ...]:
    """The clip with the stretch's frames in another order; raises Unsolvable if that would hardly show."""
    clip, start, end, inside = attempt.clip, attempt.start, attempt.end, attempt.inside
    if len(inside) < MIN_REORDERED:
        raise Unsolvable("too short for another order to show")
    if _path(clip, [start - 1, *inside, end]) < MIN_MOTION * (len(inside) + 1):
        raise Unsolvable("too little moves")
    if attempt.name == "stutter":
        hold = max(2, round(attempt.parameter))
        moved = [start + (index - start) // hold * hold for index in inside]
    elif attempt.name == "fast_forward":
        speed = _speed(attempt.anomaly, attempt.params["strength"], clip.frames, len(inside))
        end = start + len(inside) * speed
        if speed < 2 or end > clip.frames - attempt.params["align"]:
            raise Unsolvable("no room to speed up")
        moved = [start + speed * step for step in range(len(inside))]
        if _path(clip, [start - 1, *moved]) < MIN_FASTER * _path(clip, [start - 1, *inside]):
            raise Unsolvable("looks no faster")
    else:
        moved = inside[::-1] if attempt.name == "reverse" else _shuffled(inside, rng)
        edited_joins = clip.distance(start - 1, moved[0]) + clip.distance(moved[-1], end)
        original_joins = clip.distance(start - 1, start) + clip.distance(end - 1, end)
        if edited_joins < (1 + attempt.params["clearness"]) * original_joins:
            raise Unsolvable("the frames look alike")
    return tuple((CLIP, index) for index in [*range(start), *moved, *range(end, clip.frames)])


def _path(clip: ClipStats, frames: list[int]) -> float:
    return sum(clip.distance(a, b) for a, b in pairwise(frames))


def _shuffled(inside: list[int], rng: Random) -> list[int]:
    """Another order; with more than 3 frames, its first and last frames differ from the original ones."""
    moved = inside[:]
    while moved == inside or (len(inside) > 3 and (moved[0] == inside[0] or moved[-1] == inside[-1])):
        rng.shuffle(moved)
    return moved


def _speed(anomaly: Anomaly, strength: float, frames: int, length: int) -> int:
    """The largest speed, up to the full one, at which the stretch fills at most half of the output."""
    full = round(anomaly.parameter(strength))
    return next((s for s in range(full, 1, -1) if 2 * length <= frames - length * (s - 1)), 1)


TASK = Grounding()
