"""Items and results, as every wire format uses them."""

from typing import Annotated, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

Mode = Literal["smooth", "strict", "above_chance"]
MODES: tuple[Mode, ...] = get_args(Mode)
FaultType = Literal["invalid_item", "unknown_task", "task_conflict", "bad_truth", "internal"]


class ExtraInfo(Struct, frozen=True, gc=False):
    """The keys of a row's `extra_info` that scoring and statistics read. Other keys are ignored."""

    chance: Annotated[float, Meta(ge=0, le=1, description="the row's blind baseline, for above_chance")] | None = None
    level: Annotated[float | str, Meta(description="difficulty, for statistics")] | None = None
    level_name: str | None = None
    blind_answer: Annotated[str, Meta(description="the best constant answer, for the reward-hacking monitor")] | None = None


class Item(Struct, kw_only=True, frozen=True, gc=False):
    """One rollout to score. `task` or `data_source` names the task."""

    response: Annotated[str, Meta(description="the model's whole response", examples=["<answer>3,1,5</answer>"])]
    ground_truth: Annotated[str, Meta(description="as stored in the row", examples=["3,1,4"])]
    task: Annotated[str, Meta(examples=["counting"])] | None = None
    data_source: Annotated[str, Meta(description="a row's, as `videossr/counting`")] | None = None
    extra_info: ExtraInfo | None = None
    group: Annotated[str | int, Meta(description="the same for all rollouts of one prompt in one step: feeds the statistics")] | None = None  # fmt: skip
    id: Annotated[str | int, Meta(description="names the rollout; returned in the result; a repeated id counts once in the statistics")] | None = None  # fmt: skip


class Scored(Struct, kw_only=True, gc=False):
    """The score of one item. The keys are the same for every task."""

    reward: Annotated[float, Meta(description="the score that the mode selects")]
    score: Annotated[float, Meta(description="smooth score in [0, 1]")]
    exact: Annotated[float, Meta(description="strict score in [0, 1]")]
    above_chance: Annotated[float, Meta(description="smooth score rescaled: blind baseline 0, perfect answer 1")]
    parsed: Annotated[str, Meta(description="the answer that was parsed; empty if there is none")]
    reason: str
    task: str
    id: str | int | UnsetType = UNSET


class Error(Struct, frozen=True):
    """What is wrong, and what to send instead."""

    type: str
    message: str


class Fault(Struct, kw_only=True):
    """An item that could not be scored. It has no score, and must not be counted as 0."""

    error: Error
    id: str | int | UnsetType = UNSET


Result = Scored | Fault


def make_fault(kind: FaultType, message: str, item: Item | None = None) -> Fault:
    """Build a Fault with the item's id."""
    return Fault(error=Error(kind, message), id=UNSET if item is None or item.id is None else item.id)
