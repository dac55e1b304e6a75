"""Errors between a raw video and a row. The errors of the tasks are in `tasks.errors`."""

from __future__ import annotations


class UnusableVideo(Exception):
    """No clip can be made from this file, now or later; the message says why in a few words."""


class BuildError(RuntimeError):
    """The build stopped; the message says what to do. Finished shards stay, and a rerun continues."""


class SourceChanged(BuildError):
    """A video vanished or changed while the build was running."""
