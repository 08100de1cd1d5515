"""A node's run as its engine leaves it, made within the test: a real journal in a real folder, and no process."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.strategies.support import BTC, SECOND, START, book, plan, row
from tradebot._core.types import FACT_DTYPE, Act, Flag, Kind
from tradebot.domain.market import AccountFacts, Commands
from tradebot.domain.orders import TradingState
from tradebot.engine.session import Session, open_session
from tradebot.node.session_files import ENGINE, Prepared, run_folder, write_prepared, write_whole
from tradebot.store.journal import Journal
from tradebot.strategies.strategy import Strategy

PLAN = plan(1, [BTC])
RUN_ID = "20260101T000000Z-0badcafe"


class Buyer(Strategy):
    """Buys at each trade, guarded; wishes for far too much at the price of 300 ticks."""

    def on_trade(self, trade: Any) -> None:
        size = 1e6 if trade.price == 150.0 else 0.01
        self.buy(size, price=99.0, stop_loss=90.0)


class Run:
    """A run in `home`, to which its session is still open."""

    def __init__(self, home: Path, segment_bytes: int = 1 << 20) -> None:
        self.folder = run_folder(home, RUN_ID)
        self.folder.mkdir(parents=True)
        config = {"strategy": [{"use": "tests:Buyer", "name": "buyer"}]}
        write_prepared(self.folder, Prepared(run_id=RUN_ID, config=config, plan=PLAN, fingerprint="one", ticks=0))
        write_whole(home / "journal" / "current", f"{RUN_ID}\n".encode())
        self.journal = Journal.create_or_open(self.folder / ENGINE, RUN_ID, segment_bytes=segment_bytes)
        self.session: Session
        self.session, _ = open_session(PLAN, [Buyer({})], self.journal, "one", 1, START)
        self.placed: list[Any] = []
        self.answers = 0
        self.old = self.last = 0

    def trade(self, seconds: float, price: int = 201) -> None:
        """A trade, at which the strategy sends an order."""
        self.placed = self.session.on_market(row(seconds, Kind.TRADE, price, 1).tobytes())

    def answer(self, seconds: float, kind: Kind, **slots: int) -> None:
        """What the venue says of the last command sent."""
        command = next(one for one in self.placed if isinstance(one, Commands)).array()[-1]
        fact = np.zeros(1, FACT_DTYPE)
        for name in ("id", "instrument", "owner", "price", "quantity", "cause"):
            fact[name] = command[name]
        fact["kind"] = fact["kind2"] = kind
        fact["flags2"], fact["time_ns"] = Flag.CONT, START + int(seconds * SECOND)
        for name, value in slots.items():
            fact[name] = value
        self.answers += 1
        self.session.on_answers(AccountFacts(1, self.answers, 1, fact.tobytes()), START + int(seconds * SECOND))

    def halt(self, seconds: float, why: str) -> None:
        self.session.set_trading_state(TradingState.HALTED, START + int(seconds * SECOND), "ann", why)

    def cancel_all(self, seconds: float, why: str) -> None:
        self.placed = self.session.act(Act.CANCEL_ALL, START + int(seconds * SECOND), "ann", why)


def pruned(home: Path) -> Run:
    """A run whose first segments are removed: of its `old` order the fill is left, its `last` is there."""
    run = Run(home, 4_096)
    run.session.on_market(np.concatenate(book()).tobytes())
    run.trade(1)
    run.old = order_of(run.placed)
    run.answer(2, Kind.ORDER_ACCEPTED)
    for number in range(60):
        run.session.on_market(row(3 + number / 10, Kind.GAP).tobytes())
    run.session.save()
    run.answer(20, Kind.ORDER_FILLED, quantity=10, trade_id=1, parent=0, fee=5)
    run.trade(21)
    run.last = order_of(run.placed)
    assert run.journal.prune(0, 1 << 62)
    return run


def order_of(placed: list[Any]) -> int:
    return int(next(one for one in placed if isinstance(one, Commands)).array()[-1]["id"])


def filled_then_cancelled(home: Path) -> Run:
    """An order filled in two parts, and guarded; one that is refused by us; one that an operator cancels."""
    run = Run(home)
    run.session.on_market(np.concatenate(book()).tobytes())
    run.trade(1)
    run.answer(2, Kind.ORDER_ACCEPTED)
    run.answer(3, Kind.ORDER_FILLED, quantity=4, trade_id=1, parent=6, fee=5)
    run.answer(3.5, Kind.ORDER_FILLED, quantity=6, trade_id=2, parent=0, fee=5)
    run.trade(4, 300)
    run.trade(5)
    run.answer(6, Kind.ORDER_ACCEPTED)
    run.halt(7, "lunch")
    run.cancel_all(7, "lunch")
    run.answer(8, Kind.ORDER_CANCELLED, quantity=10)
    return run
