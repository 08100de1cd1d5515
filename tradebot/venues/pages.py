"""The walk over an exchange's pages: every row of a span once, and an end whatever the exchange answers.

Exchanges page in their own ways. Some stop at a window behind the time asked for, though there are rows beyond it; some show
the same page whatever is asked; some repeat the last row. So the walk trusts nothing but times: rows before the point it has
reached are old, rows from the end on say that nothing is left, and where a page brings nothing the point moves on by itself.
It never moves back, so the walk ends.

Where an exchange has an exact way to ask for what is behind a trade, that is used; where it has not, trades of one moment
that do not fit on a page are lost, and the walk says so.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol

from tradebot.venues.exchange import Candle, Print, TradePage
from tradebot.venues.stretches import Span

SILENT_MAX: Final = 1000  # pages in a row without a row; then the exchange is taken to have no more
WINDOW_MS: Final = 3_600_000  # no exchange looks less far for trades behind the time asked for
CROWD_MIN: Final = 50  # as many trades of one moment, and nothing behind them, are a page that was too short


class CandleSource(Protocol):
    """What the walk over candles asks."""

    def candles(self, symbol: str, interval: str, since_ms: int, limit: int) -> list[Candle]: ...


class TradeSource(Protocol):
    """What the walk over trades asks."""

    def trades(self, symbol: str, since_ms: int, cursor: dict[str, object] | None) -> TradePage: ...


def candle_pages(
    source: CandleSource, symbol: str, interval: str, step_ms: int, limit: int, span: Span
) -> Iterator[list[Candle]]:
    """Pages of candles that open in `span`, by time; an empty one for each request that brought nothing."""
    since_ms, silent = span.start_ms, 0
    while since_ms < span.end_ms and silent < SILENT_MAX:
        page = source.candles(symbol, interval, since_ms, limit)
        fresh = [row for row in page if since_ms <= row.time_ms < span.end_ms]
        yield fresh
        if fresh:
            since_ms, silent = fresh[-1].time_ms + step_ms, 0
        elif page and page[0].time_ms >= span.end_ms:
            return
        else:
            since_ms, silent = since_ms + limit * step_ms, silent + 1


class TradeWalk:
    """Pages of trades of one span. `lost` are the moments that a page could not hold."""

    def __init__(self, source: TradeSource, symbol: str, span: Span, seen: list[Print]) -> None:
        """`seen` are the trades of the newest moment that is already here; the walk begins behind them."""
        self._source = source
        self._symbol = symbol
        self._span = span
        self._since_ms = seen[-1].time_ms if seen else span.start_ms
        self._seen = Counter(seen)
        self._silent = 0
        self._stuck_ms = 1
        self.lost: list[Span] = []
        self.reached_end = False

    def pages(self) -> Iterator[list[Print]]:
        """By time, each trade once; an empty page for each request that brought nothing."""
        cursor: dict[str, object] | None = None
        while self._since_ms < self._span.end_ms and self._silent < SILENT_MAX and not self.reached_end:
            page = self._source.trades(self._symbol, self._since_ms, cursor)
            fresh = self._fresh(page.trades)
            is_last = page.is_exact and not page.trades
            self.reached_end = is_last or any(row.time_ms >= self._span.end_ms for row in page.trades)
            yield fresh
            if fresh:
                self._go_on(fresh)
            elif cursor is None:
                self._step_over(page.trades)
            cursor = page.cursor if fresh else None

    def _fresh(self, page: list[Print]) -> list[Print]:
        """The rows of a page that were not there before. Equal trades without an id are told apart by how many there are."""
        before = self._seen.copy()
        fresh = []
        for row in page:
            if not self._since_ms <= row.time_ms < self._span.end_ms:
                continue
            if before[row] > 0:
                before[row] -= 1
            else:
                fresh.append(row)
                before[row] += bool(row.id)
        return fresh

    def _go_on(self, fresh: list[Print]) -> None:
        newest_ms = fresh[-1].time_ms
        newest = Counter(row for row in fresh if row.time_ms == newest_ms)
        self._seen = self._seen + newest if newest_ms == self._since_ms else newest
        self._since_ms, self._silent, self._stuck_ms = newest_ms, 0, 1

    def _step_over(self, page: list[Print]) -> None:
        """Nothing new came by time: pass the moment, or the window that was looked at."""
        self._silent += 1
        before_ms = self._since_ms
        if not page:
            self._since_ms += WINDOW_MS
        elif len(page) < CROWD_MIN:
            self._since_ms = max(self._since_ms, page[-1].time_ms) + 1
        else:
            self._since_ms = max(self._since_ms, page[-1].time_ms) + self._stuck_ms
            self._stuck_ms *= 2
            self.lost.append(Span(before_ms, self._since_ms))
        self._seen = Counter()
