"""One raw video: its location, its name, and the fingerprint of its content, which seeds its questions."""

from __future__ import annotations

from dataclasses import dataclass

from .fingerprint import WHOLE


@dataclass(frozen=True, slots=True)
class Source:
    """One raw video.

    Attributes:
        name: path below the folder that was searched; its name in reports and rows.
        url: absolute path, or fsspec URL.
        stamp: size, times etc. from the file system; equal stamps mean equal content.
        fingerprint: hash of its size and of blocks of its content; "" for files not read yet, and for unreadable ones.
        pixels: length as `pixels_to_decode`; None if it was not requested.
        version: tells contents of the same fingerprint apart, in caches: which state of the file this is, if it was seen to
            change where the fingerprint does not look.
        fault: why it is no video file, if that is known from its place in the file system.
    """

    name: str
    url: str
    stamp: str = ""
    fingerprint: str = ""
    pixels: int | None = None
    fault: str = ""
    version: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it is read through fsspec."""
        return "://" in self.url

    @property
    def size(self) -> str:
        """Bytes, as its stamp says; "" without a stamp, "None" if the store does not know."""
        return self.stamp.partition(":")[0]

    @property
    def state(self) -> str:
        """What of the stamp tells whether the content changed where the fingerprint does not look; "" if it looks everywhere."""
        if self.size.isdecimal() and int(self.size) <= WHOLE:
            return ""
        return self.stamp if self.is_remote else ":".join(self.stamp.split(":")[:2])  # size and time of modification


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a file's content: `Source.fingerprint`, `Source.pixels` and `Source.version`."""

    fingerprint: str = ""
    pixels: int | None = None
    version: str = ""
