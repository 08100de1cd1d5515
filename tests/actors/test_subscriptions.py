"""A stream's subscribers on real sockets: how much each may hold, and that one who sends more ends alone."""

import time
from collections.abc import Iterable

import pytest
import zmq

from tests.actors.test_front import Peer, received, run, wait
from tradebot.actors.front import Front
from tradebot.actors.subscriptions import LINE_BYTES_MAX, MESSAGES_MAX, TOPIC_COST


def held(front: Front) -> int:
    return sum(front.stream.subscribed._bytes.values())


def subscriber(found: Peer, topics: Iterable[bytes], kind: int = zmq.SUB) -> zmq.Socket[bytes]:
    made = found.socket(kind)
    for topic in topics:
        made.send(topic) if kind == zmq.XSUB else made.setsockopt(zmq.SUBSCRIBE, topic)
    return made


def test_what_a_connection_holds_is_counted_and_given_back() -> None:
    async def body(found: Peer, front: Front) -> None:
        first, second = (subscriber(found, (b"state", b"facts")) for _ in range(2))
        await wait(lambda: held(front) == 2 * (10 + 2 * TOPIC_COST))
        first.setsockopt(zmq.UNSUBSCRIBE, b"facts")
        await wait(lambda: held(front) == 15 + 3 * TOPIC_COST)
        second.close()
        await wait(lambda: held(front) == 5 + TOPIC_COST)
        first.close()
        await wait(lambda: held(front) == 0)
        again = subscriber(found, (b"state",))
        await wait(lambda: held(front) == 5 + TOPIC_COST)
        front.stream.publish("state", lambda number: b"%d" % number)
        assert await received(again) == [b"state", b"1"]
        assert front.figures()["subscribers_cut_off"] == 0

    run(body)


@pytest.mark.parametrize(
    "flood",
    [
        [b"\1%0100d" % number for number in range(50_000)],
        [b"\1state"] * 50_000,
        [b"\1state", b"\0state"] * 25_000,
        [b"\7garbage"] * 50_000,
        [b"\1%08000d" % number for number in range(2_000)],
    ],
    ids=["many", "one-again", "to-and-fro", "garbage", "large"],
)
def test_who_floods_is_cut_off_alone(flood: list[bytes]) -> None:
    async def body(found: Peer, front: Front) -> None:
        desk, other = found.socket(zmq.DEALER), subscriber(found, (b"state",))
        await wait(lambda: front.stream.subscriptions == 1)
        source = found.socket(zmq.XSUB)
        source.setsockopt(zmq.SNDHWM, 0)
        source.setsockopt(zmq.RECONNECT_IVL, -1)
        for one in flood:
            source.send(one)
        slowest = 0.0
        until = time.monotonic() + 1.0
        while time.monotonic() < until or front.stream.subscribed.cut_off == 0:
            assert time.monotonic() < until + 10
            began = time.monotonic()
            desk.send(b"hello")
            assert await received(desk) == [b"re:hello"]
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 0.5
        assert front.figures()["subscribers_cut_off"] == 1
        assert held(front) == 5 + TOPIC_COST
        assert front.stream.subscriptions <= 1 + max(MESSAGES_MAX, LINE_BYTES_MAX // TOPIC_COST)
        front.stream.publish("state", lambda number: b"%d" % number)
        assert await received(other) == [b"state", b"1"], "the others hear on"

    run(body)


def test_one_key_may_not_hold_more_by_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradebot.actors.subscriptions.NAME_BYTES_MAX", 3 * (5 + TOPIC_COST))

    async def body(found: Peer, front: Front) -> None:
        kept = []
        for number in range(3):
            kept.append(subscriber(found, (b"state",)))
            await wait(lambda number=number: front.stream.subscriptions == number + 1)  # type: ignore[misc]
        beyond = subscriber(found, (b"state",))
        await wait(lambda: front.stream.subscribed.cut_off > 0)
        kept[0].close()
        await wait(lambda: beyond.poll(0) or front.stream.subscriptions == 4)  # a SUB subscribes again when it is looked at
        front.stream.publish("state", lambda number: b"%d" % number)
        assert await received(beyond) == [b"state", b"1"], "there is room for it again"

    run(body)
