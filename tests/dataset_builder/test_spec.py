from __future__ import annotations

from collections import Counter

import pytest

from dataset_builder import tasks
from dataset_builder.questions import presets as preset_module
from dataset_builder.questions.dealing import deal
from dataset_builder.questions.presets import Portion, Preset, preset, preset_names
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.tasks import UsageError
from dataset_builder.tasks.levels import Knob


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("preset", "mixd", "did you mean 'mixed'"),
        ("seed", -1, "an integer from 0"),
        ("seed", 1.5, "an integer from 0"),
        ("seed", True, "an integer"),
        ("difficulty", "hardest", "easy, medium, hard, extreme"),
        ("samples", 0, "an integer from 1"),
        ("per_video", 0, "an integer from 1"),
        ("frames", 1, "an integer from 2"),
        ("frames", "48", "an integer from 2"),
        ("max_pixels", 100, "an integer from 4096"),
        ("sampling", "keyframes", "did you mean 'keyframe'"),
        ("video_format", "gif", "mp4, jpeg"),
        ("system_prompt", None, "text"),
        ("overrides", ["clips=5"], "a mapping"),
    ],
)
def test_a_wrong_choice_is_named_with_what_is_allowed(field: str, value: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=rf"{field}=.*{allowed}"):
        BuildSpec(**{field: value})  # type: ignore[arg-type]


def test_choices_that_do_not_fit_together() -> None:
    with pytest.raises(ValueError, match="per_video=2 is not allowed; viubench has 2700 rows in all"):
        BuildSpec("viubench", per_video=2)
    with pytest.raises(ValueError, match="viubench fixes its levels"):
        BuildSpec("viubench", difficulty="easy")
    with pytest.raises(ValueError, match=r"effects='blur'.*grounding_channel_swap of viubench fixes it"):
        BuildSpec("viubench", overrides={"effects": "blur"})
    with pytest.raises(ValueError, match="frames=8 is not allowed; jigsaw at level easy needs at least 12"):
        BuildSpec("jigsaw", frames=8, difficulty="easy")
    with pytest.raises(ValueError, match=r"clip=4 is not a parameter of mixed.*did you mean 'clips'"):
        BuildSpec("mixed", overrides={"clip": 4})
    with pytest.raises(ValueError, match="clips=1 is not allowed"):
        BuildSpec("mixed", overrides={"jigsaw.clips": 1})


def test_the_same_choices_said_otherwise_are_the_same() -> None:
    one = BuildSpec("jigsaw", difficulty="easy", overrides={"clips": "5"})
    other = BuildSpec("jigsaw", difficulty=0.0, overrides={"clips": 5})
    assert one.to_dict() == other.to_dict()
    assert BuildSpec(**one.to_dict()).portions[0].params["clips"] == 5


def test_the_papers_mixtures() -> None:
    thirty = BuildSpec("videossr-30k")
    counts = dict(zip((portion.name for portion in thirty.portions), thirty.counts(100), strict=True))
    assert sum(counts.values()) == thirty.total == 30_000
    assert counts["jigsaw"] == 12_000
    assert counts["counting"] == 6_000
    assert sorted(counts.values())[:4] == [3_000] * 4
    bench = BuildSpec("viubench")
    assert bench.counts(7) == [300] * 9
    levels = {portion.name: (portion.level.name, portion.metric) for portion in bench.portions}
    assert levels["counting_hard"] == ("hard", "exact")
    assert levels["jigsaw_easy"] == ("easy", "exact")
    assert levels["grounding_mirror"] == ("easy", "score")
    assert all(portion.params["align"] == 1 for portion in bench.portions if portion.task.name == "grounding")


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("sources", [1, 2, 3, 25, 400])
def test_every_item_is_dealt_once(name: str, sources: int) -> None:
    spec = BuildSpec(name, samples=500 if preset(name).total else None)
    units = deal(spec, sources)
    items = [(unit.source, item) for unit in units for item in unit.items]
    assert [item.index for _, item in items] == list(range(sum(spec.counts(sources))))
    # no video is asked the same of the same task twice, at home or away
    drawn = [(source, spec.portions[item.portion].task.name, item.draw) for source, item in items]
    drawn += [
        (other, spec.portions[item.portion].task.name, item.fallback_draw) for _, item in items for other in item.alternatives
    ]
    assert len(drawn) == len(set(drawn))
    counts = Counter(source for source, _ in items)
    shares = [counts[source] for source in range(sources)]
    assert max(shares) - min(shares) <= len(spec.portions)


class Short(type(tasks.get("jigsaw"))):  # type: ignore[misc]
    """A task beside jigsaw that also has `clips`, but fewer of them; and a knob of text."""

    name = "short"
    knobs = (
        Knob("clips", (2, 3, 4, 5), "clips", 2, 9),
        Knob("margin", (-1.0,) * 4, "margin", -1.0, 1.0),
        Knob("style", ("plain",) * 4, "of the question", choices=("plain", "terse")),
    )


@pytest.fixture
def two_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    portions = (Portion("short", "short"), Portion("jigsaw", "jigsaw"))
    monkeypatch.setitem(tasks._registered(), "short", Short())
    monkeypatch.setattr(preset_module, "_VIUBENCH", Preset("both", "Both.", portions))


@pytest.mark.usefixtures("two_tasks")
def test_an_override_is_read_by_the_task_that_it_names() -> None:
    spec = BuildSpec("both", overrides={"jigsaw.clips": "12", "short.clips": 3})
    assert [portion.params["clips"] for portion in spec.portions] == [3, 12]
    assert spec.to_dict()["overrides"] == {"jigsaw.clips": 12, "short.clips": 3}
    with pytest.raises(UsageError, match=r"clips=12 is not allowed; allowed: an integer from 2 to 9 \(task short\)"):
        BuildSpec("both", overrides={"clips": 12})


@pytest.mark.usefixtures("two_tasks")
def test_knobs_of_text_are_checked_against_their_choices() -> None:
    assert BuildSpec("both", overrides={"style": "terse"}).portions[0].params["style"] == "terse"
    with pytest.raises(UsageError, match="style='loud' is not allowed; allowed: one of plain, terse"):
        BuildSpec("both", overrides={"style": "loud"})


def test_mixed_asks_the_default_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [portion.task.name for portion in BuildSpec("mixed").portions] == ["counting", "grounding", "jigsaw"]
    monkeypatch.setitem(tasks._registered(), "short", Short())
    assert [portion.name for portion in BuildSpec("mixed").portions] == ["counting", "grounding", "jigsaw", "short"]
    monkeypatch.setattr(Short, "in_mixed", False)
    assert "short" in preset_names()
    assert len(BuildSpec("mixed").portions) == 3
