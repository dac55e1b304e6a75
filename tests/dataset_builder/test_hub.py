"""Builds on the Hub: the real client against a Hub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from dataset_builder.hub.card import BLOCK
from dataset_builder.hub.files import digest_row
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage.build import build
from tests.hub_server import Hub, Repo, serving
from tests.servers import ROOT

pytestmark = pytest.mark.slow

REPO = "me/videossr-tiny"
LICENSE = ("--license", "cc-by-4.0")
WHOLE = (REPO, *LICENSE, "--source-dataset", "me/clips")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def made(footage: Path, clip_cache: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    build(BuildSpec("mixed", seed=5, samples=9, overrides={"jigsaw.clips": 3}), footage, folder, cache=ClipCache.of(clip_cache))
    return folder


def call(hub: Hub, home: Path, *arguments: str | Path, token: str = "hf_mine") -> subprocess.CompletedProcess[str]:
    """A command line, as the owner of `me`."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
    }
    program = [sys.executable, *(["-c"] if arguments[0] not in ("push", "regenerate") else ["-m", "dataset_builder.cli"])]
    return subprocess.run(
        [*program, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as running:
        yield running


@pytest.fixture
def run(hub: Hub, tmp_path: Path) -> Run:
    return partial(call, hub, tmp_path / "home")


@pytest.fixture(scope="module")
def pushed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A Hub to which the build has been pushed; to be read from alone."""
    with serving() as running:
        done = call(running, tmp_path_factory.mktemp("home"), "push", made, *WHOLE)
        assert done.returncode == 0, done.stderr[-3000:]
        assert running.endpoint in done.stdout
        yield running


@pytest.fixture
def stocked(hub: Hub, pushed: Hub) -> Hub:
    """The same, to be changed; `run` speaks to it."""
    hub.objects.update(pushed.objects)
    hub.repos[REPO] = Repo(private=True)
    hub.repos[REPO].commit(dict(pushed.files(REPO)))
    return hub


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command says it failed with."""
    assert done.returncode in (1, 2), done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def rows_of(folder: Path) -> dict[tuple[str, int], tuple[str, str]]:
    found = {}
    for path in folder.glob("data/**/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            digest = digest_row(row)
            found[digest.portion, digest.index] = (digest.text, digest.videos)
    return found


# it ends without what an interpreter does at its end, where Arrow's threads that read ahead may abort it
LOAD = """
import json, os, sys
from datasets import List, Video, load_dataset
found = []
for name in ("counting", "jigsaw", "grounding", "default"):
    for streaming in (False, True):
        rows = load_dataset(sys.argv[1], name, split="train", streaming=streaming)
        assert isinstance(rows.features["videos"].feature, Video)
        found.append([name, sorted(row["extra_info"]["index"] for row in rows.cast_column("videos", List(Video(decode=False))))])
print(json.dumps(found), flush=True)
os._exit(0)
"""


def test_a_pushed_build_loads_without_this_package(pushed: Hub, made: Path, tmp_path: Path) -> None:
    assert pushed.repos[REPO].private
    assert pushed.uploads() == 7  # three files, four pictures
    loaded = call(pushed, tmp_path / "home", LOAD, REPO)
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    wanted = {
        name: sorted(index for portion, index in rows_of(made) if portion == name)
        for name in ("counting", "jigsaw", "grounding")
    }
    wanted["default"] = sorted(index for _, index in rows_of(made))
    assert pushed.ranges, "streaming reads parts of files"
    for name, found in json.loads(loaded.stdout.splitlines()[-1]):
        assert found == wanted[name]
    for name, data in pushed.files(REPO).items():
        (tmp_path / "there" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "there" / name).write_bytes(data)
    assert rows_of(tmp_path / "there") == rows_of(made)


def test_the_card_says_what_it_is(pushed: Hub, made: Path) -> None:
    card = DatasetCard(pushed.files(REPO)["README.md"].decode())
    data = card.data.to_dict()
    assert (data["license"], data["size_categories"], data["source_datasets"]) == ("cc-by-4.0", ["n<1K"], ["me/clips"])
    assert data["task_categories"] == ["video-text-to-text"]
    assert data[BLOCK]["seed"] == 5
    assert data[BLOCK]["spec"] == json.loads((made / "build.json").read_text())["spec"]
    assert data[BLOCK].keys() >= {"version", "code", "identity", "tasks", "levels", "codecs", "manifest_sha256"}
    assert "overrides={'jigsaw.clips': 3}" in card.text
    sheets = [name for name in pushed.files(REPO) if name.startswith("sheets/")]
    assert len(sheets) == 4
    assert all(f"]({name})" in card.text for name in sheets)
    assert pushed.files(REPO)["manifest.jsonl"] == (made / "manifest.jsonl").read_bytes()


def test_a_license_is_asked_for_and_nothing_made_before(hub: Hub, run: Run, made: Path) -> None:
    assert "--license" in told(run("push", made, REPO))
    assert not hub.repos


PLAIN = """
import sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1], "jigsaw", split="train").remove_columns("videos")
rows.push_to_hub(sys.argv[1], "answers")
rows.to_iterable_dataset().push_to_hub(sys.argv[1], "streamed")
rows.push_to_hub(sys.argv[1])
print(*(load_dataset(sys.argv[1], *name, split="train").num_rows for name in ([], ["counting"], ["streamed"])))
"""


def test_what_others_write_stays(stocked: Hub, run: Run, made: Path) -> None:
    """A second push sends nothing; the text and keys of somebody else, and configs of a plain `push_to_hub`, stay."""
    plain = run(PLAIN, REPO)
    assert plain.returncode == 0, plain.stderr[-3000:]
    assert plain.stdout.split()[-3:] == ["3", "3", "3"]
    files = dict(stocked.files(REPO))
    card = DatasetCard(files["README.md"].decode())
    assert (card.data.to_dict()[BLOCK]["seed"], card.data.to_dict()[BLOCK]["rows"]) == (5, 9)
    assert "## Make it again" in card.text
    files["README.md"] = files["README.md"].replace(b"license: cc-by-4.0", b"license: mit\nmine: 1") + b"\nMy own words.\n"
    stocked.repos[REPO].commit(files)
    stocked.log.clear()
    assert run("push", made, REPO).returncode == 0
    assert stocked.uploads() == 0
    card = DatasetCard(stocked.files(REPO)["README.md"].decode())
    assert "My own words." in card.text
    assert card.text.count("# videossr-tiny") == 1
    data = card.data.to_dict()
    assert (data["license"], data["mine"]) == ("mit", 1)
    names = {config["config_name"] for config in data["configs"]}
    assert names == {"default", "counting", "grounding", "jigsaw", "answers", "streamed"}
    assert run(LOAD, REPO).returncode == 0


def test_several_processes_push_the_same(hub: Hub, run: Run, made: Path, pushed: Hub) -> None:
    assert "workers=0" in told(run("push", made, *WHOLE, "--workers", "0"))
    assert run("push", made, *WHOLE, "--workers", "2").returncode == 0
    assert hub.files(REPO) == pushed.files(REPO)


def test_an_upload_that_breaks_is_gone_on_with(hub: Hub, run: Run, made: Path, pushed: Hub) -> None:
    hub.cut_uploads = 1000
    assert "run the same command again" in told(run("push", made, *WHOLE))
    assert "README.md" not in hub.files(REPO)
    hub.cut_uploads = 0
    assert run("push", made, *WHOLE).returncode == 0
    assert hub.files(REPO) == pushed.files(REPO)


def test_a_full_disk_is_told_and_gone_on_from(hub: Hub, run: Run, made: Path, pushed: Hub) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))"  # as if the disk ended there
    program = f"import sys; from dataset_builder.cli import main; {limited}; sys.exit(main(sys.argv[1:]))"
    assert "no space left on the disk of" in told(run(program, "push", made, *WHOLE, "--public"))
    assert "README.md" not in hub.files(REPO)
    assert not hub.repos[REPO].private
    assert run("push", made, *WHOLE).returncode == 0
    assert hub.files(REPO) == pushed.files(REPO)


def test_who_may_not_push_is_told(hub: Hub, run: Run, made: Path, pushed: Hub) -> None:
    assert "does not accept the token" in told(run("push", made, REPO, *LICENSE, token=""))
    assert "does not accept the token" in told(run("push", made, REPO, *LICENSE, token="hf_wrong"))
    assert "may not write to me/videossr-tiny" in told(run("push", made, REPO, *LICENSE, token="hf_other"))
    assert "owner/name" in told(run("push", made, "videossr-tiny", *LICENSE))
    assert not hub.repos
    hub.repos[REPO] = Repo()
    hub.repos[REPO].commit(dict(pushed.files(REPO)))
    assert "may not write to me/videossr-tiny" in told(run("push", made, REPO, *LICENSE, token="hf_other"))
    assert hub.files(REPO) == pushed.files(REPO)


def test_a_name_that_is_taken_is_kept_unless_forced(
    stocked: Hub, run: Run, made: Path, footage: Path, clip_cache: str, tmp_path: Path
) -> None:
    before = dict(stocked.files(REPO))
    build(BuildSpec("counting", seed=6, samples=2), footage, tmp_path / "other", cache=ClipCache.of(clip_cache))
    assert "holds another build" in told(run("push", tmp_path / "other", REPO, *LICENSE))
    assert stocked.files(REPO) == before
    assert run("push", tmp_path / "other", REPO, *LICENSE, "--force").returncode == 0
    data = [name for name in stocked.files(REPO) if name.startswith("data/")]
    assert data == ["data/counting/train-00000-of-00001.parquet"]
    stocked.repos[REPO].commit({"photo.jpg": b"mine"})
    assert "something else (photo.jpg" in told(run("push", made, REPO, *LICENSE))
    assert "holds no build" in told(run("push", tmp_path, "me/nothing", *LICENSE))


def test_regenerating_says_row_by_row(
    stocked: Hub, run: Run, made: Path, footage: Path, clip_cache: str, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    (moved / "deep").mkdir(parents=True)
    for k, path in enumerate(sorted(footage.iterdir())):  # known by their content, whatever they are called
        (moved / "deep" / f"{9 - k}{path.suffix}").symlink_to(path)
    same = run("regenerate", REPO, "--videos", moved, "--out", tmp_path / "again", "--clip-cache", clip_cache)
    assert same.returncode == 0, same.stderr[-3000:]
    assert "9 rows: made again, the same byte for byte" in same.stdout
    assert rows_of(tmp_path / "again") == rows_of(made)

    digests = [json.loads(line) for line in stocked.files(REPO)["rows.jsonl"].splitlines()]
    digests[0]["videos"] = digests[1]["text"] = ""
    digests[2]["index"] = 1000
    changed = "\n".join(map(json.dumps, digests)).encode()
    card = stocked.files(REPO)["README.md"].replace(b"opencv: ", b"opencv: '1.'  # ")
    stocked.repos[REPO].commit({**stocked.files(REPO), "rows.jsonl": changed, "README.md": card})
    other = run("regenerate", REPO, "--videos", footage, "--out", tmp_path / "again", "--clip-cache", clip_cache, "--json")
    assert other.returncode == 1, other.stderr[-3000:]
    found = json.loads(other.stdout)
    name = lambda k: f"{digests[k]['portion']} {digests[k]['index']}"  # noqa: E731
    assert found["videos_differ"] == [name(0)]
    assert found["differ"] == [name(1)]
    assert found["missing"] == [name(2)]
    assert (len(found["added"]), len(found["same"])) == (1, 6)
    assert [version[0] for version in found["versions"]] == ["opencv"]

    gone = run("regenerate", REPO, "--videos", footage, "--clip-cache", clip_cache)
    assert "6 rows: made again" in gone.stdout
    next(iter(moved.rglob("*.mp4"))).unlink()
    assert "does not hold 1 of the 8 source videos" in told(run("regenerate", REPO, "--videos", moved, "--out", tmp_path / "x"))
    stocked.repos[REPO].commit({"README.md": b"---\nlicense: mit\n---\nhello"})
    assert "has no `videossr:` block" in told(run("regenerate", REPO, "--videos", footage, "--out", tmp_path / "x"))
    assert "does not exist" in told(run("regenerate", "me/none", "--videos", footage, "--out", tmp_path / "x"))
