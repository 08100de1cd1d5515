"""The mailbox in a loop: everything once and in order, never in the caller's frame; what is full says so by its policy; a
question gets its answer or its end in time.
"""

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebot.actors.mail import Mail, Question, Questions
from tradebot.domain.errors import Refused, TimedOut

Body = Callable[[asyncio.AbstractEventLoop], Coroutine[Any, Any, None]]


def run(body: Body) -> None:
    async def inside() -> None:
        await body(asyncio.get_running_loop())

    asyncio.run(inside())


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_is_told_is_taken_in_order_in_one_batch_and_not_in_the_callers_frame() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[list[int]] = []
        mail = Mail(loop, found.append)
        assert all(mail.tell(number) for number in range(5))
        assert found == [] and len(mail) == 5
        await turns(2)
        assert found == [[0, 1, 2, 3, 4]] and len(mail) == 0

    run(body)


def test_batches_are_bounded_and_others_get_their_turn_between_them() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[Any] = []
        mail = Mail(loop, found.append, batch_max=2)
        for number in range(5):
            mail.tell(number)
        loop.call_soon(found.append, "other")
        await turns(5)
        assert found == [[0, 1], "other", [2, 3], [4]]

    run(body)


def test_an_actor_that_tells_itself_is_called_again_later() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[int] = []

        def take(messages: list[int]) -> None:
            found.extend(messages)
            if found[-1] < 3:
                mail.tell(found[-1] + 1)
                assert len(mail) == 1

        mail = Mail(loop, take)
        mail.tell(0)
        await turns(6)
        assert found == [0, 1, 2, 3]

    run(body)


def test_what_fails_in_one_batch_does_not_hold_up_the_next() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[list[int]] = []
        failed: list[object] = []
        loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))

        def take(messages: list[int]) -> None:
            found.append(messages)
            assert messages != [0], "the first fails"

        mail = Mail(loop, take, batch_max=1)
        mail.tell(0)
        mail.tell(1)
        await turns(4)
        assert found == [[0], [1]] and len(failed) == 1

    run(body)


def test_a_full_one_refuses_and_takes_again_when_there_is_room() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[int] = []
        mail = Mail(loop, found.extend, most=3)
        assert [mail.tell(number) for number in range(5)] == [True, True, True, False, False]
        await turns(2)
        assert mail.tell(5)
        await turns(2)
        assert found == [0, 1, 2, 5] and mail.refused == 2

    run(body)


def test_telemetry_drops_the_oldest_and_counts_it() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[int] = []
        mail = Mail(loop, found.extend, drops=True, most=3)
        assert all(mail.tell(number) for number in range(8))
        await turns(2)
        assert found == [5, 6, 7] and (mail.dropped, mail.refused) == (5, 0)

    run(body)


def test_quotes_keep_the_last_of_each_key_at_the_place_of_the_first() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[tuple[str, int]] = []
        mail = Mail(loop, found.extend, key=lambda quote: quote[0], most=2)
        assert all(mail.tell(one) for one in (("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)))
        assert not mail.tell(("c", 1)), "a third key has no room"
        await turns(2)
        assert found == [("a", 3), ("b", 2)] and mail.conflated == 3
        assert mail.tell(("c", 2)) and mail.tell(("a", 4))
        await turns(2)
        assert found[2:] == [("c", 2), ("a", 4)]

    run(body)


class Model:
    """The mailbox in plain Python."""

    def __init__(self, policy: str, most: int) -> None:
        self.policy, self.most, self.waiting = policy, most, list[tuple[int, int]]()

    def tell(self, message: tuple[int, int]) -> bool:
        keys = [one[0] for one in self.waiting]
        if self.policy == "conflate" and message[0] in keys:
            self.waiting[keys.index(message[0])] = message
            return True
        if len(self.waiting) == self.most:
            if self.policy != "drop":
                return False
            self.waiting.pop(0)
        self.waiting.append(message)
        return True

    def take(self, count: int) -> list[tuple[int, int]]:
        found, self.waiting = self.waiting[:count], self.waiting[count:]
        return found


@given(
    policy=st.sampled_from(["refuse", "drop", "conflate"]), most=st.integers(1, 5), batch_max=st.integers(1, 4),
    steps=st.lists(st.integers(-1, 6), max_size=60),
)  # fmt: skip
def test_it_is_the_model_of_its_policy(policy: str, most: int, batch_max: int, steps: list[int]) -> None:
    """A step of -1 is a turn of the loop, any other a message with that key."""
    due: list[Callable[[], None]] = []

    class Loop:
        create_future = call_later = None

        def call_soon(self, call: Callable[[], None]) -> None:
            due.append(call)

    found: list[tuple[int, int]] = []
    key = (lambda one: one[0]) if policy == "conflate" else None
    mail = Mail(Loop(), found.extend, key=key, drops=policy == "drop", most=most, batch_max=batch_max)  # type: ignore[arg-type]
    model, expected = Model(policy, most), list[tuple[int, int]]()
    for number, step in enumerate(steps):
        if step >= 0:
            assert mail.tell((step, number)) == model.tell((step, number))
        elif due:
            due.pop(0)()
            expected += model.take(batch_max)
        assert found == expected and len(mail) == len(model.waiting) and len(due) == bool(model.waiting)


def test_a_closed_one_refuses_and_hands_out_nothing() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[int] = []
        for mail in (Mail(loop, found.extend), Mail(loop, found.extend, drops=True), Mail(loop, found.extend, key=str)):
            mail.tell(1)
            mail.close()
            assert not mail.tell(2)
        await turns(2)
        assert found == []

    run(body)


def test_a_question_gets_the_answer_of_the_actor() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        def take(messages: list[Question]) -> None:
            for one in messages:
                assert one.answer(one.body * 2)
                assert not one.answer(0), "one answer for each"

        mail = Mail(loop, take)
        assert await asyncio.gather(*(mail.ask(number, 5.0) for number in range(4))) == [0, 2, 4, 6]

    run(body)


def test_a_question_that_nobody_answers_ends_in_its_time_and_a_later_answer_is_nobodys() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        found: list[Question] = []
        mail = Mail(loop, found.extend)
        late, soon = mail.ask("late", 0.03), mail.ask("soon", 0.01)
        with pytest.raises(TimedOut):
            await soon
        assert not late.done()
        with pytest.raises(TimedOut):
            await late
        assert [one.answer(1) for one in found] == [False, False]

    run(body)


def test_a_question_to_a_full_one_is_refused() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        mail = Mail(loop, lambda _: None, most=1)
        mail.tell(0)
        with pytest.raises(Refused):
            await mail.ask(1, 5.0)

    run(body)


def test_who_stops_waiting_is_not_answered_and_nothing_is_left_of_it() -> None:
    async def body(loop: asyncio.AbstractEventLoop) -> None:
        questions = Questions(loop)
        question = questions.begin("?", 5.0)
        question.future.cancel()
        assert len(questions) == 1 and not question.answer(1) and len(questions) == 0

    run(body)


def test_what_waits_in_a_mailbox_does_not_keep_it_alive() -> None:
    class Actor:
        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self.mail = Mail(loop, self.take)

        def take(self, messages: list[object]) -> None:
            pass

    async def body(loop: asyncio.AbstractEventLoop) -> None:
        actor = Actor(loop)
        actor.mail.tell(actor)
        gone = weakref.ref(actor)
        del actor
        await turns(2)
        gc.collect()
        assert gone() is None

    run(body)
