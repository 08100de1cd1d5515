"""A node with actors of a user's own, each of which notes in a file what it hears."""

from pathlib import Path
from typing import Any, Final

from tests.node.nodes import Place
from tradebot.node.session_files import ACTORS

NOTER: Final = '''
import asyncio
import os
import time

from tradebot.actors.actor import Actor, Struct


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Deadly(Exception):
    def __str__(self):
        raise KeyboardInterrupt


WORDS = {
    "deadly": Deadly(),
    "mute": Mute(), "surrogate": OSError("no file \\udcff here"), "lines": ValueError("one\\ntwo \\x1b[2J"),
    "long": ValueError("y" * 3_000_000),
}


class Noter(Actor):
    """Notes each thing that it hears on a line of a file; fails in the way that it is told to."""

    events = frozenset({"order_accepted", "order_filled", "trading_state_changed"})
    resumes = True

    class Params(Struct, frozen=True):
        file: str
        how: str = ""
        end_s: float = 0.0

    def start(self):
        self.note(f"start {os.getpid()}")
        if self.params.how == "buffers":
            self.book = open(f"{self.params.file}.book", "a")
            self.book.write("written and never flushed\\n")
        if self.params.how == "fails":
            raise ValueError("it cannot begin")
        if self.params.how in WORDS:
            raise WORDS[self.params.how]
        if self.params.how == "strays":
            asyncio.create_task(self.stray())
            asyncio.get_running_loop().call_later(0.1, lambda: [][0])

    async def stray(self):
        raise LookupError("nobody waits for this")

    async def hear(self, message, sender):
        self.note(f"{message.kind} {message.fact}")
        if self.params.how == "flaky" and not os.path.exists(f"{self.params.file}.{message.fact}"):
            open(f"{self.params.file}.{message.fact}", "w").close()
            raise ValueError("the first time it fails")
        if self.params.how == "thread":
            await asyncio.to_thread(time.sleep, 3600)
        if self.params.how == "hangs":
            time.sleep(3600)
        if self.params.how == "waits":
            await asyncio.sleep(3600)

    async def end(self):
        await asyncio.sleep(self.params.end_s)
        self.note("end")

    def note(self, text):
        with open(self.params.file, "a") as file:
            file.write(text + "\\n")
'''


class Actors:
    """A node's place with actors below it, each noting into a file of its own."""

    def __init__(self, place: Place) -> None:
        self.place, self.folder = place, place.folder
        (self.folder / "noter.py").write_text(NOTER)
        self.base = "".join(one for one in place.node.config.read_text().splitlines(True) if not one.startswith("node"))
        self.node = 'speed = 20.0\nsync = "none"\nsegment_mb = 1\nsnapshot_facts = 1000'
        self.rules = self.supervisors = ""
        self.uses: dict[str, str] = {}

    def use(self, name: str, how: str = "", more: str = "", end_s: float = 0.0) -> None:
        params = f'params = {{ file = "{self.file(name)}", how = "{how}", end_s = {end_s} }}'
        self.uses[name] = f'[[node.actors.actor]]\nname = "{name}"\nuse = "noter.py:Noter"\n{params}\n{more}\n'

    def write(self) -> None:
        """The configuration as it is now."""
        tables = f"[node.actors]\n{self.rules}\n{self.supervisors}\n" + "\n".join(self.uses.values()) if self.uses else ""
        self.place.node.config.write_text(f"{self.base}\n[node]\n{self.node}\n\n{tables}\n")

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.txt"

    def lines(self, name: str) -> list[str]:
        return self.file(name).read_text().splitlines() if self.file(name).exists() else []

    def status(self) -> dict[str, Any]:
        return dict(self.place.ask("status")["parts"][ACTORS])

    def starts(self, *names: str) -> list[int]:
        """How often each has begun, by its own file."""
        return [sum(one.startswith("start") for one in self.lines(name)) for name in names]

    def states(self) -> dict[str, str]:
        return {name: one["state"] for name, one in self.status()["parts"].items()}

    def pid(self, name: str) -> int:
        return int(self.status()["parts"][name]["pid"])
