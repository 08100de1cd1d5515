"""A process around one part, or around several that live together: the loop, and an end that is asked for or forced.

It ends when it is told to (SIGTERM), and when the process that started it is gone: the life line is a pipe of which that
process holds the other end. A part of a node is killed by the kernel then (`life_line.end_with`), so that killing the root fells
the whole node, and nobody trades on unsupervised, not even one that hangs.

Parts that live together have a supervisor of their own in this loop; what hangs or crashes takes all of them with it.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import Any, Final, Protocol

from tradebot.actors.bus import Bus
from tradebot.actors.cell import Addressed, Cell, Part, Room
from tradebot.actors.child_spec import ChildSpec, SupervisorSpec
from tradebot.actors.clock import Clock
from tradebot.actors.inquiry import Inquiry
from tradebot.actors.mailbox import Desk, Inbox, Posts
from tradebot.actors.offspring import Offspring
from tradebot.actors.running import InLoop, InProcess, Report, Running, say_ready, say_why
from tradebot.actors.tree import Told, Tree
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import LocalError
from tradebot.domain.signals import Happened
from tradebot.domain.words import LINE_MAX, one_line, trace_text

Make = Callable[[str], Part]

VERSION: Final = 1
PROCESS: Final = "process"
BEAT_S: Final = 0.05
TOO_OFTEN: Final = "it gave up: those below it died too often"


class GaveUp(LocalError):
    """A supervisor in a process gave up, because `worn_out` died too often in a row, or where that is empty all too often."""

    def __init__(self, worn_out: str) -> None:
        self.worn_out = worn_out
        whose = f"{worn_out} died too often in a row" if worn_out else "they died too often"
        super().__init__(f"expected parts that live, found that their supervisor gave up: {whose}")


class Lines:
    """What a process has of the one that started it: its life line, and the line on which it says that it has started, and with
    `tells_why` why it ends.
    """

    def __init__(self, life_line: int | None, ready: int | None, tells_why: bool = False) -> None:
        self.life_line, self.ready = life_line, ready
        self.why = os.dup(ready) if tells_why and ready is not None else None  # no process that it starts inherits it

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

    def say_why(self, error: Exception) -> None:
        if self.why is not None:
            say_why(self.why, error)


async def run_alone(part: Part, name: str, room: Room, lines: Lines) -> None:
    """One part, to its end. Its sockets' files go while it still holds its journal, so that no other has bound them."""
    cell = Cell(part, name, room, lives_together=False)
    lines.end_by(cell.end)
    asyncio.get_running_loop().set_exception_handler(
        told_of(name) if part.is_guest else lambda _, found: cell.end(found.get("exception") or RuntimeError(found["message"]))
    )
    await cell.run(lines.say_ready, room.close)


def told_of(name: str) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Says what a task or a callback raised that nobody waits for, and where."""

    def told(_: asyncio.AbstractEventLoop, found: dict[str, Any]) -> None:
        whose = found.get("task") or found.get("future") or found.get("handle")
        error = found.get("exception")
        sys.stderr.write(f"{name}: {found['message']}: {one_line(repr(whose), LINE_MAX)}\n")
        if error is not None:
            sys.stderr.write(trace_text(error))

    return told


class Own(Protocol):
    """What a group adds to its rules."""

    @property
    def start_s(self) -> float:
        """How long a process of its own may take to begin."""

    async def make(self, child: ChildSpec, ready: int) -> Offspring:
        """A process of its own for a child, which says into `ready` that it has started."""

    def answer(self, group: "Group", body: bytes) -> bytes:
        """At the group's desk."""

    async def watch(self, group: "Group") -> None:
        """Beside it, for as long as it runs."""


Asked = Callable[[bytes, int, Callable[[], dict[str, Any]]], tuple[bytes, Iterable[Addressed]]]
"""The answer to a question at a group's desk, as a part gives it (`cell.Part.ask`)."""


def says_nothing(body: bytes, now_ns: int, figures: Callable[[], dict[str, Any]]) -> tuple[bytes, Iterable[Addressed]]:
    return b"{}", ()


class Group:
    """Parts in one loop, under a supervisor. What becomes of each is told to the root too; at a desk of its own the process says
    that the loop works, whoever of them is down. With an `own` the children may also have processes of their own, by the word
    PROCESS as their start, and count as started when they are there: what they raise when they begin is a death like any.
    """

    def __init__(
        self, make: Make, name: str, spec: SupervisorSpec, told: Told, room: Room, own: Own | None = None,
        asked: Asked = says_nothing,
    ) -> None:  # fmt: skip
        self.name, self.room, self.own, self._asked = name, room, own, asked
        self._make, self._told = make, told
        room.bus.hosts = frozenset(name for name, start in workers(spec) if start != PROCESS)
        self.posts = room.to_root = Posts(room.bus, name, room.clock.now())
        self.inbox = Inbox(room.bus, self.posts, lambda _: None)
        self._desk = Desk(room.bus.context, room.bus.folder, f"{name}.desk", self._answer)
        self._questions: list[Inquiry] = []
        self._ended: dict[str, str] = {}  # why, of those of which the supervisor has yet to decide
        self._told_to_end: set[str] = set()
        self.tree = Tree(spec, self._begin, self._note)

    async def run(self, lines: Lines) -> None:
        """To its end. Raises GaveUp where its supervisor does."""
        asked, tree = asyncio.Event(), self.tree
        lines.end_by(asked.set)
        if self.own is not None:
            asyncio.get_running_loop().set_exception_handler(told_of(self.name))
        beside: list[asyncio.Future[Any]] = []
        try:
            if self.own is not None:
                lines.say_ready()  # what its children do when they begin is no failure of its start
            await tree.start()
            lines.say_ready()
            beside = [asyncio.create_task(one) for one in (self._beat(), *([self.own.watch(self)] if self.own else []))]
            waits: list[asyncio.Future[Any]] = [asyncio.create_task(asked.wait()), tree.ended, *beside]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for one in beside:
                if one.done():
                    one.result()  # it goes on for ever, or raises
            if not asked.is_set():
                raise GaveUp(tree.machine.worn_out)
        finally:
            for one in beside:
                one.cancel()
            await tree.stop()
            for question in self._questions:
                question.close()
            self.inbox.close()
            self._desk.close()
            self.posts.close()
            self.room.close()

    def questions(self, name: str, timeout_s: float) -> Inquiry:
        """To the desk of another, on the same context."""
        found = Inquiry(self.room.bus.context, self.room.bus.folder, name, timeout_s)
        self._questions.append(found)
        return found

    def tell(self, name: str, what: str, why: str) -> None:
        """The root hears what became of a child."""
        self.posts.send(ROOT, Happened(VERSION, name, what, why))

    async def _beat(self) -> None:
        """For ever: the last word of a burst is missed too (`letters`)."""
        while True:
            self._tell_stopped()
            self.inbox.beat(self.room.clock.now())
            self.posts.beat()
            await asyncio.sleep(BEAT_S)

    def _answer(self, body: bytes) -> bytes:
        if self.own is not None:
            return self.own.answer(self, body)
        return self._asked(body, self.room.clock.now(), self.inbox.figures)[0]

    def _note(self, what: str, child: ChildSpec, why: str) -> None:
        self._told(what, child, why)
        if what in ("stop", "kill"):
            self._told_to_end.add(child.id)
        elif what == "start":
            self._told_to_end.discard(child.id)
        elif what == "exited" and isinstance(child.start, SupervisorSpec) and child.id not in self._told_to_end:
            why = TOO_OFTEN
        if what in ("started", "failed", "exited"):
            self.tell(child.id, what, why)
        if what in ("failed", "exited"):
            self._ended[child.id] = why

    def _tell_stopped(self) -> None:
        """Of those that ended, once the supervisor has decided, who is not started again."""
        for name, why in list(self._ended.items()):
            found = next((child for _, child in self.tree.each() if child.spec.id == name), None)
            if found is None or found.reason is None:
                del self._ended[name]
                if found is None or found.state == "stopped":
                    self.tell(name, "stopped", why)

    def _begin(self, child: ChildSpec, report: Report) -> Running:
        if self.own is not None and child.start == PROCESS:
            return InProcess(partial(self.own.make, child), report, self.own.start_s, tells_why=True)

        async def run(started: Callable[[], None], ending: asyncio.Event) -> str | None:
            if self.own is not None:
                started()
            cell = Cell(self._make(child.id), child.id, self.room, lives_together=True)
            waits = asyncio.create_task(_forward(ending, cell))
            try:
                await cell.run(started)
            finally:
                waits.cancel()
            return None

        return InLoop(run, report, child.id)


def workers(spec: SupervisorSpec) -> Iterator[tuple[str, Any]]:
    """Name and start of all that are no supervisors, however deep."""
    for child in spec.children:
        if isinstance(child.start, SupervisorSpec):
            yield from workers(child.start)
        else:
            yield child.id, child.start


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
    own: Own | None = None,
    is_ready_first: bool = False,
    asked: Asked = says_nothing,
) -> None:
    """Make a part, or those of `together`, and run them on uvloop, to their end; the bus is made in the loop, and `offset_ns` is
    that of the root's clock. With `is_ready_first` a part has started before it is made, and says why it
    ends. `asked` answers for a process without an `own` in which several live. What guests leave running in the loop, or in
    threads, is not waited for: whoever calls this ends the process.
    """
    clock, lines = Clock(offset_ns), Lines(life_line, ready, tells_why=is_ready_first)

    async def run() -> None:
        try:
            if together is not None:
                await Group(make, name, together, told, Room(make_bus(), clock), own, asked).run(lines)
                return
            if is_ready_first:
                lines.say_ready()
            await run_alone(make(name), name, Room(make_bus(), clock), lines)
        except Exception as error:
            lines.say_why(error)
            raise

    _run(run(), has_guests=own is not None or is_ready_first)


def _run(body: Coroutine[None, None, None], has_guests: bool) -> None:
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        make_loop = uvloop.new_event_loop
    runner = asyncio.Runner(loop_factory=make_loop)
    try:
        runner.run(body)
    finally:
        if not has_guests:
            runner.close()
