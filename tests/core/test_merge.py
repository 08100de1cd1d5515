"""One total order of stored facts, answers and timers; two clocks, ours and the venue's; and input that breaks the rules.

The oracle of the venue's clock: take the commands that a run sent, and the recorded events at their venue times, to a venue of
our own in the plain order of time. Its answers must be those that the run received, byte for byte.
"""

import random
import subprocess
import sys

import numpy as np
import pytest

from tests.strategies.support import BTC, ETH, book, plan, row, run, trades
from tests.support import MS, SECOND, START, Noise, constant, stream
from tradebot._core.kernel import Kernel
from tradebot._core.merge import Merge
from tradebot._core.simulator import Simulator
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Flag, Kind, OrderState
from tradebot.engine.plan import Plan, core_terms, make_merge
from tradebot.engine.ports import Records
from tradebot.strategies.strategy import Strategy

MINUTE = 60 * SECOND
LATENCIES = [(0, 0), (1, 1), (MS, 2 * MS), (50 * MS, 50 * MS), (0, 200 * MS), (200 * MS, 0), (10 * MINUTE, 10 * MINUTE)]


def run_noise(facts: Records, settings: Plan, seeds: int = 1) -> tuple[Merge, Records]:
    """A finished run, and the commands and account facts that it wrote."""
    merge = make_merge(settings, [Noise({"seed": seed + 1}) for seed in range(seeds)])
    merge.feed(facts)
    merge.finish()
    merge.kernel.validate()
    assert merge.kernel.failures == []
    return merge, merge.kernel.take_audit()


def by_venue_time(facts: Records) -> Records:
    """Recorded events at the times the venue showed them, never decreasing within an instrument."""
    shown = facts.copy()
    for instrument in np.unique(facts["instrument"]):
        chosen = shown["instrument"] == instrument
        shown["venue_ns"][chosen] = np.maximum.accumulate(shown["venue_ns"][chosen])
    return shown[np.argsort(shown["venue_ns"], kind="stable")]


def answers_of(settings: Plan, facts: Records, sent: Records) -> Records:
    """What the venue says to commands, all of them known beforehand, taken in the plain order of its time."""
    terms = [core_terms(one, settings.assets) for one in settings.instruments]
    venue = Simulator(
        terms,
        constant(settings.order_latency_ns),
        constant(settings.answer_latency_ns),
        settings.maker_fee,
        settings.taker_fee,
        settings.fee_in_base,
    )
    venue.send(sent)
    venue.market(by_venue_time(facts))
    venue.advance(2**62)
    return venue.take_answers()


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("instruments", [1, 2])
def test_a_run_receives_what_the_venue_says_in_its_own_order_of_time(latency: tuple[int, int], instruments: int) -> None:
    facts = stream(7, 3_000, instruments, lag_ns=20 * MS)
    settings = plan(1, [BTC, ETH][:instruments], order_latency_ns=latency[0], answer_latency_ns=latency[1])
    _, audit = run_noise(facts, settings)
    commands = np.isin(audit["kind"], [Kind.PLACE_ORDER, Kind.CANCEL_ORDER])
    received = audit[~commands & (audit["venue_ns"] != 0)]
    expected = answers_of(settings, facts, audit[commands])
    assert np.count_nonzero(commands) > 50
    assert len(received) == np.count_nonzero(expected["time_ns"] <= facts["time_ns"][-1])
    assert received.tobytes() == expected[: len(received)].tobytes()


def test_an_order_that_answers_a_fill_reaches_the_venue_before_what_happens_after_it() -> None:
    """Nothing is received from 1 s to 3 s, yet the venue goes on: our second order is there at 1.03 s, the ask until 1.5 s."""

    class Twice(Strategy):
        filled: tuple[float, ...] = ()

        def on_trade(self, trade: object) -> None:
            if not self.filled:
                self.buy(0.01, price=101.0, time_in_force="IOC")

        def on_fill(self, fill) -> None:
            self.filled = (*self.filled, fill.venue_ns - START)
            if len(self.filled) == 1:
                self.buy(0.01, price=101.0, time_in_force="IOC")

    gone = row(3.0, Kind.L3_DELETE, 202, 1_000, 2, Flag.SELL)
    gone["venue_ns"] = START + 3 * SECOND // 2
    twice = Twice()
    run(twice, [*book(), *trades(1), gone, *trades(1, first_s=4)])
    assert twice.filled == (SECOND + 10 * MS, SECOND + 30 * MS)


@pytest.mark.parametrize("latency", LATENCIES)
def test_any_split_into_batches_gives_the_same_steps(latency: tuple[int, int]) -> None:
    facts = stream(11, 1_500, 2)
    settings = plan(2, [BTC, ETH], order_latency_ns=latency[0], answer_latency_ns=latency[1])
    whole, expected = run_noise(facts, settings, seeds=2)
    chance = random.Random(3)
    for longest in (1, 7, 400):
        merge = make_merge(settings, [Noise({"seed": 1}), Noise({"seed": 2})])
        at, audit = 0, []
        while at < len(facts):
            upto = at + chance.randint(0, longest)
            merge.feed(facts[at:upto])
            audit.append(merge.kernel.take_audit())
            at = upto
        merge.finish()
        assert np.concatenate([*audit, merge.kernel.take_audit()]).tobytes() == expected.tobytes()
        assert merge.kernel.digest_text == whole.kernel.digest_text
        assert (merge.events, merge.kernel.sequence) == (whole.events, whole.kernel.sequence)


class Told(Strategy):
    """Writes down what it is told and when, in seconds from the start."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, float]] = []

    def note(self, what: str) -> None:
        self.log.append((what, (self.time_ns - START) / SECOND))

    def on_start(self) -> None:
        self.every(SECOND)

    def on_trade(self, trade: object) -> None:
        self.note("trade")
        if len(self.log) == 1:
            self.buy(0.01)

    def on_timer(self, timer: object) -> None:
        self.note("timer")

    def on_fill(self, fill: object) -> None:
        self.note("fill")


def test_at_one_instant_a_stored_fact_comes_before_an_answer_and_that_before_a_timer() -> None:
    told = Told()
    run(told, [*book(), *trades(2, first_s=1)], order_latency_ns=SECOND // 2, answer_latency_ns=SECOND // 2)
    assert told.log == [("trade", 1.0), ("timer", 1.0), ("trade", 2.0), ("fill", 2.0), ("timer", 2.0)]


def test_timers_fire_in_a_silence_at_their_own_times() -> None:
    told = Told()
    run(told, [*book(), *trades(2, first_s=0.5, gap_s=5)])
    assert [when for what, when in told.log if what == "timer"] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_nothing_is_stepped_after_the_last_stored_fact() -> None:
    told = Told()
    run(told, [*book(), *trades(1, first_s=1.5)])
    assert told.log == [("timer", 1.0), ("trade", 1.5)]


def test_an_event_that_we_have_not_received_yet_fills_our_order() -> None:
    """Our bid rests at 1.01 s; the venue trades through it at 1.2 s; we receive that trade at 5 s and our fill at 1.21 s."""

    class Rests(Told):
        def on_trade(self, trade: object) -> None:
            self.note("trade")
            if len(self.log) == 2:  # after the timer at 1 s
                self.buy(0.01, price=100.5)

    hit = row(5.0, Kind.L3_EXECUTE, 200, 3, 1)
    hit["venue_ns"] = START + SECOND * 6 // 5
    rests = Rests()
    run(rests, [*book(), *trades(1, first_s=1), row(1, Kind.TRADE, 201, 1), hit, row(5, Kind.TRADE, 201, 1)])
    assert ("fill", 1.21) in rests.log
    assert rests.log.index(("fill", 1.21)) < rests.log.index(("trade", 5.0))


def test_a_strategy_sees_the_book_as_received_not_as_it_is() -> None:
    class Looks(Strategy):
        seen: tuple[tuple[float, float], ...] = ()

        def on_start(self) -> None:
            self.every(SECOND)

        def on_timer(self, timer: object) -> None:
            self.seen = (*self.seen, ((self.time_ns - START) / SECOND, self.book.ask))

    gone = row(2.5, Kind.L3_DELETE, 202, 1_000, 2, Flag.SELL)
    gone["venue_ns"] = START + SECOND // 2
    looks = Looks()
    run(looks, [*book(), row(0, Kind.L3_ADD, 204, 5, 3, Flag.SELL), gone, *trades(1, first_s=3)])
    assert looks.seen == ((1.0, 101.0), (2.0, 101.0), (3.0, 102.0))


def test_a_venue_time_after_receipt_is_read_as_the_receipt() -> None:
    early = row(1.0, Kind.L3_ADD, 210, 5, 9, Flag.SELL)
    early["venue_ns"] += 3_600 * SECOND
    merge = run(Strategy(), [*book(), early, *trades(2, first_s=2)])
    assert merge.events == 5


@pytest.mark.parametrize("latency_ns", [0, 10 * MINUTE])
def test_extreme_latencies_end_and_balance(latency_ns: int) -> None:
    merge, audit = run_noise(stream(3, 1_500), plan(1, order_latency_ns=latency_ns, answer_latency_ns=latency_ns))
    fills = np.count_nonzero(audit["kind"] == Kind.ORDER_FILLED)
    assert (fills > 0) == (latency_ns == 0)
    assert merge.kernel.orders > 10


def test_without_latency_an_order_trades_at_the_instant_it_was_sent_and_is_told_after_the_facts_of_it() -> None:
    told = Told()
    run(told, [*book(), *trades(1), *trades(2, gap_s=0)], order_latency_ns=0, answer_latency_ns=0)
    assert told.log == [("trade", 1.0), ("trade", 1.0), ("trade", 1.0), ("fill", 1.0), ("timer", 1.0)]


def test_an_order_sent_at_the_last_fact_is_open_at_the_end() -> None:
    class Late(Strategy):
        states: tuple[OrderState, ...] = ()

        def on_stop(self) -> None:
            self.states = tuple(self.open_orders())

        def on_trade(self, trade: object) -> None:
            self.buy(0.01)

    late = Late()
    merge = run(late, [*book(), *trades(1)])
    assert len(late.states) == 1
    assert merge.kernel.balances()[2][2] > 0


# Input that breaks the rules.


def idle() -> Merge:
    return make_merge(plan(), [Strategy()])


def test_empty_feeds_and_no_feed_at_all_are_no_run() -> None:
    merge = idle()
    assert merge.feed(np.zeros(0, dtype=RECORD_DTYPE)) == 0
    assert merge.finish() == 0
    assert idle().finish() == 0
    assert merge.kernel.digest_text == idle().kernel.digest_text


def test_an_empty_feed_between_two_changes_nothing() -> None:
    facts = np.concatenate([*book(), *trades(3)])
    merge = idle()
    for part in (facts[:2], facts[:0], facts[2:]):
        merge.feed(part)
    merge.finish()
    plain = run(Strategy(), [facts])
    assert merge.kernel.digest_text == plain.kernel.digest_text


@pytest.mark.parametrize("dtype", [np.dtype("f8"), FACT_DTYPE])
def test_another_dtype_is_refused_by_name(dtype: np.dtype) -> None:
    with pytest.raises(TypeError, match="expected an array of RECORD_DTYPE, found"):
        idle().feed(np.zeros(2, dtype=dtype))


def test_something_that_is_no_array_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="expected an array of RECORD_DTYPE, found"):
        idle().feed([1, 2, 3])  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [2, 5])
def test_time_that_runs_back_names_the_record_of_the_stream(first: int) -> None:
    facts = np.concatenate([*book(), *trades(8)])
    facts["time_ns"][7] -= 5 * SECOND
    merge = idle()
    merge.feed(facts[:first])
    with pytest.raises(ValueError, match=r"^time runs back at record 7 of the stream: .* sort or import the data again$"):
        merge.feed(facts[first:])


def test_an_instrument_that_is_not_in_the_run_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match="instrument 77, which is not in this run"):
        idle().feed(row(1, Kind.TRADE, 100, 1, instrument=77))


_STRANGER = """
from tests.strategies.support import book, row, run, trades
from tradebot.strategies.strategy import Strategy
try:
    run(Strategy(), [*book(), row(1, {kind}, 200, 1, 1), *trades(3)])
except ValueError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("kind", [Kind.TIMER, Kind.ORDER_FILLED, Kind.CANCEL_REJECTED, Kind.PLACE_ORDER])
def test_a_stored_record_of_a_kind_that_is_no_market_fact_is_refused(kind: int) -> None:
    """In a process of its own: a record of an account fact has no second slot, and reading one kills the process."""
    done = subprocess.run([sys.executable, "-c", _STRANGER.format(kind=int(kind))], capture_output=True, text=True)
    assert (done.returncode, done.stdout[:8]) == (0, "refused:"), done.stderr[-500:]


def test_a_strided_view_of_records_is_read_as_what_it_shows() -> None:
    facts = np.concatenate([*book(), *trades(6)])
    doubled = np.repeat(facts, 2)
    merge = idle()
    merge.feed(doubled[::2])
    merge.finish()
    assert merge.kernel.digest_text == run(Strategy(), [facts]).kernel.digest_text


def test_engine_and_venue_of_different_markets_do_not_join() -> None:
    terms = [core_terms(one, ["BTC", "ETH", "USD"]) for one in (BTC, ETH)]
    kernel = Kernel(terms, [BTC.name, ETH.name], [0, 0, 0], 1, (0, 1), 0, False, 0, 0)
    with pytest.raises(AssertionError):
        Merge(kernel, Simulator(terms[:1], constant(0), constant(0), 0, 0, False), 0)
