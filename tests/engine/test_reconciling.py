"""The gate of trading: what opens it, what shuts it, and what an operator wanted meanwhile and before a death."""

import numpy as np
import pytest

from tests.strategies.support import BTC, SECOND, START, book, plan, row
from tradebot._core.types import Kind
from tradebot.domain.errors import Refused
from tradebot.domain.links import BooksAsked, BookTrade, VenueBooks
from tradebot.domain.orders import TradingState
from tradebot.domain.venue import OrderStatus
from tradebot.engine.reconciling import Gate
from tradebot.engine.session import Session, note_of, open_session
from tradebot.strategies.strategy import Strategy
from tradebot.testing.simulation import MemoryJournal

PLAN = plan(1, [BTC])
AGREE = {"USD": 10**13, "BTC": 10**9, "ETH": 10**10}


class Buyer(Strategy):
    def on_trade(self, trade: object) -> None:
        self.buy(0.01, price=99.0)


def journal() -> MemoryJournal:
    return MemoryJournal(lambda what: None)


def start(kept: MemoryJournal, epoch: int = 1) -> Session:
    return open_session(PLAN, [Buyer({})], kept, "one", epoch, START + epoch * SECOND // 100, 30 * SECOND)[0]


def books(session: Session, now_ns: int, **slots: object) -> VenueBooks:
    """What the gateway answers where nothing differs, but for what is named."""
    asked = next(one for one in session.on_clock(now_ns) if isinstance(one, BooksAsked))
    settings: dict[str, object] = {
        "answers": session.answers_taken, "commands": session.commands, "venue_ns": now_ns, "busy": [], "held": [],
        "open_orders": [], "trades": [], "balances": AGREE, "positions": [],
    }  # fmt: skip
    return VenueBooks(2, 1, asked.round, **(settings | slots))  # type: ignore[arg-type]


def trade(session: Session, seconds: float) -> int:
    """How many orders have been sent after a trade."""
    session.on_market(np.concatenate([*book(), row(seconds, Kind.TRADE, 201, 1)]).tobytes())
    return session.live.kernel.orders


def opened(kept: MemoryJournal) -> Session:
    session = start(kept)
    session.on_books(books(session, START + SECOND), START + SECOND)
    return session


def test_trading_opens_with_the_first_round_that_agrees_as_a_fact() -> None:
    kept = journal()
    session = start(kept)
    assert trade(session, 0.5) == 0
    session.on_books(books(session, START + SECOND), START + SECOND)
    assert trade(session, 2) == 1
    notes = [note_of(frame) for frame in kept.frames() if frame.body]
    assert [(one.who, one.is_gate) for one in notes] == [("reconcile", True), ("reconcile", False)]


def test_a_round_that_is_not_in_step_says_nothing() -> None:
    session = start(journal())
    late = books(session, START + SECOND, answers=1, balances={})
    assert session.on_books(late, START + SECOND) == [] and session.reconciling.gate is Gate.WAITING
    assert session.reconciling.compared_round == 0
    assert next(one for one in session.on_clock(START + 2 * SECOND) if isinstance(one, BooksAsked)).round == late.round + 1


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ({"balances": AGREE | {"USD": 1}}, "balance USD: the engine has 10000000000000, the venue 1"),
        ({"trades": [BookTrade(5, 7, -2, 200)]}, "fill 5: the engine has none, the venue -2 lots at 200 ticks of order 7"),
        (
            {"open_orders": [OrderStatus(7, True, False, 200, 2, 0, 0, 0)]},
            "order 7: the engine has none, the gateway none, the venue 2 lots at 200 ticks, 0 filled",
        ),
    ],
)
def test_a_difference_in_two_rounds_halts_and_a_resume_is_refused_until_they_agree(slots: dict[str, object], words: str) -> None:
    session = opened(journal())
    for number in (40, 50):
        assert session.live.kernel.trading_state == TradingState.ACTIVE
        session.on_books(books(session, START + number * SECOND, **slots), START + number * SECOND)
    assert session.live.kernel.trading_state == TradingState.HALTED
    assert session.reconciling.why_shut() == words
    with pytest.raises(Refused, match="books that agree"):
        session.set_trading_state(TradingState.ACTIVE, START + 60 * SECOND, "ann", "")
    session.on_books(books(session, START + 70 * SECOND), START + 70 * SECOND)
    assert session.live.kernel.trading_state == TradingState.HALTED, "that it agrees again opens nothing"
    session.set_trading_state(TradingState.ACTIVE, START + 71 * SECOND, "ann", "it was me")
    assert trade(session, 72) == 1


def test_a_fill_that_the_venue_may_have_forgotten_is_not_missed_there() -> None:
    session = opened(journal())
    session.reconciling.note_fill(5, 7, 2, 200, START + 2 * SECOND)
    session.on_books(books(session, START + 40 * SECOND, forgotten_ns=START + 2 * SECOND), START + 40 * SECOND)
    assert session.reconciling.differences == []
    session.reconciling.note_fill(6, 7, 2, 200, START + 41 * SECOND)
    session.on_books(books(session, START + 80 * SECOND, forgotten_ns=START + 41 * SECOND - 1), START + 80 * SECOND)
    assert [one.of for one in session.reconciling.differences] == ["6"]


def test_a_difference_that_goes_away_halts_nothing() -> None:
    session = opened(journal())
    for number in range(3):
        at = START + (1 + number) * 100 * SECOND
        session.on_books(books(session, at, balances=AGREE | {"USD": 1}), at)
        session.on_books(books(session, at + 20 * SECOND), at + 20 * SECOND)
    assert session.live.kernel.trading_state == TradingState.ACTIVE


@pytest.mark.parametrize("with_snapshot", [False, True])
@pytest.mark.parametrize("was_paused", [False, True])
def test_a_start_waits_again_and_then_stands_as_an_operator_wanted(was_paused: bool, with_snapshot: bool) -> None:
    kept = journal()
    session = opened(kept)
    if was_paused:
        session.set_trading_state(TradingState.HALTED, START + 2 * SECOND, "ann", "lunch")
    if with_snapshot:
        session.save()
    again = start(kept, 2)
    assert again.live.kernel.trading_state == TradingState.HALTED
    third = start(kept, 3)  # the wait itself is nobody's wish, also where a start dies in it
    third.on_books(books(third, START + 9 * SECOND), START + 9 * SECOND)
    assert third.live.kernel.trading_state == (TradingState.HALTED if was_paused else TradingState.ACTIVE)


def test_without_an_interval_nothing_waits_and_nothing_is_asked() -> None:
    session, _ = open_session(PLAN, [Buyer({})], journal(), "one", 1, START)
    assert not any(isinstance(one, BooksAsked) for one in session.on_clock(START + SECOND))
    assert trade(session, 2) == 1
