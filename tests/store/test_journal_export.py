"""The Parquet file of a journal: each fact and output once, with its sequence, every slot's integer, in order."""

from pathlib import Path

import numpy as np
import pytest

from tests.store.journals import RUN, SMALL
from tests.support import cancel, place, stream
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE
from tradebot.domain.errors import LocalError, UsageError
from tradebot.domain.frames import NO_DIGEST, Frame, FrameKind
from tradebot.store import journal_export
from tradebot.store.journal import Journal
from tradebot.store.journal_export import export_journal


def write(folder: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """A hundred frames of market records, each followed by an answer of two slots, some with commands."""
    market = stream(1, 300)
    facts = [place(int(one["time_ns"]), number, 0, 1_000, 5) for number, one in enumerate(market[::3])]
    sequence = 0
    with Journal.create_or_open(folder, RUN, segment_bytes=SMALL) as journal:
        for number in range(100):
            records = market[3 * number : 3 * number + 3]
            outputs = cancel(number, number).tobytes() if number % 7 == 0 else b""
            whole = records.tobytes() + facts[number].tobytes()
            journal.append(Frame(FrameKind.FACTS, 1, sequence, 4, number, NO_DIGEST, whole, outputs))
            sequence += 4
            journal.append(Frame(FrameKind.BODY, 1, sequence, 0, number, NO_DIGEST, body=b"a body"))
        journal.compress(segments_max=3)
    return market, facts


@pytest.mark.parametrize("block_slots", [1, 64, journal_export.BLOCK_SLOTS])
def test_each_fact_and_output_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_slots: int) -> None:
    from pyarrow import parquet

    monkeypatch.setattr(journal_export, "BLOCK_SLOTS", block_slots)
    market, facts = write(tmp_path / "journal")
    rows = export_journal(tmp_path / "journal", tmp_path / "facts.parquet")
    table = parquet.read_table(tmp_path / "facts.parquet")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    assert rows == table.num_rows == 400 + 15
    is_fact = columns["sequence"] >= 0
    assert columns["sequence"][is_fact].tolist() == list(range(400))
    assert set(columns["kind_name"][~is_fact]) == {"cancel_order"} and columns["id"][~is_fact].tolist() == list(range(0, 100, 7))
    is_market = is_fact & (columns["sequence"] % 4 < 3)
    for name in RECORD_DTYPE.names:
        assert columns[name][is_market].tolist() == market[name].tolist()
    for name in FACT_DTYPE.names:
        assert columns[name][is_fact & ~is_market].tolist() == [one[name][0] for one in facts]
    assert not columns["cause"][is_market].any()
    assert columns["frame_time_ns"][is_fact].tolist() == [number for number in range(100) for _ in range(4)]


def test_nothing_to_write_and_a_place_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    Journal.create_or_open(tmp_path / "journal", RUN, segment_bytes=SMALL).close()
    with pytest.raises(LocalError, match="expected facts in the journal"):
        export_journal(tmp_path / "journal", tmp_path / "facts.parquet")
    write(tmp_path / "other")
    with pytest.raises(UsageError, match="give another --to"):
        export_journal(tmp_path / "other", tmp_path / "none" / "facts.parquet")
    assert not list(tmp_path.glob("*.parquet*"))


def test_damage_leaves_no_file(tmp_path: Path) -> None:
    write(tmp_path / "journal")
    path = tmp_path / "journal" / "00000005.tbj"
    data = bytearray(path.read_bytes())
    data[1_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(LocalError, match=r"00000005.tbj at byte"):
        export_journal(tmp_path / "journal", tmp_path / "facts.parquet")
    assert not list(tmp_path.glob("*.parquet*"))
