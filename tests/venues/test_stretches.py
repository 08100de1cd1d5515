"""Files that say what they cover: names, what is not covered, and a part that was torn."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradebot.domain.errors import BadContainer
from tradebot.venues.stretches import Shelf, Span, iso_text, last_lines, times_of

COLUMNS = ("timestamp", "price")
DAY = 86_400_000


def shelf(folder: Path) -> Shelf:
    return Shelf(folder, "BTC/USDT:USDT-1m", COLUMNS)


def write(folder: Path, start_ms: int, end_ms: int, *times: int) -> Path:
    with shelf(folder).begin(Span(start_ms, end_ms)) as writer:
        writer.append(f"{time_ms},1" for time_ms in times or (start_ms,))
        return writer.finish(Span(start_ms, end_ms))


def test_a_name_says_what_a_file_covers(tmp_path: Path) -> None:
    path = write(tmp_path, 0, DAY)
    assert path.name == "BTC-USDT_USDT-1m-19700101T000000Z-19700102T000000Z.csv"
    assert path.read_text() == "timestamp,price\n0,1\n"
    odd = write(tmp_path, DAY, DAY + 1_234)
    assert odd.name.endswith("-19700102T000000Z-19700102T000001.234Z.csv")
    assert [stretch.span for stretch in shelf(tmp_path).stretches()] == [Span(0, DAY), Span(DAY, DAY + 1_234)]


def test_names_of_other_series_and_parts_cover_nothing(tmp_path: Path) -> None:
    for name in ("ETH-USDT-1m-19700101T000000Z-19700102T000000Z.csv", "BTC-USDT_USDT-1m-19700101T000000Z.csv.part", "x"):
        (tmp_path / name).write_text("")
    assert shelf(tmp_path).stretches() == []


@settings(deadline=None)  # each file is synced, and a disk may be busy
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 10)), max_size=8), st.integers(0, 100), st.integers(1, 60))
def test_what_is_not_covered_is_the_rest(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[int, int]], start: int, count: int
) -> None:
    folder = tmp_path_factory.mktemp("shelf")
    taken: set[int] = set()
    for first, length in files:
        hours = set(range(first, first + length))
        if not hours & taken:
            taken |= hours
            write(folder, first * 1000, (first + length) * 1000)
    rest = shelf(folder).uncovered(Span(start * 1000, (start + count) * 1000))
    found = [second for span in rest for second in range(span.start_ms // 1000, span.end_ms // 1000)]
    assert found == [second for second in range(start, start + count) if second not in taken]


def test_a_part_is_gone_on_with_behind_its_last_whole_line(tmp_path: Path) -> None:
    with shelf(tmp_path).begin(Span(0, DAY)) as writer:
        writer.append(["10,1", "20,2", "20,3"])
    part = shelf(tmp_path).part(0)
    part.write_bytes(part.read_bytes() + b"30,")
    with shelf(tmp_path).begin(Span(0, DAY)) as writer:
        assert (writer.rows, writer.last) == (3, ["20,2", "20,3"])
        assert writer.first_ms == 10
        writer.append(["30,4"])
        path = writer.finish(Span(0, DAY))
    assert path.read_text() == "timestamp,price\n10,1\n20,2\n20,3\n30,4\n"


@pytest.mark.parametrize("torn", [b"", b"time", b"other,columns\n10,1\n", b"timestamp,price", b"timestamp,price\nx,1\n"])
def test_a_part_that_begins_wrongly_begins_again(tmp_path: Path, torn: bytes) -> None:
    shelf(tmp_path).part(0).write_bytes(torn)
    with shelf(tmp_path).begin(Span(0, DAY)) as writer:
        assert (writer.rows, writer.last) == (0, [])
        writer.append(["10,1"])
        assert writer.finish(Span(0, DAY)).read_text() == "timestamp,price\n10,1\n"


def test_a_part_for_a_longer_span_loses_what_is_behind_the_end(tmp_path: Path) -> None:
    with shelf(tmp_path).begin(Span(0, DAY)) as writer:
        writer.append(["10,1", "20,2", "30,3"])
    with shelf(tmp_path).begin(Span(0, 25)) as writer:
        assert (writer.rows, writer.last) == (2, ["20,2"])


def test_nothing_leaves_nothing(tmp_path: Path) -> None:
    with shelf(tmp_path).begin(Span(0, DAY)) as writer:
        writer.drop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("crowd", [1, 10, 20_000])
def test_the_lines_of_the_newest_time_are_found_however_many(tmp_path: Path, crowd: int) -> None:
    lines = [f"{number},1" for number in range(10_000, 40_000)] + [f"50000,{number}" for number in range(crowd)]
    (tmp_path / "file.csv").write_text("\n".join(["timestamp,price", *lines]) + "\n")
    assert last_lines(tmp_path / "file.csv") == lines[-crowd:]
    (tmp_path / "alone.csv").write_text("\n".join(["timestamp,price", *lines[-crowd:]]) + "\n")
    assert last_lines(tmp_path / "alone.csv") == lines[-crowd:]


def test_a_row_without_a_time_is_told_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("timestamp,price\n10,1\nten,1\n")
    with pytest.raises(BadContainer, match=r"file\.csv:3, found b'ten,1"):
        list(times_of(tmp_path / "file.csv"))


def test_times_are_written_as_people_read_them() -> None:
    assert iso_text(1_709_164_800_000) == "2024-02-29T00:00:00Z"
    assert iso_text(1_709_164_800_005) == "2024-02-29T00:00:00.005Z"
