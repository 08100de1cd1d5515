"""`tradebot run`: the root of a node. It prepares the run, keeps its processes, says when trading may start, and ends them in
order.

The root trades nothing and holds nothing: where it is killed, the kernel kills the others with it, and its next start goes on
with the same run. An engine gets a new epoch for each of its starts, on the disk before it is used; the gateway refuses what
comes under an older one.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from tradebot.actors.clock import Clock
from tradebot.actors.door import raise_open_files
from tradebot.actors.mailbox import ask
from tradebot.actors.offspring import Strays
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import (
    ConfigError,
    LocalError,
    TimedOut,
    TradebotError,
)
from tradebot.domain.units import NS_PER_SECOND
from tradebot.domain.words import error_text
from tradebot.engine.reconciling import Gate
from tradebot.engine.session import ShutOut
from tradebot.node.actor_changes import ActorChanges, end_s_of
from tradebot.node.actor_code import check_apart
from tradebot.node.bus import bus_of
from tradebot.node.call_mark import Suspects
from tradebot.node.config import Loaded, config_to_dict
from tradebot.node.health import STARTED, write_parts
from tradebot.node.orphans import end_orphans
from tradebot.node.ports import TAKEN, bound_by, unbound_port
from tradebot.node.preparing import check_mode, check_same, prepare_run, prepare_ticks
from tradebot.node.processes import memory_of
from tradebot.node.reloading import changes, parts_concerned, write_outcome
from tradebot.node.root_lock import only_root
from tradebot.node.schema import Config
from tradebot.node.service import notify, tell_watchdog
from tradebot.node.session_files import (
    ACTORS,
    API,
    ENGINE,
    GATEWAY,
    VENUE,
    forget_mailboxes,
    home_of,
    ipc_folder,
    next_epoch,
    read_prepared,
    write_prepared,
)
from tradebot.node.stopping import end_silent, open_again, rest_of, stop_trading
from tradebot.node.strategies import fingerprint_of
from tradebot.node.supervision import Supervision
from tradebot.node.tree_shape import RESERVED, TRADING, shape_of_node, who_gave_up
from tradebot.node.values import Endpoint
from tradebot.node.warden import Warden, stopped
from tradebot.store.journal_end import end_ns

READY_S: Final = 60.0
ASK_S: Final = 2.0
POLL_S: Final = 0.05
WATCH_S: Final = 1.0
LOAD_S: Final = 5.0  # that an engine has to load its code, before it steps its journal
RECYCLE_S: Final = 60.0  # of life before a part is started again for its memory
TAIL_BYTES: Final = 65_536
ADDRESS_S: Final = 2.0

Say = Callable[[dict[str, Any]], None]
Note = Callable[[str], None]
Load = Callable[[], Loaded]


def run_node(load: Load, home: Path, is_new: bool, say: Say, note: Note) -> None:
    """Run until told to stop (SIGTERM, SIGINT); SIGHUP has it `load` its configuration again. `say` gets the events, `note` words
    for people. Raises TimedOut where it does not get ready, LocalError where its processes die too often.
    """
    loaded = load()
    check_mode(loaded.config)
    raise_open_files()
    with only_root(home):
        if orphans := end_orphans(home):
            note(f"killed what an earlier root had left behind: {', '.join(orphans)}")
        folder = prepare_run(loaded, home, is_new)
        (home / "logs").mkdir(mode=0o700, exist_ok=True)
        with (home / "logs" / f"{folder.name}.log").open("ab") as log:
            with contextlib.suppress(OSError):  # the parts will say that the disk is full
                log.write(STARTED.encode())
                log.flush()
            asyncio.run(Root(loaded.config, folder, log, say, note, load).run())


class Root:
    """The root of a node's processes, and what it says of them."""

    def __init__(self, config: Config, folder: Path, log: Any, say: Say, note: Note, load: Load) -> None:
        self.config, self.folder, self.log, self.say, self.note = config, folder, log, say, note
        self.load = load
        self.ipc = ipc_folder(folder)
        node = config.node
        self.shape = shape_of_node(node)
        self.engine_process = self.shape.process_of(ENGINE)
        self.began_s = time.monotonic()
        self.one_reload = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()
        self.phase: Literal["starting", "running", "ending"] = "starting"
        self.is_ending = False
        self.failure = ""  # why the node ends by itself
        self.has_given_up = False  # its parts have been ended: nobody is there to be asked
        self.quarantined: set[tuple[str, int]] = set()
        self.silent: set[str] = set()  # killed because they did not answer
        self.suspects = Suspects(folder, [use.name for use in config.strategy], self.shut_out)

    async def run(self) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        await self.check_addresses(bound_by(self.config))
        clock = self.begin_clock()
        warden = self.warden = Warden(
            bus_of(self.folder, self.config.node.bus), self.shape, clock, lambda question: self.answer(parts, question),
            lambda: self.write_parts(parts), self.died,
        )  # fmt: skip
        parts = Supervision(
            self.shape.processes, self.log, self.words(clock), self.died, lambda: self.write_parts(parts), warden.told,
            self.config.node.supervisor,
        )
        parts.tree.ended.add_done_callback(self.note_given_up)
        parts.allow(ACTORS, end_s_of(self.config.node.actors))
        self.actor_changes = ActorChanges(parts, warden, self.ask)
        parts.failed.add_done_callback(lambda failed: self.note_failure(failed.result(), parts))
        left: list[str] = []  # of what the stop was to end
        starting = asyncio.create_task(parts.start())
        beating = [self.keep(loop.create_task(one), parts) for one in (warden.run(), tell_watchdog())]
        try:
            if await self.wait_ready(parts, ended):
                await starting
                trading = await open_again(self.folder, self.ask)
                loop.add_signal_handler(signal.SIGHUP, lambda: self.keep(loop.create_task(self.reload(parts)), parts))
                self.phase = "running"
                notify("READY=1")
                told = {"run_id": self.folder.name, "trading": trading, "pids": parts.pids(), "seconds": self.age()}
                self.say({**await self.readiness(), **told, **self.reached_at()})
                watching = self.keep(loop.create_task(self.watch(parts)), parts)
                await self.wait_end(parts, ended)
                self.phase = "ending"
                loop.add_signal_handler(signal.SIGHUP, lambda: None)
                notify("STOPPING=1")
                left = await stop_trading(self.config.node, self.folder, self.ask, ended, parts)
                watching.cancel()
            why = self.failure
        finally:
            self.phase, self.is_ending = "ending", True
            for number in (signal.SIGTERM, signal.SIGINT):  # told once more to end, it kills
                loop.add_signal_handler(number, parts.hurry)
            starting.cancel()
            hanging = asyncio.create_task(end_silent(ACTORS, self.config.node.lease_s, self.ask, parts, self.tell_silent))
            await parts.end()
            hanging.cancel()
            for one in beating:
                one.cancel()
            warden.close()
            forget_mailboxes(self.folder)
        rest = rest_of(left)
        if why:
            raise LocalError(f"expected a node that runs, found: {why}" + (f"; {rest}" if rest else ""))
        self.say({"event": "stopped", "run_id": self.folder.name, "seconds": self.age(), **({"left": left} if left else {})})
        if left:
            raise LocalError(
                f'expected a stop that does as node.on_stop = "{self.config.node.on_stop}" has it, found that it could not: '
                f"{rest}; start the node again, or end it at the venue"
            )

    def note_failure(self, why: str, parts: Supervision) -> None:
        """With the last words of the part as they are now: one that is started again while the node ends says others."""
        name = why.partition(" ")[0]
        words = self.last_words(name) if name in (*parts.names, *self.shape.hosted) else f"see {self.log.name}"
        self.failure = f"{why}; {words}"

    def note_given_up(self, _: object) -> None:
        self.has_given_up = True

    def begin_clock(self) -> Clock:
        """That of the machine; where it shows less than the journals' last time, for it was set back, one that goes on from
        there. Time would stand still otherwise until the machine's has caught up.
        """
        last_ns = max(end_ns(self.folder / name) for name in (ENGINE, GATEWAY, VENUE))
        behind_ns = last_ns - time.time_ns()
        if behind_ns <= 0:
            return Clock()
        self.say({"event": "clock_behind", "seconds": round(behind_ns / NS_PER_SECOND, 3)})
        self.note(
            f"the machine's clock is {behind_ns / NS_PER_SECOND:.1f} s behind the journal of this run: the node goes on from the "
            "journal's time, and its times are ahead by so much; set the clock right"
        )
        return Clock(last_ns - time.monotonic_ns())

    def keep(self, task: "asyncio.Task[None]", parts: Supervision) -> "asyncio.Task[None]":
        """Hold a task until it is done; one that fails ends the node, for nobody would see what hangs any more."""
        self.tasks.add(task)

        def done(one: "asyncio.Task[None]") -> None:
            self.tasks.discard(one)
            if not one.cancelled() and (error := one.exception()) is not None:
                parts.fail(f"the root itself failed: {error_text(error)}")

        task.add_done_callback(done)
        return task

    def answer(self, parts: Supervision, question: dict[str, str]) -> dict[str, Any]:
        """At the root's desk: `restart` ends a part as at a stop and starts it again; `starts` tells when that is done."""
        if question["verb"] == "status":
            return {"phase": self.phase}
        if question["verb"] != "restart":
            raise ValueError(f"expected a verb of the root, found {question['verb']!r}")
        name = question["part"]
        process = self.shape.process_of(name)
        part = parts.part(process)
        if part is None:
            names = ", ".join((*parts.names, *self.shape.below_actors))
            raise ValueError(f"expected a part of this node, one of {names}, found {name!r}")
        if name in self.shape.below_actors:
            self.say({"event": "restart_asked", "part": name, "who": question.get("who", "")})
            lease_s = self.config.node.lease_s
            self.keep(asyncio.get_running_loop().create_task(self.actor_changes.restart(name, lease_s)), parts)
            return {"accepted": True, "by": ROOT, "part": name, "starts": self.warden.hosted.get(name, stopped())["starts"]}
        self.say({"event": "restart_asked", "part": process, "who": question.get("who", "")})
        self.keep(asyncio.get_running_loop().create_task(parts.recycle(process)), parts)
        return {"accepted": True, "by": ROOT, "part": process, "starts": part.starts}

    def write_parts(self, parts: Supervision) -> None:
        """Beside each process the parts that live in it together."""
        figures = parts.figures()
        for process, names in ((TRADING, self.shape.hosted), (ACTORS, self.shape.actors)):
            if process in figures:
                figures[process]["parts"] = {name: self.warden.hosted[name] for name in names if name in self.warden.hosted}
        if ACTORS in figures and self.shape.supervisors:
            figures[ACTORS]["supervisors"] = {
                name: {**self.warden.hosted.get(name, stopped()), "parts": list(own)} for name, own in self.shape.supervisors
            }
        write_parts(self.folder, figures)

    async def check_addresses(self, bound: Iterable[tuple[str, Endpoint, int]]) -> None:
        """Before anything is started. Raises LocalError where what clients or parts are to reach cannot be had."""
        until = time.monotonic() + ADDRESS_S  # the part of a root that was killed just now may be about to end
        for key, endpoint, ports in bound:
            while (found := unbound_port(endpoint, ports)) and found[1] == TAKEN and time.monotonic() < until:
                await asyncio.sleep(POLL_S)
            if found:
                why = f"that {TAKEN}" if found[1] == TAKEN else f"that it cannot be bound: {found[1]}"
                raise LocalError(f"expected port {found[0]} of {endpoint.host}, found {why}; choose another {key}")

    def reached_at(self) -> dict[str, Any]:
        """Where clients reach the node, and by which key they know it."""
        from tradebot.node.api_part import told_address

        api = self.config.node.api
        return {} if api is None else {"api": told_address(api, home_of(self.folder))}

    async def watch(self, parts: Supervision) -> None:
        """Kill what has been silent for a lease: what hangs is as dead as what crashed, and must not come back later."""
        heard: dict[str, float] = {}
        strays = Strays()
        while True:
            strays.reap(time.monotonic())
            names = list(parts.names)
            *answers, engine = await asyncio.gather(*(self.ask(name, "status") for name in (*names, ENGINE)))
            for name, found in zip(names, answers, strict=True):
                part, is_engine = parts.part(name), name == self.engine_process
                if part is None or not part.number or not (part.is_up or is_engine):
                    heard[name] = time.monotonic()  # it is not there, or its start has a limit of its own
                    continue
                since = max(heard.get(name, 0.0), part.began_ns / 1e9)
                since_ns = self.warden.clock.now() - round((time.monotonic() - since) * NS_PER_SECOND)
                self.warden.answers(name, found is not None, since_ns)
                is_alive = found is not None or (is_engine and self.suspects.is_recovering())
                heard[name] = time.monotonic() if is_alive else since
                limit_s = self.config.node.lease_s if part.is_up else 2 * self.config.node.lease_s + LOAD_S
                if time.monotonic() - heard[name] > limit_s:
                    self.tell_silent(name, time.monotonic() - heard[name])
                    self.silent.add(name)
                    await parts.kill(name)
                    heard[name] = time.monotonic()
            self.tell_quarantined(engine)
            await self.check_memory(parts, memory_of)
            await asyncio.sleep(WATCH_S)

    def tell_silent(self, name: str, seconds: float) -> None:
        self.say({"event": "silent", "part": name, "seconds": round(seconds, 1)})
        self.note(f"{name} has been silent for {seconds:.1f} s: it is killed")

    async def reload(self, parts: Supervision) -> None:
        """Read the configuration again and start again whom its changes concern. Where it is wrong, or changes what must stay,
        nothing happens but that it is said.
        """
        async with self.one_reload:
            before = self.config
            try:
                changed, concerned = await self.reload_files(parts)
            except TradebotError as error:
                self.say({"event": "reload_refused", "why": str(error)})
                write_outcome(self.folder, {"accepted": False, "why": str(error)})
                return
            processes = {self.shape.process_of(part) for part in concerned if part != ACTORS}
            again = [name for name in dict.fromkeys((*self.shape.processes, API)) if name in processes]
            for name in again:
                await self.start_again(parts, name)
            self.shape = self.warden.shape = shape_of_node(self.config.node)
            again += await self.actor_changes.change(before.node.actors, self.config.node, self.shape)
            there = (*self.shape.processes, *self.shape.hosted, *self.shape.actors)
            gone = [name for name in again if name not in there]
            self.say({"event": "reloaded", "changed": changed, "parts": again, "gone": gone})
            write_outcome(self.folder, {"accepted": True, "changed": changed, "parts": again, "gone": gone})

    async def start_again(self, parts: Supervision, name: str) -> None:
        """With the configuration as it is now, which may have added the part for clients, or taken it away."""
        if name != API or (parts.part(API) is not None and self.config.node.api is not None):
            await parts.recycle(name)
        elif self.config.node.api is not None:
            await parts.add(API)
        else:
            await parts.remove(API)

    async def reload_files(self, parts: Supervision) -> tuple[list[str], set[str]]:
        """Write down the run with its new configuration; the keys that changed, and the parts that they concern."""
        config = self.load().config
        changed = changes(self.config, config)
        concerned = parts_concerned(changed)
        mine = set(bound_by(self.config))
        await self.check_addresses([one for one in bound_by(config) if one not in mine])
        before, home = read_prepared(self.folder), self.folder.parents[1]
        plan, _ = await asyncio.to_thread(prepare_ticks, config, home) if concerned else (before.plan, None)
        check_same(before, plan, config)
        if config.node.actors is not None:
            why = await asyncio.to_thread(check_apart, config.node.actors.actor, self.folder / "actors.check")
            if why:
                raise ConfigError(why)
        fingerprint = fingerprint_of(config.strategy, plan)
        if fingerprint != before.fingerprint and ENGINE not in concerned:
            changed, concerned = [*changed, "the code of a strategy"], concerned | {ENGINE}
        write_prepared(
            self.folder,
            msgspec.structs.replace(before, config=config_to_dict(config), plan=plan, fingerprint=fingerprint),
        )
        self.config = config
        parts.keep_by(config.node.supervisor)
        return changed, concerned

    def tell_quarantined(self, engine: dict[str, Any] | None) -> None:
        """Say once of each strategy that raised why; of one that was so before its engine's start it has been said then."""
        for one in engine["quarantined"] if engine else ():
            name, fact = self.config.strategy[one["strategy"]].name, one["fact"]
            if fact is not None and (name, fact) not in self.quarantined:
                self.quarantined.add((name, fact))
                self.say({"event": "quarantined", "strategy": name, "fact": fact, "why": one["error"]})
                self.note(f"strategy {name} is quarantined: {one['error']}; mend it and start again")

    async def check_memory(self, parts: Supervision, size_of: Callable[[int], int]) -> None:
        """A part that has grown beyond `node.memory_mb` ends as at a stop and starts again from what it has written."""
        limit = self.config.node.memory_mb << 20
        for name, pid in parts.pids().items() if limit else ():
            size = size_of(pid)
            if size > limit and parts.age_s(name) > RECYCLE_S:
                self.say({"event": "recycled", "part": name, "bytes": size})
                self.note(f"{name} has grown to {size >> 20} MB: it is started again")
                await parts.recycle(name)

    def last_words(self, name: str) -> str:
        """The last line of the log that is of this part, or the last at all where it said nothing by its name."""
        text = Path(self.log.name).read_bytes()[-TAIL_BYTES:].decode(errors="replace")
        lines = text.rpartition(STARTED)[2].split("\n")
        said = [line.strip() for line in lines if line.strip()] or ["it said nothing"]
        own = [line for line in said if line.startswith(f"{name}: ")]
        return f"{(own or said)[-1]} ({self.log.name})"

    def age(self) -> float:
        return round(time.monotonic() - self.began_s, 3)

    def words(self, clock: Clock) -> Callable[[str], list[str]]:
        """The words of each start of a part; those of the engine have the number of this start, and whom it shuts out."""

        def words_of(name: str) -> list[str]:
            words = [name, str(self.folder), "--clock-offset", str(clock.offset_ns), "--bus", self.config.node.bus]
            if name == TRADING:
                words += [word for part in self.shape.hosted for word in ("--host", part)]
            if name != self.engine_process:
                return words
            return [*words, "--epoch", str(next_epoch(self.folder)), *shut_words(self.suspects.take())]

        return words_of

    def died(self, name: str, why: str) -> None:
        if name == self.engine_process:
            self.suspects.judge(why, name in self.silent)
        self.silent.discard(name)
        if self.is_ending:
            return
        with contextlib.suppress(OSError):  # the disk that it is told to may be what fails
            if name in dict(self.shape.supervisors):
                self.say({"event": "supervisor_ended", "part": name, "reason": why})
                self.note(f"{name}, a supervisor of actors, ended: {why}; `tradebot status` says whether it is started again")
                return
            if name not in RESERVED:  # also one that a reload has taken away
                self.say({"event": "actor_ended", "part": name, "reason": why})
                self.note(f"{name}, an actor, ended: {why}; `tradebot status` says whether it is started again")
                return
            if name == ACTORS and who_gave_up(why) is not None:
                why = "its supervisor gave up, they died too often"
            self.say({"event": "restart", "part": name, "reason": why})
            self.note(f"{name} ended ({why}); it is started again")

    def shut_out(self, strategy: str, why: str) -> None:
        with contextlib.suppress(OSError):
            self.say({"event": "shut_out", "strategy": strategy, "why": why})
            self.note(f"strategy {strategy} is shut out: {why}; the log says where ({self.log.name}); mend it and start again")

    async def wait_ready(self, parts: Supervision, ended: asyncio.Event) -> bool:
        """Until the engine has its gateway and the gateway its venue, no order is unknown, and the books have been compared.
        False where it was told to end before.
        """
        while not ended.is_set():
            if parts.failed.done():
                return False
            if time.monotonic() - self.began_s > READY_S:
                why = self.suspects.now()
                raise TimedOut(f"expected a node that is ready within {READY_S:g} s, found none{why}: see {self.log.name}")
            engine, gateway = await self.ask(ENGINE, "status"), await self.ask(GATEWAY, "status")
            if engine and gateway and is_settled(engine, gateway):
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def readiness(self) -> dict[str, Any]:
        """That trading may start; or why it may not: the node goes on, for its guards are at the venue."""
        engine = await self.ask(ENGINE, "status")
        if engine is None or engine["reconcile"]["gate"] == Gate.OPEN:
            return {"event": "ready"}
        self.note("trading is halted: the books differ; see `tradebot reconcile`")
        return {"event": "halted", "differences": engine["reconcile"]["differences"]}

    async def wait_end(self, parts: Supervision, ended: asyncio.Event) -> None:
        asked = asyncio.create_task(ended.wait())
        waits: list[asyncio.Future[Any]] = [asked, parts.failed]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()

    async def ask(self, name: str, verb: str, **words: str) -> dict[str, Any] | None:
        """Ask a part at its desk; None where it does not answer."""
        body = msgspec.json.encode({"verb": verb, **words})
        if self.has_given_up:
            return None
        found = await asyncio.to_thread(ask, self.ipc, f"{name}.desk", body, ASK_S)
        return None if found is None else msgspec.json.decode(found, type=dict[str, Any])


def is_settled(engine: dict[str, Any], gateway: dict[str, Any]) -> bool:
    """Whether trading may start, or it is known why not."""
    is_connected = engine["has_gateway"] and gateway["is_subscribed"] and not gateway["unknown"]
    return is_connected and engine["reconcile"]["gate"] != Gate.WAITING


def shut_words(shut: ShutOut | None) -> list[str]:
    """On the command line of an engine."""
    if shut is None:
        return []
    words = [word for number in shut.strategies for word in ("--shut", str(number))]
    return [*words, "--why", shut.why, *(["--fold"] if shut.is_folded else [])]
