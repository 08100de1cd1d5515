"""The gateway: it tries each command at a venue once, and never guesses what became of it.

One command of an order is at work at a time. Before a command is sent, an `Attempt` is in the log; what is heard is in the log
before the engine is told, numbered, and said again until the engine has it. So whatever dies, a start knows what was tried: an
attempt without an answer is *unknown*, and counts at the engine as if it were open, for there it still is.

What became of a command that was not answered is found out, by asking the venue for its order (`convergence`). At a venue that
cannot prove absence the order stays unknown until an operator speaks.

The account stream is numbered. A hole, or a new stream, means that something was missed: the gateway subscribes again and asks
for the status of every order that is not done.

No clock, no IO: the gateway is told the time, and gives back what is to be sent, `VenueRequest` to the venue and the rest to
the engine.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, Kind, Reject
from tradebot.domain.frames import Journal
from tradebot.domain.links import AnswersTaken, BooksAsked, CommandsTaken, EngineUp, Fenced, GatewayUp, VenueBooks
from tradebot.domain.market import AccountFacts, Commands
from tradebot.domain.orders import OrderFlag
from tradebot.domain.venue import OK, REJECTED, UNKNOWN_ORDER, Ask, Capabilities, VenueEvent, VenueReply, VenueRequest
from tradebot.execution import income
from tradebot.execution.answers import Answers
from tradebot.execution.book_round import ROUND, BookRound
from tradebot.execution.convergence import Convergence, SendAgain, Step
from tradebot.execution.held import FACT_BYTES, Held, Task, accepted, cause_of, ends_task, hold, refusal, take
from tradebot.execution.income import Income
from tradebot.execution.order_log import Answered, Attempt, Leased, OrderLog
from tradebot.execution.taken_commands import TakenCommands
from tradebot.execution.timing import Timing

VERSION: Final = 1
_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")

Message = VenueRequest | CommandsTaken | AccountFacts | GatewayUp | Fenced | VenueBooks


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

    converges: type[Convergence] = Convergence

    def __init__(self, journal: Journal, capabilities: Capabilities, account: int, timing: Timing | None = None) -> None:
        self.log = OrderLog(journal)
        self.capabilities = capabilities
        self.account = account
        self.timing = timing or Timing()
        self.convergence = self.converges(self.capabilities, self.timing)
        self.lease = 0
        self.orders: dict[int, Held] = {}
        self.commands = TakenCommands()
        self.answers = Answers(account)
        self.income = Income()
        self.missed_ns = self.check_ns = 0
        self.asked: dict[int, Asked] = {}
        self.request_next = 1
        self.stream = 0
        self.stream_sequence = 0
        self.is_subscribed = False
        self.strangers: set[int] = set()
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
        self.out.append(GatewayUp(VERSION, self.account, self.commands.upto))
        self._subscribe(now_ns)
        return self._flush(now_ns)

    def save(self) -> None:
        """Keep a snapshot, so that a start need not read all of the log. Between two calls."""
        assert not self.telling and not self.ended
        saved = Saved(
            VERSION,
            self.lease,
            self.commands.upto,
            sorted(self.commands.done),
            self.answers.first,
            list(self.answers.waiting),
            self.income.upto,
            [
                msgspec.structs.replace(held, tasks=[one for one in held.tasks if one.timestamp_ns])
                for held in self.orders.values()
            ],
        )
        self.log.save(_encoder.encode(saved))

    def _restore(self, saved: Saved) -> None:
        """What waits behind other commands is not kept: the engine says it again."""
        self.lease = saved.lease
        self.commands = TakenCommands(saved.commands_taken, saved.done)
        self.answers = Answers(self.account, saved.answer_first, saved.answers)
        self.income = Income(saved.income)
        self.orders = {held.client_id: held for held in saved.orders}

    def _take_entry(self, entry: Attempt | Answered | Leased) -> None:
        if isinstance(entry, Leased):
            self.lease = entry.lease
        elif isinstance(entry, Attempt):
            held = self.orders.get(entry.client_id) or self.orders.setdefault(entry.client_id, hold(entry.fact))
            held.tasks.append(Task(entry.number, entry.ask, entry.fact, entry.timestamp_ns, entry.window_ns))
            self.commands.settle(entry.number)
        else:
            for number in entry.ended:
                self.commands.settle(number)
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
            times.append(self.answers.said_ns + self.timing.say_again_ns)
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
            self.answers.forget(message.upto)
        elif isinstance(message, BooksAsked):
            self._on_books_asked(message)
        else:
            self.answers.forget(message.answers_taken)
            self.out.append(GatewayUp(VERSION, self.account, self.commands.upto))
            self.out += self.answers.say_again(now_ns)
        return self._flush(now_ns)

    def _on_commands(self, message: Commands, now_ns: int) -> None:
        """Take each command once. They come in order; one that leaves a hole is left until the hole is filled."""
        for at in range(0, len(message.data), FACT_BYTES):
            number, fact = message.sequence + at // FACT_BYTES, message.data[at : at + FACT_BYTES]
            if not self.commands.has(number - 1):
                self._ask_for_commands(now_ns)
                break
            if not self.commands.has(number):
                self._take_command(number, fact, now_ns)
        self.out.append(CommandsTaken(VERSION, self.account, self.commands.upto))

    def _ask_for_commands(self, now_ns: int) -> None:
        """One was lost or overtaken: have the engine say them again, not more often than it takes to hear them."""
        if now_ns >= self.missed_ns + self.timing.hole_ns:
            self.missed_ns = now_ns
            self.out.append(GatewayUp(VERSION, self.account, self.commands.upto))

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
            self.commands.queued.add(number)

    def _begin(self, held: Held, now_ns: int) -> None:
        """Try the first command of an order that was not tried yet."""
        while held.tasks and held.tasks[0].timestamp_ns == 0:
            task = held.tasks[0]
            self.commands.queued.discard(task.number)
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
        self.commands.settle(task.number)
        if task.ask is Ask.AMEND:
            self._age(held)
        self._send_task(held, task, now_ns)

    def _send_task(self, held: Held, task: Task, now_ns: int) -> None:
        request = self._request(task.ask, held.client_id, now_ns, number=task.number, fact=task.fact)
        self.out.append(request)

    def _end(self, task: Task, held: Held, reject: int, now_ns: int) -> None:
        """A command ends without having been tried."""
        self.ended.append(task.number)
        self.commands.settle(task.number)
        self._tell(refusal(task, held, reject, now_ns))

    # The round through the books

    def _on_books_asked(self, message: BooksAsked) -> None:
        if self.round is None or self.round.number < message.round:
            self.round = BookRound(message.round, message.since_ns)

    @property
    def has_told_all(self) -> bool:
        """What the stream has said up to `stream_sequence` is told; nothing of it waits for trades that were missed."""
        if not self.is_subscribed or self.income.is_stale or self.telling or self.ended:
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
        self.out.append(found.books(self.account, self.answers.next - 1, self.commands.upto, self.orders.values()))
        self.round = None

    # Telling

    def _tell(self, fact: bytes) -> None:
        """Have the engine told of this, once it is in the log; of the order it is noted now."""
        self.telling.append(fact)
        self._note_order(fact)

    def _note(self, fact: bytes) -> None:
        """What was told, as read from the log."""
        self.answers.note(fact)
        self._note_order(fact)

    def _note_order(self, fact: bytes) -> None:
        row = np.frombuffer(fact, FACT_DTYPE)[0]
        if int(row["kind"]) in income.KINDS:
            self.income.upto = int(row["venue_sequence"])
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
        facts, ended, self.telling, self.ended = self.telling, self.ended, [], []
        self.log.write(Answered(self.answers.next, b"".join(facts), ended), now_ns)
        self.out += self.answers.add(facts, now_ns)

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
        if self.answers and now_ns >= self.answers.said_ns + self.timing.say_again_ns:
            self.out += self.answers.say_again(now_ns)
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
                self._do(held, self.convergence.on_status(held, reply, self.is_subscribed, now_ns), now_ns)
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
        self.income.missed()
        self._request_income(now_ns)

    def _request_income(self, now_ns: int) -> None:
        if not any(one.ask is Ask.INCOME for one in self.asked.values()):
            self.out.append(self._request(Ask.INCOME, 0, now_ns, after=self.income.upto))

    def _hear_income(self, fact: bytes, now_ns: int) -> None:
        if self.income.hear(fact):
            self._tell(fact)
        elif self.income.is_stale:
            self._request_income(now_ns)

    def _on_income(self, reply: VenueReply, now_ns: int) -> None:
        for fact in self.income.new_of(reply.facts):
            self._tell(fact)
        if not self.income.caught_up(reply.code == OK):
            self._ask_for_income(now_ns)

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
            self._tell(accepted(held, now_ns))
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
            if task is not None and task.ask is Ask.AMEND and cause_of(task.fact) == int(row["cause"]):
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
        if int(row["kind"]) in income.KINDS:
            self._hear_income(event.fact, now_ns)
        elif held is not None and held.is_stale:
            held.skipped += 1  # its trades have to come in their order: they are asked for
        elif held is not None:
            self._hear(held, event.fact, now_ns)
        return self._flush(now_ns)

    # What became of it

    def _on_open(self, held: Held, reply: VenueReply, now_ns: int) -> None:
        if reply.code == OK and held.proof == 1 and held.is_unknown:
            self.strangers.update(one.client_id for one in reply.orders if one.client_id not in self.orders)
            self._do(held, self.convergence.on_open(held, reply, now_ns), now_ns)

    def _on_trades(self, held: Held, reply: VenueReply, now_ns: int) -> None:
        if reply.code == OK:
            for at in range(0, len(reply.facts), FACT_BYTES):
                self._hear(held, reply.facts[at : at + FACT_BYTES], now_ns)
            self._do(held, self.convergence.on_trades(held, reply, now_ns), now_ns)

    def _do(self, held: Held, steps: Iterable[Step], now_ns: int) -> None:
        """Each before the next is asked for."""
        for step in steps:
            if isinstance(step, bytes):
                self._tell(step)
            elif isinstance(step, SendAgain):
                self._send_again(held, step.task, now_ns)
            elif step.ask is Ask.QUERY:
                self._ask_for(held, now_ns)
            else:
                self.out.append(self._request(step.ask, held.client_id, now_ns, since_ns=step.since_ns))

    def _send_again(self, held: Held, task: Task, now_ns: int) -> None:
        if not any(one.number == task.number for one in self.asked.values()):
            self._send_task(held, task, now_ns)


assert REJECTED in Capabilities().definitive
