"""An actor of a user's at work in a cell: what comes to it waits, and is heard one after the other.

While it is at a message, its mailbox is held: others fill it up to its bound and are refused then. What it hears of the node
comes from this process, through rings of their own, each with its policy (`mail.pyx`).
"""

import asyncio
import contextlib
import inspect
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Struct

from tradebot.actors.actor import Actor
from tradebot.actors.cell import Cell
from tradebot.actors.letters import NAME_MAX
from tradebot.actors.mail import Mail
from tradebot.actors.replying import Replies
from tradebot.actors.watching import ROOT
from tradebot.domain.codec import Message, to_bytes
from tradebot.domain.errors import LocalError, Refused
from tradebot.domain.signals import Asked, Demonitor, Link, Monitor, Replied, Unlink, Word
from tradebot.domain.words import error_text

VERSION: Final = 1
NS: Final = 1_000_000_000
AGAIN_S: Final = 0.05  # between two tries to end what catches its end
KILLS_MAX: Final = 15  # a supervisor in this loop gives it up after twenty such times
TIMEOUT_MAX_S: Final = 86_400.0
WATCHED_MAX: Final = 256  # names, by one actor

Handler = Callable[[], Any]


class Acting:
    """`patience_s` is how long one handler may take; `may_be` says of a name whether it is another actor's."""

    def __init__(self, actor: Actor, name: str, patience_s: float, may_be: Callable[[str], bool]) -> None:
        actor.name, actor.reach = name, self
        self.actor, self.name, self.patience_s, self.may_be = actor, name, patience_s, may_be
        self.waiting: deque[tuple[Handler, Callable[[], None]]] = deque()  # each with who is told when it is done
        self.heard = self.unreadable = self.late = 0
        self.is_over = False
        self._rings: list[Mail] = []
        self._watched: set[str] = set()
        self._linked: set[str] = set()
        self._handler: asyncio.Task[Any] | None = None
        self._has_started = self._is_held = False
        self._more = asyncio.Event()
        self._tick_due_s = 0.0
        self._decode = None if actor.messages is None else msgspec.msgpack.Decoder(actor.messages).decode
        self._work: asyncio.Task[None] | None = None

    def ring(self, sender: str, most: int, key: Callable[[Any], Hashable] | None = None, drops: bool = False) -> Mail:
        """A way for what it hears from within this process; while it is at a message, what comes waits there."""
        found = Mail(asyncio.get_running_loop(), partial(self._hear_all, sender), key, drops, most, batch_max=1)
        self._rings.append(found)
        return found

    # At its cell

    def join(self, cell: Cell) -> None:
        self.cell = cell
        self.replies = Replies(cell.room.bus, self.name, cell.posts.stream)

    def open(self) -> None:
        """In its cell; what is told before its `start` has returned waits."""
        self._work = asyncio.get_running_loop().create_task(self._run())

    def take(self, messages: list[Message]) -> None:
        """What was told, by others or by the root."""
        for one in messages:
            if isinstance(one, Asked | Word) and not self.may_be(one.sender):
                self.unreadable += 1
            elif isinstance(one, Asked):
                self._take_asked(one)
            elif not isinstance(one, Word):
                self.hear(one, ROOT)
            elif (message := self._read(one.sender, one.body)) is not None:
                self.hear(message, one.sender)

    def hear(self, message: Any, sender: str, heard: Callable[[], None] = lambda: None) -> None:
        """`heard` is called when it has, and not where it fails over it."""
        self._add(partial(self.actor.hear, message, sender), heard)

    def beat(self) -> None:
        """Called now and then."""
        now_s = asyncio.get_running_loop().time()
        if self.actor.every_s and self.is_idle and now_s >= self._tick_due_s:
            self._tick_due_s = max(self._tick_due_s + self.actor.every_s, now_s)
            self._add(self.actor.tick)

    @property
    def is_idle(self) -> bool:
        """Whether it has started, is at no message, and none waits here."""
        return self._has_started and not self._is_held

    def figures(self) -> dict[str, int]:
        """For a status: what it heard and has still to hear, what its rings let go, and what could not be read."""
        return {
            "heard": self.heard,
            "waiting": len(self.waiting) + sum(map(len, self._rings)),
            "conflated": sum(one.conflated for one in self._rings),
            "dropped": sum(one.dropped for one in self._rings),
            "unreadable": self.unreadable,
            "questions_late": self.late,
        }

    async def finish(self) -> None:
        """The message that it is at is its last but for its `end`. Raises what that raises, if nothing was raised before."""
        self.is_over = True
        self._more.set()
        if self._work is not None:
            await asyncio.wait([self._work])
        try:
            await self._within(self.actor.end)
        except Exception as error:
            if self.cell.failure is None:
                raise
            sys.stderr.write(f"{self.name}: its end failed too: {error_text(error)}\n")

    def close(self) -> None:
        """Also where it is ended by force."""
        self.is_over = True
        for one in self._rings:
            one.close()
        self.replies.close()

    async def gone(self) -> None:
        """What catches its end is ended again and again for a while; then it is given up, and goes on beside what comes next."""
        for _ in range(KILLS_MAX):
            left = [one for one in (self._work, self._handler) if one is not None and not one.done()]
            if not left:
                return
            for one in left:
                one.cancel()
            await asyncio.wait(left, timeout=AGAIN_S)
        sys.stderr.write(f"{self.name}: it is deaf: it was ended {KILLS_MAX} times and still runs; it is given up\n")

    # Hearing

    async def _run(self) -> None:
        try:
            await self._within(self.actor.start)
            self._has_started = True
            self._tick_due_s = asyncio.get_running_loop().time() + self.actor.every_s
            while not self.is_over:
                while self.waiting and not self.is_over:
                    self.heard += 1
                    handler, heard = self.waiting.popleft()
                    await self._within(handler)
                    heard()
                self._more.clear()
                self._release()
                if not self.waiting and not self.is_over:
                    await self._more.wait()
        except Exception as error:
            self.cell.end(error)
        except BaseException as error:  # a handler ended by what ends a whole process or task: here it ends this actor
            if not self.is_over:
                self.cell.end(LocalError(f"expected a handler that returns, found that it raised {type(error).__name__}"))

    async def _within(self, handler: Handler) -> Any:
        """Raises LocalError where it takes too long, and else what it raises."""
        found = handler()
        if not inspect.isawaitable(found):
            return found
        task = self._handler = asyncio.ensure_future(ending_itself(found))
        await asyncio.wait([task], timeout=self.patience_s)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
        what = getattr(handler, "func", handler)
        raise LocalError(
            f"expected {getattr(what, '__qualname__', what)} to return within {self.patience_s:g} s, found that it did not"
        )

    def _add(self, handler: Handler, heard: Callable[[], None] = lambda: None) -> None:
        self.waiting.append((handler, heard))
        if not self._is_held:
            self._is_held = True
            self.cell.hold()
            for one in self._rings:
                one.hold()
        self._more.set()

    def _release(self) -> None:
        if self._is_held and not self.waiting:
            self._is_held = False
            self.cell.release()
            for one in self._rings:
                one.release()

    def _hear_all(self, sender: str, messages: list[Any]) -> None:
        for one in messages:
            self.hear(one, sender)

    def _read(self, sender: str, body: bytes) -> Any:
        """None for what it does not know; that is counted, and the first is told."""
        try:
            if self._decode is None:
                raise msgspec.ValidationError("it declares no messages")
            return self._decode(body)
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            if not self.unreadable:
                sys.stderr.write(
                    f"{self.name}: expected a message that {type(self.actor).__name__} knows, found another from {sender}: "
                    f"{error}; it is dropped, as all are that it does not know\n"
                )
            self.unreadable += 1
            return None

    # Answering

    def _take_asked(self, asked: Asked) -> None:
        question, why = None, ""
        if type(self.actor).answer is Actor.answer:
            why = f"expected an actor that answers, found {self.name}, which does not"
        elif (question := self._read(asked.sender, asked.body)) is None:
            why = f"expected a question that {self.name} knows, found another"
        if question is None:
            self._reply(asked, b"", why)
        else:
            self._add(partial(self._answer, question, asked))

    def _answer(self, question: Any, asked: Asked) -> Any:
        """What nobody waits for any more is not done."""
        if self.cell.room.clock.now() >= asked.until_ns:
            self.late += 1
            return None
        with self._telling(asked):
            found = self.actor.answer(question, asked.sender)
            return self._answer_later(found, asked) if inspect.isawaitable(found) else self._reply(asked, to_bytes(found), "")

    async def _answer_later(self, found: Awaitable[Any], asked: Asked) -> None:
        with self._telling(asked):
            self._reply(asked, to_bytes(await found), "")

    @contextlib.contextmanager
    def _telling(self, asked: Asked) -> Iterator[None]:
        """Who asked is told where it fails."""
        try:
            yield
        except BaseException as error:
            self._reply(asked, b"", f"expected {self.name} to answer, found that it failed: {error_text(error)}")
            raise

    def _reply(self, asked: Asked, answer: bytes, error: str) -> None:
        self.cell.room.replies.send(asked.sender, Replied(VERSION, asked.stream, asked.number, answer, error))

    # What the actor does

    def tell(self, name: str, message: Struct) -> bool:
        self._check(name)
        return self.cell.posts.send(name, Word(VERSION, self.name, to_bytes(message)))

    async def ask(self, name: str, message: Struct, timeout_s: float) -> Any:
        self._check(name)
        check_timeout(timeout_s)
        body = to_bytes(message)  # what raises leaves no question open
        question, until_ns = self.replies.begin(timeout_s), self.cell.room.clock.now() + round(timeout_s * NS)
        asked = Asked(VERSION, self.name, self.replies.stream, question.number, until_ns, body)
        if not self.cell.posts.send(name, asked):
            self.replies.fail(question, Refused(f"expected room at {name}, found it full: ask again later"))
        replied: Replied = await question.future
        if replied.error:
            raise Refused(replied.error)
        try:
            return (self._decode or msgspec.msgpack.decode)(replied.body)
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            raise Refused(f"expected an answer of {name} that {self.name} knows, found another: {error}") from error

    def _check(self, name: str) -> None:
        if name == self.name or not self.may_be(name):
            raise ValueError(f"expected the name of another actor, found {name!r}")

    def watch(self, name: str, is_on: bool) -> None:
        if self._note(self._watched, name, is_on):
            self._to_root((Monitor if is_on else Demonitor)(VERSION, self.name, name))

    def link(self, name: str, is_on: bool) -> None:
        self._check(name)
        if self._note(self._linked, name, is_on):
            self._to_root((Link if is_on else Unlink)(VERSION, self.name, name))

    def _note(self, known: set[str], name: str, is_on: bool) -> bool:
        """Whether that is news. Raises ValueError for a name that nobody has, or more of them than there may be."""
        if not isinstance(name, str) or not 0 < len(name.encode()) <= NAME_MAX:
            raise ValueError(f"expected the name of an actor or a part, found {str(name)[:40]!r}")
        if is_on and name not in known and len(known) >= WATCHED_MAX:
            raise ValueError(f"expected at most {WATCHED_MAX} names to be watched, found one more, {name!r}")
        if is_on == (name in known) and known is self._watched:
            return False
        (known.add if is_on else known.discard)(name)
        return True

    def _to_root(self, message: Message) -> None:
        """By the line by which the root hears of the starts and ends in this loop, so that it hears them in their order."""
        posts = self.cell.room.to_root or self.cell.posts
        posts.send(ROOT, message)

    def stop(self) -> None:
        self.is_over = True
        self.cell.end()


def check_timeout(timeout_s: float) -> None:
    """Raises TypeError for what is no number, ValueError for one that is no time to wait."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
        raise TypeError(f"expected a timeout in seconds, found {type(timeout_s).__name__}")
    if not -TIMEOUT_MAX_S <= timeout_s <= TIMEOUT_MAX_S:  # nor is nan
        raise ValueError(f"expected a timeout of at most {TIMEOUT_MAX_S:,.0f} seconds, found {timeout_s}")


async def ending_itself(found: Awaitable[Any]) -> Any:
    """What would end the whole process ends the actor."""
    try:
        return await found
    except (SystemExit, KeyboardInterrupt) as error:
        raise LocalError(f"expected a handler that returns, found that it raised {type(error).__name__}") from error
