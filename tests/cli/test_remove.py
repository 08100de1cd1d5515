"""Imports taken out by the command line: shown first, agreed to, refused where a run needs them; and what leads there."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import failure, run

ORDERS = "id,timestamp,exchange_timestamp,price,volume,action,direction"
TRADES = "trade_id,timestamp,exchange_timestamp,price,amount,buy_order_id,sell_order_id,side"
SIDES = ("bid", "ask")
ROWS = [f"{at},{1000 + at},{990 + at},{100 + at % 2},1.5,created,{SIDES[at % 2]}" for at in range(1, 90)]


def write_ticks(folder: Path, rows: list[str]) -> Path:
    folder.mkdir()
    (folder / "orders.csv").write_text("\n".join([ORDERS, *rows]) + "\n")
    (folder / "trades.csv").write_text(TRADES + "\n")
    return folder


def answer(folder: Path, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(folder, *words, "--json").stdout)
    return found


def held(folder: Path, name: str) -> list[dict[str, Any]]:
    for entry in answer(folder, "data", "list")["instruments"]:
        if entry["instrument"] == name:
            found: list[dict[str, Any]] = entry["held"]
            return found
    return []


@pytest.fixture
def doubled(place: Path) -> Path:
    """A home in which one recording lies twice, whole and in part."""
    for name, rows in (("one", ROWS), ("two", ROWS[:50])):
        write_ticks(place / name, rows)
        run(place, "data", "import", name, "--format", "bitstamp-l3")
    return place


def test_the_list_shows_each_import_with_its_id_and_path(doubled: Path) -> None:
    first, second = held(doubled, "BTC/USD@bitstamp")
    assert (first["path"], first["rows"], second["path"], second["rows"]) == ("one", 89, "two", 50)
    lines = run(doubled, "data", "list").stdout.splitlines()
    assert any(line.split()[0] == second["import_id"] and line.endswith("two") for line in lines if line)


def test_nothing_goes_without_yes_and_then_all_of_it(doubled: Path) -> None:
    _, second = held(doubled, "BTC/USD@bitstamp")
    shown = run(doubled, "data", "remove", second["import_id"])
    assert shown.returncode == 4 and second["import_id"] in shown.stdout and "would go" in shown.stdout
    assert "expected --yes to remove 50 rows" in shown.stderr and len(held(doubled, "BTC/USD@bitstamp")) == 2
    asked = json.loads(run(doubled, "data", "remove", second["import_id"], "--json").stdout)
    assert (asked["removed"], asked["rows"]) == (False, 50)
    done = run(doubled, "data", "remove", second["import_id"][:8], "--yes", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["removed"], found["rows"]) == (0, "", True, 50)
    assert [one["path"] for one in held(doubled, "BTC/USD@bitstamp")] == ["one"]
    assert "expected the id of an import" in failure(doubled, 2, "data", "remove", second["import_id"], "--yes")
    assert answer(doubled, "store", "verify")["sound"]


def test_what_a_run_was_made_of_stays_unless_forced(place: Path) -> None:
    made = answer(place, "backtest", "-c", "maker.toml")
    (one,) = held(place, "BTC/USD@synthetic")
    line = failure(place, 4, "data", "remove", one["import_id"], "--yes")
    assert made["run_id"] in line and "--force" in line and len(held(place, "BTC/USD@synthetic")) == 1
    found = answer(place, "data", "remove", one["import_id"], "--yes", "--force")
    assert found["imports"][0]["runs"] == [made["run_id"]] and held(place, "BTC/USD@synthetic") == []


def test_the_warning_of_an_overlap_names_the_verb(place: Path) -> None:
    write_ticks(place / "one", ROWS)
    write_ticks(place / "two", ROWS[:50])
    run(place, "data", "import", "one", "--format", "bitstamp-l3")
    done = run(place, "data", "import", "two", "--format", "bitstamp-l3")
    assert "warning: other imports hold rows" in done.stdout and "`tradebot data remove IMPORT` removes one" in done.stdout


def test_a_run_over_overlapping_imports_says_so_and_so_does_its_report(doubled: Path) -> None:
    first, second = held(doubled, "BTC/USD@bitstamp")
    (doubled / "doubled.toml").write_text((doubled / "maker.toml").read_text().replace('"synthetic"', '"bitstamp"'))
    done = run(doubled, "backtest", "-c", "doubled.toml", "--json")
    found = json.loads(done.stdout)
    (overlap,) = found["overlaps"]
    assert f"warning: {overlap}" in done.stderr and "l3_add" in overlap and "count twice" in overlap
    assert first["import_id"] in overlap and second["import_id"] in overlap
    manifest = json.loads((Path(found["report"]).parent / "manifest.json").read_text())
    assert overlap in manifest["assumptions"]
    again = run(doubled, "report", "last")
    assert f"warning: {overlap}" in again.stderr and overlap.split("`")[0] in Path(found["report"]).read_text()
    run(doubled, "data", "remove", second["import_id"], "--yes", "--force")
    clean = run(doubled, "backtest", "-c", "doubled.toml", "--json")
    assert json.loads(clean.stdout)["overlaps"] == [] and "warning" not in clean.stderr
