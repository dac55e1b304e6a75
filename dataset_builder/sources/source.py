"""One raw video: where it is, what it is called, and the hash of its content that every question is seeded by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One raw video.

    Attributes:
        name: its path below the folder it was found in; what reports and rows call it.
        url: absolute path, or fsspec URL.
        stamp: what the file system says of its state; equal stamps mean equal content.
        fingerprint: hash of its content; "" for remote files until read, and for what cannot be read.
        pixels: its length, as `pixels_to_decode`; None where nobody asked for it.
    """

    name: str
    url: str
    stamp: str = ""
    fingerprint: str = ""
    pixels: int | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it is read through fsspec."""
        return "://" in self.url


@dataclass(frozen=True)
class Content:
    """What reading a file tells of it: `Source.fingerprint` and `Source.pixels`."""

    fingerprint: str = ""
    pixels: int | None = None
