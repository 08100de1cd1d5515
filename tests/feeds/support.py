"""Instruments, and rows as the slots one reads."""

import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tradebot._core.types import Flag, Kind
from tradebot.feeds.rows import Row
from tradebot.store.instruments import make_instrument

SPOT = make_instrument("AAA/USD@venue", tick="0.01", lot="0.1")
LINEAR = make_instrument("AAA/USD:USD@venue", tick="0.01", lot="0.1")
INVERSE = make_instrument("BTC/USD:BTC@venue", tick="0.1", lot="1", multiplier="100")

MS = 1_000_000


def frame(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def kinds(rows: Iterable[Row]) -> list[str]:
    return [Kind(row[8]).name for row in rows]


def flags(rows: Iterable[Row]) -> list[str]:
    """The names of the flags of each row, joined by +."""
    return ["+".join(flag.name for flag in Flag if row[9] & flag) for row in rows]


def levels(rows: Iterable[Row]) -> list[tuple[int, int, int]]:
    """(SELL or 0, price, quantity)."""
    return [(row[9] & Flag.SELL, row[3], row[4]) for row in rows]


def payload(shared_dir: Path, archive: str, name: str) -> bytes:
    """One recorded message of a venue, by its file name."""
    with tarfile.open(shared_dir / "data" / "venue_payloads" / archive) as packed:
        member = next(one for one in packed.getmembers() if one.name.endswith(name))
        stream = packed.extractfile(member)
        assert stream is not None
        return stream.read()
