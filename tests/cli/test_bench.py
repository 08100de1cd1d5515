"""`bench replay` and `bench match` as processes of their own."""

import json
from pathlib import Path

import pytest
from command import failure, run

from tests.testing.test_match_bench import write_stream
from tests.testing.test_replay_bench import write_events


def test_a_replay_answers_with_the_keys_of_the_contract(tmp_path: Path) -> None:
    write_events(tmp_path / "events.npz", 2_000)
    done = run(tmp_path, "bench", "replay", "--input", "events.npz", "--strategy", "grid", "--interval", "10ms", "--json")
    found = json.loads(done.stdout)
    keys = {"events", "seconds", "events_per_s", "ns_per_event", "load_s", "orders", "fills", "digest", "peak_rss_mb"}
    assert keys <= set(found)
    assert found["events"] == 2_000 and found["orders"] > 0


def test_what_cannot_be_replayed_is_refused(tmp_path: Path) -> None:
    write_events(tmp_path / "events.npz", 300)
    assert "absent.npz" in failure(tmp_path, 1, "bench", "replay", "--input", "absent.npz")
    assert "--interval" in failure(tmp_path, 2, "bench", "replay", "--input", "events.npz", "--interval", "soon")
    assert "grid" in failure(tmp_path, 2, "bench", "replay", "--input", "events.npz", "--strategy", "grids")


def test_a_stored_instrument_is_replayed_with_its_own_tick_and_lot(place: Path) -> None:
    words = ("bench", "replay", "--strategy", "grid", "--json", "--input")
    found, again = json.loads(run(place, *words, "BTC/USD@synthetic").stdout), (*words, "BTC/USD", "--tick", "1.0")
    assert found["events"] == 20_000 and found["orders"] > 0
    assert json.loads(run(place, *again).stdout)["digest"] == found["digest"]
    assert "expected 1, the step" in failure(place, 2, "bench", "replay", "--input", "BTC/USD", "--tick", "0.1")


def test_what_names_neither_a_file_nor_an_instrument_is_refused_in_one_line(place: Path) -> None:
    (place / "ticks.parquet").write_bytes(b"PAR1")
    write_events(place / "events.npz", 300)
    assert "by their instrument's name" in failure(place, 1, "bench", "replay", "--input", "ticks.parquet")
    assert "the store holds BTC/USD@synthetic" in failure(place, 2, "bench", "replay", "--input", "ETH/USD@synthetic")
    assert "2031" in failure(place, 2, "bench", "replay", "--input", "BTC/USD", "--from", "2031-01-01")
    assert "read whole" in failure(place, 2, "bench", "replay", "--input", "events.npz", "--from", "2031-01-01")
    for option, text in (("--tick", "0"), ("--tick", "-0.1"), ("--lot", "0"), ("--lot", "much")):
        assert option in failure(place, 2, "bench", "replay", "--input", "events.npz", f"{option}={text}")


def test_the_store_answers_with_the_keys_of_the_contract_and_leaves_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "bench", "store", "--rows", "5000", "--json")
    found = json.loads(done.stdout)
    keys = {"ingest_rows_per_s", "raw_ingest_rows_per_s", "read_rows_per_s", "raw_read_rows_per_s", "bytes_per_row"}
    assert keys | {"parquet_bytes_per_row"} <= set(found) and set(found["streams"]) == {"trades", "deltas"}
    assert list((tmp_path / "tradebot_home" / "data").iterdir()) == []
    assert "--rows" in failure(tmp_path, 2, "bench", "store", "--rows", "0")


def test_a_match_answers_with_the_keys_of_the_contract(tmp_path: Path) -> None:
    write_stream(tmp_path, 500)
    found = json.loads(run(tmp_path, "bench", "match", "--input", "ops.npy", "--json").stdout)
    assert {"operations", "ns_per_op", "fills", "digest"} <= set(found)
    assert (found["operations"], found["checked"]) == (500, True)
    assert "absent.npy" in failure(tmp_path, 1, "bench", "match", "--input", "absent.npy")


def test_actors_answer_with_the_keys_of_the_contract_and_leave_no_process(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "bench", "actors", "--rounds", "1", "--scale", "0.02", "--json").stdout)
    assert set(found["rtt_us"]) == {"in_process", "in_process_raw", "ipc", "ipc_raw"}
    assert set(found["restart_ms"]) == {"in_process", "process", "fork_raw"}
    assert set(found["messages_per_s"]) == {"bus", "raw"}
    assert all(one > 0 for part in ("rtt_us", "restart_ms", "messages_per_s") for one in found[part].values())
    assert "--rounds" in failure(tmp_path, 2, "bench", "actors", "--rounds", "0")


@pytest.mark.parametrize("mode", ["inproc", "ipc", "tcp"])
def test_a_latency_is_that_of_every_order_and_answers_with_the_keys_of_the_contract(tmp_path: Path, mode: str) -> None:
    words = ("bench", "latency", "--rate", "2000", "--mode", mode, "--seconds", "0.2", "--json")
    found = json.loads(run(tmp_path, *words).stdout)
    assert found["rate"] == 2_000 and found["orders"] == 36, "each fifth of 200 messages, less a tenth"
    for prefix in ("", "raw_"):
        times = [found[f"{prefix}{name}"] for name in ("p50_us", "p99_us", "p999_us", "max_us")]
        assert times[0] > 0 and times == sorted(times)


def test_a_latency_that_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    assert "--rate" in failure(tmp_path, 2, "bench", "latency", "--rate", "0")
