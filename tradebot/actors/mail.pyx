"""The mailbox of an actor in this loop: a message is told to it as it is told to one in another process, and costs a tenth.

What is told is put into a ring, and the loop is woken once for all that comes until it gets there. It takes them out in batches
of at most `batch_max`, so that others get their turn, and never in the frame of the one who told: an actor cannot find itself
called in the middle of its own step. A ring that is full does what its policy says, and says so: orders, fills and control are
refused to the sender, quotes are conflated by their key, of telemetry the oldest is dropped and counted.

A question is a message that holds a future. It is asked until a deadline; deadlines cost one timer for all questions that are
open, not one each. What is told is not copied: messages are frozen.

A mailbox belongs to its loop. Telling from another thread is a bug.
"""

from asyncio import InvalidStateError

cimport cython
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from tradebot.domain.errors import Refused, TimedOut

cdef Py_ssize_t MOST = 10_000
cdef Py_ssize_t BATCH = 256


cdef inline double now() noexcept nogil:
    """Seconds of the monotonic clock."""
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <double>time.tv_sec + <double>time.tv_nsec * 1e-9


@cython.final
cdef class Mail:
    """`take` is called with a list of messages, in the order in which they were told. `key` gives what a message is about: of
    those with an equal key the last is kept, at the place of the first. A ring of messages without a key that is full drops the
    oldest where `drops`, and else refuses the new one.
    """

    def __init__(self, loop, take, key=None, bint drops=False, Py_ssize_t most=MOST, Py_ssize_t batch_max=BATCH) -> None:
        assert most > 0
        assert batch_max > 0
        assert key is None or not drops, "what is conflated by a key is not dropped"
        self._take, self._key, self._drops = take, key, drops
        self._most, self._batch_max = most, batch_max
        self._ring, self._numbers = [None] * most, {}
        self._call_soon, self._drain_call = loop.call_soon, self._drain
        self._questions = Questions(loop)

    def tell(self, message) -> bool:
        """Put a message in; False where there is no room for it, and nothing was put there."""
        return self._put(message)

    def ask(self, body, double timeout_s):
        """A future of the answer that the actor gives to the `Question` it takes. It fails with TimedOut when none comes in time,
        and with Refused where there is no room.
        """
        cdef Question question = self._questions._begin(body, timeout_s)
        if not self._put(question):
            self._questions.fail(question.number, Refused("expected room in a mailbox, found it full: ask again later"))
        return question.future

    def hold(self) -> None:
        """Give out nothing until `release`; what is told meanwhile waits, by the policy of the ring."""
        self._is_held = True

    def release(self) -> None:
        self._is_held = False
        if self._count and not self._is_woken:
            self._wake()

    def close(self) -> None:
        """Throw away what is in it; from now on everything is refused. Who asked hears so in time."""
        self._is_closed = True
        self._ring, self._count, self._first = [], 0, 0
        self._numbers.clear()

    def __len__(self) -> int:
        return self._count

    cdef bint _put(self, message) except -1:
        cdef Py_ssize_t at
        if self._key is not None and self._is_replaced(message):
            return True
        if self._count == self._most and not self._drops or self._is_closed:
            self.refused += 1
            return False
        if self._count == self._most:
            self._pop()
            self.dropped += 1
        at = self._first + self._count
        self._ring[at - self._most if at >= self._most else at] = message
        self._count += 1
        if self._count > self.most_waited:
            self.most_waited = self._count
        if not self._is_woken and not self._is_held:
            self._wake()
        return True

    cdef bint _is_replaced(self, message) except -1:
        """Whether the message took the place of one with its key; else its place is noted, where it will get one."""
        cdef Py_ssize_t number
        cdef object key = self._key(message)
        found = self._numbers.get(key)
        if found is not None:
            number = found
            self._ring[number % self._most] = message
            self.conflated += 1
            return True
        if self._count < self._most and not self._is_closed:
            self._numbers[key] = (self._first + self._count) % self._most
        return False

    cdef object _pop(self):
        cdef object message = self._ring[self._first]
        self._ring[self._first] = None
        self._first = 0 if self._first + 1 == self._most else self._first + 1
        self._count -= 1
        if self._key is not None:
            del self._numbers[self._key(message)]
        return message

    cdef int _wake(self) except -1:
        self._is_woken = True
        self._call_soon(self._drain_call)
        return 0

    def _drain(self) -> None:
        """One batch; what is left waits for the next turn of the loop, also where `take` raises."""
        cdef Py_ssize_t left = min(self._count, self._batch_max)
        cdef list found = []
        self._is_woken = False
        if self._is_held:
            return
        while left:
            found.append(self._pop())
            left -= 1
        if self._count:
            self._wake()
        if found:
            self._take(found)


@cython.final
@cython.freelist(64)
cdef class Question:
    """What an actor is asked, and where its answer goes."""

    def answer(self, value) -> bool:
        """Answer it; False where nobody waits any more."""
        return self._questions._answer(self.number, value)


@cython.final
cdef class Questions:
    """Questions that are open, each until its deadline."""

    def __init__(self, loop) -> None:
        self._create_future, self._call_later = loop.create_future, loop.call_later
        self._open = {}

    def begin(self, body, double timeout_s) -> Question:
        """A new question, open from now on."""
        return self._begin(body, timeout_s)

    def answer(self, uint64_t number, value) -> bool:
        """Answer the question of that number; False where nobody waits for it any more."""
        return self._answer(number, value)

    def fail(self, uint64_t number, error) -> None:
        """End a question with an error."""
        cdef Question question = self._open.pop(number, None)
        if question is not None and not question.future.done():
            question.future.set_exception(error)

    def __len__(self) -> int:
        return len(self._open)

    cdef Question _begin(self, body, double timeout_s):
        cdef Question question = Question.__new__(Question)
        self._last += 1
        question.number, question.body, question.future = self._last, body, self._create_future()
        question._questions = self
        question._due_s = now() + timeout_s
        self._open[question.number] = question
        if self._timer is None or question._due_s < self._timer_due_s:
            self._set_timer(question._due_s)
        return question

    cdef bint _answer(self, uint64_t number, value) except -1:
        found = self._open.pop(number, None)
        if found is None:
            return False
        try:
            (<Question>found).future.set_result(value)
        except InvalidStateError:  # who asked has stopped waiting
            return False
        return True

    cdef int _set_timer(self, double due_s) except -1:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due_s = due_s
        self._timer = self._call_later(max(0.0, due_s - now()), self._end_overdue)
        return 0

    def _end_overdue(self) -> None:
        """Fail what is overdue, and wait for the next. A timer of a loop may come a little early: then it waits once more."""
        cdef double now_s = now(), next_s = -1.0
        cdef Question question
        self._timer = None
        for question in list(self._open.values()):
            if question._due_s <= now_s:
                self.fail(question.number, TimedOut("expected an answer in time, found none: ask again, or see what it does"))
            elif next_s < 0.0 or question._due_s < next_s:
                next_s = question._due_s
        if next_s >= 0.0:
            self._set_timer(next_s)
