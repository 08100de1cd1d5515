"""The twins of `bench actors` and `bench latency`, by pytest-benchmark: mailboxes, questions, messages and restarts, each beside
its bare floor, and tick to order by offered rate, whose percentiles, in microseconds from the intended time, are in its extra
information (--benchmark-json).

Run: python -m pytest benchmarks/actors.py -p pytest_benchmark
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvloop
import zmq

from tradebot.testing import actor_bench
from tradebot.testing.latency_bench import SIDES
from tradebot.testing.tick_stream import stream_of

ASKS = 5_000
TELLS = 256 * 400
MESSAGES = 100_000
RESTARTS = 20
SECONDS = 1.0

Body = Callable[[actor_bench.Context, Path], Coroutine[Any, Any, actor_bench.Times]]


def run(body: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return uvloop.run(body())


def test_tell(benchmark: Any) -> None:
    benchmark(run, lambda: actor_bench.tell(TELLS))


def test_ask_in_process(benchmark: Any, tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    times = benchmark(run, lambda: actor_bench.ask_here(context, tmp_path, ASKS))
    context.destroy(linger=0)
    assert len(times) == ASKS


def test_future_and_call_soon(benchmark: Any) -> None:
    assert len(benchmark(run, lambda: actor_bench.ask_bare(ASKS))) == ASKS


def test_ask_of_an_actor_in_process(benchmark: Any, tmp_path: Path) -> None:
    assert len(benchmark(run, lambda: actor_bench.ask_actor(tmp_path, ASKS))) == ASKS


ACROSS: dict[str, tuple[Body, int]] = {
    "ask": (lambda context, folder: actor_bench.ask_there(context, folder, ASKS), ASKS),
    "ask_of_an_actor": (lambda context, folder: actor_bench.ask_actor_there(folder, ASKS), ASKS),
    "drained_socket": (lambda context, folder: actor_bench.ask_raw(context, folder, ASKS), ASKS),
    "messages": (lambda context, folder: actor_bench.flood(context, folder, MESSAGES), 1),
    "messages_of_a_drained_socket": (lambda context, folder: actor_bench.flood_raw(context, folder, MESSAGES), 1),
    "restart_in_process": (lambda context, folder: actor_bench.restart_here(context, folder, RESTARTS * 10), RESTARTS * 10),
    "restart_of_a_process": (lambda context, folder: actor_bench.restart_there(context, folder, RESTARTS), RESTARTS),
    "restart_of_a_bare_fork": (lambda context, folder: actor_bench.restart_raw(context, folder, RESTARTS), RESTARTS),
}


@pytest.mark.parametrize("name", ACROSS)
def test_across_processes(benchmark: Any, name: str) -> None:
    body, count = ACROSS[name]
    with actor_bench.pinned():
        times = benchmark.pedantic(actor_bench.run, (body,), rounds=3)
    assert len(times) == count


@pytest.mark.parametrize("rate", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("side", ["ours", "bare"])
@pytest.mark.parametrize("mode", SIDES)
def test_tick_to_order(benchmark: Any, tmp_path_factory: pytest.TempPathFactory, mode: str, side: str, rate: int) -> None:
    stream = stream_of(rate, SECONDS)
    through = SIDES[mode][side == "bare"]
    times = benchmark.pedantic(lambda: through(tmp_path_factory.mktemp("node"), stream), rounds=1)
    benchmark.extra_info |= {f"p{part}_us": round(float(np.percentile(times, part)) / 1e3, 1) for part in (50, 99, 99.9)}
    assert len(times) == stream.trades
