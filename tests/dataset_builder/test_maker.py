"""Questions are distinct as long as the videos give distinct ones, and what cannot be had distinct is counted."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from dataset_builder.errors import SourceChanged
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.dealing import Unit
from dataset_builder.questions.job import Job, folder_job, make_questions
from dataset_builder.questions.live_videos import LiveVideos
from dataset_builder.questions.maker import Question
from dataset_builder.questions.report import Report
from dataset_builder.questions.spec import BuildSpec

# of twenty-four frames there are few stretches
FEW = BuildSpec(
    "grounding",
    seed=1,
    samples=40,
    frames=24,
    max_pixels=64 * 64,
    difficulty="easy",
    overrides={"effects": "invert,rotate_180"},
)


def job(spec: BuildSpec, videos: Path, clip_cache: str) -> Job:
    return folder_job(spec, videos, "train", ClipCache.of(clip_cache))[0]


def questions(job: Job, units: list[Unit] | None = None) -> list[Question]:
    return [result for result in make_questions(job, units) if isinstance(result, Question)]


@pytest.fixture
def two_videos(footage: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("pan_right", "round_trip"):
        shutil.copy(footage / f"{name}.mp4", folder)
    return folder


def test_no_video_is_asked_the_same_twice_while_it_gives_more(two_videos: Path, clip_cache: str) -> None:
    made = questions(job(FEW, two_videos, clip_cache))
    contents = Counter(question.content for question in made)
    assert len(made) == 40
    assert max(contents.values()) == 1
    assert not any(question.is_repeat for question in made)


def test_what_cannot_be_had_distinct_is_counted(two_videos: Path, clip_cache: str) -> None:
    spec = BuildSpec(**{**FEW.to_dict(), "samples": 300})
    report = Report()
    made = questions(job(spec, two_videos, clip_cache))
    for question in made:
        report.add(question)
    distinct = len({question.content for question in made})
    assert 40 < distinct < 300
    assert report.repeats == {"grounding": len(made) - distinct}
    assert "asked twice" in report.table()
    assert report.summary()["repeated"] == {"grounding": len(made) - distinct}
    merged = Report()
    for half in (made[:150], made[150:]):
        part = Report()
        for question in half:
            part.add(question)
        merged.update(Report.from_dict(part.to_dict()))
    assert merged.repeats == report.repeats


def test_a_question_does_not_depend_on_the_piece_it_is_made_in(two_videos: Path, clip_cache: str) -> None:
    spec = BuildSpec(**{**FEW.to_dict(), "samples": 80})
    whole = job(spec, two_videos, clip_cache)
    made = [question.content for question in questions(whole)]
    units = [Unit(unit.source, (item,)) for unit in whole.units() for item in unit.items]
    apart = [question.content for unit in reversed(units) for question in questions(whole, [unit])]
    assert apart[::-1] == made


@pytest.fixture
def mostly_still(footage: Path, tmp_path: Path) -> Path:
    """One video that can be asked about, and three that cannot."""
    import av
    import numpy as np

    folder = tmp_path / "mostly_still"
    folder.mkdir()
    shutil.copy(footage / "round_trip.mp4", folder)
    for grey in range(3):
        with av.open(str(folder / f"still_{grey}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for _ in range(40):
                frame = np.full((64, 64, 3), 90 + grey, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            container.mux(stream.encode(None))
    return folder


def mirrored(samples: int) -> BuildSpec:
    return BuildSpec(**{**FEW.to_dict(), "samples": samples, "overrides": {"effects": "rotate_180"}})


def test_questions_that_other_videos_give_instead_are_compared_too(mostly_still: Path, clip_cache: str) -> None:
    """A still video gives none; what another gives in its place is none of that one's own."""
    made = questions(job(mirrored(24), mostly_still, clip_cache))
    report = Report()
    for question in made:
        report.add(question)
    assert len(made) > 20
    assert {question.source.name for question in made} == {"round_trip.mp4"}
    assert any(question.is_fallback for question in made)
    own = {question.content for question in made if not question.is_fallback}
    assert not own & {question.content for question in made if question.is_fallback and not question.is_repeat}
    assert sum(report.repeats.values()) == len(made) - len({question.content for question in made})


def test_fallbacks_do_not_depend_on_the_piece_either(mostly_still: Path, clip_cache: str) -> None:
    whole = job(mirrored(60), mostly_still, clip_cache)
    made = questions(whole)
    assert sum(question.is_fallback for question in made) > 20
    units = [Unit(unit.source, (item,)) for unit in whole.units() for item in unit.items]
    apart = [question for unit in reversed(units) for question in questions(whole, [unit])][::-1]
    assert [(one.content, one.is_repeat) for one in apart] == [(one.content, one.is_repeat) for one in made]


def test_questions_are_the_same_before_all_videos_are_read(two_videos: Path, footage: Path, tmp_path: Path) -> None:
    shutil.copy(two_videos / "pan_right.mp4", two_videos / "twin.mp4")
    shutil.copy(footage / "sunrise.mp4", two_videos)
    later, (known, left_out) = (
        folder_job(FEW, two_videos, "train", ClipCache.of(str(tmp_path / name)), at_once=name == "later")
        for name in ("later", "known")
    )
    assert [source.name for source in later[0].sources if not source.fingerprint] == ["round_trip.mp4", "sunrise.mp4"]
    assert later[1].duplicates == left_out.duplicates == {"twin.mp4": "pan_right.mp4"}
    asked = {
        name: [(question.content, question.source.name) for question in questions(job)]
        for name, job in {"later": later[0], "known": known}.items()
    }
    assert asked["later"] == asked["known"]
    question = next(each for each in questions(later[0]) if each.source.name == "sunrise.mp4")
    videos = LiveVideos.of(question)
    assert videos.jpegs(later[0].store()) == [clip.jpegs() for clip in question.videos]
    (two_videos / "sunrise.mp4").write_bytes((two_videos / "round_trip.mp4").read_bytes())
    with pytest.raises(SourceChanged, match=r"sunrise\.mp4 changed"):
        videos.jpegs(later[0].store())
