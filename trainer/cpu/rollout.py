"""A rollout by transformers' `generate`: rollouts of one prompt that come in together are one batch."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import ray
import torch
from verl.utils import hf_processor
from verl.utils.tokenizer import build_multimodal_processor_inputs
from verl.workers.rollout.base import _ROLLOUT_REGISTRY, BaseRollout
from verl.workers.rollout.replica import RolloutReplica, RolloutReplicaRegistry, TokenOutput

from .torchvision import make_importable

NAME = "transformers"
TOGETHER = 0.02  # seconds that a prompt waits for its siblings
_SERVER = "transformers_rollout_{rank}"
# generated, they would be taken for a second video
_NEVER = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")


@dataclass
class _Group:
    """Requests for the same prompt."""

    videos: Any
    waiting: list[asyncio.Future[TokenOutput]] = field(default_factory=list)


class GenerateServer:
    """Holds the weights and answers verl's requests, as a vLLM server would. A Ray actor."""

    def __init__(self, path: str, response_length: int, seed: int) -> None:
        make_importable()
        from transformers import AutoModelForImageTextToText

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self._model = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32, attn_implementation="sdpa").eval()
        self._processor = hf_processor(path)
        self._never = self._processor.tokenizer.convert_tokens_to_ids(list(_NEVER))
        self._length = response_length
        self._step: int | None = None
        self._groups: dict[tuple[Any, ...], _Group] = {}
        self._running: set[asyncio.Future[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def ready(self) -> bool:
        return True

    async def load(self, weights: dict[str, torch.Tensor], step: int | None) -> None:
        """Take new weights."""
        async with self._one_at_a_time:
            self._model.load_state_dict(weights)
            self._step = step

    async def generate(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str, video_data: Any = None, **_: Any
    ) -> TokenOutput:
        temperature = float(sampling_params.get("temperature", 1.0))
        frames = tuple(hash(video.numpy().tobytes()) for video, _ in video_data or ())
        key = (temperature, *prompt_ids, *frames)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(video_data)
            asyncio.get_running_loop().call_later(TOGETHER, self._begin, key, prompt_ids, temperature)
        answer: asyncio.Future[TokenOutput] = asyncio.get_running_loop().create_future()
        group.waiting.append(answer)
        return await answer

    def _begin(self, key: tuple[Any, ...], prompt_ids: list[int], temperature: float) -> None:
        task = asyncio.ensure_future(self._answer(self._groups.pop(key), prompt_ids, temperature))
        self._running.add(task)  # a task that nobody holds may be collected
        task.add_done_callback(self._running.discard)

    async def _answer(self, group: _Group, prompt_ids: list[int], temperature: float) -> None:
        try:
            async with self._one_at_a_time:
                outputs = await asyncio.to_thread(self._generate, prompt_ids, temperature, group.videos, len(group.waiting))
        except Exception as error:  # whoever waits gets it
            for answer in group.waiting:
                answer.set_exception(error)
            return
        for answer, (tokens, log_probs) in zip(group.waiting, outputs, strict=True):
            extra = {"global_steps": self._step, "min_global_steps": self._step, "max_global_steps": self._step}
            answer.set_result(TokenOutput(token_ids=tokens, log_probs=log_probs, stop_reason="completed", extra_fields=extra))

    @torch.no_grad()
    def _generate(
        self, prompt_ids: list[int], temperature: float, videos: Any, count: int
    ) -> list[tuple[list[int], list[float]]]:
        ids = torch.tensor([prompt_ids])
        seen: dict[str, Any] = {}
        if videos:
            inputs = build_multimodal_processor_inputs(self._processor, text=[""], videos=videos)
            types = (ids == self._processor.video_token_id).long() * 2
            seen = {key: inputs[key] for key in ("pixel_values_videos", "video_grid_thw")} | {"mm_token_type_ids": types}
        greedy = temperature == 0
        made = self._model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=self._length, num_return_sequences=count if not greedy else 1,
            do_sample=not greedy, temperature=None if greedy else temperature, top_k=0, top_p=1.0, suppress_tokens=self._never,
            return_dict_in_generate=True, output_logits=True, **seen,
        )  # fmt: skip
        logits = torch.stack(made.logits, 1).float() / (temperature or 1.0)
        tokens = made.sequences[:, ids.shape[1] :]
        log_probs = torch.log_softmax(logits, -1).gather(-1, tokens[..., None])[..., 0]
        ends = set(torch.tensor(self._model.generation_config.eos_token_id).reshape(-1).tolist())
        found = [_until_end(row.tolist(), chances.tolist(), ends) for row, chances in zip(tokens, log_probs, strict=True)]
        return found * count if greedy else found

    async def wake_up(self, *_: Any, **__: Any) -> None: ...
    async def sleep(self, *_: Any, **__: Any) -> None: ...
    async def resume_generation(self, *_: Any, **__: Any) -> None: ...
    async def clear_kv_cache(self, *_: Any, **__: Any) -> None: ...
    async def release_kv_cache(self, *_: Any, **__: Any) -> None: ...
    async def resume_kv_cache(self, *_: Any, **__: Any) -> None: ...
    async def start_profile(self, *_: Any, **__: Any) -> None: ...
    async def stop_profile(self, *_: Any, **__: Any) -> None: ...
    async def abort_all_requests(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}


def _until_end(tokens: list[int], log_probs: list[float], ends: set[int]) -> tuple[list[int], list[float]]:
    """A response without the padding after its end."""
    length = next((at + 1 for at, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[:length], log_probs[:length]


class GenerateReplica(RolloutReplica):  # type: ignore[misc]
    """verl's handle on the server."""

    async def launch_servers(self) -> None:
        name = _SERVER.format(rank=self.replica_rank)
        actor: Any = ray.remote(GenerateServer)
        options = actor.options(name=name, num_cpus=1, max_concurrency=256)
        server = options.remote(self.model_config.path, self.config.response_length, self.config.get("seed", 0) or 0)
        await server.ready.remote()
        self.servers = [server]
        self._server_handle = server
        self._server_address = name


class GenerateAdapter(BaseRollout):  # type: ignore[misc]
    """Brings the engine's weights to the server."""

    async def resume(self, tags: list[str]) -> None: ...

    async def release(self) -> None: ...

    async def update_weights(
        self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int | None = None, **_: Any
    ) -> None:
        copies = {name: value.detach().clone() for name, value in weights}
        if int(os.environ["RANK"]) == 0:
            await ray.get_actor(_SERVER.format(rank=0)).load.remote(copies, global_steps)


RolloutReplicaRegistry.register(NAME, lambda: GenerateReplica)
_ROLLOUT_REGISTRY[(NAME, "async")] = f"{__name__}.{GenerateAdapter.__name__}"
