"""An engine on its journal goes on with what it had, whatever it died of; edited code begins on the books that it finds."""

from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import Struct

from tests.strategies.support import BTC, SECOND, START, book, plan, row
from tradebot._core.types import FACT_DTYPE, Act, Flag, Kind, Reject
from tradebot.domain.errors import LocalError
from tradebot.domain.frames import Frame
from tradebot.domain.links import AnswersTaken, CommandsTaken, EngineUp, Fenced, GatewayUp
from tradebot.domain.market import AccountFacts, Commands
from tradebot.domain.orders import OrderState, TradingState
from tradebot.engine.replay import replay_journal
from tradebot.engine.session import SAY_AGAIN_NS, Note, Session, ShutOut, note_of, open_session
from tradebot.strategies.strategy import Strategy
from tradebot.testing.simulation import MemoryJournal

PLAN = plan(1, [BTC])
MARKET = np.concatenate([*book(), row(1, Kind.TRADE, 201, 1)])


class Buyer(Strategy):
    """Buys at each trade, guarded; counts what it did."""

    class State(Struct):
        bought: int = 0

    def on_trade(self, trade: Any) -> None:
        self.state.bought += 1
        self.buy(0.01, price=99.0, stop_loss=90.0)


class Edited(Strategy):
    """What somebody made of it: it tells what it found."""

    def on_start(self) -> None:
        self.found = len(self.open_orders())

    def on_fill(self, fill: Any) -> None:
        self.held = self.position.quantity


class Raises(Strategy):
    def on_trade(self, trade: Any) -> None:
        raise RuntimeError("poison")


def start(kept: MemoryJournal, epoch: int = 1, strategy: Strategy | None = None, code: str = "one") -> tuple[Session, list[Any]]:
    return open_session(PLAN, [strategy or Buyer({})], kept, code, epoch, START + epoch * SECOND // 100)


def journal() -> MemoryJournal:
    return MemoryJournal(lambda what: None)


def said(messages: list[Any]) -> list[Any]:
    """(number, kind) of every command."""
    found = []
    for message in messages:
        if isinstance(message, Commands):
            found += [(message.sequence + at, int(one["kind"])) for at, one in enumerate(message.array())]
    return found


def answer(messages: list[Any], kind: Kind, first: int, **slots: int) -> AccountFacts:
    """What a gateway tells of the first command among `messages`."""
    command = next(one for one in messages if isinstance(one, Commands)).array()[0]
    fact = np.zeros(1, FACT_DTYPE)
    for name in ("id", "instrument", "owner", "price", "quantity"):
        fact[name] = command[name]
    fact["kind"] = fact["kind2"] = kind
    fact["flags2"], fact["cause"], fact["time_ns"] = Flag.CONT, command["cause"], START + 2 * SECOND
    for name, value in slots.items():
        fact[name] = value
    return AccountFacts(1, first, 1, fact.tobytes())


def test_commands_are_said_until_the_gateway_has_them_also_after_a_death() -> None:
    kept = journal()
    session, up = start(kept)
    assert [type(one) for one in up] == [EngineUp]
    assert said(session.on_market(MARKET.tobytes())) == [(1, Kind.PLACE_ORDER)]
    assert said(session.on_clock(START + 2 * SECOND + SAY_AGAIN_NS)) == [(1, Kind.PLACE_ORDER)]
    session, up = start(kept, 2)
    assert said(session.on_gateway_up(GatewayUp(1, 1, 0), START + 3 * SECOND)) == [(1, Kind.PLACE_ORDER)]
    session.on_commands_taken(CommandsTaken(1, 1, 1))
    assert said(session.on_clock(START + 9 * SECOND)) == []
    assert session.live.kernel.orders == 1


def test_nothing_is_said_when_the_journal_cannot_be_written() -> None:
    class Full(Exception):
        pass

    def mark(what: str) -> None:
        if full and what == "write":
            raise Full

    full = False
    kept = MemoryJournal(mark)
    session, _ = start(kept)
    full = True
    with pytest.raises(Full):
        session.on_market(MARKET.tobytes())
    full = False
    session, _ = start(kept, 2)
    assert session.live.kernel.orders == 0, "what was not written did not happen"


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_a_start_goes_on_where_the_last_one_died(with_snapshot: bool) -> None:
    kept = journal()
    session, _ = start(kept)
    placed = session.on_market(MARKET.tobytes())
    session.on_answers(answer(placed, Kind.ORDER_ACCEPTED, 1), START + 2 * SECOND)
    if with_snapshot:
        session.save()
    session.on_market(row(3, Kind.TRADE, 201, 1).tobytes())
    strategy = Buyer({})
    again, up = start(kept, 2, strategy)
    assert again.live.kernel.snapshot()[6:9] == session.live.kernel.snapshot()[6:9]
    assert strategy.state.bought == 2
    assert up[-1] == EngineUp(1, 1, 2, 1)
    assert [number for number, _ in again.waiting] == [1, 2]
    before = len(kept.body)
    again.on_market(row(4, Kind.TRADE, 201, 1).tobytes())
    assert len(kept.body) > before and strategy.state.bought == 3


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_kill_edit_start(with_snapshot: bool) -> None:
    """The new code does not step what the old one did: it finds its orders open, and hears of their fills."""
    kept = journal()
    session, _ = start(kept)
    placed = session.on_market(MARKET.tobytes())
    if with_snapshot:
        session.save()
    session.on_answers(answer(placed, Kind.ORDER_ACCEPTED, 1), START + 2 * SECOND)
    edited = Edited({})
    again, _ = start(kept, 2, edited, "two")
    assert edited.found == 1
    filled = again.on_answers(answer(placed, Kind.ORDER_FILLED, 2, trade_id=1, parent=0), START + 3 * SECOND)
    assert edited.held == 0.01
    assert said(filled) == [(2, Kind.PLACE_ORDER)], "the entry of the old code is guarded as it was asked for"
    third, _ = start(kept, 3, Edited({}), "two")
    assert third.live.kernel.snapshot()[7] == again.live.kernel.snapshot()[7]
    back, _ = start(kept, 4, Buyer({}), "one")
    assert back.live.kernel.positions()[0][4] == 10


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_a_run_whose_strategies_were_edited_replays_from_its_first_fact(with_snapshot: bool) -> None:
    """Timers of the new code have the same numbers whether it began on a snapshot of the old or on all that it did."""

    class Ticks(Edited):
        def on_start(self) -> None:
            self.every(SECOND)

        def on_timer(self, timer: Any) -> None:
            self.buy(0.01, price=98.0)

    class Ticked(Buyer):
        def on_start(self) -> None:
            self.every(SECOND)
            self.every(3 * SECOND)

    kept = journal()
    session, _ = start(kept, 1, Ticked({}))
    session.on_market(MARKET.tobytes())
    session.on_clock(START + 5 * SECOND)
    if with_snapshot:
        session.save()
    session.on_clock(START + 6 * SECOND)
    again, _ = start(kept, 2, Ticks({}), "two")
    again.on_clock(START + 9 * SECOND)
    assert again.live.kernel.orders > session.live.kernel.orders
    found = replay_journal(PLAN, [Ticks({})], list(kept.frames()))
    assert found.is_identical and found.folded_epochs == [1]
    assert found.digest == again.live.kernel.digest_text


class Recounts(Buyer):
    """Buyer's State, and something beside it."""

    class State(Struct):
        bought: int = 0
        more: int = 7

    def on_start(self) -> None:
        self.began_with = self.state.bought


class Unlike(Strategy):
    class State(Struct):
        bought: str = "none"


@pytest.mark.parametrize("with_snapshot", [True, False])
def test_edited_strategies_go_on_with_their_state_where_it_fits(with_snapshot: bool) -> None:
    """After a death too, and whoever was not edited as well; the replay gives them the same."""
    kept, two = journal(), plan(2, [BTC])
    session, _ = open_session(two, [Buyer({}), Buyer({})], kept, "one", 1, START)
    session.on_market(MARKET.tobytes())
    if with_snapshot:
        session.save()
    session.on_market(row(1.1, Kind.TRADE, 201, 1).tobytes())
    edited = Recounts({})
    again, _ = open_session(two, [Buyer({}), edited], kept, "two", 2, START + 2 * SECOND)
    assert edited.began_with == 2 and edited.state.more == 7 and again.not_taken_over == []
    again.on_market(row(3, Kind.TRADE, 201, 1).tobytes())
    assert [one.state.bought for one in again.strategies] == [3, 3]
    third = [Buyer({}), Recounts({})]
    open_session(two, third, kept, "two", 3, START + 4 * SECOND)
    assert [one.state.bought for one in third] == [3, 3]
    replayed = replay_journal(two, [Buyer({}), Recounts({})], list(kept.frames()))
    assert replayed.is_identical and replayed.folded_epochs == [1]
    unlike, _ = open_session(two, [Buyer({}), Unlike({})], kept, "three", 4, START + 6 * SECOND)
    assert [one.state.bought for one in unlike.strategies] == [3, "none"]
    assert [(number, "Expected" in why) for number, why in unlike.not_taken_over] == [(1, True)]


class Heavy(Strategy):
    class State(Struct):
        prices: list[float] = []

    def on_trade(self, trade: Any) -> None:
        self.state.prices = [*self.state.prices, trade.price] * 2 if len(self.state.prices) < 2_000 else self.state.prices[1:]


def test_a_large_state_does_not_fill_the_journal() -> None:
    kept = journal()
    session, _ = open_session(PLAN, [Heavy({})], kept, "one", 1, START)
    session.on_market(MARKET.tobytes())
    for number in range(300):
        session.on_market(row(1 + (number + 1) / 100, Kind.TRADE, 201, 1).tobytes())
    large = [frame for frame in kept.frames() if len(frame.body) > 4_096]
    assert len(session.strategies[0].save_state()) > 10_000 and 2 <= len(large) <= 5, "three seconds"
    session.save()
    heavy = Heavy({})
    open_session(PLAN, [heavy], kept, "two", 2, START + 9 * SECOND)
    assert heavy.state == session.strategies[0].state, "a stop keeps a snapshot, which has it whole"


def test_a_stop_while_the_books_are_not_compared_yet_does_not_halt_the_next_start() -> None:
    """Only what opens, reduces or halts trading says what is wanted; an act says nothing of it."""
    kept = journal()
    session, _ = open_session(PLAN, [Buyer({})], kept, "one", 1, START, 30 * SECOND)
    assert session.live.kernel.trading_state == TradingState.HALTED
    session.act(Act.CANCEL_ENTRIES, START + SECOND, "root", "stop")
    again, _ = open_session(PLAN, [Buyer({})], kept, "one", 2, START + 2 * SECOND, 30 * SECOND)
    assert again.wanted == TradingState.ACTIVE
    again.set_trading_state(TradingState.REDUCING, START + 3 * SECOND, "ann", "enough")
    third, _ = open_session(PLAN, [Buyer({})], kept, "one", 3, START + 4 * SECOND, 30 * SECOND)
    assert third.wanted == TradingState.REDUCING


@pytest.mark.parametrize("rate", [(0, 0), (1, SECOND), (2, 60 * SECOND), (9, 60 * SECOND)])
def test_limits_may_be_changed_between_two_starts(rate: tuple[int, int]) -> None:
    """What was sent before counts against the new rate, as far back as that looks."""
    kept, other = journal(), plan(1, [BTC], rate_orders=rate[0], rate_interval_ns=max(1, rate[1]))
    session, _ = open_session(plan(1, [BTC], rate_orders=3, rate_interval_ns=60 * SECOND), [Buyer({})], kept, "one", 1, START)
    session.on_market(MARKET.tobytes())
    session.on_market(row(1.1, Kind.TRADE, 201, 1).tobytes())
    session.save()
    again, _ = open_session(other, [Buyer({})], kept, "limits", 2, START + 2 * SECOND)
    again.on_market(row(3, Kind.TRADE, 201, 1).tobytes())
    refused = {int(one["reject"]) for one in np.frombuffer(list(kept.frames())[-1].outputs, FACT_DTYPE) if one["reject"]}
    assert refused == ({Reject.ORDER_RATE_TOO_HIGH} if rate[0] == 2 else set())


def test_a_poison_fact_quarantines_and_does_not_kill_twice() -> None:
    kept = journal()
    session, _ = start(kept, 1, Raises({}))
    session.on_market(MARKET.tobytes())
    assert len(session.live.kernel.failures) == 1
    again, _ = start(kept, 2, Raises({}))
    assert said(again.on_market(row(2, Kind.TRADE, 201, 1).tobytes())) == []
    assert len(again.live.kernel.failures) == 1


@pytest.mark.parametrize("is_folded", [False, True])
def test_a_strategy_that_its_keeper_shuts_out_stays_out_and_the_run_replays(is_folded: bool) -> None:
    """Its entries are cancelled, its guards stay; nobody calls it, while others begin as they must."""
    kept, plan_of_two = journal(), plan(2, [BTC])
    session, _ = open_session(plan_of_two, [Buyer({}), Buyer({})], kept, "one", 1, START)
    session.on_market(MARKET.tobytes())
    shut = ShutOut([1], "poison: it never returned", is_folded)
    again, found = open_session(plan_of_two, [Buyer({}), Buyer({})], kept, "one", 2, START + SECOND, shut=shut)
    kernel = again.live.kernel
    assert kernel.quarantined == [1]
    assert [kind for _, kind in said(found)][-1] == Kind.CANCEL_ORDER
    note = note_of(list(kept.frames())[-1])
    assert (note.who, note.why, note.anew) == ("root", shut.why, is_folded)
    again.on_market(row(3, Kind.TRADE, 201, 1).tobytes())
    assert [row[7] for row in kernel.open_orders() if row[11] == OrderState.SENT] == [0, 0]
    third, _ = open_session(plan_of_two, [Buyer({}), Buyer({})], kept, "one", 3, START + 9 * SECOND)
    assert third.live.kernel.quarantined == [1]
    replayed = replay_journal(plan_of_two, [Buyer({}), Buyer({})], list(kept.frames()))
    assert replayed.is_identical and replayed.folded_epochs == ([1] if is_folded else [])


@pytest.mark.parametrize("has_snapshot", [False, True])
def test_whoever_was_quarantined_stays_so_when_another_is_shut_out_while_it_recovers(has_snapshot: bool) -> None:
    """All begin anew on what was recorded, but nobody has mended that one; an edit may have."""
    kept, three = journal(), plan(3, [BTC])
    session, _ = open_session(three, [Buyer({}), Raises({}), Buyer({})], kept, "one", 1, START)
    session.on_market(MARKET.tobytes())
    assert session.live.kernel.quarantined == [1]
    if has_snapshot:
        session.save()
    shut = ShutOut([2], "poison: it never returned", is_folded=True)
    again, _ = open_session(three, [Buyer({}), Raises({}), Buyer({})], kept, "one", 2, START + SECOND, shut=shut)
    assert again.live.kernel.quarantined == [1, 2]
    again.on_market(row(3, Kind.TRADE, 201, 1).tobytes())
    third, _ = open_session(
        three, [Buyer({}), Raises({}), Buyer({})], kept, "one", 3, START + 9 * SECOND, shut=ShutOut([0], "again", is_folded=True)
    )
    assert third.live.kernel.quarantined == [0, 1, 2]
    edited, _ = open_session(three, [Buyer({}), Buyer({}), Buyer({})], kept, "two", 4, START + 10 * SECOND)
    assert edited.live.kernel.quarantined == []


def test_the_kernel_says_whose_callback_runs_where_another_process_can_see_it() -> None:
    seen, words = [], np.zeros(3, np.uint64)

    class Looks(Strategy):
        def on_trade(self, trade: Any) -> None:
            seen.append(words[:2].tolist())
            if len(seen) == 2:
                raise SystemExit(3)

    session, _ = open_session(PLAN, [Looks({})], journal(), "one", 1, START, calls=words)
    session.on_market(MARKET.tobytes())
    assert seen == [[1, session.live.kernel.sequence]] and words[0] == 0
    with pytest.raises(SystemExit):
        session.on_market(row(2, Kind.TRADE, 201, 1).tobytes())
    assert words[0] == 1, "it ends the engine, and is named"


def test_answers_are_taken_once_and_in_order() -> None:
    session, _ = start(journal())
    placed = session.on_market(MARKET.tobytes())
    early = session.on_answers(answer(placed, Kind.ORDER_FILLED, 2, trade_id=1, parent=0), START + 2 * SECOND)
    assert [type(one) for one in early] == [EngineUp], "a hole is asked for"
    assert session.answers_taken == 0
    for _ in range(2):
        assert session.on_answers(answer(placed, Kind.ORDER_ACCEPTED, 1), START + 2 * SECOND)[-1] == AnswersTaken(1, 1, 1, 1)
    session.on_answers(answer(placed, Kind.ORDER_FILLED, 2, trade_id=1, parent=0), START + 2 * SECOND)
    session.on_answers(answer(placed, Kind.ORDER_FILLED, 2, trade_id=1, parent=0), START + 2 * SECOND)
    assert session.live.kernel.fills == 1


def test_an_answer_that_cannot_be_ours_halts_trading_and_is_kept_in_words() -> None:
    kept = journal()
    session, _ = start(kept)
    placed = session.on_market(MARKET.tobytes())
    session.on_answers(answer(placed, Kind.ORDER_FILLED, 1, trade_id=1, parent=0), START + 2 * SECOND)
    assert "state 1" in session.refused[0][1]
    assert said(session.on_market(row(3, Kind.TRADE, 201, 1).tobytes())) == [], "halted"
    again, _ = start(kept, 2)
    assert again.refused == session.refused and again.answers_taken == 1


def test_an_engine_that_is_told_of_a_later_lease_is_fenced() -> None:
    session, _ = start(journal())
    session.on_fenced(Fenced(1, 1, 1))
    assert not session.is_fenced
    session.on_fenced(Fenced(1, 1, 2))
    assert session.is_fenced


def test_a_gateway_that_has_more_than_we_ever_said_is_refused() -> None:
    session, _ = start(journal())
    with pytest.raises(LocalError, match="not the one that these commands came from"):
        session.on_gateway_up(GatewayUp(1, 1, 5), START + SECOND)


def test_controls_stand_in_the_journal_with_who_and_why() -> None:
    kept = journal()
    session, _ = start(kept)
    placed = session.on_market(MARKET.tobytes())
    session.on_answers(answer(placed, Kind.ORDER_ACCEPTED, 1), START + 2 * SECOND)
    session.set_trading_state(TradingState.HALTED, START + 3 * SECOND, "ann", "lunch")
    cancelled = session.act(Act.CANCEL_ALL, START + 3 * SECOND, "ann", "lunch")
    assert said(cancelled) == [(2, Kind.CANCEL_ORDER)]
    notes = [msgspec.msgpack.decode(frame.body, type=Note) for frame in kept.frames() if frame.body]
    assert [(one.who, one.why) for one in notes][-2:] == [("ann", "lunch")] * 2
    again, _ = start(kept, 2)
    assert said(again.on_market(row(4, Kind.TRADE, 201, 1).tobytes())) == [], "the latch holds after a start"


def test_code_that_does_something_else_is_named_by_its_first_command() -> None:
    class Other(Buyer):
        def on_trade(self, trade: Any) -> None:
            self.buy(0.02, price=98.0)

    kept = journal()
    session, _ = start(kept)
    session.on_market(MARKET.tobytes())
    with pytest.raises(LocalError, match=r"place_order of order \d+ \(10 lots at 198 ticks\), found place_order .*20 lots"):
        start(kept, 2, Other({}))


def test_a_changed_fact_is_seen_by_its_digest() -> None:
    kept = journal()
    session, _ = start(kept)
    session.on_market(row(1, Kind.TRADE, 201, 1).tobytes())
    frames = list(kept.frames())
    wrong = journal()
    for frame in frames[:-1]:
        wrong.append(frame)
    facts = bytearray(frames[-1].facts)
    facts[24] ^= 1
    wrong.append(msgspec.structs.replace(frames[-1], facts=bytes(facts), outputs=b""))
    with pytest.raises(LocalError, match="expected"):
        start(wrong, 2, Edited({}), "one")
    assert isinstance(frames[0], Frame) and Reject.ACCEPTED == 0
