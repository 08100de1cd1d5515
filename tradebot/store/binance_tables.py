"""The tables of Binance's archive: which columns each has, and which records its rows become.

- trades and aggTrades: TRADE, with the number of the (aggregate) trade. The taker sold where the buyer was the
  maker. Numbers follow each other without a hole; where one is missing, that is a gap.
- klines: BAR. The volume is in base, or in contracts where contracts are traded.
- bookTicker: QUOTE, by event time, with the time of the transaction as the venue's.
- fundingRate: FUNDING, with the hours between two settlements as they are scheduled.
- markPriceKlines: a MARK at the end of each bar, with its close; index and rate are not known there.
- metrics: OPEN_INTEREST. A row carried the end of its five minutes on um until 2026-06-24, and carries their
  beginning since then, as it always did on cm (binance-public-data issue 491); the number is that at their end.

Three kinds have no record that could hold them: bookDepth (sums of a percentage of the price, no levels),
indexPriceKlines (there is no record of an index without its mark) and premiumIndexKlines (not a price). They
give no rows and one line among the rejects that says so.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import NS_PER_SECOND
from tradebot.store import bar_rows
from tradebot.store.bar_rows import MONTH, close_times, interval_in_name
from tradebot.store.batches import Records
from tradebot.store.header import Names
from tradebot.store.imports import Findings
from tradebot.store.marks import read_marks, read_rates
from tradebot.store.reorder import Lined, drop_repeats, only_records, sort_in_time
from tradebot.store.table import Column, Rows, or_nothing, read_integers, read_steps, read_words
from tradebot.store.times import TIMES

KLINES: Final = "klines"
METRICS_LABEL_CHANGED: Final = "2026-06-25"

_METRICS_NS: Final = 300 * NS_PER_SECOND
_HOUR_NS: Final = 3600 * NS_PER_SECOND
_HOURS_MAX: Final = 24 * 366
_ID_MAX: Final = (1 << 64) - 1
_SELL: Final = int(Flag.SELL)
_BUYER_MADE: Final = {"true": _SELL, "false": 0, "True": _SELL, "False": 0, "TRUE": _SELL, "FALSE": 0}


class Context(NamedTuple):
    """What is known of the file beside its rows."""

    name: str
    day: str
    is_inverse: bool
    instrument: Instrument


Make = Callable[[Iterable[Rows], Context, Findings, str], Iterator[Records]]


class Table(NamedTuple):
    """A kind of file: `fields` by their place where there is no header ("" is not read), `names` by which a
    header may call them, how each is read, and what the rows become. `layout` is what else the records depend on.
    """

    fields: tuple[str, ...]
    names: Names
    columns: Callable[[Instrument], dict[str, Column]]
    records: Make
    layout: Callable[[Context], str] = lambda context: ""

    @property
    def dtype(self) -> np.dtype[np.void]:
        unsigned = ("id",)
        return np.dtype([*((name, "<u8" if name in unsigned else "<i8") for name in self.names), ("line", "<i8")])


def check_klines(rows: Rows | None, where: str) -> None:
    """Raises BadContainer for bars of prices that nobody traded at."""
    if rows is not None and ((rows["volume"] == 0) & (rows["count"] > 0)).any():
        raise BadContainer(
            f"expected bars of trades in {where}, found bars without volume that count updates: mark, index or "
            "premium prices; keep the folder that says which (such as markPriceKlines)"
        )


def _trade_columns(instrument: Instrument) -> dict[str, Column]:
    return {
        "id": read_integers("an id", _ID_MAX),
        "price": read_steps("price", instrument.ticks),
        "quantity": read_steps("quantity", instrument.lots, least=1),
        "time": TIMES,
        "maker": read_words(_BUYER_MADE),
    }


def _trades(blocks: Iterable[Rows], context: Context, findings: Findings, file: str) -> Iterator[Records]:
    lined = (_trade_records(rows, context) for rows in blocks)
    ordered = drop_repeats(sort_in_time(lined, findings, file), findings, file)
    return _count_gaps(only_records(ordered), findings)


def _trade_records(rows: Rows, context: Context) -> Lined:
    records = _stamp(rows["time"], rows["time"], Kind.TRADE, context)
    records["venue_sequence"], records["flags"] = rows["id"], rows["maker"]
    records["price"], records["quantity"] = rows["price"], rows["quantity"]
    return Lined(records, rows["line"])


def _count_gaps(batches: Iterable[Records], findings: Findings) -> Iterator[Records]:
    last = None
    for records in batches:
        numbers = records["venue_sequence"]
        if last is not None:
            numbers = np.concatenate([[last], numbers])
        findings.gaps += int((numbers[1:] > numbers[:-1] + 1).sum())
        last = numbers[-1]
        yield records


def _kline_columns(instrument: Instrument) -> dict[str, Column]:
    return {**bar_rows.columns_of(instrument), "count": read_integers("a count", (1 << 63) - 1)}


def _bars(blocks: Iterable[Rows], context: Context, findings: Findings, file: str) -> Iterator[Records]:
    return bar_rows.bar_records(blocks, _interval(context), context.instrument, findings, file)


def _interval(context: Context) -> int:
    found = interval_in_name(context.name)
    assert found is not None
    return found


def _quote_columns(instrument: Instrument) -> dict[str, Column]:
    price, size = read_steps("price", instrument.ticks), read_steps("size", instrument.lots)
    number = read_integers("an update id", _ID_MAX)
    return {"id": number, "bid": price, "bid_size": size, "ask": price, "ask_size": size, "time": TIMES, "event": TIMES}


def _quotes(blocks: Iterable[Rows], context: Context, findings: Findings, file: str) -> Iterator[Records]:
    lined = (_quote_records(rows, context) for rows in blocks)
    return only_records(drop_repeats(sort_in_time(lined, findings, file), findings, file))


def _quote_records(rows: Rows, context: Context) -> Lined:
    records = _stamp(rows["event"], rows["time"], Kind.QUOTE, context)
    records["venue_sequence"] = rows["id"]
    records["price"], records["quantity"] = rows["bid"], rows["bid_size"]
    records["id"], records["id2"] = rows["ask"], rows["ask_size"]
    return Lined(records, rows["line"])


def _funding_columns(instrument: Instrument) -> dict[str, Column]:
    return {"time": TIMES, "hours": or_nothing(read_integers("hours", _HOURS_MAX), 0), "rate": read_rates()}


def _funding_records(rows: Rows, context: Context) -> Lined:
    records = _stamp(rows["time"], rows["time"], Kind.FUNDING, context)
    records["id"], records["id2"] = rows["rate"].view(np.uint64), rows["hours"] * _HOUR_NS
    return Lined(records, rows["line"])


def _mark_columns(instrument: Instrument) -> dict[str, Column]:
    return {"time": TIMES, "close": read_marks(instrument)}


def _mark_records(rows: Rows, context: Context) -> Lined:
    closes_ns = close_times(rows["time"], _interval(context))
    records = _stamp(closes_ns, closes_ns, Kind.MARK, context)
    records["price"] = rows["close"]
    return Lined(records, rows["line"])


def _metrics_columns(instrument: Instrument) -> dict[str, Column]:
    return {"time": TIMES, "interest": read_steps("open interest", instrument.lots)}


def _metrics_records(rows: Rows, context: Context) -> Lined:
    times_ns = rows["time"] + (_METRICS_NS if _is_labelled_by_start(context) else 0)
    records = _stamp(times_ns, times_ns, Kind.OPEN_INTEREST, context)
    records["quantity"] = rows["interest"]
    return Lined(records, rows["line"])


def _is_labelled_by_start(context: Context) -> bool:
    return context.is_inverse or context.day >= METRICS_LABEL_CHANGED


def _unnumbered(
    make: Callable[[Rows, Context], Lined], blocks: Iterable[Rows], context: Context, findings: Findings, file: str
) -> Iterator[Records]:
    lined = (make(rows, context) for rows in blocks)
    return only_records(sort_in_time(lined, findings, file, numbered=False))


def _nothing(
    why: str, blocks: Iterable[Rows], context: Context, findings: Findings, file: str
) -> Iterator[Records]:
    findings.reject(file, 1, f"no record can hold {why}; leave the file away")
    return iter(())


def _no_columns(instrument: Instrument) -> dict[str, Column]:
    return {}


def _stamp(
    times_ns: npt.NDArray[np.int64], venue_ns: npt.NDArray[np.int64], kind: Kind, context: Context
) -> Records:
    records = np.zeros(len(times_ns), RECORD_DTYPE)
    records["time_ns"], records["venue_ns"] = times_ns, venue_ns
    records["kind"], records["instrument"] = int(kind), context.instrument.id
    return records


def _unread(why: str) -> Table:
    return Table((), {}, _no_columns, partial(_nothing, why))


def _kline_interval(context: Context) -> str:
    interval_ns = _interval(context)
    return "month" if interval_ns == MONTH else str(interval_ns)


_KLINE_FIELDS: Final = ("time", "open", "high", "low", "close", "volume", "", "", "count")

TABLES: Final = {
    "trades": Table(
        ("id", "price", "quantity", "", "time", "maker"),
        {
            "id": ("id", "trade_id"),
            "price": ("price",),
            "quantity": ("qty", "quantity"),
            "time": ("time",),
            "maker": ("is_buyer_maker", "isbuyermaker"),
        },
        _trade_columns,
        _trades,
    ),
    "aggTrades": Table(
        ("id", "price", "quantity", "", "", "time", "maker"),
        {
            "id": ("agg_trade_id", "a"),
            "price": ("price", "p"),
            "quantity": ("quantity", "qty", "q"),
            "time": ("transact_time", "time", "t"),
            "maker": ("is_buyer_maker", "m"),
        },
        _trade_columns,
        _trades,
    ),
    KLINES: Table(
        _KLINE_FIELDS, {**bar_rows.NAMES, "count": ("count", "number_of_trades")}, _kline_columns, _bars, _kline_interval
    ),
    "bookTicker": Table(
        ("id", "bid", "bid_size", "ask", "ask_size", "time", "event"),
        {
            "id": ("update_id",),
            "bid": ("best_bid_price",),
            "bid_size": ("best_bid_qty",),
            "ask": ("best_ask_price",),
            "ask_size": ("best_ask_qty",),
            "time": ("transaction_time",),
            "event": ("event_time",),
        },
        _quote_columns,
        _quotes,
    ),
    "fundingRate": Table(
        ("time", "hours", "rate"),
        {
            "time": ("calc_time",),
            "hours": ("funding_interval_hours",),
            "rate": ("last_funding_rate",),
        },
        _funding_columns,
        partial(_unnumbered, _funding_records),
    ),
    "markPriceKlines": Table(
        ("time", "", "", "", "close"),
        {"time": ("open_time",), "close": ("close",)},
        _mark_columns,
        partial(_unnumbered, _mark_records),
        _kline_interval,
    ),
    "metrics": Table(
        ("time", "", "interest"),
        {"time": ("create_time",), "interest": ("sum_open_interest",)},
        _metrics_columns,
        partial(_unnumbered, _metrics_records),
        lambda context: "start" if _is_labelled_by_start(context) else "end",
    ),
    "bookDepth": _unread("bookDepth: sums within a percentage of the price are no levels of a book"),
    "indexPriceKlines": _unread("indexPriceKlines: an index is kept with its mark only"),
    "premiumIndexKlines": _unread("premiumIndexKlines: a premium is not a price"),
}
