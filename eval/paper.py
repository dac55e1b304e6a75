"""The values that the paper reports on VIUBench (arXiv 2511.06281), in percent."""

from __future__ import annotations

COLUMNS = (
    "counting_easy", "counting_hard", "grounding_channel_swap", "grounding_rotate_180", "grounding_zoom_out", "grounding_mirror",
    "grounding_shuffle", "jigsaw_easy", "jigsaw_hard",
)  # fmt: skip

VIUBENCH: dict[str, tuple[float, ...]] = {
    "Random": (11.1, 6.3, 25.9, 25.4, 25.4, 25.2, 25.2, 0.1, 0.0, 16.1),
    "GPT-5": (88.4, 70.3, 82.6, 81.8, 56.5, 48.9, 34.1, 39.0, 27.0, 58.7),
    "Gemini 2.5 Pro": (80.8, 61.3, 84.6, 82.3, 51.0, 55.7, 52.1, 25.3, 17.7, 56.7),
    "Gemini 2.5 Flash": (35.7, 22.4, 75.8, 73.7, 28.5, 30.2, 28.6, 8.3, 4.0, 34.1),
    "Seed1.5-VL": (72.3, 52.0, 79.0, 70.7, 19.4, 31.4, 24.1, 20.7, 9.3, 42.2),
    "Qwen2.5-VL-7B": (11.3, 5.3, 6.4, 13.7, 8.1, 5.2, 7.0, 0.7, 0.0, 6.4),
    "Visual Jigsaw 7B": (12.1, 5.4, 1.5, 4.5, 1.2, 1.1, 2.0, 20.3, 5.0, 5.9),
    "Qwen3-VL-8B": (13.8, 7.7, 50.1, 53.4, 21.4, 13.6, 14.1, 1.3, 0.0, 19.5),
    "Qwen3-VL-32B": (20.1, 13.0, 66.1, 63.0, 17.6, 29.4, 18.9, 1.3, 0.0, 25.5),
    "Qwen3-VL-235B": (23.8, 14.8, 68.9, 67.8, 32.9, 28.3, 26.8, 7.7, 3.3, 30.5),
    "GLM-4.5V": (59.1, 45.4, 66.4, 61.0, 21.2, 29.8, 15.3, 11.0, 3.3, 34.7),
    "InternVL3.5-8B": (15.2, 9.6, 25.9, 42.4, 6.1, 9.8, 3.1, 0.0, 0.0, 12.5),
    "InternVL3.5-38B": (28.0, 15.9, 47.0, 54.5, 9.6, 18.2, 12.4, 0.0, 0.0, 20.6),
    "VideoSSR-8B": (29.0, 24.6, 88.7, 89.0, 94.4, 67.8, 41.0, 24.3, 8.0, 51.9),
}
"""By model: the nine columns in the order of `COLUMNS`, then their mean (the paper's Overall)."""
