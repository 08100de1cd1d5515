"""A session over arriving facts: its journal replays to the same digest, and folds to the same books without its strategies."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.core.test_guards import Guarded
from tests.engine.test_contracts import INV, LIN, facts_of, margin
from tests.strategies.support import BTC, ETH, SECOND, START, book, plan, row
from tests.support import MS, Noise, stream
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Act, Kind, OrderFlag
from tradebot.domain.orders import TradingState, split_client_order_id
from tradebot.engine.plan import Plan, make_live, make_simulator
from tradebot.engine.ports import Records
from tradebot.strategies.strategy import Strategy

Frame = tuple[int, bytes, bytes]


def control(kind: int, id_: int, owner: int = 0, seconds: float = 0) -> np.ndarray:
    one = row(seconds, kind, order_id=id_, instrument=0)
    one["owner"] = owner
    return one


class Session:
    """An engine and a venue at no distance: what the venue says is taken in before the next facts."""

    def __init__(self, settings: Plan, strategies: Sequence[Strategy]) -> None:
        self.live, self.venue = make_live(settings, strategies), make_simulator(settings)
        self.frames: list[Frame] = []
        self.live.begin(settings.epoch, START, True)
        self.pass_on()

    def arrive(self, facts: Records) -> None:
        self.live.arrive(facts.tobytes())
        self.pass_on()
        market = facts[facts["kind"] < Kind.ORDER_ACCEPTED]
        if len(market):
            self.venue.market(market)
            self.venue.advance(int(market["time_ns"][-1]))
            self.answer()

    def answer(self) -> None:
        while len(answers := self.venue.take_answers()):
            self.venue.take_markouts()
            for one in answers:
                assert self.live.why_refused(one.tobytes()) is None
                self.live.arrive(one.tobytes())
            self.pass_on()
            self.venue.advance(self.live.kernel.time_ns)

    def pass_on(self) -> None:
        frame = self.live.take()
        self.frames.append(frame)
        outputs = np.frombuffer(frame[2], FACT_DTYPE)
        self.venue.send(outputs[outputs["kind"] >= Kind.PLACE_ORDER])

    def run(self, facts: Records, size: Callable[[], int]) -> "Session":
        at = 0
        while at < len(facts):
            count = size()
            self.arrive(facts[at : at + count])
            at += count
        self.live.kernel.validate()
        return self


def restless(kind: type[Noise], count: int = 2) -> list[Strategy]:
    return [kind({"seed": seed, "eager": 0.5}) for seed in range(count)]


def settings_of(name: str) -> tuple[Plan, Records]:
    quick = {"order_latency_ns": 0, "answer_latency_ns": 0}
    if name == "spot":
        return plan(2, [BTC, ETH], **quick), stream(3, 3_000, 2)
    if name == "fees in base":
        return plan(2, [BTC, ETH], fee_in_base=True, **quick), stream(4, 3_000, 2)
    one = LIN if name == "linear" else INV
    return plan(2, [one], margins=[margin(20)], opening={"USDT": 10**12, "BTC": 10**12}, **quick), facts_of(5, 3_000)


NAMES = ["spot", "fees in base", "linear", "inverse"]


@pytest.mark.parametrize("kind", [Noise, Guarded])
@pytest.mark.parametrize("name", NAMES)
def test_a_session_replays_to_its_outputs_and_digest(name: str, kind: type[Noise]) -> None:
    settings, facts = settings_of(name)
    chance = random.Random(9)
    session = Session(settings, restless(kind)).run(facts, lambda: chance.randrange(1, 60))
    assert session.live.kernel.fills > 20
    again = make_live(settings, restless(kind))
    for count, slots, outputs in session.frames:
        again.replay(slots)
        assert again.take() == (count, slots, outputs)
    assert again.kernel.digest_text == session.live.kernel.digest_text
    assert again.kernel.snapshot() == session.live.kernel.snapshot()


class Bare(Noise):
    """Asks for guards that the gate refuses: targets beyond the band, and stops for lots that a sale of its own holds."""

    def on_trade(self, trade) -> None:
        draw = self.draw()
        if draw < 0.2:
            self.buy(5 * self.lot, take_profit=trade.price * 1.6)
        elif draw < 0.3 and not self.position.flat:
            self.sell(4 * self.lot, price=trade.price * 1.2)
        elif draw < 0.4 and not self.position.flat:
            self.protect(stop_loss=trade.price * 0.99, take_profit=trade.price * 1.01)
        elif draw < 0.5:
            self.cancel_all()


class Leaving(Noise):
    """Leaves by limits that it takes back, or lowers its position by them: guards make room, and come back."""

    def on_trade(self, trade) -> None:
        draw = self.draw()
        if draw < 0.2:
            self.buy(5 * self.lot, stop_loss=trade.price * 0.9, take_profit=trade.price * 1.1)
        elif draw < 0.4 and not self.position.flat:
            self.target_position(int(self.draw() * 6) * self.lot, price=trade.price * 1.02)
        elif draw < 0.5:
            self.cancel_all()
        elif draw < 0.55:
            self.close()
        elif draw < 0.6 and not self.position.flat:
            self.sell(3 * self.lot, price=trade.price * 1.01, reduce_only=True)


@pytest.mark.parametrize("kind", [Noise, Guarded, Bare, Leaving])
@pytest.mark.parametrize("name", NAMES)
def test_a_session_folds_to_its_books_without_its_strategies(name: str, kind: type[Noise]) -> None:
    """Markets, ledger, orders and guards are what they were; the digest too. Timers and states of strategies are gone."""
    settings, facts = settings_of(name)
    session = Session(settings, restless(kind)).run(facts, lambda: 7)
    outputs = np.frombuffer(b"".join(frame[2] for frame in session.frames), FACT_DTYPE)
    refused = (outputs["kind"] == Kind.ORDER_REJECTED) & (outputs["flags2"] & OrderFlag.PROTECTIVE != 0)
    assert kind is not Bare or np.count_nonzero(refused) > 20
    made_room = (outputs["kind"] >= Kind.CANCEL_ORDER) & (outputs["parent"] != 0)
    assert kind is not Leaving or np.count_nonzero(made_room) > 10
    again = make_live(settings, restless(kind))
    for _, slots, outputs in session.frames:
        again.fold(slots, outputs)
    again.kernel.validate()
    found, expected = again.kernel.snapshot(), session.live.kernel.snapshot()
    assert again.kernel.digest_text == session.live.kernel.digest_text
    assert found[:9] == expected[:9]
    assert found[10] == expected[10], "order rates"
    guards = [[(*one[:10], one[10] != 0, *one[11:]) for one in state[11]] for state in (found, expected)]
    assert guards[0] == guards[1], "guards, and which of them wait to be tried again"


def test_any_split_of_what_arrives_gives_the_same_digest() -> None:
    facts = settings_of("spot")[1]
    digests = set()
    for size in (1, 7, 256):
        live = make_live(plan(1, [BTC, ETH]), [Timers({})])
        live.begin(1, START, True)
        for at in range(0, len(facts), size):
            live.arrive(facts[at : at + size].tobytes())
        digests.add(live.kernel.digest_text)
    assert len(digests) == 1


class Timers(Strategy):
    def on_start(self) -> None:
        self.seen: list[str] = []
        self.every(150 * MS)
        self.bars("1s")

    def on_timer(self, timer) -> None:
        self.seen.append("timer")

    def on_bar(self, bar) -> None:
        self.seen.append("bar")

    def on_trade(self, trade) -> None:
        self.seen.append("trade")


def test_bars_close_before_a_fact_of_their_instant_and_timers_come_after_it() -> None:
    strategy = Timers({})
    live = make_live(plan(), [strategy])
    live.begin(1, START, True)
    live.arrive(np.concatenate([row(0, Kind.TRADE, 201, 1), row(1.05, Kind.TRADE, 201, 1)]).tobytes())
    strategy.seen.clear()
    live.arrive(row(2, Kind.TRADE, 201, 1).tobytes())
    assert strategy.seen[-2:] == ["bar", "trade"]
    due = live.kernel.next_timer_ns
    live.arrive(row((due - START) / SECOND, Kind.TRADE, 201, 1).tobytes())
    assert strategy.seen[-1] == "trade"
    live.fire(due)
    assert strategy.seen[-1] == "timer"


def test_time_never_runs_back() -> None:
    live = make_live(plan(), [Noise({"seed": 1})])
    live.begin(1, START + 5 * SECOND, True)
    live.arrive(row(1, Kind.TRADE, 201, 1).tobytes())
    assert live.kernel.time_ns == START + 5 * SECOND
    taken = np.frombuffer(live.take()[1], RECORD_DTYPE)
    assert taken["time_ns"].tolist() == [START + 5 * SECOND] * 2


def test_orders_of_a_later_epoch_have_its_number_in_their_ids() -> None:
    live = make_live(plan(), [Buys({})])
    live.begin(3, START, True)
    live.arrive(np.concatenate([*book(), row(1, Kind.TRADE, 201, 1)]).tobytes())
    live.begin(4, START + 2 * SECOND, False)
    live.arrive(row(3, Kind.TRADE, 201, 1).tobytes())
    outputs = np.frombuffer(live.take()[2], FACT_DTYPE)
    assert [split_client_order_id(int(one))[1:] for one in outputs["id"]] == [(3, 1), (4, 2)]


class Buys(Strategy):
    def on_trade(self, trade) -> None:
        self.buy(0.01, price=99.0, stop_loss=90.0)


def acted(act: Act) -> tuple[Session, list[np.void]]:
    session = Session(plan(order_latency_ns=0, answer_latency_ns=0), [Holds({})])
    session.arrive(np.concatenate([*book(), row(1, Kind.TRADE, 201, 1)]))
    before = len(session.frames)
    session.arrive(control(Kind.TRADING_STATE_CHANGED, TradingState.HALTED, seconds=2))
    session.arrive(control(Kind.OPERATOR_ACT, act, 65_535, seconds=2))
    outputs = b"".join(frame[2] for frame in session.frames[before:])
    return session, list(np.frombuffer(outputs, FACT_DTYPE))


class Holds(Strategy):
    """Holds a guarded position, and has an entry open."""

    done = False

    def on_trade(self, trade) -> None:
        if not self.done:
            self.done = True
            self.buy(0.01, stop_loss=90.0)
            self.buy(0.01, price=99.0)


@pytest.mark.parametrize(("act", "orders", "held"), [(Act.CANCEL_ENTRIES, 1, 10), (Act.CANCEL_ALL, 0, 10), (Act.FLATTEN, 0, 0)])
def test_an_operators_act_is_a_fact_that_cancels_and_flattens_while_trading_is_halted(act: Act, orders: int, held: int) -> None:
    session, outputs = acted(act)
    session.venue.advance(START + 3 * SECOND)
    session.answer()
    assert len(session.live.kernel.snapshot()[8]) == orders
    assert session.live.kernel.positions()[0][4] == held
    assert all(one["kind"] in (Kind.CANCEL_ORDER, Kind.PLACE_ORDER) for one in outputs)
    again = make_live(plan(order_latency_ns=0, answer_latency_ns=0), [Holds({})])
    for _, slots, _ in session.frames:
        again.replay(slots)
    assert again.kernel.digest_text == session.live.kernel.digest_text


BAD = {
    "half a slot": (b"\0" * 63, "whole slots"),
    "a kind that is none": (row(1, 99).tobytes(), "kind 99"),
    "a timer": (row(1, Kind.TIMER).tobytes(), "kind 12"),
    "an epoch": (row(1, Kind.EPOCH_STARTED).tobytes(), "kind 82"),
    "another run's instrument": (row(1, Kind.TRADE, 1, 1, instrument=7).tobytes(), "instrument 7"),
    "half an answer": (row(1, Kind.ORDER_FILLED, 1, 1).tobytes(), "second slot"),
    "a price beyond all": (row(1, Kind.TRADE, 2**60, 1).tobytes(), "beyond any"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_fact_of_this_run_is_refused_before_any_of_its_batch(name: str) -> None:
    body, words = BAD[name]
    live = make_live(plan(), [Noise({"seed": 1})])
    live.begin(1, START, True)
    digest = live.kernel.digest_text
    with pytest.raises(ValueError, match=words):
        live.arrive(row(1, Kind.TRADE, 201, 1).tobytes() + body)
    assert live.kernel.digest_text == digest


def test_an_answer_that_cannot_follow_is_named_before_it_is_stepped() -> None:
    live = make_live(plan(), [Buys({})])
    live.begin(1, START, True)
    live.arrive(np.concatenate([*book(), row(1, Kind.TRADE, 201, 1)]).tobytes())
    placed = np.frombuffer(live.take()[2], FACT_DTYPE)[0]
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"] = fact["kind2"] = Kind.ORDER_FILLED
    fact["flags2"], fact["instrument"], fact["time_ns"], fact["quantity"] = 128, 1, START + 2 * SECOND, 10
    assert "is not open" in live.why_refused(fact.tobytes())
    fact["id"] = placed["id"]
    assert "state 1" in live.why_refused(fact.tobytes())
    accepted = fact.copy()
    accepted["kind"] = accepted["kind2"] = Kind.ORDER_ACCEPTED
    assert live.why_refused(accepted.tobytes()) is None
    live.arrive(accepted.tobytes())
    assert live.why_refused(fact.tobytes()) is None
    fact["quantity"] = 11
    assert "lots left" in live.why_refused(fact.tobytes())
    fact["owner"] = 1
    assert "strategy 1" in live.why_refused(fact.tobytes())
