"""The derivative_ticker of Tardis: marks, settlements of funding, and open interest, each where it changes.

A row repeats everything that is known of a contract whenever any of it changes. A MARK is made where mark,
index, funding rate or the time of the next funding differs from the MARK before it, an OPEN_INTEREST where
that differs. A last price alone makes nothing: trades say that.

A settlement is not a row. It happened when the time of the next funding moves on, in a row received after
that time; its rate is the last that was announced before it, and its mark the last seen before it. It is
known when that row arrives, and `venue_ns` is the time of the settlement itself.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from tradebot.domain.instrument import Instrument
from tradebot.domain.units import TIME_MAX_NS
from tradebot.store.batches import Records
from tradebot.store.marks import Row, funding_row, interest_row, mark_row, read_marks, read_rates, rows_array
from tradebot.store.table import Column, Rows, or_nothing, read_integers, read_steps

_US_MAX: Final = TIME_MAX_NS // 1000
_NOTHING: Final = -(1 << 63)  # no price, rate or amount has this many steps
_FIELDS: Final = (
    "local_timestamp", "timestamp", "funding_timestamp", "funding_rate", "open_interest", "index_price", "mark_price",
)  # fmt: skip


def columns(header: list[str], instrument: Instrument) -> dict[str, Column]:
    """All may be empty, and some may be missing."""
    mark = or_nothing(read_marks(instrument), _NOTHING)
    found = {
        "funding_timestamp": or_nothing(read_integers("a time in microseconds", _US_MAX), 0),
        "funding_rate": or_nothing(read_rates(), _NOTHING),
        "open_interest": or_nothing(read_steps("open interest", instrument.lots), _NOTHING),
        "index_price": mark,
        "mark_price": mark,
    }
    return {name: column for name, column in found.items() if name in header}


def records(blocks: Iterable[Rows], instrument: Instrument) -> Iterator[Records]:
    """What each row changes."""
    ticker = Ticker(instrument.id)
    for rows in blocks:
        fields = [name if name in (rows.dtype.names or ()) else None for name in _FIELDS]
        cells = [rows[name].tolist() if name else [_NOTHING] * len(rows) for name in fields]
        yield rows_array([made for row in zip(*cells, strict=True) for made in ticker.update(*row)])


class Ticker:
    """What was said of a contract so far."""

    def __init__(self, instrument_id: int) -> None:
        self._instrument_id = instrument_id
        self._mark: tuple[int, int, int, int] | None = None
        self._interest = _NOTHING
        self._next_us = 0
        self._rate_before = _NOTHING  # announced before the next settlement
        self._mark_before = 0
        self._settled_us = 0

    def update(
        self, local_us: int, venue_us: int, next_us: int, rate: int, interest: int, index: int, mark: int
    ) -> list[Row]:
        """The records that a row makes: a settlement before what holds after it."""
        made = self._settle(local_us, max(next_us, 0))
        if venue_us < self._next_us:
            self._rate_before = rate if rate != _NOTHING else self._rate_before
            self._mark_before = mark if mark != _NOTHING else self._mark_before
        now = (mark, max(index, 0), rate if rate != _NOTHING else 0, max(next_us, 0) * 1000)
        if mark != _NOTHING and now != self._mark:
            self._mark = now
            made.append(mark_row(local_us * 1000, venue_us * 1000, *now, self._instrument_id))
        if interest not in (_NOTHING, self._interest):
            self._interest = interest
            made.append(interest_row(local_us * 1000, venue_us * 1000, interest, self._instrument_id))
        return made

    def _settle(self, local_us: int, next_us: int) -> list[Row]:
        settled_us = self._next_us
        if next_us <= settled_us:
            return []
        self._next_us = next_us
        if not settled_us or local_us < settled_us or self._rate_before == _NOTHING:
            return []
        interval_us = settled_us - self._settled_us if self._settled_us else 0
        self._settled_us = settled_us
        return [
            funding_row(
                local_us * 1000, settled_us * 1000, self._mark_before, self._rate_before, interval_us * 1000,
                self._instrument_id,
            )
        ]  # fmt: skip
