"""The life of each order, joined from the facts by order id: placed, accepted, filled, ended.

Facts are flat and in the order of time; a report asks by order. The joins here are sorted look-ups over
arrays, so that a run of a million orders costs no Python object per order; only the orders a table shows
become values.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot.domain.orders import Kind, Reject
from tradebot.research.fills import Integers
from tradebot.research.results import Records

UNKNOWN: Final = -1


class OrderLife(Struct, frozen=True, kw_only=True):
    """One order sent; lots, ticks and UTC nanoseconds. `UNKNOWN` where the facts do not say."""

    placed: np.void
    quantity_lots: int  # of the order in all, as last changed
    accepted_ns: int
    ahead_lots: int
    filled_lots: int
    filled_ticks_lots: int
    ended: str  # filled, cancelled, rejected or open
    reject: str
    ended_ns: int


def of_kind(facts: Records, kind: Kind) -> Records:
    """The facts of one kind, in order."""
    return np.asarray(facts[facts["kind"] == kind])


def index_by_id(records: Records, ids: npt.NDArray[np.uint64]) -> Integers:
    """For each order id the index of its last record; UNKNOWN where it has none."""
    if not len(records):
        return np.full(len(ids), UNKNOWN, np.int64)
    order = np.argsort(records["id"], kind="stable")
    at = np.searchsorted(records["id"][order], ids, side="right") - 1
    last = order[np.maximum(at, 0)]
    return np.where((at >= 0) & (records["id"][last] == ids), last, UNKNOWN).astype(np.int64)


def times_in_queue_ns(facts: Records, fills: Records) -> Integers:
    """For each fill, nanoseconds from the acceptance of its order on the venue's clock (on ours where the
    venue's is not known); UNKNOWN where the acceptance is not in the facts."""
    accepted = of_kind(facts, Kind.ORDER_ACCEPTED)
    index = index_by_id(accepted, fills["id"])
    if not len(accepted):
        return index
    rows = accepted[index]
    on_venue = (rows["venue_ns"] > 0) & (fills["venue_ns"] > 0)
    waited = np.where(on_venue, fills["venue_ns"] - rows["venue_ns"], fills["time_ns"] - rows["time_ns"])
    return np.where(index >= 0, np.maximum(waited, 0), UNKNOWN).astype(np.int64)


def ahead_at_acceptance(facts: Records, fills: Records) -> Integers:
    """For each fill, the lots ahead of its order when it was accepted; UNKNOWN where the facts do not say."""
    accepted = of_kind(facts, Kind.ORDER_ACCEPTED)
    index = index_by_id(accepted, fills["id"])
    return (
        np.where(index >= 0, accepted["display"][index], UNKNOWN).astype(np.int64) if len(accepted) else index
    )


def rejects_by_reason(facts: Records) -> dict[str, int]:
    """How many orders each rule refused, the commonest first."""
    numbers, counts = np.unique(of_kind(facts, Kind.ORDER_REJECTED)["reject"], return_counts=True)
    pairs = sorted(zip(counts.tolist(), numbers.tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))
    return {reject_name(number): count for count, number in pairs}


def reject_name(number: int) -> str:
    try:
        return str(Reject(number).name)
    except ValueError:  # a refusal that a later version added
        return f"REJECT_{number}"


def order_lives(facts: Records, count_max: int, first: int = 0) -> list[OrderLife]:
    """The lives of `count_max` orders in the order in which they were sent, from order `first` on."""
    placed = of_kind(facts, Kind.PLACE_ORDER)[first : first + count_max]
    accepted, rejected = of_kind(facts, Kind.ORDER_ACCEPTED), of_kind(facts, Kind.ORDER_REJECTED)
    cancelled, fills = of_kind(facts, Kind.ORDER_CANCELLED), of_kind(facts, Kind.ORDER_FILLED)
    amended = of_kind(facts, Kind.ORDER_AMENDED)
    rows = [index_by_id(records, placed["id"]).tolist() for records in (amended, accepted, rejected, cancelled)]
    filled = _fills_by_order(fills, set(placed["id"].tolist()))
    return [
        _life(
            order, int((amended[m] if m >= 0 else order)["quantity"]), _at(accepted, a), _at(rejected, r),
            _at(cancelled, c), filled.get(int(order["id"]), []),
        )
        for order, m, a, r, c in zip(placed, *rows, strict=True)
    ]  # fmt: skip


def _fills_by_order(fills: Records, ids: set[int]) -> dict[int, list[np.void]]:
    found: dict[int, list[np.void]] = {}
    for index, id_ in enumerate(fills["id"].tolist()):
        if id_ in ids:
            found.setdefault(id_, []).append(fills[index])
    return found


def _at(records: Records, index: int) -> np.void | None:
    return None if index < 0 else records[index]


def _life(
    placed: np.void,
    quantity_lots: int,
    accepted: np.void | None,
    rejected: np.void | None,
    cancelled: np.void | None,
    fills: list[np.void],
) -> OrderLife:
    lots = sum(int(fill["quantity"]) for fill in fills)
    last = rejected if rejected is not None else cancelled
    if last is None and lots >= quantity_lots:
        ended, ended_ns = "filled", int(fills[-1]["time_ns"])
    elif last is None:
        ended, ended_ns = "open", UNKNOWN
    else:
        ended, ended_ns = "cancelled" if rejected is None else "rejected", int(last["time_ns"])
    reject = int(last["reject"]) if last is not None else 0
    return OrderLife(
        placed=placed,
        quantity_lots=quantity_lots,
        accepted_ns=UNKNOWN if accepted is None else int(accepted["time_ns"]),
        ahead_lots=UNKNOWN if accepted is None else int(accepted["display"]),
        filled_lots=lots,
        filled_ticks_lots=sum(int(fill["quantity"]) * int(fill["price"]) for fill in fills),
        ended=ended,
        reject=reject_name(reject) if reject else "",
        ended_ns=ended_ns,
    )
