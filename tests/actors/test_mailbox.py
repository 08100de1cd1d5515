"""Mailboxes: what is put there arrives once and in order; a full one is told to the sender; a question gets one answer."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from itertools import count
from pathlib import Path

import pytest

from tradebot.actors import mailbox
from tradebot.actors.bus import Bus
from tradebot.actors.mailbox import Desk, Inbox, Posts, ask
from tradebot.domain.codec import Message
from tradebot.domain.market import Records
from tradebot.domain.signals import Terminated

STREAMS = count(1)


def run(folder: Path, body: "Callable[[Bus, Path], Coroutine[None, None, None]]") -> None:
    async def inside() -> None:
        bus = Bus(folder)
        try:
            await body(bus, folder)
        finally:
            bus.close()

    asyncio.run(inside())


def test_messages_arrive_once_and_in_order_however_many(tmp_path: Path) -> None:
    found: list[Message] = []

    async def body(bus: Bus, folder: Path) -> None:
        inbox = Inbox(bus, Posts(bus, "a", next(STREAMS)), found.extend)
        posts = Posts(bus, "b", next(STREAMS))
        for number in range(3_000):
            assert posts.send("a", Records(1, number, b"x" * 64))
            if number % 700 == 0:
                await asyncio.sleep(0.01)
        while len(found) < 3_000:
            await asyncio.sleep(0.01)
        inbox.close()
        posts.close()

    run(tmp_path, body)
    assert [one.sequence for one in found if isinstance(one, Records)] == list(range(3_000))


def test_a_full_mailbox_is_told_to_the_sender_and_what_was_in_it_still_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "HIGH_WATER", 10)
    found: list[Message] = []

    async def body(bus: Bus, folder: Path) -> None:
        posts = Posts(bus, "b", next(STREAMS))
        taken = [number for number in range(100) if posts.send("a", Records(1, number, b""))]
        assert 10 <= len(taken) < 100, "nobody reads: it fills"
        inbox = Inbox(bus, Posts(bus, "a", next(STREAMS)), found.extend)
        while len(found) < len(taken):
            await asyncio.sleep(0.01)
        assert posts.send("a", Records(1, 1_000, b"")), "there is room again"
        inbox.close()
        posts.close()

    run(tmp_path, body)
    assert [one.sequence for one in found if isinstance(one, Records)] == list(range(len(found)))


def test_a_reader_that_starts_again_is_found_again(tmp_path: Path) -> None:
    found: list[Message] = []

    async def body(bus: Bus, folder: Path) -> None:
        posts = Posts(bus, "b", next(STREAMS))
        for start in range(3):
            inbox = Inbox(bus, Posts(bus, "a", next(STREAMS)), found.extend)
            before = len(found)
            while len(found) == before:
                posts.send("a", Records(1, start, b""))
                await asyncio.sleep(0.01)
            inbox.close()
        posts.close()

    run(tmp_path, body)
    assert {one.sequence for one in found if isinstance(one, Records)} == {0, 1, 2}


def test_a_question_gets_its_answer_and_nobody_at_the_desk_is_none(tmp_path: Path) -> None:
    async def body(bus: Bus, folder: Path) -> None:
        desk = Desk(bus.context, folder, "d", lambda question: question.upper())
        answers = await asyncio.gather(*(asyncio.to_thread(ask, folder, "d", b"q%d" % number, 5.0) for number in range(5)))
        assert sorted(answers) == [b"Q%d" % number for number in range(5)]
        desk.close()

    run(tmp_path, body)
    assert ask(tmp_path, "nobody", b"?", 0.1) is None


def test_a_message_of_another_release_is_counted_and_dropped_and_the_first_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found: list[Message] = []

    async def body(bus: Bus, folder: Path) -> None:
        inbox = Inbox(bus, Posts(bus, "a", next(STREAMS)), found.extend)
        posts = Posts(bus, "b", next(STREAMS))
        for message in (Records(1, 1, b""), Terminated(77, "b", "forged"), Records(2, 2, b""), Records(1, 3, b"")):
            assert posts.send("a", message)
        while len(found) < 2:
            await asyncio.sleep(0.01)
        assert inbox.figures()["versions"] == 2 and inbox.figures()["garbage"] == 0
        inbox.close()
        posts.close()

    run(tmp_path, body)
    assert found == [Records(1, 1, b""), Records(1, 3, b"")]
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and said.startswith("a: expected a Terminated of version 1, found 77: it is dropped")


def test_mailbox_and_desk_are_the_users_alone_from_their_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, real = dict[str, int](), Path.chmod

    def chmod(path: Path, mode: int) -> None:
        first[path.name] = path.stat().st_mode & 0o777
        real(path, mode)

    monkeypatch.setattr(Path, "chmod", chmod)

    async def body(bus: Bus, folder: Path) -> None:
        mask = os.umask(0o022)
        inbox = Inbox(bus, Posts(bus, "a", next(STREAMS)), list[Message]().extend)
        desk = Desk(bus.context, folder, "a.desk", lambda body: body)
        assert os.umask(mask) == 0o022, "what the process makes later is as before"
        assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {"a": 0o600, "a.desk": 0o600}
        inbox.close()
        desk.close()

    run(tmp_path, body)
    assert first and not any(mode & 0o077 for mode in first.values()), "before it is put right nobody else may enter either"
