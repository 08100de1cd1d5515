"""The face that a user writes: a class with Params, State and callbacks, and nothing about where it runs.

A strategy gets facts by callback and asks for orders; the same class runs in a backtest, a sandbox session and live. What
it may rely on:

- a callback that it does not override costs nothing;
- what it asks for takes effect when the callback returns, all of it, or none if it raises;
- `self.state` is the only thing that survives a restart, and it is a declared msgspec Struct; indicators and timers are
  declared in `on_start`, which runs again after a restart, before state, indicators and timers are put back;
- views (`trade`, `book`, `bar`, `order`, `fill`, ...) show core memory and are shut when the callback returns;
- time is `self.time_ns`. A strategy that asks a clock, or chance, does not replay.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from tradebot._core.bars import BarSeries
from tradebot._core.trader import Trader
from tradebot.domain.errors import NotBuiltYet
from tradebot.domain.params import NoParams, make_params
from tradebot.domain.units import parse_duration

if TYPE_CHECKING:
    from tradebot._core.views import (
        BarView,
        BookView,
        FeedView,
        FillView,
        OrderView,
        PositionView,
        RejectView,
        TimerView,
        TradeView,
    )

__all__ = ["Int", "NoParams", "NoState", "Real", "Strategy", "Struct"]

# What an order will take later, and with what.
_LATER: Final = {
    "risk": "position sizing comes with the risk layer; until then give quantity= or notional=",
}

_SNAPSHOT_EVERY: Final = msgspec.msgpack.Encoder(order="deterministic")


if TYPE_CHECKING:
    # A type checker reads Int[5, 50] as an int; the bounds are data for search, schema and docs.
    Int = Annotated[int, ...]
    Real = Annotated[float, ...]
else:

    class Int:
        """`Int[5, 50]`: a whole number with bounds that are also its search space."""

        def __class_getitem__(cls, bounds: tuple[int, int]) -> object:
            low, high = bounds
            return Annotated[int, Meta(ge=low, le=high)]

    class Real:
        """`Real[0.1, 2.0]`: a number with bounds that are also its search space."""

        def __class_getitem__(cls, bounds: tuple[float, float]) -> object:
            low, high = bounds
            return Annotated[float, Meta(ge=low, le=high)]


class NoState(Struct):
    """The State of a strategy that declares none."""


class Strategy(Trader):
    """Subclass it, declare Params and State, and override the callbacks you need.

    Orders: `buy`, `sell`, `target_position`, `close`, `amend`, `cancel`, `cancel_all`; what guards a position: `stop_loss=`,
    `take_profit=`, `trail=` of an entry, or `protect`; what is open: `open_orders`, `order_price`, `order_remaining`,
    `position`; the market: `book`, `bars`; time: `time_ns`, `every`, `after`.
    """

    Params: ClassVar[type[Struct]] = NoParams
    State: ClassVar[type[Struct]] = NoState

    params: Any
    state: Any

    def __init__(self, params: Mapping[str, object] | Struct | None = None) -> None:
        if isinstance(params, Struct):
            params = msgspec.structs.asdict(params)
        self.params = make_params(type(self), self.Params, params or {})
        self.state = self.State()

    def bars(
        self,
        interval: str | None = None,
        warmup: int = 0,
        instrument: str | None = None,
        *,
        ticks: int | None = None,
        volume: float | None = None,
        notional: float | None = None,
        by: str = "receive",
        grace: str = "1s",
        restatements: bool = False,
        source: str | None = None,
    ) -> BarSeries:
        """Follow bars, declared in on_start; `on_bar` is first called when more than `warmup` of them have closed.

        One of: `interval` ("5s", "1m"), `ticks` (number of trades), `volume` (base units), `notional` (quote units).
        `by`: "receive", or "venue" for bars that equal the venue's own, closed `grace` after their end. `source`: "trades", or
        the interval of the stored bars to build from; left out, what comes first decides. `restatements`: `on_bar` is also
        told bars that late facts changed, with `bar.restated` true. The rules are at the head of _core/bars.pyx.
        Raises ValueError on a malformed call.
        """
        if by not in ("receive", "venue"):
            raise ValueError(f'expected by="receive" or by="venue", found {by!r}')
        source_ns = None if source is None else 0 if source == "trades" else parse_duration(source)
        if interval is not None and ticks is None and volume is None and notional is None:
            by_venue = by == "venue"
            grace_ns = parse_duration(grace) if by_venue else 0
            return self.bars_of(
                parse_duration(interval), warmup, instrument,
                by_venue=by_venue, grace_ns=grace_ns, restatements=restatements, source_ns=source_ns,
            )  # fmt: skip
        if interval is not None or by != "receive" or restatements or source_ns:
            raise ValueError(
                "expected one of interval, ticks=, volume= and notional=; by=, restatements= and stored bars are for an interval"
            )
        return self.bars_by_size(ticks, volume, notional, warmup, instrument, from_trades=source_ns == 0)

    def timer(self, interval: str) -> int:
        """Call `on_timer` each `interval` ("250ms"); returns the timer's number."""
        return self.every(parse_duration(interval))

    def refuse(self, later: dict[str, object]) -> None:
        """Say by name what an order cannot take yet."""
        for name, value in later.items():
            if value is not None:
                raise NotBuiltYet(f"{name}= is not built yet: {_LATER[name]}")
        super().refuse(later)

    def save_state(self) -> bytes:
        """State as bytes for a snapshot."""
        return _SNAPSHOT_EVERY.encode(self.state)

    def check_state(self, body: bytes) -> None:
        """Raises msgspec.ValidationError where a State that was saved could not be taken back: a field has not the type that it
        is declared with.
        """
        msgspec.msgpack.decode(body, type=self.State)

    def load_state(self, body: bytes) -> None:
        """Take State back. Raises msgspec.ValidationError where its fields have changed their types."""
        self.state = msgspec.msgpack.decode(body, type=self.State)

    def on_start(self) -> None:
        """Before the first fact; declare bars, indicators and timers here."""

    def on_trade(self, trade: "TradeView") -> None:
        """A trade at the venue."""

    def on_book(self, book: "BookView") -> None:
        """The book changed, anywhere."""

    def on_quote(self, book: "BookView") -> None:
        """The best bid or ask changed, in price or size."""

    def on_bar(self, bar: "BarView") -> None:
        """A bar closed."""

    def on_timer(self, timer: "TimerView") -> None:
        """A timer fired."""

    def on_order(self, order: "OrderView") -> None:
        """One of the strategy's orders was accepted, changed, triggered, filled or cancelled."""

    def on_fill(self, fill: "FillView") -> None:
        """One of the strategy's orders traded; called before on_position and on_order."""

    def on_reject(self, reject: "RejectView") -> None:
        """The risk gate or the venue refused an order."""

    def on_cancel_reject(self, reject: "RejectView") -> None:
        """A cancel was refused: most often the order was filled first."""

    def on_amend_reject(self, reject: "RejectView") -> None:
        """A change of an order was refused; the order stays as it is."""

    def on_position(self, position: "PositionView") -> None:
        """The strategy's position changed."""

    def on_feed(self, feed: "FeedView") -> None:
        """A feed went down, came back, or lost messages."""

    def on_stop(self) -> None:
        """After the last fact of a backtest. A node does not call it: its run goes on with the next start, and what becomes of
        open orders meanwhile is `node.on_stop`'s.
        """
