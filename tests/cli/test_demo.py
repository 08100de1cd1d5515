"""The demo as a newcomer runs it: seven lines, the real sample's facts, and the same again the second time.

The sample wheel is put where the demo looks for it before it asks the package index, so one fetch serves all runs.
"""

import json
import re
import shlex
from pathlib import Path

import pytest
from command import Demo, failure, run

LABELS = ["data", "book", "run", "replay", "P&L", "grades", "note"]
KEYS = {"run_id", "events", "seconds", "events_per_s", "orders", "fills", "digest", "metrics", "report"}
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}

pytestmark = pytest.mark.sample


def test_the_first_screen_is_seven_lines(demo: Demo) -> None:
    assert demo.first.returncode == 0, demo.first
    lines = demo.first.stdout.splitlines()
    assert [line.split()[0] for line in lines] == LABELS
    assert lines[0].startswith("data    314,341 events of BTC/USD@bitstamp, ") and "checksum" in lines[0]
    assert lines[3].startswith("replay  identical: ")


def test_the_book_check_names_its_two_misses(demo: Demo) -> None:
    line = demo.first.stdout.splitlines()[1]
    assert "282 of 284 trades reproduced (maker, price, size), 168 of 170 takers" in line
    for order in ("2002351232385027", "2002354918830080"):
        assert f"market order {order}, recorded with volume 0" in line


def test_the_sum_on_the_screen_adds_up(demo: Demo) -> None:
    line = demo.first.stdout.splitlines()[4]
    names = ("spread earned", "adverse selection", "fees", "net")
    amounts = [float(found[1].replace(",", "")) for name in names if (found := re.search(rf"{name} ([+-][\d,.]+)", line))]
    assert len(amounts) == 4
    assert sum(amounts[:3]) == pytest.approx(amounts[3], abs=0.02)
    assert "break even at a maker fee of" in line


def test_the_difference_of_the_grades_is_that_of_their_nets(demo: Demo) -> None:
    line = demo.first.stdout.splitlines()[5]
    found = re.fullmatch(
        r"grades  bar grade ([+-][\d.,]+) with (\d+) fills, book grade ([+-][\d.,]+) with (\d+): "
        r"difference ([\d.,]+) USD is what bars of 1m do not see",
        line,
    )
    assert found is not None, line
    bars, book, apart = (float(found[at].replace(",", "")) for at in (1, 3, 5))
    assert abs(bars - book) == pytest.approx(apart, abs=0.011) and apart > 0
    assert 0 < int(found[2]) < int(found[4]), "bars see fewer fills than there were"
    made = json.loads(demo.second.stdout)
    assert made["bar_grade"]["grade"]["name"] == "bars"
    assert Path(made["comparison"]).is_file()


def test_the_last_line_doubts_the_result_and_names_what_to_do_next(demo: Demo) -> None:
    line = demo.first.stdout.splitlines()[6]
    assert "30 minutes prove nothing about an edge" in line
    report = re.search(r"report: (\S+);", line)
    assert report is not None and Path(report[1]).is_file()
    commands = re.findall(r"`([^`]+)`", line)
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        verb = words[3:] if words[1:3] == ["-m", "tradebot"] else words[1:]
        done = run(demo.folder, *verb)
        assert done.returncode == 0, (command, done)


def test_json_is_one_object_with_the_keys_of_the_contract(demo: Demo) -> None:
    assert demo.second.returncode == 0, demo.second
    assert demo.second.stdout.count("\n") == 1
    found = json.loads(demo.second.stdout)
    assert set(found) >= KEYS
    assert (found["events"], found["quarantined"], found["replayed_identical"]) == (314_341, [], True)
    assert found["metrics"]["books_agree"] is True
    assert found["metrics"]["fills"] == found["fills"] > 0


def test_a_second_demo_imports_nothing_and_comes_to_the_same(demo: Demo) -> None:
    found = json.loads(demo.second.stdout)
    assert found["data"]["repeated"] is True
    assert f"digest {found['digest']}" in demo.first.stdout
    runs = sorted(path.name for path in (demo.folder / "tradebot_home" / "results").iterdir() if path.is_dir())
    assert len(runs) == 4 and {found["run_id"], found["bar_grade"]["run_id"]} <= set(runs)
    assert len({name.split("-")[1] for name in runs}) == 2, "the same two runs twice: at book grade and at bar grade"
    (entry,) = json.loads(run(demo.folder, "data", "list", "--json").stdout)["instruments"]
    assert entry["rows"] == 314_341


def test_the_report_stands_alone_and_shows_what_is_promised(demo: Demo) -> None:
    html = Path(json.loads(demo.second.stdout)["report"]).read_text()
    for words in (
        "Price and fills",
        "Where the P&amp;L came from",
        "Net P&amp;L by fee and latency",
        "after 1 s",
        "after 5 s",
        "after 30 s",
        "buy and hold",
        "Assumptions",
        "Gaps and quality of the data",
        "Run it again",
        "ahead when accepted",
        "282 of 284 real trades",
        "The same strategy at bar grade",
    ):
        assert words in html, words
    assert not re.search(r"<script|<link|<img|src=|https?://", html)


def test_the_files_of_a_home_are_for_the_user_alone(demo: Demo) -> None:
    home = demo.folder / "tradebot_home"
    folders = [home, *(path for path in home.iterdir() if path.is_dir()), *(home / "results").glob("*/")]
    assert {path.name for path in home.iterdir() if path.is_dir()} == {
        "data", "journal", "results", "models", "logs", "secrets",
    }  # fmt: skip
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folders if path.stat().st_mode & 0o077} == {}


def test_a_demo_takes_no_configuration_of_ones_own(tmp_path: Path) -> None:
    assert "give your own to `tradebot backtest`" in failure(tmp_path, 2, "demo", "--set", "costs.latency=1ms")
    assert list(tmp_path.iterdir()) == []


def test_offline_the_demo_says_so_and_runs_the_seeded_stream(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", **OFFLINE)
    assert done.returncode == 0, done
    first, *lines = done.stdout.splitlines()
    assert first.startswith("no sample: expected ob-analytics==0.1.0") and "seeded synthetic stream instead" in first
    assert [line.split()[0] for line in lines] == LABELS
    assert "BTC/USD@synthetic (seeded, not real)" in lines[0]
    assert lines[1] == "book    no taker shows as an order in this stream: nothing to check the book against"
    assert lines[3].startswith("replay  identical: ")
    assert "Traceback" not in done.stderr
    reports = list((tmp_path / "tradebot_home" / "results").glob("*/report.html"))
    assert len(reports) == 2
    assert all("made up here: no market ever did this" in report.read_text() for report in reports)
