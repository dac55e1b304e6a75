"""A run on disk: what was asked of whom, and every answer. Answers are only ever added, scores never stored.

run.json          the benchmark, the model and the protocol
samples.jsonl     the questions
responses.jsonl   an answer, or why there is none, a line
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dataset_builder.sampling import Sampling

from .sample import Benchmark, Sample

RUN, SAMPLES, RESPONSES = "run.json", "samples.jsonl", "responses.jsonl"


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
        responses: the last answer to each sample, by its id.
    """

    folder: Path
    told: Mapping[str, Any]
    benchmark: Benchmark
    responses: Mapping[str, Response]

    @property
    def label(self) -> str:
        return str(self.told["label"])

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Run:
        """Open a run, finished or not.

        Raises:
            ValueError: if the folder holds none.
        """
        path = Path(folder)
        try:
            told = json.loads((path / RUN).read_text())
            samples = tuple(Sample(**json.loads(line)) for line in (path / SAMPLES).read_text().splitlines())
        except FileNotFoundError:
            raise ValueError(
                f"{str(path)!r} holds no run ({RUN}, {SAMPLES}); `python -m eval viubench … --out {path}` makes one"
            ) from None
        named = told["benchmark"]
        benchmark = Benchmark(
            named["name"], named["kind"], samples, Sampling(**named["sampling"]), tuple(named["missing"]), named["told"]
        )
        return cls(path, told, benchmark, {one.id: one for one in _responses(path / RESPONSES)})


def begin(folder: Path, benchmark: Benchmark, label: str, protocol: Mapping[str, Any]) -> dict[str, Response]:
    """Make a run's folder, or go on in it; gives the answers that are there, by their key.

    A line that was cut off half-written is dropped.

    Raises:
        ValueError: if the folder holds another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = "".join(json.dumps(sample.to_dict()) + "\n" for sample in benchmark.samples)
    named = {
        "name": benchmark.name,
        "kind": benchmark.kind,
        "hash": benchmark.hash,
        "sampling": asdict(benchmark.sampling),
        "missing": benchmark.missing,
        "told": benchmark.told,
    }
    told = json.loads(json.dumps({"label": label, "protocol": protocol, "benchmark": named}))
    path = folder / RUN
    if path.exists():
        held = json.loads(path.read_text())
        if _apart(held) != _apart(told):
            other = [name for name in ("hash", "kind", "name") if held["benchmark"].get(name) != named[name]] or [
                name
                for name in {**held["protocol"], **told["protocol"]}
                if held["protocol"].get(name) != told["protocol"].get(name)
            ]
            raise ValueError(f"out={str(folder)!r} holds another run (its {', '.join(other)} differ); give another folder")
    elif any(folder.iterdir()):
        raise ValueError(f"out={str(folder)!r} is not empty and holds no run; give another folder")
    _write(folder / SAMPLES, samples)
    _write(path, json.dumps(told, indent=2) + "\n")
    _drop_half_a_line(folder / RESPONSES)
    return {one.key: one for one in _responses(folder / RESPONSES)}


def _apart(told: Mapping[str, Any]) -> list[Any]:
    return [told["protocol"], told["benchmark"]["hash"], told["benchmark"]["kind"]]


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(text)
    aside.replace(path)


def _drop_half_a_line(path: Path) -> None:
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)


def _responses(path: Path) -> Iterator[Response]:
    """All whole lines, later ones after earlier ones."""
    if path.exists():
        with path.open() as file:
            for line in file:
                if line.endswith("\n"):
                    yield Response(**json.loads(line))


def write_line(response: Response) -> str:
    return json.dumps(asdict(response)) + "\n"
