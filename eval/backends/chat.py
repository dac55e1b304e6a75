"""A model behind an OpenAI-compatible server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any
from urllib.parse import urlsplit

import openai

from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

from ..sample import Sample, Video
from .base import Failed, Reply, Unusable
from .messages import FORMS, NO_TIMES, at_shared_times, content, marker_fault, markers, media_settings

RETRIES = 4
QWEN_PIXELS = 25_165_824  # of all frames of a video; Qwen3-VL's processor makes more smaller
_REFUSES_FRAMES = ("media_io_kwargs", "mm_processor_kwargs", "trust-request-mm-kwargs")


@dataclass(frozen=True)
class ChatSettings:
    """How a server is asked.

    Attributes:
        model: the name that it serves.
        base_url: up to `/v1`.
        api_key: its key; that of the environment, OPENAI_API_KEY.
        form: of the videos, one of `FORMS`.
        system: a system prompt, "" for none.
        max_tokens: of a response.
        temperature: 0 is greedy.
        timeout: seconds for one answer.
    """

    model: str
    base_url: str
    api_key: str = field(default_factory=lambda: os.environ.get("OPENAI_API_KEY", "none"), repr=False)
    form: str = "video"
    system: str = ""
    max_tokens: int = 2048
    temperature: float = 0.0
    timeout: float = 600.0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise UsageError(f"form={self.form!r} is not allowed; {nearest(self.form, FORMS)}")


class Chat:
    """Asks a server, and looks, until it was so once for each shape of question, whether all frames arrived at their times.

    Raises:
        UsageError: if `base_url` is none.
    """

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings
        url = urlsplit(settings.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UsageError(f"base_url={settings.base_url!r} is not allowed; allowed: http://HOST:PORT/v1")
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url, api_key=settings.api_key, max_retries=RETRIES, timeout=settings.timeout
        )
        self._root = settings.base_url.rstrip("/").removesuffix("/v1")
        self._looked: set[tuple[int, ...]] = set()

    @property
    def needs_videos(self) -> bool:
        return self._settings.form != "text"

    @property
    def label(self) -> str:
        return (
            self._settings.model + {"video": "", "images": " (frames as images)", "text": " (text only)"}[self._settings.form]
        )

    @property
    def protocol(self) -> Mapping[str, Any]:
        told = self._settings
        return {
            "backend": "chat", "model": told.model, "form": told.form, "system": told.system, "max_tokens": told.max_tokens,
            "temperature": told.temperature,
        }  # fmt: skip

    async def check(self) -> None:
        url, wanted = self._settings.base_url, self._settings.model
        try:
            served = [model.id async for model in self._client.models.list()]
        except openai.AuthenticationError as error:
            raise Unusable(f"{url} refuses the key ({_said(error)}); give it in OPENAI_API_KEY") from None
        except openai.APIConnectionError as error:
            raise Unusable(
                f"{url} cannot be reached ({error.__cause__ or error}); is it running, and is --base-url right?"
            ) from None
        except openai.APIStatusError as error:
            if error.status_code == 404:  # a server that lists no models
                return
            raise Unusable(f"{url} answers {error.status_code} ({_said(error)})") from None
        except (AttributeError, TypeError, ValueError):
            raise Unusable(
                f"{url} answers with no list of models; is --base-url an OpenAI-compatible server's, up to /v1?"
            ) from None
        if wanted not in served:
            raise Unusable(f"model={wanted!r} is not served at {url}; {nearest(wanted, served)}")

    async def answer(self, sample: Sample, videos: Sequence[Video]) -> Reply:
        moved = 0.0
        if self._settings.form == "video":
            own, videos = videos, at_shared_times(videos)
            moved = max(
                abs(a - b) for one, other in zip(own, videos, strict=True) for a, b in zip(one.times, other.times, strict=True)
            )
        body = self._body(videos)
        reply = await self._ask(sample, videos, body)
        text, cut_off, usage = _read(reply)
        seen: dict[str, Any] = {"cut_off": True} if cut_off else {}
        if moved:
            seen["times_moved_by"] = round(moved, 3)
        if "return_token_ids" in body:
            seen["markers"] = await self._look(reply, videos)
            self._looked.add(_shape(videos))
        return Reply(text, usage, seen)

    def _body(self, videos: Sequence[Video]) -> dict[str, Any]:
        if self._settings.form != "video" or not videos:
            return {}
        body: dict[str, Any] = {"media_io_kwargs": media_settings(videos)}
        if any(prod(video.geometry) > QWEN_PIXELS for video in videos):
            body["mm_processor_kwargs"] = {"do_resize": False}
        if _shape(videos) not in self._looked:  # all that are asked before the first of them is found in order
            body["return_token_ids"] = True
        return body

    async def _ask(self, sample: Sample, videos: Sequence[Video], body: dict[str, Any]) -> Any:
        told = self._settings
        system: list[Any] = [{"role": "system", "content": told.system}] if told.system else []
        messages: list[Any] = [*system, {"role": "user", "content": content(sample, videos, told.form)}]
        try:
            return await self._client.chat.completions.create(
                model=told.model, messages=messages, max_tokens=told.max_tokens, temperature=told.temperature, extra_body=body
            )
        except json.JSONDecodeError as error:
            raise Failed(f"the server's reply is broken JSON: {error}", transient=True) from None
        except openai.APITimeoutError:
            raise Failed(f"no answer within {told.timeout:g} s, {RETRIES + 1} times", transient=True) from None
        except openai.APIConnectionError as error:
            raise Failed(f"the connection failed {RETRIES + 1} times: {error.__cause__ or error}", transient=True) from None
        except openai.APIStatusError as error:
            said = _said(error)
            if any(word in said for word in _REFUSES_FRAMES):
                raise Unusable(
                    f"the server does not let a request say how its frames are read ({said}); start vLLM with --trust-request-mm-kwargs, "
                    "or use --form images"
                ) from None
            if error.status_code in (401, 403, 404):
                raise Unusable(f"{told.base_url} answers {error.status_code}: {said}") from None
            raise Failed(f"the server answers {error.status_code}: {said}", transient=error.status_code >= 429) from None

    async def _look(self, reply: Any, videos: Sequence[Video]) -> str:
        """Compare the times in the prompt, as the server has put it together, with those that were sent.

        Raises:
            Unusable: if frames were dropped or their times changed.
        """
        prompt = await self._prompt(reply)
        if prompt is None:
            return "unknown: the server does not return its prompt"
        if not markers(prompt):
            return NO_TIMES
        if fault := marker_fault(prompt, videos):
            raise Unusable(
                f"{fault}; start vLLM, 0.20 or newer, with --trust-request-mm-kwargs (from 0.31), or use --form images"
            )
        return f"{len(markers(prompt))} as sent"

    async def _prompt(self, reply: Any) -> str | None:
        ids = getattr(reply, "prompt_token_ids", None) or (reply.model_extra or {}).get("prompt_token_ids")
        if not ids:
            return None
        try:
            asked = {"model": self._settings.model, "tokens": ids}
            told: Any = await self._client.post(f"{self._root}/detokenize", body=asked, cast_to=object)
            return str(told["prompt"])
        except (openai.OpenAIError, KeyError, TypeError, ValueError):
            return None

    async def close(self) -> None:
        await self._client.close()


def _read(reply: Any) -> tuple[str, bool, dict[str, int]]:
    """(text, whether it was cut off, tokens) of a reply. A thought that was cut off is an answer, if an empty one.

    Raises:
        Failed: if it is no chat completion with text.
    """
    try:
        [choice, *_] = reply.choices
        text, cut_off = choice.message.content, choice.finish_reason == "length"
        used = reply.usage
    except (AttributeError, TypeError, ValueError):
        raise Failed(f"the server's reply is no chat completion: {str(reply)[:100]!r}", transient=True) from None
    if text is None and cut_off:
        text = ""
    if not isinstance(text, str):
        raise Failed(f"the server gave no text (finish_reason {choice.finish_reason!r})")
    return text, cut_off, {"prompt_tokens": used.prompt_tokens, "completion_tokens": used.completion_tokens} if used else {}


def _shape(videos: Sequence[Video]) -> tuple[int, ...]:
    return tuple(len(video.times) for video in videos)


def _said(error: openai.APIStatusError) -> str:
    """What a server says of a fault, in one line."""
    body: Any = error.body
    said = body.get("message", body) if isinstance(body, dict) else body or error.message
    return " ".join(str(said).split())[:300]
