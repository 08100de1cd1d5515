"""The folder of a node's run: what its processes need to know, and what they write.

journal/<run id>/run.bin     what the root prepared: plan, strategies, venue, settings
journal/<run id>/ticks.npy   the stored facts that its feed tells
journal/<run id>/epoch       the number of the engine's last start
journal/<run id>/stopped     there where a stop reduced trading, so that the next start opens it again
journal/<run id>/engine, gateway, venue      a journal each
journal/<run id>/ipc         mailboxes; elsewhere where the path is too long for a socket
journal/current              the run that a start of this home goes on with
journal/<run id>/killed      which kills its engine has carried out
journal/kills/               who killed the home and why, a file each: a latch that holds until it is lifted (`latch`)
"""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from tradebot.domain.errors import BadContainer, LocalError, NotRunning, UsageError
from tradebot.engine.plan import Plan

SOCKET_PATH_MAX: Final = 80  # of 107 bytes that a socket's path may have, less the longest name in it
ENGINE, GATEWAY, VENUE, FEED, STORE, API = "engine", "gateway", "venue", "feed", "store", "api"
ACTORS: Final = "actors"
"""The process of a user's own actors."""


class Prepared(Struct, frozen=True, kw_only=True):
    """What every process of a run is built from. `fingerprint` names code and parameters of the strategies."""

    run_id: str
    config: dict[str, Any]
    plan: Plan
    fingerprint: str
    ticks: int
    ticks_crc: int = 0  # of the file of ticks; 0 in runs of earlier versions


def home_of(run: Path) -> Path:
    """Of a run's folder, as the home calls it: its journals may be elsewhere, behind a link."""
    return run.absolute().parents[1]


def run_folder(home: Path, run_id: str) -> Path:
    return home / "journal" / run_id


def current_run(home: Path) -> str | None:
    """The run that a start goes on with; None where there was none. Raises UsageError where the home is no folder."""
    try:
        return (home / "journal" / "current").read_text().strip() or None
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        at = home / "journal" if home.is_dir() else home
        raise UsageError(f"{home}: expected a folder for --home, found a file at {at}") from error


def find_current(home: Path) -> Path:
    """The folder of the home's run. Raises NotRunning."""
    run_id = current_run(home)
    if run_id is None:
        raise NotRunning(f"expected a node in {home}, found none: start one with `tradebot run -c FILE`")
    return run_folder(home, run_id)


def write_whole(path: Path, body: bytes, own_name: str = "new") -> None:
    """A small file, whole or not at all, on the disk before the call returns. Where several may write at a time, each has an
    `own_name` for what is not whole yet.
    """
    new = path.with_name(f"{path.name}.{own_name}")
    with new.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_prepared(folder: Path, prepared: Prepared) -> None:
    write_whole(folder / "run.bin", msgspec.msgpack.encode(prepared))


def read_prepared(folder: Path) -> Prepared:
    """What a run was prepared with. Raises BadContainer."""
    try:
        return msgspec.msgpack.decode((folder / "run.bin").read_bytes(), type=Prepared)
    except (OSError, ValueError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadContainer(
            f"expected a run in {folder}, found {error}: bring its run.bin back from a copy, or begin another run with --new"
        ) from error


def next_epoch(folder: Path) -> int:
    """The number of an engine's new start: larger than any before, on the disk before it is used."""
    path = folder / "epoch"
    text = path.read_text().strip() if path.is_file() else "0"
    if not text.isdecimal():
        raise LocalError(f"expected a number in {path}, found {text!r}; write one that is larger than any epoch of the journal")
    epoch = int(text) + 1
    write_whole(path, f"{epoch}\n".encode())
    return epoch


def mark_stopped(folder: Path) -> None:
    """A stop is about to reduce trading that was open."""
    write_whole(folder / "stopped", b"")


def was_stopped(folder: Path) -> bool:
    return (folder / "stopped").exists()


def forget_stopped(folder: Path) -> None:
    (folder / "stopped").unlink(missing_ok=True)


def ipc_folder(folder: Path) -> Path:
    """Where the mailboxes of a run are: in its folder, or, where that path is too long for a socket, in one of the user's own."""
    folder = folder.resolve()  # a relative path would be short here and long in the process that asks
    inside = folder / "ipc"
    if len(os.fsencode(inside)) <= SOCKET_PATH_MAX:
        return inside
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tradebot-{os.getuid()}-{mark}"


def mailboxes_of(folder: Path) -> Path | None:
    """Where the parts of a run are asked from outside; None where nobody is there. Raises LocalError where somebody else than who
    has the run could be behind its sockets: outside of its folder anybody may make one of that name.
    """
    ipc = ipc_folder(folder)
    try:
        found, own = ipc.lstat(), folder.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != own.st_uid or found.st_mode & 0o022:
        raise LocalError(
            f"expected the folder {ipc} of the sockets of this run to be its user's alone, found that it is not: nothing was "
            "asked; remove it and start the node again"
        )
    return ipc


def forget_mailboxes(folder: Path) -> None:
    """Nobody reaches them any more: where they are not in the run's folder, nothing else would take them away."""
    ipc = ipc_folder(folder)
    if ipc.parent != folder.resolve():
        shutil.rmtree(ipc, ignore_errors=True)


