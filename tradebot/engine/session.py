"""An engine that survives: what it takes in is in its journal, with what came of it, before anybody hears of that.

One step of a session: facts arrive, are stamped and stepped; a frame with the facts, the timers among them and the outputs
goes into the journal; then, and only then, the commands are said to the gateway. A death before the frame leaves nothing
behind; after it, the next start finds the commands and says them, until the gateway has told that it has them. Answers come
numbered and are taken once, in order; how far they came stands in the frame that took them.

Start and recovery are one: the newest snapshot, then the frames after it. The same code steps them again and must come to the
same outputs and digest. Where strategies were edited since (`fingerprint`), what was recorded is folded without them
(`_core.fold`), a new epoch opens, and `on_start` sees the true positions and orders.

A session has no clock and does no IO of its own: it is told the time, and gives back what is to be sent.
"""

import sys
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Act, Flag, Kind
from tradebot.domain.errors import Diverged, LocalError, Refused
from tradebot.domain.frames import Frame, FrameKind, Journal
from tradebot.domain.links import AnswersTaken, BooksAsked, CommandsTaken, EngineUp, Fenced, GatewayUp, VenueBooks
from tradebot.domain.market import AccountFacts, Commands, MarketAsked, Records
from tradebot.domain.orders import OrderState, TradingState
from tradebot.domain.words import WHY_MAX, error_text, one_line
from tradebot.engine.plan import ACCOUNT, Plan, make_live
from tradebot.engine.reconciling import ASK_AGAIN_NS, IN_STEP_NS, WHO, WHY_AGREED, WHY_WAITING, Gate, Reconciling
from tradebot.feeds.hearing import Hearing
from tradebot.strategies.strategy import Strategy

VERSION: Final = 1
SEATS: Final = 12  # where a kernel's snapshot has its strategies: [is quarantined, State, bars] each
NOBODYS: Final = "nobody's"  # a fingerprint that no strategies have
FACT_BYTES: Final = FACT_DTYPE.itemsize
SLOT_BYTES: Final = RECORD_DTYPE.itemsize
FILLS: Final = (Kind.ORDER_FILLED, Kind.LIQUIDATED)
COMMANDS_MAX: Final = 256  # in one message
HOLE_NS: Final = 10_000_000  # after which answers are asked for again
NAME: Final = "engine"  # by which a feed knows whom to tell again, and who shuts out one whose State cannot be kept
LARGE_BYTES: Final = 4_096  # of a State, beyond which not every frame has it
LARGE_EVERY_NS: Final = 1_000_000_000
KEEPER: Final = "root"  # who shuts strategies out
SAY_AGAIN_NS: Final = 500_000_000  # after which commands that the gateway has not taken are said again

Message = Commands | AnswersTaken | EngineUp | BooksAsked | MarketAsked


class Note(Struct, frozen=True, omit_defaults=True):
    """What a frame holds beside facts and outputs. `fingerprint` and `anew` are of a frame that opens an epoch; `answers` is
    the last answer taken; `refused` are answers that could not be taken in, with the reason; `who` and `why` are of a control.
    `is_gate`: the control holds trading shut until the books are compared, and is nobody's wish. `stream` and `heard` are how far
    the feed was heard, 0 where it was not heard now. `states` are the States of strategies, by number, that have changed with
    this frame, `given` those that strategies began with that begin anew.
    """

    fingerprint: str = ""
    anew: bool = False
    answers: int = 0
    refused: list[tuple[int, str, bytes]] = []
    who: str = ""
    why: str = ""
    is_gate: bool = False
    stream: int = 0
    heard: int = 0
    states: list[tuple[int, bytes]] = []
    given: list[tuple[int, bytes]] = []


class ShutOut(Struct, frozen=True):
    """Strategies that a start quarantines before anything else, because callbacks of theirs ended the engine or never returned.
    `is_folded`: while it recovered, so that what was recorded must be taken in without any strategy.
    """

    strategies: list[int]
    why: str
    is_folded: bool = False


class Saved(Struct, frozen=True, array_like=True):
    """A snapshot of a session. `waiting` are the commands that the gateway had not taken; `wanted` is the trading state once the
    books agree, -1 where it is the kernel's.
    """

    version: int
    fingerprint: str
    epoch: int
    answers_taken: int
    commands: int
    waiting: list[tuple[int, bytes]]
    kernel: list[Any]
    wanted: int = -1
    stream: int = 0
    heard: int = 0


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")


class Session:
    """One engine over one account, from `open_session`.

    `refused` are answers that could not be taken in: trading is halted then, because our books and the venue's differ. `unusable`
    are messages of the feed that are none of this run, with the reason. `states` is the State of each strategy as the journal has
    it, `not_taken_over` whose State does not fit its edited code, and why, `unkept` who is quarantined because its State could
    not be kept.
    `is_fenced`: another engine holds the account, and this one has to stop.
    """

    def __init__(
        self, plan: Plan, strategies: Sequence[Strategy], journal: Journal, fingerprint: str, epoch: int, reconcile_ns: int = 0
    ) -> None:
        self.plan = plan
        self.reconciling = Reconciling(reconcile_ns, epoch)
        self.hearing = Hearing(NAME)
        self.unusable: list[tuple[int, str]] = []
        self.strategies = list(strategies)
        self.states: dict[int, bytes] = {}
        self.unkept: dict[int, str] = {}
        self.states_ns = 0
        self.not_taken_over: list[tuple[int, str]] = []
        self.calls: npt.NDArray[np.uint64] | None = None
        self.live = make_live(plan, strategies)
        self.journal = journal
        self.fingerprint = fingerprint
        self.epoch = epoch
        self.answers_taken = 0
        self.commands = 0
        self.commands_taken = 0
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.said_ns = self.missed_ns = 0
        self.refused: list[tuple[int, str, bytes]] = []
        self.is_fenced = False
        self.wanted = self.live.kernel.trading_state

    @property
    def next_due_ns(self) -> int:
        """When `on_clock` has something to do next; 2**63 - 1 where never."""
        times = [self.live.kernel.next_timer_ns]
        if self.waiting:
            times.append(self.said_ns + SAY_AGAIN_NS)
        if self.reconciling.interval_ns:
            times.append(self.reconciling.due_ns)
        return min(times)

    def begin(self, now_ns: int, anew: bool, shut: ShutOut | None = None) -> list[Message]:
        """Open this start's epoch, and ask the gateway where it stands. Entries wait until the books are compared.

        Who is shut out stands in the frame of the epoch: what is folded up to it must not reach beyond it.
        """
        is_gated = self.reconciling.gate is Gate.WAITING and self.live.kernel.trading_state == TradingState.ACTIVE
        for number in () if shut is None else shut.strategies:  # as of the last fact, before any timer that came due since
            self.live.arrive(_control(Kind.OPERATOR_ACT, int(Act.QUARANTINE), number, self.live.kernel.time_ns))
        if is_gated:  # after a while in which nobody ran, before the timers that came due in it, too
            at_ns = self.live.kernel.time_ns if self.live.is_late(now_ns) else now_ns
            self.live.arrive(_control(Kind.TRADING_STATE_CHANGED, int(TradingState.HALTED), 65_535, at_ns))
        given = self.give_states() if anew else []
        self.live.begin(self.epoch, now_ns, anew)
        who, why = (WHO, WHY_WAITING) if is_gated else ("", "")
        if shut is not None:
            who, why = KEEPER, shut.why
        note = Note(fingerprint=self.fingerprint, anew=anew, who=who, why=why, is_gate=is_gated, given=given)
        return [*self.commit(note), self.up(), *([self.hearing.asked()] if self.hearing.stream else [])]

    def give_states(self) -> list[tuple[int, bytes]]:
        """Strategies that begin anew go on with their State, where it fits their code as it is now."""
        given = []
        for number, strategy in enumerate(self.strategies):
            body, fresh = self.states.get(number), strategy.save_state()
            if body is None:
                continue
            try:
                strategy.load_state(body)
                given.append((number, body))
            except (msgspec.MsgspecError, ValueError, AssertionError) as error:
                strategy.load_state(fresh)
                self.not_taken_over.append((number, error_text(error)))
        return given

    def changed_states(self) -> list[tuple[int, bytes]]:
        """What has changed since the last frame, which is the last of it from now on. A large one is written now and then only:
        a snapshot, as a stop keeps it, has it whole.
        """
        now = {number: self.state_of(number) for number in range(len(self.strategies))}
        found = [(number, body) for number, body in now.items() if body is not None and body != self.states.get(number)]
        is_due = self.live.kernel.time_ns >= self.states_ns + LARGE_EVERY_NS
        changed = [(number, body) for number, body in found if is_due or len(body) <= LARGE_BYTES]
        if is_due and found:
            self.states_ns = self.live.kernel.time_ns
        self.states.update(changed)
        return changed

    def state_of(self, number: int) -> bytes | None:
        """The State of a strategy; None of one whose State could not be kept, or not be taken back, and that is noted: it is to
        be quarantined, for no start could go on from it.
        """
        if number in self.unkept:
            return None
        strategy = self.strategies[number]
        try:
            body = strategy.save_state()
            if body != self.states.get(number):
                strategy.check_state(body)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
            self.unkept[number] = f"its State cannot be kept: {error_text(error)}"
            return None
        return body

    def shut_unkept(self) -> list[Message]:
        """Quarantine those whose State cannot be kept, each by a fact with its reason."""
        kernel, said = self.live.kernel, list[Message]()
        for number in [one for one in self.unkept if one not in kernel.quarantined]:
            said += self.control(Kind.OPERATOR_ACT, int(Act.QUARANTINE), number, kernel.time_ns, NAME, self.unkept[number])
        return said

    def up(self) -> EngineUp:
        return EngineUp(VERSION, ACCOUNT, self.epoch, self.answers_taken)

    def on_records(self, messages: Iterable[Records], now_ns: int) -> list[Message]:
        """What a feed tells: each message once and in order; what was lost is asked for. In the place of a message that is none
        of this run a gap is taken, and it is told in `unusable`: told again it would be no better.
        """
        taken = [one for one in messages if self.hearing.take(one)]
        try:
            found = self.on_market(b"".join([one.data for one in taken]), self.heard()) if taken else []
        except ValueError:
            found = [said for one in taken for said in self.on_one(one, now_ns)]
        asked = self.hearing.ask(now_ns)
        return found if asked is None else [*found, asked]

    def on_one(self, message: Records, now_ns: int) -> list[Message]:
        try:
            return self.on_market(message.data, self.heard())
        except ValueError as error:
            self.unusable.append((message.sequence, str(error)))
            return self.on_market(gaps_of(self.plan, now_ns), self.heard())

    def heard(self) -> Note | None:
        """How far the feed was heard, for the frame of what it told."""
        return Note(stream=self.hearing.stream, heard=self.hearing.sequence) if self.hearing.stream else None

    def on_market(self, data: bytes, note: Note | None = None) -> list[Message]:
        """Market facts as they arrived: whole records. Raises ValueError, and takes none of them, where one is none of this
        run.
        """
        self.live.arrive(data)
        return self.commit(note)

    def on_clock(self, now_ns: int) -> list[Message]:
        """Time has come to `now_ns`: timers fire, and what was not heard is said again."""
        self.live.fire(now_ns)
        found = self.commit()
        if self.waiting and now_ns >= self.said_ns + SAY_AGAIN_NS:
            found += [self.up(), *self.say(now_ns)]
        if self.reconciling.is_due(now_ns):
            found.append(self.ask_for_books(now_ns))
        return found

    def ask_for_books(self, now_ns: int) -> BooksAsked:
        self.reconciling.due_ns = now_ns + ASK_AGAIN_NS
        return BooksAsked(VERSION, ACCOUNT, self.epoch, self.reconciling.number, self.reconciling.since_ns)

    def on_books(self, books: VenueBooks, now_ns: int) -> list[Message]:
        """Compare three books, if they are of one instant; open or shut the gate by what is found."""
        if books.round != self.reconciling.number:
            return []
        busy = self.busy_orders(books)
        if books.answers != self.answers_taken or (busy and self.reconciling.gate is not Gate.OPEN):
            self.reconciling.number += 1  # something was under way between us
            self.reconciling.due_ns = now_ns + IN_STEP_NS
            return []
        self.reconciling.compare(self.plan, self.live.kernel, books, busy, now_ns)
        if self.reconciling.must_shut:
            self.reconciling.gate = Gate.SHUT
            return self.change_state(TradingState.HALTED, now_ns, WHO, self.reconciling.why_shut())
        if self.reconciling.differences or self.reconciling.gate is Gate.OPEN:
            return []
        self.reconciling.gate = Gate.OPEN
        if self.live.kernel.trading_state == self.wanted:
            return []
        return self.change_state(TradingState(self.wanted), now_ns, WHO, WHY_AGREED)

    def on_answers(self, message: AccountFacts, now_ns: int) -> list[Message]:
        """Answers of the gateway, numbered from `message.sequence`; those that were taken already, or that do not follow, are
        left.
        """
        facts = [message.data[at : at + FACT_BYTES] for at in range(0, len(message.data), FACT_BYTES)]
        refused = []
        before = self.answers_taken
        for number, fact in enumerate(facts, message.sequence):
            if number != self.answers_taken + 1:
                continue
            fact = now_ns.to_bytes(8, "little") + fact[8:]  # when we heard of it; its `venue_ns` says when it happened
            why = self.live.why_refused(fact)
            if why is None:
                self.live.arrive(fact)
                self.note_fill(fact)
            else:
                refused.append((number, why, fact))
            self.answers_taken = number
        found: list[Message] = []
        if self.answers_taken > before:
            if refused:
                self.halt()
                self.refused += refused
            found = self.commit(Note(answers=self.answers_taken, refused=refused))
        if message.sequence > self.answers_taken + 1 and now_ns >= self.missed_ns + HOLE_NS:
            self.missed_ns = now_ns
            return [*found, self.up()]  # one was lost or overtaken: the gateway says them again
        return [*found, AnswersTaken(VERSION, ACCOUNT, self.epoch, self.answers_taken)]

    def note_fill(self, fact: bytes) -> None:
        if fact[_KIND_AT] in FILLS:
            row = np.frombuffer(fact, FACT_DTYPE)[0]
            lots = int(row["quantity"]) * (-1 if row["flags"] & Flag.SELL else 1)
            self.reconciling.note_fill(int(row["trade_id"]), int(row["id"]), lots, int(row["price"]), int(row["venue_ns"]))

    def busy_orders(self, books: VenueBooks) -> frozenset[int]:
        """Orders with a command under way: at the gateway, or, where it has not all of ours, between it and us."""
        busy = set(books.busy)
        if self.waiting or books.commands != self.commands:
            busy |= {row[0] for row in self.live.kernel.open_orders() if row[11] != OrderState.OPEN}
        return frozenset(busy)

    def on_commands_taken(self, message: CommandsTaken) -> list[Message]:
        """The gateway has these; nobody says them again."""
        self.commands_taken = max(self.commands_taken, message.upto)
        while self.waiting and self.waiting[0][0] <= message.upto:
            self.waiting.popleft()
        return []

    def on_gateway_up(self, message: GatewayUp, now_ns: int) -> list[Message]:
        """Say what the gateway does not have."""
        if message.commands_taken > self.commands:
            raise LocalError(
                f"expected a gateway that has at most command {self.commands}, found one that has {message.commands_taken}: the "
                "engine's journal is not the one that these commands came from; put the right journal back"
            )
        self.on_commands_taken(CommandsTaken(VERSION, ACCOUNT, message.commands_taken))
        return self.say(now_ns)

    def on_fenced(self, message: Fenced) -> list[Message]:
        self.is_fenced = self.is_fenced or message.lease > self.epoch
        return []

    def set_trading_state(self, state: TradingState, now_ns: int, who: str, why: str) -> list[Message]:
        """An operator opens, reduces or halts trading. Raises Refused where it is to be opened and the books do not agree."""
        if state is TradingState.ACTIVE and self.reconciling.gate is not Gate.OPEN:
            found = self.reconciling.why_shut() or WHY_WAITING
            raise Refused(f"expected books that agree before trading opens, found: {found}; see `tradebot reconcile`")
        return self.change_state(state, now_ns, who, why)

    def change_state(self, state: TradingState, now_ns: int, who: str, why: str) -> list[Message]:
        self.wanted = int(state)
        return self.control(Kind.TRADING_STATE_CHANGED, int(state), 65_535, now_ns, who, why)

    def act(self, act: Act, now_ns: int, who: str, why: str, strategy: int = 65_535) -> list[Message]:
        """An operator has orders cancelled, or positions closed; of all strategies where none is named."""
        return self.control(Kind.OPERATOR_ACT, int(act), strategy, now_ns, who, why)

    def control(self, kind: Kind, id_: int, owner: int, now_ns: int, who: str, why: str) -> list[Message]:
        self.live.arrive(_control(kind, id_, owner, now_ns))
        return self.commit(Note(who=one_line(who), why=one_line(why, WHY_MAX)))

    def halt(self) -> None:
        self.wanted = int(TradingState.HALTED)
        self.live.arrive(_control(Kind.TRADING_STATE_CHANGED, int(TradingState.HALTED), 65_535, self.live.kernel.time_ns))

    def commit(self, note: Note | None = None) -> list[Message]:
        """Write down what was taken in and what came of it; then say the commands."""
        kernel = self.live.kernel
        count, facts, outputs = self.live.take()
        if not count:
            assert not outputs and note is None, "a frame has a fact: by it a snapshot knows what came after"
            return []
        commands = commands_of(outputs)
        if changed := self.changed_states():
            note = Note(states=changed) if note is None else msgspec.structs.replace(note, states=changed)
        frame = Frame(
            FrameKind.FACTS,
            self.epoch,
            kernel.sequence - count,
            count,
            kernel.time_ns,
            kernel.digest_text,
            facts,
            outputs,
            b"" if note is None else _encoder.encode(note),
        )
        is_of_orders = bool(commands) or (note is not None and bool(note.answers or note.who or note.fingerprint))
        self.journal.append(frame, must_sync=is_of_orders)  # market facts alone are told again, or are a gap
        return [*self.told(commands), *self.shut_unkept()]

    def told(self, commands: list[bytes]) -> list[Message]:
        """What is said of commands that are written down."""
        first = self.commands + 1
        self.number(commands)
        if not commands:
            return []
        if self.waiting[0][0] == first:
            self.said_ns = self.live.kernel.time_ns
        return self.messages(first)

    def number(self, commands: list[bytes]) -> None:
        for command in commands:
            self.commands += 1
            self.waiting.append((self.commands, command))

    def say(self, now_ns: int) -> list[Message]:
        """All commands that the gateway has not taken."""
        self.said_ns = now_ns
        return self.messages(self.waiting[0][0]) if self.waiting else []

    def messages(self, first: int) -> list[Message]:
        """The waiting commands from number `first` on."""
        bodies = [body for number, body in self.waiting if number >= first]
        return [
            Commands(VERSION, first + at, ACCOUNT, self.epoch, b"".join(bodies[at : at + COMMANDS_MAX]))
            for at in range(0, len(bodies), COMMANDS_MAX)
        ]

    def save(self) -> None:
        """Keep a snapshot, so that a start need not go further back. Between two steps."""
        kernel = self.live.kernel
        saved = Saved(
            VERSION, self.fingerprint, self.epoch, self.answers_taken, self.commands, list(self.waiting), kernel.snapshot(),
            self.wanted, self.hearing.stream, self.hearing.sequence,
        )  # fmt: skip
        self.journal.save_snapshot(kernel.sequence, kernel.digest_text, _encoder.encode(saved))

    def restore(self, saved: Saved, books_only: bool) -> None:
        if books_only:
            self.live.kernel.restore_books(saved.kernel)
        else:
            self.live.kernel.restore(saved.kernel)
            self.live.resume()
        self.answers_taken, self.commands = saved.answers_taken, saved.commands
        self.states = {number: seat[1] for number, seat in enumerate(saved.kernel[SEATS]) if seat[1] is not None}
        self.wanted = self.live.kernel.trading_state if saved.wanted < 0 else saved.wanted
        self.reconciling.since_ns = self.live.kernel.time_ns  # fills before it are in the snapshot, and not among the frames
        self.waiting = deque(saved.waiting)
        self.hearing.stand_at(saved.stream, saved.heard)

    def take_again(self, frame: Frame, is_folded: bool) -> None:
        """One frame of the journal: stepped again, or folded. Raises Diverged where it comes to something else than was
        written.
        """
        note = note_of(frame)
        if is_folded:
            self.live.fold(frame.facts, frame.outputs)
        else:
            for number, body in note.given:
                self.strategies[number].load_state(body)
            self.live.replay(frame.facts)
            _, _, outputs = self.live.take()
            if outputs != frame.outputs:
                raise Diverged(_difference(frame, outputs))
        if self.live.kernel.digest_text != frame.digest:
            raise Diverged(
                f"expected digest {frame.digest} after fact {frame.end_sequence}, found {self.live.kernel.digest_text}: the "
                "journal was written by other code or on another kind of machine; start with the version that wrote it"
            )
        self.number(commands_of(frame.outputs))
        self.states.update(note.states)
        self.answers_taken = max(self.answers_taken, note.answers)
        self.refused += note.refused
        if (note.who or note.refused) and not note.is_gate and changes_state(frame.facts):
            self.wanted = self.live.kernel.trading_state  # an act, or whoever is shut out, says nothing of it
        if note.stream:
            self.hearing.stand_at(note.stream, note.heard)
        if note.answers:
            for fact in answers_in(frame.facts):
                self.note_fill(fact)


def open_session(
    plan: Plan,
    strategies: Sequence[Strategy],
    journal: Journal,
    fingerprint: str,
    epoch: int,
    now_ns: int,
    reconcile_ns: int = 0,
    shut: ShutOut | None = None,
    calls: npt.NDArray[np.uint64] | None = None,
) -> tuple[Session, list[Message]]:
    """Start an engine on its journal, whatever is in it; returns it with what it has to say.

    `fingerprint` names code and parameters of the strategies; `epoch` is larger than that of any start before; books are
    compared every `reconcile_ns`, never where it is 0; in `calls` the kernel says whose callback runs. Raises LocalError where
    the journal does not replay.
    """
    session = Session(plan, strategies, journal, fingerprint, epoch, reconcile_ns)
    session.calls = calls
    if calls is not None:
        session.live.kernel.mark_calls(calls)
    found = journal.newest_snapshot()
    saved = None if found is None else msgspec.msgpack.decode(found.data, type=Saved)
    start = 0 if found is None else found.sequence
    frames = [frame for frame in journal.frames(start) if frame.base_sequence >= start and frame.kind == FrameKind.FACTS]
    recover(session, frames, saved, is_folded=shut is not None and shut.is_folded)
    if shut is not None and shut.is_folded:
        shut = msgspec.structs.replace(shut, strategies=sorted({*shut.strategies, *shut_before(frames, saved, fingerprint)}))
    is_new = saved is None and not frames
    return session, session.begin(now_ns, is_new or not session.live.started, shut)


def shut_before(frames: Iterable[Frame], saved: Saved | None, fingerprint: str) -> set[int]:
    """Strategies that stood quarantined at the end, by the code as it is: that another one is shut out now does not mend them."""
    found = {number for number, seat in enumerate(saved.kernel[SEATS]) if seat[0]} if saved is not None else set()
    last = fingerprint if saved is None else saved.fingerprint
    for frame in frames:
        note = note_of(frame)
        if note.fingerprint:
            last, found = note.fingerprint, set() if note.anew else found
        rows = np.frombuffer(frame.outputs, FACT_DTYPE)
        found |= {int(one) for one in rows["owner"][rows["kind"] == Kind.STRATEGY_QUARANTINED]}
    return found if last == fingerprint else set()


def recover(session: Session, frames: Iterable[Frame], saved: Saved | None = None, is_folded: bool = False) -> int:
    """Bring a new session to where the frames end, which are gone through twice; how many of them were folded, which are all
    where `is_folded` says so.

    A start and a replay are this same function: a replay is one without a snapshot and without a journal to write on. Raises
    Diverged.
    """
    first = first_replayed(frames, NOBODYS if is_folded else session.fingerprint, saved)
    if saved is not None:
        session.restore(saved, books_only=is_folded or first != 0 or saved.fingerprint != session.fingerprint)
    for at, frame in enumerate(frames):
        session.take_again(frame, is_folded=at < first)
        if session.calls is not None:
            session.calls[1] = frame.end_sequence  # by it the root sees that a start gets on
    return first


def first_replayed(frames: Iterable[Frame], fingerprint: str, saved: Saved | None) -> int:
    """The first of the frames that the strategies of `fingerprint` themselves wrote, up to the end; all before it are folded.

    That is where they last began anew, or the start where they had begun before it.
    """
    first, count = 0 if saved is not None and saved.fingerprint == fingerprint else sys.maxsize, 0
    for at, frame in enumerate(frames):
        count = at + 1
        note = note_of(frame)
        if note.fingerprint and note.fingerprint != fingerprint:
            first = sys.maxsize
        elif note.fingerprint and note.anew:
            first = at
    return min(first, count)


def gaps_of(plan: Plan, now_ns: int) -> bytes:
    """A GAP fact for each instrument: nothing that was known of its book holds any more."""
    found = np.zeros(len(plan.instruments), RECORD_DTYPE)
    found["kind"], found["instrument"] = Kind.GAP, [one.id for one in plan.instruments]
    found["time_ns"] = found["venue_ns"] = now_ns
    return found.tobytes()


def note_of(frame: Frame) -> Note:
    """The note of a frame; one that says nothing where it has none."""
    return msgspec.msgpack.decode(frame.body, type=Note) if frame.body else Note()


def commands_of(outputs: bytes) -> list[bytes]:
    """The commands among outputs: what is for the gateway."""
    facts = [outputs[at : at + FACT_BYTES] for at in range(0, len(outputs), FACT_BYTES)]
    return [fact for fact in facts if _kind(fact) >= Kind.PLACE_ORDER]


def answers_in(slots: bytes) -> list[bytes]:
    """The account facts among the facts of a frame."""
    found, at = [], 0
    while at < len(slots):
        size = FACT_BYTES if Kind.ORDER_ACCEPTED <= slots[at + _KIND_AT] <= Kind.LIQUIDATED else SLOT_BYTES
        if size == FACT_BYTES:
            found.append(slots[at : at + size])
        at += size
    return found


_KIND_AT: Final = FACT_DTYPE.fields["kind"][1]  # type: ignore[index]


def changes_state(slots: bytes) -> bool:
    """Whether trading was opened, reduced or halted among these facts."""
    return bool((np.frombuffer(slots, RECORD_DTYPE)["kind"] == Kind.TRADING_STATE_CHANGED).any())


def _kind(fact: bytes) -> int:
    return fact[_KIND_AT]


def _control(kind: Kind, id_: int, owner: int, now_ns: int) -> bytes:
    record = np.zeros(1, RECORD_DTYPE)
    record["kind"], record["id"], record["owner"], record["time_ns"] = kind, id_, owner, now_ns
    return record.tobytes()


def _difference(frame: Frame, outputs: bytes) -> str:
    """The first output that differs, in words."""
    expected = [frame.outputs[at : at + FACT_BYTES] for at in range(0, len(frame.outputs), FACT_BYTES)]
    found = [outputs[at : at + FACT_BYTES] for at in range(0, len(outputs), FACT_BYTES)]
    at = next(
        (at for at, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]), min(len(expected), len(found))
    )
    return (
        f"expected output {at} of the frame after fact {frame.base_sequence} to be {_named(expected, at)}, found "
        f"{_named(found, at)}: the strategies, or a library that they use, are not those that wrote the journal"
    )


def _named(facts: list[bytes], at: int) -> str:
    if at >= len(facts):
        return "none"
    fact = np.frombuffer(facts[at], FACT_DTYPE)[0]
    return f"{Kind(int(fact['kind'])).name.lower()} of order {fact['id']} ({fact['quantity']} lots at {fact['price']} ticks)"
