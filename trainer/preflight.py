"""Checks a run before it reserves any GPU. Each fault is one line that says what is wrong and how to fix it."""

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
from .run_folder import checkpoint_step, resume_faults
from .versions import version_faults

# keys of earlier verl versions, which verl 0.9.1 rejects or silently ignores, and their replacements
LEGACY: Mapping[str, str] = {
    "custom_reward_function": "reward.custom_reward_function",
    "reward_model.reward_manager": "reward.reward_manager.name",
    "reward_model.launch_reward_fn_async": "nothing: each rollout is scored as soon as it ends",
    "reward_model.enable": "reward.reward_model.enable",
    "data.sampler": "trainer.v1.sampler.custom_sampler",
    "data.datagen": "data.custom_cls",
    "actor_rollout_ref.rollout.engine_kwargs.vllm.disable_mm_preprocessor_cache": "actor_rollout_ref.rollout.engine_kwargs.vllm.mm_processor_cache_gb=0",
}  # fmt: skip
CHECKED_QUESTIONS = 8
PROBE_TIMES = tuple(map(float, range(8)))


def legacy_faults(settings: Sequence[str]) -> list[str]:
    """Messages about `key=value` settings whose keys verl 0.9.1 no longer has."""
    keys = [setting.lstrip("+~").partition("=")[0] for setting in settings]
    faults = [
        f"{key} is a key of an earlier verl, and would be ignored; use {new}"
        for key in keys
        for old, new in LEGACY.items()
        if key == old or key.startswith(f"{old}.")
    ]
    if any(setting.lstrip("+").startswith("actor_rollout_ref.rollout.mode=sync") for setting in settings):
        faults.append("actor_rollout_ref.rollout.mode=sync no longer exists in verl 0.9.1; remove it")
    return faults


def preflight(config: DictConfig, *, report_passed: Callable[[str], None] = lambda line: None) -> list[str]:
    """Check versions, reward service, model, data and settings. Returns the faults; the run may start if there are none.

    Args:
        report_passed: called with one line for each check that passes.
    """
    model_overrides = config.actor_rollout_ref.model.get("override_config") or {}
    attention = model_overrides.get("attn_implementation", "flash_attention_2")
    faults = version_faults(config.actor_rollout_ref.rollout.name, attention)
    if not faults:
        report_passed("the installed versions work together")
        faults += [f"verl does not know {key}, which grpo.yaml sets; is it verl 0.9.1?" for key in unknown_keys()]
        faults += _run_check(report_passed, "the reward service scores correctly", partial(_service_faults, config))
        processor = _load_processor(config, faults)
        if processor is not None:
            report_passed(f"the model's processor loads from {config.actor_rollout_ref.model.path}")
            faults += _run_check(report_passed, "the processor can read the data", partial(_data_faults, config, processor))
            if not faults and (step := checkpoint_step(config)) is not None:
                report_passed(f"training resumes from step {step} in {config.trainer.default_local_dir}")
        faults += _settings_faults(config)
    return faults


def _run_check(report_passed: Callable[[str], None], name: str, check: Callable[[], Iterator[str]]) -> list[str]:
    faults = list(check())
    if not faults:
        report_passed(name)
    return faults


def _settings_faults(config: DictConfig) -> Iterator[str]:
    gpus = config.trainer.n_gpus_per_node * config.trainer.nnodes
    rollouts = config.data.train_batch_size * config.actor_rollout_ref.rollout.n
    if rollouts % gpus:
        yield f"data.train_batch_size x rollout.n = {rollouts} rollouts cannot be split evenly over {gpus} GPUs; change one of them"
    if config.actor_rollout_ref.rollout.n < 2:
        yield "actor_rollout_ref.rollout.n must be 2 or more: GRPO learns from the differences within a group"
    if config.trainer.v1.trainer_mode != "sync":
        yield "trainer.v1.trainer_mode must be sync: the sampler and the curriculum need the rewards of each step before the next"
    if not config.trainer.v1.sampler.sync_refill_failed_groups:
        yield "trainer.v1.sampler.sync_refill_failed_groups must be True: groups that lost their rewards must be replaced"
    if (config.algorithm.get("filter_groups") or {}).get("enable"):
        yield "algorithm.filter_groups has no effect with our sampler; use trainer.v1.sampler.sampler_kwargs.filter_groups_metric=exact"
    from .sampler import SETTINGS

    for name in config.trainer.v1.sampler.sampler_kwargs:
        if name not in SETTINGS:
            yield f"trainer.v1.sampler.sampler_kwargs.{name} is unknown; allowed: {', '.join(SETTINGS)}"
    has_validation = config.trainer.test_freq > 0 or config.trainer.val_before_train
    if has_validation and str(config.data.val_files).startswith(LIVE):
        yield "live questions cannot be validated on, as each one is used only once; set val_data= to a build, or trainer.test_freq=-1"
    try:
        _validate(config)
    except (AssertionError, ValueError) as error:
        yield f"verl rejects the configuration: {error}"


def _validate(config: DictConfig) -> None:
    """Run verl's own checks, which verl itself runs only after starting Ray."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))


def _service_faults(config: DictConfig) -> Iterator[str]:
    kwargs = OmegaConf.to_container(config.reward.custom_reward_function.get("reward_kwargs") or {}, resolve=True)
    if not isinstance(kwargs, dict):
        return
    for url in str(kwargs.get("url")).split(","):
        try:
            client = RewardClient(**{**kwargs, "url": url.strip(), "attempts": 2, "deadline": 10.0, "timeout": 5.0})
        except (TypeError, ValueError) as error:
            yield f"reward_kwargs: {error}"
            return
        yield from _score_faults(client, url)


def _score_faults(client: RewardClient, url: str) -> Iterator[str]:
    """Score one right and one wrong response per task with the service, and compare with the local tasks' scores."""
    probes = []
    for name in tasks.names():
        task = tasks.get(name)
        truth = task.blind(task.params("medium"), PROBE_TIMES, len(PROBE_TIMES)).format()
        probes += [(task, truth, f"<answer>{truth}</answer>"), (task, truth, "I cannot tell.")]
    outcomes = client.score([item(tasks.PREFIX + task.name, response, truth) for task, truth, response in probes])
    for (task, truth, response), outcome in zip(probes, outcomes, strict=True):
        if isinstance(outcome, RewardError):
            yield f"the reward service at {url} cannot score {task.name}: {outcome}"
            return
        local = task.score(response, truth)
        if outcome["exact"] != local.exact or abs(outcome["score"] - local.score) > 1e-9:
            yield (
                f"the reward service at {url} scores {task.name} {response!r} as {outcome['score']} (exact {outcome['exact']}), "
                f"the local task as {local.score} (exact {local.exact}); run the same version on both sides"
            )


def _load_processor(config: DictConfig, faults: list[str]) -> Any:
    """Load the model's processor. Returns None if that fails; appends to `faults`."""
    from transformers import AutoConfig, AutoProcessor

    path = str(config.actor_rollout_ref.model.path)
    try:
        model_type = AutoConfig.from_pretrained(path).model_type
        processor = AutoProcessor.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        first_line = str(error).strip().splitlines()[0]
        faults.append(
            f"model={path!r} cannot be loaded: {first_line}; use a checkpoint folder or the name of a model on the Hub"
        )
        return None
    if not hasattr(processor, "video_processor"):
        faults.append(f"model={path!r} ({model_type}) has no video processor; use a Qwen3-VL model")
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
                questions = [dataset[index] for index in range(min(CHECKED_QUESTIONS, len(dataset)))]
            finally:
                if isinstance(dataset.questions, LiveQuestions):
                    dataset.questions.close()
            for question in questions:
                yield from _question_faults(question, config, processor)
        except (ValueError, BuildError, OSError) as error:
            yield str(error)


def _question_faults(question: dict[str, Any], config: DictConfig, processor: Any) -> Iterator[str]:
    """Process one question's prompt as verl's agent loop does, and check frame sizes, frame times and prompt length."""
    info, prompt = question["extra_info"], question["raw_prompt"]
    name = f"question {info['index']} ({info['portion']})"
    _, videos, _ = asyncio.run(VideoSSRDataset.process_multi_modal_info(prompt, config.data.image_patch_size, config.data))
    videos = videos or []
    if len(videos) != len(info["frame_times"]):
        yield f"{name} has {len(info['frame_times'])} videos, but its prompt has places for {len(videos)}; build it again"
        return
    text = processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    inputs = processor(
        text=[text], videos=[frames for frames, _ in videos], video_metadata=[metadata for _, metadata in videos],
        do_sample_frames=False, return_tensors="pt",
    )  # fmt: skip
    ids = inputs["input_ids"][0]
    patch = processor.video_processor.patch_size
    for (frames, _), (_, rows, columns) in zip(videos, inputs["video_grid_thw"].tolist(), strict=True):
        if (rows * patch, columns * patch) != tuple(frames.shape[-2:]):
            yield f"{name} is resized from {tuple(frames.shape[-2:])} to {(rows * patch, columns * patch)}; set data.videossr.max_pixels to a size that the processor keeps"
    times = [float(time) for time in re.findall(r"<([\d.]+) seconds>", processor.tokenizer.decode(ids))]
    expected_times = [time for video_times in info["frame_times"] for time in _pair_times(video_times)]
    if len(times) != len(expected_times) or any(abs(a - b) > 0.06 for a, b in zip(times, expected_times, strict=True)):
        yield f"{name} reaches the model with frame times {times[:4]}…, not {[round(time, 1) for time in expected_times[:4]]}…; is this a Qwen3-VL processor?"
    expected_tokens = prompt_tokens(processor, prompt, info["height"], info["width"])
    if len(ids) != expected_tokens:
        yield f"{name} has {len(ids)} tokens, {expected_tokens} were expected; is this a Qwen3-VL processor?"
    if len(ids) > config.data.max_prompt_length:
        yield f"{name} has {len(ids)} tokens; raise data.max_prompt_length={config.data.max_prompt_length}"


def _pair_times(frame_times: Sequence[float]) -> list[float]:
    """Mean time of each pair of frames, in seconds; an odd last frame is paired with itself."""
    times = [*frame_times, *frame_times[-1:]] if len(frame_times) % 2 else frame_times
    return [(times[index] + times[index + 1]) / 2 for index in range(0, len(times), 2)]
