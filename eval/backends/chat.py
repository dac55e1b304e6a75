"""A model behind an OpenAI-compatible server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import openai

from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

from ..sample import Sample, Video
from .base import AnswerError, BackendError, Reply
from .messages import FORMS, align_times, check_prompt, media_io_settings, message_content, opened_thought

RETRIES = 4
_ADVICE = "start vLLM, 0.20 or newer, with --trust-request-mm-kwargs (from 0.31), or use --form images"
_FRAME_SETTINGS_ERRORS = ("media_io_kwargs", "mm_processor_kwargs", "trust-request-mm-kwargs")
_FORM_LABELS = {"video": "", "images": " (frames as images)", "text": " (text only)"}


@dataclass(frozen=True)
class ChatSettings:
    """The settings of requests to a server.

    Attributes:
        model: the name under which the server serves it.
        base_url: up to `/v1`.
        api_key: default: the environment variable OPENAI_API_KEY.
        form: how videos are sent, one of `FORMS`.
        system: the system prompt; "" for none.
        max_tokens: of a response.
        temperature: 0 is greedy.
        timeout: seconds for one response.

    Raises:
        UsageError: for a form that is none, or a `base_url` that is no URL.
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
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UsageError(f"base_url={self.base_url!r} is not allowed; allowed: http://HOST:PORT/v1")


class Chat:
    """Asks a server, and checks in its prompts that all frames arrived as sent, once for each shape of question."""

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url, api_key=settings.api_key, max_retries=RETRIES, timeout=settings.timeout
        )
        self._verified_shapes: set[tuple[tuple[int, int, int], ...]] = set()
        self._opened_thought = ""

    @property
    def needs_videos(self) -> bool:
        return self._settings.form != "text"

    @property
    def label(self) -> str:
        return self._settings.model + _FORM_LABELS[self._settings.form]

    @property
    def protocol(self) -> Mapping[str, Any]:
        names = ("model", "form", "system", "max_tokens", "temperature")
        return {"backend": "chat", **{name: getattr(self._settings, name) for name in names}}

    async def check(self) -> None:
        url, model = self._settings.base_url, self._settings.model
        try:
            served = [entry.id async for entry in self._client.models.list()]
        except openai.AuthenticationError as error:
            raise BackendError(f"{url} rejects the API key ({_error_message(error)}); set OPENAI_API_KEY") from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise BackendError(f"{url} cannot be reached ({cause}); is it running, and is --base-url right?") from None
        except openai.APIStatusError as error:
            if error.status_code == 404:  # a server that lists no models
                return
            raise BackendError(f"{url} answers {error.status_code} ({_error_message(error)})") from None
        except (AttributeError, TypeError, ValueError):
            question = "is --base-url that of an OpenAI-compatible server, up to /v1?"
            raise BackendError(f"{url} does not return a list of models; {question}") from None
        if model not in served:
            raise BackendError(f"model={model!r} is not served at {url}; {nearest(model, served)}")

    async def answer(self, sample: Sample, videos: Sequence[Video], draw: int = 0) -> Reply:
        seen: dict[str, Any] = {}
        body: dict[str, Any] = {"seed": draw} if self._settings.temperature else {}
        shape = tuple(video.geometry for video in videos)
        if self._settings.form == "video":
            aligned = align_times(videos)
            moved = [
                abs(old - new)
                for before, after in zip(videos, aligned, strict=True)
                for old, new in zip(before.times, after.times, strict=True)
            ]
            seen = {"times_moved_by": round(max(moved), 3)} if max(moved, default=0.0) else {}
            videos = aligned
            body |= {"media_io_kwargs": media_io_settings(videos), "mm_processor_kwargs": {"do_resize": False}}
            if shape not in self._verified_shapes:  # also for requests sent while the first one is still in flight
                body["return_token_ids"] = True
        completion = await self._request(sample, videos, body)
        text, cut_off, usage = _parse_completion(completion)
        seen |= {"cut_off": True} if cut_off else {}
        if "return_token_ids" in body:
            prompt = await self._fetch_prompt(completion)
            seen["markers"] = check_prompt(prompt, videos, _ADVICE)
            self._verified_shapes.add(shape)
            self._opened_thought = opened_thought(prompt)
        return Reply(self._opened_thought + text, usage, seen)

    async def _request(self, sample: Sample, videos: Sequence[Video], body: dict[str, Any]) -> Any:
        s = self._settings
        system: list[Any] = [{"role": "system", "content": s.system}] if s.system else []
        messages: list[Any] = [*system, {"role": "user", "content": message_content(sample, videos, s.form)}]
        try:
            return await self._client.chat.completions.create(
                model=s.model, messages=messages, max_tokens=s.max_tokens, temperature=s.temperature, extra_body=body
            )
        except json.JSONDecodeError:
            raise AnswerError("the server's reply is no JSON", transient=True) from None
        except openai.APITimeoutError:
            raise AnswerError(f"no answer within {s.timeout:g} s, {RETRIES + 1} times", transient=True) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise AnswerError(f"the connection failed {RETRIES + 1} times: {cause}", transient=True) from None
        except openai.APIStatusError as error:
            message = _error_message(error)
            if any(word in message for word in _FRAME_SETTINGS_ERRORS):
                fault = f"the server does not allow a request to set how its frames are read ({message})"
                raise BackendError(f"{fault}; start vLLM with --trust-request-mm-kwargs, or use --form images") from None
            if error.status_code in (401, 403, 404):
                raise BackendError(f"{s.base_url} answers {error.status_code}: {message}") from None
            transient = error.status_code >= 429
            raise AnswerError(f"the server answers {error.status_code}: {message}", transient=transient) from None

    async def _fetch_prompt(self, completion: Any) -> str | None:
        """The prompt as text, from the token ids in a completion; None if the server does not support that."""
        ids = getattr(completion, "prompt_token_ids", None) or (completion.model_extra or {}).get("prompt_token_ids")
        root = self._settings.base_url.rstrip("/").removesuffix("/v1")
        try:
            body = {"model": self._settings.model, "tokens": ids}
            reply: Any = await self._client.post(f"{root}/detokenize", body=body, cast_to=object) if ids else {}
            return str(reply["prompt"])
        except (openai.OpenAIError, KeyError, TypeError, ValueError):
            return None

    async def close(self) -> None:
        await self._client.close()


def _parse_completion(completion: Any) -> tuple[str, bool, dict[str, int]]:
    """(text, whether it was cut off, token usage). A response cut off while still thinking is an empty answer, not a failure.

    Raises:
        AnswerError: if it is no chat completion with text.
    """
    try:
        [choice, *_] = completion.choices
        text, cut_off = choice.message.content, choice.finish_reason == "length"
        usage = completion.usage
    except (AttributeError, TypeError, ValueError):
        raise AnswerError(f"the server's reply is no chat completion: {str(completion)[:100]!r}", transient=True) from None
    text = "" if text is None and cut_off else text
    if not isinstance(text, str):
        raise AnswerError(f"the server returned no text (finish_reason {choice.finish_reason!r})")
    return text, cut_off, {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens} if usage else {}


def _error_message(error: openai.APIStatusError) -> str:
    """A server's error message, in one line."""
    body: Any = error.body
    message = body.get("message", body) if isinstance(body, dict) else body or error.message
    return " ".join(str(message).split())[:300]
