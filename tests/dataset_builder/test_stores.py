"""Videos in stores, by `load_dataset`: the options reach listing, stamping, identifying and reading, per protocol."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from datasets import load_dataset
from moto.server import ThreadedMotoServer

import dataset_builder  # noqa: F401 - registers "videossr"
from tests.file_server import FileServer, serving_files

NAMES = ("pan_right.mp4", "sunrise.mp4")
TOKEN = "sesame"
HEADER = {"headers": {"Authorization": f"Bearer {TOKEN}"}}


@pytest.fixture(scope="module")
def web(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    """Videos, alone and in archives, for those with the token."""
    folder = tmp_path_factory.mktemp("web")
    with zipfile.ZipFile(folder / "clips.zip", "w") as zipped, tarfile.open(folder / "clips.tar", "w") as tarred:
        for name in NAMES:
            shutil.copy(footage / name, folder)
            zipped.write(footage / name, f"deep/{name}")
            tarred.add(footage / name, f"deep/{name}")
    with serving_files(folder, TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def s3(footage: Path) -> Iterator[dict[str, Any]]:
    """The options of a store with the videos in `clips`."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    client = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    bucket = boto3.client("s3", aws_access_key_id="a", aws_secret_access_key="b", **client)
    bucket.create_bucket(Bucket="clips")
    for name in NAMES:
        bucket.upload_file(str(footage / name), "clips", f"deep/{name}")
    yield {"key": "a", "secret": "b", "client_kwargs": client}
    server.stop()


def sources(**choice: Any) -> list[str]:
    """The names of the videos that give a row."""
    return [row["extra_info"]["source"] for row in load_dataset("videossr", "counting", split="train", **choice)]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    "files",
    [
        ["{url}/pan_right.mp4?download=true", "{url}/sunrise.mp4?signature=a/b.c"],
        ["zip://deep/*.mp4::{url}/clips.zip"],
        ["tar://deep/*.mp4::{url}/clips.tar"],
    ],
)
def test_headers_reach_the_web(web: FileServer, tmp_path: Path, files: list[str], streaming: bool) -> None:
    choice = {"data_files": [file.format(url=web.url) for file in files], "streaming": streaming}
    places = {"clip_cache": str(tmp_path / "clips"), "cache_dir": str(tmp_path / "hf")}
    found = sources(storage_options={"http": HEADER, "s3": {"key": "another store's"}}, **choice, **places)
    assert [name.partition("?")[0] for name in found] == list(NAMES)
    with pytest.raises(ValueError, match=r"data_files name no file; .* storage_options or a token"):
        sources(**choice, clip_cache="", cache_dir=str(tmp_path / "hf2"))


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("given", "by_protocol"),
    [
        ({"data_dir": "s3://clips/deep"}, True),
        ({"data_dir": "s3://clips/deep"}, False),
        ({"data_dir": "simplecache::s3://clips/deep"}, True),
        ({"data_files": "s3://clips/**/*.mp4"}, True),
        ({"data_files": "s3://clips/**/*.mp4"}, False),
    ],
)
def test_an_object_store(s3: dict[str, Any], tmp_path: Path, given: dict[str, str], by_protocol: bool, streaming: bool) -> None:
    options = {"s3": s3, "http": HEADER} if by_protocol else dict(s3)  # datasets adds to it
    places = {"clip_cache": str(tmp_path / "clips"), "cache_dir": str(tmp_path / "hf")}
    assert sources(**given, storage_options=options, streaming=streaming, **places) == list(NAMES)


@pytest.mark.parametrize("folder", ["zip://deep::{web}/clips.zip", "zip://::{web}/clips.zip", "simplecache::file://{web}"])
def test_archives_as_folders(web: FileServer, tmp_path: Path, folder: str) -> None:
    found = sources(data_dir=folder.format(web=web.folder), streaming=True, clip_cache="")
    assert [name.rpartition("/")[2] for name in found] == list(NAMES)
