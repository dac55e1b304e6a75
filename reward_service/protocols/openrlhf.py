"""OpenRLHF 0.11: `--reward.remote_url http://host:8000/openrlhf/counting`.

The query is prompt and response together, special tokens included. A video has more padding tokens in the query than in the
prompt, so the query may not start with the prompt. The response then starts after the last characters of the prompt.
"""

from typing import Any

from msgspec import Struct

from ..completion import NoResponse
from ..scoring.items import Fault, Item, Scored, make_fault
from .base import Call, Protocol
from .rows import continue_thought, to_item

TAIL_CHARS = 48  # last characters of a prompt: the start of the assistant turn, and the end of the question


class Request(Struct):
    query: list[str] = []
    prompts: list[str] = []
    labels: list[Any] = []


def extract_response(query: str, prompt: str) -> str:
    """The model's response in a query.

    Raises NoResponse if the prompt is not in the query: an example answer in the prompt might else be scored.
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    tail = prompt[-TAIL_CHARS:]
    start = -1
    for _ in range(prompt.count(tail)):  # the prompt may contain its tail several times; a response that repeats it comes later
        start = query.find(tail, start + 1)
        if start < 0:
            raise NoResponse(f"the prompt, which ends in {tail!r}, is not in the query; send both as the model saw them")
    return query[start + len(tail) :]


def _read(request: Request, call: Call) -> list[Item | Fault]:
    if not len(request.prompts) == len(request.query) == len(request.labels):
        sizes = f"{len(request.query)} queries, {len(request.prompts)} prompts, {len(request.labels)} labels"
        return [make_fault("invalid_item", f"{sizes}; send one query, prompt and label for each rollout")]
    items: list[Item | Fault] = []
    for query, prompt, label in zip(request.query, request.prompts, request.labels, strict=True):
        try:
            items.append(to_item(continue_thought(prompt, extract_response(query, prompt)), label, call))
        except NoResponse as error:
            items.append(make_fault("invalid_item", str(error)))
    return items


def _write(request: Request, results: list[Scored], call: Call) -> dict[str, Any]:
    rewards = [result.reward for result in results]
    extra_logs = {key: [getattr(result, key) for result in results] for key in ("exact", "above_chance")}
    extra_logs["unparseable"] = [float(not result.parsed) for result in results]
    return {"rewards": rewards, "scores": rewards, "extra_logs": extra_logs}


PROTOCOL = Protocol(
    name="openrlhf",
    summary="OpenRLHF remote reward",
    path="/openrlhf",
    aliases=("/get_reward",),
    request=Request,
    read=_read,
    write=_write,
    example={
        "query": ["How many?<answer>3,1,5</answer>"],
        "prompts": ["How many?"],
        "labels": ['{"task": "counting", "ground_truth": "3,1,4"}'],
    },
)
