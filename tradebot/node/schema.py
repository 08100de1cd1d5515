"""What a configuration may say: its keys, types, defaults and their meaning, as Structs.

The names, bounds and descriptions here are the JSON schema, the text of `config explain` and the
documentation: there is no second list. Numbers that money depends on are written as text, so that they stay
exact; the properties give them as integers. Defaults are pessimistic: the highest fees of the venue, 50 ms
each way, a wide spread where none is told, nothing borrowed.

Absent on purpose: secrets (only references to the vault), paths of the machine, and keys of parts that are
not built.
"""

from decimal import Decimal
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct, field

from tradebot.domain.instrument import AGAIN
from tradebot.domain.units import NS_PER_SECOND
from tradebot.node.node_schema import Node
from tradebot.node.values import (
    LatencyModel,
    Parameter,
    Rate,
    Target,
    parse_balances,
    parse_fraction,
    parse_fraction_from_zero,
    parse_fraction_positive,
    parse_from,
    parse_interval,
    parse_latency,
    parse_latency_model,
    parse_rate,
    parse_to,
    parse_use,
)

FeeAsset = Literal["quote", "base"]


class FeeRates(NamedTuple):
    """Fractions of a notional in 1e-8; negative is a rebate. `origin` says where they come from."""

    maker: int
    taker: int
    asset: str
    origin: str
    price: str | None = None

    @property
    def third(self) -> str:
        """The asset beside the pair that fees are paid in; nothing where there is none."""
        return "" if self.asset in ("quote", "base") else self.asset


class Latency(NamedTuple):
    """One way each."""

    order: LatencyModel
    answer: LatencyModel

    @property
    def order_ns(self) -> int:
        """The least."""
        return self.order.least_ns

    @property
    def answer_ns(self) -> int:
        return self.answer.least_ns


# The lowest tier of each venue's schedule, which has the highest fees; promotions are left out. A venue
# that is not listed costs more than any that is: a wrong guess then makes a backtest worse, not better.
FEES_OF_ACCOUNT: Final[dict[str, tuple[str, str, FeeAsset]]] = {
    "binance": ("0.1%", "0.1%", "base"),
    "bitstamp": ("0.3%", "0.4%", "quote"),
    "bybit": ("0.1%", "0.1%", "base"),
    "kraken": ("0.25%", "0.4%", "quote"),
    # Contracts, VIP 0 and the like; they always pay in the asset they settle in.
    "binance-inverse": ("0.02%", "0.05%", "quote"),
    "binance-linear": ("0.02%", "0.05%", "quote"),
    "bybit-inverse": ("0.02%", "0.055%", "quote"),
    "bybit-linear": ("0.02%", "0.055%", "quote"),
}
FEES_ELSEWHERE: Final[tuple[str, str, FeeAsset]] = ("0.5%", "0.5%", "quote")


def fraction_of(share: str) -> str:
    """ "1%" as "0.01"."""
    return f"{Decimal(parse_fraction(share)).scaleb(-8):f}"


# Of the notional: above what venues publish for the lowest tier of their larger contracts (0.4 % to 1 %).
MAINTENANCE_ELSEWHERE: Final = "1%"


class Tier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bracket of maintenance margin."""

    floor: Annotated[
        str, Meta(description="Notional above which it holds, in the asset the contract settles in.", examples=["0", "50000"])
    ]
    rate: Annotated[str, Meta(description="Share of the notional.", examples=["0.4%"])]


class Account(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the run trades and what it starts with."""

    venue: Annotated[str, Meta(description="The venue's name.", min_length=1, examples=["bitstamp"])]
    start: Annotated[
        str | list[str],
        Meta(description="What the account holds at the start: one amount or a list.", examples=["10000 USD"]),
    ]
    margin: Annotated[
        Literal["isolated", "cross"],
        Meta(description="isolated: each position has its own margin; cross: the balance backs all contracts. Spot has none."),
    ] = "isolated"
    leverage: Annotated[int, Meta(description="Notional over margin; spot has 1.", ge=1, le=200)] = 1
    maintenance: Annotated[
        str | list[Tier] | None,
        Meta(
            description="Maintenance margin of contracts: a share of the notional, or brackets by notional from a floor of 0; "
            "absent: the brackets of the instrument, where it has none 1 %.",
            examples=["1%"],
        ),
    ] = None
    key: Annotated[
        str | None,
        Meta(description="A reference to the venue's key, never the key itself.", examples=["vault:main"]),
    ] = None

    @property
    def balances(self) -> dict[str, int]:
        """Money units (1e-8) by asset, in the order written."""
        return parse_balances(self.start)

    @property
    def maintenance_tiers(self) -> list[tuple[str, str]] | None:
        """(floor, rate as a fraction) as text; None where the instrument decides."""
        if isinstance(self.maintenance, str):
            return [("0", fraction_of(self.maintenance))]
        return None if self.maintenance is None else [(tier.floor, fraction_of(tier.rate)) for tier in self.maintenance]


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stored facts the run sees."""

    from_: Annotated[
        str | None,
        Meta(
            description="First moment, UTC where no offset is written; absent: all that is stored.",
            examples=["2024-01-01", "2024-01-01T12:00:00Z"],
        ),
    ] = field(name="from", default=None)
    to: Annotated[
        str | None,
        Meta(
            description="End of the selection: a time is exclusive, a date means to the end of that day.",
            examples=["2024-06-30", "2024-06-30T12:00:00Z"],
        ),
    ] = None
    grade: Annotated[
        Literal["bars", "trades", "book"] | None,
        Meta(description="How fine the facts are that orders are matched on; absent: the finest that are stored."),
    ] = None
    bars: Annotated[
        str | None,
        Meta(
            description="At bar grade: the interval of the bars that fill; made of the trades where no such bars are stored. "
            "Absent: the smallest that is stored.",
            examples=["1m", "1s"],
        ),
    ] = None

    @property
    def from_ns(self) -> int | None:
        """Inclusive, nanoseconds since 1970 UTC."""
        return None if self.from_ is None else parse_from(self.from_)

    @property
    def to_ns(self) -> int | None:
        """Exclusive, nanoseconds since 1970 UTC."""
        return None if self.to is None else parse_to(self.to)

    @property
    def bars_ns(self) -> int | None:
        """Nanoseconds."""
        return None if self.bars is None else parse_interval(self.bars)


class Fees(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fees as a share of the notional."""

    maker: Annotated[str, Meta(description="Share paid where our order rested; negative is a rebate.", examples=["0.3%"])]
    taker: Annotated[str, Meta(description="Share paid where our order took.", examples=["0.4%"])]
    asset: Annotated[
        str,
        Meta(
            description='Asset that the fee of a spot buy is taken from, "quote" or "base" (a sale pays in quote); or another, '
            "such as BNB, in which all fees are paid while the account has it. Contracts pay in the asset they settle in.",
            examples=["quote", "base", "BNB"],
        ),
    ] = "quote"
    price: Annotated[
        str | None,
        Meta(description="What one of such another asset is worth in the quote (settle) asset.", examples=["600"]),
    ] = None


class Delays(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Latency each way: "50ms"; "20ms..80ms", drawn evenly; "20ms+15ms", at least the first with a mean excess of the second."""

    order: Annotated[str, Meta(description="From us to the matching engine.", examples=["50ms", "20ms..80ms", "20ms+15ms"])] = (
        "50ms"
    )
    answer: Annotated[str, Meta(description="From the matching engine to us.", examples=["50ms", "20ms..80ms", "20ms+15ms"])] = (
        "50ms"
    )
    seed: Annotated[int, Meta(description="Of the draws.", ge=0, le=2**63 - 1)] = 1
    recorded: Annotated[
        str | None,
        Meta(
            description="A CSV file of measured latencies, in the place of both: time_ns,order_ns,answer_ns.",
            examples=["latencies.csv"],
        ),
    ] = None


class Costs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What trading costs: fees, delay, the place in the queue, funding."""

    fees: Annotated[
        str | Fees,
        Meta(
            description='"account": the lowest tier of the venue; or a table of maker and taker.',
            examples=["account"],
        ),
    ] = "account"
    latency: Annotated[
        str | Delays,
        Meta(description="Delay each way; or a table of order and answer.", examples=["50ms", "20ms..80ms"]),
    ] = "50ms"
    queue: Annotated[
        Literal["risk-averse", "power", "log"],
        Meta(description="Where our order stands in a level of which only the total is told; order by order it is exact."),
    ] = "risk-averse"
    queue_power: Annotated[
        float, Meta(description='Exponent of the queue model "power", in halves.', ge=0.5, le=10.0, multiple_of=0.5)
    ] = 3.0
    fills: Annotated[
        Literal["partial", "whole"],
        Meta(description="In such a level: fill what reaches our order, or all of it as soon as anything does."),
    ] = "partial"
    spread: Annotated[
        str,
        Meta(description="Where no book is told: the spread, a share of the price; a market order pays half.", examples=["0.1%"]),
    ] = "0.1%"
    slippage: Annotated[
        str, Meta(description="At bar grade: what a market order pays beyond that, a share of the price.", examples=["0.05%"])
    ] = "0.05%"
    participation: Annotated[
        str, Meta(description="At bar grade: the share of a bar's volume that our orders may take.", examples=["10%"])
    ] = "10%"
    funding: Annotated[
        Literal["recorded", "none"],
        Meta(description="Funding of perpetuals, from recorded settlements, which must be there; or left out. Spot has none."),
    ] = "recorded"

    @property
    def latency_ns(self) -> Latency:
        if isinstance(self.latency, str):
            return Latency(parse_latency_model(self.latency), parse_latency_model(self.latency))
        return Latency(parse_latency_model(self.latency.order), parse_latency_model(self.latency.answer))

    @property
    def half_spread(self) -> int:
        """In 1e-8 of the price, rounded up."""
        return -(-parse_fraction_from_zero(self.spread) // 2)

    @property
    def slippage_fraction(self) -> int:
        """In 1e-8 of the price."""
        return parse_fraction_from_zero(self.slippage)

    @property
    def participation_fraction(self) -> int:
        """In 1e-8 of a bar's volume."""
        return parse_fraction_positive(self.participation)

    def fee_rates(self, venue: str) -> FeeRates:
        """What the account pays at `venue`, in 1e-8 of the notional."""
        if isinstance(self.fees, Fees):
            return FeeRates(
                parse_fraction(self.fees.maker),
                parse_fraction(self.fees.taker),
                self.fees.asset,
                "configured",
                self.fees.price,
            )
        venue = venue.removesuffix(f"-{AGAIN}")  # told again by a node, and traded as there
        maker, taker, asset = FEES_OF_ACCOUNT.get(venue, FEES_ELSEWHERE)
        known = venue in FEES_OF_ACCOUNT
        origin = f"lowest tier of {venue}" if known else f"assumed: {venue} is not in the fee table"
        return FeeRates(parse_fraction(maker), parse_fraction(taker), asset, origin)


class Risk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the risk gate lets pass. An absent maximum leaves the account's balance as the only bound."""

    quantity_max: Annotated[
        str | None, Meta(description="Largest order that does not only reduce, in the base asset.", examples=["2"])
    ] = None
    notional_max: Annotated[
        str | None, Meta(description="Largest order that does not only reduce, in the quote asset.", examples=["50000"])
    ] = None
    position_max: Annotated[
        str | None,
        Meta(description="Largest position, open orders counted as filled, in the base asset.", examples=["5"]),
    ] = None
    price_band: Annotated[str, Meta(description="How far a limit may lie from the middle price.", examples=["5%"])] = "5%"
    order_rate: Annotated[str, Meta(description="Orders per time, for each account.", examples=["100/s", "10/100ms"])] = "100/s"
    orders_open_max: Annotated[int, Meta(description="Orders open at once.", ge=1, le=1_000_000)] = 200
    stop_trigger: Annotated[
        Literal["last", "mark"], Meta(description="What triggers of conditional orders watch: the last trade, or the mark price.")
    ] = "last"
    trading_state: Annotated[
        Literal["active", "reducing", "halted"],
        Meta(description="The state to start in: reducing only brings positions nearer to zero."),
    ] = "active"

    @property
    def price_band_fraction(self) -> int:
        """In 1e-8 of the middle price."""
        return parse_fraction(self.price_band)

    @property
    def order_rate_max(self) -> Rate:
        return parse_rate(self.order_rate)


class StrategyUse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy of the run."""

    use: Annotated[
        str,
        Meta(
            description="module:Class, or path/file.py:Class with the path relative to this file's folder.",
            examples=["strategies/ma_cross.py:MaCross", "tradebot.strategies.maker:Maker"],
        ),
    ]
    instruments: Annotated[
        list[str],
        Meta(description="What it trades, one or more.", min_length=1, examples=[["BTC/USD@bitstamp"]]),
    ]
    name: Annotated[str, Meta(description="Its name in reports and facts; absent: the class name in lower case.")] = ""
    params: Annotated[dict[str, Parameter], Meta(description="Values for the strategy's Params.", examples=[{"fast": 12}])] = {}

    @property
    def target(self) -> Target:
        return parse_use(self.use)

    def instrument_names(self, venue: str) -> list[str]:
        """Full names: "BTC/USD" becomes "BTC/USD@venue"."""
        return [text if "@" in text else f"{text}@{venue}" for text in self.instruments]


class Grid(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run again under other costs, for the table of net by fee and latency."""

    fees: Annotated[list[str], Meta(description="Shares of the notional, maker and taker alike.", min_length=1)] = field(
        default_factory=lambda: ["0%", "0.02%", "0.1%", "0.3%"]
    )
    latencies: Annotated[list[str], Meta(description="Delays each way.", min_length=1)] = field(
        default_factory=lambda: ["1ms", "50ms", "250ms"]
    )

    @property
    def fee_fractions(self) -> list[int]:
        """In 1e-8 of the notional."""
        return [parse_fraction(text) for text in self.fees]

    @property
    def latencies_ns(self) -> list[int]:
        return [parse_latency(text) for text in self.latencies]


class Report(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written beside the facts."""

    sample: Annotated[
        str,
        Meta(description='Interval of the equity curve, or "auto" by the length of the run.', examples=["1s"]),
    ] = "auto"
    grid: Annotated[
        bool | Grid,
        Meta(description="Run again under other fees and latencies: true, or a table of fees and latencies."),
    ] = False

    @property
    def sample_ns(self) -> int | None:
        """Nanoseconds; None where the run's length decides."""
        return None if self.sample == "auto" else parse_interval(self.sample)

    @property
    def grid_wanted(self) -> Grid | None:
        """The grid to run, with its defaults where it is only switched on."""
        if isinstance(self.grid, Grid):
            return self.grid
        return Grid() if self.grid else None


class Download(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `data download` fetches; no run depends on it."""

    archive_url: Annotated[
        str,
        Meta(description="Base URL of Binance's public archive.", min_length=1, examples=["https://mirror.example"]),
    ] = "https://data.binance.vision"
    exchange_urls: Annotated[
        dict[str, str],
        Meta(
            description="Base URL of an exchange by its ccxt name, in the place of its own.",
            examples=[{"kraken": "https://mirror.example"}],
        ),
    ] = {}
    requests_per_s: Annotated[
        int, Meta(description="Requests a second to the archive; exchanges have their own limit.", ge=1, le=100)
    ] = 10
    timeout: Annotated[str, Meta(description="Silence after which a connection is cut off.", examples=["30s"])] = "30s"
    attempts: Annotated[int, Meta(description="Tries in a row that bring nothing.", ge=1, le=100)] = 6

    @property
    def timeout_s(self) -> float:
        """Seconds."""
        return parse_interval(self.timeout) / NS_PER_SECOND


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run of tradebot."""

    account: Annotated[Account, Meta(description="Where the run trades and what it starts with.")]
    strategy: Annotated[list[StrategyUse], Meta(description="The strategies, each a [[strategy]] table.", min_length=1)]
    store: Annotated[
        str | None,
        Meta(
            description="The server that ticks and results are on, and where its password is; absent: the home's own store.",
            examples=["clickhouse://tradebot@db.example:8123/ticks?password=env:STORE_PASSWORD"],
        ),
    ] = None
    mode: Annotated[
        Literal["backtest", "sandbox", "live"],
        Meta(description="Which clock, source and outlet the engine gets: the only line that changes."),
    ] = "backtest"
    data: Annotated[Data, Meta(description="Which stored facts the run sees.")] = field(default_factory=Data)
    costs: Annotated[Costs, Meta(description="What trading costs.")] = field(default_factory=Costs)
    risk: Annotated[Risk, Meta(description="What the risk gate lets pass.")] = field(default_factory=Risk)
    report: Annotated[Report, Meta(description="What is written beside the facts.")] = field(default_factory=Report)

    download: Annotated[Download, Meta(description="How `data download` fetches.")] = field(default_factory=Download)
    node: Annotated[Node, Meta(description="How `tradebot run` runs.")] = field(default_factory=Node)

    @property
    def fee_rates(self) -> FeeRates:
        return self.costs.fee_rates(self.account.venue)
