"""Whether the reward service scores as the tasks here do."""

from __future__ import annotations

from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

from dataset_builder import tasks
from reward_service.clients import RewardClient, RewardError, item


def service_faults(config: DictConfig) -> Iterator[str]:
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
        answer = task.chance(task.params("medium"), 48).blind
        truth = answer.ground_truth()
        probes += [(task, truth, f"<answer>{answer.format()}</answer>"), (task, truth, "I cannot tell.")]
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
