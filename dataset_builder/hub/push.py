"""Puts a build on the Hub, or goes on where an earlier push was cut off.

A few files are written, uploaded and committed at a time, the card last; what the Hub has already is not sent again.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.parquet as pq
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetCard, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import logging
from huggingface_hub.utils.tqdm import disable_progress_bars

from ..errors import BuildError
from ..gallery.contact_sheet import row_sheet, write_picture
from ..progress import Progress, no_progress
from ..storage.shards import DATA, ROWS_PER_GROUP
from ..storage.stored_build import Build
from ..storage.summary import MANIFEST, SUMMARY, Summary
from ..tasks import UsageError
from .card import make_card
from .files import cut_files, digest_row, file_names

DIGESTS = "rows.jsonl"
SHEETS = "sheets"
SAMPLES = 4
FILES_PER_COMMIT = 8  # so many stand on the disk at a time


def push(
    build: Build,
    repo: str,
    *,
    license: str | None = None,
    source_datasets: Sequence[str] = (),
    public: bool = False,
    force: bool = False,
    token: str | None = None,
    progress: Progress = no_progress,
) -> str:
    """Push a build; gives its address.

    Args:
        repo: `owner/name`; made, private, if it is not there.
        license: of the dataset; None for what the card that is there says.
        source_datasets: names of the datasets that the videos come from.
        public: whether a new repository is.
        force: replace another dataset that stands there.
        token: the Hub's; None for the one that is logged in.
        progress: called with (files uploaded, files in all).

    Raises:
        UsageError: for bad arguments, and for a repository that holds something else.
        BuildError: if the Hub refuses, or cannot be reached.
    """
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise UsageError(f"repo={repo!r} names no owner; write it as owner/name")
    api = HfApi(token=token)
    with explained(repo):
        there = _files_there(api, repo)
        _check_free(api, repo, there, build, force)
        card_there = DatasetCard(read_file(api, repo, "README.md")) if "README.md" in there else None
        with tempfile.TemporaryDirectory(prefix="videossr-push-") as folder:
            sheets = _draw(build, Path(folder))
            card = make_card(
                build, repo, card_there, license=license, source_datasets=source_datasets, sheets=[name for name, _ in sheets]
            )
            api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
            total = sum(map(len, file_names(build).values()))
            # the summary comes first: it says whose a half-pushed repository is
            _commit(api, repo, [_copy(build, SUMMARY)], f"Begin to push {build.rows} rows")
            sent = _upload(api, repo, build, Path(folder), total, progress)
            stale = [name for name in there if _is_stale(name, sent | {name for name, _ in sheets}, force)]
            _commit(
                api,
                repo,
                [
                    _copy(build, MANIFEST),
                    CommitOperationAdd(DIGESTS, Path(folder) / DIGESTS),
                    *(CommitOperationAdd(name, path) for name, path in sheets),
                    CommitOperationAdd("README.md", str(card).encode()),
                    *(CommitOperationDelete(name) for name in stale),
                ],
                f"Push {build.rows} rows",
            )
    return f"{api.endpoint}/datasets/{repo}"


def quietly() -> None:
    """Leave telling to `progress`: the Hub's library would draw a bar for each file."""
    disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def read_file(api: HfApi, repo: str, name: str) -> str:
    """A small file of a dataset repository, as it is now."""
    return Path(api.hf_hub_download(repo, name, repo_type="dataset")).read_text()


def _files_there(api: HfApi, repo: str) -> list[str]:
    try:
        return api.list_repo_files(repo, repo_type="dataset")
    except RepositoryNotFoundError:
        return []


def _check_free(api: HfApi, repo: str, there: Sequence[str], build: Build, force: bool) -> None:
    """Refuse a repository that holds something else."""
    data = [name for name in there if name not in (".gitattributes", "README.md")]
    if not data or force:
        return
    if SUMMARY in there and Summary.parse(read_file(api, repo, SUMMARY), repo).identity == build.summary.identity:
        return
    kind = "another build" if SUMMARY in there else f"something else ({data[0]}, …)"
    raise UsageError(f"{repo} holds {kind}; give another name, or --force to replace it")


def _draw(build: Build, folder: Path) -> list[tuple[str, Path]]:
    """Contact sheets of the first rows of each portion in turn, the first portion of every task before its others."""
    rows = build.summary.report["rows"]
    turns: dict[str, int] = {}
    seen: Counter[str] = Counter()
    for portion in rows:
        task = build.summary.portions[portion]["task"]
        turns[portion] = seen[task]
        seen[task] += 1
    portions = sorted(rows, key=lambda portion: turns[portion])
    sheets_left = {portion: (SAMPLES + len(portions) - 1 - k) // len(portions) for k, portion in enumerate(portions)}
    sheets: list[tuple[str, Path]] = []
    (folder / SHEETS).mkdir()
    for batch in build.batches():
        for at, info in enumerate(batch["extra_info"].to_pylist()):
            if sheets_left.get(info["portion"], 0) > 0:
                sheets_left[info["portion"]] -= 1
                name = f"{SHEETS}/{info['portion']}-{info['index']}.jpg"
                write_picture(str(folder / name), row_sheet(batch.slice(at, 1).to_pylist()[0]))
                sheets.append((name, folder / name))
        if not any(sheets_left.values()):
            break
    return sheets


def _upload(api: HfApi, repo: str, build: Build, folder: Path, total: int, progress: Progress) -> set[str]:
    """Upload the data files, and write the rows' digests; gives the files' names."""
    sent: set[str] = set()
    progress(0, total)
    with (folder / DIGESTS).open("w") as digests:
        files_to_send = cut_files(build, folder)
        while files := list(islice(files_to_send, FILES_PER_COMMIT)):
            for _, path in files:
                with pq.ParquetFile(path) as file:
                    rows = (row for batch in file.iter_batches(ROWS_PER_GROUP) for row in batch.to_pylist())
                    digests.writelines(json.dumps(asdict(digest_row(row))) + "\n" for row in rows)
            additions = [CommitOperationAdd(name, path) for name, path in files]
            _commit(api, repo, additions, f"Files {len(sent) + 1} to {len(sent) + len(files)} of {total}")
            for name, path in files:
                path.unlink()
                sent.add(name)
            progress(len(sent), total)
    return sent


def _copy(build: Build, name: str) -> CommitOperationAdd:
    return CommitOperationAdd(name, (build.folder.read_text(name) or "").encode())


def _is_stale(name: str, ours: set[str], force: bool) -> bool:
    """Whether a file of the repository belongs to what was pushed before."""
    if name in ours:
        return False
    return name.startswith(f"{SHEETS}/") or (name.startswith(f"{DATA}/") and (force or name.count("/") == 2))


def _commit(api: HfApi, repo: str, operations: Sequence[Any], message: str) -> None:
    api.create_commit(repo, operations, commit_message=message, repo_type="dataset")


@contextmanager
def explained(repo: str) -> Iterator[None]:
    """The Hub's refusals in one line that says what to do."""
    again = "run the same command again: what is uploaded stays"
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        explanations = {
            401: "the Hub knows no such token; set HF_TOKEN, or log in with `hf auth login`, to one that may write",
            403: f"the token may not write to {repo}; use one of its owner's with the right to write",
            404: f"{repo} is not there, or not for this token",
            409: f"{repo} was changed by somebody else at the same time; {again}",
            412: f"{repo} was changed by somebody else at the same time; {again}",
        }
        raise BuildError(
            explanations.get(status, f"the Hub answered {status}: {error.server_message or error}; {again}")
        ) from None
    except RuntimeError as error:  # what the client makes of an upload that broke off, again and again
        raise BuildError(f"{error} {error.__cause__ or ''}; {again}") from None
    except httpx2.TransportError as error:
        raise BuildError(f"the connection to the Hub broke ({type(error).__name__} {error}); {again}") from None
