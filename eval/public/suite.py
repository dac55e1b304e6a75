"""The paper's sixteen public benchmarks: how they are run here, and what the paper reports (arXiv 2511.06281)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

FRAMES = (32, 48, 64)


@dataclass(frozen=True)
class LmmsTask:
    """A task of lmms-eval 0.7.3.

    Attributes:
        name: of the task, or of a group of tasks, which has no score itself.
        metric: the metric to report.
        scale: factor from the metric to percent.
        dataset: its name on the Hub, for error messages.
        subtask_prefix: of the names of a group's tasks, whose mean is the score; "" for a single task.
        index: of the element to report, if the metric is a list.
    """

    name: str
    metric: str
    scale: float
    dataset: str
    subtask_prefix: str = ""
    index: int | None = None

    def score(self, results: Mapping[str, Mapping[str, Any]]) -> float | None:
        """The score in percent, from the `results` of a results.json; None if they do not contain it."""
        prefix, key = self.subtask_prefix, f"{self.metric},none"
        tasks = [values for name, values in results.items() if name == self.name or (prefix and name.startswith(prefix))]
        values = [task[key] for task in tasks if key in task]
        numbers = [value[self.index] if isinstance(value, list) and self.index is not None else value for value in values]
        return self.scale * fmean(numbers) if numbers else None


@dataclass(frozen=True)
class Converted:
    """A benchmark that `python -m eval convert` turns into questions.

    Attributes:
        format: of its annotation file, a key of `convert.FORMATS`.
        kind: `vqa` or `vtg`.
    """

    format: str
    kind: str


@dataclass(frozen=True)
class PublicBenchmark:
    """One row of the paper's table.

    Attributes:
        runner: what runs it.
        paper: scores of (Qwen3-VL-8B, VideoSSR-8B) in percent, by number of frames.
        note: a remark for the table.
    """

    name: str
    runner: LmmsTask | Converted
    paper: Mapping[int, tuple[float, float]]
    note: str = ""


def _scores(*pairs: tuple[float, float]) -> dict[int, tuple[float, float]]:
    return dict(zip(FRAMES, pairs, strict=True))


PAPER: tuple[PublicBenchmark, ...] = (
    PublicBenchmark("MVBench", LmmsTask("mvbench", "mvbench_accuracy", 1, "OpenGVLab/MVBench", "mvbench_"),
                    _scores((66.9, 68.6), (67.6, 68.8), (67.8, 68.9))),
    PublicBenchmark("TempCompass", LmmsTask("tempcompass", "avg_accuracy", 1, "lmms-eval/TempCompass", "tempcompass_"),
                    _scores((74.9, 75.7), (74.8, 75.8), (74.8, 75.7)), "needs a judge model: OPENAI_API_URL, gpt-3.5-turbo-1106"),
    PublicBenchmark("AoTBench", Converted("aotbench", "vqa"), _scores((59.8, 60.5), (60.2, 61.7), (60.7, 61.8))),
    PublicBenchmark("VinoGround", LmmsTask("vinoground", "vinoground_score", 1, "HanSolo9682/Vinoground", index=0),
                    _scores((45.2, 55.6), (45.0, 55.6), (45.0, 55.6)), "its text score"),
    PublicBenchmark("Video-MME", LmmsTask("videomme", "videomme_perception_score", 1, "lmms-eval/Video-MME"),
                    _scores((64.1, 65.2), (66.0, 66.7), (66.4, 67.6)), "without subtitles"),
    PublicBenchmark("LVBench", LmmsTask("lvbench", "lvbench_score", 100, "lmms-eval/LVBench"), _scores((39.6, 41.5), (41.5, 42.9), (43.0, 44.0))),
    PublicBenchmark("LongVideoBench", LmmsTask("longvideobench_val_v", "lvb_acc", 100, "longvideobench/LongVideoBench"),
                    _scores((58.6, 59.6), (60.0, 61.1), (61.3, 61.5)), "its task needs decord"),
    PublicBenchmark("CGBench", LmmsTask("cgbench", "cgbench_accuracy", 1, "CG-Bench/CG-Bench"),
                    _scores((40.1, 40.2), (41.7, 42.5), (42.6, 43.4)), "gated on the Hub"),
    PublicBenchmark("QVHighlights", Converted("qvhighlights", "vtg"), _scores((43.7, 59.6), (46.4, 61.1), (48.6, 62.6))),
    PublicBenchmark("ActivityNet", Converted("activitynet", "vtg"), _scores((36.5, 42.1), (38.4, 43.0), (39.8, 43.7))),
    PublicBenchmark("Charades-STA", LmmsTask("temporal_grounding_charades", "charades_sta_mIOU", 1, "lmms-eval/charades_sta"),
                    _scores((50.3, 52.1), (50.0, 51.1), (49.2, 49.9))),
    PublicBenchmark("TACoS", Converted("tacos", "vtg"), _scores((22.4, 23.1), (25.9, 27.7), (28.1, 30.6))),
    PublicBenchmark("VideoMMMU", LmmsTask("video_mmmu", "mmmu_acc", 100, "lmms-eval/VideoMMMU", "video_mmmu_"),
                    _scores((58.2, 59.9), (58.5, 60.0), (58.8, 60.9))),
    PublicBenchmark("Video-TT", LmmsTask("videott_single_mc", "videott_perception_score", 1, "lmms-eval/video-tt"),
                    _scores((41.8, 44.2), (43.0, 44.9), (44.0, 45.8))),
    PublicBenchmark("VCRBench", LmmsTask("vcrbench", "vcrbench_accuracy", 1, "pritamqu/VCRBench"), _scores((7.4, 10.7), (7.4, 15.3), (8.8, 17.8))),
    PublicBenchmark("CVBench", Converted("cvbench", "vqa"), _scores((61.8, 63.5), (61.5, 63.8), (61.6, 63.3)),
                    "several videos; not lmms-eval's cv_bench"),
)  # fmt: skip

SUITES = {"paper": PAPER}
