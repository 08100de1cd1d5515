"""`compare`: as people and scripts call it, with runs that really ran."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from command import failure, run


@pytest.fixture
def runs(place: Path) -> list[str]:
    """The ids of two finished runs of `place`, which differ in latency and fees."""
    ids = []
    for changes in ([], ["--set", "costs.latency=1ms", "--set", "costs.fees.maker=0.1%", "--set", "costs.fees.taker=0.1%"]):
        done = run(place, "backtest", "-c", "maker.toml", *changes, "--json")
        assert done.returncode == 0, done
        ids.append(json.loads(done.stdout)["run_id"])
    return ids


def test_json_has_the_keys_of_the_contract_and_says_what_was_set_apart(place: Path, runs: list[str]) -> None:
    done = run(place, "compare", "last~1", "last", "--json")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert [one["run_id"] for one in found["runs"]] == runs
    first, second = (one["metrics"] for one in found["runs"])
    told = found["differences"]["net_pnl"]
    assert told["values"] == dict(zip(runs, (first["net_pnl"], second["net_pnl"]), strict=True))
    assert Decimal(told["difference"][runs[1]]) == Decimal(second["net_pnl"]) - Decimal(first["net_pnl"]) > 0
    fees = dict(zip(runs, ("0.005", "0.001"), strict=True))
    assert {"group": "costs", "name": "maker fee", "values": fees} in found["settings"]
    assert found["comparable"] is True and found["warnings"] == []
    assert Path(found["page"]).is_file()


def test_people_get_a_table_with_what_was_set_apart_at_its_top(place: Path, runs: list[str]) -> None:
    done = run(place, "compare", *runs)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["set", "apart", "A", runs[0], "B", runs[1]]
    heads = [line.split("  ")[0] for line in lines]
    assert heads.index("costs: latency to the venue") < heads.index("metric") < heads.index("net_pnl")
    assert lines[-1].startswith("page: ")


def test_another_range_is_called_not_comparable_in_the_first_line(place: Path, runs: list[str]) -> None:
    done = run(place, "backtest", "-c", "maker.toml", "--set", "data.to=2026-01-05T00:10:00Z", "--json")
    assert done.returncode == 0, done
    done = run(place, "compare", runs[0], "last")
    assert done.returncode == 0
    assert done.stdout.startswith("NOT COMPARABLE: ")
    assert "The runs cover different times: A 2026-01-05 " in done.stdout.splitlines()[1]
    assert json.loads(run(place, "compare", runs[0], "last", "--json").stdout)["comparable"] is False


def test_one_run_a_wrong_name_and_a_run_with_itself_are_usage_errors(place: Path, runs: list[str]) -> None:
    assert "expected two runs or more to compare, found 1" in failure(place, 2, "compare", "last")
    assert f"found none; the nearest: {runs[0]}" in failure(place, 2, "compare", "last", runs[0].replace("-", "_"))
    assert "expected at least 10 runs for 'last~9', found 2" in failure(place, 2, "compare", "last", "last~9")
    assert f"found {runs[1]} twice" in failure(place, 2, "compare", "last", runs[1])
    assert "give it to `tradebot backtest`" in failure(place, 2, "compare", "last", "last~1", "--set", "costs.latency=1ms")


def test_a_run_that_did_not_end_is_refused(place: Path, runs: list[str]) -> None:
    manifest = place / "tradebot_home" / "results" / runs[0] / "manifest.json"
    body = json.loads(manifest.read_text())
    del body["digest"]
    manifest.write_text(json.dumps(body))
    assert "found one that did not end" in failure(place, 1, "compare", *runs)
