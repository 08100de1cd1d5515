"""Candles and trades of an exchange as CSV files that the importers take: what is not here yet, and no more.

Candles come as `timestamp,open,high,low,close,volume`, trades as `timestamp,id,side,price,amount`; times are milliseconds, and
numbers the exchange's own text. Only what is closed is written: a candle whose end the exchange's clock has passed, a trade
that is `SETTLE_MS` old, because the newest ones may still get company of the same moment. Files are cut at days, months or
years so that none grows without bound.

Missing is what was asked for and did not come: holes between candles, a silent beginning or end. Silence at the edges is asked
again by the next call, a hole inside a file is not: an exchange without trades in a minute has no candle of it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.errors import UsageError
from tradebot.venues.disk import sole_writer
from tradebot.venues.exchange import Exchange, Print
from tradebot.venues.outcome import Outcome, Progress
from tradebot.venues.pages import TradeWalk, candle_pages
from tradebot.venues.stretches import Shelf, Span, Stretch, Writer, times_of

CANDLES: Final = "ohlcv"
TRADES: Final = "trades"
WHATS: Final = (CANDLES, TRADES)

SETTLE_MS: Final = 10_000
SILENCE_MS: Final = 3_600_000  # without a trade at an edge of a file: taken for missing, not for quiet
MISSING_MAX: Final = 1000  # listed; a last entry says how many more there are

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_COLUMNS: Final = {
    CANDLES: ("timestamp", "open", "high", "low", "close", "volume"),
    TRADES: ("timestamp", "id", "side", "price", "amount"),
}


class Series(NamedTuple):
    """What is asked of an exchange. `step_ms` is the interval; of trades 1."""

    symbol: str
    what: str
    interval: str
    step_ms: int

    @property
    def grain_ms(self) -> int:
        """The shortest hole that is one."""
        return self.step_ms if self.what == CANDLES else SILENCE_MS


def make_series(exchange: Exchange, symbol: str, what: str, interval: str | None) -> Series:
    """Check that the exchange has such data. Raises UsageError."""
    if what == TRADES:
        if interval is not None:
            raise UsageError(f"expected no --interval for trades, found {interval}")
        exchange.check_trades()
        return Series(symbol, TRADES, "", 1)
    if what != CANDLES:
        raise UsageError(f"expected --what to be one of {', '.join(WHATS)} for an exchange, found {what!r}")
    return Series(symbol, CANDLES, interval or "", exchange.interval_ms(interval))


class History:
    """The files of exchanges below `root`."""

    def __init__(self, exchange: Exchange, root: Path, progress: Progress) -> None:
        self._exchange = exchange
        self._root = root
        self._progress = progress

    def download(self, series: Series, from_ms: int, to_ms: int) -> Outcome:
        """Bring what of [from_ms, to_ms) is closed and not here. Raises DownloadFailed, UsageError."""
        shelf = self._shelf(series)
        asked = Span(from_ms, min(to_ms, _closed_end(series, self._exchange.now_ms())))
        if asked.end_ms <= asked.start_ms:
            raise UsageError("expected a range that has begun and of which something is closed, found one in the future")
        outcome = Outcome(shelf.folder)
        with sole_writer(self._root, f"{self._exchange.id}-{shelf.stem}-{series.what}"):
            spans = [piece for rest in shelf.uncovered(asked) for piece in _pieces(series, rest)]
            before = {found.path for found in shelf.stretches()}
            self._progress.start(f"downloading {shelf.stem} of {self._exchange.id}, in minutes", _minutes(spans))
            try:
                for span in spans:
                    self._bring(series, shelf, span, outcome)
            finally:
                self._progress.done()
            self._account(series, shelf, asked, before, outcome)
        return outcome

    def _shelf(self, series: Series) -> Shelf:
        stem = f"{series.symbol}-{series.interval or series.what}"
        folder = self._root / self._exchange.id / series.what
        return Shelf(folder, stem, _COLUMNS[series.what])

    def _bring(self, series: Series, shelf: Shelf, span: Span, outcome: Outcome) -> None:
        tell = _Reach(span, self._progress)
        with shelf.begin(span) as writer:
            before = writer.rows
            covered = self._fill(series, writer, span, outcome, tell)
            if writer.rows:
                writer.finish(covered)
            else:
                writer.drop()
            outcome.bytes += writer.bytes
            outcome.rows += writer.rows - before
        tell.reach(span.end_ms)

    def _fill(self, series: Series, writer: Writer, span: Span, outcome: Outcome, tell: "_Reach") -> Span:
        """Bring the rest of the span; what it covers then."""
        if series.what == CANDLES:
            return self._fill_candles(series, writer, span, tell)
        return self._fill_trades(series, writer, span, outcome, tell)

    def _fill_candles(self, series: Series, writer: Writer, span: Span, tell: "_Reach") -> Span:
        newest_ms = int(writer.last[0].partition(",")[0]) if writer.last else None
        rest = span if newest_ms is None else Span(newest_ms + series.step_ms, span.end_ms)
        limit = self._exchange.page_rows(series.symbol)
        for page in candle_pages(self._exchange, series.symbol, series.interval, series.step_ms, limit, rest):
            writer.append(",".join(map(str, row)) for row in page)
            newest_ms = page[-1].time_ms if page else newest_ms
            tell.reach(newest_ms or span.start_ms)
        return _tight(writer, span.start_ms, newest_ms, series.step_ms)

    def _fill_trades(self, series: Series, writer: Writer, span: Span, outcome: Outcome, tell: "_Reach") -> Span:
        seen = [_parse_print(line) for line in writer.last]
        newest_ms = seen[-1].time_ms if seen else None
        walk = TradeWalk(self._exchange, series.symbol, span, seen)
        for page in walk.pages():
            writer.append(",".join(map(str, row)) for row in page)
            newest_ms = page[-1].time_ms if page else newest_ms
            tell.reach(newest_ms or span.start_ms)
        outcome.missing += [f"{lost.text}: more trades at once than {self._exchange.id} shows" for lost in walk.lost]
        return _wide(writer, span, newest_ms, walk.reached_end)

    def _account(self, series: Series, shelf: Shelf, asked: Span, before: set[Path], outcome: Outcome) -> None:
        """Which files the range has now, and what is missing between and in them."""
        position, holes = asked.start_ms, []
        for stretch in shelf.stretches():
            if stretch.span.end_ms <= asked.start_ms or stretch.span.start_ms >= asked.end_ms:
                continue
            outcome.paths.append(stretch.path)
            outcome.skipped += stretch.path in before
            holes += [*_hole(series, position, stretch.span.start_ms), *_inner_holes(series, stretch)]
            position = stretch.span.end_ms
        holes += _hole(series, position, asked.end_ms)
        outcome.files = len(outcome.paths) - outcome.skipped
        outcome.missing += [hole.text for hole in holes[:MISSING_MAX]]
        if len(holes) > MISSING_MAX:
            outcome.missing.append(f"and {len(holes) - MISSING_MAX:,} more holes")


class _Reach:
    """Progress in minutes of the span."""

    def __init__(self, span: Span, progress: Progress) -> None:
        self._start_ms = self._told_ms = span.start_ms
        self._progress = progress

    def reach(self, time_ms: int) -> None:
        done, told = ((at - self._start_ms) // _MINUTE_MS for at in (time_ms, self._told_ms))
        if done > told:
            self._progress.advance(done - told)
            self._told_ms = time_ms


def _closed_end(series: Series, now_ms: int) -> int:
    """Rows before it are closed."""
    return now_ms - (series.step_ms - 1 if series.what == CANDLES else SETTLE_MS)


def _pieces(series: Series, rest: Span) -> Iterator[Span]:
    """The span, cut where a file ends."""
    start_ms = rest.start_ms
    while start_ms < rest.end_ms:
        end_ms = min(_next_cut(series, start_ms), rest.end_ms)
        yield Span(start_ms, end_ms)
        start_ms = end_ms


def _next_cut(series: Series, time_ms: int) -> int:
    """The next day for trades and seconds, the next month for minutes, the next year for hours and days."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    if series.step_ms < _MINUTE_MS:
        return (time_ms // (24 * _HOUR_MS) + 1) * 24 * _HOUR_MS
    if series.step_ms < _HOUR_MS:
        year, month = divmod(moment.year * 12 + moment.month, 12)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000
    return int(datetime(moment.year + 1, 1, 1, tzinfo=UTC).timestamp()) * 1000


def _tight(writer: Writer, start_ms: int, newest_ms: int | None, step_ms: int) -> Span:
    """Candles cover from the first one to the end of the last one."""
    if newest_ms is None:
        return Span(start_ms, start_ms)
    return Span(writer.first_ms, newest_ms + step_ms)


def _wide(writer: Writer, span: Span, newest_ms: int | None, reached_end: bool) -> Span:
    """Trades cover the whole span, but for an edge where the exchange was silent for long and showed nothing behind it."""
    if newest_ms is None:
        return span
    start_ms = span.start_ms if writer.first_ms - span.start_ms < SILENCE_MS else writer.first_ms
    is_proven = reached_end or span.end_ms - newest_ms < SILENCE_MS
    return Span(start_ms, span.end_ms if is_proven else newest_ms + 1)


def _hole(series: Series, start_ms: int, end_ms: int) -> list[Span]:
    return [Span(start_ms, end_ms)] if end_ms - start_ms >= series.grain_ms else []


def _inner_holes(series: Series, stretch: Stretch) -> Iterator[Span]:
    if series.what != CANDLES:
        return
    position = stretch.span.start_ms
    for time_ms in times_of(stretch.path):
        if time_ms - position >= series.step_ms:
            yield Span(position, time_ms)
        position = time_ms + series.step_ms


def _minutes(spans: list[Span]) -> int:
    return sum((span.end_ms - span.start_ms) // _MINUTE_MS for span in spans)


def _parse_print(line: str) -> Print:
    time_ms, *texts = line.split(",")
    return Print(int(time_ms), *texts)
