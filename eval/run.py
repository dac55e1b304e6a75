"""A run on disk: what was asked of whom, and every answer. Answers are only ever added, scores never stored.

run.json          the benchmark, the model and the protocol
samples.jsonl     the questions
responses.jsonl   an answer, or why there is none, a line
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from dataset_builder.identity import digest
from dataset_builder.media.sampling import Sampling
from dataset_builder.tasks import UsageError

from .sample import Benchmark, Sample

RUN, SAMPLES, RESPONSES, LOCK = "run.json", "samples.jsonl", "responses.jsonl", ".lock"
_OWN = (SAMPLES, RESPONSES, LOCK, f"{RUN}.tmp", f"{SAMPLES}.tmp")


@dataclass(frozen=True)
class Response:
    """What came of one question.

    Attributes:
        key: the fingerprint of question, model and protocol.
        id: the sample's.
        text: the model's whole response; None if it failed.
        error: why it failed.
        seconds: until it was there.
    """

    key: str
    id: str
    text: str | None
    error: str = ""
    seconds: float = 0.0
    usage: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run's folder, read.

    Attributes:
        told: `run.json`.
        benchmark: its samples and what is to be known of them.
        responses: by `Response.key`, an answer before a failure.
        spoilt: lines of `responses.jsonl` that cannot be read; their questions count as not asked.
    """

    folder: Path
    told: Mapping[str, Any]
    benchmark: Benchmark
    responses: Mapping[str, Response]
    spoilt: int = 0

    @property
    def label(self) -> str:
        return str(self.told["label"])

    def response(self, sample: Sample) -> Response | None:
        """What came of one of its samples."""
        return self.responses.get(key_of(sample, self.told["protocol"]))

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Run:
        """Open a run, finished or not.

        Raises:
            UsageError: if the folder holds none, or a file of it is damaged.
        """
        path = Path(folder)
        if not (path / RUN).is_file() or not (path / SAMPLES).is_file():
            raise UsageError(
                f"{str(path)!r} holds no run ({RUN}, {SAMPLES}); `python -m eval viubench … --out {path}` makes one"
            )
        told = _told(path)
        try:
            samples = tuple(Sample(**json.loads(line)) for line in (path / SAMPLES).read_text().splitlines())
            named = told["benchmark"]
            benchmark = Benchmark(
                named["name"], named["kind"], samples, Sampling(**named["sampling"]), tuple(named["missing"]), named["told"]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path / SAMPLES} or {RUN} beside it is damaged ({error}); remove it, and the command that made the run writes it anew"
            ) from None
        return cls(path, told, benchmark, *_responses(path / RESPONSES))


def key_of(sample: Sample, protocol: Mapping[str, Any]) -> str:
    """What an answer is known by: the question, what it shows, and how it was asked."""
    return digest(sample.id, sample.fingerprint, protocol)


@contextmanager
def opened(
    folder: Path, benchmark: Benchmark, label: str, protocol: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Response], TextIO]]:
    """Make a run's folder, or go on in it: gives the answers that are there, by their key, and the file for further ones.

    A line that was cut off half-written is dropped. Questions may have come or gone since: answers stay, by their keys.

    Raises:
        UsageError: if the folder holds another run, or one that is going on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"out={str(folder)!r}: another process is asking there; wait for it, or give another folder") from None
    try:
        _claim(folder, benchmark, label, protocol)
        path = folder / RESPONSES
        _drop_half_a_line(path)
        known, _ = _responses(path)
        with path.open("a") as file:
            yield known, file
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        lock.release()


def _claim(folder: Path, benchmark: Benchmark, label: str, protocol: Mapping[str, Any]) -> None:
    named = {
        "name": benchmark.name, "kind": benchmark.kind, "hash": benchmark.hash, "sampling": asdict(benchmark.sampling),
        "missing": benchmark.missing, "told": benchmark.told,
    }  # fmt: skip
    told = json.loads(json.dumps({"label": label, "protocol": protocol, "benchmark": named}))
    if (folder / RUN).exists():
        held = _told(folder)
        _same(folder, held["protocol"], told["protocol"])
        before = Run.read(folder).benchmark if (folder / SAMPLES).exists() else benchmark
        if held["benchmark"]["kind"] != benchmark.kind or not _shared(before, benchmark):
            raise UsageError(f"out={str(folder)!r} holds answers to other questions; give another folder")
    elif any(path.name not in _OWN for path in folder.iterdir()):
        raise UsageError(f"out={str(folder)!r} is not empty and holds no run; give another folder")
    _write(folder / RUN, json.dumps(told, indent=2) + "\n")
    _write(folder / SAMPLES, "".join(json.dumps(sample.to_dict()) + "\n" for sample in benchmark.samples))


def _same(folder: Path, held: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    other = [name for name in {**held, **wanted} if held.get(name) != wanted.get(name)]
    if other:
        shown = ", ".join(f"{name}={held.get(name)!r}" for name in other)
        raise UsageError(f"out={str(folder)!r} holds a run that was asked otherwise ({shown}); give another folder")


def _shared(one: Benchmark, other: Benchmark) -> bool:
    return bool(
        {(sample.id, sample.fingerprint) for sample in one.samples}
        & {(sample.id, sample.fingerprint) for sample in other.samples}
    )


def _told(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / RUN).read_text())
    except ValueError as error:
        raise UsageError(
            f"{folder / RUN} is damaged ({error}); remove it, and the command that made the run writes it anew"
        ) from None
    return told


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.tmp")
    aside.write_text(text)
    aside.replace(path)


def _drop_half_a_line(path: Path) -> None:
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)


def _responses(path: Path) -> tuple[dict[str, Response], int]:
    """The last answer by each key, or where there is none the last failure; and how many lines are spoilt."""
    found: dict[str, Response] = {}
    spoilt = 0
    if path.exists():
        with path.open(errors="replace") as file:
            for line in filter(lambda line: line.endswith("\n"), file):
                try:
                    one = Response(**json.loads(line))
                except (ValueError, TypeError):
                    spoilt += 1
                    continue
                if one.text is not None or found.get(one.key, one).text is None:
                    found[one.key] = one
    return found, spoilt


def write_line(response: Response) -> str:
    return json.dumps(asdict(response)) + "\n"
