"""A rollout backend on transformers' `generate`. Requests for the same prompt that arrive together form one batch."""

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
BATCH_WINDOW = 0.02  # seconds that a request waits for others with the same prompt
_SERVER = "transformers_rollout_{rank}"
# never generated: in a response they would be read as a second video
_SUPPRESSED = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")


@dataclass
class _Group:
    """Pending requests for the same prompt."""

    videos: Any
    outputs: list[asyncio.Future[TokenOutput]] = field(default_factory=list)


class GenerateServer:
    """A Ray actor that holds the weights and serves verl's generation requests, in place of a vLLM server."""

    def __init__(self, path: str, response_length: int, seed: int) -> None:
        make_importable()
        from transformers import AutoModelForImageTextToText

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self._model = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32, attn_implementation="sdpa").eval()
        self._processor = hf_processor(path)
        self._suppressed = self._processor.tokenizer.convert_tokens_to_ids(list(_SUPPRESSED))
        self._max_new_tokens = response_length
        self._step: int | None = None
        self._groups: dict[tuple[Any, ...], _Group] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self._model_lock = asyncio.Lock()

    async def ready(self) -> bool:
        """Returns True once the model is loaded."""
        return True

    async def load(self, weights: dict[str, torch.Tensor], step: int | None) -> None:
        """Load the weights of a training step."""
        async with self._model_lock:
            self._model.load_state_dict(weights)
            self._step = step

    async def generate(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], request_id: str, video_data: Any = None, **_: Any
    ) -> TokenOutput:
        """Generate one response to a prompt."""
        temperature = float(sampling_params.get("temperature", 1.0))
        frames = tuple(hash(video.numpy().tobytes()) for video, _ in video_data or ())
        key = (temperature, *prompt_ids, *frames)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(video_data)
            asyncio.get_running_loop().call_later(BATCH_WINDOW, self._start_group, key, prompt_ids, temperature)
        output: asyncio.Future[TokenOutput] = asyncio.get_running_loop().create_future()
        group.outputs.append(output)
        return await output

    def _start_group(self, key: tuple[Any, ...], prompt_ids: list[int], temperature: float) -> None:
        task = asyncio.ensure_future(self._run_group(self._groups.pop(key), prompt_ids, temperature))
        self._tasks.add(task)  # asyncio keeps only weak references to tasks
        task.add_done_callback(self._tasks.discard)

    async def _run_group(self, group: _Group, prompt_ids: list[int], temperature: float) -> None:
        try:
            async with self._model_lock:
                responses = await asyncio.to_thread(self._generate, prompt_ids, temperature, group.videos, len(group.outputs))
        except Exception as error:  # raised in every waiting request
            for output in group.outputs:
                output.set_exception(error)
            return
        for output, (tokens, log_probs) in zip(group.outputs, responses, strict=True):
            extra = {"global_steps": self._step, "min_global_steps": self._step, "max_global_steps": self._step}
            output.set_result(TokenOutput(token_ids=tokens, log_probs=log_probs, stop_reason="completed", extra_fields=extra))

    @torch.no_grad()
    def _generate(
        self, prompt_ids: list[int], temperature: float, videos: Any, count: int
    ) -> list[tuple[list[int], list[float]]]:
        """Generate `count` responses; each is (token ids, log-probabilities). A temperature of 0 gives `count` equal ones."""
        ids = torch.tensor([prompt_ids])
        video_inputs: dict[str, Any] = {}
        if videos:
            inputs = build_multimodal_processor_inputs(self._processor, text=[""], videos=videos)
            types = (ids == self._processor.video_token_id).long() * 2
            video_inputs = {key: inputs[key] for key in ("pixel_values_videos", "video_grid_thw")} | {
                "mm_token_type_ids": types
            }
        greedy = temperature == 0
        generation = self._model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=self._max_new_tokens, num_return_sequences=count if not greedy else 1,
            do_sample=not greedy, temperature=None if greedy else temperature, top_k=0, top_p=1.0, suppress_tokens=self._suppressed,
            return_dict_in_generate=True, output_logits=True, **video_inputs,
        )  # fmt: skip
        logits = torch.stack(generation.logits, 1).float() / (temperature or 1.0)
        tokens = generation.sequences[:, ids.shape[1] :]
        log_probs = torch.log_softmax(logits, -1).gather(-1, tokens[..., None])[..., 0]
        eos_ids = set(torch.tensor(self._model.generation_config.eos_token_id).reshape(-1).tolist())
        rows = zip(tokens.tolist(), log_probs.tolist(), strict=True)
        responses = [_cut_padding(row_tokens, row_log_probs, eos_ids) for row_tokens, row_log_probs in rows]
        return responses * count if greedy else responses

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


def _cut_padding(tokens: list[int], log_probs: list[float], eos_ids: set[int]) -> tuple[list[int], list[float]]:
    """Cut a response after its first end token."""
    length = next((index + 1 for index, token in enumerate(tokens) if token in eos_ids), len(tokens))
    return tokens[:length], log_probs[:length]


class GenerateReplica(RolloutReplica):  # type: ignore[misc]
    """Starts the server for verl and holds its handle."""

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
    """Sends the engine's weights to the server."""

    async def resume(self, tags: list[str]) -> None: ...

    async def release(self) -> None: ...

    async def update_weights(
        self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int | None = None, **_: Any
    ) -> None:
        weight_copies = {name: value.detach().clone() for name, value in weights}
        if int(os.environ["RANK"]) == 0:
            await ray.get_actor(_SERVER.format(rank=0)).load.remote(weight_copies, global_steps)


RolloutReplicaRegistry.register(NAME, lambda: GenerateReplica)
_ROLLOUT_REGISTRY[(NAME, "async")] = f"{__name__}.{GenerateAdapter.__name__}"
