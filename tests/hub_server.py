"""A Hub on loopback: as much of its HTTP API as pushing, reading and streaming datasets take, with real commits."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

Files = dict[str, bytes]
LFS_SUFFIXES = (".parquet", ".jpg", ".mp4")


@dataclass
class Repo:
    """A dataset repository: its files at each commit."""

    private: bool = False
    commits: list[tuple[str, Files]] = field(default_factory=list)

    @property
    def head(self) -> tuple[str, Files]:
        return self.commits[-1]

    def at(self, revision: str) -> tuple[str, Files] | None:
        if revision == "main":
            return self.head
        return next((commit for commit in self.commits if commit[0] == revision), None)

    def commit(self, files: Files) -> str:
        sha = hashlib.sha1(repr((len(self.commits), sorted(files))).encode()).hexdigest()
        self.commits.append((sha, files))
        return sha


@dataclass
class Hub:
    """What the server holds.

    Attributes:
        tokens: who each belongs to.
        repos: by `owner/name`.
        objects: uploaded large files, by their SHA-256.
        cut_uploads: how many of the next uploads to break off in the middle.
        log: (method, path) of every request.
        ranges: how many requests asked for a part of a file.
    """

    endpoint: str = ""
    tokens: dict[str, str] = field(default_factory=lambda: {"hf_mine": "me", "hf_other": "somebody"})
    repos: dict[str, Repo] = field(default_factory=dict)
    objects: Files = field(default_factory=dict)
    cut_uploads: int = 0
    log: list[tuple[str, str]] = field(default_factory=list)
    ranges: int = 0

    def files(self, repo: str) -> Files:
        return self.repos[repo].head[1]

    def uploads(self) -> int:
        return sum(method == "PUT" for method, _ in self.log)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self._begin()
        if path == "/api/whoami-v2":
            return self._json({"name": self._user(), "type": "user"}) if self._user() else self._fail(401, "Invalid token")
        if match := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            if found := self._repo(match[1], match[2]):
                self._file(found, match[3])
        elif match := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/tree/([^/]+)/?(.*)", path):
            if found := self._repo(match[1], match[2]):
                tree = _tree(found[1], match[3])
                self._json(tree) if tree or not match[3] else self._fail(404, "Entry not found", "EntryNotFound")
        elif match := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            if found := self._repo(match[1], match[2] or "main"):
                self._json({"id": match[1], "sha": found[0], "siblings": [{"rfilename": name} for name in found[1]],
                            "private": self.hub.repos[match[1]].private, "tags": [], "downloads": 0, "likes": 0})  # fmt: skip
        else:
            self._fail(404, "Entry not found", "EntryNotFound")
        return None

    def do_POST(self) -> None:
        path = self._begin()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if match := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/([^/]+)", path):
            if found := self._repo(match[1], match[2]):
                text = body.decode()
                paths = json.loads(text)["paths"] if text.startswith("{") else re.findall(r"paths=([^&]*)", unquote(text))
                self._json([_entry(name, found[1][name]) for name in paths if name in found[1]])
            return
        if path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
            return
        user = self._user()
        if user is None:
            self._fail(401, "Invalid username or password.")
        elif path == "/api/repos/create":
            self._create(user, json.loads(body))
        elif match := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/(preupload|commit)/([^/]+)", path):
            if self._may_write(user, match[1]):
                (self._preupload if match[2] == "preupload" else self._commit)(match[1], body)
        elif match := re.fullmatch(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            if self._may_write(user, match[1]):
                self._batch(json.loads(body))
        else:
            self._fail(404, "Not found")

    def do_PUT(self) -> None:
        oid = self._begin().rpartition("/")[2]
        length = int(self.headers["Content-Length"])
        if self.hub.cut_uploads:
            self.hub.cut_uploads -= 1
            self.rfile.read(length // 2)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        data = self.rfile.read(length)
        assert hashlib.sha256(data).hexdigest() == oid
        self.hub.objects[oid] = data
        self._json({})

    def _begin(self) -> str:
        path = unquote(urlparse(self.path).path)
        self.hub.log.append((self.command, path))
        return path

    def _user(self) -> str | None:
        return self.hub.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def _repo(self, name: str, revision: str) -> tuple[str, Files] | None:
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and self._user() != name.partition("/")[0]):
            self._fail(404 if self._user() else 401, "Repository not found", "RepoNotFound")
            return None
        found = repo.at(revision)
        if found is None:
            self._fail(404, "Revision not found", "RevisionNotFound")
        return found

    def _may_write(self, user: str, name: str) -> bool:
        if name not in self.hub.repos:
            self._fail(404, "Repository not found", "RepoNotFound")
        elif user != name.partition("/")[0]:
            self._fail(403, "Forbidden: you may not write here")
        else:
            return True
        return False

    def _create(self, user: str, asked: dict[str, Any]) -> None:
        owner = asked.get("organization") or user
        name = f"{owner}/{asked['name']}"
        address = {"url": f"{self.hub.endpoint}/datasets/{name}", "name": name}
        if name in self.hub.repos:
            self._json({**address, "error": "You already created this dataset repo"}, 409)
        elif owner != user:
            self._fail(403, f"You do not have the right to create a dataset under {owner}")
        else:
            self.hub.repos[name] = Repo(asked.get("visibility") == "private" or bool(asked.get("private")))
            self.hub.repos[name].commit({".gitattributes": b"*.parquet filter=lfs\n"})
            self._json(address)

    def _preupload(self, name: str, body: bytes) -> None:
        repo = self.hub.repos[name]
        files = []
        for one in json.loads(body)["files"]:
            held = repo.head[1].get(one["path"])
            large = one["path"].endswith(LFS_SUFFIXES)
            oid = None if held is None else hashlib.sha256(held).hexdigest() if large else _git_oid(held)
            mode = "lfs" if large else "regular"
            files.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._json({"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for one in asked["objects"]:
            made = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.objects:
                made["actions"] = {"upload": {"href": f"{self.hub.endpoint}/lfs/{one['oid']}", "header": {}}}
            objects.append(made)
        self._json({"transfer": "basic", "objects": objects})

    def _commit(self, name: str, body: bytes) -> None:
        repo = self.hub.repos[name]
        sha, held = repo.head
        files = dict(held)
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            match line["key"]:
                case "header":
                    if value.get("parentCommit") not in (None, sha):
                        self._fail(412, "The repository was changed")
                        return
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.hub.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        new = repo.commit(files)
        url = f"{self.hub.endpoint}/datasets/{name}/commit/{new}"
        self._json({"success": True, "commitOid": new, "commitUrl": url, "hookOutput": ""})

    def _file(self, found: tuple[str, Files], name: str) -> None:
        sha, files = found
        if name not in files:
            self._fail(404, "Entry not found", "EntryNotFound")
            return
        data = files[name]
        start, end = 0, len(data) - 1
        asked = self.headers.get("Range")
        if asked:
            self.hub.ranges += 1
            first, last = asked.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last or end), end)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", sha)
        self.send_header("Accept-Ranges", "bytes")
        self._send(data[start : end + 1])

    def _json(self, value: Any, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self._send(json.dumps(value).encode())

    def _fail(self, status: int, message: str, code: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self._send(json.dumps({"error": message}).encode())

    def _send(self, data: bytes) -> None:
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


def _tree(files: Files, folder: str) -> list[dict[str, Any]]:
    inside = {name: data for name, data in files.items() if not folder or name.startswith(f"{folder}/")}
    parents = {"/".join(name.split("/")[:depth]) for name in inside for depth in range(1, name.count("/") + 1)}
    folders = [
        {"type": "directory", "oid": "0" * 40, "size": 0, "path": one}
        for one in sorted(parents)
        if not folder or one.startswith(f"{folder}/")
    ]
    return [*folders, *(_entry(name, data) for name, data in sorted(inside.items()))]


def _entry(name: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": _git_oid(data), "size": len(data), "path": name}
    if name.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return entry


def _git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()


@contextmanager
def serving(**folders: Path) -> Iterator[Hub]:
    """A Hub; `me__clips=folder` is served as the public dataset `me/clips`."""
    hub = Hub()
    for name, folder in folders.items():
        repo = hub.repos[name.replace("__", "/")] = Repo()
        repo.commit({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
