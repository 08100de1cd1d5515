"""Processes to be supervised, and what is looked at of them."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import IO, Any

from tradebot.actors.child_spec import ChildSpec
from tradebot.actors.offspring import Offspring, adopt_orphans, spawn
from tradebot.actors.running import InProcess, Report, Running, say_ready
from tradebot.actors.zygote import Zygote

START_S = 20.0


def child_main(words: list[str]) -> int:
    """What a forked or spawned child of these tests is: `how` and where it notes its process id."""
    how, notes, life_line, ready = words[0], Path(words[1]), int(words[3]), int(words[5])
    if how == "fails":
        sys.stderr.write("it cannot be\n")
        return 3
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if how == "late":
        time.sleep(60)
    with notes.open("a") as file:
        file.write(f"{os.getpid()}\n")
    say_ready(ready)
    if how == "dies":
        return 4
    if how == "done":
        return 0
    os.read(life_line, 1)
    return 5


class Nursery:
    """Makes children of both kinds; `close` sees that none is left."""

    def __init__(self, folder: Path, log: IO[bytes]) -> None:
        adopt_orphans()
        self.folder, self.log = folder, log
        self.zygote = Zygote(["msgspec", "numpy", "tests.actors.children"], log)
        self.watched, self.held = os.pipe()
        self.starts = 0

    def begin(self, child: ChildSpec, report: Report) -> Running:
        """`start` is "fork dies", "spawn runs", ..."""
        place, how = child.start.split()
        words = [how, str(self.folder / child.id)]
        make = self.fork if place == "fork" else self.spawn
        self.starts += 1
        return InProcess(lambda ready: make(words, ready), report, 1.0 if how == "late" else START_S)

    def fork(self, words: list[str], ready: int) -> Coroutine[None, None, Offspring]:
        return self.zygote.fork("tests.actors.children:child_main", words, self.watched, ready)

    async def spawn(self, words: list[str], ready: int) -> Offspring:
        code = f"import sys; from tests.actors.children import child_main; sys.exit(child_main({words!r} + sys.argv[1:]))"
        return spawn(["-c", code, "--life-line", str(self.watched), "--ready", str(ready)], self.log, [self.watched, ready])

    def pids(self, name: str) -> list[int]:
        path = self.folder / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    async def close(self) -> None:
        await self.zygote.close()
        for descriptor in (self.watched, self.held):
            os.close(descriptor)


def run(folder: Path, body: Callable[[Nursery], Coroutine[Any, Any, None]]) -> None:
    """With a nursery; afterwards no process is left, not even a dead one."""
    before = set(below(os.getpid()))

    async def whole() -> None:
        with (folder / "log").open("wb") as log:
            nursery = Nursery(folder, log)
            try:
                await asyncio.wait_for(body(nursery), 60)
            finally:
                await nursery.close()

    asyncio.run(whole())
    assert set(below(os.getpid())) <= before


async def until(is_so: Callable[[], Any]) -> None:
    while not is_so():
        await asyncio.sleep(0.002)


def below(pid: int) -> list[int]:
    """Children of a process, zombies too."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


Body = Callable[[Nursery], Awaitable[None]]

if __name__ == "__main__":
    sys.exit(child_main(sys.argv[1:]))
