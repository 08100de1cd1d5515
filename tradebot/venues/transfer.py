"""One file over HTTP, whole or not at all: resumed where it broke off, held to its published hash.

What has arrived lies in a `.part` beside the target; the next attempt, of this call or of the next, asks only for the rest.
The hash is the judge. A part that was put together from several answers may mix two versions of a file, so when its hash is
wrong it is fetched once more from its first byte; a file that came in one piece and is wrong is refused and removed.
A peer that sends nothing for `timeout_s`, or less than `RATE_MIN` over such a span, counts as cut off.

Absent: the choice of files (`archive`), parallel requests, and any trust in the length that a peer announces.
"""

import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, cast

from tradebot import __version__
from tradebot.domain.errors import DownloadFailed, UsageError
from tradebot.venues.disk import part_of, publish, size_of, write_all
from tradebot.venues.patience import Pace, Patience, TryAgain, retry_after_s

TIMEOUT_S: Final = 30.0
RATE_MIN: Final = 1024  # bytes a second; slower than this over a time-out is a peer that has stopped
TEXT_MAX: Final = 1 << 16

_BLOCK: Final = 1 << 17
_GONE: Final = frozenset({404, 410})
_PASSING: Final = frozenset({408, 425, 429})  # and everything from 500
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")

Advance = Callable[[int, int | None], None]


class Fetched(NamedTuple):
    """`received` bytes came over the line; `wrong_sha256` is that of a file that was refused."""

    received: int
    wrong_sha256: str | None = None


class _RangeRefused(Exception):
    """The peer holds nothing from that byte on; `size` is how much it holds, where it says so."""

    def __init__(self, size: int | None) -> None:
        super().__init__(size)
        self.size = size


class Transfer:
    """Files below one base URL."""

    def __init__(
        self,
        base_url: str,
        patience: Patience,
        pace: Pace,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises UsageError where `base_url` is not http or https."""
        self._base_url = checked_url(base_url)
        self._patience = patience
        self._pace = pace
        self._timeout_s = timeout_s
        self._clock = clock
        self._received = 0
        self._opener = urllib.request.build_opener()  # takes the proxies of the environment

    def url(self, path: str) -> str:
        return f"{self._base_url}/{urllib.parse.quote(path)}"

    def read_text(self, path: str) -> str | None:
        """A small text; None where the peer has no such file. Raises DownloadFailed."""

        def attempt() -> str | None:
            try:
                response = self._open(path, 0)
                if response is None:
                    return None
                with response:
                    return response.read(TEXT_MAX).decode("utf-8", "replace")
            except (OSError, http.client.HTTPException) as error:
                raise TryAgain(_reason(error)) from error

        return self._patience.persist(self.url(path), attempt)

    def fetch(self, path: str, target: Path, sha256: str, advance: Advance) -> Fetched | None:
        """Bring the file to `target`; None where the peer has no such file. `advance` is told the bytes so far, and of how
        many where the peer says.

        Raises DownloadFailed. Where the hash is another one nothing is left at `target` nor of the part.
        """
        part = part_of(target)
        self._received = 0
        was_begun = part.exists()
        answers = self._arrive(path, part, advance)
        if answers and (was_begun or answers > 1) and sha256_of(part) != sha256:
            part.unlink()
            answers = self._arrive(path, part, advance)
        return self._judged(part, target, sha256) if answers else None

    def _arrive(self, path: str, part: Path, advance: Advance) -> int:
        """How many answers it took until the part was as long as the peer says; 0 where the peer has no such file."""
        answers = 0

        def attempt() -> bool:
            nonlocal answers
            answers += 1
            return self._receive(path, part, advance)

        is_there = self._patience.persist(self.url(path), attempt, lambda: size_of(part))
        return answers if is_there else 0

    def _judged(self, part: Path, target: Path, sha256: str) -> Fetched:
        found = sha256_of(part)
        if found != sha256:
            part.unlink()
            return Fetched(self._received, found)
        publish(part, target)
        return Fetched(self._received)

    def _receive(self, path: str, part: Path, advance: Advance) -> bool:
        """Append the rest to the part. False where there is no such file; TryAgain where it broke off."""
        try:
            response = self._open(path, size_of(part))
        except _RangeRefused as refused:
            if refused.size == size_of(part):
                return True
            part.unlink()
            raise TryAgain(f"a file of {refused.size} bytes, shorter than what we hold") from refused
        if response is None:
            return False
        with response, part.open("ab", buffering=0) as file:
            start, total = _span(response, size_of(part))
            file.truncate(start)
            self._copy(response, file.fileno(), part, start, total, advance)
        return True

    def _copy(
        self, response: http.client.HTTPResponse, descriptor: int, part: Path, start: int, total: int | None, advance: Advance
    ) -> None:
        position, checked, checked_s = start, start, self._clock()
        advance(position, total)
        while block := self._read(response):
            write_all(descriptor, block, part)
            position += len(block)
            self._received += len(block)
            advance(position, total)
            elapsed_s = self._clock() - checked_s
            if elapsed_s >= self._timeout_s and position != total:
                if position - checked < RATE_MIN * elapsed_s:
                    raise TryAgain(f"{position - checked:,} bytes in {elapsed_s:.0f} s")
                checked, checked_s = position, self._clock()
        if total is not None and position < total:
            raise TryAgain(f"the end after {position:,} of {total:,} bytes")

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise TryAgain(_reason(error)) from error

    def _open(self, path: str, start: int) -> http.client.HTTPResponse | None:
        headers = {"User-Agent": f"tradebot/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        self._pace.wait_turn()
        try:
            request = urllib.request.Request(self.url(path), headers=headers)
            return cast(http.client.HTTPResponse, self._opener.open(request, timeout=self._timeout_s))
        except urllib.error.HTTPError as error:
            with error:
                if error.code in _GONE:
                    return None
                raise _meaning(error) from error
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise DownloadFailed(
                    f"expected a certificate that is trusted at {self._base_url}, found: {cause.verify_message}; "
                    "check the URL, the clock and the machine's certificates"
                ) from error
            raise TryAgain(_reason(error)) from error


def _meaning(error: urllib.error.HTTPError) -> Exception:
    """What a status says that is neither success nor absence."""
    if error.code == 416:
        found = _CONTENT_RANGE.fullmatch(error.headers.get("Content-Range", ""))
        return _RangeRefused(int(found[2]) if found and found[2] != "*" else None)
    why = f"HTTP {error.code} {error.reason}"
    if error.code in _PASSING or error.code >= 500:
        return TryAgain(why, retry_after_s(error.headers.get("Retry-After"), time.time()))
    return DownloadFailed(f"expected {error.url}, found {why}; check the URL and the network")


def checked_url(url: str) -> str:
    """The URL without its last slash. Raises UsageError where it is not one of http or https with a host."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"expected a URL such as https://host.example, found {url!r}")
    return url.rstrip("/")


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _span(response: http.client.HTTPResponse, held: int) -> tuple[int, int | None]:
    """Where the answer's first byte belongs, and how long the file is; a peer that knows no ranges begins at 0."""
    length = response.headers.get("Content-Length", "")
    if response.status != 206:
        return 0, int(length) if length.isdecimal() else None
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None or found[1] is None or int(found[1]) != held:
        raise TryAgain(f"an answer that begins elsewhere than at byte {held:,}")
    return held, int(found[2]) if found[2] != "*" else None


def _reason(error: BaseException) -> str:
    """What a failed connection says, in a few words."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return f"{type(error).__name__}: {cause}"[:200]
