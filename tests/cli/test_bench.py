"""`bench replay` and `bench match` as processes of their own."""

import json
from pathlib import Path

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
