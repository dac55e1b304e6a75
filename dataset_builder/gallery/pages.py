"""The gallery: a page for each task, with a question of each level, and an index with the refusals."""

from __future__ import annotations

import html
from collections import Counter
from pathlib import Path

from .. import tasks
from ..media.clip_cache import ClipCache
from ..progress import Progress, no_progress
from ..questions.job import folder_job, make_questions
from ..questions.maker import Question
from ..questions.spec import BuildSpec
from .page import article, table, write_page

REASONS = 3  # that the index names


def write_gallery(videos: str, out: Path, seed: int, cache: ClipCache, progress: Progress = no_progress) -> int:
    """Write `index.html` and a page for each task; returns the number of tasks and levels that gave no question.

    Each question is from another video where that is possible.

    Raises:
        UsageError: if there is no video.
    """
    job, _ = folder_job(BuildSpec("gallery", seed=seed), videos, "gallery", cache)
    portions = job.spec.portions
    chosen: dict[str, Question] = {}
    asked, refused = Counter[str](), Counter[str]()
    reasons: dict[str, Counter[str]] = {portion.name: Counter() for portion in portions}
    for result in make_questions(job):
        if isinstance(result, Question):
            name = result.portion.name
            wanted = result.item.portion * 7 % len(job.sources)  # its video
            if name not in chosen or job.sources.index(result.source) <= wanted:
                chosen[name] = result
            asked[name] += 1
            progress(asked.total() + refused.total(), len(portions) * len(job.sources))
        elif result.portion:
            refused[result.portion] += 1
            reasons[result.portion].update(result.reason.split("; "))
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for task in dict.fromkeys(portion.task.name for portion in portions):
        body = ""
        for portion in (portion for portion in portions if portion.task.name == task):
            name, level = portion.name, portion.level.name
            why = "; ".join(f"{reason} ({count})" for reason, count in reasons[name].most_common(REASONS))
            total = asked[name] + refused[name]
            rows.append([f"<a href='{task}.html'>{task}</a>", level, f"{refused[name]} of {total}", why])
            if name in chosen:
                body += article(chosen[name], f"{task}, {level}")
        doc = html.escape((type(tasks.get(task)).__doc__ or "").partition("\n")[0])
        write_page(out / f"{task}.html", f"VideoSSR: {task}", f"<p>{doc} <a href='index.html'>All tasks</a></p>{body}")
    intro = f"<p>A question of each task and level from {len(job.sources)} videos, and what was refused where nothing could be seen.</p>"
    write_page(out / "index.html", "VideoSSR: all tasks", intro + table(["task", "level", "refused", "why"], rows))
    return sum(portion.name not in chosen for portion in portions)
