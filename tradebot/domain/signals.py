"""What actors are told of each other: who watches whom, who is dead, and who is only silent.

Dead and silent are two things. One who is dead, `Terminated`, will not act any more: its supervisor saw it end. One who is
silent, `Unreachable`, may be at work and only slow, or held, or behind a broken line: what it was told last may still be done.
"""

from msgspec import Struct


class Monitor(Struct, frozen=True, tag=24, array_like=True):
    """From now on `watcher` is told what becomes of `name`, also of its later starts, until it takes that back or ends itself.
    Of one that is dead now it is told at once.
    """

    version: int
    watcher: str
    name: str


class Demonitor(Struct, frozen=True, tag=25, array_like=True):
    """`watcher` is told no more of `name`."""

    version: int
    watcher: str
    name: str


class Link(Struct, frozen=True, tag=26, array_like=True):
    """From now on neither of the two outlives the other, unless that ends as it should; until one of them ends."""

    version: int
    one: str
    other: str


class Unlink(Struct, frozen=True, tag=27, array_like=True):
    """The two go their own ways again."""

    version: int
    one: str
    other: str


class Exit(Struct, frozen=True, tag=28, array_like=True):
    """`name`, to which the receiver is linked, ended for `reason`: it ends too, unless it traps exits and decides itself."""

    version: int
    name: str
    reason: str


class Terminated(Struct, frozen=True, tag=29, array_like=True):
    """`name` is dead: it ended for `reason`, or was never there."""

    version: int
    name: str
    reason: str


class Unreachable(Struct, frozen=True, tag=30, array_like=True):
    """`name` lives as far as is known and has not answered since `since_ns`."""

    version: int
    name: str
    since_ns: int


class Reachable(Struct, frozen=True, tag=31, array_like=True):
    """`name` answers again, or was started again after it was dead."""

    version: int
    name: str


class Happened(Struct, frozen=True, tag=32, array_like=True):
    """A supervisor in a process of others tells of its child `name`: `what` is started, failed, exited, stopped (it is not
    started again), gone (nor known any more), silent (it lives and does not answer) or answers (again), `why` it ended.
    """

    version: int
    name: str
    what: str
    why: str


class Word(Struct, frozen=True, tag=33, array_like=True):
    """What an actor of a user's tells another; `body` is a message of a type that the two know (`actors.actor`)."""

    version: int
    sender: str
    body: bytes


class Asked(Struct, frozen=True, tag=34, array_like=True):
    """What an actor of a user's asks another: `number` is that of the question, `stream` that of the asker's start. After
    `until_ns` nobody waits for the answer any more: it is not to be given.
    """

    version: int
    sender: str
    stream: int
    number: int
    until_ns: int
    body: bytes


class Replied(Struct, frozen=True, tag=35, array_like=True):
    """The answer to the question of that `stream` and `number`; or why there is none, where `error` says something."""

    version: int
    stream: int
    number: int
    body: bytes
    error: str = ""
