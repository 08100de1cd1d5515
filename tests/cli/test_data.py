"""Ticks through the command line: import, list, the sample and its stand-in, each in a process and home of
its own."""

import json
from pathlib import Path

import pytest
from command import failure, run

ORDERS = "id,timestamp,exchange_timestamp,price,volume,action,direction"
TRADES = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}


def write_ticks(folder: Path, *more: str) -> Path:
    folder.mkdir()
    rows = [
        "1,1000,990,100,1.5,created,bid",
        "2,1000,990,101,2,created,ask",
        "3,1500,1400,99,1,created,bid",
        *more,
        "3,2000,1900,99,1,deleted,bid",
    ]
    (folder / "orders.csv").write_text("\n".join([ORDERS, *rows]) + "\n")
    (folder / "trades.csv").write_text(TRADES + "\n")
    return folder


def test_an_import_tells_its_rows_and_range_and_the_list_shows_it(tmp_path: Path) -> None:
    write_ticks(tmp_path / "ticks")
    done = run(tmp_path, "data", "import", "ticks", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert {"rows", "first_ns", "last_ns", "gaps", "duplicates", "repaired", "rejected"} <= set(found)
    assert (found["rows"], found["rejected"], found["rejects"]) == (4, 0, [])
    assert (found["first_ns"], found["last_ns"]) == (1_000_000_000, 2_000_000_000)
    (entry,) = json.loads(run(tmp_path, "data", "list", "--json").stdout)["instruments"]
    assert (entry["instrument"], entry["rows"]) == ("BTC/USD@bitstamp", 4)
    assert entry["kinds"] == {"l3_add": 3, "l3_delete": 1}
    lines = run(tmp_path, "data", "list").stdout.splitlines()
    assert lines[0].split() == ["instrument", "rows", "first", "last", "bytes", "kinds"]
    assert lines[1].split()[:3] == ["BTC/USD@bitstamp", "4", "1970-01-01T00:00:01.000000000Z"]
    assert lines[1].endswith("l3_add 3, l3_delete 1")


def test_the_same_import_again_adds_nothing(tmp_path: Path) -> None:
    write_ticks(tmp_path / "ticks")
    first = json.loads(run(tmp_path, "data", "import", "ticks", "--json").stdout)
    again = json.loads(run(tmp_path, "data", "import", "ticks", "--json").stdout)
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert json.loads(run(tmp_path, "data", "list", "--json").stdout)["instruments"][0]["rows"] == 4


def test_several_paths_are_counted_together_and_none_starts_when_one_is_wrong(tmp_path: Path) -> None:
    write_ticks(tmp_path / "one")
    write_ticks(tmp_path / "two", "4,1600,1500,98,1,created,bid")
    assert "found nothing at absent" in failure(tmp_path, 2, "data", "import", "one", "absent")
    assert json.loads(run(tmp_path, "data", "list", "--json").stdout) == {"instruments": []}
    found = json.loads(run(tmp_path, "data", "import", "one", "two", "--json").stdout)
    assert found["rows"] == 9


def test_a_bad_row_is_listed_with_file_and_line_and_the_rest_is_imported(tmp_path: Path) -> None:
    good = [f"{number},1600,1500,100,1,created,bid" for number in range(10, 50)]
    write_ticks(tmp_path / "ticks", "4,1600,1500,many,1,created,bid", *["5,1600"] * 30, *good)
    done = run(tmp_path, "data", "import", "ticks")
    assert done.returncode == 0
    rejected = [line for line in done.stdout.splitlines() if line.startswith("rejected ") and ":" in line]
    assert rejected[0] == "rejected orders.csv:5: expected a decimal price, found 'many'"
    assert len(rejected) == 20
    assert done.stdout.splitlines()[-1] == "and 11 more rejected rows; --json lists more of them"


def test_an_import_of_no_rows_has_failed(tmp_path: Path) -> None:
    folder = write_ticks(tmp_path / "ticks")
    (folder / "orders.csv").write_text(f"{ORDERS}\nno,row,that,can,be,read,here\n")
    line = failure(tmp_path, 1, "data", "import", "ticks", "--json")
    assert line.startswith("tradebot: expected rows that fit, found 1 rejected of 1")
    (folder / "orders.csv").write_text(ORDERS + "\n")
    (folder / "trades.csv").write_text(TRADES + "\n")
    done = run(tmp_path, "data", "import", "ticks", "--json")
    assert (done.returncode, json.loads(done.stdout)["rows"]) == (1, 0)
    assert done.stderr.startswith("tradebot: expected rows to import, found none") and done.stderr.count("\n") == 1


def test_a_new_instrument_needs_its_tick_and_lot(tmp_path: Path) -> None:
    write_ticks(tmp_path / "ticks")
    arguments = ["data", "import", "ticks", "--instrument", "ETH/EUR@bitstamp"]
    assert "give its --tick and --lot" in failure(tmp_path, 2, *arguments)
    found = json.loads(run(tmp_path, *arguments, "--tick", "0.5", "--lot", "0.1", "--json").stdout)
    assert (found["instrument"], found["rows"]) == ("ETH/EUR@bitstamp", 4)


def test_a_wrong_format_is_refused(tmp_path: Path) -> None:
    write_ticks(tmp_path / "ticks")
    line = failure(tmp_path, 2, "data", "import", "ticks", "--format", "bitstamp")
    assert "expected one of the formats auto, bitstamp-l3, " in line and "found 'bitstamp'" in line
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "other.csv" in failure(tmp_path, 1, "data", "import", "other.csv")


def test_an_empty_list_says_what_to_do(tmp_path: Path) -> None:
    assert run(tmp_path, "data", "list").stdout.startswith(
        "no ticks yet: bring some with `tradebot data sample`"
    )


def test_without_an_index_the_seeded_stream_comes_and_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "data", "sample", "--json", **OFFLINE)
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert (found["source"], found["instrument"]) == ("synthetic", "BTC/USD@synthetic")
    assert found["rows"] > 0 and found["first_ns"] < found["last_ns"]
    note = done.stderr.splitlines()[-1]
    assert note.startswith("no sample: expected ob-analytics==0.1.0") and note == found["note"]


@pytest.mark.sample
def test_the_sample_comes_from_the_index_and_is_there_the_second_time(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "data", "sample", "--json").stdout)
    if found["source"] == "synthetic":
        pytest.skip(found["note"])
    assert (found["instrument"], found["note"]) == ("BTC/USD@bitstamp", "")
    assert found["rows"] == 314_057 + 284, "order events and trades"
    again = json.loads(run(tmp_path, "data", "sample", "--json", **OFFLINE).stdout)
    assert again == {**found, "repeated": True}


def test_the_formats_that_help_lists_are_those_that_exist() -> None:
    from tradebot.cli.data import FORMATS as LISTED
    from tradebot.store.formats import FORMATS

    assert set(LISTED) == set(FORMATS)


def test_an_export_comes_back_in_a_fresh_home(tmp_path: Path) -> None:
    write_ticks(tmp_path / "ticks")
    run(tmp_path, "data", "import", "ticks")
    call = ("data", "export", "--instrument", "BTC/USD", "--json", "--out")
    first = json.loads(run(tmp_path, *call, "ticks.parquet").stdout)
    found = json.loads(run(tmp_path, "data", "import", "ticks.parquet", "--home", "other", "--json").stdout)
    again = json.loads(run(tmp_path, *call, "again.parquet", "--home", "other").stdout)
    assert (first["rows"], found["rows"], found["instrument"]) == (4, 4, "BTC/USD@bitstamp")
    assert first["checksum"] == again["checksum"]
    part = json.loads(run(tmp_path, *call, "part.parquet", "--from", "1970-01-01T00:00:01.5Z").stdout)
    assert (part["rows"], part["first_ns"]) == (2, 1_500_000_000)


def test_an_export_of_nothing_is_refused_and_names_what_there_is(tmp_path: Path) -> None:
    write_ticks(tmp_path / "ticks")
    run(tmp_path, "data", "import", "ticks")
    call = ("data", "export", "--instrument", "BTC/USD", "--out", "x.parquet")
    assert "1970-01-01T00:00:01" in failure(tmp_path, 2, *call, "--from", "2020-01-01")
    assert "expected a date" in failure(tmp_path, 2, *call, "--to", "tomorrow")
    assert not (tmp_path / "x.parquet").exists()
