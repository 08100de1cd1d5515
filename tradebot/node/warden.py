"""The root at its mailbox and desk: it tells parts that watch each other what became of whom, and is asked to start one again.

Deaths and starts come from its own supervisor, those of parts that live together from the one in their process; who is silent
comes from who asks them all (`running`). A part asks here to watch another, wherever either lives.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from tradebot.actors.bus import Bus
from tradebot.actors.clock import Clock
from tradebot.actors.mailbox import Desk, Inbox, Posts
from tradebot.actors.watching import ROOT, Told, Watching
from tradebot.domain.codec import Message
from tradebot.domain.signals import Happened, Link, Monitor
from tradebot.domain.words import error_text
from tradebot.node.part import read_question
from tradebot.node.session_files import ACTORS
from tradebot.node.tree_shape import ANSWERS, GONE, RESERVED, SILENT, TRADING, Shape

BEAT_S: Final = 0.05
COMES_S: Final = 0.5

Died = Callable[[str, str], None]
"""(part, why), of one that shares its process with others."""

Answer = Callable[[dict[str, str]], dict[str, Any]]


def stopped() -> dict[str, Any]:
    return {"state": "stopped", "starts": 0, "last_exit": None}


class Warden:
    """Within the root's loop. `changed` is called when a part that lives with others started or died."""

    def __init__(self, bus: Bus, shape: Shape, clock: Clock, answer: Answer, changed: Callable[[], None], died: Died) -> None:
        self.bus, self.shape, self.clock, self.changed, self.died = bus, shape, clock, changed, died
        self.answer = answer
        self.watching = Watching()
        self.hosted = {name: stopped() for name in (*shape.hosted, *shape.actors)}
        self.posts = Posts(bus, ROOT, clock.now())
        self.inbox = Inbox(bus, self.posts, self.take)
        self.desk = Desk(bus.context, bus.folder, f"{ROOT}.desk", self.reply)

    async def run(self) -> None:
        """For ever."""
        while True:
            self.inbox.beat(self.clock.now())
            self.posts.beat()
            await asyncio.sleep(BEAT_S)

    def take(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, Happened) and message.what == GONE:
                self.hosted.pop(message.name, None)
                self.changed()
            elif isinstance(message, Happened) and message.what == SILENT:
                self.post(self.watching.unanswered(message.name, self.clock.now()))
            elif isinstance(message, Happened) and message.what == ANSWERS:
                self.post(self.watching.answered(message.name))
            elif isinstance(message, Happened) and message.what == "stopped":
                self.hosted.setdefault(message.name, stopped())["state"] = "stopped"
                self.changed()
            elif isinstance(message, Happened):
                self.note_hosted(message.name, message.what, message.why)
                self.happened(message.name, message.what, message.why)
                self.changed()
                if message.what != "started":
                    self.died(message.name, message.why)
            elif isinstance(message, Link) and {message.one, message.other} & RESERVED:
                continue  # a part of the node ends with no actor
            elif isinstance(message, Link | Monitor) and self.may_come(message):
                asyncio.get_running_loop().call_later(COMES_S, self.watch, message)
            else:
                self.watch(message)

    def watch(self, message: Message) -> None:
        self.post(self.watching.take(message))

    def may_come(self, message: Link | Monitor) -> bool:
        """Whether one of the two has perhaps started and the word of that is still on its way, by another line than this."""
        names = (message.one, message.other) if isinstance(message, Link) else (message.name,)
        return any(name in self.hosted and name not in self.watching.alive for name in names)

    def told(self, what: str, process: str, why: str) -> None:
        """What a process did. Parts that live in one die with it; that they started is told from there."""
        if process != TRADING:
            self.happened(process, what, why)
        if process in (TRADING, ACTORS) and what in ("exited", "failed"):
            names = self.shape.below_actors if process == ACTORS else self.shape.hosted
            for name in (one for one in names if one in self.hosted):
                self.hosted[name] |= {"state": "stopped", "last_exit": why}
                self.happened(name, what, why)

    def note_hosted(self, name: str, what: str, why: str) -> None:
        known = self.hosted.setdefault(name, stopped())
        if what == "started":
            known |= {"state": "running", "starts": known["starts"] + 1}
        else:
            known |= {"state": "restarting", "last_exit": why}

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.hosted.pop(name, None)

    def happened(self, name: str, what: str, why: str) -> None:
        if what == "started":
            self.post(self.watching.started(name))
        elif what in ("exited", "failed") and name in self.watching.alive:
            self.post(self.watching.ended(name, why))

    def answers(self, process: str, has_answered: bool, since_ns: int) -> None:
        """Whether a process answered when all were asked, else since when it has not."""
        for name in (one for one in self.shape.parts_in(process) if one not in self.shape.apart):
            watching = self.watching
            self.post(watching.answered(name) if has_answered else watching.unanswered(name, since_ns))

    def reply(self, body: bytes) -> bytes:
        """At the desk: a status says that the root's loop turns."""
        try:
            question = read_question(body)
            found = self.answer(question)
            if question["verb"] == "status":
                found = {**found, "mailbox": self.inbox.figures()}
        except (KeyError, ValueError) as error:
            found = {"error": error_text(error)}
        return msgspec.json.encode(found)

    def post(self, told: Iterable[Told]) -> None:
        for name, message in told:
            self.posts.send(name, message)

    def close(self) -> None:
        self.inbox.close()
        self.desk.close()
        self.posts.close()
        self.bus.close()
