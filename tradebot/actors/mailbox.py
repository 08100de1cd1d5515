"""Mailboxes over ZeroMQ: every actor has one, and whoever has something for it puts it there.

A mailbox is bounded at both ends. What nobody takes is refused to the sender, which decides: commands and answers are said
again by their own protocol, of market facts the hole is told. A message is one msgspec Struct, in a letter that is numbered by
its sender: what a broken connection loses is asked for and told again (`letters.pyx`).

Reading is driven by the loop: the descriptor of a ZeroMQ socket tells of a change once, so what is there is always taken to the
end. An actor in the loop of the sender is told by the same call, through the ring that it has there (`mail.pyx`).
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec
import zmq

from tradebot.actors.bus import Bus, address, bind_ipc
from tradebot.actors.letters import Incoming, Outgoing
from tradebot.actors.line import Line, take_bodies
from tradebot.actors.wire import Wire
from tradebot.domain.codec import VERSIONS, Message, is_of_known_version, message_from_bytes, to_bytes

DRAIN_MAX: Final = 256  # messages before others get their turn
HIGH_WATER: Final = 10_000  # messages that wait at either end
NUMBER_BYTES: Final = 8  # of a question, before its body, and of its answer


class Posts:
    """The mailboxes of others as the actor `name` reaches them, in this loop or behind a socket: it does not see which. `stream`
    is larger than that of any actor of its name before it.
    """

    def __init__(self, bus: Bus, name: str, stream: int) -> None:
        self.name, self.stream = name, stream
        self._bus = bus
        self._lines: dict[str, Line] = {}

    def send(self, name: str, message: Message) -> bool:
        """Put a message into a mailbox; False where it is full, and nothing was put there."""
        mail = self._bus.here.get(name)
        if mail is not None:
            return mail.tell(message)
        if name in self._bus.hosts:
            return False  # it is not there yet; by a socket it would get this behind what it is told later
        return (self._lines.get(name) or self._open(name)).tell(to_bytes(message))

    def put(self, name: str, letter: bytes) -> None:
        """A letter that is made already; where there is no room for it, it will be made again."""
        (self._lines.get(name) or self._open(name)).wire.put(letter)

    def again(self, name: str, stream: int, first: int, last: int) -> None:
        """Put letters once more that the actor `name` lacks."""
        line = self._lines.get(name)
        if line is None or stream != self.stream:
            return
        for letter in line.outgoing.again(first, last):
            if not line.wire.put(letter):
                return

    def beat(self) -> None:
        """Called now and then: after a burst, say how far it went."""
        for line in self._lines.values():
            letter = line.outgoing.pulse()
            if letter is not None:
                line.wire.put(letter)

    @property
    def told_again(self) -> int:
        return sum(line.outgoing.told_again for line in self._lines.values())

    def _open(self, name: str) -> Line:
        socket = self._bus.context.socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        self._bus.connect(socket, name)
        return self._lines.setdefault(name, Line(Wire(socket), Outgoing(self.name, self.stream)))

    def close(self) -> None:
        for line in self._lines.values():
            line.wire.close(100)


class Inbox:
    """The mailbox of the actor whose `posts` these are; `take` is called with each drain, within the loop."""

    def __init__(self, bus: Bus, posts: Posts, take: Callable[[list[Message]], None]) -> None:
        socket = bus.context.socket(zmq.PULL)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        bus.bind(socket, posts.name)
        self._wire, self._descriptor = Wire(socket), socket.fileno()
        self._bus, self._posts, self._take = bus, posts, take
        self._incoming = Incoming(posts.name, posts.stream)
        self.unreadable = self.versions = 0
        self.depth = self.most_waited = 0  # letters taken since it was found empty, and the most of them: what waits is not known
        self._loop = asyncio.get_running_loop()
        self._is_held = True
        self.release()

    def hold(self) -> None:
        """Leave what comes where it is: when that end is full, and the sender's too, the sender is refused."""
        if not self._is_held:
            self._is_held = True
            self._loop.remove_reader(self._descriptor)

    def release(self) -> None:
        """Take in what waits, and what comes."""
        if self._is_held:
            self._is_held = False
            self._loop.add_reader(self._descriptor, self._drain)
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        if self._is_held:
            return
        bodies, count = take_bodies(self._wire, self._incoming, DRAIN_MAX)
        self.depth += count
        self.most_waited = max(self.most_waited, self.depth)
        if count == DRAIN_MAX:
            self._loop.call_soon(self._drain)
        else:
            self.depth = 0
        self._deliver(bodies)
        for name, stream, first, last in self._incoming.take_asked():
            self._posts.again(name, stream, first, last)

    def beat(self, now_ns: int) -> None:
        """Called now and then: ask for what is missing, and go on without what does not come."""
        for name, letter in self._incoming.asks(now_ns):
            self._posts.put(name, letter)
        self._deliver(self._incoming.give_up(now_ns))
        for name, first, last in self._incoming.take_lost():
            sys.stderr.write(f"{self._posts.name}: messages {first} to {last} of {name} were lost and not told again\n")

    def _deliver(self, bodies: list[bytes]) -> None:
        if not bodies:
            return
        try:
            messages = [message_from_bytes(one) for one in bodies]
        except (msgspec.DecodeError, msgspec.ValidationError):
            messages = [one for one in map(self._read, bodies) if one is not None]
        if not all(map(is_of_known_version, messages)):
            messages = [one for one in messages if self._is_of_known_version(one)]
        if messages:
            self._take(messages)

    def _is_of_known_version(self, message: Message) -> bool:
        """One of another release is counted and not taken, and the first is told."""
        is_known = is_of_known_version(message)
        if not is_known and not self.versions:
            kind = type(message)
            sys.stderr.write(
                f"{self._posts.name}: expected a {kind.__name__} of version {VERSIONS[kind]}, found {message.version}: it is "
                "dropped, as all are of another release; run one release on a bus\n"
            )
        self.versions += not is_known
        return is_known

    def _read(self, body: bytes) -> Message | None:
        """None where it is no message that this version knows; that is counted, and the first is told."""
        try:
            return message_from_bytes(body)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            if not self.unreadable:
                sys.stderr.write(f"{self._posts.name}: a message could not be read and is dropped: {error}\n")
            self.unreadable += 1
            return None

    def figures(self) -> dict[str, int]:
        """What of the letters was not as it should be, and how often a peer was refused."""
        found = self._incoming
        return {
            "garbage": found.garbage + self.unreadable, "versions": self.versions, "doubled": found.doubled, "late": found.late,
            "repaired": found.repaired, "lost": found.gone, "told_again": self._posts.told_again,
            "refused_peers": self._bus.refused_of(self._posts.name),
        }  # fmt: skip

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._bus.leave(self._wire.socket)
        self._wire.close(0)


class Desk:
    """Where an actor is asked questions: one answer for each, in order of arrival. Bodies are bytes."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], folder: Path, name: str, answer: Callable[[bytes], bytes]
    ) -> None:
        socket = context.socket(zmq.ROUTER)
        bind_ipc(socket, folder, name)
        self._wire, self._descriptor = Wire(socket), socket.fileno()
        self._answer, self._is_closed = answer, False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._drain)
        self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        for _ in range(0 if self._is_closed else DRAIN_MAX):
            frames = self._wire.take_frames()
            if not frames:
                return
            self._answer_one(*frames)
        if not self._is_closed:
            self._loop.call_soon(self._drain)

    def _answer_one(self, client: bytes, *frames: bytes) -> None:
        """A question of one frame begins with its number, as `Asking` sends it; one in an envelope is a REQ socket's."""
        *envelope, question = frames
        if envelope:
            self._wire.put(client, *envelope, self._answer(question))
        else:
            self._wire.put(client, question[:NUMBER_BYTES] + self._answer(question[NUMBER_BYTES:]))

    def close(self) -> None:
        self._is_closed = True
        self._loop.remove_reader(self._descriptor)
        self._wire.close(100)


def ask(folder: Path, name: str, body: bytes, timeout_s: float) -> bytes | None:
    """Ask at a desk from outside; None where nobody answers in time."""
    return ask_all(folder, [name], body, timeout_s)[name]


def ask_all(folder: Path, names: Iterable[str], body: bytes, timeout_s: float) -> dict[str, bytes | None]:
    """Ask the same at several desks at once, all until one deadline; None of each that does not answer by then."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    until_s = time.monotonic() + timeout_s
    poller, asked = zmq.Poller(), dict[zmq.Socket[bytes], str]()
    found: dict[str, bytes | None] = dict.fromkeys(names)
    try:
        for name in found:
            socket = context.socket(zmq.REQ)
            asked[socket] = name
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(address(folder, name))
            socket.send(body)
            poller.register(socket, zmq.POLLIN)
        waiting = len(asked)
        while waiting and (left_s := until_s - time.monotonic()) > 0:
            for socket, _ in poller.poll(round(left_s * 1000) + 1):
                found[asked[socket]] = socket.recv()
                poller.unregister(socket)
                waiting -= 1
        return found
    finally:
        for socket in asked:
            socket.close()
        context.term()
