"""The face that a user writes for an actor of their own, and nothing about where it runs.

An actor hears one message after the other: while it awaits something in one, what else comes waits in its mailbox. So it needs
no lock, and two that ask each other at the same time both wait in vain, until their deadlines. What it raises ends it, and its
supervisor decides. Its handlers are coroutines or plain functions; one that does not return within the actor's `patience` is a
failure like any.

    class Ask(Struct, frozen=True, tag=1): ...            # messages are Structs with a tag, each its own
    class Watchman(Actor):
        messages = Ask | Alarm                            # what others may tell and ask it
        async def hear(self, message, sender): ...
        async def answer(self, question, sender): return ...
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Protocol

from msgspec import Struct

from tradebot.domain.params import NoParams, make_params
from tradebot.domain.signals import Exit, Reachable, Terminated, Unreachable

__all__ = ["EVERY_KIND", "Actor", "Exit", "Reachable", "Struct", "Terminated", "Unreachable"]

EVERY_KIND: Final = frozenset({"*"})


class Reach(Protocol):
    """What an actor at work can do to others; `acting` is it."""

    def tell(self, name: str, message: Struct) -> bool: ...

    async def ask(self, name: str, message: Struct, timeout_s: float) -> Any: ...

    def watch(self, name: str, is_on: bool) -> None: ...

    def link(self, name: str, is_on: bool) -> None: ...

    def stop(self) -> None: ...


class Actor:
    """Subclass it, declare Params and what it hears, and override the handlers you need.

    What it hears of itself: `messages` of other actors; `events` of the run, by kind, none of which is dropped; `quotes`, of
    which one that is slow hears the last of each instrument; `figures`, of which it misses the oldest; what became of those it
    monitors or is linked to (`Terminated`, `Unreachable`, `Reachable`, `Exit`). With `resumes` it hears, when it is started
    again, the events since the last that it had heard, that one perhaps twice; else those that come after its start.
    """

    Params: ClassVar[type[Struct]] = NoParams
    messages: ClassVar[Any] = None
    events: ClassVar[frozenset[str]] = frozenset()
    quotes: ClassVar[bool] = False
    figures: ClassVar[bool] = False
    resumes: ClassVar[bool] = False
    every_s: ClassVar[float] = 0.0
    traps_exits: ClassVar[bool] = False

    name: str = ""
    params: Any
    reach: Reach

    def __init__(self, params: Mapping[str, object] | None = None) -> None:
        self.params = make_params(type(self), self.Params, params or {})

    # Handlers, to be overridden

    def start(self) -> Any:
        """Before the first message. It counts as started when this has returned."""

    def hear(self, message: Any, sender: str) -> Any:
        """A message that was told."""

    def answer(self, question: Any, sender: str) -> Any:
        """A question, to which it returns a Struct. What it raises ends it, and the asker is told so."""
        raise LookupError(f"expected an actor that answers, found that {type(self).__name__} does not")

    def tick(self) -> Any:
        """Every `every_s` seconds, where that is not 0."""

    def end(self) -> Any:
        """Behind the last message, also where it failed; not where it is killed."""

    # What it can do

    def tell(self, name: str, message: Struct) -> bool:
        """Put a message into the mailbox of another actor, here or in another process; False where it was not taken, for the
        mailbox is full, or the other shares this loop and is down. One who is down elsewhere gets it when it is started again.
        Raises ValueError where no other actor may have that name.
        """
        return self.reach.tell(name, message)

    async def ask(self, name: str, message: Struct, timeout_s: float = 5.0) -> Any:
        """The answer of another actor, which is one of `messages` here. Raises TimedOut where none comes in time; Refused where
        its mailbox is full, where it failed over the question, or its answer is none of `messages` here.
        """
        return await self.reach.ask(name, message, timeout_s)

    def monitor(self, name: str) -> None:
        """Hear from now on what becomes of another actor or part of the node: dead, silent, back."""
        self.reach.watch(name, is_on=True)

    def demonitor(self, name: str) -> None:
        self.reach.watch(name, is_on=False)

    def link(self, name: str) -> None:
        """From now on neither of the two outlives the other, unless that ends as it should. Raises ValueError for a part of the
        node, which ends with no actor.
        """
        self.reach.link(name, is_on=True)

    def unlink(self, name: str) -> None:
        self.reach.link(name, is_on=False)

    def stop(self) -> None:
        """End as it should, behind this message."""
        self.reach.stop()
