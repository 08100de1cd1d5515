"""The log layout of bitstamp-l3: what each event becomes, which orders a trade was of, and what cannot be applied."""

from pathlib import Path
from typing import Any

import pytest

from tests.store.raw_lines import cut, text, write
from tests.store.support import Records, joined
from tradebot._core.types import Flag, Kind
from tradebot.domain.errors import BadContainer
from tradebot.store import bitstamp_l3
from tradebot.store.bitstamp_log import DEFAULT_INSTRUMENT
from tradebot.store.client import Store
from tradebot.store.formats import open_import
from tradebot.store.imports import Findings

T0 = 1_430_438_404_000


def order(at: int, event: str, number: int, price: str, amount: str, side: int = 0) -> str:
    body = text(price=price, amount=amount, datetime="1430438404", id=number, order_type=side)
    return f"{T0 + at} order_{event} {body}"


def trade(at: int, number: int, price: str, amount: str) -> str:
    return f'{T0 + at} trade {{"price": {price}, "amount": {amount}, "id": {number}}}'


def book(at: int, bids: Any, asks: Any) -> str:
    return f"{T0 + at} order_book {text(bids=bids, asks=asks)}"


RESTING = [order(0, "created", 11, "236.47", "2.00000000"), order(1, "created", 12, "236.64", "1.00000000", 1)]


def read(path: Path) -> tuple[Records, Findings]:
    opened = open_import(path)
    assert (opened.source.format, opened.instrument) == ("bitstamp-l3", DEFAULT_INSTRUMENT)
    return joined(opened.batches), opened.source.findings


def shown(records: Records) -> list[tuple[str, int, int, int, int]]:
    fields = records[["kind", "price", "quantity", "id", "id2"]].tolist()
    return [(Kind(kind).name, *rest) for kind, *rest in fields]


def is_void(records: Records) -> list[bool]:
    return [flags & int(Flag.VOID) != 0 for flags in records["flags"].tolist()]


def test_a_match_is_an_execution_of_the_elder_order_and_a_trade_that_names_both(tmp_path: Path) -> None:
    lines = [
        *RESTING,
        order(5, "created", 20, "236.40", "3.0", 1),
        order(6, "changed", 20, "236.40", "1.0", 1),
        order(7, "deleted", 11, "236.47", "0.00000000"),
        trade(8, 501, "236.47", "2.0"),
    ]
    records, findings = read(write(tmp_path / "a.log.xz", *lines))
    assert shown(records) == [
        ("L3_ADD", 23_647, 200_000_000, 11, 0),
        ("L3_ADD", 23_664, 100_000_000, 12, 0),
        ("L3_ADD", 23_640, 300_000_000, 20, 0),
        ("L3_CHANGE", 23_640, 100_000_000, 20, 0),
        ("L3_EXECUTE", 23_647, 200_000_000, 11, 20),
        ("TRADE", 23_647, 200_000_000, 11, 20),
    ]
    assert records["flags"].tolist() == [0, 1, 1, 1, 0, 1], "the seller was the aggressor"
    assert records["time_ns"].tolist() == [(T0 + at) * 10**6 for at in (0, 1, 5, 6, 7, 8)]
    assert set(records["venue_ns"].tolist()) == {0}, "seconds are no time of an event"
    assert findings.notes == {"trades_without_maker_row": 0, "trades_without_taker_row": 0}


def test_the_maker_is_the_order_at_the_trades_price_even_where_it_is_younger(tmp_path: Path) -> None:
    lines = [
        order(0, "created", 11, "236.70", "2.0"),
        order(1, "created", 12, "236.64", "2.0", 1),
        order(2, "deleted", 11, "236.70", "0.0"),
        order(3, "deleted", 12, "236.64", "0.0", 1),
        trade(4, 501, "236.64", "2.0"),
    ]
    records, _ = read(write(tmp_path / "a.log", *lines))
    assert shown(records)[3] == ("L3_EXECUTE", 23_664, 200_000_000, 12, 11)
    assert records["flags"].tolist()[-1] == 0, "the buyer was the aggressor"


def test_a_trade_of_which_one_order_is_known_was_with_an_elder_one(tmp_path: Path) -> None:
    lines = [
        order(0, "created", 20, "236.40", "3.0", 1),
        order(1, "changed", 20, "236.40", "1.0", 1),
        order(2, "deleted", 5, "236.47", "0.0"),
        trade(3, 501, "236.47", "2.0"),
    ]
    records, findings = read(write(tmp_path / "a.log", *lines))
    assert shown(records)[-1] == ("TRADE", 23_647, 200_000_000, 0, 20)
    assert records["flags"].tolist()[-1] == 1
    assert is_void(records) == [False, False, True, False]
    assert findings.repairs["order_unknown"] == 1


def test_a_trade_far_from_any_event_names_no_order(tmp_path: Path) -> None:
    lines = [*RESTING, order(5, "changed", 11, "236.47", "1.0"), trade(1_006, 501, "236.47", "1.0")]
    records, findings = read(write(tmp_path / "a.log", *lines))
    assert shown(records)[-1] == ("TRADE", 23_647, 100_000_000, 0, 0)
    assert findings.notes["trades_of_unknown_side"] == 1


def test_an_amount_that_went_through_a_float_is_the_lots_it_came_from(tmp_path: Path) -> None:
    lines = [*RESTING, trade(5, 501, "236.47", "1.7885566900000001"), trade(6, 502, "236.47", "8.8351857299999992")]
    records, findings = read(write(tmp_path / "a.log", *lines))
    assert records["quantity"].tolist()[2:] == [178_855_669, 883_518_573]
    assert findings.rejected == 0


def test_the_venues_book_is_a_void_snapshot(tmp_path: Path) -> None:
    venue = book(5, [["236.47", "2.0"], ["236.20", "1.0"]], [["236.64", "1.0"]])
    records, findings = read(write(tmp_path / "a.log", *RESTING, venue, order(5, "deleted", 12, "236.64", "1.0", 1)))
    kinds = [Kind(kind).name for kind in records["kind"].tolist()]
    assert kinds == ["L3_ADD", "L3_ADD", "L2_LEVEL", "L2_LEVEL", "L2_LEVEL", "L3_DELETE"], "in the order of the log"
    begin, last, both = int(Flag.BEGIN), int(Flag.LAST), int(Flag.VOID | Flag.SNAPSHOT)
    assert records["flags"].tolist()[2:5] == [begin | both, both, last | both | 1]
    assert findings.repairs["venue_book"] == 3


def test_an_event_that_comes_after_its_orders_end_is_void(tmp_path: Path) -> None:
    lines = [
        *RESTING,
        order(5, "deleted", 11, "236.47", "2.0"),
        order(6, "changed", 11, "236.47", "1.0"),
        order(7, "deleted", 30, "236.00", "1.0"),
        order(8, "created", 30, "236.00", "1.0"),
    ]
    records, findings = read(write(tmp_path / "a.log", *lines))
    assert is_void(records) == [False, False, False, True, True, True]
    assert findings.repaired == 3


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("nonsense", "expected `<ms> <event> <JSON>`"),
        (f"{T0 + 5} order_moved {{}}", "expected `<ms> <event> <JSON>`"),
        (f'{T0 + 5} trade {{"price": 1', "expected `<ms> <event> <JSON>`"),
        (f'{T0 + 5} trade {{"price": 1}}', "missing required field"),
        ("9999999999999 trade {}", "expected a time of at most"),
        (order(5, "created", 20, "236.475", "1.0"), "236.475 is not a multiple of 0.01"),
        (order(5, "created", 20, "236.47", "1.000000001"), "is not a multiple"),
        (order(5, "created", 20, "236.47", "-1.0"), "expected a quantity"),
        (order(5, "created", 2**64, "236.47", "1.0"), "expected an id of 64 bits"),
        (order(5, "created", 20, "236.47", "1.0", 2), "expected the order type 0 or 1, found 2"),
        (trade(5, 1, "236.475", "1.0"), "236.475 is not a multiple of 0.01"),
        (trade(5, 1, "236.47", "1e300"), "expected a number of at most"),
        (trade(5, 1, "236.47", "-1"), "is not a multiple"),
        (book(5, [["236.475", "1"]], []), "is not a multiple"),
    ],
)
def test_a_bad_line_is_listed_and_the_rest_goes_on(tmp_path: Path, bad: str, why: str) -> None:
    records, findings = read(write(tmp_path / "a.log", *RESTING, bad, order(9, "deleted", 11, "236.47", "2.0")))
    assert len(records) == 3
    (rejected,) = findings.rejects
    assert (rejected.file, rejected.line) == ("a.log", 3) and why in rejected.why


def test_time_that_runs_back_is_counted(tmp_path: Path) -> None:
    records, findings = read(write(tmp_path / "a.log", *RESTING, order(-9, "deleted", 11, "236.47", "2.0")))
    assert records["time_ns"].tolist()[-1] == (T0 + 1) * 10**6 and findings.late == 1


def test_files_of_a_folder_continue_one_another(tmp_path: Path) -> None:
    write(tmp_path / "b.log", *RESTING)
    write(tmp_path / "a.log.gz", order(9, "deleted", 11, "236.47", "2.0"), "bad")
    records, findings = read(tmp_path)
    assert shown(records)[-1][0] == "L3_DELETE" and findings.repaired == 0
    assert [(one.file, one.line) for one in findings.rejects] == [("a.log.gz", 2)]


def test_a_log_that_ends_early_is_a_bad_container_and_the_store_is_as_before(tmp_path: Path, store: Store) -> None:
    lines = [order(step, "created", step + 1, f"{step**3 % 997}.5", "1.0") for step in range(20_000)]
    path = cut(write(tmp_path / "a.log.xz", *lines))
    assert bitstamp_l3.recognises(path)
    with pytest.raises(BadContainer, match=r"expected a whole a\.log\.xz"):
        open_import(path)
    assert store.catalogue() == []


def test_both_layouts_can_be_in_one_store(tmp_path: Path, store: Store) -> None:
    """Their grids differ, so they are versions of one instrument."""
    opened = open_import(write(tmp_path / "a.log", *RESTING))
    store.import_records(opened.instrument, opened.source, opened.batches)
    store.register(bitstamp_l3.DEFAULT_INSTRUMENT)
    assert {one.tick for one in store.instruments()} == {"0.01", "1"}
    assert store.instrument("BTC/USD") == bitstamp_l3.DEFAULT_INSTRUMENT, "the newest"
