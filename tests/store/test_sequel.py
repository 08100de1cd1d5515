"""Recordings that go on from one another: split anywhere they are the whole again, and no book outlives its recording."""

import gzip
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.store.raw_lines import text, write
from tests.store.support import Records, joined
from tests.store.test_cryptofeed_raw import RECEIVED, write_binance
from tradebot._core.depth import L2Book
from tradebot._core.types import Kind
from tradebot.domain.errors import UsageError
from tradebot.node.ticks import import_paths
from tradebot.research.audit import audit_days
from tradebot.store.client import open_store

SPLITS = (1, 5, 20, 36, 37, 38, 39, 40, 200, 1_234, 2_000, 2_999)
LINES = 3_000
T0 = 1_723_161_256_000_000_000
SECOND = 1_000_000_000


class Quiet:
    """Progress that nobody sees."""

    def start(self, what: str, total: int | None) -> None: ...

    def advance(self, count: int) -> None: ...

    def done(self) -> None: ...


def bring(home: Path, *paths: Path, name: str | None = None) -> dict[str, Any]:
    return import_paths(home, paths, "auto", name, None, None, Quiet())


def held(home: Path) -> Records:
    with open_store(home / "data") as store:
        (entry,) = store.catalogue()
        return joined(store.stream([entry.instrument_id]))


def best(records: Records) -> list[tuple[int, ...]]:
    """What `data bbo` says, as integers."""
    tops = L2Book().apply_bbo(records)
    events = records[tops["row"]]
    columns = [tops[name].tolist() for name in ("bid", "bid_quantity", "ask", "ask_quantity")]
    return list(zip(events["time_ns"].tolist(), events["venue_sequence"].tolist(), *columns, strict=True))


@pytest.fixture(scope="session")
def capture(shared_dir: Path) -> list[bytes]:
    folder = shared_dir / "data" / "binance_coinm_depth0ms"
    return [line for file in sorted(folder.glob("*.gz")) for line in gzip.decompress(file.read_bytes()).splitlines(keepends=True)]


def put(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.shared
@pytest.mark.parametrize("at", SPLITS)
def test_a_capture_split_anywhere_is_the_whole_again(capture: list[bytes], tmp_path: Path, at: int) -> None:
    lines = capture[:LINES]
    bring(tmp_path / "whole", put(tmp_path / "whole.txt", lines))
    first, second = put(tmp_path / "a.txt", lines[:at]), put(tmp_path / "b.txt", lines[at:])
    found = bring(tmp_path / "split", second, first)
    whole = held(tmp_path / "whole")
    assert held(tmp_path / "split").tobytes() == whole.tobytes(), "in whatever order the files are named"
    assert found["gaps"] == 0 and len(best(whole)) > 500
    again = bring(tmp_path / "split", first, second)
    assert (again["rows"], again["repeated"]) == (len(whole), True)
    alone = bring(tmp_path / "split", second, name="BTC/USD:BTC")
    assert alone["repeated"], "the same content is not held twice by being named alone"
    assert held(tmp_path / "split").tobytes() == whole.tobytes()


@pytest.mark.shared
def test_a_capture_in_many_pieces_is_the_whole_again_however_the_calls_grow(capture: list[bytes], tmp_path: Path) -> None:
    chance = random.Random(7)
    lines = capture[:LINES]
    bring(tmp_path / "whole", put(tmp_path / "whole.txt", lines))
    cuts = [0, *sorted(chance.sample(range(100, LINES), 6)), LINES]
    pieces = [put(tmp_path / f"{place}.txt", lines[cuts[place] : cuts[place + 1]]) for place in range(7)]
    for count in range(1, 8):
        bring(tmp_path / "grown", *pieces[:count])
    assert held(tmp_path / "grown").tobytes() == held(tmp_path / "whole").tobytes()


@pytest.mark.shared
def test_the_two_days_of_the_capture_go_on_from_one_another(shared_dir: Path, tmp_path: Path) -> None:
    folder = shared_dir / "data" / "binance_coinm_depth0ms"
    found = bring(tmp_path / "days", *sorted(folder.glob("*.gz")))
    bring(tmp_path / "folder", folder)
    assert (found["rows"], found["gaps"]) == (714_995, 0)
    assert held(tmp_path / "days").tobytes() == held(tmp_path / "folder").tobytes()


@pytest.mark.shared
@pytest.mark.parametrize("at", (40, 1_234))
def test_the_second_part_alone_shows_no_book_of_the_first(capture: list[bytes], tmp_path: Path, at: int) -> None:
    first, second = put(tmp_path / "a.txt", capture[:at]), put(tmp_path / "b.txt", capture[at:LINES])
    bring(tmp_path / "home", first)
    bring(tmp_path / "home", second)
    starts_ns = int(capture[at].split(b" ")[0])
    after = [row for row in best(held(tmp_path / "home")) if row[0] >= starts_ns]
    assert after == [(starts_ns, 0, 0, 0, 0, 0)]
    bring(tmp_path / "alone", second)
    assert best(held(tmp_path / "alone")) == after


def line(at: int, body: str) -> str:
    return f"{T0 + at} {body}"


def diff(previous: int, last: int, price: str = "100.0", code: str = "BTCUSD_PERP") -> str:
    data = {"e": "depthUpdate", "T": 1, "s": code, "U": previous + 1, "u": last, "pu": previous, "b": [[price, "7"]], "a": []}
    return text(stream="depth", data=data)


def snapshot(last: int) -> str:
    return text(lastUpdateId=last, symbol="BTCUSD_PERP", bids=[["99.9", "1"]], asks=[["100.1", "2"]])


FIRST = [line(0, diff(5, 9)), line(SECOND, snapshot(9)), *(line((2 + at) * SECOND, diff(9 + at, 10 + at)) for at in range(20))]
NEXT = [line((40 + at) * SECOND, diff(29 + at, 30 + at, "100.0")) for at in range(20)]
LATER = [line(40 * SECOND, diff(90, 91)), line(41 * SECOND, snapshot(91)), line(42 * SECOND, diff(91, 92))]
SNAPSHOT_FIRST = [line(41 * SECOND, snapshot(91)), line(42 * SECOND, diff(91, 92))]


@pytest.mark.parametrize("lines", (LATER, SNAPSHOT_FIRST))
@pytest.mark.parametrize("together", (True, False))
def test_what_does_not_go_on_begins_with_a_gap_that_the_audit_sees(tmp_path: Path, lines: list[str], together: bool) -> None:
    first, second = write(tmp_path / "a.txt", *FIRST), write(tmp_path / "b.txt", *lines)
    if together:
        found = bring(tmp_path, first, second)
    else:
        bring(tmp_path, first)
        found = bring(tmp_path, second)
    assert found["gaps"] == 1
    records = held(tmp_path)
    (gap,) = np.flatnonzero(records["kind"] == int(Kind.GAP))
    assert records["time_ns"][gap] == int(lines[0].split()[0])
    book = L2Book()
    book.apply(records[: gap + 2])
    assert (book.bid, book.ask) == (None, None)
    book.apply(records[gap + 2 :])
    assert (book.bid, book.ask) == (1000, 1001)
    with open_store(tmp_path / "data") as store:
        (instrument,) = store.instruments()
    (day,) = audit_days(instrument, [records])
    assert day.gap_facts == 1 and day.gaps >= 1
    assert bring(tmp_path, second, first)["repeated"], "once in the store, whatever call it comes with"
    assert held(tmp_path).tobytes() == records.tobytes()


def test_the_first_recording_of_a_store_with_its_snapshot_begins_with_no_gap(tmp_path: Path) -> None:
    assert bring(tmp_path, write(tmp_path / "a.txt", *FIRST))["gaps"] == 0


def test_trades_alone_say_nothing_of_a_book(tmp_path: Path) -> None:
    trade = text(e="trade", s="BTCUSD_PERP", t=1, p="1.0", q="1", T=1, m=True)
    bring(tmp_path, write(tmp_path / "a.txt", *FIRST))
    found = bring(tmp_path, write(tmp_path / "b.txt", line(99 * SECOND, trade)), name="BTC/USD:BTC")
    assert (found["rows"], found["gaps"]) == (1, 0)


def test_a_continuation_that_is_held_by_itself_is_refused_with_its_remedy(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.txt", *FIRST), write(tmp_path / "b.txt", *NEXT)
    bring(tmp_path, second)
    before = held(tmp_path).tobytes()
    with pytest.raises(UsageError, match=r"expected .*b\.txt with the recordings it continues, .* data remove [0-9a-f]{16}`"):
        bring(tmp_path, first, second)
    assert held(tmp_path).tobytes() == before


def test_what_follows_is_named_by_the_import_that_it_follows(tmp_path: Path) -> None:
    bring(tmp_path, write(tmp_path / "a.txt", *FIRST), write(tmp_path / "b.txt", *NEXT))
    with open_store(tmp_path / "data") as store:
        (entry,) = store.catalogue()
        first, second = store.import_reports(entry.imports)
    assert (first.follows, second.follows) == ("", first.import_id)


@pytest.mark.parametrize("together", (True, False))
def test_a_capture_behind_another_begins_with_a_gap(tmp_path: Path, together: bool) -> None:
    """Of cryptofeed: each has its own connections and its own snapshot."""
    first = write_binance(tmp_path / "a", *RECEIVED)
    later = [line.replace("12.0:", "52.0:").replace("13.000000001:", "53.0:") for line in RECEIVED]
    second = write_binance(tmp_path / "b", *later, at="52.25")
    alone = bring(tmp_path / "alone", second, name="NKN/USDT@binance")
    home, name = tmp_path / "home", "NKN/USDT@binance"
    if together:
        found = bring(home, first, second, name=name)
    else:
        bring(home, first, name=name)
        found = bring(home, second, name=name)
    assert (alone["gaps"], found["gaps"]) == (0, 1)
    records = held(home)
    assert best(records)[len(best(held(tmp_path / "alone")))][2:] == (0, 0, 0, 0), "no book of the first is shown behind it"
    assert bring(home, second, first, name=name)["repeated"] and held(home).tobytes() == records.tobytes()


class Killing(Quiet):
    """Ends the process, as far as the store can tell, after some blocks."""

    def __init__(self, blocks: int) -> None:
        self.left = blocks

    def advance(self, count: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.shared
@pytest.mark.parametrize("blocks", (0, 3, 9, 15))
def test_an_import_of_several_that_was_killed_goes_on_where_it_was(
    capture: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    lines = capture[:LINES]
    pieces = [put(tmp_path / f"{at}.txt", lines[at : at + 1_000]) for at in range(0, LINES, 1_000)]
    bring(tmp_path / "whole", put(tmp_path / "whole.txt", lines))
    monkeypatch.setattr("tradebot.store.intake.BLOCK_ROWS", 1_000)
    with pytest.raises(KeyboardInterrupt):
        import_paths(tmp_path / "home", pieces, "auto", None, None, None, Killing(blocks))
    bring(tmp_path / "home", *pieces)
    assert held(tmp_path / "home").tobytes() == held(tmp_path / "whole").tobytes()
