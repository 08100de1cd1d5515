"""What is traded: an instrument *version*, which fixes the tick, the lot and the multiplier.

Kinds: ``spot`` (base against quote), ``linear`` (a contract on base, margined and settled in quote) and ``inverse`` (a contract
worth `multiplier` units of quote a lot of one, margined and settled in base). The name carries the kind as ccxt writes
it: ``BTC/USDT``, ``BTC/USDT:USDT``, ``BTC/USD:BTC``. A date behind it, ``BTC/USDT:USDT-240628``, is a future: a contract that
settles no funding.

A change of any of them is a new version with a new `id`; rows in the store carry that id, so old rows keep their
meaning. `name` is how people write it: the unified symbol, an at sign, the venue: ``BTC/USD@bitstamp``.
"""

from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from msgspec import Struct

from tradebot.domain.units import parse_decimal, steps_exactly, steps_text, value_ratio

AGAIN = "again"
"""Behind the venue of facts that are told a second time."""

SPOT = "spot"
LINEAR = "linear"
INVERSE = "inverse"


class Instrument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One version of one instrument.

    Prices count ticks of `tick` quote units. Quantities count lots: of `lot` base units where it is spot, of `lot` contracts
    where it is a contract, and a contract is `multiplier` units of base (linear) or of quote (inverse).
    """

    id: int
    symbol: str
    venue: str
    base: str
    quote: str
    tick: str
    lot: str
    kind: str = SPOT
    multiplier: str = "1"
    version: int = 1
    valid_from_ns: int = 0
    quantity_min: str = "0"
    notional_min: str = "0"
    margin_tiers: list[tuple[str, str]] = []
    """Of maintenance margin: (notional in the settle asset above which it holds, share of the notional), the first from "0"."""

    @property
    def name(self) -> str:
        return f"{self.symbol}@{self.venue}"

    @cached_property
    def tick_size(self) -> Decimal:
        return parse_decimal(self.tick)

    @cached_property
    def lot_size(self) -> Decimal:
        return parse_decimal(self.lot)

    @property
    def is_contract(self) -> bool:
        return self.kind != SPOT

    @property
    def is_perpetual(self) -> bool:
        """A contract that settles funding: it has no date."""
        return self.is_contract and "-" not in self.symbol.partition(":")[2]

    @property
    def settle(self) -> str:
        """The asset in which profit, fees and margin are counted."""
        return self.base if self.kind == INVERSE else self.quote

    @property
    def unit(self) -> str:
        """What a quantity counts, in words."""
        return "contracts" if self.is_contract else self.base

    @cached_property
    def notional_ratio(self) -> tuple[int, int]:
        """(n, d): ticks * lots * n / d is a notional in money units of the quote asset; of an inverse contract
        lots * n / (ticks * d) is one in money units of the base asset."""
        if self.kind == INVERSE:
            return value_ratio(1 / Fraction(self.tick_size), self.lot_size, parse_decimal(self.multiplier))
        return value_ratio(self.tick_size, self.lot_size, parse_decimal(self.multiplier))

    @cached_property
    def base_ratio(self) -> tuple[int, int]:
        """(n, d): lots * n / d is an amount in money units of the base asset; of an inverse contract, of the quote asset."""
        return value_ratio(Decimal(1), self.lot_size, parse_decimal(self.multiplier) if self.is_contract else Decimal(1))

    def ticks(self, text: str) -> int:
        """A price in ticks. Raises ValueError where the text is off the grid or not a number."""
        return steps_exactly(parse_decimal(text), self.tick_size)

    def lots(self, text: str) -> int:
        """A quantity in lots. Raises ValueError where the text is off the grid or not a number."""
        return steps_exactly(parse_decimal(text), self.lot_size)

    def price_text(self, ticks: int) -> str:
        return steps_text(ticks, self.tick_size)

    def quantity_text(self, lots: int) -> str:
        return steps_text(lots, self.lot_size)


def split_name(text: str) -> tuple[str, str | None]:
    """("BTC/USD", "bitstamp") from "BTC/USD@bitstamp"; the venue is None where it is not named."""
    symbol, _, venue = text.partition("@")
    return symbol, venue or None
