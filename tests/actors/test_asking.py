"""Questions from within a loop: each gets its own answer, here and behind a socket, by the same call; or its end in time."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import zmq

from tradebot.actors.asking import Asking
from tradebot.actors.bus import Bus
from tradebot.actors.mail import Mail, Question
from tradebot.actors.mailbox import Desk, Inbox, Posts
from tradebot.domain.errors import TimedOut
from tradebot.domain.market import Records

Body = Callable[["zmq.Context[zmq.Socket[bytes]]", Asking], Coroutine[Any, Any, None]]


def run(folder: Path, body: Body) -> None:
    async def inside() -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        asking = Asking(context, folder)
        try:
            await asyncio.wait_for(body(context, asking), 20)
        finally:
            asking.close()
            context.destroy(linger=0)

    asyncio.run(inside())


def upper(questions: list[Question]) -> None:
    for one in questions:
        one.answer(one.body.upper())


@pytest.mark.parametrize("is_here", [True, False])
def test_each_question_gets_its_own_answer_wherever_the_actor_is(tmp_path: Path, is_here: bool) -> None:
    async def body(context: "zmq.Context[zmq.Socket[bytes]]", asking: Asking) -> None:
        if is_here:
            asking.hold("d", Mail(asyncio.get_running_loop(), upper))
        desk = None if is_here else Desk(context, tmp_path, "d", bytes.upper)
        for _ in range(3):
            answers = await asyncio.gather(*(asking.ask("d", b"q%d" % number, 10.0) for number in range(400)))
            assert answers == [b"Q%d" % number for number in range(400)]
        if desk is not None:
            desk.close()

    run(tmp_path, body)


def test_a_question_waits_for_an_actor_that_is_yet_to_come(tmp_path: Path) -> None:
    async def body(context: "zmq.Context[zmq.Socket[bytes]]", asking: Asking) -> None:
        answer = asking.ask("d", b"q", 10.0)
        await asyncio.sleep(0.02)
        desk = Desk(context, tmp_path, "d", bytes.upper)
        assert await answer == b"Q"
        desk.close()

    run(tmp_path, body)


def test_nobody_at_the_desk_ends_a_question_in_its_time(tmp_path: Path) -> None:
    async def body(context: "zmq.Context[zmq.Socket[bytes]]", asking: Asking) -> None:
        with pytest.raises(TimedOut):
            await asking.ask("nobody", b"q", 0.02)

    run(tmp_path, body)


def test_an_actor_in_the_loop_and_one_behind_a_socket_are_told_by_the_same_call(tmp_path: Path) -> None:
    async def body(context: "zmq.Context[zmq.Socket[bytes]]", asking: Asking) -> None:
        here, there = list[Any](), list[Any]()
        bus = Bus(tmp_path)
        inbox = Inbox(bus, Posts(bus, "there", 1), there.extend)
        posts = Posts(bus, "sender", 1)
        bus.hosts = frozenset({"here"})
        assert not posts.send("here", Records(1, 0, b"x")), "it is not there yet, and no socket takes it in its stead"
        bus.hold("here", Mail(asyncio.get_running_loop(), here.extend, most=100))
        for number in range(100):
            for name in ("here", "there"):
                assert posts.send(name, Records(1, number, b"x"))
        assert not posts.send("here", Records(1, 100, b"x")), "it is bounded"
        while len(here) < 100 or len(there) < 100:
            await asyncio.sleep(0.001)
        assert here == there == [Records(1, number, b"x") for number in range(100)]
        inbox.close()
        posts.close()
        bus.close()

    run(tmp_path, body)
