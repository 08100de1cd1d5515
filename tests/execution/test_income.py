"""Funding and liquidations are told once, in their order, whatever the stream leaves out or an answer repeats."""

import random

import numpy as np

from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.execution.income import Income


def payment(number: int) -> bytes:
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"], fact["venue_sequence"] = Kind.FUNDING_PAID, number
    return fact.tobytes()


def number_of(fact: bytes) -> int:
    return int(np.frombuffer(fact, FACT_DTYPE)[0]["venue_sequence"])


def test_a_hole_in_the_stream_is_filled_by_an_answer_and_nothing_is_told_twice() -> None:
    income = Income(upto=4)
    assert income.hear(payment(5))
    income.upto = 5
    assert not income.hear(payment(5)) and not income.is_stale, "it was told"
    assert not income.hear(payment(7)) and income.is_stale
    told = []
    for fact in income.new_of(payment(5) + payment(6) + payment(7)):
        income.upto = number_of(fact)
        told.append(income.upto)
    assert told == [6, 7] and income.caught_up(is_answered=True)


def test_what_came_while_an_answer_was_on_its_way_makes_another_question() -> None:
    income = Income()
    income.missed()
    assert not income.hear(payment(1)) and not income.caught_up(is_answered=True)
    income.missed()
    assert not income.caught_up(is_answered=False) and income.is_stale, "a refusal answers nothing"


def test_a_stream_with_holes_and_answers_that_are_late_tell_each_once() -> None:
    for seed in range(200):
        chance, income, told, paid = random.Random(seed), Income(), [], 0

        def tell(fact: bytes, income: Income = income, told: list[int] = told) -> None:
            income.upto = number_of(fact)
            told.append(income.upto)

        for _ in range(60):
            paid += 1
            if chance.random() < 0.7 and income.hear(payment(paid)):
                tell(payment(paid))
            if chance.random() < 0.3 and income.is_stale:
                known = chance.randrange(paid + 1)  # the answer was made before the last were paid
                for fact in income.new_of(b"".join(map(payment, range(1, known + 1)))):
                    tell(fact)
                if not income.caught_up(is_answered=True):
                    income.missed()
        for _ in range(2):
            income.missed()
            for fact in income.new_of(b"".join(map(payment, range(1, paid + 1)))):
                tell(fact)
        assert told == list(range(1, paid + 1)), f"seed {seed}"
