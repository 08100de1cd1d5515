"""The bitstamp-l3 importer: order events and trades of a recorded Bitstamp book, in the ob-analytics layout.

`orders.csv[.gz]` holds one row per order event and `trades.csv` one per match; `meta.json` may stand beside
them. A recording begins with the venue's book, written as `created` rows that share one receive time and one
venue time, and ends with a synthetic `deleted` row for each order that still rests. Every source row becomes
one record.

Three things about Bitstamp have to be known. A `changed` or `deleted` row of an order that took liquidity
carries the price of the *execution*, so an order's limit is taken from its `created` row. A match shows
twice, as a row of the maker and a row of the taker; the trade that names both tells which is which, because
the fall of an order's volume equals the trade's amount. And an order can first take and then rest, so the
role is decided row by row.

Kept, but with the VOID flag, which means applied to nothing:

- the closing deletes: the tail run of `deleted` rows whose two times equal the recording's last time. They
  are bookkeeping of the recorder, not events of the market;
- ghosts: orders of the opening book that nothing but a closing delete ever touches, although a taker of the
  other side traded at a worse price while they stood. The venue's book cannot have held them;
- events of orders that the file does not create, or has deleted already: the order was born between the
  opening book and the first message, or its creation was lost. There is nothing to apply them to.

Memory: one file is held as arrays, about 200 bytes a row at the peak, so an hour of a busy book takes a few
hundred megabytes. The text itself is streamed, twice: once for the hash, once to be read.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.store.archive import Archive
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.instruments import spot_instrument
from tradebot.store.table import Column, Rows, read_integers, read_steps, read_table, read_words

NAME: Final = "bitstamp-l3"
VERSION: Final = 1  # part of the import id: raise it whenever the same file would give other records
ANCHOR: Final = "orders.csv"
TRADES: Final = "trades.csv"
META: Final = "meta.json"

ORDER_COLUMNS: Final = "id,timestamp,exchange_timestamp,price,volume,action,direction"
TRADE_COLUMNS: Final = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"

DEFAULT_INSTRUMENT: Final = spot_instrument("BTC/USD@bitstamp", tick="1", lot="0.00000001")

BATCH_ROWS: Final = 1 << 18
_NS_PER_MS: Final = 1_000_000
_MS_MAX: Final = ((1 << 63) - 1) // _NS_PER_MS
_CREATED, _CHANGED, _DELETED = 0, 1, 2
_ACTIONS: Final = {"created": _CREATED, "changed": _CHANGED, "deleted": _DELETED}
_DIRECTIONS: Final = {"bid": 0, "ask": int(Flag.SELL)}
_SIDES: Final = {"buy": 0, "sell": int(Flag.SELL)}
_ID_MAX: Final = (1 << 64) - 1

_ROW: Final = np.dtype(
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
_TRADE: Final = np.dtype(
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
_NAMES: Final = [name for name in _ROW.fields or () if name != "line"]
_KINDS: Final = np.array([Kind.L3_ADD, Kind.L3_CHANGE, Kind.L3_DELETE], np.uint8)


def recognises(path: Path) -> bool:
    """Whether there is an orders.csv with this layout's header."""
    try:
        archive = Archive(path, ANCHOR)
        with archive.open_text(ANCHOR) as lines:
            return lines.readline().rstrip("\r\n") == ORDER_COLUMNS
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """Files of this layout name no instrument; all that are known are of one."""
    return [DEFAULT_INSTRUMENT]


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Rows]]:
    """The source, hashed, and its records in batches, read when first asked for.

    Raises BadContainer where the container or a header is not as expected. Rows that cannot be read are in
    the source's findings once the batches are read to the end.
    """
    archive = Archive(path, ANCHOR)
    _check_header(archive, ANCHOR, ORDER_COLUMNS)
    _check_header(archive, TRADES, TRADE_COLUMNS)
    source = ImportSource(NAME, VERSION, archive.content_sha256([ANCHOR, TRADES, META]), str(path))
    return source, _batches(archive, instrument, source.findings)


def _check_header(archive: Archive, name: str, columns: str) -> None:
    with archive.open_text(name) as lines:
        found = lines.readline(4 * len(columns)).rstrip("\r\n")
    if found != columns:
        raise BadContainer(
            f"expected the columns {columns} in {archive.locate(name)} of {archive.path}, "
            f"found {found[:120]!r}; is --format {NAME} right for it?"
        )


def _batches(archive: Archive, instrument: Instrument, findings: Findings) -> Iterator[Rows]:
    rows = read_table(archive, ANCHOR, _order_columns(instrument), _ROW, findings)
    trades = read_table(archive, TRADES, _trade_columns(instrument), _TRADE, findings)
    findings.gaps += _read_reconnects(archive)
    if len(trades) and not len(rows) and not findings.rejected:
        raise BadContainer(f"expected order events in {archive.locate(ANCHOR)} of {archive.path}, found none; fetch it again")
    records = make_records(rows, trades, findings, archive.locate(ANCHOR), archive.locate(TRADES))
    records["instrument"] = instrument.id
    for start in range(0, len(records), BATCH_ROWS):
        yield records[start : start + BATCH_ROWS]


def _read_reconnects(archive: Archive) -> int:
    """How often the recorder lost its connection, which is all that the layout tells of gaps."""
    if not archive.has(META):
        return 0
    with archive.open_text(META) as text:
        try:
            found = loads(text.read()).get("reconnects", 0)
        except (JSONDecodeError, AttributeError) as error:
            raise BadContainer(
                f"expected a JSON object in {archive.locate(META)} of {archive.path}: {error}"
            ) from error
    return found if isinstance(found, int) else 0


def _order_columns(instrument: Instrument) -> list[Column]:
    order, time = read_integers("an id", _ID_MAX), read_integers("a time in milliseconds", _MS_MAX)
    price, volume = read_steps("price", instrument.ticks), read_steps("volume", instrument.lots)
    return [order, time, time, price, volume, read_words(_ACTIONS), read_words(_DIRECTIONS)]


def _trade_columns(instrument: Instrument) -> list[Column]:
    number, time = read_integers("an id", _ID_MAX), read_integers("a time in milliseconds", _MS_MAX)
    price, amount = read_steps("price", instrument.ticks), read_steps("amount", instrument.lots)
    return [number, time, time, price, amount, number, number, read_words(_SIDES)]


def make_records(rows: Rows, trades: Rows, findings: Findings, rows_file: str, trades_file: str) -> Rows:
    """One record per row and per trade, ordered by receive time; at one time, orders before trades.

    What is dropped (repeated rows) or refused (an order created twice) is counted in the findings.
    """
    rows = _drop_unusable_rows(rows, findings, rows_file)
    trades = _drop_repeated_trades(trades, findings, trades_file)
    chains = Chains(rows)
    makers = _match_trades(rows, trades, chains.executed(), findings)
    records = np.concatenate([_order_records(rows, trades, chains, makers), _trade_records(trades)])
    _mark(records[: len(rows)], rows, trades, chains, findings)
    for part in (records[: len(rows)], records[len(rows) :]):
        findings.late += int((np.diff(part["time_ns"]) < 0).sum())
        part["time_ns"] = np.maximum.accumulate(part["time_ns"])
    return records[np.argsort(records["time_ns"], kind="stable")]


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
        created = np.maximum.accumulate(np.where(chained["action"] == _CREATED, position, -1))
        gone = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(chained["action"] == _DELETED, out=gone[1:])
        known = (created >= start) & (gone[:-1] == gone[start])
        follows = known & (created < position)
        self.known = self._scatter(known)
        self.follows = self._scatter(follows)
        self.limit = self._scatter(np.where(known, chained["price"][created], chained["price"]))
        self.before = self._scatter(np.where(follows, np.roll(chained["volume"], 1), 0))

    def executed(self) -> npt.NDArray[np.int64]:
        """Lots by which each row lowers its order other than by cancelling it; 0 where it does not."""
        rows = self.rows
        falls = (rows["action"] == _CHANGED) | ((rows["action"] == _DELETED) & (rows["volume"] == 0))
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
    created_before = _count_before(chained["id"], chained["action"] == _CREATED)
    again[order] = (chained["action"] == _CREATED) & (created_before > 0)
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
    records["time_ns"] = rows["received"] * _NS_PER_MS
    records["venue_ns"] = rows["venue"] * _NS_PER_MS
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
    records["time_ns"] = trades["received"] * _NS_PER_MS
    records["venue_ns"] = trades["venue"] * _NS_PER_MS
    records["venue_sequence"] = trades["id"]
    records["price"] = trades["price"]
    records["quantity"] = trades["amount"]
    records["id"] = trades["buyer"]
    records["id2"] = trades["seller"]
    records["kind"] = int(Kind.TRADE)
    records["flags"] = trades["side"]
    return records


def _mark(records: Rows, rows: Rows, trades: Rows, chains: Chains, findings: Findings) -> None:
    """Set the flags of the opening book and void what is to be applied to nothing."""
    opening = _opening_count(rows)
    closing = len(rows) - _closing_count(rows)
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
    alike = rows["action"] == _CREATED
    for name in ("received", "venue"):
        alike &= rows[name] == rows[name][0]
    count = len(rows) if alike.all() else int(np.argmin(alike))
    return count if count > 1 else 0


def _closing_count(rows: Rows) -> int:
    if not len(rows):
        return 0
    last = rows["received"].max()
    alike = (rows["action"] == _DELETED) & (rows["received"] == last) & (rows["venue"] == last)
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
