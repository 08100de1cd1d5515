"""One run over stored facts: drive the engine, watch the strategies, count what happened."""

import sys
import time
import traceback
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from tradebot._core.merge import Merge
from tradebot.domain.errors import LocalError, StrategyFailed
from tradebot.domain.words import error_text
from tradebot.engine.drive import drive
from tradebot.engine.plan import Grade, Plan, make_merge
from tradebot.engine.ports import Recorder, Source
from tradebot.research.doubts import Doubts, doubts_of
from tradebot.research.watchdog import watch
from tradebot.strategies.strategy import Strategy

CALLBACK_LIMIT_S: Final = 10.0

_EVERYWHERE: Final = [
    "Orders and answers each take the stated latency and keep their order; market data the recorded time, at most 10 s.",
    "Fees are charged on each trade and rounded up.",
]
_WITHOUT_BOOK: Final = [
    "No book is stored: nothing is known of who stood where. What was traded does not react to our orders.",
    "A limit fills at its own price, never better, and only where a price went through it by a tick.",
    "An order that would meet one of ours on the other side is ended.",
]

# What the simulated venue takes for granted, by grade; every report says it.
ASSUMPTIONS: Final[dict[int, list[str]]] = {
    Grade.BOOK: [
        "Recorded orders do not react to ours.",
        "What we took stays taken: a recorded order that we traded with has that much less from then on.",
        "Our resting orders stand in the recorded queue at the place they arrived; an execution of a recorded order behind "
        "ours, or at a worse price, fills ours first, and the recorded order keeps its own history.",
        "A recorded order that rests at or through our price fills us at our price.",
        "Orders that cross the book on arrival show at no price until the venue says what they did.",
        "After a book snapshot our orders stand last at their price.",
        _EVERYWHERE[0],
        "Where only totals per price are told, our place in a queue is modelled as stated, and what we take of a level is gone "
        "until the venue tells its total again.",
        "Where only best quotes are told, there is nothing to take beyond them, and all that is quoted when the touch comes to "
        "the price of an order of ours stands ahead of it.",
        _EVERYWHERE[1],
    ],
    Grade.BARS: [
        *_WITHOUT_BOOK,
        "A market order fills at the open of the first bar after it was sent, and pays half the stated spread and the stated "
        "slippage beyond it; what is left of it goes on at the next open.",
        "All our orders together take at most the stated share of a bar's volume.",
        "An order that is sent within a bar trades at none of that bar's prices, but for stops, and for what guards an entry "
        "that filled at the bar's open. What guards an entry that filled inside a bar is at the venue from the next bar on.",
        "A stop fills at the worse of its trigger and the open, a target at its trigger or its limit, never better.",
        "A bar that reaches both a stop and a target takes the stop first, and the result is an interval; where its trades "
        "are stored they tell which came first.",
        "A trailing stop is held against the adverse end of a bar first, then follows the better end, then meets the close.",
        "Strategies are told of bars at their close, and of no trade; a fill inside a bar is told just before its close.",
        *_EVERYWHERE,
    ],
    Grade.TRADES: [
        *_WITHOUT_BOOK,
        "A market order fills at the first trade after it arrived and at those that follow, each for at most what was "
        "traded, and pays half the stated spread beyond its price.",
        "All our orders together take at most the quantity of a trade.",
        *_EVERYWHERE,
    ],
}

# And where contracts are traded.
CONTRACT_ASSUMPTIONS: Final = [
    "Each strategy's position has margin of its own: positions of different strategies are never netted.",
    "Funding is reckoned on the position held at the venue at the settlement, at the recorded mark, and rounded up against us.",
    "A position is judged at the venue's mark where marks were recorded, else at the middle price of the book.",
    "A liquidation closes the whole position at that price and takes all that is left of its margin; a gap beyond it is made up "
    "by the venue.",
]


class Outcome(Struct, frozen=True, kw_only=True):
    """What a run came to. `seconds` is wall time of the run itself; `failures` say which strategies were quarantined."""

    events: int
    facts: int
    commands: int
    orders: int
    fills: int
    voids: int
    gaps: int
    seconds: float
    digest: str
    balances: list[tuple[int, int, int]]
    positions: list[tuple[int, ...]]
    unrealised: list[int]
    failures: list[str]
    doubts: Doubts

    @property
    def events_per_s(self) -> float:
        return self.events / self.seconds if self.seconds > 0 else 0.0

    def net(self) -> int:
        """Realised and unrealised profit after fees and funding, money units of the settle asset."""
        return sum(row[6] - row[7] - row[11] for row in self.positions) + sum(self.unrealised)


def run(
    plan: Plan,
    strategies: Sequence[Strategy],
    names: Sequence[str],
    source: Source,
    recorder: Recorder,
    callback_limit_s: float = CALLBACK_LIMIT_S,
) -> Outcome:
    """Run strategies over a source. A strategy that raises is quarantined and the run goes on.

    Raises StrategyBlocked where a callback does not return, StrategyFailed where one asks the program to end, LocalError
    where the facts are out of order.
    """
    merge = make_merge(plan, strategies)
    started = time.perf_counter()
    try:
        with watch(merge.kernel, names, callback_limit_s):
            drive(merge, source, recorder)
    except ValueError as error:
        raise LocalError(str(error)) from error
    except SystemExit as error:
        raise StrategyFailed(
            f"a strategy asked the program to end{_place(error, strategies)}; a callback ends by returning: remove the exit"
        ) from error
    seconds = time.perf_counter() - started
    merge.kernel.validate()
    return outcome(merge, strategies, names, seconds)


def outcome(merge: Merge, strategies: Sequence[Strategy], names: Sequence[str], seconds: float) -> Outcome:
    """Read off what a finished merge came to."""
    kernel = merge.kernel
    markets = range(len(kernel.names))
    return Outcome(
        events=merge.events,
        facts=kernel.sequence,
        commands=kernel.commands,
        orders=kernel.orders,
        fills=kernel.fills,
        voids=kernel.voids,
        gaps=kernel.gaps,
        seconds=seconds,
        digest=kernel.digest_text,
        balances=kernel.balances(),
        positions=kernel.positions(),
        unrealised=[kernel.unrealised(number, market) for number in range(len(names)) for market in markets],
        doubts=doubts_of(merge.simulator.doubts()),
        failures=[_failure(names[number], sequence, error, strategies) for number, sequence, error in kernel.failures],
    )


def _failure(name: str, sequence: int, error: BaseException, strategies: Sequence[Strategy]) -> str:
    return (
        f"strategy {name!r} raised {error_text(error)}{_place(error, strategies)}, on fact {sequence}; it was "
        "quarantined and its orders were cancelled, except what guards its position: mend it and run again"
    )


def _place(error: BaseException, strategies: Sequence[Strategy]) -> str:
    """The innermost line of a strategy's own file, for what is raised below it was mostly asked for there."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {getattr(sys.modules.get(type(one).__module__), "__file__", None) for one in strategies}
    own = [frame for frame in frames if frame.filename in files] or frames
    return f" at {own[-1].filename}:{own[-1].lineno} in {own[-1].name}" if own else ""
