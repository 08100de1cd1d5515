"""The bus over tcp: who has the node's key is heard, whatever its connections lose; who has not is not."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import zmq

from tests.support import needs_ipv6
from tradebot.actors.bus import Bus, TcpBus
from tradebot.actors.curve import make_keys
from tradebot.actors.mailbox import Inbox, Posts
from tradebot.domain.codec import Message
from tradebot.domain.market import Records
from tradebot.testing.ports import free_ports

NAMES = ("a", "b")
COUNT = 4_000
BEAT_S = 0.01


class Pair:
    """Two actors of two processes, as far as the bus can tell: each has a context of its own."""

    def __init__(self, one: Bus, other: Bus) -> None:
        self.buses, self.found = (one, other), list[Message]()
        self.posts = Posts(one, "a", 1)
        back = Posts(other, "b", 1)
        self.inboxes = Inbox(one, self.posts, list[Message]().extend), Inbox(other, back, self.found.extend)
        self.all_posts = (self.posts, back)
        self.now_ns = 0

    def beat(self) -> None:
        self.now_ns += round(BEAT_S * 1e9)
        for inbox in self.inboxes:
            inbox.beat(self.now_ns)
        for posts in self.all_posts:
            posts.beat()

    def close(self) -> None:
        for one in (*self.inboxes, *self.all_posts, *self.buses):
            one.close()


def tcp(folder: Path, port: int, secret: str, host: str = "127.0.0.1") -> Bus:
    folder.mkdir(exist_ok=True)
    return TcpBus(folder, host, port, NAMES, secret)


def run(body: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(body(), 60))


def numbers(found: list[Message]) -> list[int]:
    return [one.sequence for one in found if isinstance(one, Records)]


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost", pytest.param("[::1]", marks=needs_ipv6)])
def test_messages_go_all_ways_of_making_a_bus(tmp_path: Path, host: str) -> None:
    async def body() -> None:
        secret, port = make_keys()[1], free_ports(2, host or "127.0.0.1")
        buses = [tcp(tmp_path / "x", port, secret, host) if host else Bus(tmp_path) for _ in range(2)]
        pair = Pair(buses[0], buses[1])
        for number in range(COUNT):
            assert pair.posts.send("b", Records(1, number, b"x" * 50))
            if number % 500 == 0:
                await asyncio.sleep(BEAT_S)
        while len(pair.found) < COUNT:
            await asyncio.sleep(BEAT_S)
        assert numbers(pair.found) == list(range(COUNT))
        pair.close()

    run(body)


def test_who_has_another_key_is_not_heard(tmp_path: Path) -> None:
    async def body() -> None:
        port = free_ports(2)
        pair = Pair(tcp(tmp_path / "x", port, make_keys()[1]), tcp(tmp_path / "y", port, make_keys()[1]))
        assert pair.posts.send("b", Records(1, 1, b"x"))
        for _ in range(50):
            pair.beat()
            await asyncio.sleep(BEAT_S)
        assert pair.found == []
        pair.close()

    run(body)


@pytest.mark.parametrize("stranger", ["another key", "no key", "a key that is not the node's"])
def test_who_is_refused_is_counted_of_the_mailbox_and_said_once(
    tmp_path: Path, stranger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def body() -> None:
        (public, secret), (own, own_secret) = make_keys(), make_keys()
        port = free_ports(2)
        bus = tcp(tmp_path / "x", port, secret)
        inbox = Inbox(bus, Posts(bus, "a", 1), list[Message]().extend)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        for number in range(1, 4):
            socket = context.socket(zmq.PUSH)
            socket.setsockopt(zmq.RECONNECT_IVL, -1)
            if stranger != "no key":
                socket.curve_publickey, socket.curve_secretkey = own.encode(), own_secret.encode()
                socket.curve_serverkey = (own if stranger == "another key" else public).encode()
            socket.connect(f"tcp://127.0.0.1:{port}")
            while inbox.figures()["refused_peers"] < number:
                await asyncio.sleep(BEAT_S)
            socket.close(linger=0)
        await asyncio.sleep(5 * BEAT_S)
        assert inbox.figures()["refused_peers"] == 3, "each once"
        inbox.close()
        assert bus.refused_of("a") == 3 and bus.refused_of("b") == 0
        bus.close()
        context.term()

    run(body)
    said = capsys.readouterr().err
    assert said.count("bus: a peer without the key of the bus was refused") == 1 and "the mailbox of the a" in said


class Cutting:
    """A tcp proxy that breaks its connections now and then, with what is in them."""

    def __init__(self, port: int, to: int, seed: int) -> None:
        self.port, self.to, self.chance = port, to, random.Random(seed)
        self.cuts = 0
        self.is_cutting = True
        self.lines: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", self.to)
        lines = {writer, out}
        self.lines |= lines
        both = [asyncio.create_task(self.pass_on(*way)) for way in ((reader, out), (there, writer))]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        await self.cut(lines)
        await asyncio.gather(*both, return_exceptions=True)

    async def cut(self, lines: set[asyncio.StreamWriter]) -> None:
        for line in lines:
            line.transport.abort()
            with contextlib.suppress(OSError):
                await line.wait_closed()
        self.lines -= lines

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.chance.randrange(5_000, 40_000)
        while data := await reader.read(4_096):
            left -= len(data)
            if left < 0 and self.is_cutting:
                self.cuts += 1
                return  # what was read is gone
            writer.write(data)
            await writer.drain()

    async def close(self) -> None:
        self.server.close()
        await self.cut(set(self.lines))
        await asyncio.sleep(BEAT_S)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_broken_connection_loses_arrives_all_the_same_once_and_in_order(tmp_path: Path, seed: int) -> None:
    async def body() -> None:
        secret = make_keys()[1]
        real, seen = free_ports(2), free_ports(2)
        one, other = tcp(tmp_path / "x", seen, secret), tcp(tmp_path / "y", real, secret)
        assert isinstance(one, TcpBus)
        one.addresses["a"] = f"tcp://127.0.0.1:{real}"  # it is bound there itself; the other is behind what cuts
        proxy = Cutting(seen + 1, real + 1, seed)
        await proxy.start()
        pair = Pair(one, other)
        for number in range(COUNT):
            assert pair.posts.send("b", Records(1, number, b"x" * 50))
            if number % 20 == 0:
                pair.beat()
                await asyncio.sleep(0.002)
        proxy.is_cutting = False
        while len(pair.found) < COUNT:
            pair.beat()
            await asyncio.sleep(BEAT_S)
        figures = pair.inboxes[1].figures()
        assert numbers(pair.found) == list(range(COUNT))
        assert proxy.cuts > 3 and figures["repaired"] > 0 and figures["lost"] == 0 and pair.posts.told_again > 0
        pair.close()
        await proxy.close()

    run(body)
