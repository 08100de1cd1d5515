"""Mailboxes, questions and ticks in one loop, measured by pytest-benchmark; the processes are measured by `tradebot bench`.

Run: python -m pytest benchmarks/actors.py -p pytest_benchmark
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop
import zmq

from tradebot.testing import actor_bench
from tradebot.testing.bare_hops import hop_loop
from tradebot.testing.pinged_node import through_loop
from tradebot.testing.tick_stream import stream_of

ASKS = 5_000
TELLS = 256 * 400
RATE = 10_000


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


def test_ask_across_processes(benchmark: Any) -> None:
    times = benchmark.pedantic(actor_bench.run, (lambda context, folder: actor_bench.ask_there(context, folder, ASKS),), rounds=3)
    assert len(times) == ASKS


def test_drained_socket(benchmark: Any) -> None:
    times = benchmark.pedantic(actor_bench.run, (lambda context, folder: actor_bench.ask_raw(context, folder, ASKS),), rounds=3)
    assert len(times) == ASKS


def test_restart_in_process(benchmark: Any) -> None:
    one = benchmark.pedantic(actor_bench.run, (lambda context, folder: actor_bench.restart_here(context, folder, 100),), rounds=3)
    assert len(one) == 100


def test_tick_to_order_in_one_loop(benchmark: Any, tmp_path_factory: Any) -> None:
    stream = stream_of(RATE, 0.5)
    times = benchmark.pedantic(lambda: through_loop(tmp_path_factory.mktemp("node"), stream), rounds=3)
    assert len(times) == stream.trades


def test_bare_hops_in_one_loop(benchmark: Any, tmp_path: Path) -> None:
    stream = stream_of(RATE, 0.5)
    assert len(benchmark.pedantic(hop_loop, (tmp_path, stream), rounds=3)) == stream.trades
