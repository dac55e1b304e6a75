"""Group statistics: their arithmetic against plain Python, their bounds, and that all workers share them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean, pstdev, pvariance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.cli import main
from reward_service.diagnose import diagnose
from reward_service.items import ExtraInfo, Item, Scored
from reward_service.rollouts import Rollout, level_label, to_rollout
from reward_service.stats import BINS, GroupStats
from tests.servers import serving

SCORES = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.917, 1.0])
MEMBERS = st.tuples(SCORES, st.sampled_from(["", "3,1,4", "2,2,2"]), st.sampled_from([None, True, False]))
GROUPS = st.lists(st.tuples(st.sampled_from(["counting", "jigsaw"]), st.sampled_from(["easy", "0.4"]), st.lists(MEMBERS, min_size=1, max_size=9)), min_size=1, max_size=12)  # fmt: skip


def rollouts(groups: Any) -> list[Rollout]:
    return [
        Rollout(f"g{g}", f"m{m}", task, level, score, float(score == 1), parsed, blind)
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
    stats = GroupStats()
    stats.write(rollouts(groups))
    agree(stats.summarize(), by_hand(groups))


@given(GROUPS, st.integers(1, 4))
def test_folding_old_groups_changes_no_sum(groups: Any, keep: int) -> None:
    stats = GroupStats(max_groups=keep, fold_every=1)
    for rollout in rollouts(groups):
        stats.write([rollout])
    agree(stats.summarize(), by_hand(groups))
    assert stats._db.execute("SELECT count(*) FROM open_group").fetchone()[0] <= keep * 1.05 + 1


def test_a_repeated_rollout_counts_once() -> None:
    stats = GroupStats()
    one = rollouts([("counting", "easy", [(0.5, "1", None), (1.0, "2", None)])])
    for _ in range(3):
        stats.write(one)
    assert stats.summarize()["counting"]["easy"]["rollouts"] == 2


def test_the_most_frequent_answer_is_named() -> None:
    stats = GroupStats()
    stats.write(rollouts([("counting", "easy", [(0.5, "3,3,3", None)] * 3 + [(1.0, "2", None), (0.0, "", None)])]))
    found = stats.summarize()["counting"]["easy"]
    assert (found["top_answer"], found["top_answer_share"]) == ("3,3,3", 0.75)


def test_space_is_bounded(tmp_path: Path) -> None:
    stats = GroupStats(tmp_path / "groups.sqlite", max_groups=100)
    sizes = []
    for start in range(0, 100_000, 500):
        stats.write(
            [Rollout(f"{k // 8}", f"{k}", "t", "easy", k % 7 / 7, 0.0, f"{k:060}", None) for k in range(start, start + 500)]
        )
        sizes.append((tmp_path / "groups.sqlite").stat().st_size)
    assert stats.summarize()["t"]["easy"]["rollouts"] == 100_000
    assert max(sizes) < 500_000 < 100_000 * 60  # the texts alone


def test_record_returns_when_its_rollouts_are_committed(tmp_path: Path) -> None:
    path = tmp_path / "groups.sqlite"
    writer, reader = GroupStats(path, 100), GroupStats(path, 100)

    async def one(k: int) -> None:
        await writer.record([Rollout(f"g{k // 4}", f"{k}", "t", "easy", 0.5, 0.0, "1", None)])
        db = sqlite3.connect(path)
        assert db.execute("SELECT count(*) FROM rollout WHERE id = ?", (str(k),)).fetchone() == (1,)

    async def many() -> None:
        await asyncio.gather(*(one(k) for k in range(200)))

    asyncio.run(many())
    assert reader.summarize()["t"]["easy"]["rollouts"] == 200


def test_a_writer_that_fails_keeps_nobody_waiting(tmp_path: Path) -> None:
    lost: list[tuple[int, str]] = []
    stats = GroupStats(tmp_path / "groups.sqlite", on_lost=lambda rollouts, error: lost.append((rollouts, str(error))))
    good = Rollout("g", "a", "t", "easy", 0.5, 0.0, "1", None)

    async def record() -> None:
        await stats.record([good._replace(parsed="\ud83d")] * 2)
        await stats.record([good])

    asyncio.run(asyncio.wait_for(record(), 20))
    [(rollouts, reason)] = lost
    assert rollouts == 2
    assert "surrogates" in reason
    assert stats.summarize()["t"]["easy"]["rollouts"] == 1


def test_an_event_loop_that_ends_leaves_no_trace(tmp_path: Path) -> None:
    stats = GroupStats(tmp_path / "groups.sqlite", commit_timeout=0.2)
    other = sqlite3.connect(tmp_path / "groups.sqlite", isolation_level=None)

    async def record(k: int) -> None:
        await stats.record([Rollout("g", f"{k}", "t", "easy", 0.5, 0.0, "1", None)])

    asyncio.run(record(0))
    other.execute("BEGIN IMMEDIATE")
    asyncio.run(record(1))
    other.execute("ROLLBACK")
    for k in (2, 3):
        asyncio.run(record(k))
    stats.close()
    assert other.execute("SELECT count(*) FROM rollout").fetchone() == (4,)


def test_levels_are_few() -> None:
    assert [level_label(*one) for one in ((None, 0.61), (None, 2 / 3), ("hard", None), ("odd", 0.2), (None, "easy"), (None, None), ("x", "y"))] == [
        "0.6", "hard", "hard", "0.2", "easy", "unknown", "unknown",
    ]  # fmt: skip


@given(st.text(), st.text(), st.text())
def test_any_name_makes_a_short_rollout(group: str, name: str, parsed: str) -> None:
    scored = Scored(score=0.5, exact=0, above_chance=0, parsed=parsed, reason="", task="t")
    made = to_rollout(
        Item(response="", ground_truth="", group=group, id=name, extra_info=ExtraInfo(blind_answer=parsed)), scored
    )
    assert len(made.group) <= 64
    assert len(made.id) <= 64
    assert len(made.parsed) <= 64
    assert made.blind is True


def test_workers_share_statistics_and_counts(tmp_path: Path) -> None:
    with serving(tmp_path, workers=3) as server:

        def send(k: int) -> str:
            item = {
                "task": "counting",
                "ground_truth": "3,1,4",
                "response": f"3,1,{k % 8}",
                "group": k // 8,
                "id": k,
                "extra_info": {"level": 1, "blind_answer": "3,1,1"},
            }
            return server.post("/v1/score", {"items": [item]}, headers={"connection": "close"}).json()["results"][0]["parsed"]  # type: ignore[no-any-return]

        with ThreadPoolExecutor(16) as pool:
            assert len(list(pool.map(send, range(800)))) == 800
        stats = [server.get("/v1/stats", headers={"connection": "close"}).json() for _ in range(6)]
        metrics = server.get("/metrics").text
    assert all(one == stats[0] for one in stats)
    found = stats[0]["tasks"]["counting"]["extreme"]
    assert (found["rollouts"], found["groups"], found["zero_variance"], found["blind"]) == (800, 100, 0, 0.125)
    assert found["hits"] == {"8": [0, 100, 0, 0, 0, 0, 0, 0, 0]}
    assert sum(stats[0]["items"]["counting"][outcome] for outcome in ("perfect", "partial")) == 800
    assert 'videossr_request_seconds_count{route="native",status="200"} 800.0' in metrics
    for name in (
        "videossr_in_flight_requests",
        "videossr_queued_items",
        "videossr_event_loop_lag_seconds",
        "videossr_items_total",
    ):
        assert name in metrics


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
    assert found.tasks["counting"]["easy"]["hits"] == {"8": [0, 1, 0, 0, 0, 0, 0, 0, 0]}
    assert found.tasks["jigsaw"]["unknown"]["zero_variance"] == 1
    assert found.tasks["grounding"]["unknown"]["mean"] == 0.5
    (tmp_path / "steps").mkdir()
    for step, lines in (("1", LINES[:8]), ("2", LINES[8:])):
        (tmp_path / "steps" / f"{step}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert diagnose(tmp_path / "steps") == found
    assert main(["diagnose", str(path), "--plot", str(tmp_path / "plot.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == json.loads(json.dumps(found.tasks))
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
