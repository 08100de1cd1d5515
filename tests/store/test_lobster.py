"""The lobster importer: a window's book from its rows, events of orders beside it, and files that do not belong together."""

from pathlib import Path

import pytest

from tests.store.raw_lines import cut, write
from tests.store.support import Records, joined
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag, Kind
from tradebot.domain.errors import BadContainer, UsageError
from tradebot.store.client import Store
from tradebot.store.formats import open_import
from tradebot.store.imports import Findings
from tradebot.store.instruments import make_instrument
from tradebot.store.lobster import instruments, open_source, recognises

AMZN = make_instrument("AMZN/USD@nasdaq", tick="0.0001", lot="1")
MIDNIGHT_NS = 1_340_251_200 * 10**9  # 2012-06-21, New York in summer
NAME = "AMZN_2012-06-21_34200000_57600000_{}_1.csv"

MESSAGES = [
    "34200.5,1,70,10,1000000,1",
    "34200.5,4,60,4,1000200,-1",
    "34201.25,5,0,7,1000150,-1",
    "34202,2,70,3,1000000,1",
    "34203,3,70,7,1000000,1",
]
BOOKS = [
    "1000200,9,1000000,10",
    "1000200,5,1000000,10",
    "1000200,5,1000000,10",
    "1000200,5,1000000,7",
    "1000200,5,-9999999999,0",
]


def write_day(folder: Path, messages: list[str], books: list[str], name: str = NAME, suffix: str = "") -> Path:
    write(folder / (name.format("message") + suffix), *messages)
    write(folder / (name.format("orderbook") + suffix), *books)
    return folder


def read(path: Path) -> tuple[Records, Findings]:
    source, batches = open_source(path, AMZN)
    return joined(batches), source.findings


def shown(records: Records) -> list[tuple[int, str, int, int, int]]:
    fields = records[["venue_sequence", "kind", "price", "quantity", "flags"]].tolist()
    return [(number, Kind(kind).name, price, quantity, flags) for number, kind, price, quantity, flags in fields]


def test_each_row_is_its_event_its_trade_and_the_levels_that_changed(tmp_path: Path) -> None:
    records, findings = read(write_day(tmp_path, MESSAGES, BOOKS))
    sell, snapshot, begin, last, void = (int(flag) for flag in (Flag.SELL, Flag.SNAPSHOT, Flag.BEGIN, Flag.LAST, Flag.VOID))
    assert shown(records) == [
        (0, "L3_ADD", 1_000_200, 4, sell | snapshot | void),
        (1, "L3_ADD", 1_000_000, 10, void),
        (1, "L2_LEVEL", 1_000_000, 10, snapshot | begin),
        (1, "L2_LEVEL", 1_000_200, 9, sell | snapshot | last),
        (2, "L3_EXECUTE", 1_000_200, 4, sell | void),
        (2, "TRADE", 1_000_200, 4, 0),
        (2, "L2_LEVEL", 1_000_200, 5, sell | last),
        (3, "TRADE", 1_000_150, 7, 0),
        (4, "L3_CHANGE", 1_000_000, 7, void),
        (4, "L2_LEVEL", 1_000_000, 7, last),
        (5, "L3_DELETE", 1_000_000, 7, void),
        (5, "L2_LEVEL", 1_000_000, 0, last),
    ]
    trade = records[5]
    assert (int(trade["id"]), int(trade["id2"])) == (0, 60), "the seller rested"
    assert records["time_ns"].tolist()[:5] == [MIDNIGHT_NS + 34_200_500_000_000] * 5
    assert records["venue_ns"].tolist() == records["time_ns"].tolist()
    assert findings.repairs == {"order_event_in_a_window": 5} and findings.rejected == 0


def test_the_book_after_each_row_is_the_rows(tmp_path: Path) -> None:
    records, _ = read(write_day(tmp_path, MESSAGES, BOOKS))
    book = L2Book()
    for number, row in enumerate(BOOKS, 1):
        book.apply(records[records["venue_sequence"] == number])
        ask, ask_size, bid, bid_size = map(int, row.split(","))
        assert book.depth(1, 5) == [(ask, ask_size)]
        assert book.depth(0, 5) == ([(bid, bid_size)] if bid > 0 else [])


def test_levels_that_leave_the_window_are_deleted(tmp_path: Path) -> None:
    books = ["1000200,9,1000000,10,1000300,8,999900,1", "1000100,1,1000000,10,1000200,9,999900,1"]
    records, _ = read(write_day(tmp_path, [MESSAGES[0], "34201,1,71,1,1000100,-1"], books, NAME.replace("_1", "_2")))
    assert shown(records)[-2:] == [(2, "L2_LEVEL", 1_000_300, 0, 1), (2, "L2_LEVEL", 1_000_100, 1, 9)]


def test_names_of_columns_may_stand_above(tmp_path: Path) -> None:
    plain, _ = read(write_day(tmp_path / "a", MESSAGES, BOOKS))
    headed = write_day(
        tmp_path / "b",
        ["Time,Type,OrderId,Size,Price,Direction", *MESSAGES],
        ["BestAsk,BestAskVolume,BestBid,BestBidVolume", *BOOKS],
        suffix=".xz",
    )
    assert read(headed)[0].tobytes() == plain.tobytes()


def test_any_of_the_two_files_names_the_day(tmp_path: Path) -> None:
    folder = write_day(tmp_path, MESSAGES, BOOKS, suffix=".gz")
    paths = [folder, *(folder / (NAME.format(what) + ".gz") for what in ("message", "orderbook"))]
    assert all(recognises(path) for path in paths)
    assert len({open_source(path, AMZN)[0].import_id(AMZN.id) for path in paths}) == 1
    assert [one.name for one in instruments(folder)] == ["AMZN/USD@nasdaq"]
    assert open_import(folder).source.format == "lobster"


def test_days_follow_one_another_and_each_begins_with_a_snapshot(tmp_path: Path) -> None:
    write_day(tmp_path, MESSAGES, BOOKS, NAME.replace("06-21", "12-21"))
    write_day(tmp_path, MESSAGES, BOOKS)
    write_day(tmp_path, MESSAGES, BOOKS, NAME.replace("AMZN", "MSFT"))
    records, findings = read(tmp_path)
    begins = records[records["flags"] & int(Flag.BEGIN) != 0]
    assert findings.late == 0 and len(begins) == 2
    winter = 1_356_066_000 * 10**9
    assert begins["time_ns"].tolist() == [MIDNIGHT_NS + 34_200_500_000_000, winter + 34_200_500_000_000]
    assert [one.name for one in instruments(tmp_path)] == ["AMZN/USD@nasdaq", "MSFT/USD@nasdaq"]


def test_an_elder_order_has_what_its_events_will_take(tmp_path: Path) -> None:
    messages = ["34200,2,60,3,1000200,-1", "34201,4,60,2,1000200,-1", "34202,3,60,1,1000200,-1"]
    records, _ = read(write_day(tmp_path, messages, [BOOKS[0]] * 3))
    events = records[records["kind"] != int(Kind.L2_LEVEL)]
    assert [(kind, lots) for _, kind, _, lots, _ in shown(events)] == [
        ("L3_ADD", 6), ("L3_CHANGE", 3), ("L3_EXECUTE", 2), ("TRADE", 2), ("L3_DELETE", 1),
    ]  # fmt: skip


def test_halts_are_counted_and_crosses_are_trades(tmp_path: Path) -> None:
    messages = [MESSAGES[0], "34201,7,0,0,-1,-1", "34202,6,0,500,1000100,-1"]
    records, findings = read(write_day(tmp_path, messages, [BOOKS[0]] * 3))
    assert findings.notes == {"halt_messages": 1} and findings.rejected == 0
    assert shown(records)[-1][:4] == (3, "TRADE", 1_000_100, 500)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("34200.6,1,71,10,1000000", "expected 6 fields, found 5"),
        ("34200.6,9,71,10,1000000,1", "expected a type from 1 to 7"),
        ("34200.6,1,71,10,1000000,0", "expected the direction 1 or -1"),
        ("34200.6,1,71,10,-1,1", "expected a whole number, found b'-1'"),
        ("34200.6,1,71,1.5,1000000,1", "expected a whole number"),
        ("noon,1,71,10,1000000,1", "expected a time"),
    ],
)
def test_a_bad_message_is_listed_and_its_book_is_kept(tmp_path: Path, bad: str, why: str) -> None:
    records, findings = read(write_day(tmp_path, [MESSAGES[0], bad, *MESSAGES[2:]], BOOKS))
    (rejected,) = findings.rejects
    assert (rejected.file, rejected.line) == (NAME.format("message"), 2) and why in rejected.why
    row = records[records["venue_sequence"] == 2]
    assert shown(row) == [(2, "L2_LEVEL", 1_000_200, 5, int(Flag.SELL | Flag.LAST))]
    assert (records["time_ns"] > MIDNIGHT_NS).all() and findings.late == 0


def test_a_bad_book_is_listed_and_the_next_one_makes_it_good(tmp_path: Path) -> None:
    records, findings = read(write_day(tmp_path, MESSAGES, [BOOKS[0], "1000200,x,1000000,10", *BOOKS[2:]]))
    (rejected,) = findings.rejects
    assert (rejected.file, rejected.line) == (NAME.format("orderbook"), 2)
    assert shown(records[records["venue_sequence"] == 3])[-1] == (3, "L2_LEVEL", 1_000_200, 5, int(Flag.SELL | Flag.LAST))


def test_a_coarser_tick_rejects_what_lies_between(tmp_path: Path) -> None:
    folder = write_day(tmp_path, MESSAGES, BOOKS)
    opened = open_import(folder, tick="0.01")
    assert opened.instrument.tick == "0.01"
    records = joined(opened.batches)
    assert [one.line for one in opened.source.findings.rejects] == [3]
    assert set(records[records["kind"] == int(Kind.L2_LEVEL)]["price"].tolist()) == {10_000, 10_002}


def test_time_that_runs_back_is_counted(tmp_path: Path) -> None:
    records, findings = read(write_day(tmp_path, [MESSAGES[0], "34199,3,70,10,1000000,1"], [BOOKS[0], BOOKS[4]]))
    assert findings.late == 1 and len(set(records["time_ns"].tolist())) == 1


@pytest.mark.parametrize("longer", ["message", "orderbook"])
def test_files_of_unequal_length_are_a_bad_container(tmp_path: Path, longer: str, store: Store) -> None:
    cut_off = {"message": (MESSAGES, BOOKS[:3]), "orderbook": (MESSAGES[:3], BOOKS)}[longer]
    folder = write_day(tmp_path / "day", *cut_off)
    with pytest.raises(BadContainer, match=rf"as many rows in .* as in .*{longer}_1\.csv, found fewer"):
        store.import_records(AMZN, *open_source(folder, AMZN))
    assert store.catalogue() == []


def test_a_missing_twin_and_a_missing_ticker_are_named(tmp_path: Path) -> None:
    folder = write_day(tmp_path, MESSAGES, BOOKS)
    with pytest.raises(UsageError, match=r"expected files of MSFT in .*, found AMZN"):
        open_source(folder, make_instrument("MSFT/USD@nasdaq", "0.0001", "1"))
    (folder / NAME.format("orderbook")).unlink()
    with pytest.raises(BadContainer, match="expected the orderbook file of AMZN 2012-06-21"):
        open_source(folder, AMZN)
    assert not recognises(folder)


def test_a_file_that_ends_early_is_a_bad_container_and_the_store_is_as_before(tmp_path: Path, store: Store) -> None:
    messages = [f"{34_200 + number}.{number**3 % 997},1,{number + 1},10,1000000,1" for number in range(5_000)]
    books = [f"1000200,9,1000000,{number**3 % 997}" for number in range(5_000)]
    folder = write_day(tmp_path / "day", messages, books, suffix=".xz")
    cut(folder / (NAME.format("orderbook") + ".xz"))
    with pytest.raises(BadContainer, match=r"expected a whole .*orderbook"):
        store.import_records(AMZN, *open_source(folder, AMZN))
    assert store.catalogue() == []
