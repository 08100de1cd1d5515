"""A user's actors at work, in one loop and behind sockets: told, asked, watched, one message at a time; what is wrong with one
ends it and no other.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tradebot.actors.acting import WATCHED_MAX
from tradebot.actors.actor import Actor
from tradebot.actors.bus import Bus
from tradebot.actors.letters import Incoming, Outgoing
from tradebot.actors.mailbox import Inbox, Posts
from tradebot.actors.watching import ROOT
from tradebot.domain.codec import Message, to_bytes
from tradebot.domain.errors import ConfigError, LocalError, Refused, TimedOut
from tradebot.domain.signals import Asked, Link, Monitor, Replied, Terminated, Word
from tradebot.testing.stage import Stage


class Say(Struct, frozen=True, tag=1):
    number: int


class Twice(Struct, frozen=True, tag=2):
    number: int


class Other(Struct, frozen=True, tag=3):
    number: int


class Quote(Struct, frozen=True):
    name: str
    price: int


class Notes(Actor):
    """Notes what it hears; slowly, where it is told to."""

    messages = Say | Twice

    class Params(Struct, frozen=True):
        wait_s: float = 0.0
        fails_at: int = -1

    def __init__(self, params: dict[str, object] | None = None) -> None:
        super().__init__(params)
        self.heard: list[Any] = []
        self.at_once = self.most_at_once = 0

    async def start(self) -> None:
        self.heard.append("start")

    async def hear(self, message: Any, sender: str) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.params.wait_s)
        self.heard.append((sender, message))
        self.at_once -= 1
        if isinstance(message, Say) and message.number == self.params.fails_at:
            raise ValueError("it is that number")

    def answer(self, question: Twice, sender: str) -> Say:
        if question.number == self.params.fails_at:
            raise ValueError("it is that number")
        return Say(2 * question.number)

    def end(self) -> None:
        self.heard.append("end")


def on_stage(folder: Path, is_here: bool, body: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def inside() -> None:
        async with Stage(folder, is_here) as stage:
            await asyncio.wait_for(body(stage), 20)

    asyncio.run(inside())


async def until(is_so: Callable[[], Any]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("is_here", [True, False])
def test_what_is_told_is_heard_in_order_one_at_a_time_wherever_the_other_is(tmp_path: Path, is_here: bool) -> None:
    async def body(stage: Stage) -> None:
        one, two = Notes({"wait_s": 0.0001}), Notes()
        await stage.play("one", one)
        await stage.play("two", two)
        for number in range(500):
            assert two.tell("one", Say(number))
        await until(lambda: len(one.heard) == 501)
        assert one.heard == ["start", *(("two", Say(number)) for number in range(500))]
        assert one.most_at_once == 1

    on_stage(tmp_path, is_here, body)


@pytest.mark.parametrize("is_here", [True, False])
def test_a_question_gets_its_answer_and_one_that_comes_late_is_not_even_done(tmp_path: Path, is_here: bool) -> None:
    async def body(stage: Stage) -> None:
        one, two = Notes(), Notes({"wait_s": 0.2})
        await stage.play("one", one)
        acting = await stage.play("two", two)
        assert [await one.ask("two", Twice(number)) for number in range(3)] == [Say(0), Say(2), Say(4)]
        assert one.tell("two", Say(7))
        with pytest.raises(TimedOut):
            await one.ask("two", Twice(1), timeout_s=0.05)
        await until(lambda: acting.late == 1)

    on_stage(tmp_path, is_here, body)


@pytest.mark.parametrize("timeout_s", [math.nan, math.inf, -math.inf, 1e30, "5", None, True])
def test_a_question_that_cannot_be_asked_leaves_none_open(tmp_path: Path, timeout_s: Any) -> None:
    """The next one has its deadline."""

    async def body(stage: Stage) -> None:
        one = Notes()
        acting = await stage.play("one", one)
        with pytest.raises((TypeError, ValueError)):
            await one.ask("nobody", Twice(1), timeout_s=timeout_s)
        with pytest.raises(TypeError):
            await one.ask("nobody", object(), timeout_s=0.05)  # type: ignore[arg-type]
        assert acting.replies.open == 0
        with pytest.raises(TimedOut):
            await one.ask("nobody", Twice(1), timeout_s=0.05)

    on_stage(tmp_path, True, body)


def test_a_mailbox_that_is_full_refuses_and_nothing_of_what_it_took_is_lost(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        slow, fast = Notes({"wait_s": 0.0}), Notes()
        await stage.play("slow", slow)
        await stage.play("fast", fast)
        told = 0
        while fast.tell("slow", Say(told)):
            told += 1
        assert 10_000 <= told < 20_000, "it is bounded"
        await until(lambda: len(slow.heard) == told + 1)
        assert [message.number for _, message in slow.heard[1:]] == list(range(told))

    on_stage(tmp_path, True, body)


def test_quotes_are_conflated_and_the_oldest_figures_dropped_while_it_is_at_a_message(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        slow = Notes({"wait_s": 0.05})
        acting = await stage.play("slow", slow)
        quotes = acting.ring("engine", 100, key=lambda one: one.name)
        figures = acting.ring("engine", 3, drops=True)
        acting.hear(Say(0), "engine")
        for price in range(50):
            assert quotes.tell(Quote("BTC/USD", price)) and quotes.tell(Quote("ETH/USD", price))
            assert figures.tell(Say(price))
        await until(lambda: len(slow.heard) == 7)
        assert [message for _, message in slow.heard[2:4]] == [Quote("BTC/USD", 49), Quote("ETH/USD", 49)]
        assert [message for _, message in slow.heard[4:]] == [Say(47), Say(48), Say(49)]
        told = acting.figures()
        assert (told["conflated"], told["dropped"], told["heard"]) == (98, 47, 6)

    on_stage(tmp_path, True, body)


@pytest.mark.parametrize("is_here", [True, False])
def test_what_an_actor_raises_ends_it_and_who_asked_is_told(tmp_path: Path, is_here: bool) -> None:
    async def body(stage: Stage) -> None:
        one, two = Notes(), Notes({"fails_at": 3})
        await stage.play("one", one)
        await stage.play("two", two)
        with pytest.raises(Refused, match="it failed: ValueError: it is that number"):
            await one.ask("two", Twice(3))
        with pytest.raises(ValueError, match="it is that number"):
            await stage.tasks["two"]
        assert two.heard == ["start", "end"]
        assert not stage.tasks["one"].done()

    on_stage(tmp_path, is_here, body)


def test_one_that_does_not_return_from_a_message_has_failed(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        one = Notes({"wait_s": 60.0})
        acting = await stage.play("one", one, patience_s=0.05)
        acting.hear(Say(1), "engine")
        with pytest.raises(LocalError, match=r"expected Notes.hear to return within 0.05 s"):
            await stage.tasks["one"]

    on_stage(tmp_path, True, body)


def test_one_that_is_told_to_end_finishes_the_message_that_it_is_at(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        one = Notes({"wait_s": 0.05})
        acting = await stage.play("one", one)
        for number in range(3):
            acting.hear(Say(number), "engine")
        await until(lambda: one.at_once)
        stage.cells["one"].end()
        await stage.tasks["one"]
        assert one.heard == ["start", ("engine", Say(0)), "end"]

    on_stage(tmp_path, True, body)


def test_one_that_is_killed_says_no_last_word_and_is_gone_when_its_cell_is(tmp_path: Path) -> None:
    class Deaf(Notes):
        ends = 0

        async def hear(self, message: Any, sender: str) -> None:
            while self.ends < 3:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.ends += 1

    async def body(stage: Stage) -> None:
        one = Deaf()
        acting = await stage.play("one", one)
        acting.hear(Say(1), "engine")
        await until(lambda: acting.heard)
        stage.tasks["one"].cancel()
        await asyncio.wait([stage.tasks["one"]])
        assert one.ends == 3 and one.heard == ["start"]

    on_stage(tmp_path, True, body)


@pytest.mark.parametrize("is_here", [True, False])
def test_what_an_actor_does_not_know_is_refused_and_counted_and_ends_nobody(tmp_path: Path, is_here: bool) -> None:
    async def body(stage: Stage) -> None:
        one, two = Notes(), Notes()
        await stage.play("one", one)
        acting = await stage.play("two", two)
        assert one.tell("two", Other(1))
        with pytest.raises(Refused, match="a question that two knows"):
            await one.ask("two", Other(1))
        stage.cells["one"].posts.send("two", Word(1, "one", b"\xc1\xc1"))
        assert one.tell("two", Say(5))
        await until(lambda: len(two.heard) == 2)
        assert two.heard[1] == ("one", Say(5))
        assert acting.unreadable == 3
        with pytest.raises(ValueError, match="another actor"):
            one.tell(ROOT, Say(1))
        with pytest.raises(ValueError, match="another actor"):
            one.tell("one", Say(1))

    on_stage(tmp_path, is_here, body)


def test_an_answer_to_an_earlier_actor_of_that_name_is_not_taken_for_one_s_own(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        one, two = Notes(), Notes({"wait_s": 0.2})
        acting = await stage.play("one", one)
        await stage.play("two", two)
        lines = stage.cells["two"].room.replies
        asked = asyncio.ensure_future(one.ask("two", Twice(4)))
        await asyncio.sleep(0)
        lines.send("one", Replied(1, acting.replies.stream - 1, 1, to_bytes(Say(1))))
        for garbage in (b"", b"\xc1", to_bytes([35, 1])):
            acting.replies.take(garbage)
        assert await asked == Say(8)

    on_stage(tmp_path, False, body)


def test_a_question_to_one_whose_mailbox_is_full_is_refused_at_once(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        slow, fast = Notes(), Notes()
        await stage.play("slow", slow)
        await stage.play("fast", fast)
        while fast.tell("slow", Say(0)):
            pass
        with pytest.raises(Refused, match="ask again later"):
            await fast.ask("slow", Twice(1))

    on_stage(tmp_path, True, body)


def test_it_is_told_what_it_watches_and_ticks_at_its_pace(tmp_path: Path) -> None:
    class Ticks(Notes):
        every_s = 0.02

        def tick(self) -> None:
            self.heard.append("tick")
            if self.heard.count("tick") == 3:
                self.stop()

    async def body(stage: Stage) -> None:
        root = list[Message]()
        bus = Bus(tmp_path)
        posts = Posts(bus, ROOT, 1)
        inbox = Inbox(bus, posts, root.extend)
        one = Ticks()
        await stage.play("one", one)
        one.monitor("two")
        one.link("three")
        await until(lambda: len(root) == 2)
        assert root == [Monitor(1, "one", "two"), Link(1, "one", "three")]
        assert posts.send("one", Terminated(1, "two", "killed"))
        await stage.tasks["one"]
        assert (ROOT, Terminated(1, "two", "killed")) in one.heard
        assert one.heard.count("tick") == 3 and one.heard[-1] == "end"
        inbox.close()
        posts.close()
        bus.close()

    on_stage(tmp_path, False, body)


@pytest.mark.parametrize("how", ["cancels", "exits", "exits_later", "interrupts"])
def test_what_would_end_a_task_or_a_process_ends_the_actor_alone(tmp_path: Path, how: str) -> None:
    class Ends(Notes):
        async def hear(self, message: Any, sender: str) -> None:
            if how == "cancels":
                task = asyncio.ensure_future(asyncio.sleep(60))
                task.cancel()
                await task
            if how == "exits_later":
                await asyncio.sleep(0.01)
            raise KeyboardInterrupt if how == "interrupts" else SystemExit(0)

    async def body(stage: Stage) -> None:
        one, two = Ends(), Notes()
        acting = await stage.play("one", one)
        await stage.play("two", two)
        acting.hear(Say(1), "engine")
        with pytest.raises(LocalError, match="expected a handler that returns, found that it raised"):
            await stage.tasks["one"]
        assert one.heard == ["start", "end"]
        assert two.tell("one", Say(1)) in (True, False) and not stage.tasks["two"].done()

    on_stage(tmp_path, True, body)


def test_one_that_is_deaf_has_failed_in_its_time_and_is_given_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Deaf(Notes):
        is_over = False

        async def hear(self, message: Any, sender: str) -> None:
            while not self.is_over:
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    self.heard.append("no")

    async def body(stage: Stage) -> None:
        one = Deaf()
        acting = await stage.play("one", one, patience_s=0.05)
        acting.hear(Say(1), "engine")
        with pytest.raises(LocalError, match="found that it did not"):
            await stage.tasks["one"]
        assert "it is deaf" in capfd.readouterr().err
        one.is_over = True
        await asyncio.sleep(0.1)

    on_stage(tmp_path, True, body)


@pytest.mark.parametrize("is_here", [True, False])
def test_forged_deep_and_odd_messages_are_counted_and_end_nobody(tmp_path: Path, is_here: bool) -> None:
    class Deep(Struct, frozen=True, tag=9):
        body: Any

    class Takes(Notes):
        messages = Say | Twice | Deep

    class Answers(Notes):
        def answer(self, question: Twice, sender: str) -> Any:
            return [None, 7, Other(1)][question.number]

    async def body(stage: Stage) -> None:
        one, two = Notes(), Takes()
        await stage.play("one", one)
        acting = await stage.play("two", two)
        await stage.play("three", Answers())
        posts = stage.cells["one"].posts
        deep = b"\x92\x09" + b"\x91" * 100_000 + b"\x01"
        forged = Asked(1, "x" * 300, 1, 1, 2**62, to_bytes(Twice(1)))
        for word in (Word(1, "one", deep), Word(1, "../x", to_bytes(Say(1))), forged):
            assert posts.send("two", word)
        assert one.tell("two", Say(5))
        await until(lambda: len(two.heard) == 2)
        assert two.heard[1] == ("one", Say(5)) and acting.unreadable == 3
        for number in range(3):
            with pytest.raises(Refused, match="an answer of three that one knows"):
                await one.ask("three", Twice(number))

    on_stage(tmp_path, is_here, body)


def test_names_that_nobody_has_and_more_than_anybody_watches_are_errors(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        one = Notes()
        await stage.play("one", one)
        for name in ("", "x" * 17, 7):
            with pytest.raises(ValueError, match="expected the name"):
                one.monitor(name)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="another actor"):
            one.link(ROOT)
        for number in range(WATCHED_MAX):
            one.monitor(f"n{number}")
        one.monitor("n1")
        with pytest.raises(ValueError, match="at most 256 names"):
            one.monitor("more")
        one.demonitor("n1")
        one.monitor("more")

    on_stage(tmp_path, True, body)


def test_any_number_of_senders_is_heard(tmp_path: Path) -> None:
    incoming = Incoming("here", 1)
    for name in range(3_000):
        outgoing = Outgoing(f"n{name}", 1)
        assert incoming.open([outgoing.seal(b"a"), outgoing.seal(b"b")]) == [b"a", b"b"]
    assert incoming.garbage == 0


def test_parameters_are_checked_as_those_of_a_strategy() -> None:
    with pytest.raises(ConfigError, match=r"params.wait is no parameter of Notes: expected one of fails_at, wait_s"):
        Notes({"wait": 1})
