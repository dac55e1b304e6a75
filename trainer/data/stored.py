"""The questions of a build: on disk as `videossr build` leaves it, or on the Hub as `videossr push` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dataset_builder.storage.folder import Folder
from dataset_builder.storage.stored_videos import StoredVideos
from dataset_builder.storage.summary import SUMMARY, Summary
from dataset_builder.tasks import UsageError

from .question import to_verl

_INFO = ("index", "split", "portion", "task", "level", "level_name", "params", "metric", "seed", "source", "width", "height", "frame_times", "end_times", "chance", "chance_exact")  # fmt: skip
_COLUMNS = ["data_source", "prompt", "ability", "reward_model", *(f"extra_info.{name}" for name in _INFO)]


class StoredQuestions:
    """Rows without their videos in memory, some 2 kB each; videos are read when a rollout needs them."""

    def __init__(self, name: str) -> None:
        """
        Args:
            name: a build's folder, here or in a store, or a dataset of the Hub as `owner/name`.

        Raises:
            UsageError: if there is no finished build.
        """
        self._rows: list[dict[str, Any]] = []
        self._videos: list[StoredVideos] = []
        folder = _folder(name)
        for shard in _shards(folder, name):
            with folder.open(shard) as file, pq.ParquetFile(file) as parquet:
                columns = {column.path for column in parquet.schema}
                lacking = [name for name in _COLUMNS if not any(one == name or one.startswith(f"{name}.") for one in columns)]
                if lacking:
                    raise UsageError(f"data={name!r} is no build: {shard} has no column {lacking[0]}")
                for group in range(parquet.num_row_groups):
                    rows = parquet.read_row_group(group, _COLUMNS).to_pylist()
                    self._rows += rows
                    self._videos += [StoredVideos(folder.url, shard, group, row) for row in range(len(rows))]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: int) -> dict[str, Any]:
        return to_verl(self._rows[at], self._videos[at])

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> int:
        """Drop questions that are not wanted; gives their number."""
        kept = [at for at in range(len(self)) if wanted(self[at])]
        dropped = len(self) - len(kept)
        self._rows, self._videos = [self._rows[at] for at in kept], [self._videos[at] for at in kept]
        return dropped


def _folder(name: str) -> Folder:
    folder = Folder.of(name)
    if folder.is_remote or folder.path.is_dir():
        return folder
    if name.count("/") == 1:
        return Folder.of(_downloaded(name))
    raise UsageError(f"data={name!r} is neither a folder nor a dataset of the Hub (owner/name), nor live:VIDEOS")


def _shards(folder: Folder, name: str) -> list[str]:
    summary = Summary.read(folder)
    if summary and not summary.finished:
        raise UsageError(f"the build in {name!r} is not finished; run its command again")
    shards = [shard for shard in folder.names("data/") if shard.endswith(".parquet")]
    if not shards:
        raise UsageError(f"data={name!r} holds no build (data/*.parquet); `videossr build … --out {name}` makes one")
    return shards


def _downloaded(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, repo_type="dataset", allow_patterns=["data/**", SUMMARY]))
    except RepositoryNotFoundError:
        raise UsageError(f"data={name!r} is no folder here and no dataset of the Hub that this token may read") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UsageError(f"data={name!r} is no folder here, and the Hub cannot be asked: {error}") from None
