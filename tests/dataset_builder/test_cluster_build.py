"""Builds on a local Ray of two workers, and from and to an S3-compatible store on loopback: the same rows as the local build."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import psutil
import pytest
import ray
import s3fs

from dataset_builder.cli import main
from dataset_builder.errors import BuildError
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.sampling import Sampling
from dataset_builder.questions.job import folder_job
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage import ray_engine
from dataset_builder.storage import shards as sharding
from dataset_builder.storage.build import BuildProgress, build
from dataset_builder.storage.engine import make_engine
from eval.benchmarks.generated import from_build
from eval.frames import Frames
from tests.servers import ROOT, free_port

pytestmark = pytest.mark.slow

SPEC = BuildSpec("videossr-30k", seed=5, samples=60)
NO_CACHE = ClipCache.of("")

# a build in a process of its own, to be killed
DRIVER = """
import sys
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage import shards
from dataset_builder.storage.build import build
from dataset_builder.storage.engine import make_engine
shards.ROWS_PER_SHARD = 5
videos, out, address = sys.argv[1:]
build(BuildSpec("videossr-30k", seed=5, samples=60), videos, out, cache=ClipCache.of(""), engine=make_engine("ray", address=address))
"""


@pytest.fixture(scope="module", autouse=True)
def small_shards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharding, "ROWS_PER_SHARD", 5)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty S3, by moto, which the environment names, with the bucket `clips`."""
    port = free_port()
    log_path = tmp_path_factory.mktemp("moto") / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        s3 = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        end = time.monotonic() + 60
        while True:
            try:
                s3.mkdir("clips")
                break
            except OSError:
                assert process.poll() is None, log_path.read_text()
                assert time.monotonic() < end
                time.sleep(0.1)
        yield s3
        s3fs.S3FileSystem.clear_instance_cache()
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def cluster(store: Any) -> Iterator[str]:
    """The address of a Ray of two workers, which can use the store."""
    running = ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield running.address_info["gcs_address"]
    ray.shutdown()


def test_long_videos_go_first(footage: Path) -> None:
    job, _ = folder_job(SPEC, footage, "train", NO_CACHE, with_length=True)
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
    build(SPEC, footage, folder, cache=ClipCache.of(clip_cache))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def build_on_ray(videos: str | Path, out: str | Path, **progress: Callable[..., None]) -> None:
    build(SPEC, videos, out, cache=NO_CACHE, engine=make_engine("ray"), progress=BuildProgress(**progress))


def kill_worker() -> None:
    """Kill a process that is making a shard."""

    def is_making(process: psutil.Process) -> bool:
        try:
            return "ray::Map" in "".join(process.cmdline())
        except psutil.Error:
            return False

    next(child for child in psutil.Process().children(recursive=True) if is_making(child)).kill()


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_from_and_to_an_object_store(
    footage: Path, local: Path, tmp_path: Path, store: Any, engine: str, request: pytest.FixtureRequest
) -> None:
    """With a worker that is killed, a shard that is deleted, and one that is damaged."""
    videos, out = f"s3://clips/{engine}/raw", f"s3://clips/{engine}/out"
    for path in footage.iterdir():
        store.put_file(str(path), f"{videos}/{path.name}")
    finished: list[int] = []
    if engine == "ray":
        request.getfixturevalue("cluster")

    def count(report: Any) -> None:
        finished.append(report.rows.total())
        if len(finished) == 2 and engine == "ray":
            kill_worker()

    for again in (False, True):
        if again:
            lost, damaged, *_ = sorted(store.find(f"{out}/data"))
            store.rm_file(lost)
            store.pipe_file(damaged, b"not whole")
        build(SPEC, videos, out, cache=NO_CACHE, engine=make_engine(engine), progress=BuildProgress(report=count))
        store.get(f"{out}/", str(tmp_path / f"{again}"), recursive=True)
        assert files(tmp_path / f"{again}") == files(local)
    assert finished[:12] == sorted(finished[:12])
    assert len(finished) == 2 * 12


def test_a_killed_driver_is_gone_on_with(footage: Path, local: Path, tmp_path: Path, cluster: str) -> None:
    out = tmp_path / "out"
    running = subprocess.Popen([sys.executable, "-c", DRIVER, str(footage), str(out), cluster], cwd=ROOT)
    end = time.monotonic() + 300
    while len(list(out.glob("data/*.parquet"))) < 3:
        assert running.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    written = {path: path.stat().st_mtime_ns for path in out.glob("data/*.parquet")}
    assert len(written) < 12
    build_on_ray(footage, out)
    assert files(out) == files(local)
    assert {path: path.stat().st_mtime_ns for path in written} == written, "what stood was made again"


def test_other_versions_end_it(footage: Path, tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "row_code_digest", lambda: "other")
    with pytest.raises(BuildError, match=r"a worker has other versions: .* here: other"):
        build_on_ray(footage, tmp_path / "out")


def test_changed_videos_end_it(footage: Path, tmp_path: Path, cluster: str) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(footage, videos)
    last = sorted(videos.glob("*.mp4"))[-1]
    with pytest.raises(BuildError, match=f"{last.name} vanished"):
        build_on_ray(videos, tmp_path / "out", rows=lambda done, total: last.unlink(missing_ok=True))


def test_a_build_in_a_store_is_read_back(
    footage: Path,
    clip_cache: str,
    tmp_path: Path,
    store: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
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
    store.rm_file("clips/build/build.json")
    assert main(["export", "trl", there, "--out", str(tmp_path / "none")]) == 2
    assert "holds no build" in capsys.readouterr().err


def test_faults_are_told_in_a_line(footage: Path, tmp_path: Path, store: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: str, videos: str = str(footage), out: str = str(tmp_path / "out")) -> str:
        assert main(["build", "mixed", "--samples", "2", "--videos", videos, "--out", out, *arguments]) in (1, 2)
        return capsys.readouterr().err.splitlines()[-1]

    assert "s3://nothing/out cannot be used" in told(out="s3://nothing/out")
    assert "videos='s3://nothing' cannot be listed" in told(videos="s3://nothing")
    store.mkdir("empty")
    assert "videos='s3://empty' holds no video" in told(videos="s3://empty")
    assert not (tmp_path / "out").exists()
    assert "engine='spark' is unknown; allowed: local, ray" in told("--engine", "spark")
    assert "no Ray cluster at address='127.0.0.1:1'" in told("--engine", "ray", "--address", "127.0.0.1:1")
    (tmp_path / "sealed").write_text("a file")
    assert "sealed" in told(out=str(tmp_path / "sealed" / "out"))
