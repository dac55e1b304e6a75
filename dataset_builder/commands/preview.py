"""`videossr preview`: one question to look at."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .arguments import add_command, add_spec, spec_of
from .exit_codes import FAULTS, OK


def add(commands: Any) -> None:
    parser = add_command(
        commands, "preview", run, "one question as a contact sheet and playable clips",
        "videossr preview grounding --videos clips/ --set effects=mirror",
    )  # fmt: skip
    parser.add_argument("config", help="a task or a preset")
    parser.add_argument("--out", type=Path, default=Path("preview"), help="folder for the files (default: preview)")
    parser.add_argument("--number", type=int, default=0, help="which question of the build (default: the first)")
    add_spec(parser)


def run(args: argparse.Namespace) -> int:
    spec = spec_of(args)
    from ..preview import contact_sheet, write_picture
    from ..questions import Question
    from ..work import each_question, folder_work

    work, _ = folder_work(spec, args.videos, "preview", args.clip_cache, args.clip_cache_gb)
    passed = 0
    for made in each_question(work):
        if not isinstance(made, Question):
            print(f"refused: {made.source}: {made.reason}", file=sys.stderr)
            continue
        passed += 1
        if passed <= args.number:
            continue
        args.out.mkdir(parents=True, exist_ok=True)
        stem = args.out / f"{made.portion.name}-{made.portion.level.name}-{args.number}"
        write_picture(f"{stem}.png", contact_sheet(made))
        names = [f"{stem}.mp4"] if len(made.videos) == 1 else [f"{stem}-clip{k}.mp4" for k in range(1, len(made.videos) + 1)]
        for name, video in zip(names, made.videos, strict=True):
            Path(name).write_bytes(video.mp4())
        print(f"{made.plan.question}\n\nanswer: {made.plan.answer}\nwritten: {stem}.png, {', '.join(names)}")
        return OK
    print(f"videossr: only {passed} questions could be made", file=sys.stderr)
    return FAULTS
