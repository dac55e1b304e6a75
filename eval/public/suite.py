"""Public benchmarks: how they are run here, what the paper reports (arXiv 2511.06281), and which of our tasks train the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

FRAMES = (32, 48, 64)


@dataclass(frozen=True)
class LmmsTask:
    """A task of lmms-eval.

    Attributes:
        name: of the task, or of a group of tasks, which has no score itself.
        metric: the metric to report.
        scale: factor from the metric to percent.
        dataset: its name on the Hub, for error messages.
        prefix: of the names of a group's tasks, whose mean is the score; "" for a single task.
        index: of the element to report, if the metric is a list.
    """

    name: str
    metric: str
    scale: float
    dataset: str
    prefix: str = ""
    index: int | None = None

    def score(self, results: Mapping[str, Mapping[str, Any]]) -> float | None:
        """The score in percent, from the `results` of a results.json; None if they do not contain it."""
        key = f"{self.metric},none"
        tasks = [
            values for name, values in results.items() if name == self.name or (self.prefix and name.startswith(self.prefix))
        ]
        values = [task[key] for task in tasks if key in task]
        numbers = [value[self.index] if isinstance(value, list) and self.index is not None else value for value in values]
        return self.scale * fmean(numbers) if numbers else None


@dataclass(frozen=True)
class Converted:
    """A benchmark that `python -m eval convert` turns into questions: the format of its annotation file, and `vqa` or `vtg`."""

    format: str
    kind: str


@dataclass(frozen=True)
class PublicBenchmark:
    """One row of the table.

    Attributes:
        runner: what runs it.
        paper: scores of (Qwen3-VL-8B, VideoSSR-8B) in percent at each of `FRAMES`; empty if the paper reports none.
        note: a remark for the table.
        trains: our tasks that ask for the same.
    """

    name: str
    runner: LmmsTask | Converted
    paper: tuple[tuple[float, float], ...] = ()
    note: str = ""
    trains: str = ""


PAPER: tuple[PublicBenchmark, ...] = (
    PublicBenchmark("MVBench", LmmsTask("mvbench", "mvbench_accuracy", 1, "OpenGVLab/MVBench", "mvbench_"),
                    ((66.9, 68.6), (67.6, 68.8), (67.8, 68.9))),
    PublicBenchmark("TempCompass", LmmsTask("tempcompass", "avg_accuracy", 1, "lmms-eval/TempCompass", "tempcompass_"),
                    ((74.9, 75.7), (74.8, 75.8), (74.8, 75.7)), "needs a judge model: OPENAI_API_URL, gpt-3.5-turbo-1106"),
    PublicBenchmark("AoTBench", Converted("aotbench", "vqa"), ((59.8, 60.5), (60.2, 61.7), (60.7, 61.8))),
    PublicBenchmark("VinoGround", LmmsTask("vinoground", "vinoground_score", 1, "HanSolo9682/Vinoground", index=0),
                    ((45.2, 55.6), (45.0, 55.6), (45.0, 55.6)), "its text score"),
    PublicBenchmark("Video-MME", LmmsTask("videomme", "videomme_perception_score", 1, "lmms-eval/Video-MME"),
                    ((64.1, 65.2), (66.0, 66.7), (66.4, 67.6)), "without subtitles"),
    PublicBenchmark("LVBench", LmmsTask("lvbench", "lvbench_score", 100, "lmms-eval/LVBench"), ((39.6, 41.5), (41.5, 42.9), (43.0, 44.0))),
    PublicBenchmark("LongVideoBench", LmmsTask("longvideobench_val_v", "lvb_acc", 100, "longvideobench/LongVideoBench"),
                    ((58.6, 59.6), (60.0, 61.1), (61.3, 61.5)), "its task needs decord"),
    PublicBenchmark("CGBench", LmmsTask("cgbench", "cgbench_accuracy", 1, "CG-Bench/CG-Bench"),
                    ((40.1, 40.2), (41.7, 42.5), (42.6, 43.4)), "gated on the Hub"),
    PublicBenchmark("QVHighlights", Converted("qvhighlights", "vtg"), ((43.7, 59.6), (46.4, 61.1), (48.6, 62.6))),
    PublicBenchmark("ActivityNet", Converted("activitynet", "vtg"), ((36.5, 42.1), (38.4, 43.0), (39.8, 43.7))),
    PublicBenchmark("Charades-STA", LmmsTask("temporal_grounding_charades", "charades_sta_mIOU", 1, "lmms-eval/charades_sta"),
                    ((50.3, 52.1), (50.0, 51.1), (49.2, 49.9))),
    PublicBenchmark("TACoS", Converted("tacos", "vtg"), ((22.4, 23.1), (25.9, 27.7), (28.1, 30.6))),
    PublicBenchmark("VideoMMMU", LmmsTask("video_mmmu", "mmmu_acc", 100, "lmms-eval/VideoMMMU", "video_mmmu_"),
                    ((58.2, 59.9), (58.5, 60.0), (58.8, 60.9))),
    PublicBenchmark("Video-TT", LmmsTask("videott_single_mc", "videott_perception_score", 1, "lmms-eval/video-tt"),
                    ((41.8, 44.2), (43.0, 44.9), (44.0, 45.8))),
    PublicBenchmark("VCRBench", LmmsTask("vcrbench", "vcrbench_accuracy", 1, "pritamqu/VCRBench"), ((7.4, 10.7), (7.4, 15.3), (8.8, 17.8)),
                    trains="jigsaw"),
    PublicBenchmark("CVBench", Converted("cvbench", "vqa"), ((61.8, 63.5), (61.5, 63.8), (61.6, 63.3)), "several videos; not lmms-eval's cv_bench"),
)  # fmt: skip

TIME: tuple[PublicBenchmark, ...] = (
    PublicBenchmark("TOMATO", LmmsTask("tomato", "tomato_score", 100, "lmms-eval/TOMATO"), trains="motion, loops, tally"),
    PublicBenchmark("MotionBench", LmmsTask("motionbench", "motionbench_acc", 100, "zai-org/MotionBench", "motionbench_"),
                    trains="motion, camera, loops"),
    PublicBenchmark("TVBench", LmmsTask("tvbench", "tvbench_acc", 100, "FunAILab/TVBench", "tvbench_"), trains="jigsaw, shells, motion, tally"),
    PublicBenchmark("TemporalBench", LmmsTask("temporalbench_short_qa", "temporalbench_score", 1, "microsoft/TemporalBench", index=0),
                    note="binary accuracy on short videos", trains="compare, changes, loops"),
    PublicBenchmark("RepCount", LmmsTask("repcount", "obo", 100, "lmms-lab-eval/repcount"), note="counts off by one at most", trains="loops, tally"),
    PublicBenchmark("CameraBench", LmmsTask("camerabench_vqa", "cambench_ACC", 100, "chancharikm/camerabench_vqa_lmms_eval"), trains="camera"),
    PublicBenchmark("TimeLens", LmmsTask("timelens", "timelens_mIOU", 1, "kcz358/timelens", "timelens_"), note="mIoU", trains="grounding, moment, cuts"),
    PublicBenchmark("LongTimeScope", LmmsTask("longtimescope", "timescope_perception_score", 1, "Apollo-LMMs/LongTimeScope2"),
                    note="videos of hours: frames are sparse", trains="moment, cloze"),
)  # fmt: skip

SUITES = {"paper": PAPER, "time": TIME}
