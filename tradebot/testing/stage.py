"""Actors without a node, for their tests: in one loop, or each behind sockets of its own, in a folder of the test's.

    async def scene():
        async with Stage(tmp_path) as stage:
            await stage.play("one", One())
            await stage.play("two", Two())
            assert await stage.actors["one"].ask("two", HowMany()) == Count(0)
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from tradebot.actors.acting import Acting
from tradebot.actors.actor import Actor
from tradebot.actors.bus import Bus
from tradebot.actors.cell import Addressed, Cell, Plain, Room
from tradebot.actors.clock import Clock
from tradebot.actors.watching import ROOT
from tradebot.domain.codec import Message
from tradebot.node.values import is_actor_name


class Stage:
    """Within a loop. `tasks` end when their actors do, and raise what those raised; what would be told to the root is lost."""

    def __init__(self, folder: Path, is_here: bool = True) -> None:
        self.folder, self.is_here, self.clock = folder, is_here, Clock()
        self.actors: dict[str, Actor] = {}
        self.actings: dict[str, Acting] = {}
        self.cells: dict[str, Cell] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._rooms: list[Room] = []

    async def play(self, name: str, actor: Actor, patience_s: float = 5.0) -> Acting:
        """Begin with an actor; its `hear` has what the node would have it hear."""
        if not self._rooms or not self.is_here:
            self._rooms.append(Room(Bus(self.folder), self.clock))
        part = Playing(actor, name, patience_s)
        self.actors[name], self.actings[name] = actor, part.acting
        cell = self.cells[name] = Cell(part, name, self._rooms[-1], lives_together=self.is_here)
        started = asyncio.Event()
        task = self.tasks[name] = asyncio.create_task(cell.run(started.set))
        waits = asyncio.create_task(started.wait())
        await asyncio.wait([waits, task], return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        return part.acting

    async def end(self) -> None:
        """End all, the last first. What they raised is in their tasks."""
        for name in reversed(self.cells):
            self.cells[name].end()
            await asyncio.wait([self.tasks[name]])
            if not self.tasks[name].cancelled():
                self.tasks[name].exception()
        for room in self._rooms:
            room.close()

    async def __aenter__(self) -> "Stage":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        await self.end()


def may_be_actor(name: str) -> bool:
    return name != ROOT and is_actor_name(name)


class Playing(Plain):
    """What a node puts around an actor, without a node."""

    traps_exits = False

    def __init__(self, actor: Actor, name: str, patience_s: float) -> None:
        self.acting = Acting(actor, name, patience_s, may_be_actor)
        self.traps_exits = type(actor).traps_exits

    def join(self, cell: Cell) -> None:
        self.acting.join(cell)

    def open(self, now_ns: int) -> Iterable[Addressed]:
        self.acting.open()
        return ()

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        self.acting.take(messages)
        return ()

    def on_clock(self, now_ns: int) -> Iterable[Addressed]:
        self.acting.beat()
        return ()

    def ask(self, body: bytes, now_ns: int, figures: Callable[[], dict[str, Any]]) -> tuple[bytes, Iterable[Addressed]]:
        return b"", ()

    def refused(self, name: str, message: Message) -> None:
        """An actor hears of it by what `tell` gives."""

    async def finish(self) -> None:
        await self.acting.finish()

    def close(self) -> None:
        self.acting.close()

    async def gone(self) -> None:
        await self.acting.gone()
