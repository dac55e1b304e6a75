"""What trainers call, against a real service: verl's function, TRL's, ms-swift's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reward_service.clients import RewardRefused, RewardUnavailable, trl, verl
from reward_service.clients.swift import VideoSSRReward
from tests.servers import Server, free_port

ROW = {"data_source": "videossr/counting", "ground_truth": "3,1,4", "extra_info": {"num_turns": np.int64(1), "level": 0.5}}


def test_verls_function(server: Server) -> None:
    async def both() -> list[Any]:
        calls = [
            verl.compute_score(solution_str=text, **ROW, url=server.url, reward_router_address=None)
            for text in ("3,1,5", "none")
        ]  # type: ignore[arg-type]
        return list(await asyncio.gather(*calls))

    scored, unparseable = asyncio.run(both())
    assert scored["score"] == pytest.approx(1 - 1 / 12, abs=1e-5)
    assert scored.keys() == unparseable.keys() == {"score", "exact", "above_chance", "parsed", "reason", "task"}
    with pytest.raises(RewardRefused, match="did you mean"):
        asyncio.run(verl.compute_score("jigsw", "1", "1", url=server.url))
    with pytest.raises(RewardUnavailable):
        asyncio.run(verl.compute_score("jigsaw", "1", "1", url=f"http://127.0.0.1:{free_port()}", attempts=1))


def test_an_older_trl_gets_no_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for version, leaves_out in (("1.5.0", False), ("0.29.1", False), ("1.6.0", True), ("2.0.0.dev0", True)):
        monkeypatch.setattr(trl, "version", lambda name, version=version: version)
        reward = trl.reward_function(url=server.url)
        columns = {"task": ["counting", "counting"], "ground_truth": ["3,1,4", "3"]}
        if leaves_out:
            assert reward(prompts=[], completions=["3,1,4"] * 2, **columns) == [1, None]
        else:
            with pytest.raises(RewardRefused):
                reward(prompts=[], completions=["3,1,4"] * 2, **columns)


def test_trls_function(server: Server) -> None:
    metrics: dict[str, float] = {}
    reward = trl.reward_function(url=server.url)
    columns = {"task": ["counting"] * 3, "ground_truth": ["3,1,4"] * 3, "extra_info": [{"index": 4}] * 3}
    chats = [[{"role": "assistant", "content": text}] for text in ("3,1,4", "3,1,5")] + [
        [{"role": "assistant", "content": [{"type": "text", "text": "?"}]}]
    ]
    state = SimpleNamespace(global_step=7)
    found = reward(prompts=[object()] * 3, completions=chats, completion_ids=[[1]] * 3, trainer_state=state,
                   log_extra=lambda name, values: None, log_metric=metrics.__setitem__, **columns)  # fmt: skip
    assert found == [1, pytest.approx(1 - 1 / 12, abs=1e-5), 0]
    assert metrics["videossr/failed"] == 0
    assert reward.__name__ == "videossr_reward"
    one_bad = {**columns, "ground_truth": ["3,1,4", "3", "3,1,4"]}
    assert reward(prompts=[], completions=["3,1,4"] * 3, **one_bad) == [1, None, 1]
    with pytest.raises(RewardRefused):
        reward(prompts=[], completions=["3,1,4"], task=["count"], ground_truth=["3,1,4"])
    down = trl.reward_function(url=f"http://127.0.0.1:{free_port()}", attempts=1)
    names = set(metrics)
    metrics.clear()
    columns = {"task": ["counting"], "ground_truth": ["3,1,4"], "log_metric": metrics.__setitem__}
    assert down(prompts=[], completions=["3,1,4"], **columns) == [None]
    assert set(metrics) == names, "TRL gathers from all processes, by name"
    with pytest.raises(ValueError, match="no column"):
        reward(prompts=[], completions=["1"], other=["x"])


class Trainer:
    """What TRL's trainer shows of itself: `log_metric` is its method."""

    def __init__(self, number: int) -> None:
        self.reward_funcs = [object()] * number

    def log_metric(self, name: str, value: float) -> None:
        pass


def test_trl_with_other_reward_functions_gets_no_none() -> None:
    """TRL sums over functions, and skips a None: beside another reward it would be a 0."""
    reward = trl.reward_function(url=f"http://127.0.0.1:{free_port()}", attempts=1)
    columns = {"task": ["counting"], "ground_truth": ["3,1,4"]}
    assert reward(prompts=[], completions=["3,1,4"], log_metric=Trainer(1).log_metric, **columns) == [None]
    with pytest.raises(RewardUnavailable):
        reward(prompts=[], completions=["3,1,4"], log_metric=Trainer(2).log_metric, **columns)


def test_chats_end_with_the_model() -> None:
    reward = trl.reward_function(url="http://127.0.0.1:1")
    shown = {"role": "user", "content": "For example <answer>3,1,4</answer>"}
    for chat, message in (
        ([], "ends with the model's message"),
        ([{"role": "assistant", "content": "?"}, shown], "of role 'user'"),
        ([{"role": "assistant", "content": [{"type": "output_text", "content": "3,1,4"}]}], "no part"),
    ):
        with pytest.raises(ValueError, match=message):
            reward(prompts=[], completions=[chat], task=["counting"], ground_truth=["3,1,4"])


def test_swifts_class(server: Server) -> None:
    reward = VideoSSRReward(SimpleNamespace(), url=server.url)
    columns = {"data_source": ["videossr/counting"], "reward_model": [{"ground_truth": "3,1,4"}]}
    assert reward(["3,1,4"], **columns) == [1]
    with pytest.raises(RewardRefused):
        reward(["3,1,4"], data_source=["x"], solution=["1"])
