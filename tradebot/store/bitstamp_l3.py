"""The bitstamp-l3 importer: order events and trades of a recorded Bitstamp book, in the ob-analytics layout.

`orders.csv[.gz]` holds one row per order event and `trades.csv` one per match; `meta.json` may stand beside
them. A recording begins with the venue's book, written as `created` rows that share one receive time and one
venue time, and ends with a synthetic `deleted` row for each order that still rests. Every source row becomes
one record.

What became of an order, and which row was whose match, is worked out in bitstamp_orders.py. Another layout bears the same
format name: a log of messages in one file, read by bitstamp_log.py.

Memory: one file is held as arrays, about 200 bytes a row at the peak, so an hour of a busy book takes a few
hundred megabytes. The text itself is streamed, twice: once for the hash, once to be read.
"""

from collections.abc import Iterator
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Final

from tradebot._core.types import Flag
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import TIME_MAX_NS
from tradebot.store import bitstamp_log
from tradebot.store.archive import Archive
from tradebot.store.bitstamp_orders import CHANGED, CREATED, DELETED, NS_PER_MS, ORDER_ROW, TRADE_ROW, make_records
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.instruments import spot_instrument
from tradebot.store.table import Column, Rows, read_integers, read_steps, read_table, read_words

NAME: Final = bitstamp_log.NAME
VERSION: Final = 1  # part of the import id: raise it whenever the same file would give other records
ANCHOR: Final = "orders.csv"
TRADES: Final = "trades.csv"
META: Final = "meta.json"

ORDER_COLUMNS: Final = "id,timestamp,exchange_timestamp,price,volume,action,direction"
TRADE_COLUMNS: Final = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"

DEFAULT_INSTRUMENT: Final = spot_instrument("BTC/USD@bitstamp", tick="1", lot="0.00000001")

BATCH_ROWS: Final = 1 << 18
_MS_MAX: Final = TIME_MAX_NS // NS_PER_MS
_ACTIONS: Final = {"created": CREATED, "changed": CHANGED, "deleted": DELETED}
_DIRECTIONS: Final = {"bid": 0, "ask": int(Flag.SELL)}
_SIDES: Final = {"buy": 0, "sell": int(Flag.SELL)}
_ID_MAX: Final = (1 << 64) - 1


def recognises(path: Path) -> bool:
    """Whether there is an orders.csv with this layout's header, or a log of messages."""
    if bitstamp_log.recognises(path):
        return True
    try:
        archive = Archive(path, ANCHOR)
        with archive.open_text(ANCHOR) as lines:
            return lines.readline().rstrip("\r\n") == ORDER_COLUMNS
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """Neither layout names an instrument; all files that are known are of one, on the grid of their year."""
    return [bitstamp_log.DEFAULT_INSTRUMENT if bitstamp_log.recognises(path) else DEFAULT_INSTRUMENT]


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Rows]]:
    """The source, hashed, and its records in batches, read when first asked for.

    Raises BadContainer where the container or a header is not as expected. Rows that cannot be read are in
    the source's findings once the batches are read to the end.
    """
    if bitstamp_log.recognises(path):
        return bitstamp_log.open_source(path, instrument)
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
    rows = read_table(archive, ANCHOR, _order_columns(instrument), ORDER_ROW, findings)
    trades = read_table(archive, TRADES, _trade_columns(instrument), TRADE_ROW, findings)
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
