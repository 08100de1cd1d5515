"""A user's actor in the node: it hears of the run from the engine's journal, read beside it, and of quotes and figures by asking
at the engine's desk a few times a second. The engine never waits for it; what it does or fails to do changes nothing of trading.

<run>/actors/NAME      the fact that one that `resumes` has heard last
"""

import asyncio
import contextlib
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from tradebot.actors.acting import Acting
from tradebot.actors.actor import EVERY_KIND
from tradebot.actors.cell import Cell, Room
from tradebot.actors.inquiry import Inquiry
from tradebot.domain.codec import Message
from tradebot.domain.errors import LocalError
from tradebot.domain.news import Event, Figures, Quote
from tradebot.node.actor_code import make_actor
from tradebot.node.api_journal import JournalNews
from tradebot.node.api_view import ask_desk
from tradebot.node.config import config_from_dict
from tradebot.node.journal_tail import Tail
from tradebot.node.node_schema import ActorUse
from tradebot.node.part import Addressed, Base
from tradebot.node.session_files import ENGINE, read_prepared, write_whole
from tradebot.node.tree_shape import RESERVED
from tradebot.node.values import is_actor_name

VERSION: Final = 1
QUOTES_S: Final = 0.1
FIGURES_S: Final = 1.0
QUOTES_MOST: Final = 10_000
FIGURES_MOST: Final = 16
PLACE_S: Final = 0.2  # between two times that a place is written
DESK_S: Final = 2.0
END_S: Final = 1.0
TAILS: Final[WeakKeyDictionary[Room, Tail]] = WeakKeyDictionary()
"""Of each process that has actors, the end of its run's journal."""


def may_be_actor(name: str) -> bool:
    return name not in RESERVED and is_actor_name(name)


def actor_uses(folder: Path) -> list[ActorUse]:
    """Of the run as it is configured now."""
    actors = config_from_dict(read_prepared(folder).config).node.actors
    return [] if actors is None else actors.actor


class ActorPart(Base):
    """Raises ConfigError where the configuration has no actor of that name, or its code does not load."""

    is_guest = True

    def __init__(self, folder: Path, name: str) -> None:
        use = next((one for one in actor_uses(folder) if one.name == name), None)
        if use is None:
            raise LocalError(f"expected an actor {name} in the configuration, found none")
        self.name, self.folder = name, folder
        self.actor = make_actor(use)
        self.acting = Acting(self.actor, name, use.patience_s, may_be_actor)
        self.quotes = self.acting.ring(ENGINE, QUOTES_MOST, key=lambda one: one.instrument)
        self.figures = self.acting.ring(ENGINE, FIGURES_MOST, drops=True)
        self.traps_exits = type(self.actor).traps_exits
        self.file = folder / "actors" / name
        self.news: JournalNews | None = None
        self.desk: Inquiry | None = None
        self.looking: list[asyncio.Task[None]] = []
        self.heard_last = self.read_last = self.noted = read_place(self.file) if self.actor.resumes else 0
        self.noted_s = 0.0

    def join(self, cell: Cell) -> None:
        self.acting.join(cell)
        if self.actor.events:
            after = self.heard_last if self.actor.resumes else None
            self.news = JournalNews(self.folder, self.name, after, TAILS.setdefault(cell.room, Tail()))
            self.news.start()
        if self.actor.quotes or self.actor.figures:
            self.desk = Inquiry(cell.room.bus.context, cell.room.bus.folder, f"{ENGINE}.desk", DESK_S)

    def open(self, now_ns: int) -> Iterable[Addressed]:
        self.acting.open()
        loop = asyncio.get_running_loop()
        if self.desk is not None and self.actor.quotes:
            self.looking.append(loop.create_task(self.look_for_quotes(self.desk)))
        if self.desk is not None and self.actor.figures:
            self.looking.append(loop.create_task(self.look_for_figures(self.desk)))
        return ()

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        self.acting.take(messages)
        return ()

    def on_clock(self, now_ns: int) -> Iterable[Addressed]:
        for task in self.looking:
            if task.done():
                task.result()  # it goes on for ever, or raises
        if self.news is not None and self.acting.is_idle:
            self.heard_last = self.read_last
            self.move_place(self.news)
            self.hear_events(self.news.take())
        self.note_place()
        self.acting.beat()
        return ()

    def hear_events(self, found: list[dict[str, Any]]) -> None:
        """Those of its kinds; taken when it has heard the ones before, so that more wait in the journal. A fact may give several:
        it has heard the fact with the last of them.
        """
        kinds = self.actor.events
        wanted = [one for one in found if kinds == EVERY_KIND or one["event"] in kinds]
        last_of = {one["sequence"]: at for at, one in enumerate(wanted)}
        for at, one in enumerate(wanted):
            event = dict(one)
            fact, time, kind, text = (event.pop(name) for name in ("sequence", "time", "event", "text"))
            heard = fact if last_of[fact] == at else fact - 1
            self.acting.hear(Event(VERSION, fact, time, kind, text, event), ENGINE, partial(self.note_heard, heard))
        self.read_last = max([self.read_last, *(one["sequence"] for one in found)])

    def note_heard(self, fact: int) -> None:
        self.heard_last = max(self.heard_last, fact)

    def move_place(self, news: JournalNews) -> None:
        """The journal ends before the fact that it had heard last."""
        if news.moved_to is not None and news.moved_to < self.heard_last:
            self.heard_last = self.read_last = news.moved_to
            self.noted = 0
            news.moved_to = None

    def note_place(self) -> None:
        """A disk that is full, or a kill before it is written, lets it hear some twice."""
        now_s = asyncio.get_running_loop().time()
        if self.actor.resumes and self.heard_last > self.noted and now_s - self.noted_s >= PLACE_S:
            self.noted, self.noted_s = self.heard_last, now_s
            with contextlib.suppress(OSError):
                self.file.parent.mkdir(mode=0o700, exist_ok=True)
                write_whole(self.file, str(self.heard_last).encode())

    async def look_for_quotes(self, desk: Inquiry) -> None:
        """Those that have changed."""
        known: dict[str, Quote] = {}
        while True:
            found = await ask_desk(desk, "quotes")
            for name, one in (found or {}).get("quotes", {}).items():
                quote = Quote(VERSION, name, found["time_ns"] if found else 0, one["bid"], one["ask"], one["last"])
                before = known.get(name)
                if before is None or (quote.bid, quote.ask, quote.last) != (before.bid, before.ask, before.last):
                    known[name] = quote
                    self.quotes.tell(quote)
            await asyncio.sleep(QUOTES_S)

    async def look_for_figures(self, desk: Inquiry) -> None:
        while True:
            self.figures.tell(Figures(VERSION, self.acting.cell.room.clock.now(), await ask_desk(desk, "status")))
            await asyncio.sleep(FIGURES_S)

    async def finish(self) -> None:
        await self.acting.finish()
        self.noted_s = -PLACE_S
        self.note_place()

    def close(self) -> None:
        for task in self.looking:
            task.cancel()
        if self.news is not None:
            self.news.close(END_S)
        if self.desk is not None:
            self.desk.close()
        self.acting.close()

    async def gone(self) -> None:
        await self.acting.gone()

    def status(self) -> dict[str, Any]:
        error = self.news.error if self.news is not None else None
        return {"pid": os.getpid(), "actor": self.acting.figures(), "journal_error": error}


def read_place(path: Path) -> int:
    """0 where there is none, or none that can be read: then it begins with the run."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
