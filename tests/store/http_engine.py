"""A ClickHouse server for the tests: as much of its HTTP interface as a client needs, over the embedded engine.

The client, the protocol and the engine behind it are the real ones, only the listener is ours: `python -m
tests.store.http_engine FOLDER` prints its port and serves until it is told to stop. One user, `tester`, with the password
`s:cret`.
"""

import base64
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

USER, PASSWORD = "tester", "s:cret"
_ALLOWED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_TRANSPORT = {
    "query", "database", "query_id", "session_id", "client_protocol_version", "compress", "decompress",
    "enable_http_compression", "send_progress_in_http_headers", "http_headers_progress_interval_ms", "wait_end_of_query",
    "buffer_size", "role", "quota_key", "session_timeout", "session_check", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a body waits 40 ms for its header to be acknowledged
    folder = ""

    def do_GET(self) -> None:
        body, address = self._body(), urlsplit(self.path)
        words = dict(parse_qsl(address.query, keep_blank_values=True))
        if address.path == "/ping":
            self._answer(200, b"Ok.\n")
        elif self.headers.get("Authorization") != _ALLOWED:
            self._answer(403, b"Code: 516. DB::Exception: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)")
        else:
            try:
                self._run(words, body)
            except RuntimeError as error:
                self._answer(500, str(error).encode())

    do_POST = do_GET  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            return self._chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _run(self, words: dict[str, str], body: bytes) -> None:
        sql = words.get("query") or ""
        if not sql:
            line, _, rest = body.partition(b"\n")
            is_insert = line.startswith(b"INSERT") and line.endswith(b"FORMAT Native")
            sql, body = (line.decode(), rest) if is_insert else (body.decode(), b"")
        handle = chdb.connect(self.folder)
        try:
            handle.query(f"USE `{words.get('database') or 'default'}`")
            for name, value in words.items():
                if name not in _TRANSPORT and not name.startswith("param_"):
                    handle.query(f"SET {name} = '{value}'")
            parameters = {name[6:]: value for name, value in words.items() if name.startswith("param_")}
            if sql.lstrip().upper().startswith("INSERT") and body:
                self._insert(handle, sql, body)
            else:
                self._select(handle, sql, parameters)
        finally:
            handle.close()

    def _insert(self, handle: Any, sql: str, body: bytes) -> None:
        with _file(body) as path:
            handle.query(re.sub(r"\bFORMAT\b", f"FROM INFILE '{path}' FORMAT", sql, flags=re.IGNORECASE))
        self._answer(200, b"")

    def _select(self, handle: Any, sql: str, parameters: dict[str, str]) -> None:
        found = _FORMAT.search(sql)
        name = found[1] if found else "TabSeparated"
        if parameters or name != "Native":
            result = handle.query(sql, name, params=parameters)
            self._answer(200, result.bytes() or b"", name)
            return
        stream = handle.send_query(sql, name)
        try:
            first = next(stream, None)
            self._start(200, name)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while first is not None:
                data = first.bytes()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if data else b"")
                first = next(stream, None)
            self.wfile.write(b"0\r\n\r\n")
        finally:
            stream.close()

    def _start(self, status: int, name: str) -> None:
        self.send_response(status)
        self.send_header("X-ClickHouse-Format", name)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("X-ClickHouse-Summary", "{}")

    def _answer(self, status: int, body: bytes, name: str = "TabSeparated") -> None:
        self._start(status, name)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def _file(body: bytes) -> Iterator[str]:
    with os.fdopen(os.memfd_create("body"), "wb", buffering=0) as file:
        file.write(body)
        yield f"/proc/self/fd/{file.fileno()}"


def main() -> None:
    Handler.folder = sys.argv[1]
    keep = chdb.connect(Handler.folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    keep.close()


if __name__ == "__main__":
    main()
