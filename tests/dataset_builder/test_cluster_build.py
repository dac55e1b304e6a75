"""Builds on a local Ray of two workers, and from and to an S3-compatible store on loopback: the same rows as the local build."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import psutil
import pytest
import s3fs

from dataset_builder.cli import main
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.sampling import Sampling
from dataset_builder.questions.job import folder_job
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage import shards as sharding
from dataset_builder.storage.build import build
from eval.benchmarks.generated import from_build
from eval.frames import Frames
from tests.servers import ROOT, free_port

pytestmark = pytest.mark.slow

SPEC = BuildSpec("videossr-30k", seed=5, samples=200)
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}

# the driver of a build, in a process of its own, as Ray keeps its state for good
DRIVER = """
import os, sys
import ray
from dataset_builder.storage import shards
from dataset_builder.storage.engine import make_engine
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.storage.build import BuildProgress, build
from dataset_builder.questions.spec import BuildSpec
shards.ROWS_PER_SHARD = 5
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
report = build(BuildSpec("videossr-30k", seed=5, samples=200), sys.argv[1], sys.argv[2], cache=ClipCache.of(""), engine=make_engine("ray"),
    progress=BuildProgress(rows=lambda done, total: print("done", done, total, flush=True),
        report=lambda report: print("made", report.rows.total(), flush=True)))
print("report", report.rows.total(), flush=True)
"""


def test_long_videos_go_first(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "ROWS_PER_SHARD", 5)
    job, _ = folder_job(SPEC, footage, "train", ClipCache.of(""), with_length=True)
    assert all(source.pixels for source in job.sources)
    job = replace(job, sources=tuple(replace(source, pixels=at % 7) for at, source in enumerate(job.sources)))
    shards = sharding.plan_shards(job)
    ordered = sharding.by_cost(shards, job)
    assert sorted(shard.name for shard in ordered) == [shard.name for shard in shards]
    firsts = list(dict.fromkeys(shard.units[0].source for shard in ordered))
    costs = [next(shard for shard in ordered if shard.units[0].source == at).cost(job) for at in firsts]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


@pytest.fixture(scope="module")
def local(footage: Path, clip_cache: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharding, "ROWS_PER_SHARD", 5)
        build(SPEC, footage, folder, cache=ClipCache.of(clip_cache))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def drive(videos: str | Path, out: str | Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(videos), str(out)],
        cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(running: subprocess.Popen[str]) -> list[str]:
    out, errors = running.communicate(timeout=600)
    assert running.returncode == 0, errors[-3000:]
    return out.splitlines()


def wait_for_shards(out: Path, running: subprocess.Popen[str], number: int) -> None:
    end = time.monotonic() + 300
    while len(list(out.glob("data/*.parquet"))) < number:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def is_making(process: psutil.Process) -> bool:
    try:
        return "ray::Map" in "".join(process.cmdline())
    except psutil.Error:
        return False


def test_a_killed_worker_and_a_deleted_shard_change_nothing(footage: Path, local: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = drive(footage, out)
    wait_for_shards(out, running, 2)
    while not (making := [child for child in psutil.Process(running.pid).children(recursive=True) if is_making(child)]):
        assert running.poll() is None, "no worker was seen at work"
    making[0].kill()
    told = finish(running)
    assert "report 200" in told  # Ray may print of its own
    assert files(out) == files(local)
    live = [int(line.split()[1]) for line in told if line.startswith("made")]
    assert live == sorted(live)
    assert len(live) == 40
    lost, damaged, *_ = sorted(out.glob("data/*.parquet"))
    lost.unlink()
    damaged.write_bytes(b"not whole")
    finish(drive(footage, out))
    assert files(out) == files(local)


def test_a_killed_driver_is_gone_on_with(footage: Path, local: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = drive(footage, out)
    wait_for_shards(out, running, 3)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    written = {path: path.stat().st_mtime_ns for path in out.glob("data/*.parquet")}
    finish(drive(footage, out))
    assert files(out) == files(local)
    assert {path: path.stat().st_mtime_ns for path in written} == written, "what stood was made again"


def refuse(videos: Path, out: Path, change: str) -> str:
    """The error of a build that something is done to after its start."""
    began = 'print("done", done, total, flush=True)'
    assert began in DRIVER
    program = DRIVER.replace(began, f"[{began}, done or {change}]")
    done = subprocess.run(
        [sys.executable, "-c", program, str(videos), str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_other_versions_and_changed_videos_end_it(footage: Path, tmp_path: Path) -> None:
    other = "exec(\"from dataset_builder.storage import ray_engine; ray_engine.row_code_digest = lambda: 'other'\", {})"
    program = DRIVER.replace("import ray\n", f"import ray\n{other}\n")
    done = subprocess.run(
        [sys.executable, "-c", program, str(footage), str(tmp_path / "other")],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(r"BuildError: a worker has other versions: .* here: other", done.stderr.splitlines()[-1])
    videos = tmp_path / "videos"
    shutil.copytree(footage, videos)
    last = sorted(videos.glob("*.mp4"))[-1]
    assert f"{last.name} vanished" in refuse(videos, tmp_path / "out", f"os.remove({str(last)!r})")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """The address of a moto server."""
    port = free_port()
    with (tmp_path / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while True:
        try:
            bucket(address).mkdir("clips")
            break
        except OSError:
            assert process.poll() is None, (tmp_path / "moto.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
    yield address
    process.kill()
    process.wait()


def bucket(address: str) -> Any:
    return fsspec.filesystem("s3", key="test", secret="test", client_kwargs={"endpoint_url": address}, skip_instance_cache=True)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_from_and_to_an_object_store(footage: Path, local: Path, tmp_path: Path, store: str, engine: str) -> None:
    s3 = bucket(store)
    for path in sorted(footage.iterdir()):
        s3.put_file(str(path), f"clips/raw/{path.name}")
    environment = {**AWS, "AWS_ENDPOINT_URL": store}
    program = (
        DRIVER
        if engine == "ray"
        else DRIVER.replace('make_engine("ray")', 'make_engine("local")').replace("ray.init(", "dict(")
    )
    for again in (False, True):
        if again:
            s3.rm_file(s3.find("clips/out/data")[0])
        done = subprocess.run(
            [sys.executable, "-c", program, "s3://clips/raw", "s3://clips/out"],
            cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        s3.invalidate_cache()
        s3.get("clips/out/", str(tmp_path / "got"), recursive=True)
        assert files(tmp_path / "got") == files(local)


def test_a_build_in_a_store_is_read_back(
    footage: Path,
    clip_cache: str,
    tmp_path: Path,
    store: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {**AWS, "AWS_ENDPOINT_URL": store}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    here, there = tmp_path / "build", "s3://clips/build"
    for out in (here, there):
        build(BuildSpec("counting"), footage, out, cache=ClipCache.of(clip_cache))
        assert main(["validate", str(out)]) == 0
        assert "8 rows, 0 faults" in capsys.readouterr().out
        assert main(["export", "trl", str(out), "--out", str(tmp_path / f"{len(str(out))}")]) == 0
    one, other = (tmp_path / f"{len(str(out))}" / "train.parquet" for out in (here, there))
    assert one.read_bytes() == other.read_bytes()
    local, remote = from_build(here).samples, from_build(there).samples
    assert [sample.id for sample in local] == [sample.id for sample in remote]
    assert Frames(Sampling()).of(local[0]) == Frames(Sampling()).of(remote[0])
    bucket(store).rm_file("clips/build/build.json")
    assert main(["export", "trl", there, "--out", str(tmp_path / "none")]) == 2
    assert "holds no build" in capsys.readouterr().err


def cli(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dataset_builder.cli", "build", *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 2), done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_faults_are_told_in_a_line(footage: Path, tmp_path: Path, store: str) -> None:
    environment = {**AWS, "AWS_ENDPOINT_URL": store}
    mixed = ("mixed", "--videos", str(footage), "--samples", "2")
    assert "s3://nothing/out cannot be used" in cli(*mixed, "--out", "s3://nothing/out", **environment)
    assert "videos='s3://nothing' cannot be listed" in cli(
        "mixed", "--videos", "s3://nothing", "--out", str(tmp_path / "out"), **environment
    )
    assert "videos='s3://clips' holds no video" in cli(
        "mixed", "--videos", "s3://clips", "--out", str(tmp_path / "out"), **environment
    )
    assert not (tmp_path / "out").exists()
    assert "engine='spark' is unknown; allowed: local, ray" in cli(*mixed, "--out", str(tmp_path / "x"), "--engine", "spark")
    assert "no Ray cluster at address='127.0.0.1:1'" in cli(
        *mixed, "--out", str(tmp_path / "x"), "--engine", "ray", "--address", "127.0.0.1:1"
    )
    (tmp_path / "sealed").write_text("a file")
    assert "sealed" in cli(*mixed, "--out", str(tmp_path / "sealed" / "out"))
