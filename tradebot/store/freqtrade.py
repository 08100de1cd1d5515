"""The freqtrade importer: the Feather files of its data folder.

Candles (`XRP_ETH-5m.feather`): date, open, high, low, close, volume. Trades (`XRP_ETH-trades.feather`):
timestamp, id, type, side, price, amount, cost. Prices and sizes are binary floats, brought to the nearest
step of the instrument and rejected where none is near. The file names the pair, but not the venue, so it
names no instrument.

Candles of other things (mark, index, premium index, funding rate) look the same and are refused by their
name: imported as bars they would be taken for trades.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.store import generic_rows
from tradebot.store.arrow import FEATHER, ArrowFile, has_magic
from tradebot.store.batches import Records
from tradebot.store.imports import ImportSource

NAME: Final = "freqtrade"
VERSION: Final = 1

_OTHER_CANDLES: Final = ("-mark", "-index", "-premiumIndex", "-funding_rate")


def recognises(path: Path) -> bool:
    """Whether it is a Feather file with the columns of trades or of bars."""
    if not has_magic(path, FEATHER):
        return False
    try:
        return generic_rows.shape_of(ArrowFile(path).names) is not None
    except BadContainer:
        return False


def instruments(path: Path) -> list[Instrument]:
    """The file names none."""
    return []


def open_source(path: Path, instrument: Instrument) -> tuple[ImportSource, Iterator[Records]]:
    """The source, hashed, and its records in batches. Raises BadContainer."""
    if path.stem.endswith(_OTHER_CANDLES):
        raise BadContainer(
            f"expected candles of trades, found candles of something else by the name of {path}; leave it away"
        )
    return generic_rows.open_rows(ArrowFile(path), NAME, VERSION, instrument)
