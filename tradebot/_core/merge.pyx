"""The source of a backtest: stored facts, answers of the simulated venue and timers, in one total order.

Order is (time, source, sequence): at one instant bars close first, so that a bar is [open, close); then come stored
facts, then answers, then strategies' timers. Two readers go over
the stored facts: the engine by receive time, and the simulated venue, ahead of it, by venue time. The venue is let
on to the time `now - answer latency` before the engine steps to `now`: no later, so that a command can still arrive, and no
earlier, so that each answer due by `now` exists.

The venue needs facts before the engine received them, so a window of the stream is kept. How far it must reach is a
named limit: a fact reaches us at most `feed_lag_max_ns` after the venue showed it; an older venue time is read as that
much before receipt, and one after receipt as the receipt. Within an instrument venue time never decreases.

At bar grade the venue knows a bar before it is told: its open at the bar's label, its range at the last moment from which an
answer still comes before the bar. Trades are then for the venue alone, and the engine steps over them.

Any split of the stream into batches gives the same steps.
"""

cimport cython
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from tradebot._core.arena cimport grow
from tradebot._core.by_bars cimport bars_fill
from tradebot._core.context cimport ContextC, MarketC
from tradebot._core.digest cimport DigestC, digest_slot
from tradebot._core.instrument cimport SPOT
from tradebot._core.ledger cimport PositionC, ledger_position, position_unrealised
from tradebot._core.market cimport is_bare, mark2_of, market_take
from tradebot._core.priced cimport BY_BARS
from tradebot._core.queue cimport queue_pop
from tradebot._core.simulator cimport simulator_arrive, simulator_market, simulator_open, simulator_send, simulator_show
from tradebot._core.timers cimport KERNEL_OWNER, NEVER_NS, timers_next_ns
from tradebot._core.types cimport FactC, Flag, Kind, check_bounds
from tradebot._core.venue cimport SimulatorC

import numpy as np

from tradebot._core.types import SAMPLE_DTYPE, record_rows

cdef extern from *:
    """
    #define tb_prefetch(x) __builtin_prefetch(x)
    """
    void prefetch "tb_prefetch"(const void* address) noexcept nogil

cdef enum:
    WINDOW_MIN = 1024           # records
    ROWS_AT_ONCE = 512          # that come into the window before the next are stepped
    ROWS_AHEAD = 16             # that are asked of memory before they are looked at
    MARKET_KINDS = 0xEFFE       # a bit for each kind that a stored fact may have: 1 to 15 but TIMER

assert sizeof(SampleC) == 72
assert SAMPLE_DTYPE.itemsize == sizeof(SampleC)


@cython.final
cdef class Merge:
    """Drives a kernel and a simulated venue over stored facts. `sample_interval_ns` 0 takes no samples."""

    def __cinit__(self, Kernel kernel, Simulator simulator, sample_interval_ns: int, feed_lag_max_ns: int = 10_000_000_000):
        cdef uint32_t market, count = kernel.context.market_count
        assert simulator.simulator.market_count == count
        self.kernel = kernel
        self.simulator = simulator
        self.sample_interval_ns = sample_interval_ns
        self.feed_lag_max_ns = feed_lag_max_ns
        self.by_bars = simulator.simulator.grade == BY_BARS
        self.openings = <int64_t*>calloc(count + 1, sizeof(int64_t))
        self.closed_ns = <int64_t*>calloc(count + 1, sizeof(int64_t))
        self.cursors = <int64_t*>calloc(count + 1, sizeof(int64_t))
        self.lasts = <int64_t*>calloc(count + 1, sizeof(int64_t))
        self.shown_ns = <int64_t*>calloc(count + 1, sizeof(int64_t))
        self.window = <RecordC*>malloc(WINDOW_MIN * sizeof(RecordC))
        self.venue_ns = <int64_t*>malloc(WINDOW_MIN * sizeof(int64_t))
        self.next_same = <int64_t*>malloc(WINDOW_MIN * sizeof(int64_t))
        self.mask = WINDOW_MIN - 1
        if (
            self.cursors == NULL or self.lasts == NULL or self.shown_ns == NULL
            or self.openings == NULL or self.closed_ns == NULL or self.window == NULL or self.venue_ns == NULL or self.next_same == NULL
        ):
            raise MemoryError("no memory for the window")
        for market in range(count):
            self.cursors[market] = -1
            self.lasts[market] = -1
            self.openings[market] = -1
        kernel.connect(simulator_send, &simulator.simulator, simulator)

    def __dealloc__(self):
        free(self.window)
        free(self.venue_ns)
        free(self.next_same)
        free(self.cursors)
        free(self.lasts)
        free(self.shown_ns)
        free(self.openings)
        free(self.closed_ns)
        free(self.samples)

    def feed(self, records) -> int:
        """Take more stored facts, in order of receive time, and step as far as is safe; returns facts stepped.

        Raises TypeError on another dtype, ValueError on time that runs back, an instrument that is not in this run, or a record
        beyond the bounds of `check_bounds`.
        """
        self.load(records)
        return self._run(0, NEVER_NS)

    def load(self, records) -> None:
        """Take more stored facts without stepping; raises TypeError as `feed`."""
        found = record_rows(records)
        while self.take_rows():
            pass
        cdef const RecordC[::1] rows = found
        self.source = rows
        self.rows = &rows[0] if rows.shape[0] else NULL
        self.rows_count = rows.shape[0]
        self.rows_at = 0

    def advance(self, facts: int) -> int:
        """Step at most `facts` facts as far as is safe; returns how many were stepped. Raises as `feed`."""
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
        cdef bint last
        if not self.started and (self.end or self.take_rows()):
            self._start()
        while self.started and stepped < facts_max:
            last = is_last and self.rows_at == self.rows_count
            stepped += self.step_quiet(last, facts_max - stepped)
            if stepped == facts_max:
                break
            if self.step_one(last):
                stepped += 1
            elif not self.take_rows():
                break
        return stepped

    def _start(self):
        cdef int64_t first_ns = self.window[0].time_ns
        self.started = 1
        if self.sample_interval_ns:
            self.sample_ns = first_ns - first_ns % self.sample_interval_ns + self.sample_interval_ns
        self.kernel.start(first_ns)

    cdef int64_t step_quiet(self, bint is_last, int64_t facts_max) except -1:
        """Step stored facts for as long as nothing can come between them; returns how many.

        They are the steps of `step_one`, with what that looks up for each fact looked up once. What somebody hears of may change
        all of it, so a run ends there and the next begins.
        """
        cdef int64_t begin = self.at
        cdef int64_t stop = self.end if self.end - begin < facts_max else begin + facts_max
        cdef int64_t end_ns
        cdef int heard
        if self.by_bars:
            return 0                            # the venue opens bars in between
        while self.at < stop:
            end_ns = self.quiet_end(is_last)
            if self.window[self.at & self.mask].time_ns >= end_ns:
                break
            heard = self.run_quiet(stop, end_ns)
            if heard == 0:
                break
            self.kernel.tell_market(self.kernel.hot_market, &self.window[(self.at - 1) & self.mask], heard)
        return self.at - begin

    cdef int64_t quiet_end(self, bint is_last) noexcept:
        """The first time of a stored fact that something else may be due before: a timer, a sample, an answer, a command of ours at
        the venue, the end of what is safe.
        """
        cdef const SimulatorC* venue = &self.simulator.simulator
        cdef int64_t end_ns = timers_next_ns(&self.kernel.context.timers), safe_ns
        if self.sample_interval_ns and self.sample_ns < end_ns:
            end_ns = self.sample_ns
        if venue.answers.count and venue.answers.items[0].time_ns < end_ns:
            end_ns = venue.answers.items[0].time_ns
        if venue.arrivals.count and venue.arrivals.items[0].time_ns + venue.answer_latency.least_ns < end_ns:
            end_ns = venue.arrivals.items[0].time_ns + venue.answer_latency.least_ns
        safe_ns = self.fed_ns - self.feed_lag_max_ns + venue.answer_latency.least_ns
        return safe_ns if not is_last and safe_ns < end_ns else end_ns

    cdef int run_quiet(self, int64_t stop, int64_t end_ns) except -1:
        """Step stored facts before number `stop` and before `end_ns`, as long as nothing of ours happens at the venue.

        Ends after a fact that somebody hears, and returns what there is to tell of it, in the kernel's hot market; else 0.
        """
        cdef ContextC* context = &self.kernel.context
        cdef DigestC digest = self.kernel.digest
        cdef int64_t at = self.at, mask = self.mask, least_ns = self.simulator.simulator.answer_latency.least_ns
        cdef const RecordC* window = self.window
        cdef const RecordC* record
        cdef MarketC* market
        cdef int heard = 0
        while at < stop and heard == 0:
            record = &window[at & mask]
            if record.time_ns >= end_ns or not show_until(self, record.time_ns - least_ns):
                break
            at += 1
            context.sequence += 1
            context.time_ns = record.time_ns
            digest_slot(&digest, record)
            if record.flags & Flag.VOID:
                self.kernel.void_count += 1
                continue
            if record.kind == Kind.GAP:
                self.kernel.gap_count += 1
            market = &context.markets[self.kernel.hot_market]
            if market.terms.id != record.instrument:
                market = &context.markets[self.kernel.market_of(record.instrument)]
            heard = market_take(market, record) & market.listeners
        self.kernel.digest = digest
        self.events += <uint64_t>(at - self.at)
        self.at = at
        return heard

    cdef uint32_t next_shown(self) noexcept:
        """The market whose next record the venue shows first: by time, then by number."""
        cdef uint32_t market, best = 0
        cdef int64_t best_ns = NEVER_NS, cursor
        for market in range(self.kernel.context.market_count):
            cursor = self.cursors[market]
            if cursor < 0:
                continue
            if self.venue_ns[cursor & self.mask] < best_ns or (
                self.venue_ns[cursor & self.mask] == best_ns and cursor < self.cursors[best]
            ):
                best_ns = self.venue_ns[cursor & self.mask]
                best = market
        return best

    cdef int step_one(self, bint is_last) except -1:
        """Step the next fact. Returns 0 where none may be stepped yet."""
        if self.by_bars:
            self.step_over_trades()
        cdef int64_t market_ns = self.window[self.at & self.mask].time_ns if self.at < self.end else NEVER_NS
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
        elif market_ns == now and self.at < self.end:
            self.at += 1
            self.events += 1
            self.kernel.step(&self.window[(self.at - 1) & self.mask], NULL)
        elif answer_ns == now:
            queue_pop(&self.simulator.simulator.answers, &answer)
            self.kernel.step(&answer.head, &answer.tail)
        else:
            make_timer(&timer, self.kernel, now)
            self.kernel.step(&timer, NULL)
        return 1

    cdef int step_over_trades(self) noexcept:
        while self.at < self.end and self.window[self.at & self.mask].kind == Kind.TRADE:
            self.at += 1
        return 0

    cdef int advance_venue(self, int64_t time_ns) except -1:
        """Let the venue take recorded events and our commands up to `time_ns`, in their order; an event before a command.

        An answer is a moment at which the engine may act: the venue stops at it, or what the engine sends then would
        come after events that it should have come before.
        """
        cdef SimulatorC* venue = &self.simulator.simulator
        cdef uint32_t market
        cdef int64_t shown_ns, cursor, answered_ns
        cdef bint opens
        while True:
            if venue.answers.count:
                answered_ns = venue.answers.items[0].time_ns - venue.answer_latency.least_ns
                if answered_ns < time_ns:
                    time_ns = answered_ns
            market = self.next_shown()
            cursor = self.cursors[market]
            shown_ns = self.venue_ns[cursor & self.mask] if cursor >= 0 else NEVER_NS
            opens = self.by_bars and self.next_opening(&market, &shown_ns)
            if venue.arrivals.count and venue.arrivals.items[0].time_ns < shown_ns:
                if venue.arrivals.items[0].time_ns > time_ns:
                    return 0
                simulator_arrive(venue)
                continue
            if shown_ns > time_ns:
                return 0
            if opens:
                self.open_bar(market, shown_ns)
                continue
            cursor = self.cursors[market]
            self.cursors[market] = self.next_same[cursor & self.mask]
            simulator_market(venue, market, &self.window[cursor & self.mask], shown_ns)

    cdef bint next_opening(self, uint32_t* best, int64_t* best_ns) noexcept:
        """Whether a bar opens before everything at `best_ns`; then it is put there. A bar opens before its own range comes."""
        cdef uint32_t market
        cdef int64_t opens_ns, range_ns
        cdef bint found = 0, is_due
        for market in range(self.kernel.context.market_count):
            if self.openings[market] < 0:
                continue
            opens_ns = self.window[self.openings[market] & self.mask].venue_ns
            if opens_ns < self.closed_ns[market]:
                opens_ns = self.closed_ns[market]
            range_ns = self.venue_ns[self.openings[market] & self.mask]
            is_due = self.cursors[market] == self.openings[market] and opens_ns >= range_ns
            if is_due:
                opens_ns = range_ns
            if opens_ns < best_ns[0] or (is_due and opens_ns == best_ns[0]):
                best_ns[0] = opens_ns
                best[0] = market
                found = 1
        return found

    cdef int open_bar(self, uint32_t market, int64_t time_ns) except -1:
        """Let the next bar of a market open, and look for the one after it."""
        cdef int64_t at = self.openings[market]
        self.closed_ns[market] = self.window[at & self.mask].time_ns
        simulator_open(&self.simulator.simulator, market, &self.window[at & self.mask], time_ns)
        at = self.next_same[at & self.mask]
        while at >= 0 and not bars_fill(&self.simulator.simulator.markets[market], &self.window[at & self.mask]):
            at = self.next_same[at & self.mask]
        self.openings[market] = at
        return 0

    cdef int64_t range_ns(self, uint32_t market, const RecordC* bar) noexcept:
        """When the venue takes a bar's range: so that what it says to it comes before the bar, but not before the bar opens."""
        cdef int64_t last_ns = bar.time_ns - 1 - self.simulator.simulator.answer_latency.least_ns
        return last_ns if last_ns > bar.venue_ns else bar.venue_ns

    cdef int take_rows(self) except -1:
        """Take some of what was loaded into the window; returns how many. A few at a time, so that the window stays in the cache."""
        cdef ContextC* context = &self.kernel.context
        cdef int64_t begin = self.rows_at, count = self.rows_count - self.rows_at, slot, shown
        cdef const RecordC* row
        cdef uint32_t market
        if count > ROWS_AT_ONCE:
            count = ROWS_AT_ONCE
        while self.end + count - self.kept > self.mask:
            self.widen(count)
        while self.rows_at < begin + count:
            row = &self.rows[self.rows_at]
            prefetch(row + ROWS_AHEAD)
            if row.time_ns < self.fed_ns or row.kind > Kind.INSTRUMENT_CHANGED or not (MARKET_KINDS >> row.kind) & 1:
                self.refuse(row)
            check_bounds(row, self.end)
            market = self.kernel.hot_market
            if context.markets[market].terms.id != row.instrument:
                market = self.kernel.market_of(row.instrument)
            slot = self.end & self.mask
            shown = venue_time(row, self.feed_lag_max_ns)
            if self.by_bars and bars_fill(&self.simulator.simulator.markets[market], row):
                shown = self.range_ns(market, row)
                if self.openings[market] < 0:
                    self.openings[market] = self.end
            if shown < self.shown_ns[market]:
                shown = self.shown_ns[market]
            self.shown_ns[market] = shown
            self.window[slot] = row[0]
            self.venue_ns[slot] = shown
            self.next_same[slot] = -1
            if self.cursors[market] < 0:
                self.cursors[market] = self.end
            else:
                self.next_same[self.lasts[market] & self.mask] = self.end
            self.lasts[market] = self.end
            self.fed_ns = row.time_ns
            self.end += 1
            self.rows_at += 1
        if self.rows_at == self.rows_count:
            self.source = None
        return <int>count

    cdef int refuse(self, const RecordC* row) except -1:
        if row.time_ns < self.fed_ns:
            raise ValueError(
                f"time runs back at record {self.end} of the stream: expected {self.fed_ns} ns or later, found "
                f"{row.time_ns} ns; sort or import the data again"
            )
        raise ValueError(
            f"record {self.end} of the stream has kind {row.kind}: expected a market fact, 1 to 15 but 12; "
            "import the data again"
        )

    cdef int64_t oldest(self) noexcept:
        """Number of the first record that engine or venue is not done with."""
        cdef int64_t oldest = self.at
        cdef uint32_t market
        for market in range(self.kernel.context.market_count):
            if 0 <= self.cursors[market] < oldest:
                oldest = self.cursors[market]
        return oldest

    cdef int widen(self, int64_t more) except -1:
        """Forget the records that both are done with; where that leaves no room for `more`, take a window of twice the size."""
        cdef int64_t number, mask = 2 * self.mask + 1
        cdef RecordC* window
        cdef int64_t* venue_ns
        cdef int64_t* next_same
        self.kept = self.oldest()
        if self.end + more - self.kept <= self.mask:
            return 0
        window = <RecordC*>malloc((mask + 1) * sizeof(RecordC))
        venue_ns = <int64_t*>malloc((mask + 1) * sizeof(int64_t))
        next_same = <int64_t*>malloc((mask + 1) * sizeof(int64_t))
        if window == NULL or venue_ns == NULL or next_same == NULL:
            free(window)
            free(venue_ns)
            free(next_same)
            raise MemoryError(f"no memory for a window of {mask + 1} records")
        for number in range(self.kept, self.end):
            window[number & mask] = self.window[number & self.mask]
            venue_ns[number & mask] = self.venue_ns[number & self.mask]
            next_same[number & mask] = self.next_same[number & self.mask]
        free(self.window)
        free(self.venue_ns)
        free(self.next_same)
        self.window, self.venue_ns, self.next_same, self.mask = window, venue_ns, next_same, mask
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
                sample.bid = market.last_price if is_bare(market) else market.bid
                sample.ask = market.last_price if is_bare(market) else market.ask
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
        while self.take_rows():
            pass
        base = self.oldest()
        return [
            self.kernel.snapshot(),
            self.simulator.snapshot(),
            b"".join([(<const char*>&self.window[number & self.mask])[: sizeof(RecordC)] for number in range(base, self.end)]),
            [self.venue_ns[number & self.mask] for number in range(base, self.end)],
            [self.next_same[number & self.mask] for number in range(base, self.end)],
            [bool(self.started), self.at, self.events, self.end, self.fed_ns, self.sample_ns],
            [
                [self.cursors[market], self.lasts[market], self.shown_ns[market], self.openings[market], self.closed_ns[market]]
                for market in range(count)
            ],
        ]

    def restore(self, state: list) -> None:
        """Go on from `snapshot`; the next record to feed is number `fed` of the stream."""
        cdef uint32_t market
        cdef const char* body = state[2]
        cdef int64_t row
        if state[5][0]:
            self.kernel.restore(state[0])
        self.simulator.restore(state[1])
        self.started, self.at, self.events, _, self.fed_ns, self.sample_ns = state[5]
        for market in range(self.kernel.context.market_count):
            (
                self.cursors[market], self.lasts[market], self.shown_ns[market], self.openings[market], self.closed_ns[market],
            ) = state[6][market]
        self.end = self.kept = state[5][3] - len(state[3])
        for row in range(len(state[3])):
            while self.end + 1 - self.kept > self.mask:
                self.widen(1)
            self.window[self.end & self.mask] = (<const RecordC*>body)[row]
            self.venue_ns[self.end & self.mask] = state[3][row]
            self.next_same[self.end & self.mask] = state[4][row]
            self.end += 1

    @property
    def fed(self) -> int:
        """Records fed so far."""
        return self.end + self.rows_count - self.rows_at


cdef inline bint show_until(Merge self, int64_t time_ns) except -1:
    """Show the venue what was recorded up to `time_ns`, where no command of ours arrives by then. Returns 0 where that made work of ours:
    an answer, or an order that acts on its trigger.
    """
    cdef SimulatorC* venue = &self.simulator.simulator
    cdef uint32_t market = 0, ours = venue.answers.count + venue.arrivals.count
    cdef int64_t cursor, slot
    while True:
        if venue.market_count > 1:
            market = self.next_shown()
        cursor = self.cursors[market]
        slot = cursor & self.mask
        if cursor < 0 or self.venue_ns[slot] > time_ns:
            return 1
        self.cursors[market] = self.next_same[slot]
        simulator_show(venue, market, &self.window[slot], self.venue_ns[slot])
        if venue.answers.count + venue.arrivals.count != ours:
            return 0


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
