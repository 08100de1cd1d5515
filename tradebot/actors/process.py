"""A process around one part, or around several that live together: the loop, and an end that is asked for or forced.

It ends when it is told to (SIGTERM), and when the process that started it is gone: the life line is a pipe of which that
process holds the other end. A part of a node is killed by the kernel then (`life_line.end_with`), so that killing the root fells
the whole node, and nobody trades on unsupervised, not even one that hangs.

Parts that live together have a supervisor of their own in this loop; what hangs or crashes takes all of them with it.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

from tradebot.actors.bus import Bus
from tradebot.actors.cell import Cell, Part, Room
from tradebot.actors.child_spec import ChildSpec, SupervisorSpec
from tradebot.actors.clock import Clock
from tradebot.actors.mailbox import Desk, Inbox, Posts
from tradebot.actors.running import InLoop, Report, Running, say_ready
from tradebot.actors.tree import Told, Tree
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import LocalError
from tradebot.domain.signals import Happened

Make = Callable[[str], Part]

VERSION: Final = 1


class GaveUp(LocalError):
    """A supervisor in a process gave up, because `worn_out` died too often in a row, or where that is empty all too often."""

    def __init__(self, worn_out: str) -> None:
        self.worn_out = worn_out
        whose = f"{worn_out} died too often in a row" if worn_out else "they died too often"
        super().__init__(f"expected parts that live, found that their supervisor gave up: {whose}")


class Lines:
    """What a process has of the one that started it: its life line, and the line on which it says that it has started."""

    def __init__(self, life_line: int | None, ready: int | None) -> None:
        self.life_line, self.ready = life_line, ready

    def end_by(self, end: Callable[[], None]) -> None:
        """Call `end` when this process is told to end, or its starter is gone."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        if self.life_line is not None:
            loop.add_reader(self.life_line, end)  # nothing is ever written into it: it is readable when its other end is gone

    def say_ready(self) -> None:
        say_ready(self.ready)
        self.ready = None


async def run_alone(part: Part, name: str, room: Room, lines: Lines) -> None:
    """One part, to its end. Its sockets' files go while it still holds its journal, so that no other has bound them."""
    cell = Cell(part, name, room, lives_together=False)
    lines.end_by(cell.end)
    asyncio.get_running_loop().set_exception_handler(
        lambda _, found: cell.end(found.get("exception") or RuntimeError(str(found["message"])))
    )
    await cell.run(lines.say_ready, room.close)


async def run_together(make: Make, name: str, spec: SupervisorSpec, told: Told, room: Room, lines: Lines) -> None:
    """Parts in one loop, under a supervisor, to its end. What becomes of each is told to the root too; at a desk of its own the
    process says that the loop works, whoever of them is down. Raises GaveUp where the supervisor does.
    """
    room.bus.hosts = frozenset(child.id for child in spec.children)
    posts = Posts(room.bus, name, room.clock.now())
    inbox = Inbox(room.bus, posts, lambda _: None)
    desk = Desk(room.bus.context, room.bus.folder, f"{name}.desk", lambda _: b"{}")

    def tell(what: str, child: ChildSpec, why: str) -> None:
        told(what, child, why)
        if what in ("started", "failed", "exited"):
            posts.send(ROOT, Happened(VERSION, child.id, what, why))

    def begin(child: ChildSpec, report: Report) -> Running:
        async def run(started: Callable[[], None], ending: asyncio.Event) -> str | None:
            cell = Cell(make(child.id), child.id, room, lives_together=True)
            waits = asyncio.create_task(_forward(ending, cell))
            try:
                await cell.run(started)
            finally:
                waits.cancel()
            return None

        return InLoop(run, report, child.id)

    tree, asked = Tree(spec, begin, tell), asyncio.Event()
    lines.end_by(asked.set)
    try:
        await tree.start()
        lines.say_ready()
        waits: list[asyncio.Future[Any]] = [asyncio.create_task(asked.wait()), tree.ended]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not asked.is_set():
            raise GaveUp(tree.machine.worn_out)
    finally:
        await tree.stop()
        inbox.close()
        desk.close()
        posts.close()
        room.close()


async def _forward(ending: asyncio.Event, cell: Cell) -> None:
    await ending.wait()
    cell.end()


def run_process(
    make: Make,
    name: str,
    make_bus: Callable[[], Bus],
    life_line: int | None,
    offset_ns: int | None,
    ready: int | None = None,
    together: SupervisorSpec | None = None,
    told: Told = lambda *_: None,
) -> None:
    """Make a part, or those of `together`, and run them on uvloop, to their end; the bus is made in the loop, and `offset_ns` is
    that of the root's clock.
    """
    clock, lines = Clock(offset_ns), Lines(life_line, ready)

    async def run() -> None:
        if together is None:
            part = make(name)
            await run_alone(part, name, Room(make_bus(), clock), lines)
        else:
            await run_together(make, name, together, told, Room(make_bus(), clock), lines)

    _run(run())


def _run(body: Coroutine[None, None, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(body)
    else:
        uvloop.run(body)
