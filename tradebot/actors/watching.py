"""Monitors and links as Erlang has them, for actors that have names: who is told when one dies, falls silent or comes back.

Beyond Erlang a monitor stands: an actor that was started again under its name is watched on, for it is the name that others send
to. A monitor or link ends with either of the two; who is started again asks again.

It is told of births and deaths by supervisors and of silence by who looks for it, and says whom to tell what. Nothing here knows
a process, a loop or a clock.
"""

from collections.abc import Iterator
from typing import Final

from tradebot.actors.child_spec import NORMAL
from tradebot.domain.codec import Message
from tradebot.domain.signals import Demonitor, Exit, Link, Monitor, Reachable, Terminated, Unlink, Unreachable

ROOT: Final = "root"
"""The mailbox at which monitors and links are asked for."""

VERSION: Final = 1
NO_ACTOR: Final = "no such actor"
NAMES_MAX: Final = 1_024  # that one actor watches

Told = tuple[str, Message]
Pair = frozenset[str]


class Watching:
    """`alive` are the names that live; `silent` since when those of them do not answer."""

    def __init__(self) -> None:
        self.alive: set[str] = set()
        self.silent: dict[str, int] = {}
        self.monitors: dict[tuple[str, str], None] = {}  # (watcher, name), in the order of their asking
        self.links: dict[Pair, None] = {}

    # What actors ask for

    def take(self, message: Message) -> list[Told]:
        """What is to be told for it. A message of another kind is not for here, and nothing."""
        if isinstance(message, Monitor):
            return self.monitor(message.watcher, message.name)
        if isinstance(message, Demonitor):
            self.monitors.pop((message.watcher, message.name), None)
        elif isinstance(message, Link):
            return self.link(message.one, message.other)
        elif isinstance(message, Unlink):
            self.links.pop(frozenset((message.one, message.other)), None)
        return []

    def monitor(self, watcher: str, name: str) -> list[Told]:
        if (watcher, name) not in self.monitors and sum(pair[0] == watcher for pair in self.monitors) >= NAMES_MAX:
            return []  # an actor that asks for more is mad, and must not make the root so
        self.monitors[watcher, name] = None
        if name not in self.alive:
            return [(watcher, Terminated(VERSION, name, NO_ACTOR))]
        if name in self.silent:
            return [(watcher, Unreachable(VERSION, name, self.silent[name]))]
        return []

    def link(self, one: str, other: str) -> list[Told]:
        """With one that is dead: the other is told at once, and there is no link."""
        dead = [name for name in (one, other) if name not in self.alive]
        if not dead:
            self.links[frozenset((one, other))] = None
        return [(other if name == one else one, Exit(VERSION, name, NO_ACTOR)) for name in dead[:1] if one != other]

    # What becomes of actors

    def started(self, name: str) -> list[Told]:
        self.alive.add(name)
        return [(watcher, Reachable(VERSION, name)) for watcher in self.watchers(name)]

    def ended(self, name: str, reason: str) -> list[Told]:
        """What it watched is watched by it no more. One that ended as it should takes nobody along."""
        self.alive.discard(name)
        self.silent.pop(name, None)
        told: list[Told] = [(watcher, Terminated(VERSION, name, reason)) for watcher in self.watchers(name)]
        pairs = [pair for pair in self.links if name in pair]
        for pair in pairs:
            del self.links[pair]
            if reason != NORMAL:
                told += [(other, Exit(VERSION, name, reason)) for other in pair if other != name]
        self.monitors = {pair: None for pair in self.monitors if pair[0] != name}
        return told

    def unanswered(self, name: str, since_ns: int) -> list[Told]:
        """It lives and does not answer; told once."""
        if name not in self.alive or name in self.silent:
            return []
        self.silent[name] = since_ns
        return [(watcher, Unreachable(VERSION, name, since_ns)) for watcher in self.watchers(name)]

    def answered(self, name: str) -> list[Told]:
        if self.silent.pop(name, None) is None:
            return []
        return [(watcher, Reachable(VERSION, name)) for watcher in self.watchers(name)]

    def watchers(self, name: str) -> Iterator[str]:
        return (watcher for watcher, watched in self.monitors if watched == name)
