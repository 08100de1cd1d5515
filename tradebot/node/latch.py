"""The latch of `kill`: a folder of the home in which whoever kills puts a file of its own, before anybody is asked for anything.

An engine looks at it before each of its steps, so one that stood still, or began later, halts before it does anything else,
whether or not it was asked; while it is set trading is halted, whatever else was said. What an asker wanted is done once, across
starts too; of several that wait the strongest is done, and one that is weaker than what was done takes nothing of that back. Who
lifts it takes away what it has read: a kill that comes meanwhile stands.

<home>/journal/kills/      who asked for what, a file each; `killed` beside it is an earlier version's
<run>/killed               which of them were carried out
"""

import contextlib
import os
import secrets
import time
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
TRIES: Final = 20  # to write where the folder is taken away at the same time
EARLIER: Final = "killed"
UNREADABLE: Final = "unreadable"


class Killed(Struct, frozen=True, kw_only=True):
    """That one has killed the home, and by which act what is open is to end."""

    who: str
    why: str
    time: str
    act: EndingAct = "CANCEL_ENTRIES"

    def told(self) -> dict[str, Any]:
        return {"who": self.who, "why": self.why, "time": self.time}


def new_kill(who: str, why: str, act: EndingAct) -> tuple[str, Killed]:
    """With a name of its own, which begins with its place among others."""
    name = f"{time.time_ns():020d}-{secrets.token_hex(8)}"
    return name, Killed(who=who, why=why, time=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", act=act)


def set_latch(home: Path, name: str, killed: Killed) -> None:
    """Raises OSError where it cannot be written."""
    folder = home / "journal" / "kills"
    for tries_left in range(TRIES, 0, -1):
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            belongs_to(folder, home)
            write_whole(folder / name, msgspec.json.encode(killed), own_name="new")
        except (FileNotFoundError, FileExistsError):  # who lifts it took the folder away in this moment
            if tries_left == 1:
                raise
        except OSError:
            with contextlib.suppress(OSError):
                (folder / f"{name}.new").unlink(missing_ok=True)
            raise
        else:
            belongs_to(folder / name, home)
            sync_folder(home / "journal")
            return


def belongs_to(path: Path, home: Path) -> None:
    """Whoever may kill, the node's user reads it."""
    with contextlib.suppress(OSError):
        owner = home.stat()
        if os.geteuid() == 0 and path.stat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)


def names_in(journals: Path) -> list[str]:
    """What stands in the latch of a home with these journals, the first that came first. What cannot be read stands in it too."""
    found = [EARLIER] if (journals / EARLIER).exists() else []
    try:
        found += sorted(one.name for one in (journals / "kills").iterdir() if one.suffix != ".new")
    except FileNotFoundError:
        return found
    except OSError:
        found.append(UNREADABLE)
    return found


def read_kill(journals: Path, name: str) -> Killed:
    path = journals / EARLIER if name == EARLIER else journals / "kills" / name
    try:
        return msgspec.json.decode(path.read_bytes(), type=Killed)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return Killed(who="unknown", why="the latch cannot be read", time="")


def read_killed(home: Path) -> Killed | None:
    """The first that killed it; None where it is not latched."""
    names = names_in(home / "journal")
    return read_kill(home / "journal", names[0]) if names else None


def lift_killed(home: Path) -> None:
    """Take away what stands in it now. Raises OSError where that cannot be."""
    journals = home / "journal"
    for name in names_in(journals):
        (journals / EARLIER if name == EARLIER else journals / "kills" / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it is not there, or somebody kills again
        (journals / "kills").rmdir()
    sync_folder(journals)


class Latch:
    """That of the home in whose journals `folder` is a run, for its engine."""

    def __init__(self, folder: Path) -> None:
        self._journals, self._done_path = folder.absolute().parent, folder / "killed"
        self._kills, self._earlier = os.fspath(self._journals / "kills"), os.fspath(self._journals / EARLIER)
        self._done: dict[str, EndingAct] = {}
        with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
            self._done = msgspec.json.decode(self._done_path.read_bytes(), type=dict[str, EndingAct])

    @property
    def is_set(self) -> bool:
        """Asked before each step: two looks that find nothing."""
        return (os.access(self._kills, os.F_OK) or os.access(self._earlier, os.F_OK)) and bool(names_in(self._journals))

    def first(self) -> Killed:
        names = names_in(self._journals)
        return read_kill(self._journals, names[0] if names else UNREADABLE)

    def wants(self) -> tuple[str, Killed] | None:
        """What is to be carried out now, by its name: the strongest of what was asked for and not done, where nothing stronger
        was done. None where there is nothing new.
        """
        names = names_in(self._journals)
        new = {name: read_kill(self._journals, name) for name in names if name not in self._done}
        if not new:
            return None
        done = max((STRENGTHS[self._done[name]] for name in names if name in self._done), default=0)
        strongest = max(new, key=lambda name: STRENGTHS[new[name].act])
        is_wanted = STRENGTHS[new[strongest].act] >= done
        self.carried_out({name: one.act for name, one in new.items() if name != strongest or not is_wanted})
        return (strongest, new[strongest]) if is_wanted else None

    def has_done(self, name: str) -> bool:
        return name in self._done

    def carried_out(self, done: dict[str, EndingAct]) -> None:
        """A disk that is full forgets it over the next start, which does it once more."""
        if done:
            self._done |= done
            with contextlib.suppress(OSError):
                write_whole(self._done_path, msgspec.json.encode(self._done))
