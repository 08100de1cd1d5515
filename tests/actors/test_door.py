"""The door of a tcp endpoint: so many come in; more are kept out, and those inside are heard all the same."""

import asyncio
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tradebot.actors import door
from tradebot.actors.bus import TcpBus
from tradebot.actors.curve import make_keys
from tradebot.actors.mailbox import Inbox, Posts
from tradebot.domain.codec import Message
from tradebot.domain.market import Records
from tradebot.testing.ports import free_ports

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no filter for who knocks")
MOST = 8
KNOCKS = 900
DESCRIPTORS = 512

KNOCK = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, 1_024))
inside = []
try:
    for _ in range(int(sys.argv[2])):
        inside.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1.0))
except OSError:
    pass
print(len(inside), flush=True)
sys.stdin.read()
"""


def knock(port: int) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", KNOCK, str(port), str(KNOCKS)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def until(found: list[Message], count: int) -> None:
    while len(found) < count:
        await asyncio.sleep(0.01)


def test_more_than_may_be_inside_are_kept_out_until_others_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(door, "INSIDE_MAX", MOST)

    async def body() -> None:
        secret, port, found = make_keys()[1], free_ports(1), list[Message]()
        (tmp_path / "bus").mkdir()
        one, other, later = (TcpBus(tmp_path / "bus", "127.0.0.1", port, ("a",), secret) for _ in range(3))
        inbox, posts, late = Inbox(one, Posts(one, "a", 1), found.extend), Posts(other, "b", 1), Posts(later, "c", 1)
        posts.send("a", Records(1, 1, b""))
        await until(found, 1)
        knocking = knock(port)
        assert knocking.stdout is not None
        count = int(await asyncio.to_thread(knocking.stdout.readline))
        assert MOST - 1 <= count < KNOCKS, "and those that knocked before it was shut"
        posts.send("a", Records(1, 2, b""))
        await until(found, 2)
        late.send("a", Records(1, 3, b""))
        knocking.communicate()
        await until(found, 3)
        for last in (inbox, posts, late, one, other, later):
            last.close()

    asyncio.run(asyncio.wait_for(body(), 50))
    assert f"{MOST} are connected, which is all that may be" in capfd.readouterr().err


def test_a_process_with_few_descriptors_outlives_who_takes_all_it_can(tmp_path: Path) -> None:
    """One door in a process may have an eighth of them, so that it has some left for what it is there for."""
    port = free_ports(1)
    code = f"""
import asyncio, resource, sys
from pathlib import Path
from tradebot.actors.bus import TcpBus
from tradebot.actors.curve import make_keys
from tradebot.actors.mailbox import Inbox, Posts, ask
resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))

async def body():
    bus = TcpBus(Path({str(tmp_path)!r}), "127.0.0.1", {port}, ("a",), make_keys()[1])
    inbox = Inbox(bus, Posts(bus, "a", 1), lambda _: None)
    print("open", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    ask(Path({str(tmp_path)!r}), "nobody.desk", b"", 0.1)  # which takes descriptors
    print("lives", flush=True)

asyncio.run(body())
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    knocking = knock(port)
    assert knocking.stdout is not None and int(knocking.stdout.readline()) < DESCRIPTORS
    assert process.communicate("\n", timeout=30)[0] == "lives\n"
    knocking.communicate()


def test_a_process_may_have_as_many_descriptors_as_the_system_allows_it() -> None:
    code = (
        "import resource; from tradebot.actors.door import raise_open_files;"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard)); raise_open_files();"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert int(found) == min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], door.OPEN_FILES_MAX)


def test_an_address_of_another_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        door.Door(f"tcp://127.0.0.1:{taken.getsockname()[1]}")

