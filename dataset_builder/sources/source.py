"""One raw video: its location, its name, and the hash of its content, which seeds its questions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One raw video.

    Attributes:
        name: path below the folder that was searched; its name in reports and rows.
        url: absolute path, or fsspec URL.
        stamp: size, times etc. from the file system; equal stamps mean equal content.
        fingerprint: hash of its content; "" for remote files not read yet, and for unreadable files.
        pixels: length as `pixels_to_decode`; None if it was not requested.
        fault: why it is no video file, if that is known from its place in the file system.
    """

    name: str
    url: str
    stamp: str = ""
    fingerprint: str = ""
    pixels: int | None = None
    fault: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it is read through fsspec."""
        return "://" in self.url


@dataclass(frozen=True)
class Content:
    """The result of reading a file: `Source.fingerprint` and `Source.pixels`."""

    fingerprint: str = ""
    pixels: int | None = None
