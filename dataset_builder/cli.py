"""The `videossr` command: its subcommands, and what is said when one fails."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import tempfile
from collections.abc import Callable, Sequence

from .commands import build, demo, diagnose, export, preview, push, regenerate, tasks, validate
from .commands.exit_codes import FAULTS, INTERRUPTED, OK, USAGE

COMMANDS = (tasks, preview, build, validate, export, push, regenerate, demo, diagnose)

EXAMPLES = """examples:
  videossr demo --out demo/
  videossr tasks
  videossr preview jigsaw --videos clips/ --seed 7 --difficulty hard
  videossr build videossr-30k --videos clips/ --out data/30k --seed 7 --workers 8
  videossr validate data/30k
  videossr push data/30k me/videossr-30k --license cc-by-4.0
  videossr serve --port 8000 --workers 4
  videossr diagnose rollouts.jsonl --plot groups.png

exit codes: 0 done, 1 faults found or the build stopped, 2 a wrong argument, 130 interrupted
With VIDEOSSR_TRACEBACK=1 an error comes with its traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv[:1] == ["serve"]:  # its flags are its settings, which only it should load
            return _serve(argv[1:])
        args = _parser().parse_args(argv)
        command: Callable[[argparse.Namespace], int] = args.command
        return command(args)
    except Exception as error:
        if os.environ.get("VIDEOSSR_TRACEBACK"):
            raise
        return _told(error)
    except KeyboardInterrupt:
        print("videossr: interrupted; run the same command again to go on", file=sys.stderr)
        return INTERRUPTED


def _told(error: Exception) -> int:
    """Say an error in one line, if it is one that a user can mend; returns its exit code."""
    if isinstance(error, ModuleNotFoundError):
        print(
            f"videossr: {error}; the extra `{_extra(error.name)}` brings it: pip install -e '.[{_extra(error.name)}]'",
            file=sys.stderr,
        )
        return USAGE
    if isinstance(error, ValueError | FileNotFoundError):
        print(f"videossr: {error}", file=sys.stderr)
        return USAGE
    if isinstance(error, RuntimeError | OSError):
        print(f"videossr: {_explained(error)}", file=sys.stderr)
        return FAULTS
    raise error


def _extra(module: str | None) -> str:
    """The extra that brings a module."""
    served = ("fastapi", "starlette", "uvicorn", "pydantic", "pydantic_settings", "msgspec", "prometheus_client")
    others = {**dict.fromkeys(served, "serve"), "matplotlib": "plot", "ray": "cluster", "s3fs": "s3"}
    return others.get(str(module), "build")


def _explained(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        place = error.filename or f"the output, the clip cache or the temporary folder ({tempfile.gettempdir()}, or TMPDIR)"
        return f"no space left on the disk of {place}; free some and run the same command again"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "videossr", description="Verifiable video questions from raw videos.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    subcommands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add(subcommands)
    subcommands.add_parser("serve", help="score rollouts over HTTP, see `videossr serve --help`")
    return parser


def _serve(arguments: Sequence[str]) -> int:
    from reward_service.serve import read_settings, serve

    serve(read_settings(arguments))
    return OK


if __name__ == "__main__":
    sys.exit(main())
