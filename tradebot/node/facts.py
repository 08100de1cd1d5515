"""What a run's journal says, for people: read beside the engine, which never waits for a reader."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind
from tradebot.domain.frames import Frame
from tradebot.domain.units import money_text, time_text
from tradebot.engine.plan import Plan
from tradebot.store.journal_range import first_head
from tradebot.store.journal_reader import JournalReader

SLOT: Final = RECORD_DTYPE.itemsize
FACT: Final = FACT_DTYPE.itemsize
_KIND_AT: Final = FACT_DTYPE.fields["kind"][1]  # type: ignore[index]


def answers_of(frame: Frame) -> Iterator[np.void]:
    """The account facts that a frame took in, in order."""
    at = 0
    while at < len(frame.facts):
        is_answer = Kind.ORDER_ACCEPTED <= frame.facts[at + _KIND_AT] <= Kind.LIQUIDATED
        if is_answer:
            yield np.frombuffer(frame.facts[at : at + FACT], FACT_DTYPE)[0]
        at += FACT if is_answer else SLOT


class Row(NamedTuple):
    """One fact or output of a frame. `sequence` is the fact's own; of an output that of the fact which led to it."""

    sequence: int
    fact: np.void  # of RECORD_DTYPE where it is a single slot, else of FACT_DTYPE
    is_output: bool

    @property
    def kind(self) -> int:
        return int(self.fact["kind"])


def rows_of(frame: Frame, least: int = 0) -> list[Row]:
    """Facts and outputs of a frame as they came: after each fact what it led to. Facts of a kind below `least` are left out."""
    slots = np.frombuffer(frame.facts, RECORD_DTYPE)
    heads = np.flatnonzero((slots["flags"] & Flag.CONT) == 0)
    wanted = np.flatnonzero(slots["kind"][heads] >= least)
    found = [Row(frame.base_sequence + 1 + int(at), _fact_at(frame, int(heads[at])), False) for at in wanted]
    found += [Row(int(one["cause"]), one, True) for one in np.frombuffer(frame.outputs, FACT_DTYPE)]
    return sorted(found, key=lambda row: (row.sequence, row.is_output))


def row_at(frame: Frame, sequence: int) -> Row | None:
    """The fact of that sequence; None where the frame does not hold it."""
    slots = np.frombuffer(frame.facts, RECORD_DTYPE)
    heads = np.flatnonzero((slots["flags"] & Flag.CONT) == 0)
    at = sequence - frame.base_sequence - 1
    return Row(sequence, _fact_at(frame, int(heads[at])), False) if 0 <= at < len(heads) else None


def _fact_at(frame: Frame, slot: int) -> np.void:
    at = slot * SLOT
    is_answer = Kind.ORDER_ACCEPTED <= frame.facts[at + _KIND_AT] <= Kind.LIQUIDATED
    size, dtype = (FACT, FACT_DTYPE) if is_answer else (SLOT, RECORD_DTYPE)
    found: np.void = np.frombuffer(frame.facts[at : at + size], dtype)[0]
    return found


def frames_of(folder: Path, after_sequence: int | None = None) -> Iterator[Frame]:
    """The frames of a journal up to what is in it now: all that are kept, or those behind a fact. Raises LocalError where that is
    removed.
    """
    reader = JournalReader(folder, after_sequence)
    while frames := reader.poll():
        yield from frames


def beginning_of(folder: Path) -> dict[str, Any] | None:
    """Fact and time behind which a journal is there, and a sentence of it; None where it is all there."""
    return told_beginning(first_head(folder))


def told_beginning(head: Frame | None) -> dict[str, Any] | None:
    """As `beginning_of`, of the head of the first segment."""
    if head is None or not head.base_sequence:
        return None
    when = time_text(head.time_ns)
    text = f"the journal begins behind fact {head.base_sequence}, at {when}: what was before it was removed, see node.keep"
    return {"fact": head.base_sequence, "time": when, "text": text}


def fills_of(folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    """Every fill that the journal of a run has, oldest first; money and prices as decimal text."""
    by_id = {one.id: one for one in plan.instruments}
    for frame in frames_of(folder / "engine"):
        for fact in answers_of(frame):
            if fact["kind"] not in (Kind.ORDER_FILLED, Kind.LIQUIDATED):
                continue
            instrument = by_id[int(fact["instrument"])]
            yield {
                "time": time_text(int(fact["time_ns"])),
                "order": int(fact["id"]),
                "trade": int(fact["trade_id"]),
                "instrument": instrument.name,
                "strategy": int(fact["owner"]),
                "side": "sell" if fact["flags"] & Flag.SELL else "buy",
                "price": instrument.price_text(int(fact["price"])),
                "quantity": instrument.quantity_text(int(fact["quantity"])),
                "is_maker": bool(fact["flags"] & Flag.MAKER),
                "fee": money_text(int(fact["fee"])),
                "fee_asset": plan.assets[int(fact["fee_asset"])],
            }
