"""What a frame of an engine's journal holds, taken apart for readers: market facts, and what became of orders.

A fact is one slot, or two where it is an answer of an account; what came of it stands in the outputs, which name their cause.
Every command and answer gets a number that rises through the run and depends on the journal alone, so that whoever writes them
somewhere can tell from the last of them what is there already.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind
from tradebot.domain.frames import Frame
from tradebot.engine.ports import Records

EVENTS_OF_A_FACT: Final = 1 << 16  # numbers that belong to one fact: itself, then what came of it

Numbers = npt.NDArray[np.uint64]


def market_of(frame: Frame) -> Records:
    """The market facts, stamped as the engine took them."""
    slots = np.frombuffer(frame.facts, RECORD_DTYPE)
    kind = slots["kind"]
    is_market: npt.NDArray[np.bool_] = (kind <= Kind.INSTRUMENT_CHANGED) & (kind != Kind.TIMER)
    return slots[np.flatnonzero(is_market)]


def events_of(frame: Frame) -> tuple[Records, Numbers]:
    """Commands and answers (FACT_DTYPE) in order, each with its number."""
    answers, at = _answers(frame)
    outputs = np.frombuffer(frame.outputs, FACT_DTYPE)
    causes = outputs["cause"].astype(np.uint64)
    after = np.arange(len(causes), dtype=np.uint64) - np.searchsorted(causes, causes).astype(np.uint64) + np.uint64(1)
    assert len(after) == 0 or int(after.max()) < EVENTS_OF_A_FACT
    numbers = np.concatenate([at * np.uint64(EVENTS_OF_A_FACT), causes * np.uint64(EVENTS_OF_A_FACT) + after])
    order = np.argsort(numbers, kind="stable")
    return np.concatenate([answers, outputs])[order], numbers[order]


def _answers(frame: Frame) -> tuple[Records, Numbers]:
    """The answers, and the sequence of each; the first fact of a frame is the one after its `base_sequence`."""
    slots = np.frombuffer(frame.facts, RECORD_DTYPE)
    is_double = (slots["kind"] >= Kind.ORDER_ACCEPTED) & (slots["kind"] <= Kind.LIQUIDATED)
    is_second = is_double & (slots["flags"] & Flag.CONT != 0)
    assert len(slots) - int(is_second.sum()) == frame.facts_count, "a fact is a slot, or two"
    at: npt.NDArray[Any] = np.flatnonzero(is_double & ~is_second)
    sequences = frame.base_sequence + np.cumsum(~is_second)[at]
    pairs = np.stack([slots[at], slots[at + 1]], axis=1) if len(at) else np.empty((0, 2), RECORD_DTYPE)
    return np.ascontiguousarray(pairs).view(FACT_DTYPE).reshape(-1), sequences.astype(np.uint64)
