"""The latch of `kill`: a file of the home, set before anybody is asked to do anything, in which each asker has a line of its own.

An engine looks at it before each of its steps, so one that stood still, or began later, halts before it does anything else,
whether or not it was asked. What an asker wanted is done once, across starts too; of several that wait the strongest is done, and
one that is weaker than what was done already takes nothing of that back.

<home>/journal/killed      why, and who asked for what
<run>/killed               which of them were carried out
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from tradebot.node.session_files import sync_folder, write_whole

EndingAct = Literal["CANCEL_ENTRIES", "CANCEL_ALL", "FLATTEN"]
"""The acts that end what is open, each more than the one before."""

STRENGTHS: Final[dict[str, int]] = {"CANCEL_ENTRIES": 1, "CANCEL_ALL": 2, "FLATTEN": 3}
IN_WORDS: Final[dict[str, str]] = {
    "CANCEL_ENTRIES": "cancels entries", "CANCEL_ALL": "cancels all", "FLATTEN": "cancels all and closes every position",
}  # fmt: skip
LOCK_S: Final = 1.0  # for another who writes; one that hangs in it holds up no kill
LOCK_POLL_S: Final = 0.01


class KillAsk(Struct, frozen=True, kw_only=True):
    """One that asked; `nonce` tells it from all others."""

    nonce: str
    who: str
    why: str
    act: EndingAct = "CANCEL_ENTRIES"


class Killed(Struct, frozen=True, kw_only=True):
    """Why nothing of this home trades until somebody lifts it: who was the first to ask."""

    who: str
    why: str
    time: str
    asks: list[KillAsk] = []

    def told(self) -> dict[str, Any]:
        return {"who": self.who, "why": self.why, "time": self.time}


def new_ask(who: str, why: str, act: EndingAct) -> KillAsk:
    return KillAsk(nonce=secrets.token_hex(8), who=who, why=why, act=act)


def killed_path(home: Path) -> Path:
    return home / "journal" / "killed"


def read_killed(home: Path) -> Killed | None:
    """None where it is not set. One that cannot be read is set all the same."""
    return read_latch(killed_path(home))


def read_latch(path: Path) -> Killed | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Killed)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, msgspec.ValidationError):
        found = Killed(who="unknown", why="the latch cannot be read", time="")
    if found.asks:
        return found
    return msgspec.structs.replace(found, asks=[KillAsk(nonce=f"first {found.time}", who=found.who, why=found.why)])


def set_latch(home: Path, ask: KillAsk) -> None:
    """The first reason is kept. Raises OSError where it cannot be written."""
    path = killed_path(home)
    with one_writer(path.parent):
        before = read_latch(path)
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        first = Killed(who=ask.who, why=ask.why, time=now) if before is None else before
        asks = [*([] if before is None else before.asks), ask]
        write_whole(path, msgspec.json.encode(msgspec.structs.replace(first, asks=asks)), own_name=ask.nonce)


@contextlib.contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """For a while: whoever still cannot have it writes all the same."""
    descriptor = os.open(folder / "killed.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        until_s = time.monotonic() + LOCK_S
        while time.monotonic() < until_s:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def lift_killed(home: Path) -> None:
    killed_path(home).unlink(missing_ok=True)
    sync_folder(home / "journal")


class Latch:
    """That of the home in whose journals `folder` is a run, for its engine."""

    def __init__(self, folder: Path) -> None:
        self._path, self._done_path = folder.absolute().parent / "killed", folder / "killed"
        self._done: list[str] = []
        with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
            self._done = msgspec.json.decode(self._done_path.read_bytes(), type=list[str])
        self._seen: tuple[int, int, int] | None = None

    @property
    def is_set(self) -> bool:
        return self._stamp() is not None

    def wants(self) -> KillAsk | None:
        """What is to be carried out now: the strongest of what was asked for and not done, where nothing stronger was done. None
        where there is nothing new.
        """
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        killed = read_latch(self._path)
        if killed is None:
            return None
        self._seen = stamp
        new = [one for one in killed.asks if one.nonce not in self._done]
        if not new:
            return None
        done = max((STRENGTHS[one.act] for one in killed.asks if one.nonce in self._done), default=0)
        strongest = max(new, key=lambda one: STRENGTHS[one.act])
        for one in new:
            if one is not strongest or STRENGTHS[one.act] < done:
                self.carried_out(one.nonce)
        return strongest if STRENGTHS[strongest.act] >= done else None

    def has_done(self, nonce: str) -> bool:
        return nonce in self._done

    def carried_out(self, nonce: str) -> None:
        """A disk that is full forgets it over the next start, which does it once more."""
        self._done.append(nonce)
        with contextlib.suppress(OSError):
            write_whole(self._done_path, msgspec.json.encode(self._done))

    def _stamp(self) -> tuple[int, int, int] | None:
        """By what a change of the file is seen; None where it is not set."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
