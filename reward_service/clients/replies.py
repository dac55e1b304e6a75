"""Reads replies: results or errors. Only what a reward service wrote is a verdict; any other page is a server's failure."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import httpx


class RewardError(RuntimeError):
    """An item has no score."""


class RewardRefused(RewardError):
    """The service refused the item or the request. A retry would not help."""


class TooLarge(RewardRefused):
    """The request is too large. A request with fewer items may be accepted."""


class RewardUnavailable(RewardError):
    """No server returned a score in time. A later call may succeed."""


Outcome = dict[str, Any] | RewardError


def read_reply(response: httpx.Response, count: int) -> list[Outcome]:
    """The outcomes of the `count` items of a request. Raises RewardRefused for all of them, else httpx.HTTPStatusError."""
    status = response.status_code
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError):
        content = None
    body = content if isinstance(content, dict) else {}
    # a refusal lists its errors; if every item was refused, there is one for each
    listed = body.get("results" if status == 200 else "errors")
    if isinstance(listed, list) and len(listed) == count:
        outcomes = [outcome for outcome in map(_read_result, listed) if outcome is not None]
        if len(outcomes) == count:
            return outcomes
    is_ours = status != 200 and "errors" in body and isinstance(body.get("error"), dict)
    text = f"{_read_result(body)}" if is_ours else response.text[:200]
    if status == 413 and (is_ours or count > 1):
        raise TooLarge(f"HTTP 413: {text}")
    if is_ours and status < 500 and status not in (408, 429):  # else a later attempt may succeed
        raise RewardRefused(f"{response.url}: HTTP {status}: {text}")
    location = f" to {response.headers['location']}" if "location" in response.headers else ""
    source = "" if is_ours else ", not from a reward service"
    raise httpx.HTTPStatusError(f"HTTP {status}{location}{source}: {text}", request=response.request, response=response)


def _read_result(result: Any) -> Outcome | None:
    """A result with a reward, or an error; None if it is neither."""
    if not isinstance(result, dict):
        return None
    error = result.get("error", result if "type" in result and "message" in result else None)
    if isinstance(error, dict):
        kind = RewardUnavailable if error.get("type") == "internal" else RewardRefused
        return kind(f"{error.get('type')}: {error.get('message')}")
    reward = result.get("reward", result.get("score"))
    is_number = isinstance(reward, (int, float)) and not isinstance(reward, bool) and isfinite(reward)
    return {**result, "reward": reward} if is_number else None


def retry_after(error: Exception) -> float:
    """The seconds that the server asks to wait, as a number or a date; 0 if it does not ask."""
    value = error.response.headers.get("retry-after", "") if isinstance(error, httpx.HTTPStatusError) else ""
    try:
        seconds = float(value) if value.isdecimal() else (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, seconds)
