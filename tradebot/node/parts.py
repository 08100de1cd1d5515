"""The behaviours of a node as its processes run them: who hears what, and who is told what they give back.

feed -> engine, venue      market facts
engine <-> gateway         commands, answers
gateway <-> venue          requests; replies and events

The store's part and that of the clients read the engine's journal; nobody sends them anything.
"""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from tradebot._core.types import Act, Kind
from tradebot.actors.watching import ROOT
from tradebot.domain.codec import VERSIONS, Message
from tradebot.domain.errors import LocalError
from tradebot.domain.links import AnswersTaken, BooksAsked, CommandsTaken, EngineUp, Fenced, GatewayUp, VenueBooks
from tradebot.domain.market import RECORDS_MAX, AccountFacts, Commands, MarketAsked, Records
from tradebot.domain.orders import TradingState
from tradebot.domain.signals import Monitor, Reachable, Terminated, Unreachable
from tradebot.domain.units import money_text, time_text
from tradebot.domain.venue import Capabilities, VenueEvent, VenueReply, VenueRequest
from tradebot.domain.words import error_text
from tradebot.engine.plan import ACCOUNT, Plan
from tradebot.engine.reconciling import as_told
from tradebot.engine.session import ShutOut, gaps_of, open_session
from tradebot.execution.gateway import Gateway
from tradebot.execution.timing import Timing
from tradebot.feeds.telling import Telling
from tradebot.node.actor_part import ActorPart
from tradebot.node.api_part import ApiPart
from tradebot.node.books import books_of
from tradebot.node.call_mark import RECOVERING, open_words
from tradebot.node.config import config_from_dict
from tradebot.node.holdings import orders_of, positions_of, quotes_of
from tradebot.node.latch import Killed, Latch
from tradebot.node.part import Addressed, Base
from tradebot.node.schema import Config
from tradebot.node.session_files import API, ENGINE, FEED, GATEWAY, STORE, VENUE, Prepared, read_prepared
from tradebot.node.store_part import StorePart
from tradebot.node.strategies import fingerprint_of, make_strategy
from tradebot.store.journal import Journal
from tradebot.venues.paper import PaperVenue

VERSION: Final = 1
WINDOW_NS: Final = 1_000_000_000
MARGIN_NS: Final = 200_000_000
PULSE_NS: Final = 500_000_000  # of silence, after which a feed says how far it has told
SNAPSHOT_ENTRIES: Final = 20_000  # of the gateway's log


def open_journal(folder: Path, prepared: Prepared, name: str) -> Journal:
    """What opening had to cut or to pass over is said in the log."""
    node = config_from_dict(prepared.config).node
    journal = Journal.create_or_open(
        folder / name, prepared.run_id, segment_bytes=node.segment_mb << 20, write=node.write, sync=node.sync
    )
    for one in opening_text(journal):
        sys.stderr.write(f"{name}: {one}\n")
    return journal


def keep_snapshot(name: str, save: Callable[[], None]) -> None:
    """Save a snapshot. One that cannot be kept makes the next start longer and stops nothing; a disk that fails the journal is
    told by the journal's next frame.
    """
    try:
        save()
    except LocalError as error:
        sys.stderr.write(f"{name}: {error}\n")


def opening_text(journal: Journal) -> list[str]:
    """What was wrong with a journal when it was opened, in words."""
    found = [f"damaged, and passed over, for a start does not need it: {one}" for one in journal.passed_over]
    if (cut := journal.cut) is not None:
        found.append(f"{cut.bytes} bytes at the end of {cut.segment} were cut, for they were no whole frame: {cut.why}")
    return found


class EnginePart(Base):
    """The engine's process: nobody else touches its journal."""

    name = ENGINE

    def __init__(self, folder: Path, epoch: int, shut: ShutOut | None = None) -> None:
        self.folder, self.epoch, self.shut = folder, epoch, shut
        self.prepared = read_prepared(folder)
        self.config = config_from_dict(self.prepared.config)
        self.names = [use.name for use in self.config.strategy]
        self.plan: Plan = self.prepared.plan
        self.journal = open_journal(folder, self.prepared, ENGINE)
        self.has_gateway = False
        self.peers = dict.fromkeys((GATEWAY, VENUE, FEED), "there")
        self.latch = Latch(folder)
        self.done_by_latch: dict[str, int] = {"cancels": 0, "closes": 0}
        self.saved_at = self.failures_told = 0
        self.now_ns = self.market_ns = 0  # now, and when market facts came last, or might have come first

    def open(self, now_ns: int) -> Iterator[Addressed]:
        """The fingerprint is that of the code that is loaded now: a file may have been edited since the root prepared the run."""
        self.now_ns = self.market_ns = now_ns
        strategies = [make_strategy(use) for use in self.config.strategy]
        fingerprint = fingerprint_of(self.config.strategy, self.plan)
        calls = open_words(self.folder)
        calls[RECOVERING] = True
        self.session, found = open_session(
            self.plan, strategies, self.journal, fingerprint, self.epoch, now_ns, self.config.node.reconcile_ns, self.shut, calls
        )
        calls[RECOVERING] = False
        for number, why in self.session.not_taken_over:
            sys.stderr.write(f"{ENGINE}: the State of {self.name_of(number)} does not fit its code and begins anew: {why}\n")
        self.saved_at = self.session.live.kernel.sequence
        watched = (Monitor(VERSION, ENGINE, name) for name in (GATEWAY, VENUE, FEED))
        return chain(self.address(found), ((ROOT, one) for one in watched))

    def address(self, found: Iterable[Any]) -> Iterator[Addressed]:
        return ((FEED if isinstance(one, MarketAsked) else GATEWAY, one) for one in found)

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        """Market facts that came together are one batch; the rest is taken one by one, in order."""
        found: list[Any] = self.obey_latch(now_ns)
        market: list[Records] = []
        for message in messages:
            if isinstance(message, Records):
                market.append(message)
                self.market_ns = now_ns if message.data else self.market_ns
                continue
            if market:
                found += self.session.on_records(market, now_ns)
                market = []
            found += self.take_one(message, now_ns)
        if market:
            found += self.session.on_records(market, now_ns)
        self.tell_failures()
        return self.address(found)

    def take_one(self, message: Message, now_ns: int) -> list[Any]:
        if isinstance(message, AccountFacts):
            return list(self.session.on_answers(message, now_ns))
        if isinstance(message, CommandsTaken):
            return list(self.session.on_commands_taken(message))
        if isinstance(message, GatewayUp):
            self.has_gateway = True
            self.check_taken(message)
            return list(self.session.on_gateway_up(message, now_ns))
        if isinstance(message, VenueBooks):
            return list(self.session.on_books(message, now_ns))
        if isinstance(message, Terminated | Unreachable | Reachable):
            self.note_peer(message)
        if isinstance(message, Fenced):
            self.session.on_fenced(message)
            if self.session.is_fenced:
                raise LocalError(f"expected to hold the account, found another engine under lease {message.lease}: this one ends")
        return []

    def note_peer(self, message: Terminated | Unreachable | Reachable) -> None:
        """What became of one that the engine needs. With a gateway that is dead it has to come to terms anew; one that is only
        silent may still send what it has.
        """
        if isinstance(message, Terminated):
            self.peers[message.name] = f"dead: {message.reason}"
            self.has_gateway = self.has_gateway and message.name != GATEWAY
        elif isinstance(message, Unreachable):
            self.peers[message.name] = f"silent since {time_text(message.since_ns)}"
        else:
            self.peers[message.name] = "there"

    def check_taken(self, message: GatewayUp) -> None:
        """A gateway does not forget. Raises LocalError where it did: what it sent is not known, and nothing new reaches it."""
        waiting = self.session.waiting
        taken = (waiting[0][0] if waiting else self.session.commands + 1) - 1
        if message.commands_taken < taken:
            raise LocalError(
                f"expected a gateway that has command {taken}, found one that has {message.commands_taken}: its journal lost "
                "its end; bring it back, or look at the venue's orders and start with --new"
            )

    def on_clock(self, now_ns: int) -> Iterator[Addressed]:
        self.now_ns = now_ns
        found = [*self.obey_latch(now_ns), *self.session.on_clock(now_ns)]
        if not self.has_gateway:
            found.append(self.session.up())
        if self.session.live.kernel.sequence - self.saved_at >= self.config.node.snapshot_facts:
            self.save()
        self.tell_failures()
        return self.address(found)

    def obey_latch(self, now_ns: int) -> list[Any]:
        """A home that was killed is halted before anything else, whether or not its engine was asked."""
        if not self.latch.is_set:
            return []
        if (wanted := self.latch.wants()) is not None:
            return self.kill(*wanted, now_ns)
        return [] if self.is_halted else self.halt(self.latch.first(), now_ns)

    @property
    def is_halted(self) -> bool:
        return bool(self.session.live.kernel.trading_state == TradingState.HALTED)

    def halt(self, killed: Killed, now_ns: int) -> list[Any]:
        return list(self.session.set_trading_state(TradingState.HALTED, now_ns, killed.who, killed.why))

    def kill(self, name: str, killed: Killed, now_ns: int) -> list[Any]:
        found = [] if self.is_halted else self.halt(killed, now_ns)
        said = self.session.act(Act[killed.act], now_ns, killed.who, killed.why)
        self.done_by_latch = counts_of(said)
        self.latch.carried_out({name: killed.act})
        return [*found, *said]

    def tell_failures(self) -> None:
        """Each strategy that raised, with the place in its file, in the node's log."""
        failures = self.session.live.kernel.failures
        for number, fact, error in failures[self.failures_told :]:
            why = self.session.unkept.get(number) or failure_text(error)
            sys.stderr.write(f"{ENGINE}: strategy {self.name_of(number)} is quarantined on fact {fact}: {why}\n")
        self.failures_told = len(failures)

    def save(self) -> None:
        keep_snapshot(ENGINE, self.session.save)
        self.saved_at = self.session.live.kernel.sequence

    def close(self) -> None:
        if self.journal.last.sequence == self.session.live.kernel.sequence:  # else the journal failed in the middle of a step
            self.save()
        self.journal.close()

    def answer(self, question: dict[str, str], now_ns: int, found: list[Addressed]) -> dict[str, Any]:
        verb, who, why = question["verb"], question.get("who", ""), question.get("why", "")
        found += self.address(self.obey_latch(now_ns))
        if verb == "status":
            return self.status()
        if verb == "orders":
            return {"orders": orders_of(self.session.live.kernel, self.plan, self.names)}
        if verb == "positions":
            return {"positions": positions_of(self.session.live.kernel, self.plan, self.names)}
        if verb == "quotes":
            kernel = self.session.live.kernel
            return {"time_ns": kernel.time_ns, "quotes": quotes_of(kernel, self.plan)}
        if verb == "reconcile":
            return {"round": self.session.reconciling.ask_now()}
        if verb == "books":
            return books_of(self.session, self.plan)
        if verb == "kill":
            if not self.latch.has_done(question["nonce"]):  # it could not be written, or is not to be read here
                killed = msgspec.convert({slot: question[slot] for slot in Killed.__struct_fields__}, Killed)
                found += self.address(self.kill(question["nonce"], killed, now_ns))
            return {"accepted": True, "by": ENGINE, **self.done_by_latch}
        if verb == "state" and question["state"] != TradingState.HALTED.name and self.latch.is_set:
            return {"accepted": False, "why": "the home was killed: at the machine, `tradebot resume --after-kill` lifts it"}
        if verb == "state":
            found += self.address(self.session.set_trading_state(TradingState[question["state"]], now_ns, who, why))
        elif verb == "act":
            said = self.session.act(Act[question["act"]], now_ns, who, why)
            found += self.address(said)
            return {"accepted": True, "by": ENGINE, **counts_of(said)}
        else:
            raise ValueError(f"expected a verb of the engine, found {verb!r}")
        return {"accepted": True, "by": ENGINE}

    def status(self) -> dict[str, Any]:
        kernel = self.session.live.kernel
        return {
            "run_id": self.prepared.run_id,
            "mode": self.config.mode,
            "epoch": self.epoch,
            "facts": kernel.sequence,
            "time_ns": kernel.time_ns,
            "market_age_s": round((self.now_ns - self.market_ns) / 1e9, 1),
            "digest": kernel.digest_text,
            "trading": TradingState(kernel.trading_state).name.lower(),
            "commands": self.session.commands,
            "commands_waiting": len(self.session.waiting),
            "orders_open": len(kernel.open_orders()),
            "fills": kernel.fills,
            "refused_answers": [why for _, why, _ in self.session.refused],
            "states_not_taken_over": [f"{self.name_of(number)}: {why}" for number, why in self.session.not_taken_over],
            "unusable": [f"message {number} of the feed: {why}" for number, why in self.session.unusable],
            "quarantined": self.quarantined(),
            "has_gateway": self.has_gateway,
            "peers": self.peers,
            "reconcile": as_told(self.session.reconciling),
            "opened": opening_text(self.journal),
            "balances": {
                asset: money_text(total) for asset, (_, total, _) in zip(self.plan.assets, kernel.balances(), strict=True)
            },
        }

    def quarantined(self) -> list[dict[str, Any]]:
        """Who is shut out, on which fact and why; where a snapshot alone says that one is, the log of the run knows."""
        kernel, found = self.session.live.kernel, []
        failures = {number: (fact, failure_text(error)) for number, fact, error in kernel.failures}
        for number in kernel.quarantined:
            fact, error = failures.get(number, (None, "before this start: see `tradebot logs`"))
            if self.shut is not None and number in self.shut.strategies:
                error = self.shut.why
            error = self.session.unkept.get(number, error)
            found.append({"strategy": number, "strategy_name": self.name_of(number), "fact": fact, "error": error})
        return found

    def name_of(self, strategy: int) -> str:
        return self.names[strategy]


class GatewayPart(Base):
    """The gateway's process."""

    name = GATEWAY

    def __init__(self, folder: Path) -> None:
        prepared = read_prepared(folder)
        config = config_from_dict(prepared.config)
        self.journal = open_journal(folder, prepared, GATEWAY)
        self.gateway = Gateway(self.journal, capabilities_of(config), ACCOUNT, Timing(age_max_ns=config.node.order_age_ns))

    def open(self, now_ns: int) -> Iterator[Addressed]:
        found = self.gateway.open(now_ns)
        self.saved_at = self.gateway.log.entries
        return self.address(found)

    def address(self, found: Iterable[Any]) -> Iterator[Addressed]:
        return ((VENUE if isinstance(one, VenueRequest) else ENGINE, one) for one in found)

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        found: list[Any] = []
        for message in messages:
            if isinstance(message, Commands | AnswersTaken | EngineUp | BooksAsked):
                found += self.gateway.on_engine(message, now_ns)
            elif isinstance(message, VenueReply):
                found += self.gateway.on_reply(message, now_ns)
            elif isinstance(message, VenueEvent):
                found += self.gateway.on_event(message, now_ns)
        return self.address(found)

    def on_clock(self, now_ns: int) -> Iterator[Addressed]:
        found = self.gateway.on_clock(now_ns)
        if self.gateway.log.entries - self.saved_at >= SNAPSHOT_ENTRIES:
            keep_snapshot(GATEWAY, self.gateway.save)
            self.saved_at = self.gateway.log.entries
        return self.address(found)

    def close(self) -> None:
        self.journal.close()

    def status(self) -> dict[str, Any]:
        return {
            "lease": self.gateway.lease,
            "commands_taken": self.gateway.commands.upto,
            "unknown": [held.client_id for held in self.gateway.unknown],
            "strangers": sorted(self.gateway.strangers),
            "is_subscribed": self.gateway.is_subscribed,
            "stream": self.gateway.stream,
            "opened": opening_text(self.journal),
            "answers_waiting": len(self.gateway.answers),
            "orders": len(self.gateway.orders),
        }


class VenuePart(Base):
    """The paper venue's process: what it holds is its own."""

    name = VENUE

    def __init__(self, folder: Path) -> None:
        prepared = read_prepared(folder)
        self.journal = open_journal(folder, prepared, VENUE)
        config = config_from_dict(prepared.config)
        self.snapshot_facts = config.node.snapshot_facts
        self.venue = PaperVenue(prepared.plan, self.journal, capabilities_of(config))

    def open(self, now_ns: int) -> Iterator[Addressed]:
        """The new stream is told as an exchange's connection would tell it: what happened meanwhile was on none."""
        self.venue.open(now_ns)
        self.saved_at = self.venue.taken
        yield GATEWAY, VenueEvent(VERSIONS[VenueEvent], self.venue.stream, 0, now_ns, b"")
        if self.venue.hearing.stream:
            yield FEED, self.venue.hearing.asked()

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        found: list[Any] = []
        for message in messages:
            if isinstance(message, Records):
                found += self.venue.on_records([message], now_ns)
            elif isinstance(message, VenueRequest):
                found += self.venue.on_request(message, now_ns)
        return ((FEED if isinstance(one, MarketAsked) else GATEWAY, one) for one in found)

    def on_clock(self, now_ns: int) -> Iterator[Addressed]:
        if self.venue.taken - self.saved_at >= self.snapshot_facts:
            keep_snapshot(VENUE, self.venue.save)
            self.saved_at = self.venue.taken
        return ((GATEWAY, one) for one in self.venue.on_clock(now_ns))

    def close(self) -> None:
        self.journal.close()

    def status(self) -> dict[str, Any]:
        return {
            "orders": self.venue.book.placed,
            "orders_open": sorted(one.client_id for one in self.venue.open_orders()),
            "doubled": sorted(self.venue.book.doubled),
            "trades": self.venue.book.traded,
            "balances": {asset: money_text(self.venue.wallet(asset)) for asset in self.venue.balances},
            "stream": self.venue.stream,
            "opened": opening_text(self.journal),
        }


class FeedPart(Base):
    """Stored facts told as if they happened now: in a loop, at a settable speed, stamped when they leave.

    Each round begins with a gap, so that no book of the round before is left standing. What a full mailbox refused, or a process
    that died had not taken in, is told again when it asks.
    """

    name = FEED

    def __init__(self, folder: Path) -> None:
        prepared = read_prepared(folder)
        node = config_from_dict(prepared.config).node
        self.ticks = np.load(folder / "ticks.npy", mmap_mode="r")
        self.plan: Plan = prepared.plan
        self.speed, self.rounds = node.speed, node.rounds
        self.at = self.round = self.told = self.again = 0
        self.began_ns = self.told_ns = 0
        self.is_held = False

    def open(self, now_ns: int) -> Iterator[Addressed]:
        self.began_ns = self.told_ns = now_ns
        self.telling = Telling(now_ns, lambda time_ns: gaps_of(self.plan, time_ns))
        return self.to_both(self.telling.begin(now_ns))

    def take(self, messages: list[Message], now_ns: int) -> Iterator[Addressed]:
        for asked in messages:
            if isinstance(asked, MarketAsked):
                for message in self.telling.again(asked, now_ns):
                    self.again += 1
                    yield asked.name, message

    def on_clock(self, now_ns: int) -> Iterator[Addressed]:
        """Everything that is due by now."""
        while not self.is_held and (self.rounds == 0 or self.round < self.rounds):
            due_ns = int(self.ticks["time_ns"][0] + (now_ns - self.began_ns) * self.speed)
            end = int(np.searchsorted(self.ticks["time_ns"], due_ns, side="right"))
            for at in range(self.at, end, RECORDS_MAX):
                batch = np.array(self.ticks[at : min(at + RECORDS_MAX, end)])
                batch["time_ns"] = batch["venue_ns"] = now_ns
                self.told, self.told_ns = self.told + len(batch), now_ns
                yield from self.to_both(self.telling.tell(batch.tobytes()))
            self.at = max(self.at, end)
            if self.at < len(self.ticks):
                break
            self.round, self.at, self.began_ns = self.round + 1, 0, now_ns
            yield from self.to_both(self.telling.begin(now_ns))
        if now_ns - self.told_ns >= PULSE_NS:
            self.told_ns = now_ns
            yield from self.to_both(self.telling.pulse())

    def to_both(self, message: Records) -> Iterator[Addressed]:
        return ((name, message) for name in (VENUE, ENGINE))

    def close(self) -> None:
        pass

    def answer(self, question: dict[str, str], now_ns: int, found: list[Addressed]) -> dict[str, Any]:
        """`hold`: tell nothing new until its next start; what is asked for again is still told."""
        if question["verb"] == "hold":
            self.is_held = True
        elif question["verb"] != "status":
            raise ValueError(f"expected a verb of the feed, found {question['verb']!r}")
        return self.status()

    def status(self) -> dict[str, Any]:
        return {
            "told": self.told,
            "told_again": self.again,
            "round": self.round,
            "refused": self.full,
            "is_held": self.is_held,
            "is_done": 0 < self.rounds <= self.round,
        }


def failure_text(error: BaseException) -> str:
    """What a strategy raised and where, in one line."""
    said = error_text(error)
    frames = traceback.extract_tb(error.__traceback__)
    return f"{said}, at {frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else said


def counts_of(said: Iterable[Any]) -> dict[str, int]:
    """What an act has the venue do, among what an engine says."""
    commands = [one.array()["kind"] for one in said if isinstance(one, Commands)]
    kinds = {"cancels": Kind.CANCEL_ORDER, "closes": Kind.PLACE_ORDER}
    return {name: sum(int((one == kind).sum()) for one in commands) for name, kind in kinds.items()}


def capabilities_of(config: Config) -> Capabilities:
    """How the venue of a node behaves. The paper venue does as most do; it is on this machine, so that a short window is enough,
    and what became of an order that it did not answer is known the sooner.
    """
    return Capabilities(window_ns=WINDOW_NS, margin_ns=MARGIN_NS)


def make_part(name: str, folder: Path, epoch: int, shut: ShutOut | None = None) -> Any:
    """The part of that name, built from the run's folder, or a user's actor; `epoch` and `shut` are the engine's."""
    makers: dict[str, Callable[[Path], Any]] = {
        STORE: StorePart,
        VENUE: VenuePart,
        GATEWAY: GatewayPart,
        ENGINE: lambda folder: EnginePart(folder, epoch, shut),
        FEED: FeedPart,
        API: ApiPart,
    }
    return makers[name](folder) if name in makers else ActorPart(folder, name)
