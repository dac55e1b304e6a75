"""The demo: renders footage, builds and scores questions, and writes a page that shows every task."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

from ..gallery.page import article, table, write_page
from ..media.clip_cache import ClipCache
from ..questions.job import folder_job, make_questions
from ..questions.maker import Question
from ..questions.spec import BuildSpec
from ..storage.build import build
from ..storage.validate import validate
from ..tasks import Score
from .footage import render_footage


def run_demo(out: Path, seed: int) -> bool:
    """Render footage, build and validate the demo preset, score answers, write `index.html`; returns whether all is fine."""
    videos = out / "videos"
    cache = ClipCache.of(str(out / "clips"))
    print(f"rendering sample footage into {videos}/")
    render_footage(videos)
    spec = BuildSpec("demo", seed=seed)
    print(f"building the demo preset into {out / 'dataset'}/")
    report = build(spec, videos, out / "dataset", force=True, cache=cache)
    print(report.table() + "\n")
    findings = validate(out / "dataset")
    print(findings.table() + "\n")
    questions = _questions(spec, videos, cache)
    scores = _scores(questions, seed)
    print(_text_table(scores) + "\n")
    _write_page(out, questions, scores)
    print(f"open {out / 'index.html'}")
    return not findings.faults and not report.missing


def _questions(spec: BuildSpec, videos: Path, cache: ClipCache) -> list[Question]:
    job, _ = folder_job(spec, videos, "demo", cache)
    questions = (question for question in make_questions(job) if isinstance(question, Question))
    return sorted(questions, key=lambda question: (question.portion.name, question.item.index))


def _scores(questions: list[Question], seed: int) -> dict[str, dict[str, list[Score]]]:
    """Scores by portion, then by kind of answer: right, best blind, random, none."""
    rng = random.Random(seed)
    scores: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for question in questions:
        portion, truth = question.portion, question.plan.answer
        times = question.clip.stats.times
        chance = portion.task.chance(portion.params, len(times)).smooth
        responses = {
            "right answer": f"<answer>{truth}</answer>",
            "best blind answer": str(question.blind),
            "random guess": str(truth.guess(rng, portion.task.guess_space(portion.params, times))),
            "no answer": "I cannot tell.",
        }
        for name, response in responses.items():
            scores[portion.name][name].append(portion.task.score(response, truth.ground_truth(), chance))
    return scores


def _means(scores: dict[str, dict[str, list[Score]]]) -> tuple[list[str], list[list[str]]]:
    names = list(next(iter(scores.values())))
    rows = [
        [portion, *(f"{sum(s.score for s in by_name[name]) / len(by_name[name]):.2f}" for name in names)]
        for portion, by_name in scores.items()
    ]
    return ["mean smooth score", *names], rows


def _text_table(scores: dict[str, dict[str, list[Score]]]) -> str:
    head, rows = _means(scores)
    return "\n".join("  ".join(cell.ljust(18) for cell in row).rstrip() for row in [head, *rows])


def _write_page(out: Path, questions: list[Question], scores: dict[str, dict[str, list[Score]]]) -> None:
    intro = """<p>Every question below was made from the rendered clips in <code>videos/</code>; nobody labelled anything. Frames with
a red border were changed. The dataset itself is in <code>dataset/</code>.</p>"""
    articles = "".join(article(question, question.portion.name) for question in questions)
    write_page(out / "index.html", "VideoSSR demo", intro + table(*_means(scores)) + articles)
