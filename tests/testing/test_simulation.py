"""A node under everything that may happen to it: nothing lost, nothing doubled; and mutants of it, each of which must be seen."""

import os
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.engine.test_contracts import INV, LIN, facts_of, margin
from tests.engine.test_own_book import FINE, FINE_LIN, TINY
from tests.strategies.support import BTC, plan
from tests.support import stream
from tradebot._core.types import FACT_DTYPE, Flag, Kind, Reject
from tradebot.domain.errors import LocalError, Refused
from tradebot.domain.frames import Frame
from tradebot.domain.instrument import Instrument
from tradebot.domain.orders import OrderType, TimeInForce, TradingState
from tradebot.domain.venue import Ask, Capabilities, Duplicates, VenueEvent, VenueReply, VenueRequest
from tradebot.engine.session import Message, Session, open_session
from tradebot.execution.convergence import Convergence, SendAgain
from tradebot.execution.gateway import Gateway
from tradebot.execution.held import Held, Task
from tradebot.strategies.strategy import Strategy
from tradebot.testing.simulation import ENGINE, GATEWAY, NO_FAULTS, VENUE, Failed, Faults, Restless, Sync, Verdict, World, run
from tradebot.venues.paper_orders import FOR_EVER, Retention

FULL = os.environ.get("TRADEBOT_FULL") == "1"
SEEDS = int(os.environ.get("TRADEBOT_SEEDS", "10000" if FULL else "200"))
GROUPS = 20
FACTS = stream(1, 700)
LONG = stream(2, 1_500)
CONTRACT_FACTS = facts_of(5, 1_200)
QUICK = {"order_latency_ns": 5_000_000, "answer_latency_ns": 0}
VENUES = [Capabilities(duplicates=one) for one in Duplicates]


def strategies() -> list[Strategy]:
    return [Restless({"seed": 7, "eager": 0.9})]


def world(seed: int, **settings: Any) -> Verdict:
    """One run of the world that a seed is, at a venue that the seed chooses; in base fees for every third."""
    capabilities = settings.pop("capabilities", VENUES[seed % 3])
    run_ = plan(1, [BTC], fee_in_base=seed % 3 == 0, **QUICK)
    return run(seed, run_, settings.pop("facts", FACTS), strategies, capabilities=capabilities, **settings)


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_or_doubled_whatever_the_seed(group: int) -> None:
    """200 seeds in `make test`, 10,000 by `make simulate`; a failure names its seed."""
    verdicts = [world(seed) for seed in range(group, SEEDS, GROUPS)]
    assert sum(one.crashes for one in verdicts) > len(verdicts)
    assert sum(one.fills for one in verdicts) > len(verdicts)
    assert sum(one.unknown_proven for one in verdicts) > 0
    assert sum(one.forgotten for one in verdicts) > len(verdicts)


@pytest.mark.parametrize("seed", [5453])
def test_seeds_that_found_something_once(seed: int) -> None:
    """5453: a change was taken and its answer lost; then the venue made the order smaller, yet larger than before."""
    assert world(seed).findings == []


@pytest.mark.parametrize("instrument", [LIN, INV])
def test_contracts_with_their_funding_and_liquidations_end_in_the_venues_books(instrument: Instrument) -> None:
    """What happens to a position without an order may be missed too: it is asked for by number."""
    told = 0
    for seed in range(1_000 if FULL else 60):
        leverage = (20, 100)[seed % 2]
        run_ = plan(1, [instrument], margins=[margin(leverage, rate="0.005")], opening={"USDT": 10**11, "BTC": 10**11}, **QUICK)
        one = World(seed, run_, CONTRACT_FACTS, strategies, capabilities=VENUES[seed % 3])
        assert not (found := one.finish().findings), f"seed {seed}: {found}"
        told += len(one.actors[VENUE].income)
    assert told > 100


class Near(Restless):
    """Guards one tick away: they are met while they, or their fellows, are still on their way. It holds more than they close."""

    def act(self) -> None:
        if self.draw() > self.params.eager or not self.book.spread > 0:
            return
        ids, lots, chosen = self.open_orders(), (1 + int(self.draw() * 6)) * self.lot, self.draw()
        if chosen < 0.1:
            self.buy(4 * lots)
        elif ids and chosen < 0.2:
            self.cancel(ids[int(self.draw() * len(ids))])
        else:
            self.buy(lots, stop_loss=self.book.bid - self.tick, take_profit=self.book.ask + self.tick)


def test_guards_that_are_met_on_their_way_close_nothing_twice() -> None:
    """Each leg travels by itself: of a hundred seeds 64 closed some lots twice before a target had to join its group."""
    refused = 0
    for seed in range(1_000 if FULL else 16):
        run_ = plan(1, [BTC], fee_in_base=seed % 3 == 0, **QUICK)
        near, faults = lambda seed=seed: [Near({"seed": 7 + seed, "eager": 0.9})], Faults() if seed % 2 else NO_FAULTS
        one = World(seed, run_, FACTS, near, capabilities=VENUES[seed % 3], faults=faults)
        assert not (found := one.finish().findings), f"seed {seed}: {found}"
        refused += sum(int(fact["reject"]) == Reject.VENUE_GROUP_DONE for fact in one.told(Kind.ORDER_REJECTED))
    assert refused > 10


class Changing(Restless):
    """Orders that wait for a price or follow it, too, and changes of price and trigger."""

    def quote(self, lots: float) -> None:
        is_buy, chosen, away = self.draw() < 0.5, int(self.draw() * 10), (1 + int(self.draw() * 4)) * self.tick
        side = self.buy if is_buy else self.sell
        beyond = self.book.ask + away if is_buy else self.book.bid - away
        behind = self.book.bid - away if is_buy else self.book.ask + away
        waiting = [{"stop": beyond}, {"stop": beyond, "price": beyond}, {"touch": behind}, {"follow": away}]
        if chosen < len(waiting):
            side(lots, **waiting[chosen])
        elif chosen < 7 and (ids := self.open_orders()):
            change = {"price": behind} if chosen < 6 else {"stop": beyond}
            with suppress(ValueError):  # an order that has none of it takes none
                self.amend(ids[int(self.draw() * len(ids))], **change)
        else:
            super().quote(lots)


def often_compared(seed: int, instrument: Instrument, **settings: Any) -> World:
    """One to three strategies in one instrument whose books are compared ten times a second; every second world has faults."""
    count = 1 + seed % 3
    more: dict[str, Any] = {"fee_in_base": seed % 3 == 0}
    if instrument.is_contract:
        backed = margin((20, 100, 5)[seed % 3], is_cross=seed % 2 == 0, rate="0.005")
        more = {"margins": [backed], "opening": {"USDT": 10**11, "BTC": 10**11}}
    several = lambda: [Changing({"seed": 7 + number + seed, "eager": 0.9}) for number in range(count)]  # noqa: E731
    facts = CONTRACT_FACTS if instrument.is_contract else FACTS
    settings = {"faults": Faults() if seed % 2 else NO_FAULTS, "reconcile_ns": 100_000_000} | settings
    run_ = plan(count, [instrument], **more, **QUICK)
    return World(seed, run_, facts, several, capabilities=VENUES[seed % 3], **settings)


@pytest.mark.parametrize(
    "instrument", [BTC, FINE, TINY, LIN, FINE_LIN, INV], ids=["spot", "fine", "tiny", "linear", "fine linear", "inverse"]
)
def test_positions_wallets_and_terms_are_never_found_to_differ(instrument: Instrument) -> None:
    """Whatever the lot, the margin, the strategies in it and the orders they place."""
    rounds = trades = 0
    for seed in range(200 if FULL else 14):
        one = often_compared(seed, instrument)
        verdict = one.finish()
        assert not verdict.findings, f"seed {seed}: {verdict.findings}"
        rounds, trades = rounds + one.actors[ENGINE].reconciling.rounds, trades + verdict.fills
    assert rounds > 1_000 and trades > 300


def one_lot_off(venue: Any) -> None:
    venue.positions[1] += 1


def one_unit_off(venue: Any) -> None:
    venue.balances["USDT"] += 1


def one_unit_short(venue: Any) -> None:
    venue.balances["USDT"] -= 1


@pytest.mark.parametrize(
    ("spoil", "what"), [(one_lot_off, "position"), (one_unit_off, "balance"), (one_unit_short, "balance")]
)
def test_a_venue_whose_contract_books_are_a_lot_or_a_unit_off_shuts_the_gate(spoil: Any, what: str) -> None:
    one = often_compared(1, LIN, faults=NO_FAULTS)
    middle, last = (int(CONTRACT_FACTS["time_ns"][at]) for at in (len(CONTRACT_FACTS) // 2, -1))
    one.at(middle, lambda: one.act(VENUE, lambda venue: spoil(venue) or []))
    one.run_until(middle)
    assert one.apart == [] and one.actors[ENGINE].reconciling.rounds > 10
    one.run_until(last)
    assert {text.split()[0] for text in one.apart} == {what}
    assert one.actors[ENGINE].reconciling.gate == "shut"


class KeepsTheOldPrice(Gateway):
    """What a change said is told to the engine, and not taken over."""

    def _note_order(self, fact: bytes) -> None:
        row = np.frombuffer(fact, FACT_DTYPE)[0]
        held = self.orders.get(int(row["id"]))
        before = held.price if held is not None else 0
        super()._note_order(fact)
        if held is not None and row["kind"] == Kind.ORDER_AMENDED:
            held.price = before


def other_triggers(venue: Any) -> None:
    """The venue holds what waits at another price than it said."""
    for order in venue.all_orders():
        order.trigger += bool(order.trigger)


def test_an_order_on_other_terms_than_were_told_is_found() -> None:
    found = [text for seed in range(4) for text in often_compared(seed, BTC, make_gateway=KeepsTheOldPrice).finish().findings]
    assert any("comparison: order" in text for text in found)
    one = often_compared(2, BTC)
    for time_ns in FACTS["time_ns"][::40]:
        one.at(int(time_ns), lambda: one.act(VENUE, lambda venue: other_triggers(venue) or []))
    one.run_until(int(FACTS["time_ns"][-1]))
    assert {text.split()[0] for text in one.apart} == {"order"}


def test_without_faults_every_order_is_answered_by_the_venue() -> None:
    found = run(1, plan(1, [BTC], **QUICK), LONG, strategies, faults=NO_FAULTS)
    assert (found.crashes, found.unknown_proven) == (0, 0)
    assert found.orders > 50 and found.fills > 20


def test_the_same_seed_does_the_same_again() -> None:
    assert world(11) == world(11)


def test_a_world_of_many_deaths() -> None:
    """An actor dies at one in thirty marks: starts that die at once are among them."""
    found = [world(seed, faults=Faults(crash=0.03, drop=0.1, slow=0.1)) for seed in range(200 if FULL else 20)]
    assert sum(one.crashes for one in found) > 100


def test_where_absence_cannot_be_proved_an_order_stays_unknown() -> None:
    """Nobody is told that it is not there, however often it was not found, and the judge sees it unsettled."""
    capabilities = Capabilities(proves_absence=False)
    unsettled = 0
    for seed in range(20):
        one = World(seed, plan(1, [BTC], **QUICK), FACTS, strategies, Faults(drop=0.1), capabilities)
        verdict = one.finish()
        tried = {held.client_id for held in one.actors[GATEWAY].unknown}
        unsettled += len(tried)
        there = {order.client_id for order in one.actors[VENUE].all_orders() if order.was_taken}
        assert not tried & there, "an unknown order that is there is found"
        words = ("unsettled", "still", "never came", "the gate is waiting")
        assert all(any(word in text for word in words) for text in verdict.findings), verdict.findings
    assert unsettled > 0


def spoilt(spoil: Any, **settings: Any) -> World:
    """Something happens to the venue's books in the middle, which it does not forget; run to the end of its facts."""
    one = World(11, plan(1, [BTC], **QUICK), LONG, strategies, settings.pop("faults", NO_FAULTS), retention=FOR_EVER)
    middle = int(LONG["time_ns"][len(LONG) // 2])
    one.at(middle, lambda: one.act(VENUE, lambda venue: spoil(venue, middle) or []))
    one.run_until(int(LONG["time_ns"][-1]))
    one.is_quiet = True
    one.run_until(one.now + 10_000_000_000)
    return one


def stranger(venue: Any, now_ns: int) -> Any:
    """Somebody places an order on our account past us, far from the market."""
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"] = fact["kind2"] = Kind.PLACE_ORDER
    fact["flags2"], fact["id"], fact["instrument"], fact["price"], fact["quantity"] = Flag.CONT, 77, BTC.id, 2, 1
    fact["order_type"], fact["time_in_force"] = OrderType.LIMIT, TimeInForce.GTC
    return venue.on_request(VenueRequest(1, 1, Ask.PLACE, 77, now_ns, 10**9, fact.tobytes()), now_ns)


def wrong_balance(venue: Any, now_ns: int) -> None:
    venue.balances["USD"] += 1


def lost_trade(venue: Any, now_ns: int) -> None:
    """The venue's balances are right, and its list of trades has one that we were never told."""
    fill = np.frombuffer(venue.trades[-1], FACT_DTYPE).copy()
    fill["trade_id"], fill["venue_ns"] = 10**6, now_ns
    venue.trades.append(fill.tobytes())


@pytest.mark.parametrize("faults", [NO_FAULTS, Faults(crash=0, power=0)])  # a venue that restarts would not have it any more
@pytest.mark.parametrize(
    ("spoil", "words"), [(stranger, "order 77: the engine has none, the gateway none, the venue 0.001 at 1.0, 0.000 filled"),
                         (wrong_balance, "balance USD: "), (lost_trade, "fill 1000000: the engine has none")],
)  # fmt: skip
def test_a_difference_is_found_halts_trading_and_is_never_adopted(spoil: Any, words: str, faults: Faults) -> None:
    one = spoilt(spoil, faults=faults)
    session, gateway = one.actors[ENGINE], one.actors[GATEWAY]
    assert len(one.halts()) == 1 and words in one.halts()[0]
    assert session.reconciling.gate == "shut"
    assert session.live.kernel.trading_state == TradingState.HALTED
    assert any(words in found.text() for found in session.reconciling.differences)
    assert 77 not in gateway.orders and 77 not in {row[0] for row in session.live.kernel.open_orders()}
    assert gateway.strangers == ({77} if spoil is stranger else set())
    with pytest.raises(Refused, match="books that agree"):
        session.set_trading_state(TradingState.ACTIVE, one.now, "ann", "go on")
    one.bring_up(ENGINE)
    one.run_until(one.now + 5_000_000_000)
    again = one.actors[ENGINE]
    assert again is not session and again.live.kernel.trading_state == TradingState.HALTED, "a start does not forget it"


def test_no_order_is_sent_before_the_books_were_compared() -> None:
    one = World(11, plan(1, [BTC], **QUICK), LONG, strategies, NO_FAULTS)
    one.actors[VENUE].is_subscribed = False
    one.actors[GATEWAY] = None  # the gateway is not there for a while
    one.run_until(int(LONG["time_ns"][200]))
    assert one.placed() == [] and one.actors[ENGINE].reconciling.gate == "waiting"
    one.bring_up(GATEWAY)
    one.run_until(int(LONG["time_ns"][-1]))
    assert len(one.placed()) > 20 and one.actors[ENGINE].reconciling.gate == "open"


@pytest.mark.parametrize("sync", ["place", "each"])
def test_a_power_cut_loses_and_doubles_nothing_where_the_journals_are_flushed(sync: Sync) -> None:
    """All die at once, and what no flush had reached is gone from every disk."""
    faults, cuts = Faults(power=0.01), 0
    for seed in range(40 if FULL else 12):
        planned = plan(1, [BTC], fee_in_base=seed % 3 == 0, **QUICK)
        one = World(seed, planned, FACTS, strategies, faults, VENUES[seed % 3], sync=sync)
        verdict = one.finish()
        assert verdict.findings == [], f"seed {seed}"
        cuts += one.cuts
    assert cuts > 12


def test_without_flushes_a_power_cut_is_not_survived() -> None:
    """Else the test above could not fail."""
    with pytest.raises((Failed, LocalError, AssertionError)):
        for seed in range(12):
            run(seed, plan(1, [BTC], **QUICK), FACTS, strategies, faults=Faults(power=0.01), sync="none")


def crash_points() -> int:
    """How many marks a scripted session has."""
    one = World(5, plan(1, [BTC], **QUICK), FACTS[:160], strategies, NO_FAULTS)
    assert not one.finish().findings
    return one.marks


@pytest.mark.parametrize("part", range(8))
def test_a_death_at_every_single_mark_ends_in_the_same_books(part: int) -> None:
    """After each write, each send and before them, in engine, gateway and venue: one death, everything else without fault."""
    points = range(part, crash_points(), 8)
    step = 1 if FULL else 5
    died = 0
    for mark in list(points)[::step]:
        found = run(5, plan(1, [BTC], **QUICK), FACTS[:160], strategies, faults=NO_FAULTS, crash_at=mark)
        died += found.crashes
    assert died >= len(list(points)[::step]) // 2


# Mutants: each is a mistake that an engineer could make; each must be found within a few seeds.


class SendsBeforeItWrites(Gateway):
    """The request is on the wire before the attempt is in the log."""

    def _attempt(self, held: Held, task: Task, now_ns: int) -> None:
        kept, later = self.log.journal, Later(self.log.journal)
        self.log.journal = later  # type: ignore[assignment]
        super()._attempt(held, task, now_ns)
        self.late = later
        self.log.journal = kept

    def _flush(self, now_ns: int) -> Any:
        found = super()._flush(now_ns)
        late = getattr(self, "late", None)
        self.late = None
        return Sent(found, late)


class Later:
    """A journal that writes when it is told to."""

    def __init__(self, journal: Any) -> None:
        self.journal, self.frames_kept = journal, []

    def append(self, frame: Frame, must_sync: bool = False) -> None:
        self.frames_kept.append(frame)

    def write(self) -> None:
        for frame in self.frames_kept:
            self.journal.append(frame)


class Sent(list):  # type: ignore[type-arg]
    """Messages, after the last of which something is written."""

    def __init__(self, messages: list[Any], late: Any) -> None:
        super().__init__(messages)
        self.late = late

    def __iter__(self) -> Any:
        yield from super().__iter__()
        if self.late is not None:
            self.late.write()


class OneNotFoundIsProof(Convergence):
    def may_be_absent(self, held: Held, reply: VenueReply) -> bool:
        return True


class TakesOneNotFoundForProof(Gateway):
    """An order that is not found is told as not accepted at once, before its window has passed."""

    converges = OneNotFoundIsProof


class ThreeNotFoundAreProof(Convergence):
    def may_be_absent(self, held: Held, reply: VenueReply) -> bool:
        self.tries = getattr(self, "tries", {})
        self.tries[held.client_id] = self.tries.get(held.client_id, 0) + 1
        return self.tries[held.client_id] >= 3


class ForgetsAfterThree(Gateway):
    """Three times not found is gone, whatever the venue's clock says."""

    converges = ThreeNotFoundAreProof


class NotFoundIsSentAgain(Convergence):
    def on_not_found(self, held: Held, reply: VenueReply, is_subscribed: bool, now_ns: int) -> Any:
        yield SendAgain(held.tasks[0])


class SendsAgain(Gateway):
    """A place that is not found is sent once more under the same id."""

    converges = NotFoundIsSentAgain


class SendsWhatWasNotAnswered(Gateway):
    """After a start, what was tried and not answered is tried again: the venue has forgotten the id by then."""

    def open(self, now_ns: int) -> Any:
        found = super().open(now_ns)
        for held in self.orders.values():
            if held.is_unknown and held.tasks:
                self._send_task(held, held.tasks[0], now_ns)
        return [*found, *self._flush(now_ns)]


class TellsFillsTwice(Gateway):
    """A trade is not known by its number."""

    def is_new_trade(self, held: Held, row: np.void) -> bool:
        return True


class NothingIsForgotten(Convergence):
    def is_remembered(self, held: Held, reply: VenueReply) -> bool:
        return True


class TakesForgottenForAbsent(Gateway):
    """What a venue does not tell of any more is taken for what never was."""

    converges = NothingIsForgotten


class ComparesWhatIsUnderWay(Gateway):
    """The round does not ask where the account stream stands: what the venue did meanwhile looks like a difference."""

    def _on_round_reply(self, reply: VenueReply, now_ns: int) -> None:
        if self.round is not None:
            reply = msgspec.structs.replace(reply, stream=self.stream, sequence=self.stream_sequence)
            self.round.stream, self.round.sequence = self.stream, self.stream_sequence
        super()._on_round_reply(reply, now_ns)


class ActsBeforeItWrites(Session):
    """Commands are said before the frame is in the journal."""

    def commit(self, note: Any = None) -> list[Message]:
        kept, later = self.journal, Later(self.journal)
        self.journal = later  # type: ignore[assignment]
        found = super().commit(note)
        self.journal = kept
        return Sent(found, later)


def opens_hasty(*settings: Any) -> Any:
    """`open_session`, of a session that acts before it writes."""
    session, found = open_session(*settings)
    session.__class__ = ActsBeforeItWrites
    return session, found


GATEWAYS = {
    SendsBeforeItWrites: Duplicates.NONE,
    TakesOneNotFoundForProof: Duplicates.WHILE_OPEN,
    ForgetsAfterThree: Duplicates.WHILE_OPEN,
    SendsAgain: Duplicates.NONE,
    SendsWhatWasNotAnswered: Duplicates.WHILE_OPEN,
    TellsFillsTwice: Duplicates.WHILE_OPEN,
}
HARSH = Faults(drop=0.05, slow=0.15, crash=0.01)


def seeds_until_found(first: int = 0, **settings: Any) -> int:
    """How many seeds it takes until the judge, or an assertion of the kernel, sees a mutant; fails where 300 do not."""
    for seed in range(first, first + 300):
        try:
            world(seed, facts=LONG, faults=HARSH, **settings)
        except (Failed, AssertionError, ValueError, LocalError):
            return seed + 1 - first
    raise AssertionError("the mutant lived through 300 seeds")


@pytest.mark.parametrize("mutant", GATEWAYS)
def test_a_mutant_of_the_gateway_is_found(mutant: type[Gateway]) -> None:
    seeds_until_found(make_gateway=mutant, capabilities=Capabilities(duplicates=GATEWAYS[mutant]))


FORGETFUL = Retention(time_ns=0, orders_min=0)


def test_a_gateway_that_takes_what_is_forgotten_for_absent_is_found() -> None:
    seeds_until_found(make_gateway=TakesForgottenForAbsent, retention=FORGETFUL)


def test_at_a_venue_that_forgets_at_once_nobody_is_told_what_is_not_so() -> None:
    """Orders may stay unknown there; none is told as not accepted that was, and none is doubled."""
    unsettled = 0
    for seed in range(100 if FULL else 20):
        run_ = plan(1, [BTC], **QUICK)
        one = World(seed, run_, LONG, strategies, HARSH, VENUES[seed % 3], retention=FORGETFUL)
        findings = one.finish().findings
        assert not [text for text in findings if "told that it is not" in text or "times" in text or "twice" in text], seed
        unsettled += len(one.actors[GATEWAY].unknown)
    assert unsettled > 0


class SlowStream(World):
    """The account stream comes in its order, and later than every reply."""

    def send(self, sender: str, message: Any) -> None:
        if isinstance(message, VenueEvent):
            self.at(self.now + 60_000_000, lambda: self.deliver(GATEWAY, message))
        else:
            super().send(sender, message)


@pytest.mark.parametrize(("gateway", "is_found"), [(Gateway, False), (ComparesWhatIsUnderWay, True)])
def test_a_gateway_that_compares_what_is_under_way_is_found(gateway: type[Gateway], is_found: bool) -> None:
    found = []
    for seed in range(5):
        settings = {"make_gateway": gateway, "reconcile_ns": 50_000_000}
        found += SlowStream(seed, plan(1, [BTC], **QUICK), LONG, strategies, NO_FAULTS, **settings).finish().findings
    assert any("by the node's own comparison" in text for text in found) == bool(found) == is_found, found


def test_an_engine_that_acts_before_it_writes_is_found() -> None:
    seeds_until_found(0 if FULL else 170, make_session=opens_hasty)  # it takes 177, half a minute


def test_the_harsh_world_of_the_mutants_is_survived_without_them() -> None:
    for seed in range(100 if FULL else 10):
        world(seed, facts=LONG, faults=HARSH)


def test_the_judge_reads_the_venues_ledger() -> None:
    """A balance that differs by one unit is found."""
    one = World(3, plan(1, [BTC], **QUICK), FACTS, strategies, NO_FAULTS)
    one.finish()
    one.actors[VENUE].balances["USD"] += 1
    assert any("balance of USD" in text for text in one.judge().findings)
    one.actors[VENUE].trades.pop()
    assert any("trades that the venue keeps" in text for text in one.judge().findings)
    assert one.actors[ENGINE].live.kernel.fills > 0


def test_a_failure_names_its_seed() -> None:
    for seed in range(300):
        try:
            world(seed, facts=LONG, faults=HARSH, make_gateway=TellsFillsTwice)
        except Failed as error:
            assert str(error).startswith(f"seed {seed}: ")
            return
    raise AssertionError("no seed failed")
