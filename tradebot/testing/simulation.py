"""A whole node on one thread: engine, gateway and paper venue, in virtual time, over connections that lose, double, delay and
reorder, with a death at any step.

Everything that happens comes from one seed, which a failure names: the same seed does it again. The behaviours are those that a
node runs; only what they are told comes from here: the time, the messages, and a journal in memory that keeps what `append`
returned from, as a page cache does when a process is killed.

Who died is started again by a supervisor as a real node has it. A step of an actor is cut at its marks: before and after each
write into a journal, before and after each message that it sends. A death there loses what the actor held in memory and nothing
else. At the end the faults stop, trading is halted, open orders are cancelled, and when all is quiet the judge compares: the
venue's ledger and orders with the engine's, and the strategy's own count of what was filled with the venue's trades.
"""

import heapq
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from math import floor
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Act, Kind, Reject
from tradebot.actors.child_spec import KILLED, Backoff, ChildSpec, SupervisorSpec
from tradebot.actors.supervisor import NEVER_NS, Answer, Said, Start, Supervisor
from tradebot.domain.frames import Frame, FrameKind, put_frame, read_frame
from tradebot.domain.links import AnswersTaken, BooksAsked, CommandsTaken, EngineUp, Fenced, GatewayUp, VenueBooks
from tradebot.domain.market import AccountFacts, Commands, MarketAsked
from tradebot.domain.market import Records as MarketRecords
from tradebot.domain.orders import TradingState
from tradebot.domain.venue import Capabilities, VenueEvent, VenueReply, VenueRequest
from tradebot.engine.own_book import read_book
from tradebot.engine.plan import ACCOUNT, Plan
from tradebot.engine.ports import Records
from tradebot.engine.reconciling import WHO, WHY_AGREED, WHY_WAITING, Gate
from tradebot.engine.session import Session, commands_of, gaps_of, note_of, open_session
from tradebot.engine.taken import market_of
from tradebot.execution.gateway import Gateway
from tradebot.feeds.telling import Telling
from tradebot.strategies.strategy import Strategy
from tradebot.venues.paper import PaperVenue
from tradebot.venues.paper_orders import FOR_EVER, Retention

MS: Final = 1_000_000
SECOND: Final = 1_000 * MS
ENGINE, GATEWAY, VENUE, FEED = "engine", "gateway", "venue", "feed"
TICK_NS: Final = 20 * MS  # how often actors are told the time
SUPERVISED: Final = SupervisorSpec(
    intensity=sys.maxsize,
    backoff=Backoff(first_s=0.05, max_s=0.4, steady_s=1.0, steady_killed_s=0.2),
)
QUIET_NS: Final = 30 * SECOND  # what the end may take
ORDERS: Final = 8  # where a kernel's snapshot has those that are open
PROTECTIONS: Final = 11
TIMER: Final = 10  # and in a protection, when it is tried again
CANCELS_MAX: Final = 4
FEED_NS: Final = 2 * MS  # the longest that a market fact is on its way, where nothing is wrong
RECONCILE_NS: Final = 2 * SECOND  # how often books are compared
SHORT: Final = Retention(time_ns=6 * SECOND, orders_min=10)  # more than the window and what may be slow
LOOKS: Final = 4  # of the judge, until nothing is under way

Sync = Literal["none", "place", "each"]
MakeStrategies = Callable[[], list[Strategy]]
MakeGateway = Callable[..., Gateway]


class Crash(Exception):
    """An actor dies here."""


class Failed(AssertionError):
    """What the judge found, with the seed that does it again."""


class Faults(Struct, frozen=True, kw_only=True):
    """How bad the world is: shares of messages that are lost, doubled or slow; the share of marks at which an actor dies, and
    of ticks at which the engine keeps a snapshot, or the power is cut; the longest that an actor is down.
    """

    drop: float = 0.02
    double: float = 0.02
    slow: float = 0.05
    crash: float = 0.003
    snapshot: float = 0.02
    power: float = 0.0005
    down_ns: int = 400 * MS


NO_FAULTS: Final = Faults(drop=0, double=0, slow=0, crash=0, snapshot=0, power=0)


class KeptSnapshot(NamedTuple):
    sequence: int
    digest: str
    data: bytes


class MemoryJournal:
    """A journal as `store.journal` keeps it, in memory: the same bytes, written and read by the same code. What was not flushed
    a power cut may take.
    """

    def __init__(self, mark: Callable[[str], None], sync: Sync = "place") -> None:
        self.mark, self.sync = mark, sync
        self.body = bytearray()
        self.flushed = 0
        self.snapshots: list[KeptSnapshot] = []

    def append(self, frame: Frame, must_sync: bool = False) -> None:
        self.mark("write")
        at = len(self.body)
        self.body += bytes(frame.size)
        put_frame(self.body, at, frame)
        if self.sync == "each" or (must_sync and self.sync == "place"):
            self.flushed = len(self.body)
        self.mark("written")

    def settle(self) -> None:
        if self.sync != "none":
            self.flushed = len(self.body)

    def frames(self, after_sequence: int = 0) -> Iterator[Frame]:
        at = 0
        while (frame := read_frame(self.body, at)) is not None:
            at += frame.size
            if frame.end_sequence > after_sequence or after_sequence == 0:
                yield frame

    def save_snapshot(self, sequence: int, digest: str, data: bytes) -> None:
        self.mark("write")
        self.flushed = len(self.body)
        self.snapshots.append(KeptSnapshot(sequence, digest, data))
        self.mark("written")

    def newest_snapshot(self) -> KeptSnapshot | None:
        return self.snapshots[-1] if self.snapshots else None

    def cut_power(self, chance: random.Random) -> None:
        """Of what was not flushed the disk has some, from the beginning on."""
        ends, at = [self.flushed], self.flushed
        while (frame := read_frame(self.body, at)) is not None:
            at += frame.size
            ends.append(at)
        del self.body[chance.choice(ends) :]


class Verdict(Struct, frozen=True, kw_only=True):
    """What the judge counted. A run is good where `findings` is empty."""

    seed: int
    orders: int
    fills: int
    crashes: int
    unknown_proven: int
    forgotten: int  # orders, by the venue
    digest: str
    findings: list[str]


class World:
    """One run. `crash_at` kills an actor at the mark of that number and at no other, for going through every one of them."""

    def __init__(
        self,
        seed: int,
        plan: Plan,
        facts: Records,
        strategies: MakeStrategies,
        faults: Faults | None = None,
        capabilities: Capabilities | None = None,
        crash_at: int | None = None,
        make_session: Callable[..., tuple[Session, list[Any]]] = open_session,
        make_gateway: MakeGateway = Gateway,
        reconcile_ns: int = RECONCILE_NS,
        sync: Sync = "place",
        retention: Retention = SHORT,
    ) -> None:
        self.chance = random.Random(seed)
        self.seed, self.plan, self.strategies = seed, plan, strategies
        self.faults = faults or Faults()
        self.capabilities = capabilities or Capabilities()
        self.make_session, self.make_gateway = make_session, make_gateway
        self.crash_at, self.reconcile_ns, self.retention = crash_at, reconcile_ns, retention
        self.now = int(facts["time_ns"][0])
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self.order = 0
        self.marks = self.crashes = self.cuts = self.proven = self.epoch = 0
        self.is_quiet = False
        self.apart: list[str] = []
        self.actors: dict[str, Any] = {ENGINE: None, GATEWAY: None, VENUE: None}
        self.journals = {name: MemoryJournal(self.mark, sync) for name in self.actors}
        self.acting: str | None = None
        self.facts = facts
        self.telling = Telling(1, lambda now_ns: gaps_of(plan, now_ns))
        self.supervisor = Supervisor(SUPERVISED, self.chance.random)
        self.numbers: dict[str, int] = {}  # of the start that an actor is in, or was the last
        self.is_begun = False
        self.do(self.supervisor.begin(self.now))
        for name in (VENUE, GATEWAY, ENGINE):
            self.add(name)
        self.is_begun = True
        self.feed(facts)
        self.at(self.now + TICK_NS, self.tick)

    # Time

    def at(self, time_ns: int, do: Callable[[], None]) -> None:
        self.order += 1
        heapq.heappush(self.heap, (time_ns, self.order, do))

    def run_until(self, time_ns: int) -> None:
        while self.heap and self.heap[0][0] <= time_ns:
            self.now, _, do = heapq.heappop(self.heap)
            do()
        self.now = time_ns

    def tick(self) -> None:
        for name in (VENUE, GATEWAY, ENGINE):
            self.act(name, lambda actor: actor.on_clock(self.now))
        self.tell(self.telling.pulse())
        if self.chance.random() < self.faults.power and not self.is_quiet:
            self.cut_power()
        if self.chance.random() < self.faults.snapshot and not self.is_quiet:
            self.act(self.chance.choice((ENGINE, GATEWAY, VENUE)), lambda actor: actor.save() or [])
        self.at(self.now + TICK_NS, self.tick)

    def feed(self, facts: Records) -> None:
        """Market facts at their receive time, in small batches, to engine and venue, over a wire like the others."""
        at = 0
        self.tell(self.telling.begin(self.now))
        while at < len(facts):
            count = self.chance.randrange(1, 12)
            batch = facts[at : at + count]
            body, time_ns = batch.tobytes(), int(batch["time_ns"][-1])
            self.at(time_ns, lambda body=body: self.tell(self.telling.tell(body)))  # type: ignore[misc]
            at += count

    def tell(self, message: MarketRecords) -> None:
        for name in (VENUE, ENGINE):
            self.put(name, message, FEED_NS)

    # Life and death

    def mark(self, what: str) -> None:
        """A place at which the acting actor may die."""
        if self.acting is None or self.is_quiet:
            return
        self.marks += 1
        if self.crash_at == self.marks or (self.crash_at is None and self.chance.random() < self.faults.crash):
            raise Crash(what)

    def act(self, name: str, do: Callable[[Any], list[Any]]) -> None:
        """One step of an actor: what it gives back is sent. Where it dies its supervisor hears of it."""
        if self.actors[name] is None:
            return
        try:
            self.step(name, lambda: do(self.actors[name]))
        except Crash:
            self.actors[name] = None
            self.do(self.supervisor.exited(self.numbers[name], KILLED, self.now))

    def cut_power(self) -> None:
        """All die at once, and of each journal what was not flushed may be gone."""
        self.cuts += 1
        for name, actor in self.actors.items():
            self.journals[name].cut_power(self.chance)
            if actor is not None:
                self.crashes += 1
                self.actors[name] = None
                self.do(self.supervisor.exited(self.numbers[name], KILLED, self.now))

    def step(self, name: str, do: Callable[[], list[Any]]) -> None:
        """Raises Crash where the actor dies over it."""
        self.acting = None if self.is_quiet else name
        try:
            for message in do():
                self.mark("send")
                self.send(name, message)
                self.mark("sent")
        except Crash:
            self.crashes += 1
            raise
        finally:
            self.acting = None

    def add(self, name: str) -> None:
        """Have it started for the first time; one that dies over it is started again later."""
        self.do(self.supervisor.start_child(list(self.actors).index(name), ChildSpec(id=name), self.now))

    def do(self, said: list[Said]) -> None:
        """What the supervisor says: a start takes a while, and the actor may die over it."""
        for one in said:
            delay_ns = self.chance.randrange(1, self.faults.down_ns)
            if isinstance(one, Start):
                self.numbers[one.child.id] = one.number
                if self.is_begun:
                    self.at(self.now + delay_ns, lambda one=one: self.start(one))  # type: ignore[misc]
                else:
                    self.start(one)
            elif isinstance(one, Answer) and one.error:
                self.at(self.now + delay_ns, lambda one=one: self.add(list(self.actors)[one.call]))  # type: ignore[misc]
        if (due_ns := self.supervisor.next_due_ns) < NEVER_NS:
            self.at(due_ns, lambda: self.do(self.supervisor.wake(self.now)))

    def start(self, one: Start) -> None:
        try:
            self.bring_up(one.child.id)
        except Crash:
            self.actors[one.child.id] = None
            self.do(self.supervisor.failed(one.number, KILLED, self.now))
        else:
            self.do(self.supervisor.started(one.number, self.now))

    def bring_up(self, name: str) -> None:
        """Raises Crash where it dies over it."""
        self.step(name, getattr(self, f"start_{name}"))

    def start_engine(self) -> list[Any]:
        self.epoch += 1
        session, found = self.make_session(
            self.plan, self.strategies(), self.journals[ENGINE], "code", self.epoch, self.now, self.reconcile_ns
        )
        self.actors[ENGINE] = session
        return found

    def start_gateway(self) -> list[Any]:
        gateway = self.make_gateway(self.journals[GATEWAY], self.capabilities, ACCOUNT)
        found = gateway.open(self.now)
        self.actors[GATEWAY] = gateway
        return found

    def start_venue(self) -> list[Any]:
        venue = PaperVenue(self.plan, self.journals[VENUE], self.capabilities, self.retention)
        venue.open(self.now)
        self.actors[VENUE] = venue
        self.at(self.now + MS, lambda: self.act(GATEWAY, lambda gateway: gateway.on_venue_up(self.now)))
        return [venue.hearing.asked()] if venue.hearing.stream else []

    # The wire

    def send(self, sender: str, message: Any) -> None:
        """Put a message on its way: it may be lost, doubled or slow. A request to a venue is not doubled: its connection is a
        stream.
        """
        receiver = VENUE if isinstance(message, VenueRequest) else FEED if isinstance(message, MarketAsked) else GATEWAY
        if sender == GATEWAY and receiver == GATEWAY:
            receiver = ENGINE
        self.put(receiver, message, 3 * MS)

    def put(self, receiver: str, message: Any, delay_ns: int) -> None:
        chance, faults = self.chance, self.faults
        copies = 1
        if not self.is_quiet:
            copies = 0 if chance.random() < faults.drop else 1
            if copies and chance.random() < faults.double and not isinstance(message, VenueRequest):
                copies = 2
        for _ in range(copies):
            delay = chance.randrange(20_000, delay_ns)
            if not self.is_quiet and chance.random() < faults.slow:
                delay = chance.randrange(3 * MS, 4 * SECOND)
            self.at(self.now + delay, lambda: self.deliver(receiver, message))

    def deliver(self, receiver: str, message: Any) -> None:
        now = self.now
        if isinstance(message, MarketRecords):
            self.act(receiver, lambda actor: actor.on_records([message], now))
        elif isinstance(message, MarketAsked):
            for again in self.telling.again(message, now):
                self.put(message.name, again, FEED_NS)
        elif isinstance(message, VenueRequest):
            self.act(VENUE, lambda venue: venue.on_request(message, now))
        elif isinstance(message, VenueReply):
            self.act(GATEWAY, lambda gateway: gateway.on_reply(message, now))
        elif isinstance(message, VenueEvent):
            self.act(GATEWAY, lambda gateway: gateway.on_event(message, now))
        elif isinstance(message, Commands | AnswersTaken | EngineUp | BooksAsked):
            self.act(GATEWAY, lambda gateway: gateway.on_engine(message, now))
        elif isinstance(message, AccountFacts):
            self.act(ENGINE, lambda session: session.on_answers(message, now))
        elif isinstance(message, VenueBooks):
            self.act(ENGINE, lambda session: self.compare(session, message))
        elif isinstance(message, CommandsTaken):
            self.act(ENGINE, lambda session: session.on_commands_taken(message))
        elif isinstance(message, GatewayUp):
            self.act(ENGINE, lambda session: session.on_gateway_up(message, now))
        elif isinstance(message, Fenced):
            self.act(ENGINE, lambda session: session.on_fenced(message))
        else:
            raise TypeError(f"expected a message of the node, found {type(message).__name__} to the {receiver}")

    def compare(self, session: Session, books: VenueBooks) -> list[Any]:
        found = session.on_books(books, self.now)
        self.apart += [one.text() for one in session.reconciling.differences]
        return list(found)

    # The end

    def finish(self) -> Verdict:
        """Let the faults end, stop trading, wait until nothing is under way, and judge."""
        last = max((time_ns for time_ns, _, _ in self.heap), default=self.now)
        self.run_until(last)
        self.is_quiet = True
        self.run_until(self.now + 5 * SECOND)
        self.act(ENGINE, lambda session: session.set_trading_state(TradingState.HALTED, self.now, "judge", "the end"))
        for number in range(CANCELS_MAX):
            self.act(ENGINE, partial(self.end_orders, is_last=number + 1 == CANCELS_MAX))
            self.run_until(self.now + QUIET_NS)
            if self.is_over:
                break  # a cancel that came too late may have left a position bare, which is guarded again
        verdict = self.judge()
        for _ in range(LOOKS):
            if not verdict.findings:
                break
            self.run_until(self.now + 300 * MS)  # a guard that finds nobody to trade with is tried each second
            verdict = self.judge()
        return verdict

    @property
    def is_over(self) -> bool:
        """Whether no order is open, and no guard waits to be tried again."""
        state = self.actors[ENGINE].live.kernel.snapshot()
        return not state[ORDERS] and not any(one[TIMER] for one in state[PROTECTIONS])

    def end_orders(self, session: Session, is_last: bool) -> list[Any]:
        """Cancel all; of contracts close the positions too, so that nothing is locked, unless nobody trades with us."""
        act = Act.FLATTEN if any(one.is_contract for one in self.plan.instruments) and not is_last else Act.CANCEL_ALL
        return list(session.act(act, self.now, "judge", "the end"))

    def judge(self) -> Verdict:
        session, gateway, venue = self.actors[ENGINE], self.actors[GATEWAY], self.actors[VENUE]
        whole = self.whole_venue()
        findings = [*self.unsettled(session, gateway, venue), *self.orders_differ(whole), *self.fills_differ(whole)]
        findings += [*self.books_differ(session, venue), *self.kept_differs(venue, whole)]
        findings += [*self.reconciling_differs(session), *self.replay_differs(session), *self.facts_differ(session, venue)]
        return Verdict(
            seed=self.seed,
            orders=len(self.placed()),
            fills=len(whole.trades),
            crashes=self.crashes,
            unknown_proven=sum(int(one["reject"]) == Reject.VENUE_NOT_ACCEPTED for one in self.told(Kind.ORDER_REJECTED)),
            forgotten=venue.book.placed - sum(1 for _ in venue.all_orders()),
            digest=session.live.kernel.digest_text,
            findings=findings,
        )

    def whole_venue(self) -> PaperVenue:
        """One that takes in the venue's journal from its first frame, and forgets nothing."""
        journal = MemoryJournal(lambda what: None)
        journal.body = bytearray(self.journals[VENUE].body)
        venue = PaperVenue(self.plan, journal, self.capabilities, FOR_EVER)
        venue.open(self.now)
        return venue

    def kept_differs(self, venue: PaperVenue, whole: PaperVenue) -> Iterator[str]:
        """Whatever it forgot and whenever it died, the venue holds what its journal comes to: all that is open, and the end of
        what is over.
        """
        if venue.open_orders() != whole.open_orders():
            yield "the venue's open orders are others than its journal comes to"
        if list(venue.book.over) != end_of(list(whole.book.over), len(venue.book.over)):
            yield f"the {len(venue.book.over)} orders that the venue keeps are others than its journal comes to"
        kept = list(venue.trades)
        if kept != end_of(list(whole.trades), len(kept)) or venue.book.traded != len(whole.trades):
            yield f"the {len(kept)} trades that the venue keeps are others than its journal comes to"

    def reconciling_differs(self, session: Session) -> Iterator[str]:
        """The node's own comparison has to have been made, and never, whatever was under way, to have seen a difference."""
        for text in self.apart:
            yield f"the books differed by the node's own comparison: {text}"
        if session.reconciling.gate is not Gate.OPEN:
            yield f"the gate is {session.reconciling.gate} after {session.reconciling.number} rounds"
        for why in self.halts():
            yield f"trading was halted by the node's own comparison: {why}"

    def halts(self) -> list[str]:
        """Why the engine's journal says that differences halted trading."""
        notes = [note_of(frame) for frame in self.journals[ENGINE].frames()]
        return [one.why for one in notes if one.who == WHO and one.why not in (WHY_WAITING, WHY_AGREED)]

    def unsettled(self, session: Session, gateway: Gateway, venue: PaperVenue) -> Iterator[str]:
        if session.waiting:
            yield f"the engine still waits with commands from {session.waiting[0][0]} on"
        if session.refused:
            yield f"the engine refused answers: {session.refused[0][1]}"
        if gateway.answers or gateway.telling:
            yield f"the gateway still waits with answers from {gateway.answers.first} on"
        for held in gateway.orders.values():
            tasks = [(one.ask.name, one.number, one.timestamp_ns) for one in held.tasks]
            yield f"order {held.client_id} is unsettled at the gateway: done {held.is_done}, tasks {tasks}"
        for order in venue.all_orders():
            if order.is_open:
                yield f"order {order.client_id} is still open at the venue"
        if open_ := session.live.kernel.snapshot()[ORDERS]:
            yield f"orders are still open at the engine: {open_}"
        for number, sequence, error in session.live.kernel.failures:
            yield f"strategy {number} raised on fact {sequence}: {error!r}"

    def facts_differ(self, session: Session, venue: PaperVenue) -> Iterator[str]:
        """Engine and venue took in every market fact once and in order, whoever died and whatever was lost."""
        told = self.facts[["kind", "instrument", "id", "price", "quantity"]]
        for name, frames in ((ENGINE, self.journals[ENGINE].frames()), (VENUE, self.journals[VENUE].frames())):
            bodies = b"".join(market_of(frame).tobytes() for frame in frames if frame.kind == FrameKind.FACTS)
            taken = np.frombuffer(bodies, RECORD_DTYPE)
            taken = taken[taken["kind"] != Kind.GAP][["kind", "instrument", "id", "price", "quantity"]]
            if not np.array_equal(taken, told):
                yield f"the {name} took in {len(taken)} market facts, of {len(told)}, or others"

    def orders_differ(self, venue: PaperVenue) -> Iterator[str]:
        """Each order that was sent is at the venue once, or the engine was told that it is not."""
        refused = {int(one["id"]) for one in self.told(Kind.ORDER_REJECTED)}
        for client_id in self.placed():
            several = venue.orders.get(client_id, [])
            if len(several) > 1:
                yield f"order {client_id} is at the venue {len(several)} times: doubled"
            elif not several and client_id not in refused:
                yield f"order {client_id} never came to the venue and nobody was told: lost"
            elif several and several[0].was_taken and client_id in refused:
                yield f"order {client_id} is at the venue, and the engine was told that it is not"

    def fills_differ(self, venue: PaperVenue) -> Iterator[str]:
        ours = [int(one["trade_id"]) for kind in (Kind.ORDER_FILLED, Kind.LIQUIDATED) for one in self.told(kind)]
        theirs = [int(np.frombuffer(fill, FACT_DTYPE)[0]["trade_id"]) for fill in venue.trades]
        if len(set(ours)) != len(ours):
            yield f"the engine was told a fill twice: {len(ours)} fills of {len(set(ours))} trades"
        if sorted(ours) != sorted(theirs):
            yield f"fills differ: the engine has {len(ours)}, the venue {len(theirs)}"

    def books_differ(self, session: Session, venue: PaperVenue) -> Iterator[str]:
        if len(self.told(Kind.FUNDING_PAID)) + len(self.told(Kind.LIQUIDATED)) != len(venue.income):
            yield f"funding and liquidations differ: the venue has {len(venue.income)}"
        yield from self.positions_differ(session, venue)
        yield from self.balances_differ(session, venue)

    def positions_differ(self, session: Session, venue: PaperVenue) -> Iterator[str]:
        for index, instrument in enumerate(self.plan.instruments):
            held = sum(row[4] for row in session.live.kernel.positions() if row[2] == index)
            theirs = venue.positions.get(instrument.id, held)
            if held != theirs:
                yield f"the position in {instrument.name} is {held} by the engine, {theirs} by the venue"

    def balances_differ(self, session: Session, venue: PaperVenue) -> Iterator[str]:
        """To the unit, open positions of contracts at nothing on both sides."""
        kernel = session.live.kernel
        own = read_book(self.plan, kernel)
        for number, asset in enumerate(self.plan.assets):
            theirs = floor(venue.balances[asset])
            if (ours := own.balance(number, 0, theirs)) != theirs:
                yield f"the balance of {asset} is {ours} by the engine, {theirs} by the venue"
        if any(venue.positions.values()):
            return
        for asset, (_, _, locked) in zip(self.plan.assets, kernel.balances(), strict=True):
            if locked:
                yield f"{locked} of {asset} are still locked"

    def replay_differs(self, session: Session) -> Iterator[str]:
        """The journal from its first frame, by the same code, comes to the same digest."""
        journal = MemoryJournal(lambda what: None)
        journal.body = bytearray(self.journals[ENGINE].body)
        again, _ = open_session(self.plan, self.strategies(), journal, "code", self.epoch + 1, session.live.kernel.time_ns)
        before = again.live.kernel.snapshot()[12][0][1], session.live.kernel.snapshot()[12][0][1]
        if before[0] != before[1]:
            yield "the strategy's state differs after a replay"

    def placed(self) -> list[int]:
        """Client ids of every order that the engine's journal holds, in order."""
        found = []
        for frame in self.journals[ENGINE].frames():
            for command in commands_of(frame.outputs):
                row = np.frombuffer(command, FACT_DTYPE)[0]
                if row["kind"] == Kind.PLACE_ORDER:
                    found.append(int(row["id"]))
        return found

    def told(self, kind: Kind) -> list[np.void]:
        """Answers of a kind that the engine's journal holds."""
        found = []
        for frame in self.journals[ENGINE].frames():
            facts, at = frame.facts, 0
            while at < len(facts):
                is_answer = Kind.ORDER_ACCEPTED <= facts[at + _KIND_AT] <= Kind.LIQUIDATED
                if is_answer and facts[at + _KIND_AT] == kind:
                    found.append(np.frombuffer(facts[at : at + 128], FACT_DTYPE)[0])
                at += 128 if is_answer else 64
        return found


def end_of(found: list[Any], count: int) -> list[Any]:
    return found[len(found) - count :]


_KIND_AT: Final = FACT_DTYPE.fields["kind"][1]  # type: ignore[index]


class Restless(Strategy):
    """Orders of every kind, changes, guards and cancels, from a generator in its State; counts what was filled by itself."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        seed: int = 1
        eager: float = 0.1

    class State(Struct):
        draws: int = 0
        fills: int = 0
        bought: float = 0.0
        sold: float = 0.0

    def draw(self) -> float:
        """Uniform in [0, 1): a linear congruential step (Knuth's MMIX constants)."""
        value = self.state.draws or self.params.seed
        self.state.draws = (value * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % (1 << 63)
        drawn: int = self.state.draws >> 31
        return drawn / (1 << 32)

    def on_trade(self, trade: Any) -> None:
        self.act()

    def on_fill(self, fill: Any) -> None:
        self.state.fills += 1
        if fill.is_sell:
            self.state.sold += fill.quantity
        else:
            self.state.bought += fill.quantity
        self.act()

    def act(self) -> None:
        if self.draw() > self.params.eager or not self.book.spread > 0:
            return
        ids, lots = self.open_orders(), (1 + int(self.draw() * 6)) * self.lot
        chosen = self.draw()
        if ids and chosen < 0.25:
            self.cancel(ids[int(self.draw() * len(ids))])
        elif ids and chosen < 0.35:
            self.amend(ids[int(self.draw() * len(ids))], quantity=lots + 3 * self.lot)
        elif chosen < 0.45:
            self.buy(lots, stop_loss=self.book.bid - 6 * self.tick, take_profit=self.book.ask + 6 * self.tick)
        elif chosen < 0.5:
            self.close()
        else:
            self.quote(lots)

    def quote(self, lots: float) -> None:
        side = self.sell if self.draw() < 0.5 else self.buy
        kind = ("GTC", "IOC", "FOK", "POST_ONLY", "MARKET")[int(self.draw() * 5)]
        if kind == "MARKET":
            side(lots)
        else:
            price = (self.book.bid if self.draw() < 0.5 else self.book.ask) + (int(self.draw() * 5) - 2) * self.tick
            side(lots, price=price, time_in_force=kind)


def run(seed: int, plan: Plan, facts: Records, strategies: MakeStrategies, **settings: Any) -> Verdict:
    """Run a world to its end. Raises Failed with the seed and the findings."""
    verdict = World(seed, plan, facts, strategies, **settings).finish()
    if verdict.findings:
        raise Failed(f"seed {seed}: {len(verdict.findings)} findings: " + "; ".join(verdict.findings[:4]))
    return verdict
