"""Speed of sampling and building, side by side in one run: `python -m tests.benchmarks.bench_build`.

Each figure is measured in a process of its own that does nothing else, as CPU seconds after its imports; the least of a few
rounds is taken. Prints a table of ratios against what the project aims at.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.storage.local_engine import LocalEngine
from tests.benchmarks.table import Table
from tests.footage import has_shared, videos_folder

ROOT = Path(__file__).resolve().parents[2]
AREA = 256 * 256
KEYFRAME_RICH = "bag street person_long d_charades d_long"  # clips with 14 keyframes and more


def cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _videos() -> list[Path]:
    from dataset_builder.sources.find import find_videos

    return [Path(source.url) for source in find_videos(videos_folder())]


def measure_sampling(reader: Callable[[Path], object]) -> dict[str, float]:
    used, done = 0.0, 0
    for video in _videos():
        start = cpu()
        try:
            reader(video)
            done += 1
        except Exception as error:  # whatever a reader raises on a clip too short or too odd for it
            print(f"{video.name}: {type(error).__name__}: {error}", file=sys.stderr)
        used += cpu() - start
    return {"cpu": used, "done": done}


def ours_sampling(mode: str) -> dict[str, float]:
    from dataset_builder.media.decode import sample
    from dataset_builder.media.sampling import Sampling

    return measure_sampling(lambda video: sample(str(video), Sampling(48, AREA, mode)))


def linear_sampling() -> dict[str, float]:
    import av

    def read(video: Path) -> None:
        with av.open(str(video), "r", metadata_errors="replace") as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            for _ in container.decode(stream):
                pass

    return measure_sampling(read)


def torchcodec_sampling() -> dict[str, float]:
    import torch
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import Resize

    from dataset_builder.media.geometry import output_size

    torch.set_num_threads(1)

    def read(video: Path) -> None:
        plain = VideoDecoder(str(video), seek_mode="exact", num_ffmpeg_threads=1).metadata
        width, height = output_size(plain.width, plain.height, AREA)
        decoder = VideoDecoder(str(video), seek_mode="exact", num_ffmpeg_threads=1, transforms=[Resize((height, width))])
        first, last = plain.begin_stream_seconds, plain.end_stream_seconds
        decoder.get_frames_played_at([first + (last - first) * (0.05 + 0.9 * k / 47.5) for k in range(48)])

    return measure_sampling(read)


def decord_sampling() -> dict[str, float]:
    import decord
    import numpy as np

    def read(video: Path) -> None:
        reader = decord.VideoReader(str(video), ctx=decord.cpu(0), num_threads=1)
        reader.get_batch(np.linspace(0.05 * len(reader), 0.95 * len(reader) - 1, 48).astype(int)).asnumpy()

    return measure_sampling(read)


def long_film(path: Path, seconds: int) -> Path:
    """The longest clip, its packets over and over."""
    import av

    source = max(_videos(), key=lambda video: (video.suffix == ".mp4", video.stat().st_size))
    shift = 0
    with av.open(str(path), "w") as output:
        copy: av.VideoStream | None = None
        unit = 0.0
        while shift * unit < seconds:
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                copy = copy or output.add_stream_from_template(stream)
                unit, end = float(stream.time_base or 0), 0
                for packet in container.demux(stream):
                    if packet.pts is not None and packet.dts is not None:
                        end = max(end, packet.pts + (packet.duration or 0))
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
                        output.mux(packet)
                shift += end
    return path


def long_sampling(video: str, mode: str, frames: int) -> dict[str, float]:
    """CPU of a clip, its peak memory, and how far its frames are from even times, as a share of their distance."""
    import numpy as np

    from dataset_builder.media.clip import make_clip
    from dataset_builder.media.sampling import Sampling

    start = cpu()
    times = make_clip(video, "", Sampling(frames, AREA, mode)).source_times
    used = cpu() - start
    even = np.linspace(times[0], times[-1], frames)
    shift = float(np.abs(np.subtract(times, even)).max() / (even[1] - even[0]))
    return {"cpu": used, "shift": shift, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}


def ours_build(
    video_format: str, sampling: str, cache: str, seed: int, config: str = "mixed", names: str = "", samples: int | None = None
) -> dict[str, float]:
    """A whole build, Parquet and all, and how much of it is decoding."""
    import datasets  # noqa: F401 - so that its start is not counted

    from dataset_builder.media import clip as clips
    from dataset_builder.questions.spec import BuildSpec
    from dataset_builder.storage import build as building

    decoding = 0.0
    decode = clips.sample

    def timed(*args: object) -> object:
        nonlocal decoding
        start = cpu()
        try:
            return decode(*args)
        finally:
            decoding += cpu() - start

    clips.sample = timed
    with tempfile.TemporaryDirectory() as out:
        spec = BuildSpec(config, seed=seed, difficulty="easy", video_format=video_format, sampling=sampling, samples=samples)
        start = cpu()
        report = building.build(spec, _subset(names), f"{out}/rows", cache=ClipCache.of(cache or f"{out}/clips"))
        used = cpu() - start
    return {"cpu": used, "samples": report.rows.total(), "decoding": decoding}


def _subset(names: str) -> Path:
    """The videos whose names hold one of these words, linked into a folder of their own; all of them for none."""
    if not names:
        return videos_folder()
    folder = Path(tempfile.mkdtemp())
    for video in _videos():
        if any(name in video.name for name in names.split()):
            (folder / video.name).symlink_to(video)
    return folder


def original_build(names: str = "") -> dict[str, float]:
    import cv2
    import datasets

    from tests.benchmarks.original import sample_stage, task_stage

    cv2.setNumThreads(1)
    datasets.disable_progress_bars()
    videos = [video for video in _videos() if any(word in video.name for word in names.split() or [""])]
    with tempfile.TemporaryDirectory() as out:
        start = cpu()
        stored = list(sample_stage(videos, Path(out)))
        first = cpu() - start
        samples = task_stage(stored, Path(out))
        used = cpu() - start
    return {"cpu": used, "samples": samples, "second_stage": used - first}


def mp4_cost() -> dict[str, float]:
    """CPU a sample for three tasks a video, decoding and sampling apart, and the fidelity of what is written."""
    import numpy as np

    from dataset_builder import tasks
    from dataset_builder.errors import UnusableVideo
    from dataset_builder.media.clip_store import ClipStore
    from dataset_builder.media.mp4 import read_mp4
    from dataset_builder.media.render import render
    from dataset_builder.media.sampling import Sampling
    from dataset_builder.sources.source import Source

    used, samples, fidelity = 0.0, 0, []
    store = ClipStore(ClipCache(None, 1), Sampling(), with_h264=False)
    for video in _videos():
        try:
            clip = store.clip(Source(video.name, str(video)))
        except UnusableVideo:
            continue
        start = cpu()
        clip = clip.with_h264()
        used += cpu() - start
        for name in ("grounding", "counting", "jigsaw"):
            task = tasks.get(name)
            params = task.params("easy", {"margin": -1.0} if name == "jigsaw" else {})
            start = cpu()
            try:
                plan = task.plan(clip.stats, tasks.item_rng(task, clip.stats.fingerprint, 1, 0), params)
            except tasks.Unsolvable:
                continue
            rendered = render(clip, plan.edits)
            written = [shown.mp4() for shown in rendered]
            used += cpu() - start
            samples += 1
            for shown, data in zip(rendered, written, strict=True):
                pairs = zip(shown.frames(), read_mp4(data)[0], strict=True)
                error = np.mean([np.mean((a.astype(np.float32) - b) ** 2) for a, b in pairs])
                fidelity.append(10 * np.log10(255**2 / error))
    return {"ms": used / samples * 1000, "mean_psnr": float(np.mean(fidelity)), "least_psnr": float(np.min(fidelity))}


def stream_memory(rows: int) -> dict[str, float]:
    """Resident memory over a streamed build, at row 500 and at its most after that."""
    from dataset_builder.questions.job import folder_job, make_rows
    from dataset_builder.questions.report import Report
    from dataset_builder.questions.spec import BuildSpec

    with tempfile.TemporaryDirectory() as cache:
        job, _ = folder_job(BuildSpec("videossr-30k", samples=rows), videos_folder(), "train", ClipCache.of(cache))
        page, early, most, count = os.sysconf("SC_PAGE_SIZE"), 0.0, 0.0, 0
        start = time.perf_counter()
        for _ in make_rows(job.units(), job, Report()):
            count += 1
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page / 1e6
            early = resident if count == 500 else early
            most = max(most, resident) if count >= 500 else most
    return {"rows": count, "mb_at_500": early, "most_mb": most, "rows_per_second": count / (time.perf_counter() - start)}


def parallel(workers: int) -> dict[str, float]:
    """Wall time of a build of 1,500 rows from nothing, worker processes' start and all."""
    from dataset_builder.questions.spec import BuildSpec
    from dataset_builder.storage.build import build

    spec = BuildSpec("mixed", per_video=20, difficulty="easy")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        build(spec, videos_folder(), f"{folder}/out", engine=LocalEngine(workers), cache=ClipCache.of(f"{folder}/clips"))
        return {"wall": time.perf_counter() - start}


def on_ray(workers: int) -> dict[str, float]:
    """Wall time of a build of 4,500 rows from nothing by so many workers of a Ray that runs; 0: in this process, without it."""
    from dataset_builder.questions.spec import BuildSpec
    from dataset_builder.storage.build import BuildProgress, build
    from dataset_builder.storage.engine import make_engine

    spec = BuildSpec("mixed", per_video=60, difficulty="easy")
    resident: list[float] = []
    if workers:
        import ray

        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        progress = BuildProgress(rows=lambda done, total: resident.append(_largest_worker() if workers else _resident()))
        engine = make_engine("ray" if workers else "local")
        build(spec, videos_folder(), f"{folder}/out", engine=engine, cache=ClipCache.of(f"{folder}/clips"), progress=progress)
        return {"wall": time.perf_counter() - start, "memory": _growth(resident)}


def _largest_worker() -> float:
    import psutil

    children = psutil.Process().children(recursive=True)
    return max((child.memory_info().rss for child in children if "MapWorker" in "".join(child.cmdline())), default=0)


def _growth(resident: list[float]) -> float:
    """The mean of the last third against that of the second: memory that does not grow stays at 1, whatever its jitter."""
    third = len(resident) // 3
    return sum(resident[-third:]) / sum(resident[third : 2 * third])


def plan_cost() -> dict[str, float]:
    """Wall seconds and memory of planning a million rows from 100,000 videos."""
    from dataset_builder.questions.job import Job
    from dataset_builder.questions.spec import BuildSpec
    from dataset_builder.sources.source import Source
    from dataset_builder.storage.shards import plan_shards

    names = [f"{number // 1000:05d}/{number:09d}.mp4" for number in range(100_000)]
    sources = tuple(Source(name, f"s3://bucket/{name}", f"{5_000_000}:{at}", f"{at:032x}") for at, name in enumerate(names))
    start = time.perf_counter()
    shards = plan_shards(Job(BuildSpec("videossr-30k", samples=1_000_000), "train", sources, ClipCache.of("")))
    assert len(shards) == 10_000
    return {"wall": time.perf_counter() - start, "mb": _resident() * os.sysconf("SC_PAGE_SIZE") / 1e6}


def cut_memory(rows: int) -> dict[str, float]:
    """How memory grows while the files for the Hub are cut."""
    from dataset_builder.hub import files
    from dataset_builder.questions.spec import BuildSpec
    from dataset_builder.storage import build as building
    from dataset_builder.storage.stored_build import Build

    files.ROWS_PER_FILE = 100  # for more points
    with tempfile.TemporaryDirectory() as out:
        building.build(
            BuildSpec("mixed", seed=3, difficulty="easy", samples=rows), videos_folder(), f"{out}/rows", engine=LocalEngine(2)
        )
        resident = []
        start = time.perf_counter()
        for _, path in files.cut_files(Build.read(f"{out}/rows"), Path(out, "cut")):
            resident.append(_resident())
            path.unlink()
        wall = time.perf_counter() - start
    return {"rows": rows / wall, "memory": _growth(resident)}


def import_cost(code: str) -> dict[str, float]:
    """Wall milliseconds of a fresh interpreter over those of an empty one."""

    def wall(program: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - start) * 1000

    return {"ms": min(wall(code) for _ in range(5)) - min(wall("pass") for _ in range(5))}


def export_rate(trainer: str, video_format: str, rows: int) -> dict[str, float]:
    """Rows a second, on the clock, of an export, and how memory grows."""
    from dataset_builder import exports
    from dataset_builder.exports.base import export
    from dataset_builder.questions.spec import BuildSpec
    from dataset_builder.storage import build as building
    from dataset_builder.storage.stored_build import Build

    resident: list[float] = []
    with tempfile.TemporaryDirectory() as out:
        spec = BuildSpec("mixed", seed=3, difficulty="easy", video_format=video_format, samples=rows)
        building.build(spec, videos_folder(), f"{out}/rows", engine=LocalEngine(2))
        build = Build.read(f"{out}/rows")
        how = exports.get(trainer)
        how.schema(build)  # so that what it imports is not counted
        start = time.perf_counter()
        export(build, f"{out}/export", how, progress=lambda done, total: resident.append(_resident()))
        wall = time.perf_counter() - start
    return {"wall": wall, "rows": build.rows / wall, "memory": _growth(resident)}


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


def in_process(call: str, rounds: int = 1) -> dict[str, float]:
    """Run one of the functions above in a fresh process; of several rounds, the one that used least."""
    results = []
    for _ in range(rounds):
        program = f"import json; from tests.benchmarks import bench_build as b; print(json.dumps(b.{call}))"
        done = subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True, text=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
    return min(results, key=lambda result: result.get("cpu", result.get("wall", 0)))


def compare_sampling(table: Table, rounds: int) -> None:
    ours = in_process("ours_sampling('exact')", rounds)["cpu"]
    keys = in_process("ours_sampling('keyframe')", rounds)
    codec, decord, linear = (in_process(f"{name}_sampling()", rounds)["cpu"] for name in ("torchcodec", "decord", "linear"))
    table.add("sampling, CPU against torchcodec exact", ours / codec, "≤", 0.75, f"{ours:.2f} s / {codec:.2f} s")
    table.add("sampling, CPU against decord at full size", ours / decord, "≤", 0.55, f"/ {decord:.2f} s")
    detail = f"{keys['cpu']:.2f} s / {linear:.2f} s, {keys['done']} clips"
    table.add("keyframe sampling, CPU against linear decode", keys["cpu"] / linear, "≤", 0.2, detail)


def compare_long_videos(table: Table, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for minutes in (10, 60):
            film = long_film(Path(folder, f"{minutes}.mp4"), minutes * 60)
            exact, snapped = (in_process(f"long_sampling({str(film)!r}, {mode!r}, 48)", rounds) for mode in ("exact", "snap"))
            detail = f"{exact['cpu']:.2f} s / {snapped['cpu']:.2f} s"
            table.add(
                f"{minutes} minutes, 48 frames, snap: CPU of exact against it", exact["cpu"] / snapped["cpu"], "≥", 5, detail
            )
            table.add("… its frames' distance from even times, of their spacing", snapped["shift"], "≤", 0.26)
            many = in_process(f"long_sampling({str(film)!r}, 'exact', 768)")
            table.add(
                f"{minutes} minutes, 768 frames, exact: peak memory", many["mb"], "≤", 400, f"{many['cpu']:.1f} s", unit="MB"
            )


def compare_cold_builds(table: Table, rounds: int) -> dict[str, float]:
    """Returns the original procedure's measurements."""
    original = in_process("original_build()", rounds)
    total = int(original["samples"])  # what a video cannot be asked, another one is
    cases = [
        ("jpeg", "exact", "", total, 2), ("mp4", "exact", "", total, 2),
        ("jpeg", "keyframe", "", total, 8), ("jpeg", "keyframe", "", None, 8),
    ]  # fmt: skip
    if has_shared():
        cases.append(("jpeg", "keyframe", KEYFRAME_RICH, None, 8))
    for video_format, sampling, names, samples, aim in cases:
        call = f"ours_build({video_format!r}, {sampling!r}, '', 1, names={names!r}, samples={samples})"
        ours = in_process(call, rounds)
        other = in_process(f"original_build({names!r})", rounds) if names else original
        got, before = ours["samples"] / ours["cpu"], other["samples"] / other["cpu"]
        which = f"{video_format}, {sampling}{', 5 clips rich in them' if names else ''}{', one of each task' if not samples else ''}"
        detail = f"{got:.1f} / {before:.2f}, {ours['samples']} samples against {other['samples']}"
        table.add(f"cold build, {which}: samples per CPU s against original", got / before, "≥", aim, detail)
    single = in_process("ours_build('jpeg', 'exact', '', 1, 'counting')", rounds)
    table.add("all but decoding, at one JPEG task a video", 100 * (1 - single["decoding"] / single["cpu"]), "≤", 12, unit="%")
    return original


def compare_warm_builds(table: Table, rounds: int, original: dict[str, float]) -> None:
    second = original["samples"] / original["second_stage"]
    with tempfile.TemporaryDirectory() as caches:
        for video_format, aim in (("jpeg", 100), ("mp4", 25)):
            cache = f"{caches}/{video_format}"
            in_process(f"ours_build({video_format!r}, 'exact', {cache!r}, 1)")
            warm = in_process(f"ours_build({video_format!r}, 'exact', {cache!r}, 2)", rounds)
            got = warm["samples"] / warm["cpu"]
            table.add(
                f"warm build, {video_format}", got, "≥", aim, f"{warm['decoding']:.2f} s decoding", unit="samples a CPU s"
            )
            table.add(
                f"warm build, {video_format}: against original's second stage",
                got / second,
                "≥",
                4 if video_format == "jpeg" else 2,
                f"{got:.0f} / {second:.1f}",
            )


def measure_the_rest(table: Table, rounds: int, rows: int) -> None:
    cost = in_process("mp4_cost()", rounds)
    table.add("mp4 rows, three tasks a video, a sample", cost["ms"], "≤", 60, unit="ms CPU")
    table.add(
        "mp4 rows: PSNR against the rendered frames", cost["mean_psnr"], "≥", 36, f"least {cost['least_psnr']:.1f}", unit="dB"
    )
    table.add("`import dataset_builder.tasks`", import_cost("import dataset_builder.tasks")["ms"], "≤", 50, unit="ms")
    call = "import sys; sys.argv=['videossr','--help']; from dataset_builder.cli import main; main()"
    table.add("`videossr --help`", import_cost(call)["ms"], "≤", 300, unit="ms")
    one, two = in_process("parallel(1)", rounds)["wall"], in_process("parallel(2)", rounds)["wall"]
    table.add("two processes against one, wall time", one / two, "≥", 1.8, f"{one:.1f} s / {two:.1f} s")
    one, two = in_process("on_ray(0)"), in_process("on_ray(2)")
    detail = f"{one['wall']:.1f} s / {two['wall']:.1f} s"
    table.add("Ray with two workers against one process, wall time", one["wall"] / two["wall"], "≥", 1.7, detail)
    table.add("memory of Ray's workers, last third of the rows against the second", two["memory"], "≤", 1.1)
    for trainer, video_format in (("verl", "mp4"), ("verl", "jpeg"), ("trl", "jpeg")):
        rate = in_process(f"export_rate({trainer!r}, {video_format!r}, {rows})")
        table.add(f"export of {video_format} rows for {trainer}", rate["rows"], "≥", 500, unit="rows/s")
        table.add(f"… its memory ({trainer}, {video_format}), last third against the second", rate["memory"], "≤", 1.1)
    plan = in_process("plan_cost()")
    table.add("plan of 1 M rows from 100,000 videos", plan["wall"], "≤", 60, f"{plan['mb']:.0f} MB", unit="s")
    cut = in_process(f"cut_memory({rows})")
    table.add(
        "files for the Hub: memory of the last third against the second", cut["memory"], "≤", 1.1, f"{cut['rows']:.0f} rows/s"
    )
    memory = in_process(f"stream_memory({rows})")
    detail = f"{memory['most_mb']:.0f} MB, {memory['rows']} rows, {memory['rows_per_second']:.0f} rows/s"
    table.add("streamed rows: most memory against that at row 500", memory["most_mb"] / memory["mb_at_500"], "≤", 1.1, detail)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4_000, help="of the streamed build, of exports and of files for the Hub")
    args = parser.parse_args()
    table = Table(
        "make bench-build",
        "Sampling and building, CPU only: 48 frames of at most 256 × 256 pixels a clip. Decoding is nearly all of the cost of a first "
        "build; sampled clips are kept, so that another seed, level or task decodes no video.",
    )
    print(f"videos: {'the shared clips' if has_shared() else 'rendered footage'}\n")
    compare_sampling(table, args.rounds)
    compare_long_videos(table, args.rounds)
    original = compare_cold_builds(table, args.rounds)
    compare_warm_builds(table, args.rounds, original)
    measure_the_rest(table, args.rounds, args.rows)
    table.save()


if __name__ == "__main__":
    main()
