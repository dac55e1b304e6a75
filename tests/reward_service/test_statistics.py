"""Group statistics: their arithmetic against plain Python, their bounds, and what `videossr diagnose` reads."""

from __future__ import annotations

import json
import tracemalloc
from collections import defaultdict
from pathlib import Path
from statistics import fmean, pstdev, pvariance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from dataset_builder.cli import main
from reward_service.monitoring.diagnose import diagnose
from reward_service.monitoring.monitor import Monitor
from reward_service.monitoring.rollout import Rollout, level_label, make_rollout
from reward_service.monitoring.statistics import BINS, Statistics
from reward_service.scoring.items import ExtraInfo, Item, Scored
from reward_service.scoring.score import score_item
from tests.servers import serving, stats

SCORES = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.917, 1.0])
MEMBERS = st.tuples(SCORES, st.sampled_from(["", "3,1,4", "2,2,2"]), st.sampled_from([None, True, False]))
GROUPS = st.lists(st.tuples(st.sampled_from(["counting", "jigsaw"]), st.sampled_from(["easy", "0.4"]), st.lists(MEMBERS, min_size=1, max_size=9)), min_size=1, max_size=12)  # fmt: skip


def rollouts(groups: Any) -> list[Rollout]:
    return [
        Rollout("run", f"g{g}", task, level, score, float(score == 1), parsed, blind, f"m{m}")
        for g, (task, level, members) in enumerate(groups)
        for m, (score, parsed, blind) in enumerate(members)
    ]


def by_hand(groups: Any) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for task, level in {(task, level) for task, level, _ in groups}:
        members = [members for *kind, members in groups if kind == [task, level]]
        scores = [[score for score, _, _ in group] for group in members]
        flat = [score for group in scores for score in group]
        several = [group for group in scores if len(group) > 1]
        blind = [b for group in members for _, _, b in group if b is not None]
        hits: dict[str, list[int]] = {}
        for group in several:
            hits.setdefault(str(len(group)), [0] * (len(group) + 1))[group.count(1.0)] += 1
        histogram = [0] * BINS
        for score in flat:
            histogram[min(BINS - 1, int(score * BINS))] += 1
        found[task][level] = {
            "rollouts": len(flat),
            "groups": len(several),
            "mean": fmean(flat),
            "std": pstdev(flat),
            "within_group_std": (sum(pvariance(group) * len(group) for group in scores) / len(flat)) ** 0.5,
            "exact": flat.count(1.0) / len(flat),
            "zero_variance": sum(max(g) == min(g) for g in several) / len(several) if several else None,
            "zero_variance_strict": sum(g.count(1.0) in (0, len(g)) for g in several) / len(several) if several else None,
            "unparseable": sum(parsed == "" for group in members for _, parsed, _ in group) / len(flat),
            "blind": sum(blind) / len(blind) if blind else None,
            "hits": hits,
            "histogram": histogram,
        }
    return found


def agree(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for task, levels in wanted.items():
        assert found[task].keys() == levels.keys()
        for level, values in levels.items():
            for key, value in values.items():
                assert found[task][level][key] == (pytest.approx(value, abs=1e-6) if isinstance(value, float) else value), key


@given(GROUPS)
def test_sums_agree_with_plain_arithmetic(groups: Any) -> None:
    statistics = Statistics(max_groups=1000)
    statistics.add(rollouts(groups))
    agree(statistics.summary()["run"], by_hand(groups))


@given(GROUPS, st.integers(1, 4))
def test_old_groups_stay_in_the_sums(groups: Any, keep: int) -> None:
    statistics = Statistics(keep)
    for rollout in rollouts(groups):
        statistics.add([rollout])
    agree(statistics.summary()["run"], by_hand(groups))


def test_a_repeated_rollout_counts_once() -> None:
    statistics = Statistics(10)
    for _ in range(3):
        statistics.add(rollouts([("counting", "easy", [(0.5, "1", None), (1.0, "2", None)])]))
    assert statistics.summary()["run"]["counting"]["easy"]["rollouts"] == 2


def test_the_most_frequent_answer_is_named() -> None:
    statistics = Statistics(10)
    statistics.add(rollouts([("counting", "easy", [(0.5, "3,3,3", None)] * 3 + [(1.0, "2", None), (0.0, "", None)])]))
    counting = statistics.summary()["run"]["counting"]["easy"]
    assert (counting["top_answer"], counting["top_answer_share"]) == ("3,3,3", 0.75)


def test_runs_are_told_apart() -> None:
    """Two runs with the same group keys; of a third, of which nothing is known, the newest stand first."""
    statistics = Statistics(100)
    for run, score in (("a", 1.0), ("b", 0.0)):
        statistics.add(Rollout(run, f"g{k // 4}", "t", "easy", score, score, "1", None, f"{k}") for k in range(40))
    summary = statistics.summary()
    assert list(summary) == ["b", "a"]
    for run, hits in (("a", [0, 0, 0, 0, 10]), ("b", [10, 0, 0, 0, 0])):
        assert summary[run]["t"]["easy"]["hits"] == {"4": hits}
        assert summary[run]["t"]["easy"]["zero_variance"] == 1


def test_space_is_bounded() -> None:
    """Different answers, groups of all sizes, one endless group, and a new run each 1,000 rollouts."""
    statistics = Statistics(max_groups=100)
    sizes = []
    tracemalloc.start()
    for start in range(0, 300_000, 1000):
        statistics.add(
            Rollout(f"r{start}", "all" if k % 2 else f"{k // 8}", "t", "easy", k % 7 / 7, 0.0, f"{k:060}", None, f"{k}")
            for k in range(start, start + 1000)
        )
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert len(statistics.summary()) == 50
    assert max(sizes[150:]) < 1.1 * max(sizes[100:150])
    assert max(sizes) < 20e6


def test_levels_are_few() -> None:
    assert [level_label(*one) for one in ((None, 0.61), (None, 2 / 3), ("hard", None), ("odd", 0.2), (None, "easy"), (None, None), ("x", "y"))] == [
        "0.6", "hard", "hard", "0.2", "easy", "unknown", "unknown",
    ]  # fmt: skip


@given(st.text(), st.text(), st.text())
def test_any_name_makes_a_short_rollout(group: str, name: str, parsed: str) -> None:
    scored = Scored(reward=0.5, score=0.5, exact=0, above_chance=0, parsed=parsed, reason="", task="t")
    made = make_rollout(
        Item(response="", ground_truth="", group=group, id=name, extra_info=ExtraInfo(blind_answer=parsed)), scored, group
    )
    assert len(made.group) <= 64
    assert made.id is not None
    assert len(made.id) <= 64
    assert len(made.run) <= 64
    assert len(made.parsed) <= 64
    assert made.blind is True


def test_a_look_after_many_rollouts(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for start in range(0, 800, 100):
            items = [
                {
                    "task": "counting",
                    "ground_truth": "3,1,4",
                    "response": f"3,1,{k % 8}",
                    "group": k // 8,
                    "id": k,
                    "extra_info": {"level": 1, "blind_answer": "3,1,1"},
                }
                for k in range(start, start + 100)
            ]
            server.post("/v1/score", {"items": items, "run": "exp7"})
        summary = server.get("/v1/stats").json()
        metrics = server.get("/metrics").text
    counting = summary["runs"]["exp7"]["counting"]["extreme"]
    assert (counting["rollouts"], counting["groups"], counting["zero_variance"], counting["blind"]) == (800, 100, 0, 0.125)
    assert counting["hits"] == {"8": [0, 100, 0, 0, 0, 0, 0, 0, 0]}
    assert sum(summary["items"]["counting"][outcome] for outcome in ("perfect", "partial")) == 800
    assert str(server.process.pid) in summary["process"]
    assert 'videossr_request_seconds_count{route="native",status="200"} 8.0' in metrics
    for name in ("videossr_in_flight_requests 0", "videossr_items_total"):
        assert name in metrics


def test_urls_name_runs(tmp_path: Path) -> None:
    """For trainers whose base URL is all that can be set; NeMo Gym's task index is a group of its run."""
    row = {
        "task": "counting",
        "ground_truth": "3,1,4",
        "_ng_task_index": 0,
        "responses_create_params": {},
        "response": {"output": [{"type": "message", "content": "3,1,4"}]},
    }
    with serving(tmp_path) as server:
        for run in ("a", "b"):
            for _ in range(3):
                assert server.post(f"/run/{run}/verify", row).json()["reward"] == 1
        server.post("/run/c/slime/counting", {"response": "3", "label": {"ground_truth": "3,1,4", "group": 1}})
        runs = stats(server)
    assert [(run, runs[run]["counting"]["unknown"]["rollouts"]) for run in runs] == [("c", 1), ("b", 3), ("a", 3)]


LINES = [
    *(
        {
            "task": "counting",
            "ground_truth": "3,1,4",
            "response": f"3,1,{k}",
            "group": "a",
            "extra_info": {"level_name": "easy"},
        }
        for k in range(8)
    ),
    *(
        {"input": "q", "output": "<answer>312</answer>", "gts": "312", "step": 1, "score": 1.0, "task": "jigsaw"}
        for _ in range(4)
    ),
    *({"task": "grounding", "score": 0.5, "exact": 0.0, "group": 1, "parsed": "1-2"} for _ in range(2)),
]


def test_diagnose_reads_items_dumps_and_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rollouts.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)))
    found = diagnose(path)
    assert found.rollouts == 14
    assert found.runs[""]["counting"]["easy"]["hits"] == {"8": [0, 1, 0, 0, 0, 0, 0, 0, 0]}
    assert found.runs[""]["jigsaw"]["unknown"]["zero_variance"] == 1
    assert found.runs[""]["grounding"]["unknown"]["mean"] == 0.5
    (tmp_path / "steps").mkdir()
    for step, lines in (("1", LINES[:8]), ("2", LINES[8:])):
        (tmp_path / "steps" / f"{step}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert diagnose(tmp_path / "steps") == found
    assert main(["diagnose", str(path), "--plot", str(tmp_path / "plot.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == json.loads(json.dumps(found.runs))
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert main(["diagnose", str(path)]) == 0
    assert "jigsaw" in capsys.readouterr().out


def test_diagnose_names_lines_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rollouts.jsonl"
    wrong = [
        "{",
        "3",
        '{"a": 1}',
        '{"response": "1", "ground_truth": "1", "task": "count", "group": 1}',
        json.dumps({**LINES[0], "group": None}),
    ]
    path.write_text("\n".join([*map(json.dumps, LINES), *wrong]))
    assert main(["diagnose", str(path)]) == 1
    errors = capsys.readouterr().err
    for number, message in (
        (15, "not valid JSON"),
        (16, "not a JSON object"),
        (17, "neither response"),
        (18, "is unknown"),
        (19, "no group"),
    ):
        assert f"line {number}: {message}" in errors or (f"line {number}: " in errors and message in errors)
    path.write_text("")
    assert main(["diagnose", str(path)]) == 2
    assert main(["diagnose", str(tmp_path / "none.jsonl")]) == 2


def test_diagnose_reads_what_the_service_logs(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    monitor = Monitor(max_groups=100, rollout_log=path)
    for run in ("a", "b"):
        items = [
            Item(
                task="counting",
                ground_truth="3,1,4",
                response=f"3,1,{k % 5}",
                group=k // 4,
                id=k,
                extra_info=ExtraInfo(level=0.61),
            )
            for k in range(12)
        ]
        monitor.record(items, [score_item(item) for item in items], run)
    assert "response" not in path.read_text()
    assert diagnose(path).runs == json.loads(monitor.summary())["runs"]
    assert list(diagnose(path).runs) == ["b", "a"]


def test_reading_metrics_changes_no_count() -> None:
    monitor = Monitor(max_groups=10)
    item = Item(task="count", ground_truth="1", response="1")
    monitor.record([item], [score_item(item)], "")
    before = monitor.summary()
    assert b'videossr_items_total{outcome="unknown_task",task=""} 1.0' in generate_latest(monitor.metrics.registry)
    monitor.record([], [], "")
    assert monitor.summary() == before
