"""What can be known to fail before any GPU is asked for. Each fault is a line that says what to do."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dataset_builder import tasks
from dataset_builder.errors import BuildError
from reward_service.clients import RewardClient, RewardError, item

from .configuration import unknown_keys
from .data.dataset import VideoSSRDataset
from .data.live import LiveQuestions
from .data.prompt_length import prompt_tokens
from .data.settings import LIVE
from .run_folder import checkpoint, resume_faults
from .versions import version_faults

# keys of earlier verls, which 0.9.1 refuses or silently leaves alone
LEGACY: Mapping[str, str] = {
    "custom_reward_function": "reward.custom_reward_function",
    "reward_model.reward_manager": "reward.reward_manager.name",
    "reward_model.launch_reward_fn_async": "nothing: reward functions are called as rollouts end",
    "reward_model.enable": "reward.reward_model.enable",
    "data.sampler": "trainer.v1.sampler.custom_sampler",
    "data.datagen": "data.custom_cls",
    "actor_rollout_ref.rollout.engine_kwargs.vllm.disable_mm_preprocessor_cache": "actor_rollout_ref.rollout.engine_kwargs.vllm.mm_processor_cache_gb=0",
}  # fmt: skip
QUESTIONS_LOOKED_AT = 8
PROBE_TIMES = tuple(map(float, range(8)))


def legacy_faults(given: Sequence[str]) -> list[str]:
    """Keys on the command line that verl 0.9.1 has no more."""
    keys = [one.lstrip("+~").partition("=")[0] for one in given]
    faults = [
        f"{key} is a key of an earlier verl, and would be ignored; use {new}"
        for key in keys
        for old, new in LEGACY.items()
        if key == old or key.startswith(f"{old}.")
    ]
    if any(one.lstrip("+").startswith("actor_rollout_ref.rollout.mode=sync") for one in given):
        faults.append("actor_rollout_ref.rollout.mode=sync is no more in verl 0.9.1; leave it out")
    return faults


def preflight(config: DictConfig, *, told: Callable[[str], None] = lambda line: None) -> list[str]:
    """Look at everything that a run stands on; gives the faults, none if it may start.

    Args:
        told: called with a line for each part that is in order.
    """
    overridden = config.actor_rollout_ref.model.get("override_config") or {}
    faults = version_faults(config.actor_rollout_ref.rollout.name, overridden.get("attn_implementation", "flash_attention_2"))
    if not faults:
        told("versions fit together")
        faults += [f"verl does not know {key}, which grpo.yaml sets; is it verl 0.9.1?" for key in unknown_keys()]
        faults += _part(told, "the reward service scores rightly", partial(_service_faults, config))
        processor = _load_processor(config, faults)
        if processor is not None:
            told(f"the model's processor loads from {config.actor_rollout_ref.model.path}")
            faults += _part(told, "the data fits verl and the processor", partial(_data_faults, config, processor))
            if not faults and (step := checkpoint(config)) is not None:
                told(f"goes on from step {step} in {config.trainer.default_local_dir}")
        faults += _batch_faults(config)
    return faults


def _part(told: Callable[[str], None], well: str, look: Callable[[], Iterator[str]]) -> list[str]:
    found = list(look())
    if not found:
        told(well)
    return found


def _batch_faults(config: DictConfig) -> Iterator[str]:
    gpus = config.trainer.n_gpus_per_node * config.trainer.nnodes
    rollouts = config.data.train_batch_size * config.actor_rollout_ref.rollout.n
    if rollouts % gpus:
        yield f"data.train_batch_size x rollout.n = {rollouts} rollouts cannot be shared by {gpus} GPUs; change one of them"
    if config.actor_rollout_ref.rollout.n < 2:
        yield "actor_rollout_ref.rollout.n must be 2 or more: GRPO learns from the differences within a group"
    if config.trainer.v1.trainer_mode != "sync":
        yield "trainer.v1.trainer_mode must be sync: our sampler and its curriculum follow the rewards step by step"
    if not config.trainer.v1.sampler.sync_refill_failed_groups:
        yield "trainer.v1.sampler.sync_refill_failed_groups must be True: groups whose rewards are lost are asked anew"
    if (config.algorithm.get("filter_groups") or {}).get("enable"):
        yield "algorithm.filter_groups is not read beside our sampler; use trainer.v1.sampler.sampler_kwargs.filter_groups_metric=exact"
    from .sampler import SETTINGS

    for name in config.trainer.v1.sampler.sampler_kwargs:
        if name not in SETTINGS:
            yield f"trainer.v1.sampler.sampler_kwargs.{name} is unknown; allowed: {', '.join(SETTINGS)}"
    validates = config.trainer.test_freq > 0 or config.trainer.val_before_train
    if validates and str(config.data.val_files).startswith(LIVE):
        yield "live questions cannot be validated on, as they are not the same twice; give val_data= a build, or trainer.test_freq=-1"
    try:
        _validate(config)
    except (AssertionError, ValueError) as error:
        yield f"verl refuses the configuration: {error}"


def _validate(config: DictConfig) -> None:
    """verl's own checks, which it makes when Ray has started."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))


def _service_faults(config: DictConfig) -> Iterator[str]:
    given = OmegaConf.to_container(config.reward.custom_reward_function.get("reward_kwargs") or {}, resolve=True)
    if not isinstance(given, dict):
        return
    for url in str(given.get("url")).split(","):
        try:
            client = RewardClient(**{**given, "url": url.strip(), "attempts": 2, "deadline": 10.0, "timeout": 5.0})
        except (TypeError, ValueError) as error:
            yield f"reward_kwargs: {error}"
            return
        try:
            yield from _probe(client, url, str(given.get("mode", "")))
        finally:
            client.close()


def _probe(client: RewardClient, url: str, mode: str) -> Iterator[str]:
    """A right and a wrong answer to each task, against what the tasks here say."""
    probes = []
    for name in tasks.names():
        task = tasks.get(name)
        gold = task.blind(task.params("medium"), PROBE_TIMES, len(PROBE_TIMES)).format()
        probes += [(task, gold, f"<answer>{gold}</answer>"), (task, gold, "I cannot tell.")]
    outcomes = client.score([item(tasks.PREFIX + task.name, response, gold) for task, gold, response in probes])
    for (task, gold, response), outcome in zip(probes, outcomes, strict=True):
        if isinstance(outcome, RewardError):
            yield f"the reward service at {url} cannot score {task.name}: {outcome}"
            return
        here = task.score(response, gold)
        wanted = {"strict": here.exact, "above_chance": here.above_chance}.get(mode)
        if wanted is None and mode == "smooth":
            wanted = here.score
        if outcome["exact"] != here.exact or (wanted is not None and abs(outcome["score"] - wanted) > 1e-9):
            yield (
                f"the reward service at {url} gives {task.name} {response!r} {outcome['score']} (exact {outcome['exact']}), "
                f"tasks here {here.score} (exact {here.exact}); run the same version on both sides"
            )


def _load_processor(config: DictConfig, faults: list[str]) -> Any:
    from transformers import AutoConfig, AutoProcessor

    path = str(config.actor_rollout_ref.model.path)
    try:
        kind = AutoConfig.from_pretrained(path).model_type
        processor = AutoProcessor.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        faults.append(
            f"model={path!r} cannot be loaded: {first}; give a folder with a checkpoint, or a model's name on the Hub"
        )
        return None
    if not hasattr(processor, "video_processor"):
        faults.append(f"model={path!r} ({kind}) has no processor for videos; give a Qwen3-VL")
        return None
    patch = processor.video_processor.patch_size
    if config.data.image_patch_size != patch:
        faults.append(f"data.image_patch_size={config.data.image_patch_size}, but the model's is {patch}; set it to {patch}")
    return processor


def _data_faults(config: DictConfig, processor: Any) -> Iterator[str]:
    for name in dict.fromkeys((str(config.data.train_files), str(config.data.val_files))):
        try:
            dataset = VideoSSRDataset(name, processor.tokenizer, config.data, processor)
            if len(dataset) < config.data.train_batch_size and name == config.data.train_files:
                yield f"data={name!r} has {len(dataset)} questions, fewer than data.train_batch_size={config.data.train_batch_size}"
                return
            if name == config.data.train_files:
                yield from resume_faults(config, len(dataset))
            try:
                looked_at = [dataset[at] for at in range(min(QUESTIONS_LOOKED_AT, len(dataset)))]
            finally:
                if isinstance(dataset.questions, LiveQuestions):
                    dataset.questions.close()
            for question in looked_at:
                yield from _question_faults(question, config, processor)
        except (ValueError, BuildError, OSError) as error:
            yield str(error)


def _question_faults(question: dict[str, Any], config: DictConfig, processor: Any) -> Iterator[str]:
    """One question through the processor, as verl's agent loop does it."""
    info, prompt = question["extra_info"], question["raw_prompt"]
    what = f"question {info['index']} ({info['portion']})"
    _, videos, _ = asyncio.run(VideoSSRDataset.process_multi_modal_info(prompt, config.data.image_patch_size, config.data))
    videos = videos or []
    if len(videos) != len(info["frame_times"]):
        yield f"{what} has {len(info['frame_times'])} videos and {len(videos)} places for them; build it anew"
        return
    text = processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    made = processor(
        text=[text], videos=[frames for frames, _ in videos], video_metadata=[told for _, told in videos],
        do_sample_frames=False, return_tensors="pt",
    )  # fmt: skip
    ids = made["input_ids"][0]
    side = processor.video_processor.patch_size
    for (frames, _), (_, rows, columns) in zip(videos, made["video_grid_thw"].tolist(), strict=True):
        if (rows * side, columns * side) != tuple(frames.shape[-2:]):
            yield f"{what} is resized from {tuple(frames.shape[-2:])} to {(rows * side, columns * side)}; set data.videossr.max_pixels to what the processor takes"
    marks = [float(time) for time in re.findall(r"<([\d.]+) seconds>", processor.tokenizer.decode(ids))]
    wanted = [mark for times in info["frame_times"] for mark in _marks(times)]
    if len(marks) != len(wanted) or any(abs(mark - time) > 0.06 for mark, time in zip(marks, wanted, strict=True)):
        yield f"{what} reaches the model with the times {marks[:4]}…, not {[round(t, 1) for t in wanted[:4]]}…; is this a Qwen3-VL processor?"
    expected = prompt_tokens(processor, prompt, info["height"], info["width"])
    if len(ids) != expected:
        yield f"{what} has {len(ids)} tokens, {expected} were expected; is this a Qwen3-VL processor?"
    if len(ids) > config.data.max_prompt_length:
        yield f"{what} has {len(ids)} tokens; raise data.max_prompt_length={config.data.max_prompt_length}"


def _marks(times: Sequence[float]) -> list[float]:
    exact = [*times, *times[-1:]] if len(times) % 2 else times
    return [(exact[at] + exact[at + 1]) / 2 for at in range(0, len(exact), 2)]
