"""`videossr preview`: one question as pictures and clips."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .arguments import add_command, add_spec, cache_of, spec_of
from .exit_codes import FAULTS, OK


def add(commands: Any) -> None:
    parser = add_command(
        commands, "preview", run, "one question as a contact sheet and playable clips",
        "videossr preview grounding --videos clips/ --set effects=mirror",
    )  # fmt: skip
    add_spec(parser)
    parser.add_argument("--out", type=Path, default=Path("preview"), help="folder for the files (default: preview)")
    parser.add_argument("--number", type=int, default=0, help="which question of the build (default: the first)")


def run(args: argparse.Namespace) -> int:
    spec = spec_of(args)
    from ..gallery.contact_sheet import contact_sheet, write_picture
    from ..questions.job import folder_job, make_questions
    from ..questions.maker import Question

    job, _ = folder_job(spec, args.videos, "preview", cache_of(args), at_once=True)
    count = 0
    for result in make_questions(job):
        if isinstance(result, Question):
            count += 1
            if count > args.number:
                break
        else:
            print(f"refused: {result.source}: {result.reason}", file=sys.stderr)
    else:
        print(f"videossr: only {count} questions could be made", file=sys.stderr)
        return FAULTS
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / f"{result.portion.name}-{result.portion.level.name}-{args.number}"
    write_picture(f"{stem}.png", contact_sheet(result))
    count = len(result.videos)
    names = [f"{stem}-clip{k}.mp4" if count > 1 else f"{stem}.mp4" for k in range(1, count + 1)]
    for name, video in zip(names, result.videos, strict=True):
        Path(name).write_bytes(video.mp4())
    print(f"{result.plan.question}\n\nanswer: {result.plan.answer}\nwritten: {stem}.png, {', '.join(names)}")
    return OK
