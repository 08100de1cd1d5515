"""Imports that go wrong: cut archives, rows off the grid, a kill or Ctrl-C in the middle. What was there before stays whole."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from command import environment, failure, run

ORDERS = "id,timestamp,exchange_timestamp,price,volume,action,direction"
TRADES = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"


def write_ticks(folder: Path, *rows: str) -> Path:
    folder.mkdir()
    (folder / "orders.csv").write_text("\n".join([ORDERS, *rows]) + "\n")
    (folder / "trades.csv").write_text(TRADES + "\n")
    return folder


def listed(folder: Path) -> dict[str, int]:
    """Rows in the store by instrument."""
    entries = json.loads(run(folder, "data", "list", "--json").stdout)["instruments"]
    return {entry["instrument"]: entry["rows"] for entry in entries}


def test_a_truncated_archive_is_refused_and_the_store_is_as_before(place: Path, sample_wheel: Path) -> None:
    (place / "cut.whl").write_bytes(sample_wheel.read_bytes()[:1_000_000])
    for name in ("auto", "bitstamp-l3"):
        line = failure(place, 1, "data", "import", "cut.whl", "--format", name)
        assert "cut.whl" in line and "expected" in line
    assert listed(place) == {"BTC/USD@synthetic": 20_000}


def test_an_archive_with_a_damaged_member_is_refused_and_nothing_of_it_stays(place: Path, tmp_path: Path) -> None:
    rows = [f"{number},{1000 + number},{990 + number},{100 + number % 7},1.5,created,bid" for number in range(1, 5000)]
    folder = write_ticks(tmp_path / "ticks", *rows)
    with zipfile.ZipFile(place / "damaged.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    body = bytearray((place / "damaged.zip").read_bytes())
    middle = body.index(b"orders.csv") + 2_000
    body[middle : middle + 40] = bytes(40)
    (place / "damaged.zip").write_bytes(body)
    assert "damaged.zip" in failure(place, 1, "data", "import", "damaged.zip", "--format", "bitstamp-l3")
    assert listed(place) == {"BTC/USD@synthetic": 20_000}


def test_prices_off_the_grid_are_listed_and_the_rest_comes_in(place: Path) -> None:
    write_ticks(
        place / "ticks",
        "1,1000,990,100,1.5,created,bid",
        "2,1100,1090,101.5,2,created,ask",
        "3,1200,1190,102,0.000000001,created,ask",
        "4,1300,1290,103,2,created,ask",
    )
    done = run(place, "data", "import", "ticks", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["rows"], found["rejected"]) == (0, 2, 2)
    assert [(one["file"], one["line"]) for one in found["rejects"]] == [("orders.csv", 3), ("orders.csv", 4)]
    assert found["rejects"][0]["why"] == "101.5 is not a multiple of 1"
    assert found["rejects"][1]["why"].endswith(" is not a multiple of 1E-8")


def test_an_import_may_be_killed_and_interrupted_and_then_begins_again(tmp_path: Path, sample_wheel: Path) -> None:
    """Rows are in the store and not yet committed when the signal comes: they must stay unseen."""
    ticks = tmp_path / "tradebot_home" / "data" / "data" / "default" / "ticks"
    for sent in (signal.SIGKILL, signal.SIGINT):
        before = set(ticks.glob("*/columns.txt"))
        child = subprocess.Popen(
            [sys.executable, "-m", "tradebot", "data", "import", str(sample_wheel), "--json"],
            cwd=tmp_path, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not set(ticks.glob("*/columns.txt")) - before:
            assert time.monotonic() < deadline and child.poll() is None, child.communicate()
            os.sched_yield()
        child.send_signal(sent)
        out, error = child.communicate(timeout=60)
        assert out == "" and "Traceback" not in error
        if sent == signal.SIGINT:
            assert child.returncode == 1
            assert error.splitlines()[-1] == "tradebot: interrupted: run the same command again to go on"
        assert listed(tmp_path) == {}
    found = json.loads(run(tmp_path, "data", "import", str(sample_wheel), "--json").stdout)
    assert (found["rows"], found["repeated"], found["rejected"]) == (314_341, False, 0)
    assert listed(tmp_path) == {"BTC/USD@bitstamp": 314_341}


@pytest.mark.parametrize("verb", [["data", "list"], ["backtest", "-c", "maker.toml"], ["replay", "last"]])
def test_a_home_that_is_no_folder_is_refused(place: Path, verb: list[str]) -> None:
    (place / "file").write_text("")
    assert "file" in failure(place, 2, *verb, "--home", "file")


def test_a_wrong_tick_imports_nothing_and_fixes_nothing(place: Path) -> None:
    rows = [f"{number},{1000 + number},{990 + number},{100 + number % 3},1.5,created,bid" for number in range(1, 90)]
    write_ticks(place / "ticks", *rows)
    words = ("data", "import", "ticks", "--format", "bitstamp-l3", "--instrument", "ETH/USD@bitstamp")
    wrong = (*words, "--tick", "7", "--lot", "0.5")
    line = failure(place, 1, *wrong)
    assert "expected rows that fit" in line and "orders.csv:" in line and "--tick" in line
    right = run(place, *words, "--tick", "1", "--lot", "0.5", "--json")
    assert (right.returncode, json.loads(right.stdout)["rows"]) == (0, 89)


def test_time_running_back_is_said_and_in_many_rows_refused(place: Path) -> None:
    rows = [f"{number},{1000 + number},990,100,1.5,created,bid" for number in range(1, 400)]
    write_ticks(place / "few", *rows[:200], rows[10].replace("11,", "9999,", 1), *rows[200:])
    done = run(place, "data", "import", "few", "--format", "bitstamp-l3", "--json")
    assert (done.returncode, json.loads(done.stdout)["late"]) == (0, 1)
    assert "found 1 that run back in time" in done.stderr
    write_ticks(place / "many", *rows[::-1])
    line = failure(place, 1, "data", "import", "many", "--format", "bitstamp-l3")
    assert "run back in time; sort the file" in line
    assert listed(place)["BTC/USD@bitstamp"] == 400


def test_one_path_named_twice_counts_once(place: Path) -> None:
    write_ticks(place / "ticks", "1,1000,990,100,1.5,created,bid", "2,1100,1090,102,2,created,ask")
    done = run(place, "data", "import", "ticks", "ticks", "--format", "bitstamp-l3", "--json")
    found = json.loads(done.stdout)
    assert (found["rows"], found["repeated"], listed(place)["BTC/USD@bitstamp"]) == (2, False, 2)


def test_rows_that_another_import_holds_over_the_same_range_are_said(place: Path) -> None:
    rows = [f"{number},{1000 + number},{990 + number},100,1.5,created,bid" for number in range(1, 90)]
    write_ticks(place / "one", *rows)
    assert "warning" not in run(place, "data", "import", "one", "--format", "bitstamp-l3").stdout
    write_ticks(place / "two", *rows[:50])
    done = run(place, "data", "import", "two", "--format", "bitstamp-l3")
    assert "warning: other imports hold rows of these kinds over the same range (50 of l3_add)" in done.stdout
    found = json.loads(run(place, "data", "import", "two", "--format", "bitstamp-l3", "--json").stdout)
    assert (found["beside"], found["repeated"]) == ({}, True)


def test_updates_without_a_book_are_said(place: Path) -> None:
    head = '{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT",'
    diff = head + '"U":%d,"u":%d,"b":[["100.10","1.5"]],"a":[]}}'
    lines = [f"{1_700_000_000_000_000_000 + number} {diff % (number, number)}" for number in range(1, 40)]
    told = '"e":"trade","E":1700000000000,"s":"BTCUSDT","t":1,"p":"100.10","q":"1.5","T":1700000000000,"m":true'
    trade = f'{{"stream":"btcusdt@trade","data":{{{told}}}}}'
    (place / "raw.txt").write_text("\n".join([*lines, f"1700000000000000090 {trade}"]) + "\n")
    done = run(place, "data", "import", "raw.txt", "--format", "binance-raw")
    assert done.returncode == 0, done.stderr
    assert "warning: 39 updates had no book to apply to" in done.stdout


def test_of_several_files_a_licence_is_skipped_and_said_but_a_damaged_recording_is_refused_by_name(place: Path) -> None:
    write_ticks(place / "ticks", "1,1000,990,100,1.5,created,bid")
    (place / "LICENSE").write_text("all rights reserved\n")
    done = run(place, "data", "import", "ticks", "LICENSE", "--format", "bitstamp-l3", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows"], found["skipped"]) == (1, ["LICENSE"]) and "skipped LICENSE: it is no recording" in done.stderr
    (place / "broken.npz").write_bytes(b"no archive")
    assert "broken.npz" in run(place, "data", "import", "ticks", "broken.npz").stderr
    assert run(place, "data", "import", "LICENSE").returncode != 0
