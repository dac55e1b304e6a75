"""The configuration against the installed verl, and what the command line may say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from trainer import configuration
from trainer.configuration import SHORT, make_config, unknown_keys
from trainer.preflight import LEGACY, _batch_faults, legacy_faults

from ..servers import ROOT

RUN = ("data=a folder", "model=Qwen/Qwen3-VL-8B-Instruct", "reward_url=http://a:8000,http://b:8000")
LIVE_RUN = ("data=live:videos", *RUN[1:])


def test_the_installed_verl_knows_every_key_of_ours() -> None:
    assert unknown_keys() == []


def test_a_key_that_verl_does_not_know_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in configuration.FOLDER.iterdir():
        text = path.read_text().replace("kl_loss_coef:", "kl_loss_coefficient:").replace("test_freq:", "test_frequency:")
        (tmp_path / path.name).write_text(text)
    monkeypatch.setattr(configuration, "FOLDER", tmp_path)
    assert unknown_keys() == ["actor_rollout_ref.actor.kl_loss_coefficient", "trainer.test_frequency"]


def test_the_paper_s_run() -> None:
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
    for name, key in SHORT.items():
        value = {"seed": "3", "steps": "7", "difficulty": "0.5"}.get(name, "x")
        given = [one for one in (LIVE_RUN if name in ("preset", "difficulty") else RUN) if not one.startswith(f"{name}=")]
        made = str(OmegaConf.select(make_config([*given, f"{name}={value}"]), key))
        assert made == (str(Path(value).absolute()) if name == "out" else value)
    monkeypatch.setenv("VIDEOSSR_REWARD_URL", "http://c:8000")
    config = make_config([*LIVE_RUN[:2], "actor_rollout_ref.rollout.n=4", "data.videossr.levels={low: 0.2}"])
    assert config.reward.custom_reward_function.reward_kwargs.url == "http://c:8000"
    assert (config.actor_rollout_ref.rollout.n, config.data.videossr.levels.low) == (4, 0.2)
    assert make_config(LIVE_RUN).data.shuffle is False
    assert make_config(RUN).trainer.total_epochs == 1
    assert make_config([*RUN, "steps=1000"]).trainer.total_epochs == 1000  # at most: each pass has a step
    assert make_config([*RUN, "actor_rollout_ref.rollout.name=sglang"], cpu=True).actor_rollout_ref.rollout.name == "sglang"


@pytest.mark.parametrize("name", ["live:/data/视频", "back\\slash", "with spaces, commas=", 'quo"te'])
def test_any_text_is_taken_as_it_is(name: str) -> None:
    assert make_config([f"data={name}", *RUN[1:]]).data.train_files == name


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("trainer.test_freq=1", "live questions cannot be validated on"),
        ("algorithm.filter_groups={enable: True, metric: acc}", "sampler_kwargs.filter_groups_metric=exact"),
        ("trainer.v1.sampler.sampler_kwargs.filter_group_metric=acc", "filter_group_metric is unknown; allowed: train_batch"),
        ("trainer.v1.sampler.sync_refill_failed_groups=False", "sync_refill_failed_groups must be True"),
        ("actor_rollout_ref.actor.ppo_mini_batch_size=128", "verl refuses the configuration: train_batch_size (64)"),
        ("trainer.n_gpus_per_node=7", "cannot be shared by 7 GPUs"),
        ("actor_rollout_ref.rollout.n=1", "rollout.n must be 2 or more"),
    ],
)
def test_settings_that_would_be_ignored_or_fail_later_are_told(more: str, said: str) -> None:
    faults = list(_batch_faults(make_config([*LIVE_RUN, more])))
    assert any(said in fault for fault in faults), faults
    assert not list(_batch_faults(make_config(RUN)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (RUN[:2], "reward_url=… is missing"),
        ((*LIVE_RUN, "difficulty=brutal"), "difficulty='brutal' is not a level; allowed: easy, medium"),
        ((*RUN, "steps=some"), "steps='some' is not allowed; allowed: an integer"),
        ((*RUN, "steps"), "'steps' is not allowed; allowed: key=value"),
        ((*RUN, "data.trian_batch_size=3"), "Could not override 'data.trian_batch_size'"),
        ((*RUN, "actor_rollout_ref.model.override_config.attn_implementation=sdpa"), "use +actor_rollout_ref"),
        ((*RUN, "data.videossrx=3"), "Could not override 'data.videossrx'"),
        ((*RUN, "preset=viubench"), "preset= is for live questions; data='a folder' has been built"),
        ((*RUN, "data.videossr.frames=8"), "data.videossr.frames= is for live questions"),
    ],
)
def test_what_cannot_be_composed_is_told_in_a_line(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        make_config(given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("old", LEGACY)
def test_legacy_keys_are_refused_by_name(old: str) -> None:
    [fault] = legacy_faults([f"+{old}=1", *RUN])
    assert fault.startswith(f"{old} is a key of an earlier verl")
    assert LEGACY[old] in fault


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainer", *arguments],
        cwd=ROOT, env={**os.environ, "VERL_USE_EXTERNAL_MODULES": "", "VERL_PLATFORM": ""}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_dry_run_says_all_that_is_wrong(built: Path, model: Path, tmp_path: Path) -> None:
    from ..servers import serving

    small = ("data.train_batch_size=4", "actor_rollout_ref.rollout.n=2", "--cpu", "--dry-run", "--json")
    with serving(tmp_path) as service:
        well = cli(f"data={built}", f"model={model}", f"reward_url={service.url}", *small)
        wrong = cli(f"data={tmp_path}", f"model={tmp_path}", f"reward_url={service.url},http://127.0.0.1:9", *small)
        few = cli(f"data={built}", f"model={model}", f"reward_url={service.url}", *small, "data.image_patch_size=14", "data.train_batch_size=10")  # fmt: skip
    told = json.loads(well.stdout)
    assert (well.returncode, told["faults"], len(told["in_order"])) == (0, [], 4)
    assert told["config"]["data"]["train_batch_size"] == 4
    told = json.loads(wrong.stdout)
    assert wrong.returncode == 1
    assert [fault.split(" cannot")[0] for fault in told["faults"]] == [
        "the reward service at http://127.0.0.1:9", f"model={str(tmp_path)!r}",
    ]  # fmt: skip
    told = json.loads(few.stdout)
    assert [fault.split(";")[0].split(",")[0] for fault in told["faults"]] == [
        "data.image_patch_size=14", f"data={str(built)!r} has 9 questions",
    ]  # fmt: skip
    without = cli(f"data={built}", "model=none")
    assert (without.returncode, without.stderr.splitlines()[-1]) == (2, "trainer: reward_url=… is missing; `python -m trainer --help` has examples")  # fmt: skip


def test_what_the_documents_show_composes(tmp_path: Path) -> None:
    """Each `python -m trainer` of README and of --help, with verl's keys."""
    from trainer.__main__ import EXAMPLES

    text = (ROOT / "README.md").read_text() + EXAMPLES
    commands = [line.partition("#")[0].split() for line in re.findall(r"python -m trainer( .*=.*)", text)]
    assert len(commands) >= 5
    for words in commands:
        given = [word for word in words if "=" in word and not word.startswith("-")]
        make_config([*given, *([] if any(word.startswith("reward_url") for word in given) else ["reward_url=http://a:1"])])
    for key in re.findall(r"`((?:trainer|data|actor_rollout_ref|reward|ray_kwargs)\.[\w.]+=[^`…\s]+(?: [\w.]+=\S+)*)`", text):
        make_config(["data=live:x", "model=m", "reward_url=http://a:1", *key.split()])
