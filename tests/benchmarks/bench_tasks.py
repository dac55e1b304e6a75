"""Every task on the test clips: what is refused, what planning and rendering cost, and what a solver, a solver that sees one frame,
and the best blind answer reach. `make bench-tasks`.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from statistics import fmean, median

from dataset_builder import tasks
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.mp4 import read_mp4
from dataset_builder.media.render import render
from dataset_builder.questions.job import folder_job
from dataset_builder.questions.maker import Question, QuestionMaker
from dataset_builder.questions.spec import BuildSpec
from eval.solvers import SOLVERS, DecodedVideo
from tests.benchmarks.table import Table
from tests.footage import videos_folder


def main() -> None:
    table = Table(
        "make bench-tasks",
        "Each task, easy / extreme. Refused: share of the test clips. Scores: smooth, of the best blind answer, of a solver that sees "
        "one frame of each video, and of the solver. Times: processor, medians, from a kept clip of 48 frames of at most 256 x 256.",
    )
    job, _ = folder_job(BuildSpec("gallery", seed=3), videos_folder(), "test", ClipCache.of(None))
    maker = QuestionMaker(job.spec, job.sources, job.store())
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    spent: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    refused, planned = Counter[str](), Counter[str]()
    for unit in job.units():
        for item in unit.items:
            portion = job.spec.portions[item.portion]
            if portion.level.name not in ("easy", "extreme"):
                continue
            planned[portion.name] += 1
            start = time.process_time()
            results = list(maker.make(type(unit)(unit.source, (item,))))
            if not isinstance(results[-1], Question):
                refused[portion.name] += 1
                continue
            question = results[-1]
            spent[portion.task.name]["plan"].append(time.process_time() - start)
            answer(question, scores[portion.name], spent[portion.task.name])
    for name in tasks.names():
        ends = [f"{name}_{level}" for level in ("easy", "extreme")]
        cells = {
            kind: " / ".join(f"{fmean(scores[end][kind]):.2f}" for end in ends) for kind in ("blind", "one frame", "solver")
        }
        left_out = " / ".join(f"{refused[end] / planned[end]:.0%}" for end in ends)
        times = ", ".join(f"{kind} {1000 * median(spent[name][kind]):.1f} ms" for kind in ("plan", "JPEG", "MP4"))
        detail = (
            f"refused {left_out}; blind {cells['blind']}, one frame {cells['one frame']}, solver {cells['solver']}; {times}"
        )
        chance = tasks.get(name).chance(tasks.get(name).params("easy"), job.spec.frames).smooth
        table.add(
            f"{name}: solver above chance, easy",
            (fmean(scores[ends[0]]["solver"]) - chance) / (1 - chance),
            "≥",
            0.75,
            detail,
            unit="",
        )
    for kind, aim in (("plan", 5), ("JPEG", 25), ("MP4", 60)):
        value = 1000 * median(median(spent[name][kind]) for name in tasks.names())
        table.add(f"{kind}: a question, median over tasks", value, "≤", aim, unit="ms CPU")
    table.save()


def answer(question: Question, scores: dict[str, list[float]], spent: dict[str, list[float]]) -> None:
    """Score the answers to a question, and time its rendering."""
    task, truth = question.portion.task, question.plan.answer.ground_truth()
    for kind in ("JPEG", "MP4"):
        start = time.process_time()
        videos = render(question.clip, question.plan.edits, question.donor_clip)
        files = [video.jpegs() if kind == "JPEG" else video.mp4() for video in videos]
        spent[kind].append(time.process_time() - start)
    decoded = [DecodedVideo(*read_mp4(file)) for file in files if isinstance(file, bytes)]
    frozen = [DecodedVideo([video.frames[len(video.frames) // 2]] * len(video.frames), video.times) for video in decoded]
    answers = {
        "blind": question.blind.format(),
        "one frame": str(SOLVERS[task.name](question.plan.question, frozen)),
        "solver": str(SOLVERS[task.name](question.plan.question, decoded)),
    }
    for kind, text in answers.items():
        scores[kind].append(task.score(text, truth).score)


if __name__ == "__main__":
    main()
