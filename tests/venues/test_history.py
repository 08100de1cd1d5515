"""Candles and trades through ccxt's own classes of Binance and Kraken, pointed at a local server that speaks their REST.

The clocks of the exchanges are the test's; ccxt keeps its rate limit by sleeping, which is recorded and not done.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.venues.conftest import Clock
from tests.venues.exchanges import HOUR_MS, MINUTE_MS, Market, candle_line, serve_binance, serve_kraken, trade_line
from tests.venues.local_server import LocalServer, Status
from tradebot.domain.errors import DownloadFailed, UsageError
from tradebot.node.progress import Silent
from tradebot.venues.exchange import Exchange
from tradebot.venues.history import CANDLES, TRADES, History, make_series
from tradebot.venues.outcome import Outcome

START = 1_706_745_600_000  # 2024-02-01
DAY_MS = 24 * HOUR_MS
HEADS = {CANDLES: "timestamp,open,high,low,close,volume", TRADES: "timestamp,id,side,price,amount"}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long ccxt wanted to wait; it does not."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


class Place:
    """An exchange behind the server, and a folder."""

    def __init__(self, server: LocalServer, market: Market, exchange: Exchange, symbol: str, root: Path) -> None:
        self.server, self.market, self.exchange, self.symbol, self.root = server, market, exchange, symbol, root

    def download(self, what: str, from_ms: int, to_ms: int) -> Outcome:
        series = make_series(self.exchange, self.symbol, what, "1m" if what == CANDLES else None)
        return History(self.exchange, self.root, Silent()).download(series, from_ms, to_ms)

    def asked(self, ending: str) -> list[dict[str, str]]:
        return [one.query for one in self.server.asked if one.path.endswith(ending)]


@contextmanager
def opened(server: LocalServer, name: str, market: Market, clock: Clock, root: Path) -> Iterator[Place]:
    serve, symbol = {"binance": (serve_binance, "BTC/USDT"), "kraken": (serve_kraken, "BTC/USD")}[name]
    serve(server, market)
    exchange = Exchange(name, server.url, clock.patience(), 5.0)
    try:
        yield Place(server, market, exchange, symbol, root)
    finally:
        exchange.close()


@pytest.fixture
def market() -> Market:
    """Half a minute into a minute that is still open, on the second day."""
    return Market(START + DAY_MS + 90_000)


@pytest.fixture
def binance(server: LocalServer, market: Market, clock: Clock, slept: list[float], tmp_path: Path) -> Iterator[Place]:
    with opened(server, "binance", market, clock, tmp_path) as place:
        yield place


@pytest.fixture
def kraken(server: LocalServer, market: Market, clock: Clock, slept: list[float], tmp_path: Path) -> Iterator[Place]:
    with opened(server, "kraken", market, clock, tmp_path) as place:
        yield place


def lines(outcome: Outcome, what: str) -> list[str]:
    """The rows of all files, each file headed as it must be."""
    rows = []
    for path in outcome.paths:
        head, *body = path.read_text().splitlines()
        assert head == HEADS[what]
        rows += body
    return rows


def test_candles_come_exactly_and_the_open_one_does_not(binance: Place) -> None:
    binance.market.fill_minutes(START - HOUR_MS, START + 2 * DAY_MS)
    found = binance.download(CANDLES, START, START + 2 * DAY_MS)
    assert lines(found, CANDLES) == [candle_line(START + number * MINUTE_MS) for number in range(1441)]
    assert (found.files, found.skipped, found.rows, found.missing) == (1, 0, 1441, [])
    assert found.folder == binance.root / "binance" / "ohlcv"
    assert [path.name for path in found.paths] == ["BTC-USDT-1m-20240201T000000Z-20240202T000100Z.csv"]
    assert {query["limit"] for query in binance.asked("klines")} == {"500"}


def test_the_next_call_asks_for_what_was_closed_since(binance: Place) -> None:
    binance.market.fill_minutes(START, START + 2 * DAY_MS)
    first = binance.download(CANDLES, START, START + 2 * DAY_MS)
    before = first.paths[0].read_bytes()
    binance.market.now_ms += 5 * MINUTE_MS
    binance.server.asked.clear()
    found = binance.download(CANDLES, START, START + 2 * DAY_MS)
    assert (found.files, found.skipped, found.rows) == (1, 1, 5)
    assert found.paths[0].read_bytes() == before, "a whole file never changes"
    assert lines(found, CANDLES) == [candle_line(START + number * MINUTE_MS) for number in range(1446)]
    assert [query["startTime"] for query in binance.asked("klines")] == [str(START + DAY_MS + MINUTE_MS)]
    assert binance.download(CANDLES, START, START + DAY_MS).files == 0
    assert len(binance.asked("klines")) == 1


def test_holes_between_candles_are_listed_each_time(binance: Place) -> None:
    binance.market.fill_minutes(START, START + DAY_MS, without=range(100, 110))
    for _ in range(2):
        found = binance.download(CANDLES, START, START + DAY_MS)
        assert found.missing == ["2024-02-01T01:40:00Z..2024-02-01T01:50:00Z"]
    assert len(lines(found, CANDLES)) == 1430


def test_a_silent_beginning_is_listed_and_asked_for_again(binance: Place) -> None:
    binance.market.fill_minutes(START + 2 * HOUR_MS, START + DAY_MS)
    found = binance.download(CANDLES, START, START + DAY_MS)
    assert found.missing == ["2024-02-01T00:00:00Z..2024-02-01T02:00:00Z"]
    assert found.paths[0].name.startswith("BTC-USDT-1m-20240201T020000Z-")
    binance.market.minutes = []
    binance.market.fill_minutes(START, START + DAY_MS)
    again = binance.download(CANDLES, START, START + DAY_MS)
    assert (again.files, again.skipped, again.missing) == (1, 1, [])
    assert len(lines(again, CANDLES)) == 1440


def test_minutes_are_cut_at_the_month(server: LocalServer, clock: Clock, slept: list[float], tmp_path: Path) -> None:
    leap_day = START + 28 * DAY_MS
    market = Market(leap_day + 3 * DAY_MS)
    market.fill_minutes(leap_day + 23 * HOUR_MS, leap_day + 25 * HOUR_MS)
    with opened(server, "binance", market, clock, tmp_path) as place:
        found = place.download(CANDLES, leap_day + 23 * HOUR_MS, leap_day + 25 * HOUR_MS)
    assert [path.name for path in found.paths] == [
        "BTC-USDT-1m-20240229T230000Z-20240301T000000Z.csv",
        "BTC-USDT-1m-20240301T000000Z-20240301T010000Z.csv",
    ]
    assert (found.rows, found.missing) == (120, [])


def test_an_exchange_that_shows_its_newest_candles_only_is_not_asked_forever(kraken: Place) -> None:
    kraken.market.fill_minutes(START, START + 2 * DAY_MS)
    found = kraken.download(CANDLES, START, START + 2 * DAY_MS)
    newest = [START + DAY_MS + MINUTE_MS - number * MINUTE_MS for number in range(719, 0, -1)]
    assert lines(found, CANDLES) == list(map(candle_line, newest))
    assert found.missing == ["2024-02-01T00:00:00Z..2024-02-01T12:02:00Z"]
    kraken.server.asked.clear()
    assert kraken.download(CANDLES, START, START + 6 * HOUR_MS).paths == []
    assert len(kraken.asked("OHLC")) == 1, "what it shows lies behind the range: it has no more"


@pytest.mark.parametrize("name", ["binance", "kraken"])
def test_trades_come_each_once_over_the_borders_of_pages(
    name: str, server: LocalServer, market: Market, clock: Clock, slept: list[float], tmp_path: Path
) -> None:
    """Ten of each moment, so that moments lie across the borders of pages of a thousand and of days."""
    market.fill_trades([START + 20 * HOUR_MS + number // 10 * 41_000 for number in range(4_000)])
    with opened(server, name, market, clock, tmp_path) as place:
        found = place.download(TRADES, START + 20 * HOUR_MS, START + 2 * DAY_MS)
    end_ms = market.now_ms - 10_000
    assert lines(found, TRADES) == [trade_line(one) for one in market.trades if one.time_ms < end_ms]
    assert [path.name[-37:] for path in found.paths] == [
        "20240201T200000Z-20240202T000000Z.csv",
        "20240202T000000Z-20240202T000120Z.csv",
    ]
    assert found.missing == []


def test_a_thousand_trades_of_one_moment_are_too_many_for_time_and_not_for_ids(binance: Place, kraken: Place) -> None:
    binance.market.fill_trades([START + 5] * 2_500 + [START + 7])
    for place in (binance, kraken):
        found = place.download(TRADES, START, START + HOUR_MS)
        assert (found.rows, len(lines(found, TRADES))) == (2_501, 2_501)


def test_a_download_that_broke_off_goes_on_behind_its_last_row(binance: Place) -> None:
    binance.market.fill_trades([START + number // 4 * 1000 for number in range(5_000)])
    answer = binance.server.pages["api/v3/aggTrades"]
    left = [3]

    def breaking(asked: object) -> tuple[int, bytes]:
        left[0] -= 1
        return answer(asked) if left[0] >= 0 else (400, b'{"code":-1100,"msg":"illegal"}')  # type: ignore[arg-type]

    binance.server.pages["api/v3/aggTrades"] = breaking
    with pytest.raises(DownloadFailed, match=r"expected trades of binance, found .*illegal"):
        binance.download(TRADES, START, START + DAY_MS)
    (part,) = (binance.root / "binance" / "trades").iterdir()
    assert part.name.endswith(".part") and part.read_text().count("\n") == 3_001
    part.write_bytes(part.read_bytes()[:-7])
    binance.server.pages["api/v3/aggTrades"] = answer
    found = binance.download(TRADES, START, START + DAY_MS)
    assert lines(found, TRADES) == list(map(trade_line, binance.market.trades))
    assert found.rows == 5_000 - 2_999


def test_the_exchanges_own_rate_limit_is_kept(kraken: Place, slept: list[float]) -> None:
    kraken.market.fill_minutes(START, START + DAY_MS)
    slept.clear()
    kraken.download(CANDLES, START + 20 * HOUR_MS, START + DAY_MS)
    assert len(slept) == 2 and min(slept) > 0.5, "its clock and one page, a second or more apart"


def test_a_busy_exchange_is_asked_again_after_as_long_as_it_says(binance: Place, clock: Clock) -> None:
    binance.market.fill_minutes(START, START + HOUR_MS)
    binance.server.faults["api/v3/klines"] = [Status(429, {"Retry-After": "17"}), Status(503)]
    found = binance.download(CANDLES, START, START + HOUR_MS)
    assert found.rows == 60
    assert clock.slept == [17.0, 1.0]


def test_an_exchange_that_only_fails_ends_in_one_error(binance: Place) -> None:
    binance.server.faults["api/v3/klines"] = [Status(500)] * 6
    with pytest.raises(DownloadFailed, match=r"expected candles of binance, found ExchangeNotAvailable.* at 6 attempts in a row"):
        binance.download(CANDLES, START, START + HOUR_MS)


def test_a_range_that_has_not_begun_is_refused(binance: Place) -> None:
    with pytest.raises(UsageError, match="found one in the future"):
        binance.download(CANDLES, START + 3 * DAY_MS, START + 4 * DAY_MS)


def test_what_an_exchange_does_not_have_is_refused(binance: Place) -> None:
    with pytest.raises(UsageError, match=r"expected --interval to be one of 1s, 1m, .* for binance, found 7m"):
        make_series(binance.exchange, "BTC/USDT", CANDLES, "7m")
    with pytest.raises(UsageError, match="found 1M"):
        make_series(binance.exchange, "BTC/USDT", CANDLES, "1M")
    with pytest.raises(UsageError, match="expected no --interval for trades"):
        make_series(binance.exchange, "BTC/USDT", TRADES, "1m")
    with pytest.raises(UsageError, match="expected --what to be one of ohlcv, trades for an exchange"):
        make_series(binance.exchange, "BTC/USDT", "metrics", None)
