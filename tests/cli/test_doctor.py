"""The machine's checks: all pass where the tests run, and one that fails decides the exit code."""

import json
from pathlib import Path

from command import run

NAMES = [
    "python",
    "compiled modules",
    "records",
    "store",
    "clock",
    "open files",
    "disk",
    "memory",
    "home",
    "package index",
    "venues",
]


def test_every_check_has_a_name_a_verdict_and_a_detail(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "--json")
    checks = json.loads(done.stdout)["checks"]
    assert [check["name"] for check in checks] == NAMES
    assert [check for check in checks if set(check) != {"name", "ok", "detail"} or not check["detail"]] == []
    assert [check for check in checks if not check["ok"]] == []
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == [], "the doctor leaves no home behind"


def test_a_home_that_others_can_read_fails_with_its_remedy(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    done = run(tmp_path, "doctor", "--home", "home")
    assert done.returncode == 1
    (row,) = [line for line in done.stdout.splitlines() if line.split()[1] == "home"]
    assert row.startswith("FAILED") and row.endswith("found others let in: run `chmod 700 home`")
    last = done.stderr.splitlines()[-1]
    assert last == "tradebot: expected every check to pass, found 1 that failed: home"


def test_the_network_is_asked_only_on_request(tmp_path: Path) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}
    found = {}
    for arguments in ([], ["--network"]):
        checks = json.loads(run(tmp_path, "doctor", "--json", *arguments, **offline).stdout)["checks"]
        found[bool(arguments)] = next(check for check in checks if check["name"] == "package index")
    assert found[False] == {"name": "package index", "ok": True, "detail": "not checked; --network asks"}
    assert (
        not found[True]["ok"]
        and "expected ob-analytics==0.1.0 from the package index" in found[True]["detail"]
    )
