"""The record stream under fuzz: both books, the simulated venue, bars, ledger, columns and whole engines.

Each function takes one execution's `random.Random`, and raises where a rule is broken; it returns whether the input was
"taken" or "refused". Refusals are those that the modules document: ValueError for a stream that is none, OverflowError for money
beyond its bounds.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from tests.core.test_ledger import RATIOS, agree
from tests.core.test_ledger import make as make_ledger
from tests.fuzz.mutations import LIMITS
from tests.fuzz.streams import extreme, flow, levels, noise, orders, stream
from tests.reference.book import ReferenceBook
from tests.reference.depth import ReferenceDepth
from tests.reference.digest import digest_bytes as reference_digest
from tests.reference.exchange import ReferenceExchange
from tests.strategies.support import BTC, ETH, SECOND, plan
from tests.support import MS, Noise, cancel, constant, place
from tradebot._core.book import L3Book
from tradebot._core.columns import gather_records, scatter_records
from tradebot._core.depth import L2Book
from tradebot._core.digest import digest_bytes
from tradebot._core.exchange import OPERATION_DTYPE, Exchange
from tradebot._core.latency import LatencyKind
from tradebot._core.match import would_trade
from tradebot._core.merge import Merge
from tradebot._core.queue_model import QueueKind
from tradebot._core.simulator import Simulator
from tradebot._core.types import RECORD_DTYPE, Flag, Kind, TimeInForce
from tradebot.engine import snapshot
from tradebot.engine.drive import hand_over
from tradebot.engine.plan import Grade, Latency, Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy

Make = Callable[[], Sequence[Strategy]]

REFUSED: Final = (ValueError, OverflowError)
TERMS: Final = [(number, 0, 1, 1, 1, 1, 1, 7, 3, 5, 2, 0, 0) for number in (1, 2)]


def books(chance: random.Random) -> str:
    """The book by orders and its twin: content, queues and would-be trades after every few records."""
    facts = chance.choice((orders, orders, flow, extreme, stream))(chance)
    compiled, reference = L3Book(), ReferenceBook()
    if is_refused(compiled, facts):
        return "refused"
    compiled = L3Book()
    for some in split(chance, facts):
        assert compiled.apply(some) == reference.apply(some)
        compiled.validate()
        reference.validate()
        assert compiled.hash() == reference.hash()
        assert (compiled.bid, compiled.ask, compiled.parked_count) == (reference.bid, reference.ask, reference.parked_count)
        assert (compiled.order_count, compiled.unknown_count) == (reference.order_count, reference.unknown_count)
        side, lots = chance.randrange(2), chance.choice((1, 5, 1000, 1 << 62))
        limit = chance.choice((None, compiled.bid, compiled.ask, chance.choice(LIMITS[:20])))
        assert would_trade(compiled, side, limit, lots) == reference.would_trade(side, limit, lots)
        if chance.random() < 0.2:
            compiled = same(compiled, L3Book())
    whole = L3Book()
    whole.apply_bbo(facts)
    assert whole.hash() == compiled.hash()
    return "taken"


def depths(chance: random.Random) -> str:
    """The book by levels and its twin."""
    facts = chance.choice((levels, levels, extreme, stream))(chance)
    compiled, reference = L2Book(), ReferenceDepth()
    if is_refused(compiled, facts):
        return "refused"
    compiled.clear()
    for some in split(chance, facts):
        assert compiled.apply(some) == reference.apply(some)
        compiled.validate()
        assert compiled.hash() == reference.hash()
        assert (compiled.bid, compiled.bid_quantity) == (reference.bid, reference.bid_quantity)
        assert (compiled.ask, compiled.ask_quantity) == (reference.ask, reference.ask_quantity)
        if chance.random() < 0.2:
            compiled = same(compiled, L2Book())
    compiled.apply_bbo(facts)
    compiled.validate()
    return "taken"


def is_refused(book: Any, facts: Records) -> bool:
    """Whether the book refuses the facts, which it must exactly where one is beyond the bounds."""
    try:
        book.apply(facts)
    except ValueError:
        book.validate()
        assert any(asks(book, one) for one in facts), "a record within the bounds was refused"
        return True
    assert not any(asks(book, one) for one in facts), "a record beyond the bounds was taken"
    return False


def asks(book: Any, record: np.void) -> bool:
    """Whether a record is one that this book refuses: an order beyond the bounds, or a level at such a price."""
    if isinstance(book, L3Book):
        return int(record["kind"]) <= Kind.L3_CHANGE and not has_amounts(record, ())
    is_set = int(record["kind"]) == Kind.L2_LEVEL and not record["flags"] & Flag.VOID and record["quantity"] > 0
    return bool(is_set) and not -(1 << 58) <= int(record["price"]) < 1 << 58


def is_bounded(record: np.void) -> bool:
    """The plain twin of `record_is_bounded`."""
    names = {int(Kind.QUOTE): ("id", "id2"), int(Kind.BAR): ("id", "id2", "venue_sequence")}.get(int(record["kind"]), ())
    times = 0 <= int(record["time_ns"]) < 1 << 62 and -(1 << 62) <= int(record["venue_ns"]) < 1 << 62
    return times and has_amounts(record, names)


def has_amounts(record: np.void, names: Sequence[str]) -> bool:
    """Price, quantity and the words of those names, read as signed, are within the bounds."""
    amounts = [int(record["price"]), int(record["quantity"]), *(int(record[name].view(np.int64)) for name in names)]
    return all(-(1 << 58) <= one < 1 << 58 for one in amounts)


def same(old: Any, new: Any) -> Any:
    """A book restored from another's state."""
    new.restore(old.state())
    new.validate()
    assert (new.hash(), new.state()) == (old.hash(), old.state())
    return new


def split(chance: random.Random, facts: Records) -> list[Records]:
    ends = sorted(chance.randrange(len(facts) + 1) for _ in range(chance.randrange(12)))
    return [facts[begin:end] for begin, end in zip([0, *ends], [*ends, len(facts)], strict=True)]


def venue(chance: random.Random) -> str:
    """The simulated venue with orders of ours between arbitrary records: twice the same, and from a snapshot in the middle."""
    facts, seed = chance.choice((orders, levels, stream, extreme))(chance), chance.randrange(1 << 30)
    settings = (
        constant(chance.choice((0, MS))), constant(chance.choice((0, MS))), chance.choice((0, -5_000, 400_000)), 300_000,
        chance.random() < 0.5, int(chance.choice(list(QueueKind))), chance.randrange(1, 8), chance.random() < 0.3,
    )  # fmt: skip
    found = {told(settings, facts, seed, every) for every in (0, 0, 7)}
    assert len(found) == 1, "the venue answers differently the second time, or after a snapshot"
    return "refused" if isinstance(next(iter(found)), str) else "taken"


def told(settings: tuple[object, ...], facts: Records, seed: int, every: int) -> str | bytes:
    """All answers, or the words of the refusal; restored after each `every` records."""
    chance, simulator, answers = random.Random(seed), Simulator(TERMS, *settings), b""
    now, ids = 0, 0
    for at in range(len(facts)):
        now = max(now, int(facts["venue_ns"][at]))
        try:
            simulator.market(facts[at : at + 1])
            for _ in range(chance.choice((0, 0, 1, 2))):
                ids += 1
                simulator.send(command(chance, now % (1 << 62), ids, int(facts["price"][at]) % (1 << 40)))
            simulator.advance(now)
        except REFUSED as error:
            return str(error)
        answers += simulator.take_answers().tobytes()
        simulator.take_markouts()
        if every and at % every == every - 1:
            state, simulator = simulator.snapshot(), Simulator(TERMS, *settings)
            simulator.restore(state)
            assert simulator.snapshot() == state
    return answers


def command(chance: random.Random, now: int, number: int, price: int) -> Records:
    if chance.random() < 0.2:
        return cancel(now, max(number - 2, 1))
    lots, force = chance.choice((1, 3, 9, 1 << 40)), chance.choice(list(TimeInForce))
    return place(now, number, chance.randrange(2), price + chance.randrange(-3, 4), lots, force)


class Watcher(Noise):
    """Noise that also builds bars of several kinds and looks at indicators."""

    def on_start(self) -> None:
        super().on_start()
        by_venue = self.bars("500ms", by="venue", grace="1s", restatements=True)
        self.followed = [by_venue, self.bars(ticks=3), self.bars(volume=0.01)]
        self.seen = [self.followed[0].ema(3), self.followed[1].rsi(2), self.followed[2].atr(2)]

    def on_bar(self, bar) -> None:  # type: ignore[no-untyped-def]
        super().on_bar(bar)
        self.state.filled += sum(one.value for one in self.seen if one.ready) > 0


def engine(chance: random.Random) -> str:
    """Kernel, venue, bars and merge over a stream: the same in any batches, and from a snapshot at any step."""
    facts, settings = within_an_hour(stream(chance)), settings_of(chance)
    strategies: Make = chance.choice(
        (lambda: [Watcher({"eager": 0.8})], lambda: [Noise({"seed": 1, "eager": 0.6}), Watcher({"seed": 2})])
    )
    planned = plan(len(strategies()), [BTC, ETH], **settings)
    first = ran(planned, strategies, [facts])
    assert first == ran(planned, strategies, [facts]), "the same facts gave another run"
    if not first[0]:  # a refused batch is not taken in part by everybody, so only whole streams are split
        assert first == ran(planned, strategies, split(chance, facts)), "other batches gave another run"
        assert first == ran(planned, strategies, [facts], chance.randrange(1, 40)), "snapshots gave another run"
    return "refused" if first[0] else "taken"


def within_an_hour(facts: Records) -> Records:
    """A timer of 70 ms is due a billion times in two years, which is what was asked for and no fault."""
    first = int(facts["time_ns"][0])
    facts["time_ns"] = np.minimum(facts["time_ns"], min(first + 3_600 * SECOND, (1 << 63) - 1))
    return facts


def settings_of(chance: random.Random) -> dict[str, object]:
    return {
        "queue": int(chance.choice(list(QueueKind))),
        "whole_fills": chance.random() < 0.2,
        "grade": int(chance.choice((Grade.BOOK, Grade.BOOK, Grade.TRADES))),
        "fee_in_base": chance.random() < 0.3,
        "sample_interval_ns": chance.choice((0, SECOND)),
        "order_latency": chance.choice((None, Latency(kind=int(LatencyKind.UNIFORM), least_ns=MS, spread_ns=MS, seed=3))),
        "order_latency_ns": chance.choice((0, MS)),
        "answer_latency_ns": chance.choice((0, MS)),
    }


def ran(planned: Plan, strategies: Make, batches: list[Records], every: int = 0) -> tuple[object, ...]:
    """The refusal, if any, then the digest, the saved state and what failed; restored after each `every` steps."""
    merge, failures = make_merge(planned, strategies()), []
    refusal = ""
    try:
        for batch in batches:
            merge.load(batch)
            merge = advanced(merge, planned, strategies, every, failures)
        merge.run(1 << 40)
    except REFUSED as error:
        refusal = f"{type(error).__name__}: {error}"
    failures += [f"{number} {type(error).__name__}: {error}" for number, _, error in merge.kernel.failures]
    check_failures(failures)
    if refusal:
        return refusal, failures
    merge.kernel.validate()
    hand_over(merge, Nobody())
    return refusal, failures, merge.kernel.digest_text, snapshot.to_bytes(merge)


def advanced(merge: Merge, planned: Plan, strategies: Make, every: int, failures: list[str]) -> Merge:
    while merge.advance(every or 1 << 40):
        hand_over(merge, Nobody())
        if every:
            failures += [f"{number} {type(error).__name__}: {error}" for number, _, error in merge.kernel.failures]
            saved, merge = snapshot.to_bytes(merge), make_merge(planned, strategies())
            snapshot.from_bytes(merge, saved)
            assert snapshot.to_bytes(merge) == saved
    return merge


def check_failures(failures: list[str]) -> None:
    """A strategy may be shut out for what the stream made of its prices, not for a bug below it."""
    for one in failures:
        assert one.split(" ", 1)[1].startswith(("ValueError", "OverflowError")), one


def ledgers(chance: random.Random) -> str:
    """The ledger and its twin in fractions, up to the bounds of 64 bits, where it refuses and is unchanged."""
    name = chance.choice(list(RATIOS))
    ledger, reference = make_ledger(name)
    outcome = "taken"
    for _ in range(chance.randrange(1, 40)):
        large = LIMITS if chance.random() < 0.1 else (1 << 20, 1 << 26)
        ticks, lots, fee = (abs(chance.choice((chance.randrange(1, 9), 10**4, *large))) % (1 << 63) for _ in range(3))
        call = (chance.random() < 0.5, max(ticks, 1), max(lots, 1), fee if chance.random() < 0.2 else 0)
        before = ledger.state()
        try:
            ledger.fill(0, *call, 1)
        except OverflowError:
            assert ledger.state() == before, "a refused posting changed the ledger"
            outcome = "refused"
            continue
        reference.fill(*call, False)
        agree(ledger, reference)
    ledger.validate()
    return outcome


def exchanges(chance: random.Random) -> str:
    """The exchange and its twin over operations of any sort, at few prices."""
    compiled, reference = Exchange(), ReferenceExchange()
    facts = orders(chance) if chance.random() < 0.8 else extreme(chance)
    rows = np.zeros(len(facts), OPERATION_DTYPE)
    for name in ("id", "price", "quantity"):
        rows[name] = facts[name]
    rows["kind"], rows["side"] = [chance.randrange(5) for _ in rows], [chance.choice((0, 0, 1, 1, 2)) for _ in rows]
    inside = np.array([all(-(1 << 58) <= int(row[name]) < 1 << 58 for name in ("price", "quantity")) for row in rows])
    try:
        compiled.apply(rows)
    except ValueError:
        assert not inside.all(), "operations within the bounds were refused"
        rows = rows[: int(np.argmin(inside))]
    else:
        assert inside.all(), "operations beyond the bounds were taken"
    reference.apply(rows)
    compiled.validate()
    assert (compiled.digest_text, compiled.fills, compiled.volume) == (reference.digest_text, reference.fills, reference.volume)
    assert (compiled.live, compiled.refused, compiled.operations) == (reference.live, reference.refused, reference.operations)
    return "taken" if inside.all() else "refused"


def columns(chance: random.Random) -> str:
    """Records to columns and back, at addresses that are not aligned; the digest of the bytes beside its twin."""
    facts = noise(chance)
    shifted = np.frombuffer(b"x" * (shift := chance.randrange(8)) + facts.tobytes(), np.uint8)[shift:].view(RECORD_DTYPE)
    assert gather_records(scatter_records(shifted)).tobytes() == facts.tobytes()
    body = facts.tobytes()[: chance.randrange(len(facts) * 64 + 1)]
    assert digest_bytes(body) == reference_digest(body)
    return "taken"




TARGETS: Final[dict[str, Callable[[random.Random], str]]] = {
    "books": books,
    "depths": depths,
    "venue": venue,
    "engine": engine,
    "ledgers": ledgers,
    "exchanges": exchanges,
    "columns": columns,
}
