"""`data book`, `data bbo` and `data audit` as processes: answers, tables, pipes that close early, and calls that are wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import environment, failure, run

ORDERS = "id,timestamp,exchange_timestamp,price,volume,action,direction"
TRADES = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"


@pytest.fixture
def ticks(tmp_path: Path) -> Path:
    """A folder whose home has a small book: times are in seconds of 1970, orders 1 and 2 stand from 1 s on."""
    (tmp_path / "ticks").mkdir()
    rows = [
        "1,1000,990,100,1.5,created,bid",
        "2,1000,990,103,2,created,ask",
        "3,1500,1400,101,1,created,bid",
        "3,2000,1900,101,1,deleted,bid",
        "1,2500,2400,100,1.5,deleted,bid",
    ]
    (tmp_path / "ticks" / "orders.csv").write_text("\n".join([ORDERS, *rows]) + "\n")
    (tmp_path / "ticks" / "trades.csv").write_text(TRADES + "\n")
    assert run(tmp_path, "data", "import", "ticks").returncode == 0
    return tmp_path


BOOK = ("data", "book", "--instrument", "BTC/USD@bitstamp")
BBO = ("data", "bbo", "--instrument", "BTC/USD")


def test_the_book_at_a_moment(ticks: Path) -> None:
    done = run(ticks, *BOOK, "--at", "1970-01-01T00:00:01.6Z", "--depth", "5", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["time_ns"] == 1_600_000_000 and found["last_ns"] == 1_500_000_000
    assert found["bids"] == [["101", "1.00000000"], ["100", "1.50000000"]]
    assert found["asks"] == [["103", "2.00000000"]]
    best = json.loads(run(ticks, *BOOK, "--at", "1600000000", "--depth", "1", "--json").stdout)
    assert best["bids"] == [["101", "1.00000000"]] and best["time_ns"] == found["time_ns"]
    lines = run(ticks, *BOOK, "--at", "1600000000").stdout.splitlines()
    assert lines[0].split() == ["bid_quantity", "bid", "ask", "ask_quantity"]
    assert lines[1].split() == ["1.00000000", "101", "103", "2.00000000"]
    assert lines[2].split() == ["1.50000000", "100"]


def test_best_prices_one_line_an_event(ticks: Path) -> None:
    done = run(ticks, *BBO, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {tuple(one) for one in found} == {("time_ns", "venue_sequence", "bid", "bid_quantity", "ask", "ask_quantity")}
    assert [(one["time_ns"] // 10**6, one["bid"], one["ask"]) for one in found] == [
        (1000, "100", "103"), (1500, "101", "103"), (2000, "100", "103"), (2500, None, "103"),
    ]  # fmt: skip
    assert found[-1]["bid_quantity"] is None and found[0]["bid_quantity"] == "1.50000000"
    part = run(ticks, *BBO, "--from", "1500000000", "--to", "1970-01-01T00:00:02.5Z", "--json").stdout.splitlines()
    assert [json.loads(line) for line in part] == found[1:3]
    lines = run(ticks, *BBO).stdout.splitlines()
    assert lines[0].split() == ["time", "venue_sequence", "bid", "bid_quantity", "ask", "ask_quantity"]
    last = ["1970-01-01T00:00:02.500000000Z", str(found[-1]["venue_sequence"]), "-", "-", "103", "2.00000000"]
    assert lines[-1].split() == last


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_failure_to_speak_of(place: Path, form: list[str]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tradebot", "data", "bbo", "--instrument", "BTC/USD@synthetic", *form],
        cwd=place, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None and child.stderr is not None
    assert "bid" in child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == ""
    child.stderr.close()
    child.wait(timeout=60)
    assert run(place, "data", "list").returncode == 0, "the store is free again"


def test_an_audit_scores_days_and_draws_them(place: Path) -> None:
    done = run(place, "data", "audit", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert {"score", "gaps", "duplicates", "outliers", "coverage", "audit", "picture"} <= set(found)
    (day,) = found["audit"]
    assert {"instrument", "day", "score", "gaps", "duplicates", "outliers", "coverage"} <= set(day)
    assert (day["instrument"], day["score"], day["coverage"], day["rows"]) == ("BTC/USD@synthetic", 100.0, 1.0, 20_000)
    picture = Path(found["picture"])
    assert picture.parent == (place / "tradebot_home" / "results").resolve()
    assert "</html>" in picture.read_text()
    lines = run(place, "data", "audit", "--instrument", "BTC/USD").stdout.splitlines()
    assert lines[0].split()[:3] == ["instrument", "day", "score"]
    assert lines[1].split()[:4] == ["BTC/USD@synthetic", day["day"], "100", "20,000"]
    assert lines[-1] == f"picture: {picture}"
    assert "found none; the latest runs: none" in failure(place, 2, "report", "last"), "a picture is no run"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["data", "book", "--at", "1600000000"], "--instrument"),
        ([*BOOK], "--at"),
        ([*BOOK, "--at", "1600000000", "--depth", "0"], "expected a --depth of at least 1, found 0"),
        ([*BOOK, "--at", "1600000000", "--depth", "-3"], "expected a --depth of at least 1, found -3"),
        ([*BOOK, "--at", "1600000000", "--depth", "many"], "--depth"),
        ([*BOOK, "--at", "soon"], "--at: expected a date such as 2024-01-31"),
        ([*BOOK, "--at", "1970-01-01"], "expected a moment within the ticks of BTC/USD@bitstamp, 1970-01-01T00:00:01.0"),
        ([*BOOK, "--at", "2030-01-01"], "found 2030-01-01T00:00:00"),
        ([*BOOK, "--at", "1600000000", "--kind", "l2"], "expected price-level book facts"),
        (["data", "book", "--instrument", "BTC/EUR", "--at", "1600000000"], "the nearest is BTC/USD@bitstamp"),
        ([*BBO, "--from", "1970-01-02"], "expected a range within the ticks of BTC/USD@bitstamp"),
        ([*BBO, "--from", "1100000000", "--to", "1200000000"], "expected order-by-order or price-level book facts"),
        ([*BBO, "--from", "1970-01-02", "--to", "1970-01-01T12:00Z"], "expected --from before --to"),
        ([*BBO, "--to", "yesterday"], "--to: expected a date"),
        (["data", "bbo", "--instrument", "nothing"], "expected a known instrument"),
        (["data", "audit", "--instrument", "BTC/EUR"], "the nearest is BTC/USD@bitstamp"),
        (["data", "audit", "--from", "1970-01-02"], "expected a range within the ticks of BTC/USD@bitstamp"),
        (["data", "audit", "--from", "1100000000", "--to", "1200000000"], "a hole of the recording"),
        (["data", "audit", "--from", "x"], "--from: expected a date"),
        (["data", "audit", "--home", "empty"], "expected ticks of any instrument, found none"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_one_line(ticks: Path, arguments: list[str], said: str) -> None:
    assert said in failure(ticks, 2, *arguments)
    assert not list((ticks / "tradebot_home" / "results").glob("*"))
