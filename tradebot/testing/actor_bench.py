"""`bench actors`: what our mailboxes, questions and restarts cost, each beside the bare thing that it is made of.

Both of a pair are measured in turns in one run. Round trips and restarts have all their processes on one core, for a wake-up on
another core takes as long as it likes; a flood has its sender on another core than its reader, where there is one. The bare sides
use pyzmq's inner calls too, so that what is compared is what we add.

    in_process   a question to an actor in the loop; raw: a future and call_soon
    actor        a question of one actor of a user's to another, decoded and heard in its turn; in one loop, and across processes
    ipc          a question to a desk; raw: a drained socket that answers, and one that asks again when it has its answer
    restart      in_process: an actor of a tree crashes, until it answers again. process: SIGKILL of one of a tree with a zygote,
                 until it answers; raw: the same of a child that a warm process forks anew, with a drained socket
    messages     encoded, sent, taken and decoded one by one; raw: as many bytes sent and drained
"""

import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

import uvloop
import zmq
from zmq.backend import Socket as Plain

from tradebot.actors.actor import Actor
from tradebot.actors.asking import Asking
from tradebot.actors.bus import Bus, address
from tradebot.actors.child_spec import Backoff, ChildSpec, SupervisorSpec
from tradebot.actors.life_line import LifeLine
from tradebot.actors.mail import Mail, Question
from tradebot.actors.mailbox import HIGH_WATER, Inbox, Posts
from tradebot.actors.offspring import Offspring, adopt_orphans
from tradebot.actors.running import InLoop, InProcess, Report, Running
from tradebot.actors.tree import Tree
from tradebot.actors.zygote import Zygote
from tradebot.domain.codec import Message
from tradebot.domain.errors import Refused
from tradebot.testing.actor_peers import BODY, DESK, ECHO, INBOX, NOBLOCK, RAW_DESK, RAW_INBOX, WARM, Echo, Said, has_more
from tradebot.testing.stage import Stage

PEERS: Final = "tradebot.testing.actor_peers"
NEVER_GIVES_UP: Final = SupervisorSpec(intensity=1_000_000, period_s=1.0, backoff=Backoff(first_s=0.0))
ANSWER_S: Final = 10.0
ASK_AGAIN_S: Final = 0.001
REST_S: Final = 0.02  # of a child that has just begun, before it is killed
CRASH: Final = b"crash"
BATCH: Final = 256

Context = zmq.Context[zmq.Socket[bytes]]
Times = list[int]


def measure(rounds: int = 5, scale: float = 1.0) -> dict[str, object]:
    """The figures of CLI.md; `scale` makes each round shorter. Medians over the rounds of each round's median."""
    asks, restarts, messages = (max(8, round(count * scale)) for count in (3_000, 20, 100_000))
    pairs: dict[str, Callable[[Context, Path], Coroutine[Any, Any, Times]]] = {
        "in_process_raw": lambda context, folder: ask_bare(asks * 5),
        "in_process": lambda context, folder: ask_here(context, folder, asks * 5),
        "ipc_raw": lambda context, folder: ask_raw(context, folder, asks),
        "ipc": lambda context, folder: ask_there(context, folder, asks),
        "actor": lambda context, folder: ask_actor(folder, asks),
        "actor_ipc": lambda context, folder: ask_actor_there(folder, asks),
        "restart_in_process": lambda context, folder: restart_here(context, folder, restarts * 10),
        "fork_raw": lambda context, folder: restart_raw(context, folder, restarts),
        "process": lambda context, folder: restart_there(context, folder, restarts),
        "raw": lambda context, folder: flood_raw(context, folder, messages),
        "bus": lambda context, folder: flood(context, folder, messages),
        "tell": lambda context, folder: tell(asks * 20),
    }
    found: dict[str, list[Times]] = {name: [] for name in pairs}
    with pinned():
        for _ in range(rounds):
            for name, one in pairs.items():
                found[name].append(run(one))
    return told(found)


def told(found: dict[str, list[Times]]) -> dict[str, object]:
    middle = {name: statistics.median(statistics.median(times) for times in rounds) for name, rounds in found.items()}
    late = {name: quantile([one for times in rounds for one in times], 0.99) for name, rounds in found.items()}
    micro = {name: round(middle[name] / 1e3, 2) for name in ("in_process", "in_process_raw", "ipc", "ipc_raw")}
    restarts = {"in_process": "restart_in_process", "process": "process", "fork_raw": "fork_raw"}
    return {
        "rtt_us": micro,
        "restart_ms": {name: round(middle[key] / 1e6, 3) for name, key in restarts.items()},
        "restart_p99_ms": {name: round(late[key] / 1e6, 3) for name, key in restarts.items()},
        "messages_per_s": {name: round(1e9 / middle[name]) for name in ("bus", "raw")},
        "tell_ns": round(middle["tell"]),
        "actor_us": {"in_process": round(middle["actor"] / 1e3, 2), "ipc": round(middle["actor_ipc"] / 1e3, 2)},
        "ratios": {
            "ask_in_process": round(middle["in_process"] / middle["in_process_raw"], 2),
            "ask_ipc": round(middle["ipc"] / middle["ipc_raw"], 2),
            "ask_actor_ipc": round(middle["actor_ipc"] / middle["ipc_raw"], 2),
            "restart_process": round(middle["process"] / middle["fork_raw"], 2),
            "messages": round(middle["raw"] / middle["bus"], 2),
        },
    }


def quantile(times: Times, part: float) -> int:
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


def run(one: Callable[[Context, Path], Coroutine[Any, Any, Times]]) -> Times:
    """In a loop, a context and a folder of its own."""

    async def inside() -> Times:
        context: Context = zmq.Context()
        with TemporaryDirectory(prefix="bench-") as folder:
            try:
                return await one(context, Path(folder))
            finally:
                context.destroy(linger=0)

    return uvloop.run(inside())


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """This process and what it starts on the first core it may use; the peers of a flood are told theirs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def other_core() -> int:
    count = os.cpu_count() or 1
    return (min(os.sched_getaffinity(0)) + 1) % count


@contextlib.contextmanager
def peer(role: str, folder: Path, *words: object) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", PEERS, role, str(folder), *map(str, words)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def ask_bare(count: int) -> Times:
    loop, times = asyncio.get_running_loop(), []
    for number in range(count):
        began_ns = time.perf_counter_ns()
        future = loop.create_future()
        loop.call_soon(future.set_result, number)
        await future
        times.append(time.perf_counter_ns() - began_ns)
    return times


async def ask_here(context: Context, folder: Path, count: int) -> Times:
    def take(questions: list[Question]) -> None:
        for one in questions:
            one.answer(one.body)

    asking = Asking(context, folder)
    asking.hold(DESK, Mail(asyncio.get_running_loop(), take))
    return await ask_all(asking, count)


async def ask_there(context: Context, folder: Path, count: int) -> Times:
    asking = Asking(context, folder)
    with peer("answer", folder):
        await asking.ask(DESK, BODY, ANSWER_S)
        times = await ask_all(asking, count)
    asking.close()
    return times


async def ask_all(asking: Asking, count: int) -> Times:
    times = []
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        await asking.ask(DESK, BODY, ANSWER_S)
        times.append(time.perf_counter_ns() - began_ns)
    return times


async def ask_actor(folder: Path, count: int) -> Times:
    """One actor of a user's asks another in its loop."""
    async with Stage(folder) as stage:
        await stage.play(ECHO, Echo())
        await stage.play("asker", Echo())
        return await ask_echo(stage.actors["asker"], count)


async def ask_actor_there(folder: Path, count: int) -> Times:
    async with Stage(folder) as stage:
        await stage.play("asker", Echo())
        with peer("echo", folder):
            await ask_echo(stage.actors["asker"], 1)
            return await ask_echo(stage.actors["asker"], count)


async def ask_echo(asker: Actor, count: int) -> Times:
    times, body = [], Said(BODY)
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        await asker.ask(ECHO, body, ANSWER_S)
        times.append(time.perf_counter_ns() - began_ns)
    return times


async def ask_raw(context: Context, folder: Path, count: int) -> Times:
    socket = context.socket(zmq.DEALER)
    socket.connect(address(folder, RAW_DESK))
    loop, times, receive, send = asyncio.get_running_loop(), Times(), Plain.recv, Plain.send
    done = loop.create_future()
    began_ns = 0

    def drain() -> None:
        nonlocal began_ns
        while has_more(socket):
            receive(socket, NOBLOCK)
            now_ns = time.perf_counter_ns()
            times.append(now_ns - began_ns)
            if len(times) <= count:
                began_ns = now_ns
                send(socket, BODY, NOBLOCK)
            elif not done.done():
                done.set_result(None)

    with peer("answer_raw", folder):
        send(socket, BODY, 0)
        loop.add_reader(socket.fileno(), drain)
        loop.call_soon(drain)
        await asyncio.wait_for(done, 60.0)
    loop.remove_reader(socket.fileno())
    socket.close(linger=0)
    return times[1:]


async def tell(count: int) -> Times:
    """Nanoseconds a message, told in batches and taken."""
    taken = 0

    def take(messages: list[bytes]) -> None:
        nonlocal taken
        taken += len(messages)

    mail, times = Mail(asyncio.get_running_loop(), take), []
    for _ in range(max(1, count // BATCH)):
        began_ns = time.perf_counter_ns()
        for _ in range(BATCH):
            mail.tell(BODY)
        await asyncio.sleep(0)
        times.append((time.perf_counter_ns() - began_ns) // BATCH)
    return times


async def flood(context: Context, folder: Path, count: int) -> Times:
    """Nanoseconds a message."""
    arrived = Arrival(count)
    bus = Bus(folder)
    inbox = Inbox(bus, Posts(bus, INBOX, time.time_ns()), arrived.take)
    with peer("flood", folder, other_core(), count):
        await asyncio.wait_for(arrived.done, 60.0)
    inbox.close()
    bus.close()
    return [arrived.each_ns]


class Arrival:
    """Counts messages to a last one."""

    def __init__(self, count: int) -> None:
        self.left = self.count = count
        self.began_ns = self.ended_ns = 0
        self.done = asyncio.get_running_loop().create_future()

    def take(self, messages: list[Message] | list[bytes]) -> None:
        self.began_ns = self.began_ns or time.perf_counter_ns()
        self.left -= len(messages)
        if not self.left:
            self.ended_ns = time.perf_counter_ns()
            self.done.set_result(None)

    @property
    def each_ns(self) -> int:
        return (self.ended_ns - self.began_ns) // self.count


async def flood_raw(context: Context, folder: Path, count: int) -> Times:
    socket = context.socket(zmq.PULL)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.bind(address(folder, RAW_INBOX))
    loop, arrived, receive = asyncio.get_running_loop(), Arrival(count), Plain.recv

    def drain() -> None:
        found: list[bytes] = []
        with contextlib.suppress(zmq.Again):
            while len(found) < BATCH:
                found.append(receive(socket, NOBLOCK))
        if len(found) == BATCH:
            loop.call_soon(drain)
        if found:
            arrived.take(found)

    loop.add_reader(socket.fileno(), drain)
    with peer("flood_raw", folder, other_core(), count):
        await asyncio.wait_for(arrived.done, 60.0)
    loop.remove_reader(socket.fileno())
    socket.close(linger=0)
    return [arrived.each_ns]


class Mortal:
    """An actor in the loop that crashes when it is told to; its mailbox refuses from then on."""

    def __init__(self, asking: Asking) -> None:
        self.crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.mail = Mail(asyncio.get_running_loop(), self.take)
        asking.hold(DESK, self.mail)

    def take(self, questions: list[Question]) -> None:
        for one in questions:
            if one.body == CRASH:
                self.mail.close()
                self.crashed.set_exception(RuntimeError("it was told to"))
                return
            one.answer(one.body)


async def restart_here(context: Context, folder: Path, count: int) -> Times:
    asking, times = Asking(context, folder), []

    async def live(started: Callable[[], None], ending: asyncio.Event) -> str | None:
        actor = Mortal(asking)
        started()
        asked = asyncio.get_running_loop().create_task(ending.wait())
        either: list[asyncio.Future[Any]] = [actor.crashed, asked]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if actor.crashed.done():
            actor.crashed.result()
        return None

    tree = Tree(NEVER_GIVES_UP, lambda child, report: InLoop(live, report, child.id))
    await tree.start()
    await tree.start_child(ChildSpec(id="actor"))
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        asking.ask(DESK, CRASH, ANSWER_S).add_done_callback(asyncio.Future.exception)
        while True:
            await asyncio.sleep(0)
            with contextlib.suppress(Refused):
                await asking.ask(DESK, BODY, ANSWER_S)
                break
        times.append(time.perf_counter_ns() - began_ns)
    await tree.stop()
    return times


async def restart_there(context: Context, folder: Path, count: int) -> Times:
    with (folder / "log").open("wb") as log:
        async with grown(folder, log):
            return await kill_all(Caller(context, folder, DESK, [b"", b"?"]), count)


@contextlib.asynccontextmanager
async def grown(folder: Path, log: IO[bytes]) -> AsyncIterator[Tree]:
    """A tree with one child, forked from a zygote."""
    adopt_orphans()
    zygote, life_line = Zygote(WARM, log), LifeLine()

    def begin(child: ChildSpec, report: Report) -> Running:
        async def make(ready: int) -> Offspring:
            return await zygote.fork(f"{PEERS}:answer_main", [str(folder)], life_line.watched, ready)

        return InProcess(make, report, ANSWER_S)

    tree = Tree(NEVER_GIVES_UP, begin)
    try:
        await tree.start()
        error = await tree.start_child(ChildSpec(id="child"))
        assert not error, error
        yield tree
    finally:
        await tree.stop()
        await zygote.close()
        life_line.close()


async def restart_raw(context: Context, folder: Path, count: int) -> Times:
    with peer("fork_again", folder) as forker:
        caller = Caller(context, folder, RAW_DESK, [b"?"])
        times = await kill_all(caller, count)
        forker.kill()
        os.kill(caller.pid, signal.SIGKILL)
    return times


async def kill_all(caller: "Caller", count: int) -> Times:
    """Kill whoever answers, until another does, so many times."""
    times = []
    await caller.wait_other()
    for _ in range(count):
        await asyncio.sleep(REST_S)
        began_ns = time.perf_counter_ns()
        os.kill(caller.pid, signal.SIGKILL)
        await caller.wait_other()
        times.append(time.perf_counter_ns() - began_ns)
    caller.close()
    return times


class Caller:
    """Asks who is there, again and again: `pid` is who answered last."""

    def __init__(self, context: Context, folder: Path, name: str, question: list[bytes]) -> None:
        self.pid = 0
        self.question = question
        self.changed = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 1)
        self.socket.connect(address(folder, name))
        self.loop.add_reader(self.socket.fileno(), self.drain)

    async def wait_other(self) -> None:
        self.changed.clear()
        until = time.perf_counter() + ANSWER_S
        while not self.changed.is_set():
            assert time.perf_counter() < until, "nobody answers"
            with contextlib.suppress(zmq.Again):
                self.socket.send_multipart(self.question, NOBLOCK)
            self.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), ASK_AGAIN_S)

    def drain(self) -> None:
        while has_more(self.socket):
            pid = int(self.socket.recv_multipart(NOBLOCK)[-1])
            if pid != self.pid:
                self.pid = pid
                self.changed.set()

    def close(self) -> None:
        self.loop.remove_reader(self.socket.fileno())
        self.socket.close(linger=0)
