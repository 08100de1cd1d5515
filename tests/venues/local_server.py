"""An HTTP server of the test's own on 127.0.0.1: files with ranges and, request by request, whatever can go wrong.

A fault is scripted for a path and used up by one request; behind it the path is served as it should be.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit


class Asked(NamedTuple):
    """One request as it came."""

    path: str
    query: dict[str, str]
    range: str | None


class Status(NamedTuple):
    """Answer with a status and nothing else."""

    code: int
    headers: Mapping[str, str] = {}


class Cut(NamedTuple):
    """Promise the whole file, send so many bytes of it, close."""

    after: int


class Hang(NamedTuple):
    """Send so many bytes, then nothing until the server's `release` is set."""

    after: int


class Whole(NamedTuple):
    """Know nothing of ranges; send other bytes than the file's where they are given."""

    body: bytes | None = None


Fault = Status | Cut | Hang | Whole
Answer = Callable[[Asked], tuple[int, bytes]]


class LocalServer:
    """`files` by path, `pages` by path for what is computed, `faults` by path, and what was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.pages: dict[str, Answer] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.asked: list[Asked] = []
        self.release = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["LocalServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.release.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [one.path for one in self.asked]


def _handler(server: LocalServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(unquote(parts.path).lstrip("/"), dict(parse_qsl(parts.query)), self.headers.get("Range"))
            server.asked.append(asked)
            with suppress(ConnectionError):  # the client may be killed
                self._answer(asked)

        def _answer(self, asked: Asked) -> None:
            faults = server.faults[asked.path]
            fault = faults.pop(0) if faults else None
            if isinstance(fault, Status):
                return self._send(fault.code, b"", fault.headers)
            if asked.path in server.pages:
                code, body = server.pages[asked.path](asked)
                return self._send(code, body, {"Content-Type": "application/json"})
            if asked.path not in server.files:
                return self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", {})
            return self._send_file(server.files[asked.path], asked, fault)

        def _send_file(self, body: bytes, asked: Asked, fault: Fault | None) -> None:
            if isinstance(fault, Whole):
                return self._send(200, body if fault.body is None else fault.body, {})
            start = int(asked.range.removeprefix("bytes=").rstrip("-")) if asked.range else 0
            if start and start >= len(body):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            headers = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
            return self._send(206 if start else 200, body[start:], headers, fault)

        def _send(self, code: int, body: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: fault.after] if isinstance(fault, Cut | Hang) else body)
            self.wfile.flush()
            if isinstance(fault, Hang):
                server.release.wait()
            self.close_connection = isinstance(fault, Cut | Hang)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
