"""A run before it starts: everything that decides what it will do, except the strategies' code and the facts.

A plan is plain data, so it can be hashed into a run's identity, written into its manifest, and built twice into engines that
behave alike.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum
from typing import Final

from msgspec import Struct

from tradebot._core.kernel import Kernel
from tradebot._core.latency import LatencyKind
from tradebot._core.live import Live
from tradebot._core.merge import Merge
from tradebot._core.queue_model import QueueKind
from tradebot._core.simulator import Simulator
from tradebot.domain.instrument import INVERSE, LINEAR, SPOT, Instrument
from tradebot.domain.orders import TradingState, client_order_id
from tradebot.domain.units import parse_decimal, steps_exactly
from tradebot.strategies.strategy import Strategy

FEE_SCALE: Final = 10**8
NO_ASSET: Final = 65_535
KINDS: Final = {SPOT: 0, LINEAR: 1, INVERSE: 2}
ACCOUNT: Final = 1
FEED_LAG_MAX_NS: Final = 10_000_000_000


class Limits(Struct, frozen=True, kw_only=True):
    """What one strategy may do in one instrument; 0 is no limit. Lots, money units of quote, fractions in 1e-8."""

    quantity_max: int = 0
    notional_max: int = 0
    position_max: int = 0
    band: int = 0
    orders_open_max: int = 0


class Place(Struct, frozen=True):
    """Where one strategy sits: the instruments it trades, by index, the first its default, and its limits for each."""

    markets: list[int]
    limits: list[Limits]


class Latency(Struct, frozen=True, kw_only=True):
    """How long messages of one direction take, where it is not constant: as `_core.latency` says."""

    kind: int
    least_ns: int = 0
    spread_ns: int = 0
    seed: int = 0
    times_ns: list[int] = []
    values_ns: list[int] = []

    def spec(self) -> tuple[int, int, int, int, list[int], list[int]]:
        return self.kind, self.least_ns, self.spread_ns, self.seed, self.times_ns, self.values_ns


class Grade(IntEnum):
    """What orders are matched on: the numbers are those of `_core.venue`."""

    BOOK = 0
    BARS = 1
    TRADES = 2


class Margin(Struct, frozen=True, kw_only=True):
    """What backs the contracts of one instrument. Tiers of maintenance margin are (floor, rate, amount): money units of the
    settle asset and fractions in 1e-8, as `_core.margin` takes them.
    """

    leverage: int = 1
    is_cross: bool = False
    tiers: list[tuple[int, int, int]]

    def row(self) -> tuple[int, bool, list[tuple[int, int, int]]]:
        return self.leverage, self.is_cross, self.tiers


class Plan(Struct, frozen=True, kw_only=True):
    """A run over one account. `opening` is in money units by asset; fees are fractions in 1e-8, latencies ns.

    A latency model stands in the place of the constant latency of its direction. `queue` counts where data tells levels. Without
    a book a market order pays `half_spread`, and by bars also `slippage`, beyond the price that is told, and ours take at most
    `participation` of a bar's volume, all in 1e-8; `bars_ns` is the interval of the bars that fill, by instrument.
    `margins` has one entry per instrument, None for spot; empty where all are. `fee_asset` is a third asset that fees are paid
    in, and one of it is worth `fee_worth` (a ratio) of the settle asset.
    """

    instruments: list[Instrument]
    opening: dict[str, int]
    places: list[Place]
    maker_fee: int
    taker_fee: int
    fee_in_base: bool
    order_latency_ns: int
    answer_latency_ns: int
    order_latency: Latency | None = None
    answer_latency: Latency | None = None
    queue: int = int(QueueKind.RISK_AVERSE)
    queue_half_powers: int = 6
    whole_fills: bool = False
    grade: int = int(Grade.BOOK)
    half_spread: int = 0
    slippage: int = 0
    participation: int = FEE_SCALE
    bars_ns: list[int] = []
    rate_orders: int = 0
    rate_interval_ns: int = 1
    worst_band: int = FEE_SCALE // 20
    trading_state: int = int(TradingState.ACTIVE)
    triggers_by_mark: bool = False
    sample_interval_ns: int = 0
    margins: list[Margin | None] = []
    pays_funding: bool = True
    fee_asset: str = ""
    fee_worth: tuple[int, int] = (1, 1)
    epoch: int = 1

    @property
    def paid_beyond(self) -> int:
        """What a market order pays beyond the price told, in 1e-8 of it."""
        return self.half_spread + (self.slippage if self.grade == Grade.BARS else 0)

    @property
    def feed_lag_max_ns(self) -> int:
        """How long after the venue showed it a fact may come; a bar is told an interval after it opened, or later."""
        return max([FEED_LAG_MAX_NS, *(2 * one for one in self.bars_ns)])

    @property
    def assets(self) -> list[str]:
        """Names by asset number: sorted, so that numbers do not depend on how the configuration is written."""
        names = {name for one in self.instruments for name in (one.base, one.quote)}
        return sorted(names | set(self.opening) | ({self.fee_asset} if self.fee_asset else set()))

    @property
    def fee_asset_row(self) -> tuple[int, int, int]:
        """As ledger and simulated venue take it."""
        return (self.assets.index(self.fee_asset) if self.fee_asset else NO_ASSET, *self.fee_worth)


def core_terms(instrument: Instrument, assets: Sequence[str]) -> tuple[int, ...]:
    """An instrument as `_core.instrument` takes it."""
    tick, lot = instrument.tick_size.as_integer_ratio(), instrument.lot_size.as_integer_ratio()
    return (
        instrument.id,
        assets.index(instrument.base),
        assets.index(instrument.quote),
        *tick,
        *lot,
        *instrument.notional_ratio,
        *instrument.base_ratio,
        instrument.lots(instrument.quantity_min),
        _money(instrument.notional_min),
        KINDS[instrument.kind],
    )


def margin_tiers(rates: Sequence[tuple[str, str]]) -> list[tuple[int, int, int]]:
    """Tiers with their amounts from (floor, rate) as an instrument has them: so much is taken off that the margin does not jump.

    An amount that is no whole money unit is rounded down, which asks for more margin. Raises ValueError where floors and rates do
    not rise from "0" on.
    """
    tiers: list[tuple[int, int, int]] = []
    for floor_text, rate_text in rates:
        floor, rate = _money(floor_text), steps_exactly(parse_decimal(rate_text) * FEE_SCALE, Decimal(1))
        before = tiers[-1] if tiers else (0, 0, 0)
        rises = floor > before[0] and rate > before[1] if tiers else floor == 0
        if not rises or not 0 < rate < FEE_SCALE:
            raise ValueError(f"expected tiers whose floors and rates rise from a floor of 0, found {floor_text} and {rate_text}")
        tiers.append((floor, rate, before[2] + floor * (rate - before[1]) // FEE_SCALE))
    if not tiers:
        raise ValueError("expected at least one tier of maintenance margin, found none")
    return tiers


def make_merge(plan: Plan, strategies: Sequence[Strategy]) -> Merge:
    """Build engine, simulated venue and the merge of both over stored facts."""
    return Merge(make_kernel(plan, strategies), make_simulator(plan), plan.sample_interval_ns, plan.feed_lag_max_ns)


def make_live(plan: Plan, strategies: Sequence[Strategy]) -> Live:
    """Build an engine over facts that arrive; its venue is elsewhere."""
    return Live(make_kernel(plan, strategies))


def make_kernel(plan: Plan, strategies: Sequence[Strategy]) -> Kernel:
    """Build the engine, with its strategies seated."""
    assert len(strategies) == len(plan.places)
    assets = plan.assets
    kernel = Kernel(
        [core_terms(one, assets) for one in plan.instruments],
        [one.name for one in plan.instruments],
        [plan.opening.get(asset, 0) for asset in assets],
        len(strategies),
        (plan.rate_orders, plan.rate_interval_ns),
        max(plan.maker_fee, plan.taker_fee, 0),
        plan.fee_in_base,
        plan.worst_band,
        client_order_id(ACCOUNT, plan.epoch, 1) - 1,
        [None if one is None else one.row() for one in plan.margins],
        plan.fee_asset_row,
    )
    kernel.set_trading_state(plan.trading_state)
    kernel.set_triggers_by_mark(plan.triggers_by_mark)
    for strategy, place in zip(strategies, plan.places, strict=True):
        kernel.seat(strategy, Strategy, place.markets, [_limits(limits) for limits in place.limits])
    return kernel


def make_simulator(plan: Plan) -> Simulator:
    """Build the simulated venue."""
    assets = plan.assets
    return Simulator(
        [core_terms(one, assets) for one in plan.instruments],
        _latency(plan.order_latency, plan.order_latency_ns),
        _latency(plan.answer_latency, plan.answer_latency_ns),
        plan.maker_fee,
        plan.taker_fee,
        plan.fee_in_base,
        plan.queue,
        plan.queue_half_powers,
        plan.whole_fills,
        (plan.grade, plan.paid_beyond, plan.participation, plan.bars_ns),
        margins=[None if one is None else one.row() for one in plan.margins],
        opening=[plan.opening.get(asset, 0) for asset in assets],
        strategies=len(plan.places),
        pays_funding=plan.pays_funding,
        fee_asset=plan.fee_asset_row,
    )


def _latency(model: Latency | None, constant_ns: int) -> tuple[int, int, int, int, list[int], list[int]]:
    return (model or Latency(kind=int(LatencyKind.CONSTANT), least_ns=constant_ns)).spec()


def _limits(limits: Limits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in limits.__struct_fields__}


def _money(text: str) -> int:
    from tradebot.domain.units import money_from_text

    return money_from_text(text)
