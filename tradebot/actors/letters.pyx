"""Letters: what one actor tells another over a socket is numbered by its sender, and what is lost on the way is told again.

A socket does not say what it lost: a connection that broke had letters in it, and only their sender knew. So a receiver that
finds a number missing holds what came after it, in order, and asks the sender, which keeps its last letters. What is not kept any
more, or not told again in time, is lost: it is counted and named, and the receiver goes on. After the last letter of a burst a
pulse tells its number once more, so that the end of it can be missed too.

A receiver that is new begins with the first letter it gets: what was on its way to the one before it is for the protocols that
know what it was (`feeds.telling`, `domain.links`). A sender that is new counts from 1 in a stream of its own, larger than those
before; what an older one has said comes to nothing after that.

Nothing here knows a socket or a clock.

    bytes       header
    0, 2        mark, b"TB"
    2, 3        version; kind: 0 letter, 1 pulse, 2 forgotten (what is before `number`), 3 missing (asked by the receiver)
    8           the sender's name, 16 bytes
    24, 32      stream, number
    40          body
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy, memset

cdef enum:
    MARK = 0x4254
    VERSION = 1
    NAME_BYTES = 16
    KEPT = 8_192           # letters for one receiver
    KEPT_BYTES = 8_388_608 # of them
    AGAIN_MAX = 256        # of them for one question
    HELD_MAX = 4_096       # that came before their turn
    SENDERS_MAX = 1_024
    LOST_MAX = 100         # that are told by name
    PULSE_AGAIN = 16       # beats after the last letter, where a pulse was lost too
    PULSE_LATER = 256

cdef enum Is:
    LETTER = 0
    PULSE = 1
    FORGOTTEN = 2
    MISSING = 3

cdef int64_t ASK_AGAIN_NS = 20_000_000
cdef int64_t GIVE_UP_NS = 2_000_000_000

cdef uint64_t NUMBER_MAX = <uint64_t>1 << 62

assert sizeof(HeaderC) == HEADER_BYTES

NAME_MAX = NAME_BYTES


cdef int address_from(HeaderC* header, str name, uint64_t stream) except -1:
    """Raises ValueError where the name has no room."""
    cdef bytes words = name.encode()
    if not 0 < len(words) <= NAME_BYTES:
        raise ValueError(f"expected a name of 1 to {NAME_BYTES} bytes, found {name!r}")
    memset(header, 0, sizeof(HeaderC))
    header.mark, header.version, header.stream = MARK, VERSION, stream
    memcpy(header.name, PyBytes_AS_STRING(words), len(words))
    return 0


cdef inline bint is_sound(const HeaderC* header) noexcept:
    return header.mark == MARK and header.version == VERSION and header.kind <= MISSING and header.number <= NUMBER_MAX


cdef bytes sealed(const HeaderC* header, bytes body):
    cdef bytes letter = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + PyBytes_GET_SIZE(body))
    memcpy(PyBytes_AS_STRING(letter), header, HEADER_BYTES)
    memcpy(PyBytes_AS_STRING(letter) + HEADER_BYTES, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
    return letter


cdef str name_text(const char* name):
    return PyBytes_FromStringAndSize(name, NAME_BYTES).rstrip(b"\0").decode(errors="replace")


@cython.final
cdef class Outgoing:
    """What an actor says to one other."""

    def __init__(self, str name, uint64_t stream) -> None:
        address_from(&self._header, name, stream)
        self._kept = [None] * KEPT
        self.oldest = 1

    def seal(self, bytes body) -> bytes:
        """The next letter; `unseal` it where it could not be sent."""
        self._number_body(body)
        return sealed(&self._header, body)

    def unseal(self) -> None:
        """The last letter was not sent: its number is the next one's. The oldest that made room for it stays forgotten."""
        self._unseal()

    cdef int _number_body(self, bytes body) except -1:
        """Give it the next number and keep it."""
        cdef HeaderC* header = &self._header
        header.number += 1
        if header.number - self.oldest >= KEPT:
            self._forget()
        self._kept[header.number % KEPT] = body
        self._bytes += PyBytes_GET_SIZE(body) + HEADER_BYTES
        while self._bytes > KEPT_BYTES and self.oldest < header.number:
            self._forget()
        return 0

    cdef int _unseal(self) except -1:
        self._bytes -= PyBytes_GET_SIZE(self._kept[self._header.number % KEPT]) + HEADER_BYTES
        self._kept[self._header.number % KEPT] = None
        self._header.number -= 1
        return 0

    @property
    def number(self) -> int:
        """Of the last letter."""
        return self._header.number

    def again(self, uint64_t first, uint64_t last) -> list[bytes]:
        """Letters from one number to another, as many as are kept; before them that the others are forgotten."""
        cdef list found = []
        cdef uint64_t number
        first, last = max(first, <uint64_t>1), min(last, self._header.number)
        if first < self.oldest and last >= first:
            found.append(self._make(FORGOTTEN, self.oldest, b""))
        first = max(first, self.oldest)
        number = first
        while number <= last and number - first < AGAIN_MAX:
            found.append(self._make(LETTER, number, self._kept[number % KEPT]))
            self.told_again += 1
            number += 1
        return found

    def pulse(self) -> bytes | None:
        """Called with each beat: after a burst of letters, the number of the last one; soon, later, and then now and then."""
        self._quiet = self._quiet + 1 if self._seen == self._header.number else 0
        self._seen = self._header.number
        if self._seen == 0 or self._quiet != 1 and self._quiet != PULSE_AGAIN and (self._quiet == 0 or self._quiet % PULSE_LATER):
            return None
        return self._make(PULSE, self._header.number, b"")

    cdef int _forget(self) except -1:
        self._bytes -= PyBytes_GET_SIZE(self._kept[self.oldest % KEPT]) + HEADER_BYTES
        self._kept[self.oldest % KEPT] = None
        self.oldest += 1
        return 0

    cdef bytes _make(self, int kind, uint64_t number, bytes body):
        cdef HeaderC header = self._header
        header.kind, header.number = kind, number
        return sealed(&header, body)


@cython.final
cdef class _Sender:
    """What is remembered of one who sends: the next number, the highest heard of, and what came before its turn."""


@cython.final
cdef class Incoming:
    """What an actor gets from all others. `name` is its own, `stream` that of its start."""

    def __init__(self, str name, uint64_t stream) -> None:
        address_from(&self._own, name, stream)
        self._senders, self.asked, self.lost = [], [], []

    def open(self, list letters) -> list[bytes]:
        """The bodies that are to be taken now, each once, those of one sender in their order."""
        cdef list found = []
        cdef bytes letter
        for letter in letters:
            self._open(PyBytes_AS_STRING(letter), PyBytes_GET_SIZE(letter), found)
        return found

    def take_asked(self) -> list[tuple[str, int, int, int]]:
        """What others ask for again: whom, of which stream, from which number to which. Told once."""
        found, self.asked = self.asked, []
        return found

    def take_lost(self) -> list[tuple[str, int, int]]:
        """Of whom which numbers were lost. Told once."""
        found, self.lost = self.lost, []
        return found

    def asks(self, int64_t now_ns) -> list[tuple[str, bytes]]:
        """Called now and then: letters to those of whom something is missing."""
        cdef list found = []
        cdef _Sender sender
        cdef HeaderC header
        cdef uint64_t[3] body
        for sender in self._senders:
            if sender.highest < sender.next:
                sender.missing_ns = 0
                continue
            if sender.missing_ns == 0 or sender.missing != sender.next:
                sender.missing, sender.missing_ns = sender.next, now_ns
            if now_ns - sender.asked_ns < ASK_AGAIN_NS:
                continue
            sender.asked_ns = now_ns
            header = self._own
            header.kind = MISSING
            body[0], body[1], body[2] = sender.stream, sender.next, min(sender.held, default=sender.highest + 1) - 1
            found.append((name_text(sender.name), sealed(&header, PyBytes_FromStringAndSize(<char*>body, sizeof(body)))))
        return found

    def give_up(self, int64_t now_ns) -> list[bytes]:
        """Called now and then: bodies that wait for what will not be told again."""
        cdef list found = []
        cdef _Sender sender
        for sender in self._senders:
            if sender.missing_ns == 0 or sender.missing != sender.next or sender.highest < sender.next:
                continue
            if now_ns - sender.missing_ns >= GIVE_UP_NS:
                self._skip(sender, min(sender.held, default=sender.highest + 1), found)
                sender.missing_ns = 0
        return found

    cdef _Sender _sender(self, const HeaderC* header):
        """None where there are too many."""
        cdef _Sender sender
        for sender in self._senders:
            if memcmp(sender.name, header.name, NAME_BYTES) == 0:
                return sender
        if len(self._senders) >= SENDERS_MAX and not self._forget_one():
            return None
        sender = _Sender.__new__(_Sender)
        memcpy(sender.name, header.name, NAME_BYTES)
        sender.held = {}
        self._senders.append(sender)
        return sender

    cdef bint _forget_one(self) except -1:
        """The one known longest of whom nothing waits; should it say more, that begins with the first letter that comes."""
        cdef Py_ssize_t at
        for at in range(len(self._senders)):
            if not (<_Sender>self._senders[at]).held:
                del self._senders[at]
                return True
        return False

    cdef int _open(self, const char* letter, Py_ssize_t size, list found) except -1:
        cdef const HeaderC* header = <const HeaderC*>letter
        if size >= HEADER_BYTES and is_sound(header):
            self._take(header, letter + HEADER_BYTES, size - HEADER_BYTES, found)
        else:
            self.garbage += 1
        return 0

    cdef int _take(self, const HeaderC* header, const char* text, Py_ssize_t size, list found) except -1:
        cdef uint64_t[3] body
        cdef _Sender sender
        if header.kind == MISSING:
            if size != sizeof(body):
                self.garbage += 1
                return 0
            memcpy(body, text, sizeof(body))
            self.asked.append((name_text(header.name), body[0], body[1], body[2]))
            return 0
        sender = self._sender(header)
        if sender is None:
            self.garbage += 1
            return 0
        if sender.stream != header.stream:
            if header.stream < sender.stream:
                self.late += 1
                return 0
            self._begin(sender, header, found)
        if header.kind == PULSE:
            sender.highest = max(sender.highest, header.number)
        elif header.kind == FORGOTTEN:
            self._skip(sender, header.number, found)
        elif header.number == sender.next:
            found.append(PyBytes_FromStringAndSize(text, size))
            sender.next += 1
            if sender.held:
                self.repaired += 1
                self._release(sender, found)
        elif header.number < sender.next:
            self.doubled += 1
        else:
            sender.highest = max(sender.highest, header.number)
            if len(sender.held) < HELD_MAX:
                sender.held[header.number] = PyBytes_FromStringAndSize(text, size)
        return 0

    cdef int _begin(self, _Sender sender, const HeaderC* header, list found) except -1:
        """A start of a sender. Of one that was known before nothing may be missing; of the first, what was before this receiver
        was not for it.
        """
        if sender.stream:
            self._skip(sender, sender.highest + 1, found)
            sender.next = 1
        else:
            sender.next = header.number + 1 if header.kind == PULSE else header.number
        sender.stream, sender.highest = header.stream, 0
        sender.asked_ns, sender.missing_ns = -ASK_AGAIN_NS, 0
        return 0

    cdef int _release(self, _Sender sender, list found) except -1:
        """What was held and has its turn now."""
        body = sender.held.pop(sender.next, None)
        while body is not None:
            found.append(body)
            sender.next += 1
            body = sender.held.pop(sender.next, None)
        return 0

    cdef int _skip(self, _Sender sender, uint64_t upto, list found) except -1:
        """Go on with number `upto`, without what is missing before it; what is held before it is taken."""
        cdef uint64_t first
        while sender.next < upto:
            first = sender.next
            sender.next = min(upto, min(sender.held, default=upto))
            if sender.next > first:
                self.gone += sender.next - first
                if len(self.lost) < LOST_MAX:
                    self.lost.append((name_text(sender.name), first, sender.next - 1))
            self._release(sender, found)
        self._release(sender, found)
        return 0
