"""Items for `/v1/score`, of whatever types a trainer holds."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

EXTRA = ("chance", "level", "level_name", "blind_answer")  # what the service reads of a row's extra_info


def item(
    data_source: str,
    response: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    group: Any = None,
    id: Any = None,
) -> dict[str, Any]:
    """An item for the client; numpy scalars become plain ones. Of `extra_info` only that goes along which the service reads.

    Raises:
        ValueError: if the response is no text, or there is no ground truth: as text, they would be scored as a wrong answer.
    """
    if not isinstance(response, str):
        raise ValueError(f"response={response!r:.100} is no text; send what the model generated")
    truth = _plain(ground_truth)
    if truth is None:
        raise ValueError(f"ground_truth={ground_truth!r} is none; send it as the row has it")
    extra = {key: _plain(extra_info[key]) for key in EXTRA if extra_info and extra_info.get(key) is not None}
    return {
        "data_source": str(data_source),
        "response": str(response),
        "ground_truth": str(truth),
        **({"extra_info": extra} if extra else {}),
        **({} if group is None else {"group": str(_plain(group))}),
        **({} if id is None else {"id": str(_plain(id))}),
    }


def _plain(value: Any) -> Any:
    """A numpy scalar's value; NaN, which JSON has not, as None."""
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    return None if isinstance(value, float) and isnan(value) else value
