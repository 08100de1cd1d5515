"""What 200 clients over tcp do to an order's round trip: p99 with them beside p99 without, alternated in one run of one node.

The node is that of benchmarks/round_trip.py, never flushed, with the part that clients reach beside it. The clients are one
process, pinned to the last core; each subscribes state, facts and metrics, half of them read all that comes and half never read.
They connect before a phase with them and are gone before one without. At the given rate each order is two facts, and the clients
are told of all of them. What is compared is the median of the phases' p99, so that one stall of a shared machine does not decide.

Run: python -m benchmarks.clients [clients] [orders a phase] [rate] [pairs of phases]
"""

import multiprocessing
import os
import socket
import sys
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq

from benchmarks.round_trip import prepare, push, show, start, status
from tradebot._core.types import Kind
from tradebot.actors.curve import make_keys
from tradebot.actors.mailbox import ask
from tradebot.domain.wire import read_told
from tradebot.engine.session import commands_of
from tradebot.node.facts import answers_of, frames_of
from tradebot.node.session_files import API, ENGINE, GATEWAY, VENUE, ipc_folder

GOAL_RATIO = 1.5
SETTLE_S = 2.0
CLIENTS_NICE = 10  # their own work is no burden of the node: elsewhere they have a machine of their own
Times = np.ndarray[Any, np.dtype[np.int64]]


def crowd(address: str, server_key: str, keys: tuple[str, str], count: int, ready: Event, end: Event, heard: Any) -> None:
    """All clients of a phase: every other one never reads."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.nice(CLIENTS_NICE)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.setsockopt(zmq.MAX_SOCKETS, count + 10)
    poller, sockets = zmq.Poller(), []
    for number in range(count):
        one = context.socket(zmq.SUB)
        one.curve_serverkey = server_key.encode()
        one.curve_publickey, one.curve_secretkey = (key.encode() for key in keys)
        one.setsockopt(zmq.SUBSCRIBE, b"")
        one.connect(address)
        sockets.append(one)
        if number % 2:
            poller.register(one, zmq.POLLIN)
    waiting = set(sockets[1::2])
    while not end.is_set():
        for one, _ in poller.poll(100):
            read_told(one.recv_multipart()[1])
            heard.value += 1
            waiting.discard(one)
        if not waiting:
            ready.set()
    context.destroy(linger=0)


class Crowd:
    """The clients' process, as a block."""

    def __init__(self, address: str, server_key: str, keys: tuple[str, str], count: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.ready, self.end, self.heard = spawn.Event(), spawn.Event(), spawn.Value("q", 0)
        words = (address, server_key, keys, count, self.ready, self.end, self.heard)
        self.process = spawn.Process(target=crowd, args=words, daemon=True)

    def __enter__(self) -> "Crowd":
        self.process.start()
        assert self.ready.wait(60), "every client that reads has heard the node"
        return self

    def __exit__(self, *_: object) -> None:
        self.end.set()
        self.process.join(20)
        self.process.kill()


def free_port() -> int:
    """One that is free, and very likely the next one, too."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return min(int(line.getsockname()[1]), 65_534)


def api_of(public_key: str) -> str:
    """What the configuration has under node for one name, which all clients share."""
    return f', api = {{ address = "tcp://127.0.0.1:{free_port()}", client = [{{ name = "bench", key = "{public_key}" }}] }}'


def measure(clients: int, orders: int, rate: float, pairs: int) -> dict[str, Any]:
    """Round trips in ns without and with clients, by the phase they began in; and what the clients heard."""
    keys = make_keys()
    with tempfile.TemporaryDirectory(prefix="tradebot-bench-") as name:
        folder = Path(name) / "journal" / "bench"
        folder.mkdir(parents=True)
        prepare(folder, "none", api_of(keys[0]))
        parts = [start(folder, part) for part in (VENUE, GATEWAY, ENGINE, API)]
        while not (found := status(folder)) or not found["has_gateway"] or figures(folder) is None:
            time.sleep(0.05)
        api = figures(folder)
        assert api is not None
        phases: list[tuple[int, int, bool]] = []
        heard = 0
        push(folder, orders // 4, rate)  # warms up
        used_s = processor_s(parts[-1].pid)
        for number in range(2 * pairs):
            if number % 2:
                with Crowd(api["streams"], api["key"], keys, clients) as people:
                    phases.append(phase(folder, orders, rate, True))
                    before = figures(folder) or {}
                    heard += people.heard.value
                    assert before["connected"] == clients, before
            else:
                phases.append(phase(folder, orders, rate, False))
        api = figures(folder)
        used_s = processor_s(parts[-1].pid) - used_s
        for part in reversed(parts):
            part.terminate()
            part.wait()
        trips = round_trips(folder)
    without, with_ = (times_of(trips, [one for one in phases if one[2] is is_with]) for is_with in (False, True))
    return {"without": without, "with": with_, "heard": heard, "api": api, "phases": len(phases), "used_s": used_s}


def processor_s(pid: int) -> float:
    """What a process and its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def figures(folder: Path) -> dict[str, Any] | None:
    found = ask(ipc_folder(folder), f"{API}.desk", msgspec.json.encode({"verb": "status"}), 5.0)
    return None if found is None else msgspec.json.decode(found, type=dict[str, Any])


def phase(folder: Path, orders: int, rate: float, has_clients: bool) -> tuple[int, int, bool]:
    time.sleep(SETTLE_S)
    began = time.time_ns()
    push(folder, orders, rate)
    return began, time.time_ns(), has_clients


def round_trips(folder: Path) -> list[tuple[int, int]]:
    """When an order was placed, and how long it took."""
    placed, found = {}, []
    for frame in frames_of(folder / ENGINE):
        for answer in answers_of(frame):
            if answer["kind"] == Kind.ORDER_ACCEPTED:
                at = placed[int(answer["id"])]
                found.append((at, int(answer["time_ns"]) - at))
        for command in commands_of(frame.outputs):
            row = np.frombuffer(command, "<i8")
            placed[int(row[5])] = int(row[0])
    return found


def times_of(trips: list[tuple[int, int]], phases: list[tuple[int, int, bool]]) -> list[Times]:
    """By phase."""
    return [np.array([took for at, took in trips if began <= at < ended], np.int64) for began, ended, _ in phases]


def p99_of(phases: list[Times]) -> float:
    """The median of the phases' p99, in ns."""
    return float(np.median([np.percentile(times, 99) for times in phases]))


def main() -> None:
    words = [float(word) for word in sys.argv[1:]]
    clients, orders, rate, pairs = [*words, *(200.0, 1_000.0, 200.0, 8.0)[len(words) :]]
    found = measure(int(clients), int(orders), rate, int(pairs))
    without, with_ = p99_of(found["without"]), p99_of(found["with"])
    print(f"order round trip at {rate:g} orders a second, {int(clients)} clients, half of them stalled, {found['phases']} phases")
    print(show("  without clients, all", np.concatenate(found["without"])))
    print(show("  with them, all", np.concatenate(found["with"])))
    print(f"  median p99 of a phase: {without / 1e3:,.0f} us without, {with_ / 1e3:,.0f} us with: {with_ / without:.2f} times "
          f"(goal: at most {GOAL_RATIO})")  # fmt: skip
    told = found["api"]["told"]
    print(f"  those that read heard {found['heard']:,} messages; the api part told {told:,} in {found['used_s']:.1f} s of a core")


if __name__ == "__main__":
    main()
