"""A run on disk: one model's responses to one benchmark. Responses are only appended; scores are never stored.

run.json          the manifest: benchmark, label, protocol (model and generation settings), responses to each question, clock
samples.jsonl     the questions, one per line
responses.jsonl   one response or failure per line
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
_REPEAT = "remove it and repeat the command that made the run"


@dataclass(frozen=True)
class Response:
    """The outcome of one question.

    Attributes:
        key: `response_key` of the sample, the protocol and the number of the response.
        id: the sample's id.
        text: the model's whole response; None if the question failed.
        error: why it failed; "" if it did not.
        seconds: from loading the videos to the response.
        usage: `prompt_tokens` and `completion_tokens`, where known.
        seen: what is known about the input that the model saw, and `cut_off` if the response reached the token limit.
    """

    key: str
    id: str
    text: str | None
    error: str = ""
    seconds: float = 0.0
    usage: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> str:
        """One line of responses.jsonl."""
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True)
class Run:
    """A run, read from its folder.

    Attributes:
        manifest: the content of run.json.
        benchmark: its samples and facts.
        responses: by `Response.key`; a response takes precedence over a failure.
        unreadable_lines: lines of responses.jsonl that cannot be read; their questions count as not asked.
    """

    folder: Path
    manifest: Mapping[str, Any]
    benchmark: Benchmark
    responses: Mapping[str, Response]
    unreadable_lines: int = 0

    @property
    def label(self) -> str:
        """The run's name in tables."""
        return str(self.manifest["label"])

    def response(self, sample: Sample) -> Response | None:
        """The first outcome of a sample; None if it was not asked yet."""
        return self.responses_to(sample)[0]

    def responses_to(self, sample: Sample) -> list[Response | None]:
        """The outcomes of a sample, as many as were to be drawn; None for each that was not asked yet."""
        keys = (response_key(sample, self.manifest["protocol"], draw) for draw in range(self.manifest.get("draws", 1)))
        return [self.responses.get(key) for key in keys]

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Run:
        """Read a run, finished or not.

        Raises:
            UsageError: if the folder holds no run, or a damaged file.
        """
        path = Path(folder)
        if not (path / RUN).is_file() or not (path / SAMPLES).is_file():
            make = f"create one with `python -m eval viubench … --out {path}`"
            raise UsageError(f"{str(path)!r} holds no run ({RUN}, {SAMPLES}); {make}")
        manifest = _read_manifest(path)
        try:
            samples = tuple(Sample(**json.loads(line)) for line in (path / SAMPLES).read_text().splitlines())
            entry = manifest["benchmark"]
            sampling = Sampling(**entry["sampling"])
            benchmark = Benchmark(entry["name"], entry["kind"], samples, sampling, tuple(entry["missing"]), entry["told"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path / SAMPLES} or {RUN} beside it is damaged ({error}); {_REPEAT}") from None
        return cls(path, manifest, benchmark, *_read_responses(path / RESPONSES))


def response_key(sample: Sample, protocol: Mapping[str, Any], draw: int = 0) -> str:
    """A hash of the question, the videos and the protocol; a response is reused only under the same key."""
    return digest(sample.id, sample.fingerprint, protocol, *([draw] if draw else []))


@contextmanager
def open_run(
    folder: Path, benchmark: Benchmark, label: str, protocol: Mapping[str, Any], *, draws: int = 1, clock: str = ""
) -> Iterator[tuple[dict[str, Response], TextIO]]:
    """Create a run's folder, or resume the run in it; yields its responses by key, and the file to append new ones to.

    A half-written last line is dropped. The benchmark may have gained or lost questions; responses are matched by key.

    Args:
        draws: responses to each question.
        clock: a key of `clocks.CLOCKS`; "" for every frame's time.

    Raises:
        UsageError: if the folder holds another run, or another process is writing to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"out={str(folder)!r}: another process is writing there; wait for it, or give another folder"
        ) from None
    try:
        entry = {
            "name": benchmark.name, "kind": benchmark.kind, "hash": benchmark.hash, "sampling": asdict(benchmark.sampling),
            "missing": benchmark.missing, "told": benchmark.facts,
        }  # fmt: skip
        manifest = json.loads(
            json.dumps({"label": label, "protocol": protocol, "draws": draws, "clock": clock, "benchmark": entry})
        )
        _check_same(folder, benchmark, manifest)
        lines = [json.dumps(sample.to_dict()) + "\n" for sample in benchmark.samples]
        for name, text in ((RUN, json.dumps(manifest, indent=2) + "\n"), (SAMPLES, "".join(lines))):
            temporary = folder / f"{name}.tmp"
            temporary.write_text(text)
            temporary.replace(folder / name)
        path = folder / RESPONSES
        if path.exists() and (end := (data := path.read_bytes()).rfind(b"\n") + 1) < len(data):
            os.truncate(path, end)
        responses, _ = _read_responses(path)
        with path.open("a") as file:
            yield responses, file
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        lock.release()


def _check_same(folder: Path, benchmark: Benchmark, manifest: Mapping[str, Any]) -> None:
    """Raise UsageError unless the folder is empty or holds the same run."""
    if not (folder / RUN).exists():
        if any(path.name.removesuffix(".tmp") not in (RUN, SAMPLES, RESPONSES, LOCK) for path in folder.iterdir()):
            raise UsageError(f"out={str(folder)!r} is not empty and holds no run; give another folder")
        return
    previous = _read_manifest(folder)
    old, new = previous["protocol"], manifest["protocol"]
    if changed := [name for name in {**old, **new} if old.get(name) != new.get(name)]:
        values = ", ".join(f"{name}={old.get(name)!r}" for name in changed)
        raise UsageError(f"out={str(folder)!r} holds a run with other settings ({values}); give another folder")
    before = Run.read(folder).benchmark if (folder / SAMPLES).exists() else benchmark
    asked, known = ({(sample.id, sample.fingerprint) for sample in one.samples} for one in (benchmark, before))
    if previous["benchmark"]["kind"] != benchmark.kind or not asked & known:
        raise UsageError(f"out={str(folder)!r} holds answers to other questions; give another folder")


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / RUN).read_text())
    except ValueError as error:
        raise UsageError(f"{folder / RUN} is damaged ({error}); {_REPEAT}") from None
    return manifest


def _read_responses(path: Path) -> tuple[dict[str, Response], int]:
    """(responses by key, number of unreadable lines). For each key: the last response, or if there is none the last failure."""
    responses: dict[str, Response] = {}
    unreadable = 0
    for line in path.open(errors="replace") if path.exists() else ():
        try:
            response = Response(**json.loads(line))
        except (ValueError, TypeError):
            unreadable += line.endswith("\n")
            continue
        if response.text is not None or responses.get(response.key, response).text is None:
            responses[response.key] = response
    return responses, unreadable
