"""Benchmarks run at a small scale with the tests, so that they cannot rot. What they measure is not asserted; that
they did all the work is: each gives the same digest or checksum again."""

import pytest

from benchmarks import backtest, clients, indicators, journal, memory, memory_store, order_path, startup

GROWTH_MAX_MB = 64.0


def test_order_path_sends_and_fills_every_order() -> None:
    first, again = order_path.measure(200), order_path.measure(200)
    assert [row["digest"] for row in first] == [row["digest"] for row in again]


def test_backtest_steps_every_event() -> None:
    rows = backtest.measure(5_000)
    assert {row["events"] for row in rows} == {rows[0]["events"]}
    assert rows[2]["orders"] > 0


def test_memory_runs_every_round() -> None:
    one, two = memory.measure(2)
    assert two["events"] == 2 * one["events"]


def test_memory_of_a_replay_from_the_store_does_not_grow_with_its_facts() -> None:
    """2.4 million facts more are 150 MB of records; a replay holds some blocks of them."""
    _, quarter, whole = memory_store.measure(3_200_000)
    assert (quarter["events"], whole["events"]) == (pytest.approx(800_000, rel=0.01), 3_200_000)
    assert float(str(whole["peak_mb"])) < 500
    assert float(str(whole["peak_mb"])) - float(str(quarter["peak_mb"])) < GROWTH_MAX_MB


def test_clients_of_a_node_hear_it_and_every_order_comes_back() -> None:
    found = clients.measure(clients=6, orders=60, rate=200.0, pairs=1)
    assert [len(times) for times in (*found["without"], *found["with"])] == [60, 60]
    assert found["heard"] > 0 and found["api"]["refused"] == {}


def test_indicators_take_in_every_bar() -> None:
    first, again = indicators.measure(200), indicators.measure(200)
    assert [row["checksum"] for row in first] == [row["checksum"] for row in again]
    assert all(row["checksum"] for row in first)


def test_journal_writes_every_frame() -> None:
    rows = journal.measure(100)
    assert [row["facts"] for row in rows] == [6_400, 6_400]
    assert rows[0]["checksum"] == rows[1]["checksum"] != 0


def test_startup_measures_each_command() -> None:
    assert all(row["ms"] > 0 for row in startup.measure(1))


def test_l3_book_is_the_same_book_again() -> None:
    pytest.importorskip("numba", reason="the stream's generator needs numba: make bench installs it")
    from benchmarks import l3_book

    assert l3_book.measure(20_000)[0]["book_hash"] == l3_book.measure(20_000)[0]["book_hash"]


def test_match_comes_to_what_the_generator_counted() -> None:
    pytest.importorskip("numba", reason="the stream's generator needs numba: make bench installs it")
    from benchmarks import match

    (row,) = match.measure(20_000)
    assert row["fills"] and row["operations"] == 20_000


def test_actors_tell_ask_and_restart() -> None:
    """Its twins of pytest-benchmark are in benchmarks/actors.py."""
    from tradebot.testing import actor_bench

    assert len(actor_bench.run(lambda context, folder: actor_bench.ask_here(context, folder, 20))) == 20
    assert len(actor_bench.run(lambda context, folder: actor_bench.restart_here(context, folder, 3))) == 3
    assert actor_bench.run(lambda context, folder: actor_bench.tell(512))
