"""Answers keep their numbers until the engine has them, and are said again whole."""

from tradebot.execution.answers import ANSWERS_MAX, Answers
from tradebot.execution.held import FACT_BYTES


def fact(number: int) -> bytes:
    return number.to_bytes(FACT_BYTES, "little")


def test_what_the_engine_has_is_forgotten_and_the_rest_is_said_again_under_its_number() -> None:
    answers = Answers(account=7)
    (first,) = answers.add([fact(1), fact(2)], now_ns=10)
    assert (first.sequence, first.data, first.account) == (1, fact(1) + fact(2), 7)
    (second,) = answers.add([fact(3)], now_ns=20)
    assert (second.sequence, answers.said_ns) == (3, 10), "the oldest waits since 10"
    answers.forget(2)
    assert (answers.first, answers.next, len(answers)) == (3, 4, 1)
    (again,) = answers.say_again(now_ns=30)
    assert (again.sequence, again.data, answers.said_ns) == (3, fact(3), 30)
    answers.forget(9)
    assert not answers and answers.next == 4, "a number is never given twice"


def test_one_message_holds_so_many_and_they_go_on_from_each_other() -> None:
    facts = [fact(number) for number in range(2 * ANSWERS_MAX + 1)]
    told = Answers(1, first=5).add(facts, 0)
    assert [(one.sequence, len(one.data) // FACT_BYTES) for one in told] == [
        (5, ANSWERS_MAX), (5 + ANSWERS_MAX, ANSWERS_MAX), (5 + 2 * ANSWERS_MAX, 1)
    ]  # fmt: skip
    assert b"".join(one.data for one in told) == b"".join(facts)


def test_nothing_to_tell_is_no_message_and_leaves_the_time() -> None:
    answers = Answers(1)
    assert answers.add([], 10) == [] and answers.said_ns == 0
