"""A node's run is found by its name among all runs, and replayed from the journal on the disk, also while that is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.test_session import MARKET, PLAN, start
from tests.strategies.support import row
from tradebot._core.types import Kind
from tradebot.domain.errors import LocalError, UsageError
from tradebot.node import build, runs
from tradebot.node.config import config_from_dict, config_to_dict
from tradebot.node.replaying import Written, replay_node
from tradebot.node.session_files import Prepared, write_prepared
from tradebot.store.journal import Journal
from tradebot.store.journal_snapshots import Snapshots

RUN = "20260101T000000Z-abcdef01"


def prepare(folder: Path, name: str) -> None:
    """Write down a run whose one strategy is that class of the session's tests."""
    use = {"use": f"tests.engine.test_session:{name}", "name": "buyer", "instruments": ["BTC/USD"]}
    config = config_from_dict({"account": {"venue": "test", "start": "1000 USD"}, "strategy": [use]})
    write_prepared(folder, Prepared(run_id=RUN, config=config_to_dict(config), plan=PLAN, fingerprint="one", ticks=0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run whose engine took in one market, and died."""
    folder = tmp_path / "journal" / RUN
    folder.mkdir(parents=True)
    prepare(folder, "Buyer")
    with Journal.create_or_open(folder / "engine", RUN, segment_bytes=1 << 16) as journal:
        session, _ = start(journal)  # type: ignore[arg-type]
        session.on_market(MARKET.tobytes())
    return folder


def test_a_run_is_replayed_from_its_journal(folder: Path) -> None:
    found = replay_node(folder)
    assert (found["run_id"], found["identical"], found["first_difference"]) == (RUN, True, None)
    assert (found["commands"], found["epochs"], found["folded_epochs"]) == (1, 1, [])


def test_a_replay_goes_no_further_than_what_it_first_saw(folder: Path) -> None:
    """Two passes over a journal that grows in between must see the same frames."""
    written = Written(folder)
    first = list(written)
    with Journal.create_or_open(folder / "engine", RUN, segment_bytes=1 << 16) as journal:
        session, _ = start(journal, 2)  # type: ignore[arg-type]
        session.on_market(row(2, Kind.TRADE, 201, 1).tobytes())
    assert list(written) == first
    assert replay_node(folder)["epochs"] == 2


def test_a_strategy_edited_since_is_said_beside_the_first_difference(folder: Path) -> None:
    prepare(folder, "Edited")
    found = replay_node(folder)
    assert found["identical"] is False
    assert str(found["first_difference"]).endswith("have changed since")


def test_a_run_that_never_began_says_so(folder: Path) -> None:
    for path in (folder / "engine").glob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(LocalError, match="nothing was run yet"):
        replay_node(folder)


def test_the_last_run_is_the_one_written_last_node_or_backtest(folder: Path, tmp_path: Path) -> None:
    backtest = tmp_path / "results" / "20260102T000000Z-00000000"
    backtest.mkdir(parents=True)
    (backtest / runs.MANIFEST).write_text("{}")
    os.utime(backtest / runs.MANIFEST, (1, 1))
    assert runs.find_folder(tmp_path, "last", with_nodes=True) == folder
    assert runs.find_folder(tmp_path, "last~1", with_nodes=True) == backtest
    assert runs.find_folder(tmp_path, "last") == backtest, "a report is of a backtest"
    for name in (RUN, RUN[:12], str(folder)):
        assert build.find_run(tmp_path, name, with_nodes=True) == folder
    with pytest.raises(UsageError, match=f"journal, found none; the latest runs: {RUN}, "):
        runs.find_folder(tmp_path, "nothing", with_nodes=True)


def test_the_command_says_what_it_found_and_fails_where_it_differs(folder: Path, tmp_path: Path) -> None:
    def replay(name: str) -> "subprocess.CompletedProcess[str]":
        prepare(folder, name)
        command = [sys.executable, "-m", "tradebot.cli.main", "replay", "last", "--verify", "--json", "--home", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    done = replay("Buyer")
    assert (done.returncode, json.loads(done.stdout)["identical"]) == (0, True), done
    done = replay("Edited")
    assert (done.returncode, json.loads(done.stdout)["identical"]) == (1, False), done
    assert "place_order of order" in done.stderr and "found none" in done.stderr


def test_a_run_whose_beginning_is_gone_is_replayed_from_its_oldest_snapshot(folder: Path) -> None:
    journal = folder / "engine"
    for path in journal.iterdir():
        path.unlink()
    with Journal.create_or_open(journal, RUN, segment_bytes=4_096) as kept:
        session, _ = start(kept)  # type: ignore[arg-type]
        for number in range(2, 80):
            session.on_market(row(number, Kind.TRADE, 201, 1).tobytes())
            if number in (30, 60):
                session.save()
        kernel = session.live.kernel
        oldest = Snapshots(journal).sequences()[0]
        assert kept.prune(0, 1 << 62)
    found = replay_node(folder)
    assert found["from_fact"] == oldest > 0 and (found["identical"], found["first_difference"]) == (True, None)
    assert (found["facts"], found["digest"], found["commands"]) == (kernel.sequence, kernel.digest_text, session.commands)
    assert (found["epochs"], found["folded_epochs"]) == (1, [])
    for path in (journal / "snapshots").iterdir():
        path.unlink()
    with pytest.raises(LocalError, match=r"expected a snapshot behind fact \d+ in .*, where it begins, found none"):
        replay_node(folder)
