"""Venues' symbols, as archives write them, to the names of instruments.

Only what can be told for certain is here: the pair, the kind of contract, and what a contract is worth. Where
any of it depends on a list that changes (dated futures, contracts of a varying size), there is no name, and
the person has to say it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

# Quotes of symbols that have no sign between base and quote, the longer before what they end in.
_QUOTES: Final = (
    "USDT", "FDUSD", "USDC", "TUSD", "BUSD", "USD", "EUR", "GBP", "TRY", "BRL", "JPY", "BTC", "ETH", "BNB",
)  # fmt: skip
_RENAMED: Final = {"XBT": "BTC"}


class Named(NamedTuple):
    """An instrument that a file names, without tick and lot; `multiplier` is what a contract is worth."""

    name: str
    multiplier: str = "1"


class Pair(NamedTuple):
    base: str
    quote: str


Rule = Callable[[str], Named | None]


def name_of(archive: str, symbol: str) -> Named | None:
    """By the archive's word for the venue, such as "binance-futures", and its symbol; None where unsure."""
    rule = _RULES.get(archive)
    return rule(symbol.upper()) if rule else None


def _split_glued(symbol: str) -> Pair | None:
    for quote in _QUOTES:
        if symbol.endswith(quote) and symbol != quote and symbol.isalnum():
            return Pair(symbol.removesuffix(quote), quote)
    return None


def _spot(venue: str, sign: str = "") -> Rule:
    def rule(symbol: str) -> Named | None:
        parts = symbol.split(sign) if sign else []
        pair = (Pair(*parts) if len(parts) == 2 else None) if sign else _split_glued(symbol)
        return pair and Named(f"{_renamed(pair.base)}/{pair.quote}@{venue}")

    return rule


def _linear(venue: str) -> Rule:
    """Glued perpetuals that count in base; the dated ones have a sign and a date behind."""

    def rule(symbol: str) -> Named | None:
        pair = _split_glued(symbol)
        if pair is None or pair.quote not in ("USDT", "USDC", "BUSD", "FDUSD"):
            return None
        return Named(f"{pair.base}/{pair.quote}:{pair.quote}@{venue}")

    return rule


def _inverse(venue: str, suffix: str, worth: Callable[[str], str]) -> Rule:
    """Perpetuals on a base against the dollar, which a suffix tells from everything else."""

    def rule(symbol: str) -> Named | None:
        base = _renamed(symbol.removesuffix(suffix))
        if not symbol.endswith(suffix) or not base.isalnum():
            return None
        return Named(f"{base}/USD:{base}@{venue}", worth(base))

    return rule


def _first(*rules: Rule) -> Rule:
    return lambda symbol: next((named for rule in rules if (named := rule(symbol))), None)


def _renamed(base: str) -> str:
    return _RENAMED.get(base, base)


def _one_dollar(base: str) -> str:
    return "1"


def _hundred_or_ten(base: str) -> str:
    """What coin-margined venues agreed on: 100 dollars a contract of bitcoin, 10 of any other."""
    return "100" if base == "BTC" else "10"


_RULES: Final[dict[str, Rule]] = {
    "binance": _spot("binance"),
    "binance-futures": _linear("binance-linear"),
    "binance-delivery": _inverse("binance-inverse", "USD_PERP", _hundred_or_ten),
    "bitfinex": _spot("bitfinex"),
    # Other contracts of BitMEX are quantos, or count in units of their own.
    "bitmex": lambda symbol: Named("BTC/USD:BTC@bitmex") if symbol == "XBTUSD" else None,
    "bitstamp": _spot("bitstamp"),
    "bybit": _first(_linear("bybit-linear"), _inverse("bybit-inverse", "USD", _one_dollar)),
    "bybit-spot": _spot("bybit"),
    "coinbase": _spot("coinbase", "-"),
    "deribit": lambda symbol: (
        _inverse("deribit", "-PERPETUAL", _one_dollar)(symbol) if symbol[:4] in ("BTC-", "ETH-") else None
    ),
    "huobi-dm-swap": _inverse("huobi-inverse", "-USD", _hundred_or_ten),
    "kraken": _spot("kraken", "/"),
    "okex": _spot("okx", "-"),
    "okex-swap": _inverse("okx-inverse", "-USD-SWAP", _hundred_or_ten),
}
