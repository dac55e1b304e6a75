"""The demo: renders footage, builds and scores questions, and writes a page that shows every task."""

from __future__ import annotations

import html
import random
from collections import defaultdict
from pathlib import Path

from ..gallery.contact_sheet import contact_sheet, write_picture
from ..media.clip_cache import ClipCache
from ..questions.job import folder_job, make_questions
from ..questions.maker import Question
from ..questions.spec import BuildSpec
from ..storage.build import build
from ..storage.validate import validate
from ..tasks import Score
from .footage import render_footage

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:1300px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .9rem;border-bottom:1px solid #ddd;text-align:left}
article{border-top:2px solid #222;margin-top:2.5rem;padding-top:.5rem}img{max-width:100%}video{width:190px;margin:.2rem}
pre{white-space:pre-wrap;font:inherit;background:#f6f6f3;padding:.6rem .9rem}b{color:#b3341f}"""


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
            scores[portion.name][name].append(portion.task.score(response, truth.format(), chance))
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
    pictures = out / "page"
    pictures.mkdir(parents=True, exist_ok=True)
    head, rows = _means(scores)
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    articles = "".join(_article(question, pictures) for question in questions)
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>VideoSSR demo</title><style>{STYLE}</style><h1>VideoSSR demo</h1>
<p>Every question below was made from the rendered clips in <code>videos/</code>; nobody labelled anything. Frames with a red
border were changed. The dataset itself is in <code>dataset/</code>.</p><table><tr>{cells}</tr>{body}</table>{articles}</html>"""
    (out / "index.html").write_text(page, encoding="utf-8")


def _article(question: Question, pictures: Path) -> str:
    stem = f"{question.portion.name}-{question.item.index}"
    write_picture(str(pictures / f"{stem}.png"), contact_sheet(question))
    players = []
    for k, video in enumerate(question.videos):
        (pictures / f"{stem}-{k}.mp4").write_bytes(video.mp4())
        players.append(f'<video controls loop muted preload="metadata" src="page/{stem}-{k}.mp4"></video>')
    text = html.escape(question.plan.question)
    return (
        f"<article><h2>{html.escape(question.portion.name)}</h2><pre>{text}</pre><p>Answer: <b>{question.plan.answer}</b> "
        f"from {html.escape(question.source.name)}</p>{''.join(players)}<br><img src='page/{stem}.png' alt='contact sheet'></article>\n"
    )
