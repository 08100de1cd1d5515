"""The gateway: it tries each command at a venue once, and never guesses what became of it.

One command of an order is at work at a time. Before a command is sent, an `Attempt` is in the log; what is heard is in the log
before the engine is told, numbered, and said again until the engine has it. So whatever dies, a start knows what was tried: an
attempt without an answer is *unknown*, and counts at the engine as if it were open, for there it still is.

A place is never sent twice. What became of one that was not answered is found out: the venue is asked for it by client id; if
it is there, its status and its trades are told as if they had been heard. If it is not there, that proves something only when
the venue's own clock, read from the answer, is past the time up to which it may take the request, and when the venue does not
say that it may have forgotten what has ended since the attempt; then open orders and trades are looked through as well, and
only if it is in none of them is the engine told that it was not accepted. At a venue that cannot prove absence the order stays
unknown until an operator speaks.

A cancel may be sent again: it has no other effect. A change may not, since it costs the place in the queue: it is looked for in
the order's status.

The account stream is numbered. A hole, or a new stream, means that something was missed: the gateway subscribes again and asks
for the status of every order that is not done.

No clock, no IO: the gateway is told the time, and gives back what is to be sent, `VenueRequest` to the venue and the rest to
the engine.
"""

from collections import deque
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, Kind, Reject
from tradebot.domain.frames import Journal
from tradebot.domain.links import AnswersTaken, BooksAsked, CommandsTaken, EngineUp, Fenced, GatewayUp, VenueBooks
from tradebot.domain.market import AccountFacts, Commands
from tradebot.domain.orders import OrderFlag
from tradebot.domain.venue import (
    OK,
    REJECTED,
    UNKNOWN_ORDER,
    Ask,
    Capabilities,
    OrderStatus,
    VenueEvent,
    VenueReply,
    VenueRequest,
)
from tradebot.execution.book_round import ROUND, BookRound
from tradebot.execution.held import FACT_BYTES, Held, Task, ends_task, hold, make_fact, refusal, take
from tradebot.execution.order_log import Answered, Attempt, Leased, OrderLog

VERSION: Final = 1
MS: Final = 1_000_000
_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
INCOME: Final = (Kind.FUNDING_PAID, Kind.LIQUIDATED)
ANSWERS_MAX: Final = 256  # in one message

Message = VenueRequest | CommandsTaken | AccountFacts | GatewayUp | Fenced | VenueBooks


class Timing(Struct, frozen=True, kw_only=True):
    """How long a gateway waits, in ns. `age_max_ns`: an order that is older than this when it could first be tried is not tried
    any more, unless it guards or closes a position.
    """

    reply_ns: int = 1_000 * MS
    ask_again_ns: int = 300 * MS
    say_again_ns: int = 500 * MS
    hole_ns: int = 10 * MS
    stream_ns: int = 10_000 * MS
    age_max_ns: int = 5_000 * MS


class Asked(Struct, frozen=True):
    """A request under way."""

    ask: Ask
    client_id: int
    number: int
    sent_ns: int


class Saved(Struct, frozen=True, array_like=True):
    """A snapshot of a gateway: what its log so far came to."""

    version: int
    lease: int
    commands_taken: int
    done: list[int]
    answer_first: int
    answers: list[bytes]
    income: int
    orders: list[Held]


class Gateway:
    """One account at one venue.

    `unknown` are the orders of which nothing was heard, `strangers` those that the venue has and we do not: shown, never
    adopted.
    """

    def __init__(self, journal: Journal, capabilities: Capabilities, account: int, timing: Timing | None = None) -> None:
        self.log = OrderLog(journal)
        self.capabilities = capabilities
        self.account = account
        self.timing = timing or Timing()
        self.lease = 0
        self.orders: dict[int, Held] = {}
        self.done: set[int] = set()  # command numbers beyond `commands_taken` that are settled or tried
        self.commands_taken = 0
        self.queued: set[int] = set()  # numbers that wait behind another command of their order
        self.answers: deque[bytes] = deque()  # told, and not yet taken by the engine
        self.answer_first = 1  # number of the first of them
        self.answer_next = 1
        self.said_ns = self.missed_ns = self.check_ns = 0
        self.asked: dict[int, Asked] = {}
        self.request_next = 1
        self.stream = 0
        self.stream_sequence = 0
        self.is_subscribed = False
        self.strangers: set[int] = set()
        self.income = 0  # number of the last funding payment or liquidation that was told
        self.is_income_stale = False
        self.income_skipped = 0
        self.round: BookRound | None = None
        self.telling: list[bytes] = []
        self.ended: list[int] = []
        self.out: list[Message] = []

    # Start

    def open(self, now_ns: int) -> list[Message]:
        """Read the log, say where we stand, and find out what happened meanwhile."""
        if (state := self.log.saved()) is not None:
            self._restore(msgspec.msgpack.decode(state, type=Saved))
        for entry in self.log.read():
            self._take_entry(entry)
        self.request_next = now_ns  # a reply to a request of an earlier start must not be taken for one of this
        self.out.append(GatewayUp(VERSION, self.account, self.commands_taken))
        self._subscribe(now_ns)
        return self._flush(now_ns)

    def save(self) -> None:
        """Keep a snapshot, so that a start need not read all of the log. Between two calls."""
        assert not self.telling and not self.ended
        saved = Saved(
            VERSION,
            self.lease,
            self.commands_taken,
            sorted(self.done),
            self.answer_first,
            list(self.answers),
            self.income,
            [
                msgspec.structs.replace(held, tasks=[one for one in held.tasks if one.timestamp_ns])
                for held in self.orders.values()
            ],
        )
        self.log.save(_encoder.encode(saved))

    def _restore(self, saved: Saved) -> None:
        """What waits behind other commands is not kept: the engine says it again."""
        self.lease, self.commands_taken, self.done = saved.lease, saved.commands_taken, set(saved.done)
        self.answer_first, self.answers = saved.answer_first, deque(saved.answers)
        self.answer_next = self.answer_first + len(self.answers)
        self.income = saved.income
        self.orders = {held.client_id: held for held in saved.orders}

    def _take_entry(self, entry: Attempt | Answered | Leased) -> None:
        if isinstance(entry, Leased):
            self.lease = entry.lease
        elif isinstance(entry, Attempt):
            held = self.orders.get(entry.client_id) or self.orders.setdefault(entry.client_id, hold(entry.fact))
            held.tasks.append(Task(entry.number, entry.ask, entry.fact, entry.timestamp_ns, entry.window_ns))
            self._settle(entry.number)
        else:
            for number in entry.ended:
                self._settle(number)
            for at in range(0, len(entry.facts), FACT_BYTES):
                self._note(entry.facts[at : at + FACT_BYTES])

    @property
    def unknown(self) -> list[Held]:
        return [held for held in self.orders.values() if held.is_unknown]

    @property
    def next_due_ns(self) -> int:
        """When `on_clock` has something to do next."""
        times = [self.check_ns, *(one.sent_ns + self.timing.reply_ns for one in self.asked.values())]
        times += [held.ask_ns for held in self.orders.values() if held.ask_ns]
        if self.answers:
            times.append(self.said_ns + self.timing.say_again_ns)
        return min(times)

    # The engine's side

    def on_engine(self, message: Commands | AnswersTaken | EngineUp | BooksAsked, now_ns: int) -> list[Message]:
        if message.lease < self.lease:
            return [Fenced(VERSION, self.account, self.lease)]
        if message.lease > self.lease:
            self.lease = message.lease
            self.log.write(Leased(self.lease), now_ns)
        if isinstance(message, Commands):
            self._on_commands(message, now_ns)
        elif isinstance(message, AnswersTaken):
            self._forget_answers(message.upto)
        elif isinstance(message, BooksAsked):
            self._on_books_asked(message)
        else:
            self._forget_answers(message.answers_taken)
            self.out.append(GatewayUp(VERSION, self.account, self.commands_taken))
            self._say_answers(now_ns)
        return self._flush(now_ns)

    def _on_commands(self, message: Commands, now_ns: int) -> None:
        """Take each command once. They come in order; one that leaves a hole is left until the hole is filled."""
        for at in range(0, len(message.data), FACT_BYTES):
            number, fact = message.sequence + at // FACT_BYTES, message.data[at : at + FACT_BYTES]
            if not self._has(number - 1):
                self._ask_for_commands(now_ns)
                break
            if not self._has(number):
                self._take_command(number, fact, now_ns)
        self.out.append(CommandsTaken(VERSION, self.account, self.commands_taken))

    def _ask_for_commands(self, now_ns: int) -> None:
        """One was lost or overtaken: have the engine say them again, not more often than it takes to hear them."""
        if now_ns >= self.missed_ns + self.timing.hole_ns:
            self.missed_ns = now_ns
            self.out.append(GatewayUp(VERSION, self.account, self.commands_taken))

    def _has(self, number: int) -> bool:
        return number <= self.commands_taken or number in self.done or number in self.queued

    def _take_command(self, number: int, fact: bytes, now_ns: int) -> None:
        row = np.frombuffer(fact, FACT_DTYPE)[0]
        client_id, kind = int(row["id"]), int(row["kind"])
        ask = {Kind.PLACE_ORDER: Ask.PLACE, Kind.CANCEL_ORDER: Ask.CANCEL}.get(Kind(kind), Ask.AMEND)
        task = Task(number, ask, fact)
        held = self.orders.get(client_id)
        if held is None and ask is Ask.PLACE:
            held = self.orders.setdefault(client_id, hold(fact))
        if held is None:
            self._end(task, hold(fact), Reject.VENUE_ORDER_UNKNOWN, now_ns)
            return
        held.tasks.append(task)
        if len(held.tasks) == 1:
            self._begin(held, now_ns)
        else:
            self.queued.add(number)

    def _begin(self, held: Held, now_ns: int) -> None:
        """Try the first command of an order that was not tried yet."""
        while held.tasks and held.tasks[0].timestamp_ns == 0:
            task = held.tasks[0]
            self.queued.discard(task.number)
            if held.is_done and task.ask is not Ask.PLACE:
                held.tasks.pop(0)
                self._end(task, held, Reject.VENUE_ORDER_UNKNOWN, now_ns)
            elif task.ask is Ask.PLACE and self._is_too_old(task.fact, now_ns):
                held.tasks.pop(0)
                self._end(task, held, Reject.TOO_OLD_TO_SEND, now_ns)
            else:
                self._attempt(held, task, now_ns)
                return

    def _is_too_old(self, fact: bytes, now_ns: int) -> bool:
        """What guards or closes a position is wanted however late it comes: the position is there, or it reduces nothing."""
        row = np.frombuffer(fact, FACT_DTYPE)[0]
        is_guard = bool(row["flags2"] & OrderFlag.PROTECTIVE)
        return not is_guard and now_ns - int(row["time_ns"]) > self.timing.age_max_ns

    def _attempt(self, held: Held, task: Task, now_ns: int) -> None:
        """Write down that this will be tried; then try it."""
        self._tell_all(now_ns)  # what was heard before it is in the log before it
        task.timestamp_ns, task.window_ns = now_ns, self.capabilities.window_ns
        entry = Attempt(task.number, task.ask, held.client_id, task.timestamp_ns, task.window_ns, task.fact)
        self.log.write(entry, now_ns)
        self._settle(task.number)
        if task.ask is Ask.AMEND:
            self._age(held)
        self._send_task(held, task, now_ns)

    def _send_task(self, held: Held, task: Task, now_ns: int) -> None:
        request = self._request(task.ask, held.client_id, now_ns, number=task.number, fact=task.fact)
        self.out.append(request)

    def _settle(self, number: int) -> None:
        """A command is tried or ended: it is ours from here on."""
        self.done.add(number)
        while self.commands_taken + 1 in self.done:
            self.commands_taken += 1
            self.done.discard(self.commands_taken)

    def _end(self, task: Task, held: Held, reject: int, now_ns: int) -> None:
        """A command ends without having been tried."""
        self.ended.append(task.number)
        self._settle(task.number)
        self._tell(refusal(task, held, reject, now_ns))

    # The round through the books

    def _on_books_asked(self, message: BooksAsked) -> None:
        if self.round is None or self.round.number < message.round:
            self.round = BookRound(message.round, message.since_ns)

    @property
    def has_told_all(self) -> bool:
        """What the stream has said up to `stream_sequence` is told; nothing of it waits for trades that were missed."""
        if not self.is_subscribed or self.is_income_stale or self.telling or self.ended:
            return False
        return not any(one.is_stale or one.skipped or one.status for one in self.orders.values())

    def _go_round(self, now_ns: int) -> None:
        """Ask the venue for its books; begin again where something was missed in between."""
        if self.round is None or now_ns < self.round.try_ns:
            return
        if not self.has_told_all:
            self.round.begin_again(now_ns)
            return
        for ask in self.round.next_asks():
            request = self._request(ask, 0, now_ns, number=ROUND, since_ns=self.round.since_ns)
            self.round.waits[request.request] = ask
            self.out.append(request)

    def _on_round_reply(self, reply: VenueReply, now_ns: int) -> None:
        found = self.round
        if found is None or not found.take(reply, now_ns) or not self.has_told_all:
            return
        if (found.stream, found.sequence) != (self.stream, self.stream_sequence):
            found.begin_again(now_ns)  # an event is still on its way to us
            return
        self.strangers = {one.client_id for one in found.open_orders if one.client_id not in self.orders}
        self.out.append(found.books(self.account, self.answer_next - 1, self.commands_taken, self.orders.values()))
        self.round = None

    # Telling

    def _tell(self, fact: bytes) -> None:
        """Have the engine told of this, once it is in the log; of the order it is noted now."""
        self.telling.append(fact)
        self._note_order(fact)

    def _note(self, fact: bytes) -> None:
        """What was told, as read from the log."""
        self.answers.append(fact)
        self.answer_next += 1
        self._note_order(fact)

    def _note_order(self, fact: bytes) -> None:
        row = np.frombuffer(fact, FACT_DTYPE)[0]
        if int(row["kind"]) in INCOME:
            self.income = int(row["venue_sequence"])
        held = self.orders.get(int(row["id"]))
        if held is None:
            return
        take(held, row)
        ends = ends_task(int(row["kind"]))
        task = held.tasks[0] if held.tasks else None
        if task is not None and task.timestamp_ns and task.ask is ends and (ends is not Ask.AMEND or row["cause"]):
            held.tasks.pop(0)
        if held.is_done and not held.tasks:
            held.ask_ns, held.status = 0, None

    def _tell_all(self, now_ns: int) -> None:
        """Write down what is to be told, then tell it."""
        if not self.telling and not self.ended:
            return
        first, facts = self.answer_next, self.telling
        self.log.write(Answered(first, b"".join(facts), self.ended), now_ns)
        self.telling, self.ended = [], []
        self.answers.extend(facts)
        self.answer_next += len(facts)
        if facts:
            if len(self.answers) == len(facts):
                self.said_ns = now_ns
            self.out += self._messages(first, facts)

    def _messages(self, first: int, facts: list[bytes]) -> list[Message]:
        return [
            AccountFacts(VERSION, first + at, self.account, b"".join(facts[at : at + ANSWERS_MAX]))
            for at in range(0, len(facts), ANSWERS_MAX)
        ]

    def _say_answers(self, now_ns: int) -> None:
        self.said_ns = now_ns
        self.out += self._messages(self.answer_first, list(self.answers))

    def _forget_answers(self, upto: int) -> None:
        while self.answers and self.answer_first <= upto:
            self.answers.popleft()
            self.answer_first += 1

    def _flush(self, now_ns: int) -> list[Message]:
        for held in [one for one in self.orders.values() if one.tasks and one.tasks[0].timestamp_ns == 0]:
            self._begin(held, now_ns)
        self._tell_all(now_ns)
        self._forget_orders()
        self._go_round(now_ns)
        out, self.out = self.out, []
        return out

    def _forget_orders(self) -> None:
        """An order that is done and has nothing under way is of no more use; its id stays in the log."""
        gone = [held.client_id for held in self.orders.values() if held.is_done and not held.tasks]
        for client_id in gone:
            del self.orders[client_id]

    # The venue's side

    def _request(
        self, ask: Ask, client_id: int, now_ns: int, number: int = 0, fact: bytes = b"", since_ns: int = 0, after: int = 0
    ) -> VenueRequest:
        self.request_next += 1
        self.asked[self.request_next] = Asked(ask, client_id, number, now_ns)
        return VenueRequest(
            VERSION, self.request_next, ask, client_id, now_ns, self.capabilities.window_ns, fact, since_ns, after
        )

    def on_venue_up(self, now_ns: int) -> list[Message]:
        """The connection to the venue was lost and stands again."""
        self._subscribe(now_ns)
        return self._flush(now_ns)

    def _subscribe(self, now_ns: int) -> None:
        self.is_subscribed = False
        self._ask_for_stream(now_ns)

    def _ask_for_stream(self, now_ns: int) -> None:
        self.check_ns = now_ns + self.timing.stream_ns
        if not any(one.ask is Ask.SUBSCRIBE and one.number != ROUND for one in self.asked.values()):
            self.out.append(self._request(Ask.SUBSCRIBE, 0, now_ns))

    def _resync(self, now_ns: int) -> None:
        """Something may have been missed: ask for every order that is not done."""
        for held in self.orders.values():
            if held.tasks and held.tasks[0].timestamp_ns == 0 and not held.is_accepted:
                continue  # was never tried
            held.is_stale = True
            self._age(held)
            self._ask_for(held, now_ns)

    def _age(self, held: Held) -> None:
        """What was asked so far may have been answered before this: a slow reply would undo what is known by now."""
        held.old_upto, held.status = self.request_next, None

    def _ask_for(self, held: Held, now_ns: int) -> None:
        held.proof = held.skipped = 0
        held.ask_ns = now_ns + self.timing.ask_again_ns
        self.out.append(self._request(Ask.QUERY, held.client_id, now_ns))

    def on_clock(self, now_ns: int) -> list[Message]:
        late = [number for number, one in self.asked.items() if one.sent_ns + self.timing.reply_ns <= now_ns]
        for number in late:
            self._give_up(self.asked.pop(number), now_ns)
        for held in list(self.orders.values()):
            if held.ask_ns and held.ask_ns <= now_ns:
                self._ask_for(held, now_ns)
        if now_ns >= self.check_ns:
            self._ask_for_stream(now_ns)  # a stream may have died in silence
        if self.answers and now_ns >= self.said_ns + self.timing.say_again_ns:
            self._say_answers(now_ns)
        return self._flush(now_ns)

    def _give_up(self, asked: Asked, now_ns: int) -> None:
        """No reply came. Of a command that says nothing; what became of it is asked."""
        if asked.number == ROUND:
            if self.round is not None:
                self.round.begin_again(now_ns)
        elif asked.ask is Ask.SUBSCRIBE:
            self._subscribe(now_ns)
        elif asked.ask is Ask.INCOME:
            self._ask_for_income(now_ns)
        elif held := self.orders.get(asked.client_id):
            self._ask_for(held, now_ns)

    def on_reply(self, reply: VenueReply, now_ns: int) -> list[Message]:
        asked = self.asked.pop(reply.request, None)
        if asked is None:
            return []  # of an earlier start, or given up: what it says is found out by asking
        if asked.number == ROUND:
            self._on_round_reply(reply, now_ns)
        elif asked.ask is Ask.SUBSCRIBE:
            self._on_subscribed(reply, now_ns)
        elif asked.ask is Ask.INCOME:
            self._on_income(reply, now_ns)
        elif held := self.orders.get(asked.client_id):
            if asked.ask in (Ask.PLACE, Ask.CANCEL, Ask.AMEND):
                self._on_task_reply(held, asked, reply, now_ns)
            elif asked.ask is Ask.QUERY:
                self._on_status(held, reply, now_ns)
            elif asked.ask is Ask.OPEN:
                self._on_open(held, reply, now_ns)
            elif asked.ask is Ask.TRADES:
                self._on_trades(held, reply, now_ns)
        return self._flush(now_ns)

    def _on_subscribed(self, reply: VenueReply, now_ns: int) -> None:
        if reply.code != OK:
            self._subscribe(now_ns)
            return
        missed = not self.is_subscribed or (reply.stream, reply.sequence) != (self.stream, self.stream_sequence)
        self.stream, self.stream_sequence, self.is_subscribed = reply.stream, reply.sequence, True
        self.check_ns = now_ns + self.timing.stream_ns
        if missed:
            self._resync(now_ns)
            self._ask_for_income(now_ns)

    def _ask_for_income(self, now_ns: int) -> None:
        """Funding and liquidations may have been missed: those after the last that was told."""
        self.is_income_stale, self.income_skipped = True, 0
        if not any(one.ask is Ask.INCOME for one in self.asked.values()):
            self.out.append(self._request(Ask.INCOME, 0, now_ns, after=self.income))

    def _hear_income(self, fact: bytes, now_ns: int) -> None:
        number = int(np.frombuffer(fact, FACT_DTYPE)[0]["venue_sequence"])
        if self.is_income_stale:
            self.income_skipped += 1
        elif number == self.income + 1:
            self._tell(fact)
        elif number > self.income:
            self._ask_for_income(now_ns)

    def _on_income(self, reply: VenueReply, now_ns: int) -> None:
        for at in range(0, len(reply.facts), FACT_BYTES):
            fact = reply.facts[at : at + FACT_BYTES]
            if int(np.frombuffer(fact, FACT_DTYPE)[0]["venue_sequence"]) == self.income + 1:
                self._tell(fact)
        if reply.code != OK or self.income_skipped:
            self._ask_for_income(now_ns)
        else:
            self.is_income_stale = False

    def _on_task_reply(self, held: Held, asked: Asked, reply: VenueReply, now_ns: int) -> None:
        if not held.tasks or held.tasks[0].number != asked.number:
            return  # settled meanwhile by the stream
        task = held.tasks[0]
        if reply.code == OK:
            if not self._overtakes(held, reply.facts):
                self._hear(held, reply.facts, now_ns)
            if held.tasks and held.tasks[0] is task:
                self._ask_for(held, now_ns)
        elif reply.code in self.capabilities.definitive:
            self._tell(refusal(task, held, reply.reject, now_ns))
        elif reply.code == UNKNOWN_ORDER and task.ask is not Ask.PLACE:
            self._tell(refusal(task, held, Reject.VENUE_ORDER_UNKNOWN, now_ns))
            self._ask_for(held, now_ns)
        else:
            held.ask_ns = now_ns + self.timing.ask_again_ns

    def _overtakes(self, held: Held, fact: bytes) -> bool:
        """Whether a reply ends an order of which fills are still on their way."""
        row = np.frombuffer(fact, FACT_DTYPE)[0]
        if int(row["kind"]) != Kind.ORDER_CANCELLED:
            return False
        return held.is_stale or int(row["quantity"]) != held.quantity - held.filled

    def _hear(self, held: Held, fact: bytes, now_ns: int) -> None:
        """A fact of the venue about an order: told unless it was told before."""
        row = np.frombuffer(fact, FACT_DTYPE)[0]
        kind = int(row["kind"])
        if held.is_done:
            return
        if kind == Kind.ORDER_ACCEPTED:
            if not held.is_accepted:
                self._tell(fact)
            return
        if not held.is_accepted and kind != Kind.ORDER_REJECTED:
            self._tell(make_fact(held, Kind.ORDER_ACCEPTED, now_ns, display=-1, cause=_cause_of(held.place)))
        if kind == Kind.ORDER_FILLED:
            if self.is_new_trade(held, row):
                self._tell(fact)
        elif kind == Kind.ORDER_TRIGGERED:
            if not held.is_triggered:
                self._tell(fact)
        elif kind == Kind.ORDER_AMENDED:
            self._hear_amended(held, fact, row)
        else:
            self._tell(fact)

    def is_new_trade(self, held: Held, row: np.void) -> bool:
        return int(row["trade_id"]) not in held.trades

    def _hear_amended(self, held: Held, fact: bytes, row: np.void) -> None:
        task = held.tasks[0] if held.tasks else None
        if row["cause"]:
            if task is not None and task.ask is Ask.AMEND and _cause_of(task.fact) == int(row["cause"]):
                self._age(held)
                self._tell(fact)
        elif (int(row["price"]), int(row["quantity"])) != (held.price, held.quantity):
            self._age(held)
            self._tell(fact)

    def on_event(self, event: VenueEvent, now_ns: int) -> list[Message]:
        """One fact of the account stream."""
        if not self.is_subscribed or event.stream != self.stream:
            if event.stream > self.stream:
                self._subscribe(now_ns)
            return self._flush(now_ns)
        if event.sequence <= self.stream_sequence:
            return []
        if event.sequence > self.stream_sequence + 1:
            self._subscribe(now_ns)
            return self._flush(now_ns)
        self.stream_sequence = event.sequence
        row = np.frombuffer(event.fact, FACT_DTYPE)[0]
        held = self.orders.get(int(row["id"]))
        if int(row["kind"]) in INCOME:
            self._hear_income(event.fact, now_ns)
        elif held is not None and held.is_stale:
            held.skipped += 1  # its trades have to come in their order: they are asked for
        elif held is not None:
            self._hear(held, event.fact, now_ns)
        return self._flush(now_ns)

    # What became of it

    def _on_status(self, held: Held, reply: VenueReply, now_ns: int) -> None:
        if reply.code == OK and reply.orders:
            if reply.request > held.old_upto:  # else it is asked again, where it still has to be
                self._converge(held, reply.orders[0], reply.venue_ns, now_ns)
        elif reply.code == UNKNOWN_ORDER and not held.is_accepted and held.tasks and held.tasks[0].ask is Ask.PLACE:
            self._not_found(held, reply, now_ns)
        elif reply.code == UNKNOWN_ORDER and held.is_accepted and reply.request > held.old_upto:
            self._forgotten(held, now_ns)

    def _forgotten(self, held: Held, now_ns: int) -> None:
        """The venue took it and knows it no more. Nothing is told of it, for nothing is known: it stays in our books, where the
        next round finds that it is in no other. A command that was on its way to it came too late.
        """
        task = held.tasks[0] if held.tasks else None
        if task is None:
            held.is_stale, held.ask_ns = False, 0
        elif task.timestamp_ns:
            self._tell(refusal(task, held, Reject.VENUE_ORDER_UNKNOWN, now_ns))
            self._ask_for(held, now_ns)

    def _not_found(self, held: Held, reply: VenueReply, now_ns: int) -> None:
        """A step towards the proof that an order is not there; without the venue's clock past its window it is none."""
        if self.may_be_absent(held, reply):
            held.proof = 1
            held.ask_ns = now_ns + self.timing.ask_again_ns + self.timing.reply_ns
            self.out.append(self._request(Ask.OPEN, held.client_id, now_ns))

    def may_be_absent(self, held: Held, reply: VenueReply) -> bool:
        return (
            self.capabilities.proves_absence
            and self.is_subscribed
            and reply.venue_ns > held.tasks[0].deadline_ns + self.capabilities.margin_ns
            and self.is_remembered(held, reply)
        )

    def is_remembered(self, held: Held, reply: VenueReply) -> bool:
        """Whether the venue would still tell of the order, however soon it had ended: not found may also mean forgotten."""
        taken_ns = held.tasks[0].timestamp_ns - self.capabilities.ahead_ns  # at the earliest
        return reply.forgotten_ns == 0 or reply.forgotten_ns < taken_ns

    def _on_open(self, held: Held, reply: VenueReply, now_ns: int) -> None:
        if reply.code != OK or held.proof != 1 or not held.is_unknown:
            return
        self.strangers.update(one.client_id for one in reply.orders if one.client_id not in self.orders)
        found = [one for one in reply.orders if one.client_id == held.client_id]
        if found:
            self._converge(held, found[0], reply.venue_ns, now_ns)
        else:
            held.proof = 2
            self.out.append(self._request(Ask.TRADES, held.client_id, now_ns, since_ns=held.tasks[0].timestamp_ns))

    def _on_trades(self, held: Held, reply: VenueReply, now_ns: int) -> None:
        if reply.code != OK:
            return
        facts = [reply.facts[at : at + FACT_BYTES] for at in range(0, len(reply.facts), FACT_BYTES)]
        for fact in facts:
            self._hear(held, fact, now_ns)
        if held.status is not None:
            status, held.status = held.status, None
            self._converge(held, status, reply.venue_ns, now_ns)
        elif held.proof == 2 and not facts and held.is_unknown and held.tasks:
            self._tell(refusal(held.tasks[0], held, Reject.VENUE_NOT_ACCEPTED, now_ns))

    def _converge(self, held: Held, status: OrderStatus, venue_ns: int, now_ns: int) -> None:
        """Tell what the order's status says and was not told yet."""
        held.proof, held.ask_ns = 0, 0
        if held.is_done and not held.tasks:
            return
        if not held.is_accepted and not held.is_done:
            self._tell(make_fact(held, Kind.ORDER_ACCEPTED, now_ns, display=-1, cause=_cause_of(held.place)))
        if status.is_triggered and not held.is_triggered and not held.is_done:
            self._tell(make_fact(held, Kind.ORDER_TRIGGERED, now_ns, quantity=held.quantity - held.filled, trigger=held.trigger))
        self._converge_change(held, status, venue_ns, now_ns)
        self._converge_terms(held, status, now_ns)
        if status.filled > held.filled:
            held.status = status
            held.ask_ns = now_ns + self.timing.reply_ns + self.timing.ask_again_ns
            self.out.append(self._request(Ask.TRADES, held.client_id, now_ns))
            return
        if held.skipped:
            self._ask_for(held, now_ns)
            return
        held.is_stale = False
        if not status.is_open and not held.is_done:
            self._tell(make_fact(held, Kind.ORDER_CANCELLED, now_ns, quantity=held.quantity - held.filled, reject=status.reject))
        self._converge_cancel(held, status, now_ns)

    def _converge_change(self, held: Held, status: OrderStatus, venue_ns: int, now_ns: int) -> None:
        """A change that was not answered is in the order's status, or, past its window, was never taken."""
        task = held.tasks[0] if held.tasks else None
        if task is None or task.ask is not Ask.AMEND or task.timestamp_ns == 0:
            return
        row = np.frombuffer(task.fact, FACT_DTYPE)[0]
        trigger = int(row["trigger"]) or status.trigger  # 0: as it is, and the venue moves one that follows the price
        is_as_asked = (status.price, status.trigger) == (int(row["price"]), trigger)
        # a venue makes orders smaller by itself and never larger: one that has grown was changed, and then made smaller
        is_size_asked = status.quantity == int(row["quantity"]) or held.quantity < status.quantity < int(row["quantity"])
        if is_as_asked and is_size_asked and not held.is_done:
            self._tell_terms(held, status, now_ns, cause=int(row["cause"]))
        elif held.is_done or not status.is_open or venue_ns > task.deadline_ns + self.capabilities.margin_ns:
            self._tell(refusal(task, held, Reject.VENUE_NOT_ACCEPTED, now_ns))
        else:
            held.ask_ns = now_ns + self.timing.ask_again_ns

    def _converge_terms(self, held: Held, status: OrderStatus, now_ns: int) -> None:
        """A venue makes an order smaller by itself, where it only reduces; that may have been missed."""
        is_asked = bool(held.tasks) and held.tasks[0].ask is Ask.AMEND and held.tasks[0].timestamp_ns > 0
        if not is_asked and not held.is_done and (status.price, status.quantity) != (held.price, held.quantity):
            self._tell_terms(held, status, now_ns, reject=int(Reject.VENUE_REDUCE_ONLY))

    def _tell_terms(self, held: Held, status: OrderStatus, now_ns: int, **slots: int) -> None:
        """That an order has the price, lots and trigger of its status."""
        terms = {"price": status.price, "quantity": status.quantity, "trigger": status.trigger}
        self._tell(make_fact(held, Kind.ORDER_AMENDED, now_ns, display=-1, **terms, **slots))

    def _converge_cancel(self, held: Held, status: OrderStatus, now_ns: int) -> None:
        """A cancel whose order is still open is sent again; one whose order has ended otherwise came too late."""
        task = held.tasks[0] if held.tasks else None
        if task is None or task.ask is not Ask.CANCEL or task.timestamp_ns == 0:
            return
        if held.is_done:
            self._tell(refusal(task, held, Reject.VENUE_ORDER_UNKNOWN, now_ns))
        elif status.is_open and not any(one.number == task.number for one in self.asked.values()):
            self._send_task(held, task, now_ns)


def _cause_of(fact: bytes) -> int:
    return int(np.frombuffer(fact, FACT_DTYPE)[0]["cause"])


assert REJECTED in Capabilities().definitive
