"""One run over stored facts: drive the engine, watch the strategies, count what happened."""

import sys
import time
import traceback
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from tradebot._core.merge import Merge
from tradebot.domain.errors import LocalError, StrategyFailed
from tradebot.engine.drive import drive
from tradebot.engine.plan import Plan, make_merge
from tradebot.engine.ports import Recorder, Source
from tradebot.research.watchdog import watch
from tradebot.strategies.strategy import Strategy

CALLBACK_LIMIT_S: Final = 10.0

# What the simulated venue takes for granted; every report says it.
ASSUMPTIONS: Final = [
    "Recorded orders do not react to ours.",
    "What we took stays taken: a recorded order that we traded with has that much less from then on.",
    "Our resting orders stand in the recorded queue at the place they arrived; an execution of a recorded order behind "
    "ours, or at a worse price, fills ours first, and the recorded order keeps its own history.",
    "A recorded order that rests at or through our price fills us at our price.",
    "Orders that cross the book on arrival show at no price until the venue says what they did.",
    "After a book snapshot our orders stand last at their price.",
    "Orders and answers each take the stated latency and keep their order; market data the recorded time, at most 10 s.",
    "Where only totals per price are told, our place in a queue is modelled as stated, and what we take of a level is gone until "
    "the venue tells its total again.",
    "Fees are charged on each trade and rounded up.",
]

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
        failures=[_failure(names[number], sequence, error, strategies) for number, sequence, error in kernel.failures],
    )


def _failure(name: str, sequence: int, error: BaseException, strategies: Sequence[Strategy]) -> str:
    return (
        f"strategy {name!r} raised {type(error).__name__}: {error}{_place(error, strategies)}, on fact {sequence}; it was "
        "quarantined and its orders were cancelled: mend it and run again"
    )


def _place(error: BaseException, strategies: Sequence[Strategy]) -> str:
    """The innermost line of a strategy's own file, for what is raised below it was mostly asked for there."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {getattr(sys.modules.get(type(one).__module__), "__file__", None) for one in strategies}
    own = [frame for frame in frames if frame.filename in files] or frames
    return f" at {own[-1].filename}:{own[-1].lineno} in {own[-1].name}" if own else ""
