"""The tcp side of a process on real sockets: who is let in and heard, and what late and stalled subscribers get."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from tests.node.reached import free_port
from tradebot.actors.curve import make_keys, public_key_of, read_or_make_secret
from tradebot.actors.front import Front
from tradebot.actors.inquiry import Crowded, Inquiry
from tradebot.actors.mailbox import Desk
from tradebot.actors.requests import Address
from tradebot.actors.streams import AGAIN_S
from tradebot.domain.errors import LocalError

Socket = zmq.Socket[bytes]
PUBLISHED = ("JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs")
"""The secrets of zmq_curve(7)."""


def said(places: dict[str, int]) -> bytes:
    return repr(places).encode()


class Peer:
    """Keys of a server and of one client that it knows, and that client's sockets."""

    def __init__(self) -> None:
        self.server_public, self.server = make_keys()
        self.public, self.secret = make_keys()
        port = free_port()
        self.addresses = (f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{port + 1}")
        self.context = zmq.Context()
        self.sockets: list[Socket] = []
        self.heard: list[tuple[str, bytes]] = []

    def front(self) -> Front:
        self.made = Front({self.public: "known"}, self.server, *self.addresses, self.hear, ("topics", said))
        return self.made

    def hear(self, who: str, address: Address, body: bytes) -> None:
        self.heard.append((who, body))
        self.made.requests.answer(address, b"re:" + body)

    def socket(self, kind: int, keys: tuple[str, str] | None = None, high_water: int = 1_000) -> Socket:
        found = self.context.socket(kind)
        self.sockets.append(found)
        found.setsockopt(zmq.RCVHWM, high_water)
        found.curve_serverkey = self.server_public.encode()
        found.curve_publickey, found.curve_secretkey = (one.encode() for one in keys or (self.public, self.secret))
        found.connect(self.addresses[0 if kind in (zmq.DEALER, zmq.REQ) else 1])
        return found


@contextmanager
def peer() -> Iterator[Peer]:
    found = Peer()
    try:
        yield found
    finally:
        found.context.destroy(linger=0)


def run(body: Callable[[Peer, Front], Awaitable[None]]) -> None:
    async def inside(found: Peer) -> None:
        front = found.front()
        try:
            await body(found, front)
        finally:
            front.close()

    with peer() as found:
        asyncio.run(inside(found))


async def wait(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        await asyncio.sleep(0.005)


async def received(socket: Socket) -> list[bytes]:
    await wait(lambda: socket.poll(0))
    return socket.recv_multipart()


def test_a_known_key_is_heard_under_its_name_and_a_stranger_not_at_all() -> None:
    async def body(found: Peer, front: Front) -> None:
        stranger = found.socket(zmq.DEALER, make_keys())
        stranger.send(b"let me in")
        known, asking = found.socket(zmq.DEALER), found.socket(zmq.REQ)
        known.send(b"one")
        asking.send(b"two")
        assert await received(known) == [b"re:one"] and await received(asking) == [b"re:two"]
        await wait(lambda: front.gate.denied > 0)
        assert sorted(found.heard) == [("known", b"one"), ("known", b"two")]
        assert front.figures()["connected"] >= 2
        known.send_multipart([b"a", b"b", b"c", b"d"])
        await wait(lambda: front.requests.garbage == 1)

    run(body)


def test_who_comes_late_gets_the_last_message_of_its_topics_and_their_numbers() -> None:
    async def body(found: Peer, front: Front) -> None:
        for value in (b"a", b"b"):
            front.stream.publish("state", lambda number, value=value: b"%d:%s" % (number, value))
        front.stream.publish("facts.fill", lambda number: b"%d:f" % number)
        front.stream.publish("other", lambda number: b"%d:o" % number)
        late = found.socket(zmq.SUB)
        late.setsockopt(zmq.SUBSCRIBE, b"state")
        late.setsockopt(zmq.SUBSCRIBE, b"facts")
        await wait(lambda: front.stream.subscriptions == 2)
        front.stream.repeat()
        assert [await received(late), await received(late)] == [[b"state", b"2:b"], [b"facts.fill", b"1:f"]]
        front.stream.repeat()
        front.stream.publish("state", lambda number: b"%d:c" % number)
        assert await received(late) == [b"state", b"3:c"], "said again once, for the subscription"
        front.stream.forget("state")
        later = found.socket(zmq.SUB)
        later.setsockopt(zmq.SUBSCRIBE, b"state")
        await wait(lambda: front.stream.subscriptions == 3)
        front.stream.repeat()
        front.stream.publish("state", lambda number: b"%d:d" % number)
        assert await received(later) == [b"state", b"4:d"], "what is old is not told as new"

    run(body)


def test_one_that_subscribes_again_and_again_has_little_said_again() -> None:
    """What is said again reaches everybody."""

    async def body(found: Peer, front: Front) -> None:
        front.stream.publish("facts.fill", lambda number: b"%d" % number)
        again = found.socket(zmq.SUB)
        began_s, told = time.monotonic(), front.stream.told
        for number in range(1, 31):
            again.setsockopt(zmq.SUBSCRIBE, b"facts")
            await wait(lambda number=number: front.stream.subscriptions == number)
            front.stream.repeat()
            again.setsockopt(zmq.UNSUBSCRIBE, b"facts")
        most = 2 + (time.monotonic() - began_s) / AGAIN_S
        assert 1 <= front.stream.told - told <= most < 20

    run(body)


def test_who_subscribes_to_the_places_hears_them_before_what_comes_then() -> None:
    async def body(found: Peer, front: Front) -> None:
        front.stream.publish("facts.fill", lambda number: b"%d" % number)
        early, other = found.socket(zmq.SUB), found.socket(zmq.SUB)
        other.setsockopt(zmq.SUBSCRIBE, b"facts")
        for topic in (b"facts", b"topics"):
            early.setsockopt(zmq.SUBSCRIBE, topic)
        await wait(lambda: front.stream.subscriptions == 3)
        front.stream.publish("facts.fill", lambda number: b"%d" % number)
        front.stream.repeat()
        heard = [await received(early) for _ in range(2)]
        assert heard == [[b"topics", b"{'facts.fill': 1}"], [b"facts.fill", b"2"]]
        assert await received(other) == [b"facts.fill", b"2"]

    run(body)


def test_a_burst_right_behind_a_subscription_takes_no_place_of_the_places() -> None:
    """A queue holds few of it: the places are in front, whatever is lost behind them."""
    size = 40_000

    async def body(found: Peer, front: Front) -> None:
        late = found.socket(zmq.SUB, high_water=10)
        late.setsockopt(zmq.SUBSCRIBE, b"state")
        await wait(lambda: front.stream.subscriptions == 1)
        for topic in (b"facts", b"topics"):
            late.setsockopt(zmq.SUBSCRIBE, topic)
        until = time.monotonic() + 1
        number = 0
        while time.monotonic() < until:  # nobody else has a turn, and the subscriptions come at some moment of it
            front.stream.publish("facts.fill", lambda number: b"%08d" % number + b"x" * size)
            number += 1
        heard = []
        while late.poll(200):
            heard.append(late.recv_multipart())
        (place,) = (at for at, (topic, _) in enumerate(heard) if topic == b"topics")
        before = [int(message[:8]) for _, message in heard[:place]]  # what came between its two subscriptions
        assert before == list(range(before[0], before[0] + place)) if before else True, "nothing was lost before the places"
        assert 1 < len(heard) < number

    run(body)


def test_a_subscriber_that_stalls_loses_and_nobody_waits() -> None:
    count, size = 1_500, 40_000  # more than the kernel and both queues hold

    async def body(found: Peer, front: Front) -> None:
        stalled, reading = found.socket(zmq.SUB, high_water=10), found.socket(zmq.SUB)
        for one in (stalled, reading):
            one.setsockopt(zmq.SUBSCRIBE, b"state")
        await wait(lambda: front.stream.subscriptions == 2)
        heard: list[int] = []
        for _ in range(count):
            front.stream.publish("state", lambda number: b"%08d" % number + b"x" * size)
            await asyncio.sleep(0.001)
            while reading.poll(0):
                heard.append(int(reading.recv_multipart()[1][:8]))
        while len(heard) < count:
            heard.append(int((await received(reading))[1][:8]))
        late = []
        while stalled.poll(200):
            late.append(int(stalled.recv_multipart()[1][:8]))
        assert len(late) < count and late == sorted(set(late)), "what it gets is in order, and numbers are missing"
        assert heard == list(range(1, count + 1))

    run(body)


def test_a_question_that_is_not_answered_in_time_is_not_done_later(tmp_path: Path) -> None:
    """It is asked while nobody is there; who comes up later does not find it, and answers what is asked then."""
    asked: list[bytes] = []

    def answer(question: bytes) -> bytes:
        asked.append(question)
        return b"re:" + question

    async def body(found: Peer, front: Front) -> None:
        questions = front.questions(tmp_path, "a.desk", 0.1)
        assert await questions.ask(b"first") is None
        context: zmq.Context[Socket] = zmq.Context()
        desk = Desk(context, tmp_path, "a.desk", answer)
        assert await questions.ask(b"second") == b"re:second"
        assert [await questions.ask(b"%d" % number) for number in range(3)] == [b"re:0", b"re:1", b"re:2"]
        assert asked == [b"second", b"0", b"1", b"2"]
        desk.close()
        context.destroy(linger=0)

    run(body)


def test_more_questions_than_may_wait_are_refused_unasked(tmp_path: Path) -> None:
    async def body(found: Peer, front: Front) -> None:
        questions: Inquiry = front.questions(tmp_path, "a.desk", 0.01)
        done = await asyncio.gather(*(questions.ask(b"x") for _ in range(40)), return_exceptions=True)
        assert sum(isinstance(one, Crowded) for one in done) == 8 and done.count(None) == 32

    run(body)


def test_an_address_that_another_has_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradebot.actors.curve.BINDS_MAX", 2)

    async def body(found: Peer, front: Front) -> None:
        with pytest.raises(LocalError, match=r"another program has it; choose another node\.api\.address"):
            Front({}, found.server, *found.addresses, found.hear, ("topics", said))

    run(body)


def test_the_servers_key_is_made_once_and_is_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "api.secret"
    secret = read_or_make_secret(path)
    assert read_or_make_secret(path) == secret and len(public_key_of(secret)) == 40
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.chmod(0o640)
    with pytest.raises(LocalError, match="chmod 0600"):
        read_or_make_secret(path)
    path.chmod(0o600)
    for junk in (b"no key", b"", b"\xff\xfe\x00"):
        path.write_bytes(junk)
        with pytest.raises(LocalError, match=r"expected a secret key in .* remove it, and one is made"):
            read_or_make_secret(path)
    path.unlink()
    path.mkdir(0o700)
    with pytest.raises(LocalError, match=r"expected a secret key in .* Is a directory; remove it"):
        read_or_make_secret(path)


@pytest.mark.parametrize("secret", PUBLISHED)
def test_a_servers_secret_that_everybody_has_is_refused(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "api.secret"
    path.touch(0o600)
    path.write_text(secret)
    tmp_path.chmod(0o700)
    with pytest.raises(LocalError, match="whose secret everybody has: remove it, and one is made"):
        read_or_make_secret(path)
