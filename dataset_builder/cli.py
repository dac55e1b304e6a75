"""The `videossr` command: its subcommands and its error messages.

A subcommand is a module with `add(commands)`, which adds a parser and sets `command`, a function from the parsed arguments to
an exit code. Installed packages add theirs in the entry-point group `videossr.commands`.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from . import tasks
from .commands import build, demo, export, gallery, preview, push, regenerate, validate
from .commands import tasks as list_tasks
from .commands.exit_codes import FAULTS, INTERRUPTED, USAGE
from .errors import BuildError

COMMANDS = (list_tasks, preview, gallery, build, validate, export, push, regenerate, demo)
ENTRY_POINTS = "videossr.commands"

EXAMPLES = """examples:
  videossr demo --out demo/
  videossr tasks
  videossr preview jigsaw --videos clips/ --seed 7 --difficulty hard
  videossr gallery --videos clips/ --out gallery/
  videossr build videossr-30k --videos clips/ --out data/30k --seed 7 --workers 8
  videossr validate data/30k
  videossr push data/30k me/videossr-30k --license cc-by-4.0
  videossr serve --port 8000 --workers 4
  videossr diagnose rollouts.jsonl --plot groups.png

exit codes: 0 done, 1 faults found or the build stopped, 2 a wrong argument, 130 interrupted
VIDEOSSR_TRACEBACK=1 shows where an error came from; VIDEOSSR_IMPORTS=… does the same as --imports, for every process."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    try:
        args = _parser().parse_args(argv)
        if getattr(args, "imports", None):
            modules = filter(None, (os.environ.get(tasks.IMPORTS), args.imports))
            os.environ[tasks.IMPORTS] = ",".join(modules)  # worker processes inherit it
        command: Callable[[argparse.Namespace], int] = args.command
        return command(args)
    except KeyboardInterrupt:
        print("videossr: interrupted; run the same command again to continue", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        message, code = _explain(error)
        if os.environ.get("VIDEOSSR_TRACEBACK") or not message:
            raise
        print(f"videossr: {message}", file=sys.stderr)
        return code


def _explain(error: Exception) -> tuple[str, int]:
    """The message and exit code of an error that the user can fix; the message is "" for a bug of this program."""
    if isinstance(error, ModuleNotFoundError) and (extra := _extra(error.name)):
        return f"{error}; the extra `{extra}` installs it: pip install 'videossr[{extra}]'", USAGE
    if isinstance(error, tasks.UsageError | FileNotFoundError):
        return str(error), USAGE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        place = error.filename or f"the output, the clip cache or the temporary folder ({tempfile.gettempdir()}, or TMPDIR)"
        return f"no space left on the disk of {place}; free some and run the same command again", FAULTS
    if isinstance(error, BuildError | OSError):
        return str(error), FAULTS
    return "", FAULTS


def _extra(module: str | None) -> str:
    """The extra that installs a module; "" if there is none."""
    extras = {
        "build": "av cv2 datasets filelock fsspec httpx2 huggingface_hub numpy PIL pyarrow tqdm",
        "serve": "fastapi starlette uvicorn pydantic pydantic_settings msgspec prometheus_client",
        "plot": "matplotlib",
        "cluster": "ray",
        "s3": "s3fs",
    }
    top = str(module).partition(".")[0]
    return next((extra for extra, modules in extras.items() if top in modules.split()), "")


def _parser() -> argparse.ArgumentParser:
    doc, raw = "Verifiable video questions from raw videos.", argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("videossr", description=doc, epilog=EXAMPLES, formatter_class=raw)
    commands = parser.add_subparsers(required=True, metavar="command")
    installed = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)  # includes this project's own service
    for command in COMMANDS:
        command.add(commands)
    for entry in installed:
        try:
            entry.load().add(commands)
        except Exception as error:  # another package's fault; the other subcommands still work
            print(f"videossr: the subcommand {entry.name!r} cannot be loaded: {error!r}", file=sys.stderr)
    for subparser in commands.choices.values():
        if subparser.add_help:  # without it, the subcommand parses its arguments itself
            subparser.add_argument("--imports", metavar="MODULES", help="modules that register your tasks, comma-separated")
    return parser


if __name__ == "__main__":
    sys.exit(main())
