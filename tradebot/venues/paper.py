"""The paper venue: the simulated venue as one that is spoken to like an exchange, with a journal and a ledger of its own.

It fills by the same simulator as a backtest, on the live stream. What it takes in, market facts and requests that may change
something, stands in its journal before it answers, so a start goes on where the last one died: the same orders, fills and
balances, the same trade numbers. What it had not journaled it has not done.

It is a venue, so it trusts nobody: it refuses a request whose window has passed or whose time lies ahead, and treats an id that
it has seen as its `Capabilities` say. Its ledger is kept in plain fractions from its own fills and shares no line with ours: by
it a judge can tell what was lost or doubled. Orders that are over, and their trades, are forgotten after a while
(`paper_orders`); what happened to positions without an order, some times a day, is kept.

`balances` are what was paid and received; a contract is posted there as if it had been bought, so that no choice of what a
closing trade realised is in it. What an exchange tells is the *wallet*: that and what the open positions cost. It nets the
strategies of the account, and closes against the average cost.

No clock, no IO: it is told the time. On one axis: a fact shows here when it arrives.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import floor
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind, Reject
from tradebot.domain.codec import VERSIONS
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import NO_DIGEST, Frame, FrameKind, Journal
from tradebot.domain.instrument import INVERSE, Instrument
from tradebot.domain.market import MarketAsked, Records
from tradebot.domain.venue import (
    DUPLICATE_ID,
    EXPIRED,
    OK,
    REJECTED,
    UNKNOWN_ORDER,
    Ask,
    Capabilities,
    Duplicates,
    PositionStatus,
    VenueEvent,
    VenueReply,
    VenueRequest,
)
from tradebot.engine.plan import Plan, make_simulator
from tradebot.feeds.hearing import Hearing
from tradebot.venues.paper_orders import USUAL, Order, PaperOrders, Retention, SavedOrders

VERSION: Final = 3
FACT_BYTES: Final = FACT_DTYPE.itemsize
INCOME: Final = (Kind.FUNDING_PAID, Kind.LIQUIDATED)
NEVER_NS: Final = 2**63 - 1
COST_PARTS: Final = 10**6  # of a money unit, in which the cost of a position is kept
NAME: Final = "venue"  # by which a feed knows whom to tell again

Message = VenueReply | VenueEvent | MarketAsked

_PASSED: Final = b"\xc0"  # a frame in which nothing but time passed: MessagePack's nil

_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_places: Final = msgspec.msgpack.Decoder(tuple[int, int])
_requests: Final = msgspec.msgpack.Decoder(VenueRequest)


class Pending(Struct):
    """A request that the simulator has not answered yet."""

    request: int
    ask: Ask
    client_id: int
    cause: int


class Saved(Struct, frozen=True, array_like=True):
    """A snapshot of the venue: everything but who is connected and what waits for a reply."""

    version: int
    taken: int
    time_ns: int
    due_ns: int
    starts: int
    sequence: int
    orders: SavedOrders
    income: list[bytes]
    balances: dict[str, str]
    positions: list[tuple[int, int]]
    simulator: list[Any]
    costs: list[tuple[int, str]] = []
    stream: int = 0
    heard: int = 0


class PaperVenue:
    """One account at the simulated venue of a plan. Its `stream` is new after each start, as a real venue's connection would
    be.
    """

    def __init__(
        self, plan: Plan, journal: Journal, capabilities: Capabilities, retention: Retention = USUAL
    ) -> None:
        self.plan = plan
        self.journal = journal
        self.capabilities = capabilities
        self.simulator = make_simulator(msgspec.structs.replace(plan, answer_latency=None, answer_latency_ns=0))
        self.book = PaperOrders(retention)
        self.income: list[bytes] = []  # what happened to positions without an order, numbered from 1 in `venue_sequence`
        self.balances = {asset: Fraction(plan.opening.get(asset, 0)) for asset in plan.assets}
        self.positions = {one.id: 0 for one in plan.instruments if one.is_contract}  # lots
        self.costs = dict.fromkeys(self.positions, Fraction(0))  # what they were entered at
        self.hearing = Hearing(NAME)
        self._known_ids = {one.id for one in plan.instruments}
        self.pending: list[Pending] = []
        self.time_ns = self.taken = 0
        self.due_ns = NEVER_NS  # when the last command on its way inside the venue has arrived
        self.starts = 0  # as many as are in the journal
        self.sequence = 0
        self.is_subscribed = False
        self.is_recovering = False
        self.out: list[Message] = []

    def open(self, now_ns: int) -> None:
        """Take in the journal again; nobody hears of what was done then."""
        self.is_recovering = True
        found = self.journal.newest_snapshot()
        if found is not None:
            self._restore(msgspec.msgpack.decode(found.data, type=Saved))
        start = self.taken
        for frame in self.journal.frames(start):
            if frame.base_sequence < start:
                continue
            self.taken = frame.end_sequence
            if frame.kind == FrameKind.FACTS or frame.body == _PASSED:
                if frame.kind == FrameKind.FACTS and frame.body:
                    self.hearing.stand_at(*_places.decode(frame.body))
                self._take_market(frame.facts, frame.time_ns)
            elif frame.body:
                self._take_request(_requests.decode(frame.body), frame.time_ns)
            else:
                self.starts += 1
        self.is_recovering = False
        self.pending = []
        self.out = []
        self.is_subscribed = False
        self.starts += 1
        self._write(now_ns)
        self.journal.settle()  # by the number of this start its events are known

    def save(self) -> None:
        """Keep a snapshot, so that a start need not take in all of the journal. Between two calls."""
        saved = Saved(
            VERSION,
            self.taken,
            self.time_ns,
            self.due_ns,
            self.starts,
            self.sequence,
            self.book.to_saved(),
            self.income,
            {asset: str(total) for asset, total in self.balances.items()},
            sorted(self.positions.items()),
            self.simulator.snapshot(),
            [(number, str(cost)) for number, cost in self.costs.items()],
            self.hearing.stream,
            self.hearing.sequence,
        )
        self.journal.save_snapshot(self.taken, NO_DIGEST, _encoder.encode(saved))

    def _restore(self, saved: Saved) -> None:
        """Raises LocalError where an earlier version kept it."""
        if saved.version != VERSION:
            raise LocalError(
                f"expected a snapshot of the paper venue of version {VERSION}, found {saved.version}: another tradebot kept it; "
                "go on with that one, or begin another run with --new"
            )
        self.taken, self.time_ns, self.due_ns = saved.taken, saved.time_ns, saved.due_ns
        self.starts, self.sequence = saved.starts, saved.sequence
        self.book.from_saved(saved.orders)
        self.income, self.positions = saved.income, dict(saved.positions)
        self.balances = {asset: Fraction(total) for asset, total in saved.balances.items()}
        self.costs = {number: Fraction(cost) for number, cost in saved.costs}
        self.simulator.restore(saved.simulator)
        self.hearing.stand_at(saved.stream, saved.heard)

    @property
    def stream(self) -> int:
        return self.starts

    def on_records(self, messages: Iterable[Records], now_ns: int) -> list[Message]:
        """What a feed tells: each message once and in order; what was lost is asked for."""
        taken = [one.data for one in messages if self.hearing.take(one)]
        if data := self._known(b"".join(taken)):
            now_ns = self._tick(now_ns)
            place = (self.hearing.stream, self.hearing.sequence)
            self._write(now_ns, facts=data, body=_encoder.encode(place) if place[0] else b"")
            self._take_market(data, now_ns)
        asked = self.hearing.ask(now_ns)
        return self._flush() if asked is None else [*self._flush(), asked]

    def _known(self, data: bytes) -> bytes:
        """Without facts of instruments that are not traded here."""
        records = np.frombuffer(data, RECORD_DTYPE)
        if self._known_ids.issuperset(records["instrument"].tolist()):  # a tenth of what isin takes for a message
            return data
        return records[np.isin(records["instrument"], list(self._known_ids))].tobytes()

    def on_clock(self, now_ns: int) -> list[Message]:
        """Commands that are on their way inside the venue arrive."""
        self._arrive(self._tick(now_ns))
        return self._flush()

    def _arrive(self, now_ns: int) -> None:
        """Let commands arrive that are due."""
        if self.due_ns <= now_ns:
            self._write(now_ns, body=_PASSED)
            self._take_market(b"", now_ns)

    def on_request(self, request: VenueRequest, now_ns: int) -> list[Message]:
        now_ns = self._tick(now_ns)
        self._arrive(now_ns)  # what came before is done before: an answer must not say that it is not there
        if request.ask in (Ask.PLACE, Ask.CANCEL, Ask.AMEND):
            code = self._refused(request, now_ns)
            if code == OK:
                self._write(now_ns, body=_encoder.encode(request))
                self._take_request(request, now_ns)
            else:
                self._reply(request.request, code)
        else:
            self._answer(request)
        return self._flush()

    # What changes something: the same now and from the journal

    def _tick(self, now_ns: int) -> int:
        self.time_ns = max(self.time_ns, now_ns)
        return self.time_ns

    def _take_market(self, data: bytes, now_ns: int) -> None:
        self._tick(now_ns)
        if data:
            records = np.frombuffer(data, RECORD_DTYPE).copy()
            records["venue_ns"] = records["time_ns"] = now_ns
            self.simulator.market(records)
        self.simulator.advance(now_ns)
        if self.due_ns <= now_ns:
            self.due_ns = NEVER_NS
        self._settle()

    def _take_request(self, request: VenueRequest, now_ns: int) -> None:
        self._tick(now_ns)
        command = np.frombuffer(request.fact, FACT_DTYPE).copy()
        command["time_ns"] = now_ns
        if request.ask is Ask.PLACE:
            self.book.place(request.client_id, command[0])
        self.pending.append(Pending(request.request, request.ask, request.client_id, int(command[0]["cause"])))
        self.simulator.send(command)
        self.due_ns = now_ns + self.plan.order_latency_ns
        self.simulator.advance(now_ns)
        self._settle()

    def _settle(self) -> None:
        """Take what the simulator says: note it, post it, tell it. Then forget what is over for long enough."""
        for fact in self.simulator.take_answers():
            self._note(fact)
        self.simulator.take_markouts()
        self.book.forget(self.time_ns)

    def _note(self, fact: np.void) -> None:
        kind, client_id = int(fact["kind"]), int(fact["id"])
        self.book.note(client_id, fact, self.time_ns)
        if kind in INCOME:
            fact = fact.copy()
            fact["venue_sequence"] = len(self.income) + 1
            self.income.append(fact.tobytes())
        if kind == Kind.ORDER_FILLED or kind in INCOME:
            self._post(fact)
        self._tell(kind, client_id, fact)

    def _post(self, fact: np.void) -> None:
        """The venue's own books. Spot moves both assets; a contract moves what its trade is worth."""
        instrument = next(one for one in self.plan.instruments if one.id == int(fact["instrument"]))
        asset = self.plan.assets[int(fact["fee_asset"])]
        self.balances[asset] -= int(fact["fee"])
        if fact["kind"] == Kind.FUNDING_PAID:
            return
        lots = int(fact["quantity"]) * (-1 if fact["flags"] & Flag.SELL else 1)
        if instrument.is_contract:
            self._post_contract(instrument, lots, int(fact["price"]))
            return
        self.balances[instrument.base] += lots * Fraction(*instrument.base_ratio)
        self.balances[instrument.quote] -= lots * int(fact["price"]) * Fraction(*instrument.notional_ratio)

    def _post_contract(self, instrument: Instrument, lots: int, price: int) -> None:
        worth, held = Fraction(*instrument.notional_ratio), self.positions[instrument.id]
        value = -lots * worth / price if instrument.kind == INVERSE else lots * price * worth
        self.balances[instrument.settle] -= value
        self.costs[instrument.id] = cost_after(held, self.costs[instrument.id], lots, value)
        self.positions[instrument.id] = held + lots

    def wallet(self, asset: str) -> int:
        """What an exchange tells as the balance, in whole money units, down: with what it tells that open positions cost."""
        costs = [floor(self.costs[one.id]) for one in self.plan.instruments if one.is_contract and one.settle == asset]
        return floor(self.balances[asset]) + sum(costs)

    # What is said

    def _tell(self, kind: int, client_id: int, fact: np.void) -> None:
        body = fact.tobytes()
        found = self._asked_for(kind, client_id, int(fact["cause"]))
        if kind in (Kind.ORDER_REJECTED, Kind.CANCEL_REJECTED, Kind.AMEND_REJECTED):
            unknown = int(fact["reject"]) == Reject.VENUE_ORDER_UNKNOWN and kind != Kind.ORDER_REJECTED
            for one in found:
                self._reply(one.request, UNKNOWN_ORDER if unknown else REJECTED, reject=int(fact["reject"]))
            return
        for one in found:
            self._reply(one.request, OK, facts=body)
        self.sequence += 1
        if not self.is_recovering and self.is_subscribed:
            self.out.append(VenueEvent(VERSIONS[VenueEvent], self.stream, self.sequence, self.time_ns, body))

    def _asked_for(self, kind: int, client_id: int, cause: int) -> list[Pending]:
        """The requests that a fact answers; they are pending no longer."""
        ask = {
            Kind.ORDER_ACCEPTED: Ask.PLACE, Kind.ORDER_REJECTED: Ask.PLACE, Kind.ORDER_CANCELLED: Ask.CANCEL,
            Kind.CANCEL_REJECTED: Ask.CANCEL, Kind.ORDER_AMENDED: Ask.AMEND, Kind.AMEND_REJECTED: Ask.AMEND,
        }.get(Kind(kind))  # fmt: skip
        found = [one for one in self.pending if (one.ask, one.client_id) == (ask, client_id) and one.cause == cause]
        self.pending = [one for one in self.pending if one not in found]
        return found

    def _reply(self, request: int, code: int, **slots: object) -> None:
        if not self.is_recovering:
            told: dict[str, Any] = {"forgotten_ns": self.book.forgotten_ns, **slots}
            self.out.append(VenueReply(VERSIONS[VenueReply], request, code, self.time_ns, **told))

    def _refused(self, request: VenueRequest, now_ns: int) -> int:
        """The code by which a request is refused at the door; OK where it is not."""
        if now_ns > request.timestamp_ns + request.window_ns or request.timestamp_ns > now_ns + self.capabilities.ahead_ns:
            return EXPIRED
        if request.ask is Ask.PLACE and self._is_duplicate(request.client_id):
            return DUPLICATE_ID
        if request.ask is not Ask.PLACE and request.client_id not in self.book.by_id:
            return UNKNOWN_ORDER
        return OK

    def _is_duplicate(self, client_id: int) -> bool:
        if self.capabilities.duplicates is Duplicates.ALWAYS:
            return self.book.has_seen(client_id)
        last = self.book.last(client_id)
        return self.capabilities.duplicates is Duplicates.WHILE_OPEN and last is not None and not last.has_ended

    def _answer(self, request: VenueRequest) -> None:
        """A request that only asks."""
        if request.ask is Ask.SUBSCRIBE:
            self.is_subscribed = True
            self._reply(request.request, OK, stream=self.stream, sequence=self.sequence)
        elif request.ask is Ask.QUERY:
            seen = [one for one in self.book.by_id.get(request.client_id, []) if one.was_taken]
            if seen:
                self._reply(request.request, OK, orders=[seen[-1].status()])
            else:
                self._reply(request.request, UNKNOWN_ORDER)
        elif request.ask is Ask.OPEN:
            self._reply(request.request, OK, orders=[one.status() for one in self.open_orders()])
        elif request.ask is Ask.INCOME:
            self._reply(request.request, OK, facts=b"".join(self.income[request.after :]))
        elif request.ask is Ask.TRADES:
            of_one = self.book.trades_of(request.client_id)
            self._reply(request.request, OK, facts=of_one if request.client_id else self.book.trades_since(request.since_ns))
        elif request.ask is Ask.POSITIONS:
            held = [PositionStatus(one, lots, floor(self.costs[one])) for one, lots in self.positions.items() if lots]
            self._reply(request.request, OK, positions=held)
        else:
            self._reply(request.request, OK, balances={asset: self.wallet(asset) for asset in self.balances})

    @property
    def orders(self) -> dict[int, list[Order]]:
        """All that are kept, by client id."""
        return self.book.by_id

    @property
    def trades(self) -> deque[bytes]:
        """All that are kept, as they happened."""
        return self.book.trades

    def all_orders(self) -> Iterator[Order]:
        return self.book.all()

    def open_orders(self) -> list[Order]:
        return [one for one in self.book.going.values() if one.is_open]

    def _write(self, now_ns: int, facts: bytes = b"", body: bytes = b"") -> None:
        count = len(facts) // RECORD_DTYPE.itemsize or 1
        kind = FrameKind.FACTS if facts else FrameKind.BODY
        self.journal.append(Frame(kind, 0, self.taken, count, now_ns, NO_DIGEST, facts=facts, body=body))
        self.taken += count

    def _flush(self) -> list[Message]:
        out, self.out = self.out, []
        if out:
            self.journal.settle()  # what is told has happened, whatever comes
        return out


def cost_after(held: int, cost: Fraction, lots: int, value: Fraction) -> Fraction:
    """What the position that is left after a trade was entered at, by average cost; down to a part of a unit, or its digits would
    grow with each trade. What that takes from it is realised, so that no money goes.
    """
    left = held + lots
    of_held = cost * left / held if held * left > 0 else value * left / lots
    after = cost + value if held * lots >= 0 else of_held
    return Fraction(floor(after * COST_PARTS), COST_PARTS)
