"""What a run's journal says, for people: read beside the engine, which never waits for a reader."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind
from tradebot.domain.frames import Frame
from tradebot.domain.units import money_text, time_text
from tradebot.engine.plan import Plan
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


def frames_of(folder: Path) -> Iterator[Frame]:
    """The frames of a journal up to what is in it now."""
    reader = JournalReader(folder)
    while frames := reader.poll():
        yield from frames


def fills_of(folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    """Every fill of a run, oldest first; money and prices as decimal text."""
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
