"""The binance-raw importer: files that continue one another, what a bad line costs, and what is no recording at all."""

from pathlib import Path
from typing import Any

import pytest

from tests.store.raw_lines import cut, text, write
from tests.store.support import Records, joined
from tradebot._core.depth import L2Book
from tradebot._core.types import Kind
from tradebot.domain.errors import BadContainer, UsageError
from tradebot.store.binance_raw import instruments, open_source, recognises
from tradebot.store.client import Store
from tradebot.store.formats import open_import
from tradebot.store.imports import Findings, Rejected
from tradebot.store.instruments import make_instrument

BTC = make_instrument("BTC/USD:BTC@binance-inverse", tick="0.1", lot="1", multiplier="100")
T0 = 1_723_161_256_000_000_000


def line(at: int, body: str) -> str:
    return f"{T0 + at} {body}"


def diff(previous: int, last: int, bids: Any = (), asks: Any = (), code: str = "BTCUSD_PERP") -> str:
    data = {"e": "depthUpdate", "T": 1, "s": code, "U": previous + 1, "u": last, "pu": previous, "b": bids, "a": asks}
    return text(stream=f"{code.lower()}@depth@0ms", data=data)


def snapshot(last: int, bids: Any, asks: Any) -> str:
    return text(lastUpdateId=last, symbol="BTCUSD_PERP", bids=bids, asks=asks)


FIRST = [
    line(1, diff(5, 9)),
    line(2, diff(9, 12, [["100.0", "7"]])),
    line(3, snapshot(10, [["99.9", "1"]], [["100.1", "2"]])),
    line(4, diff(12, 15, [["100.0", "3"]])),
]
SECOND = [line(10, diff(15, 16, [], [["100.1", "5"]])), line(11, diff(16, 17, [["99.9", "0"]]))]


def read(path: Path) -> tuple[Records, Findings]:
    source, batches = open_source(path, BTC)
    return joined(batches), source.findings


def levels(records: Records) -> list[tuple[int, ...]]:
    return [(int(row["venue_sequence"]), int(row["price"]), int(row["quantity"])) for row in records]


def test_a_book_begins_with_its_snapshot_and_the_diffs_that_waited(tmp_path: Path) -> None:
    records, findings = read(write(tmp_path / "a.gz", *FIRST))
    assert levels(records) == [(10, 999, 1), (10, 1001, 2), (12, 1000, 7), (15, 1000, 3)]
    assert records["time_ns"].tolist() == [T0 + 3] * 3 + [T0 + 4]
    assert set(records["instrument"].tolist()) == {BTC.id}
    assert findings.notes == {"diffs_before_snapshot": 1} and findings.gaps == 0


def test_files_of_a_folder_continue_one_another_in_the_order_of_their_first_lines(tmp_path: Path) -> None:
    write(tmp_path / "z.gz", *FIRST)
    write(tmp_path / "a.xz", *SECOND)
    write(tmp_path / "LICENSE", "Permission is hereby granted")
    records, findings = read(tmp_path)
    assert records["venue_sequence"].tolist() == [10, 10, 12, 15, 16, 17]
    assert findings.gaps == 0
    book = L2Book()
    book.apply(records)
    assert (book.depth(0, 5), book.depth(1, 5)) == ([(1000, 3)], [(1001, 5)])


def test_a_continuation_alone_begins_with_a_gap_and_an_empty_book_and_says_so(tmp_path: Path) -> None:
    records, findings = read(write(tmp_path / "a", *SECOND))
    assert [Kind(kind).name for kind in records["kind"].tolist()] == ["GAP", "L2_LEVEL"]
    assert records["time_ns"].tolist() == [T0 + 10] * 2 and findings.gaps == 1
    assert findings.notes == {"diffs_without_book": 2}
    book = L2Book()
    book.apply(read(write(tmp_path / "b", *FIRST))[0])
    assert book.bid is not None
    book.apply(records)
    assert (book.bid, book.ask) == (None, None), "no price of the recording before is shown"


def test_a_missing_diff_is_one_gap_and_the_rest_waits_for_a_snapshot(tmp_path: Path) -> None:
    records, findings = read(write(tmp_path / "a", *FIRST, SECOND[1], line(12, snapshot(17, [["98.0", "1"]], []))))
    kinds = [Kind(kind).name for kind in records["kind"].tolist()]
    assert kinds[4:] == ["GAP", "L2_LEVEL", "L2_LEVEL"] and findings.gaps == 1
    gap = records[4]
    assert (int(gap["venue_sequence"]), int(gap["id"])) == (16, 15)
    book = L2Book()
    book.apply(records[:6])
    assert (book.bid, book.ask) == (None, None), "no price is shown where none is known"
    book.apply(records[6:])
    assert book.depth(0, 5) == [(980, 1)]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (line(5, '{"stream":"x","data":{"e":"depthUp'), "expected a message of Binance"),
        ("x" + line(5, diff(15, 16)), "expected a time"),
        ("99999999999999999999 {}", "64 bits of nanoseconds"),
        (line(5, ""), "expected a message of Binance"),
        (line(5, diff(15, 16, [["100.05", "1"]])), "100.05 is not a multiple of 0.1"),
        (line(5, diff(15, 16, [["100.0", "0.5"]])), "0.5 is not a multiple of 1"),
        (line(5, diff(15, 16, [["-1", "1"]])), "expected a price"),
    ],
)
def test_a_bad_line_is_listed_and_the_lost_diff_is_a_gap(tmp_path: Path, bad: str, why: str) -> None:
    records, findings = read(write(tmp_path / "a.gz", *FIRST, bad, SECOND[1]))
    assert (findings.rejected, findings.gaps) == (1, 1)
    (rejected,) = findings.rejects
    assert (rejected.file, rejected.line) == ("a.gz", 5) and why in rejected.why
    assert Kind.GAP in records["kind"].tolist()


def test_a_bad_line_that_was_no_diff_costs_nothing_else(tmp_path: Path) -> None:
    bad = line(5, text(e="trade", s="BTCUSD_PERP", t=1, p="1.05", q="1", T=1, m=True))
    records, findings = read(write(tmp_path / "a", *FIRST, bad, *SECOND))
    assert findings.rejects == [Rejected("a", 5, "1.05 is not a multiple of 0.1")]
    assert len(records) == 6 and findings.gaps == 0


def test_time_never_runs_back_and_the_step_is_counted(tmp_path: Path) -> None:
    records, findings = read(write(tmp_path / "a", *FIRST, line(2, diff(15, 16, [["100.0", "4"]]))))
    assert records["time_ns"].tolist()[-1] == T0 + 4 and findings.late == 1


def test_an_instrument_that_is_not_there_is_refused_and_nothing_is_stored(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "a", *FIRST)
    other = make_instrument("ETH/USD:ETH@binance-inverse", tick="0.1", lot="1")
    with pytest.raises(UsageError, match=r"expected frames of ETHUSD_PERP in .*, found only those of BTCUSD_PERP"):
        store.import_records(other, *open_source(path, other))
    assert store.catalogue() == []


def test_other_symbols_beside_ours_are_counted_and_left_out(tmp_path: Path) -> None:
    other = line(5, diff(1, 2, [["1.0", "1"]], code="ETHUSD_PERP"))
    records, findings = read(write(tmp_path / "a", *FIRST, other, *SECOND))
    assert len(records) == 6 and findings.notes["frames_of_other_symbols"] == 1


def test_a_snapshot_without_a_symbol_is_refused_among_several_symbols(tmp_path: Path) -> None:
    other = line(0, diff(1, 2, code="ETHUSD_PERP"))
    nameless = line(3, text(lastUpdateId=10, bids=[], asks=[]))
    _, alone = read(write(tmp_path / "a", *FIRST[:2], nameless))
    assert alone.rejected == 0
    _, among = read(write(tmp_path / "b", other, *FIRST[:2], nameless))
    assert "expected a symbol" in among.rejects[0].why


def test_a_file_that_ends_early_is_a_bad_container_and_the_store_is_as_before(tmp_path: Path, store: Store) -> None:
    lines = [*FIRST, *[line(20 + step, diff(15 + step, 16 + step, [[f"{step**3 % 977}.0", "1"]])) for step in range(3_000)]]
    path = cut(write(tmp_path / "a.gz", *lines))
    assert recognises(path)
    with pytest.raises(BadContainer, match=r"expected a whole a\.gz"):
        open_import(path)
    assert store.catalogue() == []


def test_the_same_lines_are_the_same_import_however_they_are_packed(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"a{suffix}", *FIRST) for suffix in ("", ".gz", ".xz")]
    assert len({open_source(path, BTC)[0].import_id(BTC.id) for path in paths}) == 1


def test_instruments_are_offered_with_the_decimals_that_the_venue_writes(tmp_path: Path) -> None:
    spot = text(e="depthUpdate", s="NKNUSDT", U=1, u=2, b=[["0.35210000", "672.00000000"]], a=[])
    path = write(
        tmp_path / "a", *FIRST,
        line(5, diff(1, 2, [["2000.25", "0.001"]], code="ETHUSDC")),
        line(6, spot),
        line(7, diff(1, 2, [["1.5", "1"]], code="BTCUSDT_240927")),
        line(8, diff(1, 2, [["1.5", "1"]], code="SOLUSD_PERP")),
    )  # fmt: skip
    found = {one.name: (one.tick, one.lot, one.multiplier) for one in instruments(path)}
    assert found == {
        "BTC/USD:BTC@binance-inverse": ("0.1", "1", "100"),
        "ETH/USDC:USDC@binance-linear": ("0.01", "0.001", "1"),
        "NKN/USDT@binance": ("0.00000001", "0.00000001", "1"),
        "SOL/USD:SOL@binance-inverse": ("0.1", "1", "10"),
    }


def test_what_is_no_recording_is_not_taken_for_one(tmp_path: Path) -> None:
    for body in ("a,b", '{"lastUpdateId":1}', "1723161256 {}", "1430438404518 order_created {}", ""):
        path = write(tmp_path / "x", body)
        assert not recognises(path)
        with pytest.raises(BadContainer, match="is --format binance-raw right"):
            open_source(path, BTC)
    assert not recognises(tmp_path / "absent")
