"""The configuration against the installed verl, and the settings of the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file

from trainer.checks.memory import CARDS, Model, card_memory, memory_faults
from trainer.checks.settings import IGNORED, LEGACY, refused_keys, settings_faults
from trainer.config import compose
from trainer.config.compose import SHORT_NAMES, make_config, unknown_keys

from ..servers import ROOT

RUN = ("data=a folder", "model=Qwen/Qwen3-VL-8B-Instruct", "reward_url=http://a:8000,http://b:8000")
LIVE_RUN = ("data=live:videos", *RUN[1:])


def test_the_installed_verl_knows_all_our_keys() -> None:
    assert unknown_keys() == []


def test_a_key_that_verl_does_not_know_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in compose.CONFIG_FOLDER.rglob("*.yaml"):
        text = path.read_text().replace("kl_loss_coef:", "kl_loss_coefficient:").replace("test_freq:", "test_frequency:")
        copied = tmp_path / path.relative_to(compose.CONFIG_FOLDER)
        copied.parent.mkdir(exist_ok=True)
        copied.write_text(text)
    monkeypatch.setattr(compose, "CONFIG_FOLDER", tmp_path)
    assert unknown_keys() == ["actor_rollout_ref.actor.kl_loss_coefficient", "trainer.test_frequency"]


def test_the_default_settings_are_the_papers() -> None:
    config = make_config(RUN)
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    assert (config.algorithm.adv_estimator, actor.optim.lr, config.data.train_batch_size, rollout.n) == ("grpo", 1e-6, 64, 8)
    assert (actor.use_kl_loss, actor.kl_loss_coef, config.trainer.total_epochs) == (True, 1e-3, 1)
    assert (config.data.max_prompt_length, config.data.max_response_length, config.data.image_patch_size) == (8192, 2048, 16)
    assert (config.data.videossr.frames, config.data.videossr.max_pixels) == (48, 256 * 256)
    assert (rollout.name, config.trainer.n_gpus_per_node, config.trainer.v1.trainer_mode) == ("vllm", 8, "sync")
    assert config.trainer.v1.sampler.sync_refill_failed_groups
    assert config.data.train_files == "a folder"
    assert config.reward.custom_reward_function.reward_kwargs.url == "http://a:8000,http://b:8000"


def test_short_names_any_key_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in SHORT_NAMES.items():
        value = {"seed": "3", "steps": "7", "difficulty": "0.5"}.get(name, "x")
        run = LIVE_RUN if name in ("preset", "difficulty") else RUN
        others = [setting for setting in run if not setting.startswith(f"{name}=")]
        configured = str(OmegaConf.select(make_config([*others, f"{name}={value}"]), key))
        assert configured == (str(Path(value).absolute()) if name == "out" else value)
    monkeypatch.setenv("VIDEOSSR_REWARD_URL", "http://c:8000")
    config = make_config([*LIVE_RUN[:2], "actor_rollout_ref.rollout.n=4", "data.videossr.levels={low: 0.2}"])
    assert config.reward.custom_reward_function.reward_kwargs.url == "http://c:8000"
    assert (config.actor_rollout_ref.rollout.n, config.data.videossr.levels.low) == (4, 0.2)
    assert make_config(LIVE_RUN).data.shuffle is False
    assert make_config(RUN).trainer.total_epochs == 1
    assert make_config([*RUN, "steps=1000"]).trainer.total_epochs == 1000  # enough, as each epoch has at least one step
    assert make_config([*RUN, "actor_rollout_ref.rollout.name=sglang"], cpu=True).actor_rollout_ref.rollout.name == "sglang"


@pytest.mark.parametrize("recipe", compose.RECIPES)
def test_recipes_pass_the_installed_verls_checks(recipe: str) -> None:
    config = make_config([*RUN, f"recipe={recipe}", "actor_rollout_ref.rollout.name=transformers"])  # for LoRA verl asks vLLM
    assert not list(settings_faults(config))
    keys = [
        (key, value) for key, value in compose.flatten(OmegaConf.load(compose.CONFIG_FOLDER / "recipes" / f"{recipe}.yaml"))
    ]
    assert all(OmegaConf.select(config, key) == value for key, value in keys)
    plain = make_config(RUN)
    assert all(OmegaConf.select(plain, key) != value for key, value in keys), "what is the default already needs no line"


def test_recipes_add_up_and_settings_win() -> None:
    config = make_config([*RUN, "recipe=lora,dapo", "actor_rollout_ref.model.lora_rank=16"])
    actor = config.actor_rollout_ref.actor
    assert (config.actor_rollout_ref.model.lora_rank, actor.clip_ratio_high, actor.optim.lr) == (16, 0.28, 1e-5)


@pytest.mark.parametrize("name", ["live:/data/视频", "back\\slash", "with spaces, commas=", 'quo"te'])
def test_special_characters_in_values_are_kept(name: str) -> None:
    assert make_config([f"data={name}", *RUN[1:]]).data.train_files == name


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("actor_rollout_ref.rollout.name=sglang", "rollout.name=sglang is not allowed; allowed: vllm, transformers"),
        ("actor_rollout_ref.rollout.max_model_len=4096", "max_model_len=4096 must be 10240 or more"),
        ("actor_rollout_ref.actor.ppo_max_token_len_per_gpu=8192", "ppo_max_token_len_per_gpu=8192 must be 10240 or more"),
        ("trainer.test_freq=1", "validation on the training questions says nothing; set val_data="),
        ("trainer.v1.sampler.sampler_kwargs.filter_group_metric=acc", "filter_group_metric is unknown; allowed: train_batch"),
        ("trainer.v1.sampler.sync_refill_failed_groups=False", "sync_refill_failed_groups must be True"),
        ("actor_rollout_ref.actor.ppo_mini_batch_size=48", "ppo_mini_batch_size=48 must divide data.train_batch_size=64"),
        (
            "actor_rollout_ref.rollout={temperature: 0, val_kwargs: {do_sample: True}}",
            "verl rejects the configuration: validation",
        ),
        ("trainer.n_gpus_per_node=7", "cannot be split evenly over 7 GPUs"),
        ("actor_rollout_ref.rollout.n=1", "rollout.n must be 2 or more"),
    ],
)
def test_settings_that_would_be_ignored_or_fail_later_are_reported(setting: str, message: str) -> None:
    faults = list(settings_faults(make_config([*LIVE_RUN, setting])))
    assert any(message in fault for fault in faults), faults
    assert not list(settings_faults(make_config(RUN)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (RUN[:2], "reward_url=… is missing"),
        ((*LIVE_RUN, "difficulty=brutal"), "difficulty='brutal' is not a level; allowed: easy, medium"),
        ((*RUN, "steps=some"), "steps='some' is not allowed; allowed: an integer"),
        ((*RUN, "recipe=loar"), "recipe='loar' is unknown; allowed: dapo"),
        ((*RUN, "steps"), "'steps' is not allowed; allowed: key=value"),
        ((*RUN, "data.trian_batch_size=3"), "Could not override 'data.trian_batch_size'"),
        ((*RUN, "actor_rollout_ref.model.override_config.attn_implementation=sdpa"), "use +actor_rollout_ref"),
        ((*RUN, "data.videossrx=3"), "Could not override 'data.videossrx'"),
        ((*RUN, "preset=viubench"), "preset= is for live questions; data='a folder' has been built"),
        ((*RUN, "data.videossr.frames=8"), "data.videossr.frames= is for live questions"),
    ],
)
def test_wrong_settings_raise_a_one_line_error(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        make_config(settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("key", "why"), [*LEGACY.items(), *IGNORED.items()])
def test_keys_without_effect_are_rejected_by_name(key: str, why: str) -> None:
    [fault] = refused_keys([f"+{key}=1", *RUN])
    assert fault.startswith(f"{key} is a key of an earlier verl" if key in LEGACY else f"{key} would be ignored")
    assert why in fault


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adapter").mkdir()
    config = make_config(
        [*RUN, "out=here", "actor_rollout_ref.model.lora_adapter_path=adapter", "trainer.validation_data_dir=seen"]
    )
    assert config.trainer.rollout_data_dir == str(tmp_path / "here" / "rollouts"), "what `videossr diagnose` reads"
    assert config.trainer.validation_data_dir == str(tmp_path / "seen")
    assert config.actor_rollout_ref.model.lora_adapter_path == str(tmp_path / "adapter")
    assert make_config([*RUN, "trainer.rollout_data_dir=null"]).trainer.rollout_data_dir is None


def test_a_card_that_is_too_small_is_named() -> None:
    qwen3_vl_8b = Model(weights=8_767_123_696, cached_per_token=2 * 36 * 8 * 128 * 2)

    def faults(card: str, *settings: str) -> list[str]:
        return list(memory_faults(make_config([*RUN, *settings]), qwen3_vl_8b, CARDS[card]))

    assert not faults("H100")
    [whole_context] = faults("H100", "actor_rollout_ref.rollout.max_model_len=262144")
    assert "one request of max_model_len=262144 tokens 36.0" in whole_context
    assert not faults("H200", "actor_rollout_ref.rollout.max_model_len=262144")
    [one_card] = faults("H100", "trainer.n_gpus_per_node=1")
    assert "Adam's moments take 131 GiB on each of 1 cards of 79; use more cards, recipe=lora" in one_card
    assert len(faults("4090", "trainer.n_gpus_per_node=2")) == 2
    assert not faults("H100", "trainer.n_gpus_per_node=1", "actor_rollout_ref.model.lora_rank=32")
    with pytest.raises(ValueError, match=r"card='H1000' is unknown; allowed: H200.*did you mean 'H100'"):
        card_memory("H1000")
    assert card_memory("h100") == CARDS["H100"]


def test_a_checkpoints_memory_is_read_from_its_configuration(model: Path) -> None:
    weights = sum(len(tensor.flatten()) for tensor in load_file(model / "model.safetensors").values())
    assert Model.of(str(model)) == Model(weights, cached_per_token=2 * 2 * 2 * 32 * 2)


def test_qwen3_5_reads_prompts_as_qwen3_vl(built: Path, tmp_path: Path) -> None:
    from trainer.checks.questions import data_faults, load_processor
    from trainer.cpu.tiny_model import make_tiny_model

    make_tiny_model(tmp_path, hidden=64, family="qwen3_5")
    config = make_config([f"data={built}", f"model={tmp_path}", "reward_url=http://a:1", "data.train_batch_size=4"])
    faults: list[str] = []
    processor = load_processor(config, faults)
    assert not faults
    assert not list(data_faults(config, processor))
    assert Model.of(str(tmp_path)).cached_per_token == 2 * 1 * 2 * 32 * 2, "linear attention caches no tokens"


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainer", *arguments],
        cwd=ROOT, env={**os.environ, "VERL_USE_EXTERNAL_MODULES": "", "VERL_PLATFORM": ""}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_dry_run_reports_all_faults(built: Path, model: Path, tmp_path: Path) -> None:
    from ..servers import serving

    small = ("data.train_batch_size=4", "actor_rollout_ref.rollout.n=2", "--cpu", "--dry-run", "--json")
    with serving(tmp_path) as service:
        valid = cli(f"data={built}", f"model={model}", f"reward_url={service.url}", *small)
        wrong = cli(f"data={tmp_path}", f"model={tmp_path}", f"reward_url={service.url},http://127.0.0.1:9", *small)
        too_few = cli(f"data={built}", f"model={model}", f"reward_url={service.url}", *small, "data.image_patch_size=14", "data.train_batch_size=10")  # fmt: skip
    report = json.loads(valid.stdout)
    assert (valid.returncode, report["faults"], len(report["in_order"])) == (0, [], 4)
    assert report["config"]["data"]["train_batch_size"] == 4
    report = json.loads(wrong.stdout)
    assert wrong.returncode == 1
    assert [fault.split(" cannot")[0] for fault in report["faults"]] == [
        "the reward service at http://127.0.0.1:9", f"model={str(tmp_path)!r}",
    ]  # fmt: skip
    report = json.loads(too_few.stdout)
    assert [fault.split(";")[0].split(",")[0] for fault in report["faults"]] == [
        "data.image_patch_size=14", f"data={str(built)!r} has 9 questions",
    ]  # fmt: skip
    incomplete = cli(f"data={built}", "model=none")
    assert (incomplete.returncode, incomplete.stderr.splitlines()[-1]) == (2, "trainer: reward_url=… is missing; `python -m trainer --help` has examples")  # fmt: skip


def test_documented_commands_compose(tmp_path: Path) -> None:
    """Each `python -m trainer` command in the READMEs, the examples and --help, and each verl setting in the READMEs."""
    from trainer.__main__ import EXAMPLES

    pages = ROOT / "README.md", *ROOT.glob("*/README.md"), *(ROOT / "trainer" / "examples").glob("s[kl]*")
    text = "\n".join(path.read_text() for path in pages) + EXAMPLES
    for name, value in (("NUM_NODES", "2"), ("NUM_GPUS_PER_NODE", "8"), ("JOB_NUM_NODES", "2")):
        text = re.sub(rf"\$(SKYPILOT|SLURM)_{name}", value, text)
    text = text.replace('"$@"', "data=data/30k model=m")
    lines = [line for line in re.findall(r"python -m trainer( [^`\n]*=[^`\n]*)", text) if "…" not in line]
    commands = [line.partition("#")[0].split() for line in lines]
    assert len(commands) >= 5
    for words in commands:
        settings = [word for word in words if "=" in word and not word.startswith("-")]
        has_url = any(word.startswith("reward_url") for word in settings)
        make_config([*settings, *([] if has_url else ["reward_url=http://a:1"])])
    for keys in re.findall(r"`((?:trainer|data|actor_rollout_ref|reward|ray_kwargs)\.[\w.]+=[^`…\s]+(?: [\w.]+=\S+)*)`", text):
        make_config(["data=live:x", "model=m", "reward_url=http://a:1", *keys.split()])
