"""Pushes a build to the Hub, or continues an interrupted push.

Writes, uploads and commits a few files at a time, the card last. Files that the Hub already has are not sent again.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import islice
from multiprocessing import get_context
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
FILES_PER_COMMIT = 8  # also the number of files on disk at a time


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
    workers: int = 1,
) -> str:
    """Push a build; returns its URL.

    Args:
        repo: `owner/name`; created as private if it does not exist.
        license: of the dataset; None keeps the license of the existing card.
        source_datasets: names of the datasets that the videos come from.
        public: whether a new repository is public.
        force: replace another dataset in the repository.
        token: Hub token; None for the stored login.
        progress: called with (files uploaded, files in all).
        workers: number of processes; any number pushes the same files.

    Raises:
        UsageError: for bad arguments, and for a repository that holds something else.
        BuildError: if the Hub refuses, or cannot be reached.
    """
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise UsageError(f"repo={repo!r} names no owner; write it as owner/name")
    if workers < 1:
        raise UsageError(f"workers={workers} is not allowed; give the number of processes, at least 1")
    api = HfApi(token=token)
    with explained(repo):
        existing = _list_files(api, repo)
        _check_free(api, repo, existing, build, force)
        old_card = DatasetCard(read_file(api, repo, "README.md")) if "README.md" in existing else None
        with tempfile.TemporaryDirectory(prefix="videossr-push-") as folder:
            sheets = _draw(build, Path(folder))
            names = [name for name, _ in sheets]
            card = make_card(build, repo, old_card, license=license, source_datasets=source_datasets, sheets=names)
            api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
            total = sum(map(len, file_names(build).values()))
            # the summary comes first: it identifies the build of an incomplete push
            _commit(api, repo, [_copy(build, SUMMARY)], f"Begin to push {build.rows} rows")
            sent = _upload(api, repo, build, Path(folder), total, progress, workers)
            stale = [name for name in existing if _is_stale(name, sent | set(names), force)]
            operations = [
                _copy(build, MANIFEST),
                CommitOperationAdd(DIGESTS, Path(folder) / DIGESTS),
                *(CommitOperationAdd(name, path) for name, path in sheets),
                CommitOperationAdd("README.md", str(card).encode()),
                *(CommitOperationDelete(name) for name in stale),
            ]
            _commit(api, repo, operations, f"Push {build.rows} rows")
    return f"{api.endpoint}/datasets/{repo}"


def quietly() -> None:
    """Silence the Hub library, which would draw a progress bar per file; `progress` reports instead."""
    disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]


def read_file(api: HfApi, repo: str, name: str) -> str:
    """The current text of a small file in a dataset repository."""
    return Path(api.hf_hub_download(repo, name, repo_type="dataset")).read_text()


def _list_files(api: HfApi, repo: str) -> list[str]:
    try:
        return api.list_repo_files(repo, repo_type="dataset")
    except RepositoryNotFoundError:
        return []


def _check_free(api: HfApi, repo: str, existing: Sequence[str], build: Build, force: bool) -> None:
    """Raise UsageError if the repository holds something else."""
    data = [name for name in existing if name not in (".gitattributes", "README.md")]
    if not data or force:
        return
    if SUMMARY in existing and Summary.parse(read_file(api, repo, SUMMARY), repo).identity == build.summary.identity:
        return
    kind = "another build" if SUMMARY in existing else f"something else ({data[0]}, …)"
    raise UsageError(f"{repo} holds {kind}; give another name, or --force to replace it")


def _draw(build: Build, folder: Path) -> list[tuple[str, Path]]:
    """Draw SAMPLES contact sheets, shared among the portions; the first portion of every task comes first."""
    rows = build.summary.report["rows"]
    turns: dict[str, int] = {}
    counts: Counter[str] = Counter()  # portions so far, by task
    for portion in rows:
        task = build.summary.portions[portion]["task"]
        turns[portion] = counts[task]
        counts[task] += 1
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


def _upload(api: HfApi, repo: str, build: Build, folder: Path, total: int, progress: Progress, workers: int) -> set[str]:
    """Upload the data files and write the rows' digests; returns the names of the files."""
    sent: set[str] = set()
    progress(0, total)
    with (folder / DIGESTS).open("w") as digests, ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn"))) if workers > 1 else None
        mapped: Any = pool.map if pool else map
        files_to_send = cut_files(build, folder)
        while files := list(islice(files_to_send, FILES_PER_COMMIT)):
            for lines in mapped(_digest_rows, [path for _, path in files]):
                digests.write(lines)
            additions = [CommitOperationAdd(name, path) for name, path in files]
            _commit(api, repo, additions, f"Files {len(sent) + 1} to {len(sent) + len(files)} of {total}")
            for name, path in files:
                path.unlink()
                sent.add(name)
            progress(len(sent), total)
    return sent


def _digest_rows(path: Path) -> str:
    """The digests of a file's rows, as JSON lines."""
    with pq.ParquetFile(path) as file:
        rows = (row for batch in file.iter_batches(ROWS_PER_GROUP) for row in batch.to_pylist())
        return "".join(json.dumps(asdict(digest_row(row))) + "\n" for row in rows)


def _copy(build: Build, name: str) -> CommitOperationAdd:
    return CommitOperationAdd(name, (build.folder.read_text(name) or "").encode())


def _is_stale(name: str, ours: set[str], force: bool) -> bool:
    """Whether a file of the repository is left from an earlier push."""
    if name in ours:
        return False
    return name.startswith(f"{SHEETS}/") or (name.startswith(f"{DATA}/") and (force or name.count("/") == 2))


def _commit(api: HfApi, repo: str, operations: Sequence[Any], message: str) -> None:
    api.create_commit(repo, operations, commit_message=message, repo_type="dataset")


@contextmanager
def explained(repo: str) -> Iterator[None]:
    """Convert errors of the Hub to BuildErrors of one line that says what to do."""
    again = "run the same command again; uploaded files stay"
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        explanations = {
            401: "the Hub does not accept the token; set HF_TOKEN, or run `hf auth login`, with a token that may write",
            403: f"the token may not write to {repo}; use a token of its owner with write access",
            404: f"{repo} does not exist, or the token may not read it",
            409: f"{repo} was changed by somebody else at the same time; {again}",
            412: f"{repo} was changed by somebody else at the same time; {again}",
        }
        default = f"the Hub answered {status}: {error.server_message or error}; {again}"
        raise BuildError(explanations.get(status, default)) from None
    except RuntimeError as error:  # raised by the client after an upload has failed several times
        raise BuildError(f"{error} {error.__cause__ or ''}; {again}") from None
    except httpx2.TransportError as error:
        raise BuildError(f"the connection to the Hub broke ({type(error).__name__} {error}); {again}") from None
