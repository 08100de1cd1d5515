"""The clients of docs/examples, which know docs/wire.md and nothing of ours, against a node of real processes.

The one in Node.js needs node, npm and its packages, which npm puts into a folder of the test's; it is skipped where they cannot
be had.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.node.cable import Cable
from tests.node.nodes import Place
from tests.node.reached import Reached, free_port
from tests.support import needs_ipv6
from tests.test_architecture import ROOT

EXAMPLES = ROOT / "docs" / "examples"
COUNT = 10
INSTALL_S = 120


def key_file(reached: Reached, role: str) -> Path:
    path = reached.place.folder / f"{role}.key"
    path.write_text(reached.keys[role][1] + "\n")
    return path


def check(said: str, reached: Reached) -> None:
    """What both show: the status, that trading was paused, then state, figures and the fact of the pause."""
    lines = said.splitlines()
    run_id = reached.place.node.folder.name
    assert lines[0] == f"status {run_id} active"
    assert lines[1].startswith("pause") and "engine" in lines[1]
    assert len(lines) == 2 + COUNT
    topics = {line.split()[0] for line in lines[2:]}
    assert {"state", "metrics"} <= topics and "gap" not in topics
    assert reached.place.controls() == [("the-operator", "lunch")]


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("[::1]", marks=needs_ipv6)])
def test_the_plain_python_client_asks_steers_and_listens(place: Place, host: str) -> None:
    reached = Reached(place, host)
    reached.start()
    words = [sys.executable, str(EXAMPLES / "monitor.py"), reached.address, reached.server_key]
    done = subprocess.run(
        [*words, str(key_file(reached, "operator")), str(COUNT)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done
    check(done.stdout, reached)


@contextmanager
def cables(reached: Reached) -> Iterator[tuple[str, Cable]]:
    """Another address of the node, and the cable of its streams."""
    port = free_port()
    with closing(Cable(reached.port, port)), closing(Cable(reached.port + 1, port + 1)) as streams:
        yield f"tcp://127.0.0.1:{port}", streams


def check_loss(words: list[str], folder: Path, reached: Reached, cable: Cable) -> None:
    """Two messages of a kind that it never heard are said while its cable is cut; it shows the gap."""
    popen = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
    with popen as monitor, reached.client("operator") as operator:
        try:
            assert monitor.stdout is not None
            next(line for line in monitor.stdout if line.startswith("metrics"))
            cable.cut()
            kind = "facts.order_cancelled"
            told = operator.subscribe(["metrics", kind], silence_s=20)
            next(told)
            for guards in (False, True):
                operator.control("cancel-all", guards=guards)
                assert next(one for one in told if one.topic == kind)
            told.close()  # type: ignore[attr-defined]
            cable.mend()
            assert next(line for line in monitor.stdout if kind in line) == f"gap {kind}\n"
        finally:
            monitor.kill()


def test_the_plain_python_client_shows_what_it_lost(reached: Reached) -> None:
    reached.start()
    reached.place.wait_orders(2)
    with cables(reached) as (address, cable):
        words = [sys.executable, str(EXAMPLES / "monitor.py"), address, reached.server_key, str(key_file(reached, "operator"))]
        check_loss(words, reached.place.folder, reached, cable)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with its packages, by its lock file."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node-client")
    for name in ("package.json", "package-lock.json", "monitor.mjs"):
        shutil.copy(EXAMPLES / name, folder / name)
    try:
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_S
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not get the packages in time")
    if done.returncode != 0:
        pytest.skip(f"npm could not get the packages: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("[::1]", marks=needs_ipv6)])
def test_the_node_js_client_asks_steers_and_listens(packages: Path, place: Place, host: str) -> None:
    reached = Reached(place, host)
    reached.start()
    public, _ = reached.keys["operator"]
    words = ["node", "monitor.mjs", reached.address, reached.server_key, str(key_file(reached, "operator")), public, str(COUNT)]
    done = subprocess.run(words, cwd=packages, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done
    check(done.stdout, reached)


def test_the_node_js_client_shows_what_it_lost(packages: Path, reached: Reached) -> None:
    reached.start()
    reached.place.wait_orders(2)
    public, _ = reached.keys["operator"]
    with cables(reached) as (address, cable):
        words = ["node", "monitor.mjs", address, reached.server_key, str(key_file(reached, "operator")), public]
        check_loss(words, packages, reached, cable)
