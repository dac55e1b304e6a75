"""The paper's sixteen other benchmarks: who runs them, and what the paper reports (arXiv 2511.06281)."""

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
        name: of the task, or of a group, which has no score of its own.
        metric: its main one.
        scale: what makes percent of it.
        dataset: on the Hub, for what is said where it is missing.
        parts: the group's tasks begin with this, and their mean is the score; "" for a single task.
        at: which element, where the metric is a list.
    """

    name: str
    metric: str
    scale: float
    dataset: str
    parts: str = ""
    at: int | None = None

    def score(self, results: Mapping[str, Mapping[str, Any]]) -> float | None:
        """Percent, from the `results` of a results.json; None where they hold none of it."""
        own = [found for name, found in results.items() if name == self.name or (self.parts and name.startswith(self.parts))]
        values = [found[key] for found in own if (key := f"{self.metric},none") in found]
        numbers = [value[self.at] if isinstance(value, list) and self.at is not None else value for value in values]
        return self.scale * fmean(numbers) if numbers else None


@dataclass(frozen=True)
class Converted:
    """A benchmark whose annotation files `python -m eval convert` reads.

    Attributes:
        format: the converter's name.
        kind: `vqa` or `vtg`.
        form: of the videos, where a server's own form for them will not do.
    """

    format: str
    kind: str
    form: str | None = None


@dataclass(frozen=True)
class PublicBenchmark:
    """One row of the paper's table.

    Attributes:
        paper: Qwen3-VL-8B and VideoSSR-8B, in percent, by frames.
        note: what to know of it.
    """

    name: str
    by: LmmsTask | Converted
    paper: Mapping[int, tuple[float, float]]
    note: str = ""


def _at(*pairs: tuple[float, float]) -> dict[int, tuple[float, float]]:
    return dict(zip(FRAMES, pairs, strict=True))


PAPER: tuple[PublicBenchmark, ...] = (
    PublicBenchmark("MVBench", LmmsTask("mvbench", "mvbench_accuracy", 1, "OpenGVLab/MVBench", "mvbench_"),
                    _at((66.9, 68.6), (67.6, 68.8), (67.8, 68.9))),
    PublicBenchmark("TempCompass", LmmsTask("tempcompass", "avg_accuracy", 1, "lmms-eval/TempCompass", "tempcompass_"),
                    _at((74.9, 75.7), (74.8, 75.8), (74.8, 75.7)), "asks a judge: OPENAI_API_URL, gpt-3.5-turbo-1106"),
    PublicBenchmark("AoTBench", Converted("aotbench", "vqa"), _at((59.8, 60.5), (60.2, 61.7), (60.7, 61.8))),
    PublicBenchmark("VinoGround", LmmsTask("vinoground", "vinoground_score", 1, "HanSolo9682/Vinoground", at=0),
                    _at((45.2, 55.6), (45.0, 55.6), (45.0, 55.6)), "its text score"),
    PublicBenchmark("Video-MME", LmmsTask("videomme", "videomme_perception_score", 1, "lmms-eval/Video-MME"),
                    _at((64.1, 65.2), (66.0, 66.7), (66.4, 67.6)), "without subtitles"),
    PublicBenchmark("LVBench", LmmsTask("lvbench", "lvbench_score", 100, "lmms-eval/LVBench"), _at((39.6, 41.5), (41.5, 42.9), (43.0, 44.0))),
    PublicBenchmark("LongVideoBench", LmmsTask("longvideobench_val_v", "lvb_acc", 100, "longvideobench/LongVideoBench"),
                    _at((58.6, 59.6), (60.0, 61.1), (61.3, 61.5)), "its task needs decord"),
    PublicBenchmark("CGBench", LmmsTask("cgbench", "cgbench_accuracy", 1, "CG-Bench/CG-Bench"),
                    _at((40.1, 40.2), (41.7, 42.5), (42.6, 43.4)), "gated on the Hub"),
    PublicBenchmark("QVHighlights", Converted("qvhighlights", "vtg"), _at((43.7, 59.6), (46.4, 61.1), (48.6, 62.6))),
    PublicBenchmark("ActivityNet", Converted("activitynet", "vtg"), _at((36.5, 42.1), (38.4, 43.0), (39.8, 43.7))),
    PublicBenchmark("Charades-STA", LmmsTask("temporal_grounding_charades", "charades_sta_mIOU", 1, "lmms-eval/charades_sta"),
                    _at((50.3, 52.1), (50.0, 51.1), (49.2, 49.9))),
    PublicBenchmark("TACoS", Converted("tacos", "vtg"), _at((22.4, 23.1), (25.9, 27.7), (28.1, 30.6))),
    PublicBenchmark("VideoMMMU", LmmsTask("video_mmmu", "mmmu_acc", 100, "lmms-eval/VideoMMMU", "video_mmmu_"),
                    _at((58.2, 59.9), (58.5, 60.0), (58.8, 60.9))),
    PublicBenchmark("Video-TT", LmmsTask("videott_single_mc", "videott_perception_score", 1, "lmms-eval/video-tt"),
                    _at((41.8, 44.2), (43.0, 44.9), (44.0, 45.8))),
    PublicBenchmark("VCRBench", LmmsTask("vcrbench", "vcrbench_accuracy", 1, "pritamqu/VCRBench"), _at((7.4, 10.7), (7.4, 15.3), (8.8, 17.8))),
    PublicBenchmark("CVBench", Converted("cvbench", "vqa", "images"), _at((61.8, 63.5), (61.5, 63.8), (61.6, 63.3)),
                    "several videos, so frames as images; lmms-eval's cv_bench is another"),
)  # fmt: skip

SUITES = {"paper": PAPER}
