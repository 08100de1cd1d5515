"""Open stores of all three kinds: the embedded engine, another process that owns it, a server.

The contract of the store runs over each. Owner and server are processes of their own, started once for all tests; each test finds
them empty.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.store.http_engine import PASSWORD, USER
from tests.store.support import HOLD, ROOT, kill, line_of, python
from tradebot.store.client import Store, open_store
from tradebot.store.schema import TABLES

KINDS = ("owner", "client", "server")
_numbers = count()


@pytest.fixture(scope="session")
def owned_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The path of a store that another process owns."""
    path = tmp_path_factory.mktemp("owned") / "data"
    child = python(HOLD, str(path))
    assert line_of(child) == "ready"
    yield path
    kill(child)


@pytest.fixture(scope="session")
def server_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`user:password@host:port` of a server."""
    command = [sys.executable, "-m", "tests.store.http_engine", str(tmp_path_factory.mktemp("server"))]
    child = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield f"{USER}:{PASSWORD.replace(':', '%3A')}@127.0.0.1:{line_of(child)}"
    kill(child)


@pytest.fixture
def server_dsn(server_address: str) -> str:
    """A database of the test's own."""
    with open_store(f"clickhouse://{server_address}/default") as admin:
        name = f"test_{next(_numbers)}"
        admin._backend.command(f"CREATE DATABASE {name}")
    return f"clickhouse://{server_address}/{name}"


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, of each kind in turn."""
    if request.param == "owner":
        with open_store(tmp_path / "data") as opened:
            yield opened
    elif request.param == "client":
        with open_store(request.getfixturevalue("owned_path")) as opened:
            yield opened
            for table in TABLES:
                opened._backend.command(f"TRUNCATE TABLE {table.name}")
    else:
        with open_store(request.getfixturevalue("server_dsn")) as opened:
            yield opened


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)],
            capture_output=True,
            text=True,
            check=False,
        )
        if os.geteuid() == 0
        else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
