"""A Hub on loopback that serves one dataset repository read-only: as much of its HTTP API as reading files takes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

COMMIT = "a" * 40


class _Handler(BaseHTTPRequestHandler):
    repo: str
    root: Path

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = self.rfile.read(length)
        if "/paths-info/" in self.path:
            text = unquote(asked.decode())
            wanted = (
                json.loads(text)["paths"]
                if text.startswith("{")
                else [part.partition("=")[2] for part in text.split("&") if part.startswith("paths=")]
            )
            self._json([self._entry(self.root / name) for name in wanted if (self.root / name).exists()])
        else:
            self._missing()

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlparse(self.path).path)
        api = f"/api/datasets/{self.repo}"
        if path == api or path.startswith(f"{api}/revision/"):
            files = [{"rfilename": file.relative_to(self.root).as_posix()} for file in self._files()]
            self._json(
                {"id": self.repo, "sha": COMMIT, "siblings": files, "private": False, "tags": [], "downloads": 0, "likes": 0}
            )
        elif path.startswith(f"{api}/tree/"):
            folder = self.root.joinpath(*path.removeprefix(f"{api}/tree/").split("/")[1:])
            self._json([self._entry(file) for file in sorted(folder.rglob("*"))] if folder.is_dir() else [])
        elif path.startswith(f"/datasets/{self.repo}/resolve/"):
            file = self.root.joinpath(*path.removeprefix(f"/datasets/{self.repo}/resolve/").split("/")[1:])
            self._file(file, body) if file.is_file() else self._missing()
        else:
            self._missing()

    def _files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def _entry(self, path: Path) -> dict[str, Any]:
        name = path.relative_to(self.root).as_posix()
        if path.is_dir():
            return {"type": "directory", "oid": "0" * 40, "size": 0, "path": name}
        return {"type": "file", "oid": hashlib.sha1(path.read_bytes()).hexdigest(), "size": path.stat().st_size, "path": name}

    def _file(self, path: Path, body: bool) -> None:
        data = path.read_bytes()
        start, end = 0, len(data) - 1
        asked = self.headers.get("Range")
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last or end), end)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start + 1))
        self.end_headers()
        if body:
            self.wfile.write(data[start : end + 1])

    def _json(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _missing(self) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(repo: str, root: Path) -> Iterator[str]:
    """Serve a folder as the dataset repository `repo`; gives the endpoint."""
    handler = type("Handler", (_Handler,), {"repo": repo, "root": root})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
