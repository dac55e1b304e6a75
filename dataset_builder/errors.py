"""What can go wrong between a raw video and a row, beside what the tasks raise (`tasks.errors`)."""

from __future__ import annotations


class UnusableVideo(Exception):
    """This file gives no clip, now or later; the message says why, in few words."""


class BuildError(RuntimeError):
    """The build stopped; the message says what to do. Finished shards stay, and a rerun continues."""


class SourceChanged(BuildError):
    """A video vanished or changed after the build had begun."""
