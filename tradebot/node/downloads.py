"""A download, from the user's words to files on disk and, where asked, into the store.

`venues` knows archives and exchanges, the store knows formats; this file chooses who is asked, where the files go, and hands
the whole files over. Whatever can be refused is refused before the first request: an import that cannot work must not show
after hours of downloading.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tradebot.domain.errors import NotBuiltYet, UnknownInstrument, UsageError
from tradebot.domain.instrument import split_name
from tradebot.node.config import Download
from tradebot.node.places import store_path, store_place
from tradebot.node.progress import Progress
from tradebot.node.ticks import import_paths
from tradebot.node.values import parse_from, parse_to

if TYPE_CHECKING:
    from tradebot.venues.exchange import Exchange
    from tradebot.venues.history import Series
    from tradebot.venues.outcome import Outcome

ARCHIVE, EXCHANGE, AUTO = "archive", "exchange", "auto"
SOURCES: Final = (AUTO, ARCHIVE, EXCHANGE)

# Venues with a public archive, and the market of it that a bare symbol such as BTCUSDT is of.
ARCHIVE_MARKETS: Final = {"binance": "spot", "binanceusdm": "um", "binancecoinm": "cm"}
ARCHIVE_FOLDER: Final = "binance-vision"
EXCHANGE_FOLDER: Final = "exchanges"

_FORMATS: Final = {ARCHIVE: "binance-vision", "ohlcv": "ccxt-ohlcv", "trades": "trades-csv"}
_OTHER_NAMES: Final = {"funding": "fundingRate", "candles": "ohlcv"}
_UNIFIED = re.compile(r"(?P<base>\w+)/(?P<quote>\w+)(?::(?P<settle>\w+)(?:-(?P<expiry>\d{6}))?)?")
_NS_PER_MS: Final = 1_000_000


class Steps(NamedTuple):
    """Tick and lot as decimal text, None where they are not known; then `remedy` says what to do."""

    tick: str | None
    lot: str | None
    remedy: str = "give its --tick and --lot"


class Wish(NamedTuple):
    """What the user asked for, in his words; `dsn` is the server that his configuration names."""

    symbol: str
    venue: str
    what: str
    interval: str | None
    from_text: str
    to_text: str | None
    source: str = AUTO
    market: str | None = None
    url: str | None = None
    into: Path | None = None
    is_imported: bool = False
    instrument: str | None = None
    tick: str | None = None
    lot: str | None = None
    dsn: str | None = None


def download(home: Path, wish: Wish, settings: Download, progress: Progress) -> dict[str, object]:
    """Bring the files; the keys are those of `data download --json`. Raises UsageError, DownloadFailed, and what an import
    raises.
    """
    from_ns, to_ns = _range(wish)
    what = _named_what(wish.what)
    if _source(wish, what) == ARCHIVE:
        return _from_archive(home, wish, what, from_ns, to_ns, settings, progress)
    return _from_exchange(home, wish, what, from_ns, to_ns, settings, progress)


def _from_archive(
    home: Path, wish: Wish, what: str, from_ns: int, to_ns: int, settings: Download, progress: Progress
) -> dict[str, object]:
    from tradebot.venues.archive import Archive, make_series
    from tradebot.venues.patience import Pace, Patience
    from tradebot.venues.transfer import Transfer

    market, symbol = archive_symbol(wish)
    series = make_series(market, what, symbol, wish.interval)
    _check_import(home, wish, _FORMATS[ARCHIVE], Steps(wish.tick, wish.lot))
    url = wish.url or settings.archive_url
    transfer = Transfer(url, Patience(settings.attempts), Pace(settings.requests_per_s), settings.timeout_s)
    archive = Archive(transfer, _folder(home, wish, ARCHIVE_FOLDER), progress)
    outcome = archive.download(series, from_ns, to_ns, time.time_ns())
    return _finished(home, wish, outcome, _FORMATS[ARCHIVE], Steps(wish.tick, wish.lot), progress)


def _from_exchange(
    home: Path, wish: Wish, what: str, from_ns: int, to_ns: int, settings: Download, progress: Progress
) -> dict[str, object]:
    from tradebot.venues.history import History

    what = "ohlcv" if what == "klines" else what
    with _opened(wish, settings, progress) as exchange:
        series = _exchange_series(exchange, wish, what)
        steps = _steps(exchange, series.symbol, wish)
        _check_import(home, wish, _FORMATS[what], steps)
        history = History(exchange, _folder(home, wish, EXCHANGE_FOLDER), progress)
        outcome = history.download(series, from_ns // _NS_PER_MS, to_ns // _NS_PER_MS)
    return _finished(home, wish, outcome, _FORMATS[what], steps, progress)


@contextmanager
def _opened(wish: Wish, settings: Download, progress: Progress) -> Iterator["Exchange"]:
    from tradebot.venues.exchange import Exchange
    from tradebot.venues.patience import Patience

    url = wish.url or settings.exchange_urls.get(wish.venue)
    progress.start(f"asking {wish.venue} for its markets", None)
    exchange = Exchange(wish.venue, url, Patience(settings.attempts), settings.timeout_s)
    progress.done()
    try:
        yield exchange
    finally:
        exchange.close()


def _exchange_series(exchange: "Exchange", wish: Wish, what: str) -> "Series":
    from tradebot.venues.history import make_series

    symbol, _ = split_name(wish.symbol)
    exchange.market(symbol)
    return make_series(exchange, symbol, what, wish.interval)


def _steps(exchange: "Exchange", symbol: str, wish: Wish) -> Steps:
    """The user's tick and lot, else the exchange's. They do not describe a contract of another size than one unit."""
    market = exchange.market(symbol)
    if not market.is_plain:
        return Steps(None, None, "a contract of this size must come into the store by a file that names it first")
    return Steps(wish.tick or market.tick, wish.lot or market.lot)


def archive_symbol(wish: Wish) -> tuple[str, str]:
    """The archive's market and name of a symbol: ("um", "BTCUSDT") of BTC/USDT:USDT. Raises UsageError."""
    text, _ = split_name(wish.symbol)
    if "/" not in text:
        return wish.market or ARCHIVE_MARKETS[wish.venue], text
    found = _UNIFIED.fullmatch(text)
    markets = {None: "spot", found["quote"]: "um", found["base"]: "cm"} if found else {}
    if found is None or found["settle"] not in markets:
        raise UsageError(f"expected a symbol such as BTC/USDT, BTC/USDT:USDT, BTC/USD:BTC or BTCUSDT, found {text!r}")
    market = markets[found["settle"]]
    if wish.market not in (None, market):
        raise UsageError(f"expected --market {market} for {text}, found {wish.market}; leave it away")
    ending = f"_{found['expiry']}" if found["expiry"] else "_PERP" if market == "cm" else ""
    return market, f"{found['base']}{found['quote']}{ending}"


def _range(wish: Wish) -> tuple[int, int]:
    try:
        from_ns = parse_from(wish.from_text)
        to_ns = time.time_ns() if wish.to_text is None else parse_to(wish.to_text)
    except ValueError as error:
        raise UsageError(f"--from and --to: {error}") from error
    if from_ns >= to_ns:
        raise UsageError(f"expected --to after --from {wish.from_text}, found {wish.to_text or 'a --from in the future'}")
    return from_ns, to_ns


def _named_what(text: str) -> str:
    """As the archive and the exchanges call it, whatever the case."""
    from tradebot.venues.archive import KINDS
    from tradebot.venues.history import WHATS

    names = {name.lower(): name for name in (*KINDS, *WHATS)} | _OTHER_NAMES
    if text.lower() not in names:
        raise UsageError(f"expected --what to be one of {', '.join(dict.fromkeys((*KINDS, *WHATS)))}, found {text!r}")
    return names[text.lower()]


def _source(wish: Wish, what: str) -> str:
    """Who is asked: the archive where there is one and it has that kind, else the exchange."""
    from tradebot.venues.archive import KINDS
    from tradebot.venues.history import WHATS

    has_archive = wish.venue in ARCHIVE_MARKETS and what in KINDS
    if wish.source == ARCHIVE and not has_archive:
        raise UsageError(f"expected a venue with an archive of {what}, found {wish.venue}: leave --source away")
    source = (ARCHIVE if has_archive else EXCHANGE) if wish.source == AUTO else wish.source
    if source == EXCHANGE and what not in (*WHATS, "klines"):
        raise UsageError(f"expected --what to be one of {', '.join(WHATS)} for the exchange {wish.venue}, found {what!r}")
    if source == EXCHANGE and wish.market is not None:
        raise UsageError(f"expected --market for an archive only, found it for {wish.venue}: the symbol says which market")
    return source


def _folder(home: Path, wish: Wish, name: str) -> Path:
    return wish.into.absolute() if wish.into else store_path(home) / "downloads" / name


def _instrument_name(wish: Wish) -> str:
    """Raises UsageError for a bare symbol, of which nobody knows where the base ends."""
    if wish.instrument is not None:
        return wish.instrument
    symbol, venue = split_name(wish.symbol)
    if "/" not in symbol:
        raise UsageError(f'expected --instrument for {symbol} to import it, such as "BTC/USDT@{wish.venue}", found none')
    return f"{symbol}@{venue or wish.venue}"


def _check_import(home: Path, wish: Wish, format_name: str, steps: Steps) -> None:
    """Raise where the files could not be imported once they are here."""
    if not wish.is_imported:
        return
    from tradebot.store.client import open_store
    from tradebot.store.formats import FORMATS
    from tradebot.store.instruments import find_instrument, make_instrument

    name = _instrument_name(wish)
    if format_name not in FORMATS:
        raise NotBuiltYet(f"expected an importer of {format_name} for --import, found none in this version: leave it away")
    with open_store(store_place(home, wish.dsn)) as store:
        known = store.instruments()
    try:
        find_instrument(known, name)
    except UnknownInstrument as error:
        if steps.tick is None or steps.lot is None:
            raise UnknownInstrument(
                f"expected a known instrument for --import, found {name!r}; {steps.remedy}"
            ) from error
        make_instrument(name, steps.tick, steps.lot)


def _finished(
    home: Path, wish: Wish, outcome: "Outcome", format_name: str, steps: Steps, progress: Progress
) -> dict[str, object]:
    """The answer, and the import before it. Raises DownloadFailed where a file was refused: then nothing is imported."""
    outcome.raise_refused()
    found: dict[str, object] = {
        "files": outcome.files,
        "bytes": outcome.bytes,
        "rows": outcome.rows,
        "skipped": outcome.skipped,
        "missing": outcome.missing,
        "path": str(outcome.folder),
        "paths": [str(path) for path in outcome.paths],
    }
    if wish.is_imported and outcome.paths:
        found["import"] = _imported(home, wish, outcome.paths, format_name, steps, progress)
    return found


def _imported(
    home: Path, wish: Wish, paths: Sequence[Path], format_name: str, steps: Steps, progress: Progress
) -> dict[str, object]:
    """Tick and lot are named for a new instrument only: those of a known one stand in the store."""
    from tradebot.store.client import open_store

    name = _instrument_name(wish)
    with open_store(store_place(home, wish.dsn)) as store:
        is_known = any(one.name == name for one in store.instruments())
    tick, lot = (wish.tick, wish.lot) if is_known else steps[:2]
    return import_paths(home, paths, format_name, name, tick, lot, progress, wish.dsn)
