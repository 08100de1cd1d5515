"""The source of a backtest: stored facts, answers of the simulated venue and timers, in one total order.

Order is (time, source, sequence): at one instant bars close first, so that a bar is [open, close); then come stored
facts, then answers, then strategies' timers. Two readers go over
the stored facts: the engine by receive time, and the simulated venue, ahead of it, by venue time. The venue is let
on to the time `now - answer latency` before the engine steps to `now`: no later, so that a command can still arrive, and no
earlier, so that each answer due by `now` exists.

The venue needs facts before the engine received them, so a window of the stream is kept. How far it must reach is a
named limit: a fact reaches us at most `feed_lag_max_ns` after the venue showed it; an older venue time is read as that
much before receipt, and one after receipt as the receipt. Within an instrument venue time never decreases.

Any split of the stream into batches gives the same steps.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from tradebot._core.arena cimport grow, index_get
from tradebot._core.context cimport MarketC
from tradebot._core.instrument cimport SPOT
from tradebot._core.ledger cimport PositionC, ledger_position, position_unrealised
from tradebot._core.market cimport mark2_of
from tradebot._core.queue cimport queue_pop
from tradebot._core.simulator cimport simulator_arrive, simulator_market, simulator_send
from tradebot._core.timers cimport KERNEL_OWNER, NEVER_NS, timers_next_ns
from tradebot._core.types cimport FactC, Kind
from tradebot._core.venue cimport SimulatorC

import numpy as np

from tradebot._core.types import RECORD_DTYPE, SAMPLE_DTYPE

assert sizeof(SampleC) == 72
assert SAMPLE_DTYPE.itemsize == sizeof(SampleC)


cdef class Merge:
    """Drives a kernel and a simulated venue over stored facts. `sample_interval_ns` 0 takes no samples."""

    def __cinit__(self, Kernel kernel, Simulator simulator, sample_interval_ns: int, feed_lag_max_ns: int = 10_000_000_000):
        cdef uint32_t market, count = kernel.context.market_count
        assert simulator.simulator.market_count == count
        self.kernel = kernel
        self.simulator = simulator
        self.sample_interval_ns = sample_interval_ns
        self.feed_lag_max_ns = feed_lag_max_ns
        self.cursors = <int64_t*>calloc(count + 1, sizeof(int64_t))
        self.lasts = <int64_t*>calloc(count + 1, sizeof(int64_t))
        self.shown_ns = <int64_t*>calloc(count + 1, sizeof(int64_t))
        if self.cursors == NULL or self.lasts == NULL or self.shown_ns == NULL:
            raise MemoryError("no memory for the cursors")
        for market in range(count):
            self.cursors[market] = -1
            self.lasts[market] = -1
        kernel.connect(simulator_send, &simulator.simulator, simulator)

    def __dealloc__(self):
        free(self.window)
        free(self.venue_ns)
        free(self.next_same)
        free(self.cursors)
        free(self.lasts)
        free(self.shown_ns)
        free(self.samples)

    def feed(self, records) -> int:
        """Take more stored facts, in order of receive time, and step as far as is safe; returns facts stepped.

        Raises TypeError on another dtype, ValueError on time that runs back or an instrument that is not in this run.
        """
        self.load(records)
        return self._run(0, NEVER_NS)

    def load(self, records) -> None:
        """Take more stored facts without stepping; raises as `feed`."""
        if not isinstance(records, np.ndarray) or records.dtype != RECORD_DTYPE:
            found = getattr(records, "dtype", type(records).__name__)
            raise TypeError(f"expected an array of RECORD_DTYPE, found {found}")
        self.drop_done()
        self.append(np.ascontiguousarray(records))

    def advance(self, facts: int) -> int:
        """Step at most `facts` facts as far as is safe; returns how many were stepped."""
        return self._run(0, facts)

    def finish(self) -> int:
        """Step to the end of what was fed, then call `on_stop`; returns facts stepped."""
        stepped = self._run(1, NEVER_NS)
        if self.started:
            self.kernel.stop()
            if self.sample_interval_ns:
                self.sample(self.kernel.context.time_ns)
        return stepped

    def run(self, facts: int) -> int:
        """Step at most `facts` facts of what was fed, as if nothing more came; returns how many were stepped."""
        return self._run(1, facts)

    def _run(self, is_last: int, int64_t facts_max) -> int:
        cdef int64_t stepped = 0
        cdef bint last = is_last
        if not self.started:
            if self.count == 0:
                return 0
            self.started = 1
            if self.sample_interval_ns:
                self.sample_ns = self.window[0].time_ns - self.window[0].time_ns % self.sample_interval_ns + self.sample_interval_ns
            self.kernel.start(self.window[0].time_ns)
        while stepped < facts_max and self.step_one(last):
            stepped += 1
        return stepped

    cdef int step_one(self, bint is_last) except -1:
        """Step the next fact. Returns 0 where none may be stepped yet."""
        cdef int64_t market_ns = self.window[self.at].time_ns if self.at < self.count else NEVER_NS
        cdef int64_t timer_ns = timers_next_ns(&self.kernel.context.timers)
        cdef int64_t answer_ns, now
        cdef RecordC timer
        cdef FactC answer
        if market_ns == NEVER_NS:
            if not is_last:
                return 0
            market_ns = self.fed_ns + 1         # nothing is stepped after the last stored fact
        now = market_ns if market_ns <= timer_ns else timer_ns
        if not is_last and now - self.simulator.simulator.answer_latency.least_ns >= self.fed_ns - self.feed_lag_max_ns:
            return 0
        self.advance_venue(now - self.simulator.simulator.answer_latency.least_ns)
        answer_ns = self.simulator.simulator.answers.items[0].time_ns if self.simulator.simulator.answers.count else NEVER_NS
        if answer_ns < now:
            now = answer_ns
        if now > self.fed_ns:
            return 0
        if self.sample_interval_ns and now >= self.sample_ns:
            self.sample_until(now)
        if timer_ns == now and self.kernel.context.timers.items[self.kernel.context.timers.count - 1].owner == KERNEL_OWNER:
            make_timer(&timer, self.kernel, now)
            self.kernel.step(&timer, NULL)
        elif market_ns == now and self.at < self.count:
            self.at += 1
            self.events += 1
            self.kernel.step(&self.window[self.at - 1], NULL)
        elif answer_ns == now:
            queue_pop(&self.simulator.simulator.answers, &answer)
            self.kernel.step(&answer.head, &answer.tail)
        else:
            make_timer(&timer, self.kernel, now)
            self.kernel.step(&timer, NULL)
        return 1

    cdef int advance_venue(self, int64_t time_ns) except -1:
        """Let the venue take recorded events and our commands up to `time_ns`, in their order; an event before a command.

        An answer is a moment at which the engine may act: the venue stops at it, or what the engine sends then would
        come after events that it should have come before.
        """
        cdef SimulatorC* venue = &self.simulator.simulator
        cdef uint32_t market, best, count = self.kernel.context.market_count
        cdef int64_t best_ns, cursor, answered_ns
        while True:
            if venue.answers.count:
                answered_ns = venue.answers.items[0].time_ns - venue.answer_latency.least_ns
                if answered_ns < time_ns:
                    time_ns = answered_ns
            best_ns = NEVER_NS
            best = 0
            for market in range(count):
                cursor = self.cursors[market]
                if cursor < 0:
                    continue
                if self.venue_ns[cursor] < best_ns or (self.venue_ns[cursor] == best_ns and cursor < self.cursors[best]):
                    best_ns = self.venue_ns[cursor]
                    best = market
            if venue.arrivals.count and venue.arrivals.items[0].time_ns < best_ns:
                if venue.arrivals.items[0].time_ns > time_ns:
                    return 0
                simulator_arrive(venue)
                continue
            if best_ns > time_ns:
                return 0
            cursor = self.cursors[best]
            self.cursors[best] = self.next_same[cursor]
            simulator_market(venue, best, &self.window[cursor], best_ns)

    cdef int append(self, const RecordC[::1] rows) except -1:
        cdef Py_ssize_t at
        cdef int64_t index, shown
        cdef uint32_t market, needed = <uint32_t>(self.count + rows.shape[0])
        grow(<void**>&self.window, sizeof(RecordC), &self.window_max, needed)
        grow(<void**>&self.venue_ns, sizeof(int64_t), &self.venue_max, needed)
        grow(<void**>&self.next_same, sizeof(int64_t), &self.next_max, needed)
        for at in range(rows.shape[0]):
            if rows[at].time_ns < self.fed_ns:
                raise ValueError(
                    f"time runs back at record {self.fed} of the stream: expected {self.fed_ns} ns or later, found "
                    f"{rows[at].time_ns} ns; sort or import the data again"
                )
            if rows[at].kind < Kind.TRADE or rows[at].kind > Kind.INSTRUMENT_CHANGED or rows[at].kind == Kind.TIMER:
                raise ValueError(
                    f"record {self.fed} of the stream has kind {rows[at].kind}: expected a market fact, 1 to 15 but 12; "
                    "import the data again"
                )
            market = self.kernel.hot_market
            if self.kernel.context.markets[market].terms.id != rows[at].instrument:
                market = self.kernel.market_of(rows[at].instrument)
            index = self.count
            self.window[index] = rows[at]
            self.next_same[index] = -1
            shown = venue_time(&rows[at], self.feed_lag_max_ns)
            if shown < self.shown_ns[market]:
                shown = self.shown_ns[market]
            self.shown_ns[market] = shown
            self.venue_ns[index] = shown
            if self.lasts[market] >= 0:
                self.next_same[self.lasts[market]] = index
            if self.cursors[market] < 0:
                self.cursors[market] = index
            self.lasts[market] = index
            self.fed_ns = rows[at].time_ns
            self.fed += 1
            self.count += 1
        return 0

    cdef int drop_done(self) noexcept:
        """Forget the records that both the engine and the venue are done with."""
        cdef int64_t done = self.at, index
        cdef uint32_t market
        for market in range(self.kernel.context.market_count):
            if 0 <= self.cursors[market] < done:
                done = self.cursors[market]
        if done == 0:
            return 0
        self.count -= done
        self.at -= done
        memmove(self.window, &self.window[done], self.count * sizeof(RecordC))
        memmove(self.venue_ns, &self.venue_ns[done], self.count * sizeof(int64_t))
        memmove(self.next_same, &self.next_same[done], self.count * sizeof(int64_t))
        for index in range(self.count):
            if self.next_same[index] >= 0:
                self.next_same[index] -= done
        for market in range(self.kernel.context.market_count):
            self.cursors[market] = self.cursors[market] - done if self.cursors[market] >= 0 else -1
            self.lasts[market] = self.lasts[market] - done if self.lasts[market] >= done else -1
        return 0

    cdef int sample_until(self, int64_t now) except -1:
        """Sample the state as it stood at each grid time up to `now`; of a long silence only its first and last."""
        cdef int64_t last = now - now % self.sample_interval_ns
        self.sample(self.sample_ns)
        if last > self.sample_ns:
            self.sample(last)
        self.sample_ns = last + self.sample_interval_ns
        return 0

    cdef int sample(self, int64_t time_ns) except -1:
        cdef uint32_t strategy, index
        cdef const MarketC* market
        cdef const PositionC* position
        cdef SampleC* sample
        for index in range(self.kernel.context.market_count):
            market = &self.kernel.context.markets[index]
            for strategy in range(self.kernel.context.ledger.strategies):
                position = ledger_position(&self.kernel.context.ledger, <uint16_t>strategy, index)
                grow(<void**>&self.samples, sizeof(SampleC), &self.samples_max, self.sample_count + 1)
                sample = &self.samples[self.sample_count]
                sample.time_ns = time_ns
                sample.bid = market.bid
                sample.ask = market.ask
                sample.position = position.quantity
                sample.realised = position.realised - position.funding
                sample.unrealised = position_unrealised(
                    position, &market.terms, mark2_of(market)
                )
                sample.fees = position.fees
                sample.instrument = market.terms.id
                sample.strategy = strategy
                sample.mark = market.mark_price if market.terms.kind != SPOT else 0
                self.sample_count += 1
        return 0

    def take_samples(self):
        """Samples since the last call, as an array of SAMPLE_DTYPE."""
        cdef bytes body = (<char*>self.samples)[: self.sample_count * sizeof(SampleC)] if self.sample_count else b""
        self.sample_count = 0
        return np.frombuffer(body, dtype=SAMPLE_DTYPE)

    def snapshot(self) -> list:
        """Plain data from which `restore` goes on: engine, venue, and the part of the stream that is under way."""
        cdef uint32_t market, count = self.kernel.context.market_count
        assert self.sample_count == 0, "take the samples before a snapshot"
        self.drop_done()
        return [
            self.kernel.snapshot(),
            self.simulator.snapshot(),
            (<const char*>self.window)[: self.count * sizeof(RecordC)] if self.count else b"",
            [self.venue_ns[index] for index in range(self.count)],
            [self.next_same[index] for index in range(self.count)],
            [bool(self.started), self.at, self.events, self.fed, self.fed_ns, self.sample_ns],
            [[self.cursors[market], self.lasts[market], self.shown_ns[market]] for market in range(count)],
        ]

    def restore(self, state: list) -> None:
        """Go on from `snapshot`; the next record to feed is number `fed` of the stream."""
        cdef uint32_t market
        cdef const char* body = state[2]
        cdef int64_t index
        if state[5][0]:
            self.kernel.restore(state[0])
        self.simulator.restore(state[1])
        self.count = len(state[2]) // sizeof(RecordC)
        grow(<void**>&self.window, sizeof(RecordC), &self.window_max, <uint32_t>self.count + 1)
        grow(<void**>&self.venue_ns, sizeof(int64_t), &self.venue_max, <uint32_t>self.count + 1)
        grow(<void**>&self.next_same, sizeof(int64_t), &self.next_max, <uint32_t>self.count + 1)
        memcpy(self.window, body, len(state[2]))
        for index in range(self.count):
            self.venue_ns[index] = state[3][index]
            self.next_same[index] = state[4][index]
        self.started, self.at, self.events, self.fed, self.fed_ns, self.sample_ns = state[5]
        for market in range(self.kernel.context.market_count):
            self.cursors[market], self.lasts[market], self.shown_ns[market] = state[6][market]


cdef inline int64_t venue_time(const RecordC* record, int64_t lag_max) noexcept nogil:
    """When the venue showed a record: its own time, at most at receipt, at least `lag_max` before."""
    if record.venue_ns == 0 or record.venue_ns > record.time_ns:
        return record.time_ns
    if record.venue_ns < record.time_ns - lag_max:
        return record.time_ns - lag_max
    return record.venue_ns


cdef int make_timer(RecordC* record, Kernel kernel, int64_t now) noexcept:
    memset(record, 0, sizeof(RecordC))
    record.time_ns = now
    record.id = kernel.context.timers.items[kernel.context.timers.count - 1].number
    record.owner = kernel.context.timers.items[kernel.context.timers.count - 1].owner
    record.kind = Kind.TIMER
    return 0
