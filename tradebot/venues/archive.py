"""Binance's public archive: which files a range needs, and bringing them.

The archive holds a file a month and a file a day of most kinds of data. A month that is over and wholly asked for comes as its
monthly file, the rest as daily ones; a month that the archive does not have (it appears some days after the month's end) comes
as its days. Files lie below the folder as they lie in the archive, each with its `.CHECKSUM`.

No moment may lie in two files, or an import would count it twice: a month of which a day is already here comes as days, and
a day of a month that is here is that month. A file that is here is not asked for again, but its hash is checked.
A file that the archive does not have is listed as missing; one whose hash is wrong is refused, and the others still come.

Absent: a listing of the archive, which has no stable interface; 404 is the listing.
"""

import re
import zipfile
import zlib
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from tradebot.domain.errors import BadContainer, UsageError
from tradebot.venues.disk import make_folder, part_of, sole_writer
from tradebot.venues.outcome import Outcome, Progress
from tradebot.venues.transfer import Transfer, sha256_of

FIRST_DAY: Final = date(2017, 1, 1)  # nothing is older; asking for every day since 1970 would be rude
STEPS: Final = 100  # of progress a file

MARKETS: Final = {"spot": "spot", "um": "futures/um", "cm": "futures/cm"}
INTERVALS: Final = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1mo")
INTERVALS_MONTHLY: Final = frozenset({"3d", "1w", "1mo"})  # there are no daily files of these

_BLOCK: Final = 1 << 20
_SYMBOL = re.compile(r"[\w-]{1,60}")
_CHECKSUM = re.compile(r"\s*([0-9a-fA-F]{64})\b")
_FUTURES: Final = ("um", "cm")


class Kind(NamedTuple):
    """What the archive holds of one kind of data, and where."""

    name: str
    markets: Sequence[str]
    daily: bool = True
    monthly: bool = True
    has_interval: bool = False


_KINDS: Final = (
    Kind("trades", tuple(MARKETS)),
    Kind("aggTrades", tuple(MARKETS)),
    Kind("klines", tuple(MARKETS), has_interval=True),
    Kind("markPriceKlines", _FUTURES, has_interval=True),
    Kind("indexPriceKlines", _FUTURES, has_interval=True),
    Kind("premiumIndexKlines", _FUTURES, has_interval=True),
    Kind("bookTicker", _FUTURES),
    Kind("bookDepth", _FUTURES, monthly=False),
    Kind("liquidationSnapshot", _FUTURES, monthly=False),
    Kind("metrics", _FUTURES, monthly=False),
    Kind("fundingRate", _FUTURES, daily=False),
)
KINDS: Final = {kind.name: kind for kind in _KINDS}


class Period(NamedTuple):
    """A day or a month, by its first day and the day after its last."""

    first: date
    end: date
    is_month: bool

    @property
    def text(self) -> str:
        return f"{self.first:%Y-%m}" if self.is_month else f"{self.first:%Y-%m-%d}"

    @property
    def days(self) -> "list[Period]":
        return [Period(day, day + timedelta(1), False) for day in _days(self.first, self.end)]


class Series(NamedTuple):
    """All files of one kind of data of one symbol."""

    market: str
    kind: Kind
    symbol: str
    interval: str | None

    def path(self, period: Period) -> str:
        """The file's place in the archive, below `data/`."""
        cycle = "monthly" if period.is_month else "daily"
        folders = [MARKETS[self.market], cycle, self.kind.name, self.symbol]
        folders += [self.interval] if self.interval else []
        return "/".join([*folders, f"{self.symbol}-{self.interval or self.kind.name}-{period.text}.zip"])

    @property
    def has_days(self) -> bool:
        return self.kind.daily and self.interval not in INTERVALS_MONTHLY

    @property
    def has_months(self) -> bool:
        return self.kind.monthly

    @property
    def name(self) -> str:
        return "-".join([self.market, self.kind.name, self.symbol, *([self.interval] if self.interval else [])])


def make_series(market: str, what: str, symbol: str, interval: str | None) -> Series:
    """Check that the archive has such files. Raises UsageError."""
    if what not in KINDS:
        raise UsageError(f"expected --what to be one of {', '.join(KINDS)}, found {what!r}")
    kind = KINDS[what]
    if market not in kind.markets:
        raise UsageError(f"expected one of the markets {', '.join(kind.markets)} for {what}, found {market!r}")
    if kind.has_interval and interval not in INTERVALS:
        raise UsageError(f"expected --interval to be one of {', '.join(INTERVALS)} for {what}, found {interval or 'none'}")
    if interval is not None and not kind.has_interval:
        raise UsageError(f"expected no --interval for {what}, found {interval}")
    if not _SYMBOL.fullmatch(symbol):
        raise UsageError(f"expected a symbol such as BTCUSDT, found {symbol!r}")
    return Series(market, kind, symbol, interval)


def plan(series: Series, first: date, end: date, today: date, is_here: Callable[[Period], bool]) -> list[Period]:
    """The files that cover the days from `first` up to `end`, which is not one of them, oldest first.

    `is_here` says which files are here or have begun to arrive. A period that is not over is planned as days.
    """
    assert first < end
    periods: list[Period] = []
    for month in _months(first, end):
        asked = [day for day in month.days if first <= day.first < end]
        periods += [month] if _is_monthly(series, month, asked, today, is_here) else asked
    return periods


def _is_monthly(series: Series, month: Period, asked: list[Period], today: date, is_here: Callable[[Period], bool]) -> bool:
    if not series.has_days or (series.has_months and is_here(month)):
        return True
    is_whole = len(asked) == len(month.days) and month.end <= today
    return series.has_months and is_whole and not any(map(is_here, asked))


class Archive:
    """The archive and its copy in `folder`."""

    def __init__(self, transfer: Transfer, folder: Path, progress: Progress) -> None:
        self._transfer = transfer
        self._folder = folder
        self._progress = progress
        self._steps = 0  # told of the period under way

    def download(self, series: Series, from_ns: int, to_ns: int, now_ns: int) -> Outcome:
        """Bring every file that [from_ns, to_ns) needs, whole days; what is here is checked and kept.

        Raises UsageError for a range in the future, DownloadFailed where the peer or the disk fails. Refused files are in the
        outcome.
        """
        first, end, today = _day(from_ns), _day(to_ns - 1) + timedelta(1), _day(now_ns)
        if end > today + timedelta(1):
            raise UsageError(f"expected a range up to today, {today}, found one up to {end - timedelta(1)}")
        if first < FIRST_DAY:
            raise UsageError(f"expected a range from {FIRST_DAY} on, when the archive begins, found one from {first}")
        outcome = Outcome(self._folder)
        with sole_writer(self._folder, series.name):
            periods = plan(series, first, end, today, lambda period: self._is_here(series, period))
            self._progress.start(f"downloading {len(periods)} files of {series.name}, in hundredths", len(periods) * STEPS)
            try:
                for period in periods:
                    self._bring(series, period, today, outcome)
            finally:
                self._progress.done()
        return outcome

    def _is_here(self, series: Series, period: Period) -> bool:
        target = self._folder / series.path(period)
        return target.exists() or part_of(target).exists()

    def _bring(self, series: Series, period: Period, today: date, outcome: Outcome) -> None:
        self._steps = 0
        if period.end > today:
            outcome.missing.append(f"{series.path(period)}: the {'month' if period.is_month else 'day'} is not over")
        else:
            self._bring_period(series, period, outcome)
        self._progress.advance(STEPS - self._steps)

    def _bring_period(self, series: Series, period: Period, outcome: Outcome) -> None:
        """Its file, or its days where the archive has no file of the month."""
        path = series.path(period)
        if self._bring_file(path, outcome):
            return
        if period.is_month and series.has_days:
            for day in period.days:
                self._bring_period(series, day, outcome)
        else:
            outcome.missing.append(path)

    def _bring_file(self, path: str, outcome: Outcome) -> bool:
        """False where the archive does not have it."""
        target = self._folder / path
        expected = self._checksum(path, target)
        if expected is None:
            return False
        if target.exists() and sha256_of(target) == expected:
            outcome.paths.append(target)
            outcome.skipped += 1
            return True
        make_folder(target.parent)
        fetched = self._transfer.fetch(f"data/{path}", target, expected, self._tell)
        if fetched is None:
            return False
        if fetched.wrong_sha256 is not None:
            outcome.refused.append(
                f"expected {path} with sha256 {expected}, found {fetched.wrong_sha256}; "
                "the file is removed: run the same command again, or report it to the archive"
            )
            return True
        _checksum_path(target).write_text(f"{expected}  {target.name}\n")
        outcome.paths.append(target)
        outcome.files += 1
        outcome.bytes += fetched.received
        outcome.rows += count_rows(target)
        return True

    def _tell(self, position: int, total: int | None) -> None:
        steps = STEPS * position // total if total else 0
        if steps > self._steps:
            self._progress.advance(steps - self._steps)
            self._steps = steps

    def _checksum(self, path: str, target: Path) -> str | None:
        """What the archive says of the file: as kept beside a whole file, else as it says now."""
        kept = _checksum_path(target)
        text: str | None = kept.read_text() if target.exists() and kept.exists() else None
        if text is None or not _CHECKSUM.match(text):
            text = self._transfer.read_text(f"data/{path}.CHECKSUM")
        if text is None:
            return None
        found = _CHECKSUM.match(text)
        if found is None:
            raise BadContainer(
                f"expected a sha256 in {self._transfer.url(f'data/{path}.CHECKSUM')}, found {text[:80]!r}; check the URL"
            )
        return found[1].lower()


def count_rows(path: Path) -> int:
    """Lines of the files in a zip, without a header line. Raises BadContainer."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(_count_lines(archive, name) for name in archive.namelist())
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError, OSError) as error:
        raise BadContainer(f"expected a zip at {path}, found: {error}") from error


def _count_lines(archive: zipfile.ZipFile, name: str) -> int:
    with archive.open(name) as stream:
        block = stream.read(_BLOCK)
        count, last = -1 if block and not block[:1].isdigit() else 0, b"\n"
        while block:
            count += block.count(b"\n")
            last = block[-1:]
            block = stream.read(_BLOCK)
    return count + (last != b"\n")


def _checksum_path(target: Path) -> Path:
    return target.with_name(target.name + ".CHECKSUM")


def _months(first: date, end: date) -> Iterator[Period]:
    start = first.replace(day=1)
    while start < end:
        after = start + timedelta(monthrange(start.year, start.month)[1])
        yield Period(start, after, True)
        start = after


def _days(first: date, end: date) -> Iterator[date]:
    return (first + timedelta(count) for count in range((end - first).days))


def _day(time_ns: int) -> date:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).date()
