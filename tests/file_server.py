"""Files over HTTP on loopback: by ranges, for those who send the right header."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class FileServer:
    """What the server gives.

    Attributes:
        token: needed as `Authorization: Bearer …`; "" for none.
        ranges: (first byte, byte after the last, size) of every file or part sent.
        broken: whether to answer 500 from now on.
    """

    folder: Path
    token: str = ""
    url: str = ""
    broken: bool = False
    ranges: list[tuple[int, int, int]] = field(default_factory=list)


@contextmanager
def serving_files(folder: Path, token: str = "") -> Iterator[FileServer]:
    """Serve the files of a folder until the block ends."""
    server = FileServer(folder, token)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            path = server.folder / unquote(urlsplit(self.path).path).lstrip("/")
            is_allowed = not server.token or self.headers.get("Authorization") == f"Bearer {server.token}"
            status = 500 if server.broken else 401 if not is_allowed else 200 if path.is_file() else 404
            data, whole, start = b"", path.stat().st_size if status == 200 else 0, 0
            if status == 200:
                first, _, last = (self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")
                start, end = int(first), min(int(last) + 1 if last else whole, whole)
                data = path.read_bytes()[start:end]
                status = 206 if "Range" in self.headers else 200
            self.send_response(status)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{whole}"')
            self.send_header("Content-Length", str(len(data)))
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{start + len(data) - 1}/{whole}")
            self.end_headers()
            if with_body and data:
                server.ranges.append((start, start + len(data), whole))
                self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
