"""What a client gets, as Structs. Prices, quantities and money are decimal text, as the node says them; `raw` is all of it."""

from typing import Any

import msgspec
from msgspec import Struct


class Order(Struct, frozen=True, kw_only=True):
    """One that is open."""

    id: int
    instrument: str
    strategy_name: str
    side: str
    price: str
    quantity: str
    filled: str
    state: str
    trigger: str | None
    is_guard: bool


class Position(Struct, frozen=True, kw_only=True):
    """What one strategy holds of one instrument."""

    strategy_name: str
    instrument: str
    quantity: str
    realised: str
    unrealised: str
    fees: str
    funding: str


class Status(Struct, frozen=True, kw_only=True):
    """How the node stands, as `tradebot status` has it."""

    run_id: str
    mode: str
    epoch: int
    facts: int
    time_ns: int
    trading: str
    commands: int
    commands_waiting: int
    orders_open: int
    fills: int
    balances: dict[str, str]


class State(Struct, frozen=True, kw_only=True):
    """One look at the node. `status` is None while its engine does not answer."""

    topic: str
    sequence: int
    time_ns: int
    is_running: bool
    status: Status | None
    orders: list[Order]
    positions: list[Position]
    raw: dict[str, Any]


class Fact(Struct, frozen=True, kw_only=True):
    """One thing that happened; those that came together have one `sequence`. `fact` is its place in the run; what else it has,
    such as price and order, is in `raw`.
    """

    topic: str
    sequence: int
    time_ns: int
    fact: int
    event: str
    text: str
    raw: dict[str, Any]


class Metrics(Struct, frozen=True, kw_only=True):
    """Figures of the node."""

    topic: str
    sequence: int
    time_ns: int
    facts: int | None
    facts_per_s: float | None
    raw: dict[str, Any]


class Gap(Struct, frozen=True, kw_only=True):
    """Messages of a topic were lost before the one that follows: this client was too slow, or the node's part for clients began
    anew; then `missed` is None, for nobody knows how many.
    """

    topic: str
    missed: int | None


class Accepted(Struct, frozen=True, kw_only=True):
    """A control that was done. What it has the venue do is in `cancels` and `closes`, where it cancels or closes."""

    by: str
    cancels: int | None = None
    closes: int | None = None


Told = State | Fact | Metrics | Gap


def state_of(topic: str, sequence: int, time_ns: int, raw: dict[str, Any]) -> State:
    found = {"topic": topic, "sequence": sequence, "time_ns": time_ns, "raw": raw}
    return msgspec.convert({**raw, **found}, State)


def fact_of(topic: str, sequence: int, time_ns: int, raw: dict[str, Any]) -> Fact:
    found = {"topic": topic, "sequence": sequence, "time_ns": time_ns, "raw": raw, "fact": raw["sequence"]}
    return msgspec.convert({**raw, **found}, Fact)


def metrics_of(topic: str, sequence: int, time_ns: int, raw: dict[str, Any]) -> Metrics:
    found = {"topic": topic, "sequence": sequence, "time_ns": time_ns, "raw": raw}
    return msgspec.convert({**raw, **found}, Metrics)
