"""`store migrate / backup / restore / verify`, and every verb over a server, as processes of their own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import ROOT, environment, failure, run

from tests.store.http_engine import PASSWORD, USER

OUT_OF_REACH = "clickhouse://tester@127.0.0.1:1/x?password=env:STORE_PASSWORD"

BACK_TO_THE_FIRST = """
import sys
from pathlib import Path
from tradebot.store.client import open_store
with open_store(Path(sys.argv[1]) / "data") as store:
    store._backend.command("TRUNCATE TABLE schema_versions")
    store._backend.insert("schema_versions", {"version": [int(sys.argv[2])]}, {"version": "UInt32"})
"""


def set_version(home: Path, version: int) -> None:
    subprocess.run([sys.executable, "-c", BACK_TO_THE_FIRST, str(home), str(version)], env=environment(), check=True)


def answer(folder: Path, *arguments: str, **more: str) -> dict[str, object]:
    done = run(folder, *arguments, "--json", **more)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_home_is_backed_up_verified_restored_and_runs_the_same(place: Path) -> None:
    first = answer(place, "backtest", "-c", "maker.toml")
    made = answer(place, "store", "backup", "kept")
    assert made["rows"] == first["events"] and made["path"] == str(place / "kept")
    assert answer(place, "store", "verify", "kept")["sound"] is True
    restored = answer(place, "--home", "other", "store", "restore", "kept")
    assert restored["tables"] == made["tables"]
    found = answer(place, "--home", "other", "store", "verify")
    assert found["sound"] is True and len(found["checks"]) == 6  # type: ignore[arg-type]
    assert answer(place, "--home", "other", "backtest", "-c", "maker.toml")["digest"] == first["digest"]


def test_people_are_shown_tables(place: Path) -> None:
    done = run(place, "store", "backup", "kept")
    assert done.returncode == 0 and "rows of ticks" in done.stdout
    done = run(place, "store", "verify")
    assert done.returncode == 0 and done.stdout.count("ok ") == 6
    done = run(place, "store", "migrate")
    assert done.returncode == 0 and "schema version" in done.stdout and done.stderr == ""


def test_a_damaged_backup_fails_its_check_and_is_not_restored(place: Path) -> None:
    answer(place, "store", "backup", "kept")
    file = next(path for path in sorted((place / "kept" / "parts" / "ticks").rglob("*.bin")) if path.stat().st_size > 100)
    data = bytearray(file.read_bytes())
    data[50] ^= 4
    file.write_bytes(data)
    done = run(place, "store", "verify", "kept", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["sound"] is False
    assert "take another backup" in failure(place, 1, "--home", "other", "store", "restore", "kept")
    assert list((place / "other" / "data").iterdir()) == []


def test_what_is_there_is_not_overwritten(place: Path) -> None:
    answer(place, "store", "backup", "kept")
    assert "choose another name" in failure(place, 2, "store", "backup", "kept")
    assert "nothing is overwritten" in failure(place, 2, "store", "restore", "kept")
    assert "found none" in failure(place, 1, "--home", "none", "store", "backup", "more")
    assert not (place / "none").exists() and not (place / "more").exists()


def test_an_older_store_is_migrated_after_its_backup_and_only_once(place: Path) -> None:
    set_version(place / "tradebot_home", 1)
    assert "`tradebot store migrate`" in failure(place, 1, "data", "list")
    found = answer(place, "store", "migrate", "--backup", "before")
    assert (found["from_version"], found["backup"]) == (1, str(place / "before"))
    assert [step["version"] for step in found["steps"]] == [2]  # type: ignore[attr-defined]
    assert answer(place, "store", "verify", "before")["sound"] is True
    again = answer(place, "store", "migrate", "--backup", "never")
    assert (again["steps"], again["backup"]) == ([], None) and not (place / "never").exists()
    assert answer(place, "data", "list")["instruments"]


def test_a_migration_without_a_backup_says_so(place: Path) -> None:
    set_version(place / "tradebot_home", 1)
    done = run(place, "store", "migrate")
    assert done.returncode == 0 and "no backup was taken" in done.stderr


def test_a_newer_store_is_refused(place: Path) -> None:
    set_version(place / "tradebot_home", 99)
    assert "found 99; update tradebot" in failure(place, 1, "store", "migrate")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`user@host:port` of a server whose default database is for this file."""
    command = [sys.executable, "-m", "tests.store.http_engine", str(tmp_path_factory.mktemp("server"))]
    child = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    yield f"{USER}@127.0.0.1:{child.stdout.readline().strip()}"
    child.kill()
    child.communicate()


def dsn(server: str) -> str:
    return f"clickhouse://{server}/default?password=env:STORE_PASSWORD"


def test_every_verb_works_over_a_server_with_the_digest_of_the_embedded_store(place: Path, server: str) -> None:
    embedded = answer(place, "backtest", "-c", "maker.toml")
    instrument = "BTC/USD@synthetic"
    exported = answer(place, "data", "export", "--instrument", instrument, "--out", "ticks.parquet")
    secret = {"STORE_PASSWORD": PASSWORD, "TRADEBOT__STORE": dsn(server)}
    home = ("--home", "remote")

    imported = answer(place, *home, "data", "import", "ticks.parquet", "--format", "parquet", **secret)
    assert imported["rows"] == exported["rows"]
    (listed,) = answer(place, *home, "data", "list", **secret)["instruments"]  # type: ignore[misc]
    assert (listed["instrument"], listed["rows"]) == (instrument, exported["rows"])
    assert answer(place, *home, "data", "audit", **secret)["rows"] == exported["rows"]
    again = answer(place, *home, "data", "export", "--instrument", instrument, "--out", "again.parquet", **secret)
    assert again["checksum"] == exported["checksum"]

    found = answer(place, *home, "backtest", "-c", "maker.toml", **secret)
    identities = [str(one["run_id"]).rpartition("-")[2] for one in (found, embedded)]
    assert found["digest"] == embedded["digest"] and identities[0] == identities[1]
    del secret["TRADEBOT__STORE"]  # the run says where its ticks are
    replayed = answer(place, *home, "replay", "last", "--verify", **secret)
    assert replayed["identical"] is True and replayed["digest"] == embedded["digest"]
    assert answer(place, *home, "store", "verify", "--set", f"store={dsn(server)}", **secret)["sound"] is True
    assert not any((place / "remote" / "data").iterdir()), "nothing was kept beside the server"

    written = [path for path in (place / "remote").rglob("*") if path.is_file()]
    assert written and not [path for path in written if PASSWORD.encode() in path.read_bytes()]


def test_a_server_out_of_reach_is_one_line(place: Path) -> None:
    more = {"STORE_PASSWORD": "hidden", "TRADEBOT__STORE": OUT_OF_REACH}
    verbs = ("data list", "data audit", "store verify", "store migrate", "backtest -c maker.toml")
    for words in map(str.split, verbs):
        said = failure(place, 1, *words, **more)
        assert "clickhouse://tester@127.0.0.1:1/x" in said and "hidden" not in said
        assert "check" in said


def test_a_password_that_is_not_where_the_reference_says_is_named(place: Path) -> None:
    assert "variable STORE_PASSWORD" in failure(place, 2, "data", "list", TRADEBOT__STORE=OUT_OF_REACH)


@pytest.mark.parametrize(
    "text",
    [
        "clickhouse://me:guess@host/x",
        "clickhouse://host/x?password=guess",
        "postgres://me:guess@host/x",
        "clickhouse://host/x?guess=1",
    ],
)
def test_an_address_that_is_none_or_has_a_password_is_refused_without_it(place: Path, text: str) -> None:
    said = failure(place, 2, "data", "list", "--set", f"store={text}")
    assert said.startswith("tradebot: --set: store: expected") and ("guess" not in said or "option" in said)
    shown = run(place, "config", "explain", "store", "--set", f"store={text}", "--json")
    assert "me:guess" not in shown.stdout + shown.stderr and "password=guess" not in shown.stdout + shown.stderr


def test_a_server_is_not_backed_up_here(place: Path) -> None:
    more = {"STORE_PASSWORD": "hidden", "TRADEBOT__STORE": OUT_OF_REACH}
    assert "BACKUP DATABASE" in failure(place, 2, "store", "backup", "kept", **more)
    assert "BACKUP DATABASE" in failure(place, 2, "store", "restore", "kept", **more)


def test_the_password_of_a_server_is_not_shown_by_config(place: Path) -> None:
    more = {"STORE_PASSWORD": "hidden", "TRADEBOT__STORE": OUT_OF_REACH}
    done = run(place, "config", "show", "-c", "maker.toml", "--json", **more)
    assert done.returncode == 0 and "hidden" not in done.stdout
    assert json.loads(done.stdout)["values"]["store"] == OUT_OF_REACH


def test_help_names_the_verbs(tmp_path: Path) -> None:
    done = run(tmp_path, "store", "--help")
    assert all(verb in done.stdout for verb in ("migrate", "backup", "restore", "verify"))
