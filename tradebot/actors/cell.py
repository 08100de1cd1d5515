"""One part at work in a loop: its mailbox, its desk and the clock. A process has one of them, or several that live together.

In a process of its own a part is told through a socket; together with others through the ring that it has in their loop. What it
is told, and how it is asked from outside, is the same. What it raises ends it and no other.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from tradebot.actors.bus import Bus
from tradebot.actors.clock import Clock
from tradebot.actors.mail import Mail
from tradebot.actors.mailbox import Desk, Inbox, Posts
from tradebot.actors.replying import ReplyLines
from tradebot.actors.running import finished
from tradebot.domain.codec import Message
from tradebot.domain.signals import Exit

STEPS_KEPT: Final = 1_024
TICK_S: Final = 0.02  # the longest that passes before a behaviour is told the time

Addressed = tuple[str, Message]


class LinkedEnd(Exception):
    """An actor ends because one that it is linked to did."""


class Part(Protocol):
    """A behaviour as a process runs it. What it gives back is put into the mailboxes that it names."""

    def open(self, now_ns: int) -> Iterable[Addressed]: ...

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]: ...

    def on_clock(self, now_ns: int) -> Iterable[Addressed]: ...

    def ask(
        self, body: bytes, now_ns: int, figures: Callable[[], dict[str, Any]]
    ) -> tuple[bytes, Iterable[Addressed]]:
        """Answer a question; `figures` tell of its mailbox."""

    def refused(self, name: str, message: Message) -> None:
        """A mailbox was full."""

    @property
    def traps_exits(self) -> bool:
        """Whether it is told an `Exit` of one it is linked to, as any message, instead of ending with it."""

    @property
    def is_guest(self) -> bool:
        """Whether it is code of a user's: what a task or a callback of its own raises is told, and ends nobody."""

    def close(self) -> None: ...

    def join(self, cell: "Cell") -> None:
        """It is about to be opened in that cell."""

    async def finish(self) -> None:
        """It ends, by what asked for that or by what it raised: whom it tells something now still hears of it."""

    async def gone(self) -> None:
        """Behind `close`, also where it is ended by force: wait until nothing of it runs any more."""


class Plain:
    """What most parts do beside their steps: nothing."""

    is_guest = False

    def join(self, cell: "Cell") -> None:
        """It asks nothing of its cell."""

    async def finish(self) -> None:
        """It has nothing more to say."""

    async def gone(self) -> None:
        """Nothing of it runs beside its steps."""


class Steps:
    """How many messages a part took, and how long its last steps were."""

    def __init__(self) -> None:
        self.messages = self.steps = 0
        self._seconds = [0.0] * STEPS_KEPT

    def note(self, messages: int, seconds: float) -> None:
        self._seconds[self.steps % STEPS_KEPT] = seconds
        self.steps += 1
        self.messages += messages

    def figures(self) -> dict[str, Any]:
        """For a status: microseconds of the last steps, the 50th and 99th in 100."""
        kept = sorted(self._seconds[: min(self.steps, STEPS_KEPT)])
        shares = {f"step_us_p{share}": round(kept[len(kept) * share // 100] * 1e6, 1) if kept else None for share in (50, 99)}
        return {"messages": self.messages, **shares}


class Room:
    """What the parts of one process share: the bus, the clock, and the ways by which answers go."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self.bus, self.clock = bus, clock
        self.replies = ReplyLines(bus)
        self.to_root: Posts | None = None  # by which the root hears of those who live together here

    def close(self) -> None:
        self.replies.close()
        self.bus.close()


class Cell:
    """Runs one part until its event is set, or the part raises."""

    def __init__(self, part: Part, name: str, room: Room, lives_together: bool) -> None:
        self.part, self.name, self.room = part, name, room
        self.lives_together = lives_together
        self.steps = Steps()
        self.posts = Posts(room.bus, name, room.clock.now())
        self.ending = asyncio.Event()
        self.failure: BaseException | None = None

    def end(self, error: BaseException | None = None) -> None:
        """The first reason is the one."""
        if not self.ending.is_set():
            self.failure = error
        self.ending.set()

    async def run(self, started: Callable[[], None], before_closing: Callable[[], None] = lambda: None) -> None:
        """Raises what the part raises. `before_closing` is called when nothing comes any more and the part still holds what it
        holds.
        """
        part, room = self.part, self.room
        part.join(self)
        self.post(part.open(room.clock.now()))
        self.inbox = Inbox(room.bus, self.posts, self.take)
        mail = self.mail = self.make_mail() if self.lives_together else None
        desk = Desk(room.bus.context, room.bus.folder, f"{self.name}.desk", self.answer)
        started()
        try:
            while not self.ending.is_set():
                self.beat()
                await _wait(self.ending, TICK_S)
            await part.finish()
        finally:
            if mail is not None:
                mail.close()
            self.inbox.close()
            desk.close()
            self.posts.close()
            before_closing()
            part.close()
            await finished(part.gone())
        if self.failure is not None:
            raise self.failure

    def make_mail(self) -> Mail:
        """For those who live in this loop too; others reach its inbox."""
        mail = Mail(asyncio.get_running_loop(), self.take)
        self.room.bus.hold(self.name, mail)
        return mail

    def hold(self) -> None:
        """Take nothing more until `release`: what comes waits in the mailbox, and is refused where that is full."""
        self.inbox.hold()
        if self.mail is not None:
            self.mail.hold()

    def release(self) -> None:
        self.inbox.release()
        if self.mail is not None:
            self.mail.release()

    def beat(self) -> None:
        now_ns = self.room.clock.now()
        self.post(self.part.on_clock(now_ns))
        self.inbox.beat(now_ns)
        self.posts.beat()

    def figures(self) -> dict[str, Any]:
        """For a status: of its steps, of its letters, and of how much waited in its mailbox, in the loop or behind the socket."""
        inbox, mail = self.inbox, self.mail
        depth, most = (0, 0) if mail is None else (len(mail), mail.most_waited)
        waits = {"depth": depth + inbox.depth, "most_waited": max(most, inbox.most_waited)}
        return {**self.steps.figures(), **waits, **inbox.figures()}

    def take(self, messages: list[Message]) -> None:
        if self.ending.is_set():
            return
        began_s = time.perf_counter()
        try:
            if Exit in map(type, messages) and not self.part.traps_exits:
                self.take_until_exit(messages)
            else:
                self.post(self.part.take(messages, self.room.clock.now()))
        except BaseException as error:
            self.end(error)
        self.steps.note(len(messages), time.perf_counter() - began_s)

    def take_until_exit(self, messages: list[Message]) -> None:
        """It ends with whom it is linked to; what came before that is taken. Raises LinkedEnd."""
        at, found = next((at, one) for at, one in enumerate(messages) if isinstance(one, Exit))
        self.post(self.part.take(messages[:at], self.room.clock.now()))
        raise LinkedEnd(f"{found.name}, to which it is linked, ended: {found.reason}")

    def answer(self, body: bytes) -> bytes:
        try:
            said, found = self.part.ask(body, self.room.clock.now(), self.figures)
            self.post(found)
        except BaseException as error:
            self.end(error)
            return b"{}"
        return said

    def post(self, found: Iterable[Addressed]) -> None:
        for name, message in found:
            if not self.posts.send(name, message):
                self.part.refused(name, message)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
