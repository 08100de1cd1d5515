"""The REST ends of two exchanges, as far as history needs them, served from one made-up market.

Candles and trades are a function of their number, so that a test can say what must arrive. Binance shows candles from a time
on, and trades of an hour from a time on or any from an id on; Kraken shows its newest 720 candles whatever is asked, and
trades behind a cursor in nanoseconds.
"""

import json
from dataclasses import dataclass, field

from tests.venues.local_server import Asked, LocalServer

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

Body = tuple[int, bytes]


def candle_texts(number: int) -> list[str]:
    """Open, high, low, close, volume; zeros at the end are part of the text."""
    base = 40_000 + number % 97
    return [f"{base}.10", f"{base + 5}.00", f"{base - 5}.25", f"{base + 1}.50", f"0.{number % 1000:03}00000"]


@dataclass
class Trade:
    """One trade of the made-up market."""

    time_ms: int
    id: int
    side: str
    price: str
    amount: str


@dataclass
class Market:
    """Minutes and trades, and what the exchange's clock says."""

    now_ms: int
    minutes: list[int] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    def fill_minutes(self, start_ms: int, end_ms: int, without: range = range(0)) -> None:
        """A candle a minute; the numbers in `without` have none."""
        every = range(start_ms, end_ms, MINUTE_MS)
        self.minutes += [time_ms for number, time_ms in enumerate(every) if number not in without]

    def fill_trades(self, times_ms: list[int]) -> None:
        for time_ms in times_ms:
            number = len(self.trades)
            side = "sell" if number % 3 else "buy"
            self.trades.append(Trade(time_ms, 1000 + number, side, f"4000{number % 10}.10", f"0.{number % 89 + 1:03}00"))


def candle_line(time_ms: int) -> str:
    """The line of a file that the minute at `time_ms` must become."""
    return ",".join([str(time_ms), *candle_texts(time_ms // MINUTE_MS)])


def trade_line(trade: Trade) -> str:
    return f"{trade.time_ms},{trade.id},{trade.side},{trade.price},{trade.amount}"


def _json(value: object) -> Body:
    return 200, json.dumps(value).encode()


def serve_binance(server: LocalServer, market: Market) -> None:
    """Spot of Binance with one symbol; the futures have none."""
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001000"},
    ]
    symbol = {
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "baseAssetPrecision": 8,
        "quoteAssetPrecision": 8, "isSpotTradingAllowed": True, "permissions": ["SPOT"], "filters": filters,
    }  # fmt: skip
    pages = server.pages
    pages["api/v3/exchangeInfo"] = lambda asked: _json({"symbols": [symbol]})
    pages["fapi/v1/exchangeInfo"] = pages["dapi/v1/exchangeInfo"] = lambda asked: _json({"symbols": []})
    pages["api/v3/time"] = lambda asked: _json({"serverTime": market.now_ms})

    def klines(asked: Asked) -> Body:
        start, limit = int(asked.query["startTime"]), int(asked.query["limit"])
        assert asked.query["interval"] == "1m"
        times = [time_ms for time_ms in market.minutes if start <= time_ms <= market.now_ms][:limit]
        return _json([[at, *candle_texts(at // MINUTE_MS), at + MINUTE_MS - 1, "1", 1, "1", "1", "0"] for at in times])

    def trades(asked: Asked) -> Body:
        query = {name: int(text) for name, text in asked.query.items() if name != "symbol"}
        assert ("fromId" in query) != ("startTime" in query), "an exchange refuses both"
        if "fromId" in query:
            found = [trade for trade in market.trades if trade.id >= query["fromId"]]
        else:
            found = [trade for trade in market.trades if query["startTime"] <= trade.time_ms <= query["endTime"]]
        rows = [
            {"a": one.id, "p": one.price, "q": one.amount, "f": 1, "l": 1, "T": one.time_ms, "m": one.side == "sell"}
            for one in found[: query["limit"]]
        ]
        return _json(rows)

    pages["api/v3/klines"] = klines
    pages["api/v3/aggTrades"] = trades


def serve_kraken(server: LocalServer, market: Market, page_rows: int = 1000) -> None:
    """Kraken with one pair."""
    pair = {
        "altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1, "lot_decimals": 8,
        "lot_multiplier": 1, "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "ordermin": "0.00005", "tick_size": "0.1",
        "status": "online", "leverage_buy": [], "leverage_sell": [],
    }  # fmt: skip
    assets = {
        name: {"aclass": "currency", "altname": name[1:], "decimals": 10, "display_decimals": 5, "status": "enabled"}
        for name in ("XXBT", "ZUSD")
    }
    pages = server.pages
    pages["0/public/Assets"] = lambda asked: _json({"error": [], "result": assets})
    pages["0/public/AssetPairs"] = lambda asked: _json({"error": [], "result": {"XXBTZUSD": pair}})
    pages["0/public/Time"] = lambda asked: _json({"error": [], "result": {"unixtime": market.now_ms // 1000}})

    def candles(asked: Asked) -> Body:
        assert asked.query["interval"] == "1"
        newest = [time_ms for time_ms in market.minutes if time_ms <= market.now_ms][-720:]
        rows = []
        for time_ms in newest:
            open_, high, low, close, volume = candle_texts(time_ms // MINUTE_MS)
            rows.append([time_ms // 1000, open_, high, low, close, "0", volume, 1])
        return _json({"error": [], "result": {"XXBTZUSD": rows, "last": newest[-1] // 1000}})

    def trades(asked: Asked) -> Body:
        since = int(asked.query["since"])
        found = [trade for trade in market.trades if cursor_of(trade) > since][:page_rows]
        rows = [
            [one.price, one.amount, one.time_ms / 1000, one.side[0], "m", "", one.id] for one in found
        ]
        last = cursor_of(found[-1]) if found else since
        return _json({"error": [], "result": {"XXBTZUSD": rows, "last": str(last)}})

    def cursor_of(trade: Trade) -> int:
        """Trades of one millisecond differ in their nanoseconds."""
        return trade.time_ms * 1_000_000 + trade.id % 1_000_000

    pages["0/public/OHLC"] = candles
    pages["0/public/Trades"] = trades
