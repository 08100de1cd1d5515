"""What a node that is down held: the same as its engine had, from the journal alone, whatever became of the journal's end."""

from pathlib import Path

import pytest

from tests.node.journaled import PLAN, RUN_ID, Run, filled_then_cancelled
from tradebot.domain.errors import NotRunning
from tradebot.node.earnings import totals_of
from tradebot.node.latch import new_kill, set_latch
from tradebot.node.remains import read_remains
from tradebot.node.session_files import ENGINE


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lots(run: Run) -> list[str]:
    return [PLAN.instruments[row[1]].quantity_text(row[4]) for row in run.session.live.kernel.positions()]


def test_it_is_what_the_engine_had_and_nothing_is_written(tmp_path: Path) -> None:
    run = filled_then_cancelled(tmp_path)
    before = files_of(tmp_path)
    found = read_remains(tmp_path)
    assert (found["running"], found["run_id"], found["epoch"], found["trading"]) == (False, RUN_ID, 1, "halted")
    assert found["facts"] == run.session.live.kernel.sequence
    assert found["orders_open"] == len(run.session.live.kernel.open_orders()) == len(found["orders"]) > 0
    assert [one["quantity"] for one in found["positions"]] == lots(run) != []
    assert (found["trading_cause"]["who"], found["trading_cause"]["why"]) == ("ann", "lunch")
    assert f"as of fact {found['facts']}, " in found["as_of"]["text"] and "venue may have moved on" in found["as_of"]["text"]
    assert found["as_of"]["journal_error"] is None
    assert files_of(tmp_path) == before


def test_a_snapshot_in_the_middle_changes_nothing_of_it(tmp_path: Path) -> None:
    run = filled_then_cancelled(tmp_path)
    whole = read_remains(tmp_path)
    run.session.save()
    assert read_remains(tmp_path) == whole
    run.halt(9, "supper")
    found = read_remains(tmp_path)
    assert found["facts"] == whole["facts"] + 1 and found["positions"] == whole["positions"]
    assert (found["epoch"], found["trading_cause"]["why"]) == (1, "supper")


def test_a_torn_end_is_left_and_all_before_it_is_told(tmp_path: Path) -> None:
    run = filled_then_cancelled(tmp_path)
    whole = read_remains(tmp_path)
    run.halt(9, "supper")
    run.journal.close()
    path = sorted((run.folder / ENGINE).glob("*.tbj"))[-1]
    body = path.read_bytes().rstrip(b"\0")
    path.write_bytes(body[:-20])
    found = read_remains(tmp_path)
    assert (found["facts"], found["orders"], found["positions"]) == (whole["facts"], whole["orders"], whole["positions"])


def test_the_latch_is_told_and_a_home_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="expected a node in"):
        read_remains(tmp_path)
    filled_then_cancelled(tmp_path)
    set_latch(tmp_path, *new_kill("ann", "fire", "CANCEL_ENTRIES"))
    assert read_remains(tmp_path)["killed"]["why"] == "fire"


def test_currencies_are_never_added_to_each_other() -> None:
    row = {"realised": "1.5", "unrealised": "1", "fees": "0.25", "funding": "0.25", "net": "2.00"}
    found = totals_of([row | {"currency": "USD"}, row | {"currency": "USD"}, row | {"currency": "BTC"}])
    assert (found["USD"]["net"], found["USD"]["fees"], found["BTC"]["net"]) == ("4.00", "0.50", "2.00")
