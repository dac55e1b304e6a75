"""How questions are put and answers read: ours, and the one of the paper's released scripts, by `--protocol`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """Settings that belong together.

    Attributes:
        name: in tables; `Sample.info` and a benchmark's facts hold it.
        prompts: by kind of benchmark, with `{question}` in them.
        systems: system prompts by kind of benchmark.
        max_tokens: of a response.
        frames: of a video in `vqa` and `vtg`; the most, if there is a rate.
        rate: frames per second; None spreads `frames` over the whole video.
        min_pixels: smaller frames are enlarged.
        parsed_alone: whether responses that cannot be parsed are left out of the value.
    """

    name: str
    prompts: Mapping[str, str]
    systems: Mapping[str, str]
    max_tokens: int
    frames: int
    rate: float | None
    min_pixels: int
    parsed_alone: bool


OURS = Protocol(
    "ours",
    {
        "vqa": "{question}\nAnswer with the letter of the right option, inside <answer></answer>.",
        "vtg": "When does this happen in the video: {question}\n"
        "Answer with its start and end in seconds, for example <answer>12.3-45.6</answer>.",
    },
    systems={}, max_tokens=2048, frames=48, rate=None, min_pixels=0, parsed_alone=False,
)  # fmt: skip
PAPER = Protocol(
    "paper",
    {
        "vqa": "{question}\nReply with nothing but the letter of the correct option.",
        "vtg": "Find the part of the video that shows the event '{question}', and give the times at which it starts and ends. "
        "Reply in this form: The event '{question}' happens in the <start time> - <end time> seconds.",
    },
    systems={"generated": "Based on this video, provide the answer directly."},
    max_tokens=128, frames=32, rate=2.0, min_pixels=128 * 128, parsed_alone=True,
)  # fmt: skip
PROTOCOLS = {protocol.name: protocol for protocol in (OURS, PAPER)}
