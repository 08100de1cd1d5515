"""A client of a node: it asks, steers and listens over tcp, in any process and on any machine that has a key.

    with Client("tcp://127.0.0.1:7700", server_key, read_key("desk.keys")) as node:
        print(node.status().trading)
        for told in node.subscribe(["state", "facts"]):
            ...

It is used from one thread. A connection that is lost comes back by itself. A question is asked again once where its answer was
lost with the connection; a control never is, for it might be done twice.
"""

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import zmq

from tradebot.client.curve import check_server_key, public_key_of
from tradebot.client.errors import BadMessage, NoAnswer, RequestRefused, RoleRefused
from tradebot.client.heard import Heard
from tradebot.client.line import Line
from tradebot.client.told import Accepted, Gap, Order, Position, Status, Told, fact_of, metrics_of, state_of
from tradebot.domain import wire
from tradebot.domain.errors import UsageError

HIGH_WATER: Final = 1_000  # messages of a stream that wait for this client
LOOK_MS: Final = 50
TIMEOUT_S: Final = 5.0
PORT_MAX: Final = 65_535

Argument = wire.Argument


class Client:
    """`server_key` is the node's public key, `secret` this client's own; `streams` is where the streams are, absent: at the port
    behind that of `address`.
    """

    def __init__(
        self, address: str, server_key: str, secret: str, *, streams: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._address, self._server_key = address, check_server_key(server_key)
        self._streams = streams or next_port(address)
        host_and_port(self._streams, PORT_MAX)
        self._keys = (public_key_of(secret), secret)
        self._timeout_s = timeout_s
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._line: Line | None = None
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._drop()
        self._context.destroy(linger=0)

    # Questions and controls

    def ask(self, verb: str, **arguments: Argument) -> dict[str, Any]:
        """The answer to a question: hello, status, orders, positions, fills (last=N), explain (order=ID), reconcile, which may
        take 12 s: give the client that much.

        Raises NoNode, KeyRefused, RequestRefused, NoAnswer.
        """
        number = self._next()
        body = encoded(wire.Ask(wire.VERSION, number, verb, arguments))
        try:
            return self._exchange(number, body)
        except NoAnswer:
            return self._exchange(number, body)

    def control(self, verb: str, *, why: str = "", **arguments: bool) -> Accepted:
        """Have it done, once: pause, resume, cancel-all (guards=True), flatten, kill (guards=True, flatten=True).

        Raises RoleRefused where the key's role does not allow it, RequestRefused where the node refuses, NoNode, KeyRefused where
        nothing was sent, NoAnswer where it was sent and what became of it is not known.
        """
        number = self._next()
        body = encoded(wire.Control(wire.VERSION, number, verb, why, dict(arguments)))
        return msgspec.convert(self._exchange(number, body), Accepted)

    def status(self) -> Status:
        return msgspec.convert(self.ask("status"), Status)

    def orders(self) -> list[Order]:
        return msgspec.convert(self.ask("orders")["orders"], list[Order])

    def positions(self) -> list[Position]:
        return msgspec.convert(self.ask("positions")["positions"], list[Position])

    def fills(self, last: int = 100) -> list[dict[str, Any]]:
        """The newest last."""
        found: list[dict[str, Any]] = self.ask("fills", last=last)["fills"]
        return found

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _exchange(self, number: int, body: bytes) -> dict[str, Any]:
        until = time.monotonic() + self._timeout_s
        line = self._connected(until)
        line.socket.send(body, zmq.NOBLOCK)
        while (left := until - time.monotonic()) > 0:
            if not line.socket.poll(round(left * 1000) + 1):
                break
            reply = read_reply(line.socket.recv())
            if reply.number not in (number, 0):
                continue  # of a request that nobody waits for any more
            if isinstance(reply, wire.Answer):
                return reply.body
            error = RoleRefused if reply.code == wire.Code.ROLE else RequestRefused
            raise error(reply.code, reply.why)
        self._drop()  # so that an answer that comes late meets nobody, and nothing is sent behind the caller's back
        raise NoAnswer(f"expected an answer within {self._timeout_s:g} s, found none: what became of the request is not known")

    def _connected(self, until: float) -> Line:
        """A line that a message can go out on. Raises NoNode, KeyRefused."""
        line = self._line = self._line or Line(self._context, zmq.DEALER, self._address, self._server_key, self._keys)
        while not (line.is_up and line.socket.poll(0, zmq.POLLOUT)):
            if time.monotonic() > until and (failure := line.failure()) is not None:
                self._drop()
                raise failure
            if time.monotonic() > until:
                self._drop()
                raise NoAnswer(f"expected the node at {self._address} to take a request, found that it is full: nothing was sent")
            time.sleep(LOOK_MS / 1000)
        return line

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    # Streams

    def subscribe(self, topics: Iterable[str], silence_s: float | None = None) -> Iterator[Told]:
        """What the node says on these topics, for ever: state, facts, facts.KIND, metrics; the last message of each at once.

        What was lost is told as a Gap before what follows it, also before the first message of a topic. Raises UsageError, and,
        where nothing came for `silence_s`, NoNode, KeyRefused or NoAnswer.
        """
        wanted = tuple(check_topic(topic) for topic in topics)
        line = Line(self._context, zmq.SUB, self._streams, self._server_key, self._keys)
        try:
            line.socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
            for topic in (*wanted, wire.PLACES):
                line.socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
            yield from self._listen(line, silence_s)
        finally:
            line.close()

    def _listen(self, line: Line, silence_s: float | None) -> Iterator[Told]:
        heard, since_s = Heard(), time.monotonic()
        while True:
            left_s = None if silence_s is None else max(0.0, since_s + silence_s - time.monotonic())
            if not line.socket.poll(None if left_s is None else round(left_s * 1000)):
                raise line.failure() or NoAnswer(f"expected a message within {silence_s:g} s, found none")
            topic, body = line.socket.recv_multipart()
            message = read_told(body)
            yield from told_of(topic.decode(), message, heard)
            if not isinstance(message, wire.Places):  # they are said for every client that comes
                since_s = time.monotonic()


def told_of(topic: str, message: wire.Told, heard: Heard) -> Iterator[Told]:
    """What a message says, behind the gap before it; nothing where it was told before, or is for the client alone."""
    if isinstance(message, wire.Places):
        heard.note_places(message)
        return
    is_news, missed = heard.note(topic, message)
    if not is_news:
        return
    if missed != 0:
        yield Gap(topic=topic, missed=missed)
    if isinstance(message, wire.Facts):
        for event in message.body:
            yield fact_of(topic, message.sequence, message.time_ns, event)
    elif isinstance(message, wire.State):
        yield state_of(topic, message.sequence, message.time_ns, message.body)
    else:
        yield metrics_of(topic, message.sequence, message.time_ns, message.body)


def check_topic(topic: str) -> str:
    if topic not in wire.TOPICS and not topic.startswith(f"{wire.FACTS}."):
        raise UsageError(f"expected a topic of {', '.join(wire.TOPICS)} or facts.KIND, found {topic!r}")
    return topic


def read_reply(data: bytes) -> wire.Reply:
    try:
        return wire.read_reply(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadMessage(f"expected an answer of version {wire.VERSION}, found: {error}") from error


def read_told(data: bytes) -> wire.Told:
    try:
        return wire.read_told(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadMessage(f"expected a message of version {wire.VERSION}, found: {error}") from error


def next_port(address: str) -> str:
    """Where the streams are, beside the requests. Raises UsageError, also where `address` is none itself."""
    host, port = host_and_port(address)
    return f"{host}:{port + wire.STREAMS_PORT_AFTER}"


def host_and_port(address: str, port_max: int = PORT_MAX - wire.STREAMS_PORT_AFTER) -> tuple[str, int]:
    """Raises UsageError."""
    host, _, port = address.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= port_max
    if not is_port or not host.startswith("tcp://") or host in ("tcp://", "tcp://*"):
        raise UsageError(f"expected tcp://HOST:PORT with a port from 1 to {port_max}, found {address!r}")
    return host, int(port)


def encoded(request: wire.Ask | wire.Control) -> bytes:
    """Raises UsageError where it cannot be said on the wire."""
    try:
        return wire.encode(request)
    except (OverflowError, TypeError, ValueError) as error:
        raise UsageError(
            f"expected switches, texts and whole numbers of up to 64 bits, found {request.arguments} with {request.verb!r}: "
            f"{error}"
        ) from error
