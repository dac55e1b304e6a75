"""Which video gives which question: fixed presets never change, and any part of a plan is had without the rest."""

from __future__ import annotations

import pickle
from dataclasses import asdict

import pytest

from dataset_builder.identity import digest
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.dealing import deal
from dataset_builder.questions.job import Job
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.sources.source import Source
from dataset_builder.storage.shards import plan_shards

GOLDEN = {
    ("viubench", None, 25): "4b03bbb6f387b5ff2fce",
    ("videossr-30k", None, 300): "b8f5d885872cbfeb3baf",
    ("videossr-30k", 100, 1000): "e1512c6c11afbfaca329",
    ("jigsaw", None, 7): "720bec53ca05620a6dbc",
}


@pytest.mark.parametrize("key", GOLDEN)
def test_plans_do_not_change(key: tuple[str, int | None, int]) -> None:
    preset, samples, videos = key
    assert digest([asdict(unit) for unit in deal(BuildSpec(preset, samples=samples), videos)]) == GOLDEN[key]


@pytest.mark.parametrize("videos", [1, 7, 40, 900])
def test_any_part_is_the_same_as_in_the_whole(videos: int) -> None:
    plan = deal(BuildSpec("videossr-30k", samples=300), videos)
    items = [item for unit in plan for item in unit.items]
    assert [item.index for item in items] == list(range(300))
    for start in range(0, 300, 37):
        assert [item for unit in plan.between(start, start + 50) for item in unit.items] == items[start : start + 50]


def test_a_plan_of_any_size_is_at_hand() -> None:
    plan = deal(BuildSpec("videossr-30k", samples=10**12), 10**6)
    assert [item.index for unit in plan.between(10**11, 10**11 + 3) for item in unit.items] == [10**11 + k for k in range(3)]


def test_the_shards_of_a_large_build_hold_no_items() -> None:
    sources = tuple(Source(f"{k}.mp4", f"/{k}.mp4", fingerprint=str(k)) for k in range(50))
    shards = plan_shards(Job(BuildSpec("videossr-30k", samples=20_000), "train", sources, ClipCache.of("")))
    assert sum(shard.items for shard in shards) == 20_000
    assert [item.index for shard in shards[:3] for unit in shard.units for item in unit.items] == list(range(300))
    assert all(len(pickle.dumps(shard)) < 600 for shard in shards)
