"""A frame taken apart: market facts as they are, commands and answers numbered by the journal alone."""

import numpy as np
import pytest

from tests.strategies.support import BTC, plan
from tests.support import stream
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Kind
from tradebot.domain.frames import Frame
from tradebot.engine.taken import EVENTS_OF_A_FACT, events_of, market_of
from tradebot.testing.simulation import ENGINE, Faults, Restless, World

SLOT = RECORD_DTYPE.itemsize


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    settings = plan(1, [BTC], order_latency_ns=5_000_000, answer_latency_ns=0)
    world = World(3, settings, stream(1, 700), lambda: [Restless({"seed": 7, "eager": 0.9})], Faults(crash=0.005))
    world.finish()
    return list(world.journals[ENGINE].frames())


def walked(frame: Frame) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """Market facts, and (sequence, answer), slot by slot."""
    market, answers, at, sequence = [], [], 0, frame.base_sequence
    while at < len(frame.facts):
        kind = np.frombuffer(frame.facts[at : at + SLOT], RECORD_DTYPE)[0]["kind"]
        sequence += 1
        size = 2 * SLOT if Kind.ORDER_ACCEPTED <= kind <= Kind.LIQUIDATED else SLOT
        if size == 2 * SLOT:
            answers.append((sequence, frame.facts[at : at + size]))
        elif kind <= Kind.INSTRUMENT_CHANGED and kind != Kind.TIMER:
            market.append(frame.facts[at : at + size])
        at += size
    return market, answers


def test_frames_come_apart_as_a_walk_over_their_slots_does(frames: list[Frame]) -> None:
    seen = 0
    for frame in frames:
        market, answers = walked(frame)
        events, numbers = events_of(frame)
        assert market_of(frame).tobytes() == b"".join(market)
        assert events.dtype == FACT_DTYPE and len(events) == len(answers) + len(frame.outputs) // FACT_DTYPE.itemsize
        of_answers = numbers % EVENTS_OF_A_FACT == 0
        sequences = [int(number) // EVENTS_OF_A_FACT for number in numbers[of_answers]]
        assert list(zip(sequences, map(np.void.tobytes, events[of_answers]), strict=True)) == answers
        assert events[~of_answers].tobytes() == frame.outputs
        seen += len(events)
    assert seen > 50


def test_numbers_rise_through_a_run_and_name_the_cause(frames: list[Frame]) -> None:
    numbers = [int(one) for frame in frames for one in events_of(frame)[1]]
    assert numbers == sorted(set(numbers))
    for frame in frames:
        events, found = events_of(frame)
        for event, number in zip(events, found, strict=True):
            if number % EVENTS_OF_A_FACT:
                assert number // EVENTS_OF_A_FACT == event["cause"]
                assert frame.base_sequence < event["cause"] <= frame.end_sequence
