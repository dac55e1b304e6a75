"""Bedrock and SageMaker reinforcement fine-tuning: lists of samples, over HTTP at `/aws` or as a Lambda function.

The Lambda's handler is `reward_service.protocols.aws.lambda_handler`; it needs msgspec alone.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from ..items import Fault, Item, Scored
from ..scoring import score_item
from .base import Call, Protocol
from .reading import to_item


class Sample(Struct):
    messages: Annotated[list[Any], Meta(min_length=1)]
    id: str | int | None = None
    reference_answer: Any = None
    metadata: Any = None


class Metric(Struct):
    name: str
    value: float
    type: str = "Metric"


class Reward(Struct):
    id: str | int | None
    aggregate_reward_score: float
    metrics_list: list[Metric]


def _read(request: list[Sample], call: Call) -> list[Item | Fault]:
    return [to_item(sample.messages, sample.reference_answer, call, sample.metadata) for sample in request]


def _write(request: list[Sample], results: list[Scored], call: Call) -> list[Reward]:
    return [
        Reward(sample.id, result.score, [Metric(key, getattr(result, key)) for key in ("exact", "above_chance")])
        for sample, result in zip(request, results, strict=True)
    ]


PROTOCOL = Protocol(
    name="aws",
    summary="Bedrock and SageMaker RFT reward list",
    path="/aws",
    request=list[Sample],
    reply=list[Reward],
    read=_read,
    write=_write,
    example=[
        {
            "id": "1",
            "messages": [{"role": "assistant", "content": "<answer>3,1,5</answer>"}],
            "reference_answer": {"task": "counting", "ground_truth": "3,1,4"},
        }
    ],
)


def lambda_handler(event: Any, context: Any) -> list[dict[str, Any]]:
    """Score a Lambda event: a list of samples.

    Raises:
        ValueError: naming the samples that could not be scored; the invocation then fails, and no sample gets a false 0.
    """
    import msgspec

    samples = msgspec.convert(event, list[Sample])
    results = [item if isinstance(item, Fault) else score_item(item) for item in _read(samples, Call())]
    faults = [f"sample {s.id}: {r.error.message}" for s, r in zip(samples, results, strict=True) if isinstance(r, Fault)]
    if faults:
        raise ValueError("; ".join(faults))
    scored = [result for result in results if isinstance(result, Scored)]
    replies: list[dict[str, Any]] = msgspec.to_builtins(_write(samples, scored, Call()))
    return replies
