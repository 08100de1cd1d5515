"""How a home stands whose node is down, as people and scripts are told it."""

import json
from pathlib import Path

import pytest
from command import failure, run

from tests.node.journaled import filled_then_cancelled


@pytest.mark.parametrize("verb", ["status", "orders", "positions", "pnl"])
def test_a_node_that_is_down_is_told_from_its_journal_and_the_call_says_that_it_does_not_run(tmp_path: Path, verb: str) -> None:
    filled_then_cancelled(tmp_path / "tradebot_home")
    done = run(tmp_path, verb)
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("NOT RUNNING: as of fact ") and "the venue may have moved on" in done.stdout
    found = json.loads(run(tmp_path, verb, "--json").stdout)
    assert found["running"] is False and found["as_of"]["fact"] > 0


def test_the_page_of_a_node_names_who_halted_trading_and_why(tmp_path: Path) -> None:
    filled_then_cancelled(tmp_path / "tradebot_home")
    done = run(tmp_path, "status")
    assert "trading is halted, by ann at " in done.stdout and ": lunch" in done.stdout
    assert "USD" in done.stdout and "gateway." not in done.stdout
    found = json.loads(run(tmp_path, "pnl", "--json").stdout)
    assert found["pnl"][0]["currency"] == "USD" and found["totals"]["USD"]["net"] == found["pnl"][0]["net"]


def test_a_file_that_would_change_nothing_is_refused(tmp_path: Path) -> None:
    filled_then_cancelled(tmp_path / "tradebot_home")
    assert "no --config" in failure(tmp_path, 2, "status", "-c", "nope.toml")


def test_a_home_without_a_run_is_refused_by_kill_and_nothing_is_latched(tmp_path: Path) -> None:
    assert "nothing was latched" in failure(tmp_path, 3, "kill")
    assert not (tmp_path / "tradebot_home").exists()


@pytest.mark.parametrize("verb", ["status", "orders", "reload", "pause", "kill"])
def test_a_home_that_is_a_file_is_told_as_that(tmp_path: Path, verb: str) -> None:
    home = tmp_path / "afile"
    home.touch()
    assert failure(tmp_path, 2, "--home", str(home), verb).endswith(f"expected a folder for --home, found a file at {home}")


@pytest.mark.parametrize(("words", "verb"), [("status --nope", "status"), ("journal verify last more", "journal verify")])
def test_what_a_verb_does_not_take_points_to_the_help_of_that_verb(tmp_path: Path, words: str, verb: str) -> None:
    assert failure(tmp_path, 2, *words.split()).endswith(f"; see `tradebot {verb} --help`")
