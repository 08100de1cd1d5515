"""The source of a session: facts as they arrive, and the timers that are due between them, in one total order.

A session's order is the order in which the engine took the facts in, and that order is written down: `take` gives what was consumed, timers
among it, and what came of it. `replay` steps exactly that again and comes to the same commands and digest, whatever the clock says.

Time is a fact's own and never runs back: one that was stamped earlier than the last is taken at the last one's time. Before a fact every timer
that is due is fired, at its due time: bars of the fact's instant close before it, strategies' timers of that instant come after it, as in
a backtest. `fire` lets time pass while nothing arrives.

Slots are 64 bytes: a market fact, timer or control is one, an account fact two, the second with CONT.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from tradebot._core.arena cimport grow, index_get
from tradebot._core.fold cimport fold_fact, fold_output
from tradebot._core.orders cimport OrderC, lots_fillable, order_next_state, orders_get
from tradebot._core.timers cimport KERNEL_OWNER, MISSED_NS, NEVER_NS, timers_next_ns
from tradebot._core.types cimport ExtraC, FactC, Flag, Kind, RecordC, check_bounds

cdef enum:
    MARKET_KINDS = 0xEFFE       # a bit for each kind that a market fact may have: 1 to 15 but TIMER


@cython.final
cdef class Live:
    """Drives a kernel over arriving facts. A kernel is driven by one source only."""

    def __cinit__(self, Kernel kernel):
        self.kernel = kernel

    def __dealloc__(self):
        free(self.slots)
        free(self.outputs)

    def begin(self, epoch: int, time_ns: int, anew: bool) -> None:
        """Open an epoch, as a fact; `anew` calls `on_start` of every strategy at it, as the first epoch of a run always does.

        What came due more than five seconds before, while nobody ran, is fired as missed: bars are made, and nobody is told of them; a
        repeating timer goes on in its phase; one that fires once does so now, late.
        """
        cdef RecordC record
        memset(&record, 0, sizeof(RecordC))
        record.time_ns = time_ns if time_ns > self.kernel.context.time_ns else self.kernel.context.time_ns
        record.kind = Kind.EPOCH_STARTED
        record.id = epoch
        record.id2 = anew
        self.fire_before(record.time_ns, record.time_ns)
        self.keep(&record, NULL)

    def is_late(self, time_ns: int) -> bool:
        """Whether a session that goes on then has missed something."""
        return self.kernel.context.sequence > 0 and time_ns - self.kernel.context.time_ns > MISSED_NS

    def resume(self) -> None:
        """A kernel that was restored has started already."""
        self.started = 1

    def arrive(self, slots) -> None:
        """Take in facts that arrived: bytes of whole slots.

        Raises ValueError, before any of them is taken in, where one is not a fact of this run; of answers `why_refused` has more to say.
        """
        cdef const uint8_t[::1] body = memoryview(slots).cast("B")
        cdef Py_ssize_t at = 0, count = slot_count(body)
        cdef const RecordC* rows = <const RecordC*>&body[0] if count else NULL
        self.check(slots)
        while at < count:
            if is_double(&rows[at]):
                self.take_in(&rows[at], <const ExtraC*>&rows[at + 1])
                at += 2
            else:
                self.take_in(&rows[at], NULL)
                at += 1

    def check(self, slots) -> None:
        cdef const uint8_t[::1] body = memoryview(slots).cast("B")
        cdef Py_ssize_t at = 0, count = slot_count(body)
        cdef const RecordC* rows = <const RecordC*>&body[0] if count else NULL
        while at < count:
            check_kind(self.kernel, rows, at, count)
            check_bounds(&rows[at], at)
            at += 2 if is_double(&rows[at]) else 1

    def fire(self, now_ns: int) -> None:
        """Time has come to `now_ns` and nothing arrived: fire what is due."""
        cdef int64_t now = now_ns
        self.fire_before(now if now == NEVER_NS else now + 1, 0)

    def why_refused(self, fact) -> str | None:
        """Why an account fact cannot be taken in as things stand, in words; None where it can. An engine that stepped it would stop."""
        cdef const uint8_t[::1] body = memoryview(fact).cast("B")
        cdef const FactC* one
        cdef const OrderC* order
        cdef int64_t left
        if body.shape[0] != sizeof(FactC):
            return f"expected {sizeof(FactC)} bytes, found {body.shape[0]}"
        one = <const FactC*>&body[0]
        try:
            check_kind(self.kernel, &one.head, 0, 2)
            check_bounds(&one.head, 0)
        except ValueError as error:
            return str(error)
        if not is_answer(one.head.kind):
            return f"expected an account fact, found kind {one.head.kind}"
        if one.head.kind >= Kind.FUNDING_PAID:
            return None
        order = orders_get(&self.kernel.context.orders, one.head.id)
        if order == NULL:
            if one.head.kind in (Kind.CANCEL_REJECTED, Kind.AMEND_REJECTED):
                return None
            return f"order {one.head.id} is not open"
        if order_next_state(order.state, one.head.kind) == 0:
            return f"order {one.head.id} is in state {order.state}, which kind {one.head.kind} cannot follow"
        if one.head.owner != order.strategy:
            return f"order {one.head.id} is of strategy {order.strategy}, not {one.head.owner}"
        left = lots_fillable(order)
        if one.head.kind == Kind.ORDER_FILLED and not 0 < one.head.quantity <= left:
            return f"order {one.head.id} has {left} lots left, a fill has {one.head.quantity}"
        if one.head.kind == Kind.ORDER_AMENDED and one.tail.cause and order.amends == 0:
            return f"order {one.head.id} has no change under way"
        return None

    cdef int take_in(self, const RecordC* record, const ExtraC* extra) except -1:
        cdef RecordC stamped = record[0]
        if stamped.time_ns < self.kernel.context.time_ns:
            stamped.time_ns = self.kernel.context.time_ns
        self.fire_before(stamped.time_ns, 0)
        return self.keep(&stamped, extra)

    cdef int fire_before(self, int64_t time_ns, int64_t begins_ns) except -1:
        """Fire what is due before a fact of that time; where a session goes on at `begins_ns`, what it missed is fired as such."""
        cdef RecordC timer
        cdef int64_t due_ns
        while True:
            due_ns = timers_next_ns(&self.kernel.context.timers)
            if due_ns > time_ns or due_ns == NEVER_NS:
                return 0
            if due_ns == time_ns and self.kernel.context.timers.items[self.kernel.context.timers.count - 1].owner != KERNEL_OWNER:
                return 0
            memset(&timer, 0, sizeof(RecordC))
            timer.time_ns = due_ns if due_ns > self.kernel.context.time_ns else self.kernel.context.time_ns
            timer.id = self.kernel.context.timers.items[self.kernel.context.timers.count - 1].number
            timer.owner = self.kernel.context.timers.items[self.kernel.context.timers.count - 1].owner
            timer.kind = Kind.TIMER
            if due_ns < begins_ns - MISSED_NS:
                timer.id2 = <uint64_t>begins_ns
            self.keep(&timer, NULL)

    cdef int keep(self, const RecordC* record, const ExtraC* extra) except -1:
        """Step a fact, then write it down with what came of it."""
        cdef uint32_t more = 1 if extra == NULL else 2
        self.kernel.step(record, extra)
        if record.kind == Kind.EPOCH_STARTED and record.id2:
            self.kernel.start(record.time_ns)
            self.started = 1
        grow(<void**>&self.slots, sizeof(RecordC), &self.slots_max, self.slot_count + more)
        self.slots[self.slot_count] = record[0]
        if extra != NULL:
            memcpy(&self.slots[self.slot_count + 1], extra, sizeof(ExtraC))
        self.slot_count += more
        self.taken_facts += 1
        return self.gather(is_answer(record.kind))

    cdef int gather(self, bint is_answer) except -1:
        """Take what the kernel noted of a step: an answer itself first, which is written down already, then what came of it."""
        cdef uint32_t first = 1 if is_answer else 0
        cdef uint32_t count = self.kernel.audit_count - first
        if count:
            grow(<void**>&self.outputs, sizeof(FactC), &self.outputs_max, self.output_count + count)
            memcpy(&self.outputs[self.output_count], &self.kernel.audit[first], count * sizeof(FactC))
            self.output_count += count
        self.kernel.audit_count = 0
        return 0

    def replay(self, slots) -> None:
        """Step facts that a session consumed, timers among them, as they were: no stamp, no timer of its own."""
        cdef const uint8_t[::1] body = memoryview(slots).cast("B")
        cdef Py_ssize_t at = 0, count = slot_count(body)
        cdef const RecordC* rows = <const RecordC*>&body[0] if count else NULL
        while at < count:
            if is_double(&rows[at]):
                self.keep(&rows[at], <const ExtraC*>&rows[at + 1])
                at += 2
            else:
                self.keep(&rows[at], NULL)
                at += 1

    def fold(self, slots, outputs) -> None:
        """Take in what a session consumed and did, without its strategies: `_core.fold`."""
        cdef const uint8_t[::1] body = memoryview(slots).cast("B")
        cdef const uint8_t[::1] done = memoryview(outputs).cast("B")
        cdef Py_ssize_t at = 0, next = 0, count = slot_count(body), outputs_count = done.shape[0] // sizeof(FactC)
        cdef const RecordC* rows = <const RecordC*>&body[0] if count else NULL
        cdef const FactC* recorded = <const FactC*>&done[0] if outputs_count else NULL
        assert self.slot_count == 0, "take what came before"
        while at < count:
            if is_double(&rows[at]):
                fold_fact(self.kernel, &rows[at], <const ExtraC*>&rows[at + 1])
                at += 2
            else:
                fold_fact(self.kernel, &rows[at], NULL)
                at += 1
            self.kernel.audit_count = 0
            while next < outputs_count and recorded[next].tail.cause <= self.kernel.context.sequence:
                fold_output(self.kernel, &recorded[next])
                next += 1
        assert next == outputs_count, "an output names a fact beyond its frame"

    def stop(self) -> None:
        """Call every `on_stop`."""
        self.kernel.stop()
        self.gather(0)

    def take(self) -> tuple[int, bytes, bytes]:
        """(facts, their slots, outputs) since the last call; outputs are FACT_DTYPE: commands, refusals, quarantines."""
        cdef bytes slots = (<const char*>self.slots)[: self.slot_count * sizeof(RecordC)] if self.slot_count else b""
        cdef bytes outputs = (<const char*>self.outputs)[: self.output_count * sizeof(FactC)] if self.output_count else b""
        facts = self.taken_facts
        self.slot_count = self.output_count = 0
        self.taken_facts = 0
        return facts, slots, outputs


cdef Py_ssize_t slot_count(const uint8_t[::1] body) except -1:
    if body.shape[0] % sizeof(RecordC):
        raise ValueError(f"expected whole slots of {sizeof(RecordC)} bytes, found {body.shape[0]} bytes")
    return body.shape[0] // sizeof(RecordC)


cdef inline bint is_answer(uint8_t kind) noexcept nogil:
    return Kind.ORDER_ACCEPTED <= kind <= Kind.LIQUIDATED


cdef inline bint is_double(const RecordC* record) noexcept nogil:
    return is_answer(record.kind)


cdef int check_kind(Kernel kernel, const RecordC* rows, Py_ssize_t at, Py_ssize_t count) except -1:
    """That a slot begins a fact which this run can take in."""
    cdef const RecordC* record = &rows[at]
    if record.kind in (Kind.TRADING_STATE_CHANGED, Kind.OPERATOR_ACT):
        return 0
    if not is_answer(record.kind) and not (record.kind <= Kind.INSTRUMENT_CHANGED and (MARKET_KINDS >> record.kind) & 1):
        raise ValueError(f"slot {at} has kind {record.kind}: expected a market fact, an account fact or an operator's")
    if index_get(&kernel.by_id, record.instrument) == 0:
        raise ValueError(f"slot {at} names instrument {record.instrument}, which is not in this run")
    if not is_answer(record.kind):
        return 0
    if at + 1 >= count or (<const ExtraC*>&rows[at + 1]).kind != record.kind or not (<const ExtraC*>&rows[at + 1]).flags & Flag.CONT:
        raise ValueError(f"slot {at} is an account fact without its second slot")
    if record.owner >= len(kernel.seats):
        raise ValueError(f"slot {at} names strategy {record.owner}, of which there are {len(kernel.seats)}")
    return 0
