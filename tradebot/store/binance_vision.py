"""The binance-vision importer: the files of Binance's public archive, as they are downloaded or unpacked.

A file is called `SYMBOL-KIND-DAY.zip`, or `SYMBOL-INTERVAL-DAY.zip` for the four kinds of klines, and holds
one CSV of the same name. Where its `.CHECKSUM` lies beside it, that is verified first. Some files have a
header and some have none, and times are in seconds, milliseconds or microseconds: all of it is told by
looking, column by column and cell by cell. What the kinds become, `binance_tables` says.

The market (spot, um, cm) and the kind of klines are folders of the archive and nowhere in the file, so keep
the folders: `data/futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip`. Without them the
market is told from what only one of them has, and where that fails, --instrument has to say it. Klines whose
bars count updates but no volume are prices of no trade, and refused as bars.

The archive has no time of receipt: a row counts as known when the venue says that it happened.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.store import binance_tables
from tradebot.store.batches import Records
from tradebot.store.binance_tables import KLINES, Context
from tradebot.store.checksum import verify_checksum
from tradebot.store.header import require_columns, split_header
from tradebot.store.imports import Findings, ImportSource
from tradebot.store.plain_csv import PlainCsv
from tradebot.store.symbols import Named, name_of
from tradebot.store.table import Rows, place, read_blocks

NAME: Final = "binance-vision"
VERSION: Final = 1

SPOT: Final = "binance"
LINEAR: Final = "binance-futures"
INVERSE: Final = "binance-delivery"

_FOLDERS: Final = {("futures", "um"): LINEAR, ("futures", "cm"): INVERSE, ("spot", "daily"): SPOT, ("spot", "monthly"): SPOT}
_FILE: Final = re.compile(
    r"(?P<symbol>[^-]+)-(?P<kind>trades|aggTrades|bookTicker|bookDepth|fundingRate|metrics"
    r"|(?P<interval>\d+[smhdw]|1mo|1M))-(?P<day>\d{4}-\d\d(?:-\d\d)?)"
)
_KLINES: Final = (KLINES, "markPriceKlines", "indexPriceKlines", "premiumIndexKlines")
_KLINE_WIDTH: Final = 12
_SPOT_WIDTHS: Final = {"trades": 7, "aggTrades": 8}  # one more than on the futures markets


class File(NamedTuple):
    """What the name of a file and its folders say."""

    symbol: str
    kind: str
    day: str
    market: str | None


def recognises(path: Path) -> bool:
    """Whether it is a zip that is named as the archive names them, or such a table unpacked."""
    named = _named(path)
    if named is None or not path.is_file():
        return False
    try:
        return path.suffix == ".zip" or not named["interval"] or len(_first_row(path)) == _KLINE_WIDTH
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """No file says tick or lot."""
    return []


def names(path: Path) -> list[Named]:
    """By symbol and market; of spot and linear both where the file fits either. Raises BadContainer."""
    file = _name(path)
    markets = [file.market] if file.market else _tell_markets(file, path)
    return [named for market in markets if (named := name_of(market, file.symbol))]


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer, also for a checksum that differs."""
    verify_checksum(path)
    file, csv, first = _name(path), PlainCsv(path), _first_row(path)
    table = binance_tables.TABLES[file.kind]
    has_header = first[0][:1].isalpha()
    places = _places(table, first, has_header, str(path))
    context = Context(csv.name, file.day, file.market == INVERSE or "_" in file.symbol, instrument)
    columns = table.columns(instrument)

    def read(findings: Findings, wanted: dict[str, int] = places) -> Iterator[Rows]:
        placed = place(wanted, columns, len(first))
        return read_blocks(csv.archive, csv.name, placed, table.dtype, findings, int(has_header))

    if file.kind == KLINES:
        counted = {field: places[field] for field in ("volume", "count")}
        binance_tables.check_klines(next(read(Findings(), counted), None), str(path))
    source = csv.source(NAME, VERSION, f"{file.kind} {table.layout(context)}")
    return source, table.records(read(source.findings), context, source.findings, csv.member)


def _named(path: Path) -> re.Match[str] | None:
    return _FILE.fullmatch(path.name.removesuffix(".gz").removesuffix(".zip").removesuffix(".csv"))


def _name(path: Path) -> File:
    found = _named(path)
    if found is None:
        raise BadContainer(
            f"expected a name such as BTCUSDT-trades-2024-01-31.zip or BTCUSDT-1m-2024-01.zip, found {path.name}"
        )
    parts = path.resolve().parts
    market = next((_FOLDERS[pair] for pair in pairwise(parts) if pair in _FOLDERS), None)
    if found["symbol"].endswith("_PERP"):
        market = INVERSE
    kind = next((name for name in _KLINES if name in parts), KLINES) if found["interval"] else found["kind"]
    return File(found["symbol"], kind, found["day"], market)


def _tell_markets(file: File, path: Path) -> list[str]:
    if file.kind == KLINES:
        return [SPOT, LINEAR]
    if file.kind not in _SPOT_WIDTHS:
        return [LINEAR]
    return [SPOT if len(_first_row(path)) == _SPOT_WIDTHS[file.kind] else LINEAR]


def _first_row(path: Path) -> list[str]:
    """In lower case. What is wrong with the container is told by its checksum first, if there is one."""
    try:
        return split_header("".join(PlainCsv(path).first_lines(1)))
    except BadContainer:
        verify_checksum(path)
        raise


def _places(table: binance_tables.Table, first: list[str], has_header: bool, where: str) -> dict[str, int]:
    """Where the fields stand: by name where there is a header, else where the archive has them."""
    if has_header:
        return require_columns(first, table.names, where)
    if len(first) < len(table.fields):
        raise BadContainer(
            f"expected {len(table.fields)} columns or more in {where}, found {','.join(first)[:120]!r}"
        )
    return {field: at for at, field in enumerate(table.fields) if field}
