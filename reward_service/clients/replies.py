"""Reads replies. Only what a reward service wrote is a verdict; any other page is the failure of the server behind the URL."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import httpx

from .errors import RewardError, RewardRefused, RewardUnavailable

RETRY_STATUSES = (408, 429)  # and every status from 500 up
Outcome = dict[str, Any] | RewardError


class TooLarge(RewardRefused):
    """The request is too large. A request with fewer items may be accepted."""


class ServerFailure(Exception):
    """The server did not answer as a reward service that works.

    Attributes:
        retry_after: seconds that the server asks to wait.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def read_reply(response: httpx.Response, count: int) -> list[Outcome]:
    """The outcomes of the `count` items of a request.

    Raises:
        RewardRefused: if the service refuses the whole request, TooLarge for its size.
        ServerFailure: for any other reply.
    """
    status = response.status_code
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    body = body if isinstance(body, dict) else {}
    # a refusal lists its errors; if every item was refused, there is one for each
    listed = body.get("results" if status == 200 else "errors")
    outcomes = [_read_result(one) for one in listed] if isinstance(listed, list) and len(listed) == count else []
    if outcomes and None not in outcomes:
        return [outcome for outcome in outcomes if outcome is not None]
    error = body.get("error")
    is_ours = "errors" in body and isinstance(error, dict) and status != 200
    text = f"{error.get('type')}: {error.get('message')}" if is_ours and isinstance(error, dict) else response.text[:200]
    if status == 413 and (is_ours or count > 1):
        raise TooLarge(f"HTTP 413: {text}")
    if is_ours and status < 500 and status not in RETRY_STATUSES:
        raise RewardRefused(f"{response.url}: HTTP {status}: {text}")
    location = f" to {response.headers['location']}" if "location" in response.headers else ""
    source = "" if is_ours else ", not from a reward service"
    raise ServerFailure(f"HTTP {status}{location}{source}: {text}", _retry_after(response))


def _read_result(result: Any) -> Outcome | None:
    """A result with a reward, or an error; None if it is neither."""
    if not isinstance(result, dict):
        return None
    error = result.get("error", result if "type" in result and "message" in result else None)
    if isinstance(error, dict):
        kind = RewardUnavailable if error.get("type") == "internal" else RewardRefused
        return kind(f"{error.get('type')}: {error.get('message')}")
    reward = result.get("reward")
    return result if isinstance(reward, (int, float)) and not isinstance(reward, bool) and isfinite(reward) else None


def _retry_after(response: httpx.Response) -> float:
    """The seconds in the header, a number or a date; 0 without one."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    with suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return 0.0
