"""A ccxt exchange as a source of public history: markets, candles, trades, its clock.

ccxt is imported when an exchange is opened and not before; it takes most of a second. Its synchronous client is enough for
history, keeps the exchange's own rate limit, and is used as it comes: no class of ours is derived from it. Numbers are
kept as the text that the exchange sent, never as floats.

An exchange may be pointed at another base URL (a test server, a mirror). Then every URL it knows is moved there, and a
request to any other host is refused before it leaves: a URL that was forgotten must not reach the real venue.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from tradebot.domain.errors import DownloadFailed, UsageError
from tradebot.venues.patience import Patience, TryAgain, retry_after_s
from tradebot.venues.transfer import checked_url

SHOWN_MAX: Final = 200  # characters of an exchange's answer in a message
PAGE_ROWS_MAX: Final = 500  # more than this some exchanges cut without saying so
PAGE_ROWS_UNKNOWN: Final = 100
INTERVAL_MAX_MS: Final = 7 * 86_400_000  # a month is no fixed time

T = TypeVar("T")


class Market(NamedTuple):
    """What the exchange says of a symbol; tick and lot are decimal text, None where it does not say. `is_plain`: a lot counts
    units of the base asset, not contracts of another size.
    """

    symbol: str
    tick: str | None
    lot: str | None
    is_plain: bool


class Candle(NamedTuple):
    """The texts of an interval that opened at `time_ms`."""

    time_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str


class Print(NamedTuple):
    """The texts of one trade; `id` and `side` are empty where the exchange does not say."""

    time_ms: int
    id: str
    side: str
    price: str
    amount: str


class TradePage(NamedTuple):
    """Trades in the order of their times, and the parameters that ask for those behind them, where the exchange has such.
    `is_exact`: the question was one of those, so that an empty page says that there are no more.
    """

    trades: list[Print]
    cursor: dict[str, object] | None
    is_exact: bool


class Exchange:
    """One exchange, its markets loaded."""

    def __init__(self, exchange_id: str, base_url: str | None, patience: Patience, timeout_s: float) -> None:
        """Raises UsageError for an exchange that ccxt does not have, DownloadFailed where it is out of reach."""
        self._ccxt = _import_ccxt()
        if exchange_id not in self._ccxt.exchanges:
            near = get_close_matches(exchange_id, self._ccxt.exchanges, n=1)
            hint = f"did you mean {near[0]}?" if near else "see ccxt's list of exchanges"
            raise UsageError(f"expected the name of an exchange of ccxt, found {exchange_id!r}: {hint}")
        settings = {"timeout": int(timeout_s * 1000), "requests_trust_env": True}
        self._client: Any = getattr(self._ccxt, exchange_id)(settings)
        if base_url is not None:
            point_at(self._client, base_url)
        self.id = exchange_id
        self._patience = patience
        self._call("its markets", self._client.load_markets)
        self._client.number = str

    def close(self) -> None:
        """Close the connections."""
        self._client.session.close()

    def market(self, symbol: str) -> Market:
        """Raises UsageError that names the nearest symbol."""
        known: Mapping[str, Mapping[str, Any]] = self._client.markets
        if symbol not in known:
            near = get_close_matches(symbol, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "write it as ccxt does, BTC/USDT or BTC/USDT:USDT"
            raise UsageError(f"expected a symbol of {self.id}, found {symbol!r}: {hint}")
        found = known[symbol]
        is_step = self._client.precisionMode == self._ccxt.TICK_SIZE
        tick, lot = (_step_text(found["precision"].get(name)) if is_step else None for name in ("price", "amount"))
        is_plain = not found["contract"] or (bool(found["linear"]) and found["contractSize"] == 1)
        return Market(symbol, tick, lot, is_plain)

    def interval_ms(self, interval: str | None) -> int:
        """The length of an interval that the exchange has candles of. Raises UsageError."""
        if self._client.has["fetchOHLCV"] is not True:
            raise UsageError(f"expected an exchange that has candles, found {self.id}, which has none: try --what trades")
        lengths = {name: 1000 * int(self._client.parse_timeframe(name)) for name in self._client.timeframes or {}}
        lengths = {name: length_ms for name, length_ms in lengths.items() if length_ms <= INTERVAL_MAX_MS}
        if interval not in lengths:
            raise UsageError(f"expected --interval to be one of {', '.join(lengths)} for {self.id}, found {interval or 'none'}")
        return lengths[interval]

    def check_trades(self) -> None:
        """Raise UsageError where the exchange shows no public trades."""
        if self._client.has["fetchTrades"] is not True:
            raise UsageError(f"expected an exchange that shows its trades, found {self.id}, which does not: try --what ohlcv")

    def now_ms(self) -> int:
        """By the exchange's clock where it shows it: ours may be ahead, and a candle then looks closed that is not."""
        if self._client.has["fetchTime"] is True:
            found = self._call("its clock", self._client.fetch_time)
            if found:
                return int(found)
        return time.time_ns() // 1_000_000

    def page_rows(self, symbol: str) -> int:
        """How many candles to ask for at once."""
        market = self._client.markets[symbol]
        features: Any = self._client.features or {}
        for key in (market["type"], "linear" if market.get("linear") else "inverse"):
            features = features.get(key) or features
        limit = (features.get("fetchOHLCV") or {}).get("limit")
        return min(int(limit or PAGE_ROWS_UNKNOWN), PAGE_ROWS_MAX)

    def candles(self, symbol: str, interval: str, since_ms: int, limit: int) -> list[Candle]:
        """One page, by open time, each time once, none incomplete."""
        page = self._call("candles", lambda: self._client.fetch_ohlcv(symbol, interval, since_ms, limit))
        rows = {int(row[0]): row for row in page if row[0] is not None and None not in row[1:6]}
        return [Candle(time_ms, *map(_text, rows[time_ms][1:6])) for time_ms in sorted(rows)]

    def trades(self, symbol: str, since_ms: int, cursor: Mapping[str, object] | None) -> TradePage:
        """One page: from where a page before ended, else from a time on."""
        paging = _PAGING.get(self.id, _BY_TIME)
        exact = cursor or paging.begin(since_ms)
        since = None if exact else since_ms
        page = self._call("trades", lambda: self._client.fetch_trades(symbol, since, paging.limit, dict(exact or {})))
        known = [row for row in page if row.get("timestamp") is not None]
        known.sort(key=lambda row: int(row["timestamp"]))
        cursor = paging.cursor(known[-1]) if known else None
        return TradePage(list(map(_print, known)), cursor, exact is not None)

    def _call(self, what: str, ask: Callable[[], T]) -> T:
        return self._patience.persist(f"{what} of {self.id}", lambda: self._ask(what, ask))

    def _ask(self, what: str, ask: Callable[[], T]) -> T:
        self._client.last_response_headers = None
        try:
            return ask()
        except self._ccxt.OperationFailed as error:
            headers = self._client.last_response_headers or {}
            raise TryAgain(_shown(error), retry_after_s(headers.get("Retry-After"), time.time())) from error
        except self._ccxt.BaseError as error:
            raise DownloadFailed(
                f"expected {what} of {self.id}, found {_shown(error)}; check the symbol, the interval and the range"
            ) from error


class _Paging(NamedTuple):
    """How an exchange shows trades exactly: the rows of a page, the parameters that begin at a time, and those that go on
    behind a page's last trade; None for what ccxt's own `since` does.
    """

    limit: int | None
    begin: Callable[[int], dict[str, object] | None]
    cursor: Callable[[Mapping[str, Any]], dict[str, object] | None]


def _nothing(_: object) -> None:
    return None


def _after_id(trade: Mapping[str, Any]) -> dict[str, object] | None:
    text = str(trade.get("id") or "")
    return {"fromId": int(text) + 1} if text.isdecimal() else None


def _before_ms(time_ms: int) -> dict[str, object]:
    """Kraken counts in nanoseconds, and shows what is behind."""
    return {"since": str(time_ms * 1_000_000 - 1)}


def _after_last(trade: Mapping[str, Any]) -> dict[str, object] | None:
    """ccxt hangs Kraken's own cursor behind the fields of a page's last trade."""
    fields = trade.get("info")
    text = str(fields[-1]) if isinstance(fields, list) and fields else ""
    return {"since": text} if text.isdecimal() and len(text) == 19 else None


_BY_TIME: Final = _Paging(None, _nothing, _nothing)
_BY_ID: Final = _Paging(1000, _nothing, _after_id)

# Pages by time cannot show more trades of one moment than a page holds; these exchanges have something exact.
_PAGING: Final = {
    "binance": _BY_ID,
    "binanceusdm": _BY_ID,
    "binancecoinm": _BY_ID,
    "binanceus": _BY_ID,
    "kraken": _Paging(None, _before_ms, _after_last),
}


def point_at(client: Any, base_url: str) -> None:
    """Move every URL of a ccxt client to `base_url`, paths kept, and refuse requests to any other host."""
    base = checked_url(base_url)
    client.urls["api"] = _moved(client.urls["api"], base)
    real = client.session.get_adapter(base)
    for prefix in list(client.session.adapters):
        client.session.mount(prefix, _Elsewhere())
    client.session.mount(f"{base}/", real)


class _Elsewhere:
    """In the place of a connection to a host that was not named."""

    def send(self, request: Any, **_: object) -> None:
        raise DownloadFailed(f"expected requests to the given base URL only, found one to {urlsplit(request.url).netloc}")

    def close(self) -> None:
        pass


def _moved(urls: Any, base: str) -> Any:
    if isinstance(urls, str):
        return f"{base}{urlsplit(urls).path}".rstrip("/")
    return {name: _moved(below, base) for name, below in urls.items()}


def _import_ccxt() -> Any:
    try:
        import ccxt
    except ImportError as error:
        raise UsageError("expected ccxt for data of exchanges, found none: pip install 'tradebot[live]'") from error
    return ccxt


def _print(row: Mapping[str, Any]) -> Print:
    texts: Sequence[str] = [_text(row.get(name) or "") for name in ("id", "side", "price", "amount")]
    return Print(int(row["timestamp"]), *texts)


def _text(value: object) -> str:
    """Plain decimal text: a client that computed a number gives a float."""
    return f"{Decimal(repr(value)):f}" if isinstance(value, float) else str(value)


def _step_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:SHOWN_MAX]
