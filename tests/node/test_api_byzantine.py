"""Peers that mean ill or are broken, on real sockets: each is refused and counted, and nothing else notices."""

import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from tests.node.reached import Reached
from tradebot.client import Client, RequestRefused, State
from tradebot.domain.wire import REQUEST_BYTES_MAX, Ask, Code, Control, encode
from tradebot.node.api_view import EVERY_S
from tradebot.node.session_files import API
from tradebot.testing.chaos_judge import judge

Socket = zmq.Socket[bytes]

MALFORMED = (
    b"",
    b"\xc1",
    random.Random(1).randbytes(300),
    b"\x91" * 4_000 + b"\xc0",
    b"\x93\x01\x01" + b"\x91" * 4_000,
    msgspec.msgpack.encode([9, 1, 1, "status"]),
    msgspec.msgpack.encode([1, "one", 1, "status"]),
    msgspec.msgpack.encode({"verb": "status"}),
    msgspec.msgpack.encode([1, 1, 1, "status", {"a": {"b": {}}}]),
)


@contextmanager
def bare(reached: Reached, kind: int, address: str, role: str = "viewer") -> Iterator[Socket]:
    """A socket with a key of the list and nothing of ours around it."""
    context = zmq.Context()
    found = context.socket(kind)
    found.curve_serverkey = reached.server_key.encode()
    found.curve_publickey, found.curve_secretkey = (key.encode() for key in reached.keys[role])
    found.connect(address)
    try:
        yield found
    finally:
        context.destroy(linger=0)


def refused(found: Socket, *frames: bytes) -> Any:
    """The code of the refusal that a message gets."""
    found.send_multipart(frames)
    assert found.poll(5_000), frames
    tag, _, _, code, why = msgspec.msgpack.decode(found.recv())
    assert tag == 11 and why
    return code


def unharmed(reached: Reached) -> None:
    """Nothing of the node was started again, and it trades."""
    assert [one for one in reached.place.events() if one["event"] != "ready"] == []
    assert reached.place.ask("status")["trading"] == "active"


def resident(pid: int) -> int:
    """Bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def streams_of(reached: Reached) -> str:
    host, _, port = reached.address.rpartition(":")
    return f"{host}:{int(port) + 1}"


def test_garbage_wrong_versions_and_large_and_deep_messages_are_refused_and_counted(reached: Reached) -> None:
    reached.start()
    with bare(reached, zmq.DEALER, reached.address) as peer:
        for body in MALFORMED:
            assert refused(peer, body) == Code.MALFORMED
        assert refused(peer, encode(Ask(2, 7, "status"))) == Code.WRONG_VERSION
        assert refused(peer, encode(Ask(1, 7, "state"))) == Code.UNKNOWN_VERB
        assert refused(peer, encode(Ask(1, 7, "pause"))) == Code.UNKNOWN_VERB, "a control is not a question"
        assert refused(peer, encode(Ask(1, 7, "fills", {"last": 10**9}))) == Code.WRONG_ARGUMENTS
        assert refused(peer, encode(Ask(1, 7, "explain", {"order": 1}))) == Code.NOT_FOUND
        assert refused(peer, encode(Control(1, 7, "pause", "x" * 3_000))) == Code.WRONG_ARGUMENTS
        assert refused(peer, encode(Control(1, 7, "pause"))) == Code.ROLE
        assert refused(peer, b"x" * (REQUEST_BYTES_MAX + 1)) == Code.TOO_LARGE
        peer.send_multipart([b"one", b"two", b"three"])
        assert refused(peer, b"x" * (1 << 20)) == Code.TOO_LARGE
        peer.send(b"x" * (1 << 20) + b"x")  # this cuts the connection off
        time.sleep(0.2)
        peer.send(encode(Ask(1, 8, "hello")))
        assert peer.poll(10_000), "it connects again and is heard"
        assert msgspec.msgpack.decode(peer.recv())[:3] == [10, 1, 8]
    with bare(reached, zmq.XSUB, streams_of(reached)) as peer:
        for body in (b"\x07garbage", b"\x01" + b"x" * 500, b"garbage", b"x" * 5_000, b"x" * 8_192):
            peer.send(body)
        reached.wait(lambda: reached.status()["garbage"] == 6)
        peer.send(b"\x01" + b"x" * 5_000)
        reached.wait(lambda: reached.status()["subscribers_cut_off"] > 0)
    found = reached.status()["refused"]
    assert found == {
        "malformed": len(MALFORMED), "wrong_version": 1, "unknown_verb": 2, "wrong_arguments": 2, "not_found": 1, "role": 1,
        "too_large": 2,
    }  # fmt: skip
    unharmed(reached)


def test_without_curve_nobody_gets_a_word_in(reached: Reached) -> None:
    reached.start()
    context = zmq.Context()
    plain = context.socket(zmq.DEALER)
    plain.connect(reached.address)
    plain.send(encode(Ask(1, 1, "hello")))
    assert not plain.poll(1_000)
    context.destroy(linger=0)
    host, _, port = reached.address.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port))) as line:  # no ZeroMQ at all
        line.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
    reached.wait(lambda: reached.status()["handshakes_failed"] > 0)
    assert reached.status()["requests"] == {}
    unharmed(reached)


def test_a_flood_is_refused_and_others_are_answered_meanwhile(reached: Reached) -> None:
    reached.start()
    started = time.monotonic()
    with bare(reached, zmq.DEALER, reached.address) as peer, reached.client("operator") as operator:
        operator.ask("hello")
        body = encode(Ask(1, 1, "status"))
        for _ in range(5_000):
            peer.send(body)
        began = time.monotonic()
        assert operator.status().trading == "active"
        assert time.monotonic() - began < 5
        reached.wait(lambda: reached.status()["refused"].get("too_many", 0) > 1_000)
    assert reached.status()["polls"] <= 2 + (time.monotonic() - started) / EVERY_S, "the desks were asked at their own pace"
    unharmed(reached)


def test_a_flood_of_subscriptions_ends_its_connection_and_others_are_answered_meanwhile(reached: Reached) -> None:
    reached.start()
    (pid,) = reached.place.node.pids(API)
    before = resident(pid)
    with bare(reached, zmq.SUB, streams_of(reached)) as peer, reached.client("admin") as admin:
        told = admin.subscribe(["state"], silence_s=10)
        next(told)
        peer.setsockopt(zmq.SNDHWM, 0)
        for number in range(50_000):
            peer.setsockopt(zmq.SUBSCRIBE, b"%0100d" % number)
        slowest, began = 0.0, time.monotonic()
        while time.monotonic() < began + 3 or reached.status()["subscribers_cut_off"] < 3:  # it comes back with all of them
            assert time.monotonic() < began + 20
            peer.poll(100)
            asked = time.monotonic()
            assert admin.ask("hello")["name"] == "the-admin"
            slowest = max(slowest, time.monotonic() - asked)
        assert slowest < 2
        assert isinstance(next(told), State)
        told.close()  # type: ignore[attr-defined]
    assert reached.place.node.pids(API) == [pid]
    assert resident(pid) - before < 50 << 20
    unharmed(reached)


def test_stalled_subscribers_hold_nobody_up(reached: Reached) -> None:
    """The small form of benchmarks/clients.py: twenty clients, half of them never read what they subscribed."""
    reached.start()
    reached.place.wait_orders(2)
    clients: list[Client] = [reached.client("viewer") for _ in range(10)]
    with ExitStack() as stack:
        for _ in range(10):
            stalled = stack.enter_context(bare(reached, zmq.SUB, streams_of(reached)))
            stalled.setsockopt(zmq.RCVHWM, 1)
            stalled.setsockopt(zmq.SUBSCRIBE, b"")
        reached.wait(lambda: reached.status()["connected"] >= 10)
        told = [client.subscribe(["state"], silence_s=10) for client in clients]
        for _ in range(3):
            heard = [next(each) for each in told]
            assert all(isinstance(each, State) and each.is_running for each in heard)
        assert reached.status()["connected"] >= 20
        assert [client.ask("hello")["name"] for client in clients] == ["the-viewer"] * 10
        for each in told:
            each.close()  # type: ignore[attr-defined]
    for client in clients:
        client.close()
    unharmed(reached)
    reached.place.node.settle()
    assert judge(reached.place.node.folder).findings == []


def test_a_wrong_argument_of_a_control_is_refused_and_nothing_is_done(reached: Reached) -> None:
    reached.start()
    with reached.client("admin") as admin:
        for verb, arguments in (("pause", {"guards": True}), ("kill", {"guard": True}), ("cancel-all", {"guards": 1})):
            with pytest.raises(RequestRefused) as caught:
                admin.control(verb, **arguments)  # type: ignore[arg-type]
            assert caught.value.code == Code.WRONG_ARGUMENTS
    assert reached.place.controls() == []
    unharmed(reached)
