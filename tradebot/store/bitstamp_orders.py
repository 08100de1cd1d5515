"""Order events and trades of Bitstamp as records, whichever layout they were recorded in.

Three things about Bitstamp have to be known. A `changed` or `deleted` row of an order that took liquidity
carries the price of the *execution*, so an order's limit is taken from its `created` row. A match shows
twice, as a row of the maker and a row of the taker; the trade that names both tells which is which, because
the fall of an order's volume equals the trade's amount. And an order can first take and then rest, so the
role is decided row by row.

Kept, but with the VOID flag, which means applied to nothing:

- events of orders that the file does not create, or has deleted already: the order was born before the
  recording, or its creation was lost. There is nothing to apply them to;

and where the recording is framed, that is, begins with a book and ends by taking it down:

- the closing deletes: the tail run of `deleted` rows whose two times equal the recording's last time. They
  are bookkeeping of the recorder, not events of the market;
- ghosts: orders of the opening book that nothing but a closing delete ever touches, although a taker of the
  other side traded at a worse price while they stood. The venue's book cannot have held them.
"""

from collections import defaultdict, deque
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.store.imports import Findings
from tradebot.store.table import Rows

NS_PER_MS: Final = 1_000_000
CREATED, CHANGED, DELETED = 0, 1, 2

ORDER_ROW: Final = np.dtype(
    [
        ("id", "<u8"),
        ("received", "<i8"),
        ("venue", "<i8"),
        ("price", "<i8"),
        ("volume", "<i8"),
        ("action", "u1"),
        ("side", "u1"),
        ("line", "<i8"),
    ]
)
TRADE_ROW: Final = np.dtype(
    [
        ("id", "<u8"),
        ("received", "<i8"),
        ("venue", "<i8"),
        ("price", "<i8"),
        ("amount", "<i8"),
        ("buyer", "<u8"),
        ("seller", "<u8"),
        ("side", "u1"),
        ("line", "<i8"),
    ]
)

_Scalar = TypeVar("_Scalar", bound=np.generic)
Mask = npt.NDArray[np.bool_]
_NAMES: Final = [name for name in ORDER_ROW.fields or () if name != "line"]
_KINDS: Final = np.array([Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE], np.uint8)


class Parts(NamedTuple):
    """Records of order events and of trades, each in the order of the file, with the line that each came from."""

    orders: Rows
    trades: Rows
    order_lines: npt.NDArray[np.int64]
    trade_lines: npt.NDArray[np.int64]


def make_records(rows: Rows, trades: Rows, findings: Findings, rows_file: str, trades_file: str) -> Rows:
    """One record per row and per trade of a framed recording, ordered by receive time; at one time, orders before trades."""
    parts = make_parts(rows, trades, findings, rows_file, trades_file, framed=True)
    for records in (parts.orders, parts.trades):
        settle_times(records, findings)
    records = np.concatenate([parts.orders, parts.trades])
    return records[np.argsort(records["time_ns"], kind="stable")]


def make_parts(rows: Rows, trades: Rows, findings: Findings, rows_file: str, trades_file: str, framed: bool) -> Parts:
    """One record per row and per trade. `framed`: the rows begin with the venue's book and end by taking it down.

    What is dropped (repeated rows) or refused (an order created twice) is counted in the findings.
    """
    rows = _drop_unusable_rows(rows, findings, rows_file)
    trades = _drop_repeated_trades(trades, findings, trades_file)
    chains = Chains(rows)
    makers = _match_trades(rows, trades, chains.executed(), findings)
    orders = _order_records(rows, trades, chains, makers)
    _mark(orders, rows, trades, chains, findings, framed)
    return Parts(orders, _trade_records(trades), rows["line"], trades["line"])


def settle_times(records: Rows, findings: Findings) -> None:
    """Let no record be earlier than the one before it; counts those that were."""
    findings.late += int((np.diff(records["time_ns"]) < 0).sum())
    records["time_ns"] = np.maximum.accumulate(records["time_ns"])


class Chains:
    """The rows of each order in their order: what stood before each row, and which row created the order.

    Arrays are per row, in file order. `known`: the row's order was created earlier and is not deleted yet
    (the creating row itself is known). `limit` and `before` (lots that remained) hold where it is known.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.order = np.argsort(rows["id"], kind="stable")
        chained = rows[self.order]
        position = np.arange(len(rows))
        self.first = np.ones(len(rows), np.bool_)
        self.first[1:] = chained["id"][1:] != chained["id"][:-1]
        start = np.maximum.accumulate(np.where(self.first, position, 0))
        created = np.maximum.accumulate(np.where(chained["action"] == CREATED, position, -1))
        gone = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(chained["action"] == DELETED, out=gone[1:])
        known = (created >= start) & (gone[:-1] == gone[start])
        follows = known & (created < position)
        self.known = self._scatter(known)
        self.follows = self._scatter(follows)
        self.limit = self._scatter(np.where(known, chained["price"][created], chained["price"]))
        self.before = self._scatter(np.where(follows, np.roll(chained["volume"], 1), 0))

    def executed(self) -> npt.NDArray[np.int64]:
        """Lots by which each row lowers its order other than by cancelling it; 0 where it does not."""
        rows = self.rows
        falls = (rows["action"] == CHANGED) | ((rows["action"] == DELETED) & (rows["volume"] == 0))
        return np.where(falls & self.follows, np.maximum(self.before - rows["volume"], 0), 0)

    def _scatter(self, chained: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
        """From the order of chains back to the order of the file."""
        result = np.empty_like(chained)
        result[self.order] = chained
        return result


def _drop_unusable_rows(rows: Rows, findings: Findings, file: str) -> Rows:
    """Without rows that repeat the one before them of the same order, and without second creations."""
    order = np.argsort(rows["id"], kind="stable")
    chained = rows[order]
    repeats = np.zeros(len(rows), np.bool_)
    again = np.zeros(len(rows), np.bool_)
    same = np.logical_and.reduce([chained[name][1:] == chained[name][:-1] for name in _NAMES])
    repeats[order[1:]] = same
    created_before = _count_before(chained["id"], chained["action"] == CREATED)
    again[order] = (chained["action"] == CREATED) & (created_before > 0)
    again &= ~repeats
    findings.duplicates += int(repeats.sum())
    for row in rows[again]:
        findings.reject(
            file, int(row["line"]), f"expected order {row['id']} to be created once, found it again"
        )
    return rows[~(repeats | again)]


def _count_before(ids: npt.NDArray[np.uint64], wanted: Mask) -> npt.NDArray[np.int64]:
    """How many wanted entries stand before each one within its run of equal ids."""
    total = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(wanted, out=total[1:])
    first = np.ones(len(ids), np.bool_)
    first[1:] = ids[1:] != ids[:-1]
    start = np.maximum.accumulate(np.where(first, np.arange(len(ids)), 0))
    return total[:-1] - total[start]


def _drop_repeated_trades(trades: Rows, findings: Findings, file: str) -> Rows:
    _, first = np.unique(trades["id"], return_index=True)
    kept = np.sort(first)
    findings.duplicates += len(trades) - len(kept)
    return trades[kept]


def _match_trades(
    rows: Rows, trades: Rows, executed: npt.NDArray[np.int64], findings: Findings
) -> dict[int, int]:
    """Row of the maker -> index of its trade.

    Each trade takes, for each of its two orders, the first row left whose fall equals the amount. The taker's
    row is taken too, so that an order which took and then rested keeps the two apart.
    """
    falls = _falls_by_order(rows, trades, executed)
    makers: dict[int, int] = {}
    takers_missing = 0
    for index, trade in enumerate(trades[["amount", "buyer", "seller", "side"]].tolist()):
        amount, buyer, seller, side = trade
        maker, taker = (buyer, seller) if side else (seller, buyer)
        row = _take_fall(falls[maker], amount)
        if row is not None:
            makers[row] = index
        if _take_fall(falls[taker], amount) is None:
            takers_missing += 1
    findings.notes["trades_without_taker_row"] = takers_missing
    findings.notes["trades_without_maker_row"] = len(trades) - len(makers)
    return makers


def _falls_by_order(
    rows: Rows, trades: Rows, executed: npt.NDArray[np.int64]
) -> defaultdict[int, deque[tuple[int, int]]]:
    falls: defaultdict[int, deque[tuple[int, int]]] = defaultdict(deque)
    traded = np.isin(rows["id"], np.concatenate([trades["buyer"], trades["seller"]]))
    for row in np.flatnonzero(traded & (executed > 0)).tolist():
        falls[int(rows["id"][row])].append((row, int(executed[row])))
    return falls


def _take_fall(falls: deque[tuple[int, int]], amount: int) -> int | None:
    for place, (row, lots) in enumerate(falls):
        if lots == amount:
            del falls[place]
            return row
    return None


def _order_records(rows: Rows, trades: Rows, chains: Chains, makers: dict[int, int]) -> Rows:
    records = np.zeros(len(rows), RECORD_DTYPE)
    records["time_ns"] = rows["received"] * NS_PER_MS
    records["venue_ns"] = rows["venue"] * NS_PER_MS
    records["venue_sequence"] = rows["line"] - 1
    records["price"] = chains.limit
    records["quantity"] = rows["volume"]
    records["id"] = rows["id"]
    records["kind"] = _KINDS[rows["action"]]
    records["flags"] = rows["side"]
    at, by = np.fromiter(makers, np.int64), np.fromiter(makers.values(), np.int64)
    matched = trades[by]
    records["kind"][at] = int(Kind.L3_EXECUTE)
    records["price"][at] = matched["price"]
    records["quantity"][at] = matched["amount"]
    records["id2"][at] = np.where(matched["side"] == 0, matched["buyer"], matched["seller"])
    return records


def _trade_records(trades: Rows) -> Rows:
    records = np.zeros(len(trades), RECORD_DTYPE)
    records["time_ns"] = trades["received"] * NS_PER_MS
    records["venue_ns"] = trades["venue"] * NS_PER_MS
    records["venue_sequence"] = trades["id"]
    records["price"] = trades["price"]
    records["quantity"] = trades["amount"]
    records["id"] = trades["buyer"]
    records["id2"] = trades["seller"]
    records["kind"] = int(Kind.TRADE)
    records["flags"] = trades["side"]
    return records


def _mark(records: Rows, rows: Rows, trades: Rows, chains: Chains, findings: Findings, framed: bool) -> None:
    """Set the flags of the opening book and void what is to be applied to nothing."""
    opening = _opening_count(rows) if framed else 0
    closing = len(rows) - (_closing_count(rows) if framed else 0)
    void = np.arange(len(rows)) >= closing
    findings.repair("closing_delete", int(void.sum()))
    ghosts = np.isin(rows["id"], _ghosts(rows, trades, chains, opening, closing)) & ~void
    findings.repair("ghost", int(ghosts.sum()))
    unknown = ~chains.known & ~void
    findings.repair("order_unknown", int(unknown.sum()))
    void |= ghosts | unknown
    records["flags"][void] |= int(Flag.VOID)
    standing = np.flatnonzero(~void[:opening])
    if len(standing):
        records["flags"][:opening] |= int(Flag.SNAPSHOT)
        records["flags"][standing[0]] |= int(Flag.BEGIN)
        records["flags"][standing[-1]] |= int(Flag.LAST)


def _opening_count(rows: Rows) -> int:
    """Rows of the opening book: the leading creations that share both times. One alone is just an order."""
    if not len(rows):
        return 0
    alike = rows["action"] == CREATED
    for name in ("received", "venue"):
        alike &= rows[name] == rows[name][0]
    count = len(rows) if alike.all() else int(np.argmin(alike))
    return count if count > 1 else 0


def _closing_count(rows: Rows) -> int:
    if not len(rows):
        return 0
    last = rows["received"].max()
    alike = (rows["action"] == DELETED) & (rows["received"] == last) & (rows["venue"] == last)
    return len(rows) if alike.all() else int(np.argmin(alike[::-1]))


def _ghosts(rows: Rows, trades: Rows, chains: Chains, opening: int, closing: int) -> npt.NDArray[np.uint64]:
    """Ids of opening orders that a taker went past: better than a price traded on their side, and never
    touched.
    """
    book = rows[:opening]
    touched = np.isin(book["id"], rows["id"][opening:closing])
    sold, bought = trades["price"][trades["side"] != 0], trades["price"][trades["side"] == 0]
    passed = np.zeros(opening, np.bool_)
    if len(sold):
        passed |= (book["side"] == 0) & (book["price"] > sold.min())
    if len(bought):
        passed |= (book["side"] != 0) & (book["price"] < bought.max())
    return book["id"][passed & ~touched]
