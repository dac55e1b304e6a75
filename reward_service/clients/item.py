"""Builds items for `/v1/score` from a trainer's values, which may be numpy scalars."""

from collections.abc import Mapping
from math import isnan
from typing import Any

EXTRA = ("chance", "level", "level_name", "blind_answer")  # the keys of a row's extra_info that the service reads


def item(
    data_source: str,
    response: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    group: Any = None,
    id: Any = None,
) -> dict[str, Any]:
    """Build one item for the client. Numpy scalars become Python values; only the EXTRA keys of `extra_info` are sent.

    `group` is the same for all rollouts of one prompt in one step; `id` names the rollout.

    Raises:
        ValueError: if the response is not a string or the ground truth is missing, so that neither is scored as a wrong answer.
    """
    if not isinstance(response, str):
        raise ValueError(f"response={response!r:.100} is not a string; send the text that the model generated")
    truth = _to_python(ground_truth)
    if truth is None:
        raise ValueError(f"ground_truth={ground_truth!r} is missing; send the row's value")
    extra = {key: _to_python(extra_info[key]) for key in EXTRA if extra_info and extra_info.get(key) is not None}
    return {
        "data_source": str(data_source),
        "response": str(response),
        "ground_truth": str(truth),
        **({"extra_info": extra} if extra else {}),
        **({} if group is None else {"group": str(_to_python(group))}),
        **({} if id is None else {"id": str(_to_python(id))}),
    }


def _to_python(value: Any) -> Any:
    """Convert a numpy scalar to a Python value, and NaN, which JSON cannot hold, to None."""
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    return None if isinstance(value, float) and isnan(value) else value
