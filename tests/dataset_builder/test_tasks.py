"""The conformance suite: every task of the registry, at every level, on clips real enough for planning."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from itertools import combinations, product
from math import dist
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_builder import tasks
from dataset_builder.tasks import LEVELS, EditList, Plan, Task, Unsolvable, UsageError, changes, item_rng, moment
from dataset_builder.tasks.anomalies import ANOMALIES
from dataset_builder.tasks.answers import Instants, Interval, Order
from dataset_builder.tasks.edits import CLIP, unedited
from dataset_builder.tasks.statistics import STILL_SIDE, STILLS, ClipStats
from tests.synthetic import filmed, lively, still

CASES = [(name, level) for name in tasks.names() for level in LEVELS]
seeds = st.integers(0, 2**31)


def make(name: str, level: str | float, seed: int, clip: ClipStats | None = None, **overrides: object) -> Plan:
    task = tasks.get(name)
    clip = clip or filmed(seed % 7)
    return task.plan(clip, item_rng(task, clip.fingerprint, seed, 0), task.params(level, overrides), filmed(99, clip.frames))


def contradiction(name: str, answered: Plan, asked: Plan, clip: ClipStats) -> str:
    """What one plan's edits say against another's answer."""
    shown = [output.times(clip.times) for output in asked.edits.clips]
    return tasks.get(name).contradiction(answered.answer, asked.edits, shown, asked.question)


@pytest.mark.parametrize(("name", "level"), CASES)
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_plans_are_whole(name: str, level: str, seed: int) -> None:
    plan, clip = make(name, level, seed), filmed(seed % 7)
    again = make(name, level, seed)
    assert plan == again
    assert EditList.from_json(plan.edits.to_json()) == plan.edits
    json.loads(plan.edits.to_json())
    assert plan.question.count("<video>") == len(plan.edits.clips)
    score = tasks.get(name).score(f"<answer>{plan.answer}</answer>", plan.answer.ground_truth())
    assert (score.score, score.exact, score.parsed) == (1.0, 1.0, plan.answer.format())
    assert not contradiction(name, plan, plan, clip)
    if type(tasks.get(name)).contradiction is not Task.contradiction:  # the task looks
        other = next(one for one in (make(name, level, seed + k) for k in range(1, 99)) if one.answer != plan.answer)
        assert contradiction(name, other, plan, clip), "another question's answer is not this one's"
    for output in plan.edits.clips:
        assert output.frames
        assert all(0 <= index < clip.frames for _, index in output.frames)
        times = output.times(clip.times)
        assert times[0] == 0
        assert list(times) == sorted(set(times))
        assert all(0 <= effect.start < effect.end <= len(output.frames) for effect in output.effects)
        assert all(0 <= shape.position < len(output.frames) for shape in output.shapes)


@pytest.mark.parametrize(("name", "level"), CASES)
def test_the_floor_is_what_the_best_blind_answer_reaches(name: str, level: str) -> None:
    task = tasks.get(name)
    params = task.params(level)
    plans = [make(name, level, seed) for seed in range(400)]
    clip = filmed()
    blind = task.blind(params, clip.times, clip.end).format()
    floor = task.chance(params, clip.frames)
    scores = [task.score(blind, plan.answer.ground_truth()) for plan in plans]
    assert sum(s.score for s in scores) / len(scores) == pytest.approx(floor.smooth, abs=0.05)
    assert 0 < floor.smooth < 1
    assert sum(s.exact for s in scores) / len(scores) <= floor.exact + 0.05


@pytest.mark.parametrize("name", tasks.names())
def test_different_seeds_and_draws_give_different_questions(name: str) -> None:
    task = tasks.get(name)
    clip = filmed()
    params = task.params("easy")
    contents = {
        task.plan(clip, item_rng(task, clip.fingerprint, seed, draw), params, filmed(99)).content
        for seed in range(5)
        for draw in range(5)
    }
    assert len(contents) >= 2  # a task may have few different questions, as a choice has
    if task.in_mixed:
        assert len(contents) >= 20


@pytest.mark.parametrize("name", tasks.names())
@pytest.mark.parametrize("frames", [2, 3, 7, 12, 16, 48, 97, 768])
def test_any_number_of_frames_is_planned_or_refused(name: str, frames: int) -> None:
    task = tasks.get(name)
    params = task.params("easy")
    clip = filmed(1, frames)
    rng = item_rng(task, clip.fingerprint, 0, 0)
    if frames < task.min_frames(params):
        with pytest.raises(Unsolvable, match="too few"):
            task.plan(clip, rng, params)
        return
    if frames < 24 and not task.in_mixed:  # what moves this little may be refused
        with suppress(Unsolvable):
            task.plan(clip, rng, params)
        return
    plan = task.plan(clip, rng, params)
    assert task.score(str(plan.answer), plan.answer.ground_truth()).score == 1
    assert 0 < task.chance(params, frames).smooth <= 1


@pytest.mark.parametrize("effect", list(ANOMALIES))
@settings(max_examples=20, deadline=None)
@given(seed=seeds, level=st.sampled_from(list(LEVELS)))
def test_grounding_marks_what_it_asks_for(effect: str, seed: int, level: str) -> None:
    clip = lively(3)
    try:
        plan = make("grounding", level, seed, clip, effects=(effect,))
    except Unsolvable:
        assert ANOMALIES[effect].kind == "order"  # short stretches may not show another order
        return
    (output,) = plan.edits.clips
    times = (*output.times(clip.times), clip.end)
    changed = {at for mark in output.effects for at in range(mark.start, mark.end)}
    if not changed:
        assert output.frames != unedited(clip.frames)
    assert isinstance(plan.answer, Interval)
    start, end = times.index(plan.answer.start), times.index(plan.answer.end)
    assert start % 2 == end % 2 == 0
    assert not contradiction("grounding", plan, plan, clip)
    assert 2 <= start < end <= len(output.frames) - 2
    if changed:
        assert changed == set(range(start, end))
        assert output.frames == unedited(clip.frames)
    assert output.frames[:start] == unedited(clip.frames)[:start]
    assert all(source == CLIP for source, _ in output.frames[end:])
    named = ANOMALIES[effect].phrase in plan.question
    assert named == tasks.get("grounding").params(level)["named"]


@settings(max_examples=60, deadline=None)
@given(seed=seeds, level=st.sampled_from(list(LEVELS)))
def test_shapes_stand_apart_and_whole(seed: int, level: str) -> None:
    clip = lively(seed % 5)
    plan = make("counting", level, seed, clip)
    shapes = plan.edits.clips[0].shapes
    for shape in shapes:
        assert shape.radius <= shape.x <= clip.width - shape.radius
        assert shape.radius <= shape.y <= clip.height - shape.radius
        contrast = min(dist(shape.colour, cell[:3]) for cell in clip.cells(shape.position, shape.x, shape.y, shape.radius))
        assert contrast >= tasks.get("counting").params(level)["contrast"]
    for one, other in combinations(shapes, 2):
        if one.position == other.position:
            assert dist((one.x, one.y), (other.x, other.y)) > one.radius + other.radius
    kinds = [shape.kind for shape in shapes]
    assert plan.answer.format() == ",".join(str(kinds.count(kind)) for kind in ("circle", "square", "triangle"))


@settings(max_examples=60, deadline=None)
@given(seed=seeds, clips=st.integers(2, 24))
def test_the_jigsaws_answer_restores_the_video(seed: int, clips: int) -> None:
    plan = make("jigsaw", "easy", seed, lively(2), clips=clips, margin=-1.0)
    assert isinstance(plan.answer, Order)
    assert len(plan.answer.items) == clips
    assert plan.answer.items != tuple(range(1, clips + 1))
    restored = [index for item in plan.answer.items for _, index in plan.edits.clips[item - 1].frames]
    assert restored == list(range(restored[0], restored[0] + len(restored)))
    assert len({len(output.frames) for output in plan.edits.clips}) == 1


def test_nothing_is_asked_that_cannot_be_seen() -> None:
    clip = still()
    for effect in ANOMALIES:
        with pytest.raises(Unsolvable, match=effect):
            tasks.get("grounding").plan(clip, Random(0), tasks.get("grounding").params("easy", {"effects": (effect,)}))
    with pytest.raises(Unsolvable, match="too static"):
        tasks.get("jigsaw").plan(clip, Random(0), tasks.get("jigsaw").params("easy"))
    tasks.get("counting").plan(clip, Random(0), tasks.get("counting").params("easy"))


@pytest.mark.parametrize("name", ["moment", "compare", "cloze", "loops", "cuts", "changes", "camera", "tiles"])
@pytest.mark.parametrize("level", LEVELS)
def test_nothing_is_asked_about_a_still_and_flat_video(name: str, level: str) -> None:
    with pytest.raises(Unsolvable):
        make(name, level, 0, still())


@pytest.mark.parametrize("name", tasks.names())
@pytest.mark.parametrize(
    ("width", "height", "frames"), [(64, 64, 48), (64, 256, 48), (256, 64, 48), (256, 256, 9), (128, 128, 768)]
)
def test_odd_clips_are_refused_or_asked_rightly(name: str, width: int, height: int, frames: int) -> None:
    clip = filmed(1, frames, width, height)
    for level in LEVELS:
        try:
            plan = make(name, level, 1, clip)
        except Unsolvable:
            continue
        assert not contradiction(name, plan, plan, clip)
        for track in (track for output in plan.edits.clips for track in output.tracks):
            assert all(track.radius <= x <= width - track.radius for x, _ in track.points)
            assert all(track.radius <= y <= height - track.radius for _, y in track.points)


@pytest.mark.parametrize("name", tasks.names())
@pytest.mark.parametrize("extreme", [0, 1])
@pytest.mark.parametrize("frames", [16, 48])
def test_any_allowed_parameter_is_asked_or_refused(name: str, extreme: int, frames: int) -> None:
    """Each knob at its lowest or highest value, alone and with stretches on multiples of 4."""
    task = tasks.get(name)
    for knob in task.knobs:
        limit = (knob.lowest, knob.highest)[extreme]
        for more in ({}, {"align": 4}) if any(other.name == "align" for other in task.knobs) else ({},):
            if limit is None:
                continue
            clip = filmed(2, frames)
            with suppress(Unsolvable, UsageError):
                overrides = {**more, knob.name: type(knob.values[0])(limit)}
                plan = make(name, "medium", 5, clip, **overrides)
                assert not contradiction(name, plan, plan, clip)
                assert 0 < task.chance(task.params("medium", overrides), frames).smooth <= 1


@pytest.mark.parametrize("name", tasks.names())
def test_levels_get_harder_in_every_knob(name: str) -> None:
    for knob in tasks.get(name).knobs:
        values = [value for value in knob.values if isinstance(value, (int, float))]
        assert values in (sorted(values), sorted(values, reverse=True)), knob.name


@pytest.mark.parametrize("grid", [2, 3, 4])
def test_tiles_are_refused_where_another_arrangement_joins_as_well(grid: int) -> None:
    clip = filmed(1)
    make("tiles", "easy", 1, clip, grid=grid)
    ring = [abs(24 - column) * 10 for column in range(STILL_SIDE)]  # its right edge goes on at its left one
    stills = bytes(value for row in range(STILL_SIDE) for grey in ring for value in (grey, 4 * row, 128)) * STILLS
    with pytest.raises(Unsolvable):
        make("tiles", "easy", 1, replace(clip, stills=stills), grid=grid, margin=0.0, min_change=0.0)


def test_kinds_that_a_symmetric_picture_shows_alike_are_not_asked() -> None:
    """Mirrored and upside down are one on a picture that is symmetric from top to bottom."""
    clip = filmed(1)
    rows = [clip.signatures[at : at + 24] for at in range(0, len(clip.signatures), 24)]
    folded = b"".join(row for at in range(0, len(rows), 8) for row in (*rows[at : at + 4], *rows[at : at + 4][::-1]))
    with pytest.raises(Unsolvable, match="upside_down and mirrored would look alike"):
        make("compare", "easy", 1, replace(clip, signatures=folded))
    assert "rotate_180" not in changes.EFFECTS


def test_a_moment_is_not_asked_if_only_colour_tells_it_from_another() -> None:
    clip = filmed(1)
    half = clip.signatures[: len(clip.signatures) // 2]
    grey = bytes(value for k in range(0, len(half), 3) for value in (sum(half[k : k + 3]) // 3,) * 3)
    tinted = bytes(min(255, value + (30, -15, 0)[k % 3]) for k, value in enumerate(grey))
    twice = replace(clip, signatures=grey + tinted)
    make("moment", "easy", 0, twice, alterations=0)
    for seed in range(20):
        with suppress(Unsolvable):
            [_, part] = make("moment", "easy", seed, twice).edits.clips
            start = part.frames[0][1]
            if start <= 24 - len(part.frames) or start >= 24 + 2:  # the other half has all of it
                assert not {effect.name for effect in part.effects} & moment.COLOURS


@pytest.mark.parametrize("name", ["cloze", "moment", "compare"])
def test_the_times_of_clips_say_nothing(name: str) -> None:
    """All clips of one length have the same times, however irregular the video's are."""
    clip = filmed(1)
    uneven = replace(clip, times=tuple(round(0.25 * k + 0.05 * (k * 7 % 3), 3) for k in range(clip.frames)))
    for seed in range(10):
        shown = [output.times(uneven.times) for output in make(name, "easy", seed, uneven).edits.clips]
        if name == "moment":
            assert shown[1] == shown[0][: len(shown[1])]
        else:
            assert len(set(shown[1:])) == 1


def test_discs_that_change_places_never_touch() -> None:
    for level, seed in product(LEVELS, range(5)):
        tracks = make("shells", level, seed).edits.clips[0].tracks
        for one, other in combinations(tracks, 2):
            assert min(map(dist, one.points, other.points)) > one.radius + other.radius


def test_a_cuts_truth_is_where_frames_are_missing() -> None:
    clip = filmed(3)
    plan = make("cuts", "hard", 3, clip)
    [output] = plan.edits.clips
    assert isinstance(plan.answer, Instants)
    for time in plan.answer.times:
        at = min(range(len(output.frames)), key=lambda k: abs(clip.times[k] - time))
        assert output.frames[at][1] - output.frames[at - 1][1] == 1 + tasks.get("cuts").params("hard")["piece"]


def test_shapes_are_refused_on_a_clip_of_noise() -> None:
    clip = still()
    noise = ClipStats(**{**vars(clip), "background": bytes((128, 128, 128, 120)) * (len(clip.background) // 4)})
    with pytest.raises(Unsolvable, match="no colour stands out"):
        tasks.get("counting").plan(noise, Random(0), tasks.get("counting").params("easy"))


def test_the_generator_depends_on_each_of_its_parts() -> None:
    task, other = tasks.get("jigsaw"), tasks.get("counting")
    draws = {
        item_rng(*key).random()
        for key in [(task, "a", 0, 0), (task, "b", 0, 0), (task, "a", 1, 0), (task, "a", 0, 1), (other, "a", 0, 0)]
    }
    assert len(draws) == 5
    assert item_rng(task, "a", 0, 0).random() in draws


@pytest.mark.parametrize("name", tasks.names())
@pytest.mark.parametrize("step", [1 / 240, 1 / 1000, 1 / 24])
@settings(max_examples=30, deadline=None)
@given(seed=seeds, level=st.sampled_from(list(LEVELS)), align=st.sampled_from([1, 2]))
def test_truths_hold_at_any_frame_rate(name: str, step: float, seed: int, level: str, align: int) -> None:
    """At 240 frames a second and more, hundredths of a second do not tell a stretch's ends apart."""
    clip = filmed(seed % 7, step=step)
    overrides = {"align": align} if name == "grounding" else {}
    plan = make(name, level, seed, clip, **overrides)
    assert tasks.get(name).score(f"<answer>{plan.answer}</answer>", plan.answer.ground_truth()).exact == 1
    assert not contradiction(name, plan, plan, clip)
    blind = tasks.get(name).blind(tasks.get(name).params(level, overrides), clip.times, clip.end)
    assert tasks.get(name).score(blind.format(), plan.answer.ground_truth()).parsed == blind.format()


def test_a_jigsaw_says_whether_its_order_is_proven() -> None:
    """At the hard levels another order may join as smoothly as the true one."""
    clips = [lively(seed) for seed in range(60)]
    for level, always in (("easy", True), ("extreme", False)):
        task, params = tasks.get("jigsaw"), tasks.get("jigsaw").params(level)
        proven = []
        for seed, clip in enumerate(clips):
            restless = ClipStats(**{**vars(clip), "signatures": _noisy(clip.signatures, seed)})
            try:
                proven.append(task.plan(restless, item_rng(task, "x", seed, 0), params).proven)
            except Unsolvable:
                continue
        assert proven
        assert all(proven) == always


def _noisy(signatures: bytes, seed: int) -> bytes:
    """Noise makes some joins rougher than others."""
    rng = Random(seed)
    return bytes(min(255, max(0, value + rng.randrange(-40, 41))) for value in signatures)
