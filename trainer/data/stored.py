"""The questions of a build: in a folder that `videossr build` wrote, or on the Hub, where `videossr push` uploaded them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dataset_builder.storage.folder import Folder
from dataset_builder.storage.stored_videos import StoredVideos
from dataset_builder.storage.summary import SUMMARY, Summary
from dataset_builder.tasks import UsageError

from .question import to_verl
from .spread import spread

_INFO = ("index", "split", "portion", "task", "level", "level_name", "params", "metric", "seed", "source", "width", "height", "frame_times", "end_times", "chance", "chance_exact")  # fmt: skip
_COLUMNS = ["data_source", "prompt", "ability", "reward_model", *(f"extra_info.{name}" for name in _INFO)]


class StoredQuestions:
    """Holds the rows in memory without their videos, about 2 kB each. Videos are read when a rollout needs them."""

    def __init__(self, name: str) -> None:
        """
        Args:
            name: a build's folder (a local path or a remote URL), or a dataset on the Hub as `owner/name`.

        Raises:
            UsageError: if there is no build, or it is not finished.
        """
        self._rows: list[dict[str, Any]] = []
        self._videos: list[StoredVideos] = []
        folder = open_build(name)
        for shard in _shards(folder, name):
            with folder.open(shard) as file, pq.ParquetFile(file) as parquet:
                paths = {column.path for column in parquet.schema}
                for column in _COLUMNS:
                    if not any(path == column or path.startswith(f"{column}.") for path in paths):
                        raise UsageError(f"data={name!r} is not a build: {shard} has no column {column}")
                for group in range(parquet.num_row_groups):
                    rows = parquet.read_row_group(group, _COLUMNS).to_pylist()
                    self._rows += rows
                    self._videos += [StoredVideos(folder.url, shard, group, row) for row in range(len(rows))]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return to_verl(self._rows[index], self._videos[index])

    def filter(self, accepts: Callable[[dict[str, Any]], bool]) -> int:
        """Drop all questions for which `accepts` is False. Returns how many were dropped."""
        indices = [index for index in range(len(self)) if accepts(self[index])]
        dropped = len(self) - len(indices)
        self._keep(indices)
        return dropped

    def choose(self, count: int, seed: int) -> None:
        """Keep at most `count` questions, spread over portions and sources."""
        infos = [row["extra_info"] for row in self._rows]
        self._keep(spread([(info["portion"], info["source"]) for info in infos], count, seed))

    def _keep(self, indices: Sequence[int]) -> None:
        self._rows, self._videos = [self._rows[index] for index in indices], [self._videos[index] for index in indices]


def open_build(name: str) -> Folder:
    """The folder of a build; one on the Hub is fetched, or brought up to date.

    Raises:
        UsageError: if there is none.
    """
    folder = Folder.of(name)
    if folder.is_remote or folder.path.is_dir():
        return folder
    if name.count("/") == 1:
        return Folder.of(_download(name))
    raise UsageError(f"data={name!r} is neither a folder nor a dataset on the Hub (owner/name), nor live:VIDEOS")


def _shards(folder: Folder, name: str) -> list[str]:
    summary = Summary.read(folder)
    if summary and not summary.finished:
        raise UsageError(f"the build in {name!r} is not finished; run its command again")
    shards = [shard for shard in folder.names("data/") if shard.endswith(".parquet")]
    if not shards:
        raise UsageError(f"data={name!r} holds no build (data/*.parquet); create one with `videossr build … --out {name}`")
    return shards


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, repo_type="dataset", allow_patterns=["data/**", SUMMARY]))
    except RepositoryNotFoundError:
        raise UsageError(f"data={name!r} is not a local folder, nor a dataset on the Hub that this token can read") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UsageError(f"data={name!r} is not a local folder, and the Hub cannot be reached: {error}") from None
