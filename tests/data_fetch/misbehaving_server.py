"""A local HTTP server that misbehaves on purpose, one scripted answer after another."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


@dataclass
class Seen:
    """One request as the server saw it."""

    path: str
    byte_range: str | None
    authorization: str | None
    host: str
    sent: int = 0


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the script of its path; the last answer of a script repeats."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        headers = self.headers
        self.seen = Seen(path, headers["Range"], headers["Authorization"], headers["Host"])
        with self.server.lock:
            self.server.requests.append(self.seen)
            script = self.server.scripts.get(path)
            answer = None if not script else (script.pop(0) if len(script) > 1 else script[0])
        self.close_connection = True
        with contextlib.suppress(OSError):
            (answer or status(404))(self)

    def head(self, code: int, **headers: str | int) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def body(self, content: bytes) -> None:
        self.wfile.write(content)
        self.seen.sent += len(content)

    def log_message(self, format: str, *args: object) -> None: ...


class Server(ThreadingHTTPServer):
    """The server with its scripts and what it saw."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scripts: dict[str, list[Answer]] = {}
        self.requests: list[Seen] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def on(self, path: str, *answers: Answer) -> str:
        self.scripts[path] = list(answers)
        return self.url(path)

    def ranges(self, path: str) -> list[str | None]:
        return [seen.byte_range for seen in self.requests if seen.path == path]


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


@dataclass
class Good:
    """Honours ranges, and entity tags in ``If-Range``; may cut, stall, trickle or slow down after some bytes."""

    content: bytes
    cut_after: int | None = None
    stall_after: int | None = None
    trickle_after: int | None = None
    pause: float = 0.0
    block: int = 1 << 16
    etag: bool = True
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, handler: Handler) -> None:
        start, end = 0, len(self.content)
        told = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers["Range"] or "")
        condition = handler.headers["If-Range"]
        if told and (condition is None or condition == tag(self.content)):
            start = int(told[1])
            end = min(int(told[2]) + 1, end) if told[2] else end
        extra = dict(self.headers) | ({"ETag": tag(self.content)} if self.etag else {})
        if start >= len(self.content) and told:
            handler.head(416, Content_Length=0)
            return
        if told and (start or told[2]):
            extra["Content-Range"] = f"bytes {start}-{end - 1}/{len(self.content)}"
            handler.head(206, Content_Length=end - start, **extra)
        else:
            handler.head(200, Content_Length=len(self.content), **extra)
        self._send(handler, self.content[start:end])

    def _send(self, handler: Handler, rest: bytes) -> None:
        stops = [stop for stop in (self.cut_after, self.stall_after, self.trickle_after) if stop is not None]
        limit = min(stops, default=len(rest))
        for offset in range(0, min(limit, len(rest)), self.block):
            handler.body(rest[offset : min(offset + self.block, limit)])
            if self.pause and handler.server.closing.wait(self.pause):
                return
        if self.stall_after is not None:
            handler.wfile.flush()
            handler.server.closing.wait(30)
        if self.trickle_after is not None:
            for offset in range(limit, len(rest)):
                handler.body(rest[offset : offset + 1])
                if handler.server.closing.wait(0.05):
                    return


def ignores_ranges(content: bytes, cut_after: int | None = None) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, Content_Length=len(content))
        handler.body(content[:cut_after])

    return answer


def wrong_range(content: bytes) -> Answer:
    """Answer any range with the one that begins at byte 0, under status 206."""

    def answer(handler: Handler) -> None:
        handler.head(206, Content_Length=len(content), Content_Range=f"bytes 0-{len(content) - 1}/{len(content)}")
        handler.body(content)

    return answer


def without_length(content: bytes) -> Answer:
    """Send with neither a length nor chunks: the end of the connection is the end of the file."""

    def answer(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.0"
        handler.head(200)
        handler.body(content)

    return answer


def cut_chunks(content: bytes, keep: int) -> Answer:
    """Send chunked and end in the middle of a chunk."""

    def answer(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n" % len(content))
        handler.body(content[:keep])

    return answer


def page(title: str, kind: str = "text/html; charset=utf-8", code: int = 200) -> Answer:
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>Please sign in.</body></html>".encode()

    def answer(handler: Handler) -> None:
        handler.head(code, Content_Type=kind, Content_Length=len(body))
        handler.body(body)

    return answer


def status(code: int, **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(code, Content_Length=0, **headers)

    return answer


def redirect(target: str, code: int = 302) -> Answer:
    return status(code, Location=target)


def no_http(handler: Handler) -> None:
    """Speak something that is not HTTP."""
    handler.wfile.write(b"220 ready for you\r\n")
