"""A store that several processes use: what clients see, and what befalls owner and clients when the other fails.

Where it is enough the client is in the same process, on the service's real socket; deaths are those of real processes.
"""

import os
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.store.support import FIRST, HOLD, SECOND, joined, kill, line_of, numbers_of, python, random_records, source
from tradebot.domain.errors import StoreError, StoreFull, StoreGone, StoreOwned
from tradebot.store import remote as remote_module
from tradebot.store import share as share_module
from tradebot.store import wire
from tradebot.store.client import Store, open_store
from tradebot.store.remote import Remote
from tradebot.store.schema import VERSION
from tradebot.store.wire import PROTOCOL, SOCKET_NAME, Hello

WHO = "expected to own the store, found it owned by process 1 (someone)"

READ = """
import sys
from pathlib import Path
from tests.store.support import FIRST, joined
from tradebot.store.client import open_store
with open_store(Path(sys.argv[1])) as store:
    print(len(joined(store.stream([FIRST.id]))), flush=True)
"""

IMPORT = """
import sys
from pathlib import Path
from tests.store.support import FIRST, random_records, source
from tradebot.store.client import open_store
with open_store(Path(sys.argv[1])) as store:
    print(store.import_records(FIRST, source(), iter([random_records(FIRST, 300_000)])).rows, flush=True)
"""

IMPORT_AND_WAIT = """
import sys
from pathlib import Path
from tests.store.support import FIRST, random_records, source
from tradebot.store.client import open_store

def pause(rows):
    print(rows, flush=True)
    sys.stdin.readline()

with open_store(Path(sys.argv[1])) as store:
    store.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]), pause)
"""

OWN_AND_MEASURE = """
import resource
import sys
from pathlib import Path
from tests.store.support import FIRST, random_records, source
from tradebot.store.client import open_store

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

with open_store(Path(sys.argv[1])) as store:
    store.import_records(FIRST, source(), iter([random_records(FIRST, 1_500_000)]))
    sum(len(batch) for batch in store.stream([FIRST.id]))
    print(peak(), flush=True)
    sys.stdin.readline()
    print(sum(len(batch) for batch in store.stream([FIRST.id])), flush=True)
    print(peak(), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def owner(path: Path) -> Iterator[Store]:
    with open_store(path) as opened:
        yield opened


@pytest.fixture
def holder(path: Path) -> "Iterator[subprocess.Popen[str]]":
    """Another process that owns the store."""
    child = python(HOLD, str(path))
    assert line_of(child) == "ready"
    yield child
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGCONT)
    kill(child)


def end_of(child: "subprocess.Popen[str]") -> None:
    """Let a child that waits for its input come to its end; may be called again."""
    if child.stdin is not None:
        child.stdin.close()
        child.stdin = None


def greeted(path: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(10)
    with wire.address_of(path) as address:
        line.connect(address)
    wire.send(line, Hello(PROTOCOL, VERSION, "test", os.getpid()))
    frame = wire.receive(line)
    assert frame is not None and isinstance(frame.message, Hello)
    return line


def test_a_second_process_reads_what_the_owner_wrote(owner: Store, path: Path) -> None:
    owner.import_records(FIRST, source(), iter([random_records(FIRST, 100_000)]))
    assert numbers_of(python(READ, str(path))) == [100_000]


def test_the_owner_reads_what_a_second_process_imported(owner: Store, path: Path) -> None:
    assert numbers_of(python(IMPORT, str(path))) == [300_000]
    assert joined(owner.stream([FIRST.id])).tobytes() == random_records(FIRST, 300_000).tobytes()


def test_a_backtest_reads_while_the_owner_imports(owner: Store, path: Path) -> None:
    owner.import_records(FIRST, source(), iter([random_records(FIRST, 200_000)]))
    reads: list[int] = []

    def read_beside(rows: int) -> None:
        reads.extend(numbers_of(python(READ, str(path))))

    owner.import_records(SECOND, source(), iter([random_records(SECOND, 600_000)]), read_beside)
    assert reads == [200_000, 200_000]


def test_the_socket_is_for_its_user_alone(owner: Store, path: Path) -> None:
    assert (path / SOCKET_NAME).stat().st_mode & 0o777 == 0o600


def test_a_closed_store_leaves_no_socket(path: Path) -> None:
    open_store(path).close()
    assert not (path / SOCKET_NAME).exists()


def test_a_store_deeper_than_a_socket_address_is_shared_too(tmp_path: Path) -> None:
    path = tmp_path / ("deep" * 30) / "data"
    with open_store(path) as owner:
        owner.import_records(FIRST, source(), iter([random_records(FIRST, 1_000)]))
        assert numbers_of(python(READ, str(path))) == [1_000]


def test_an_owner_that_dies_while_a_client_reads_is_named_with_the_remedy(
    holder: "subprocess.Popen[str]", path: Path
) -> None:
    with open_store(path) as client:
        client.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
        stream = client.stream([FIRST.id])
        next(stream)
        kill(holder)
        with pytest.raises(StoreGone, match="run the same command again"):
            joined(stream)
    with open_store(path) as store:
        assert (path / SOCKET_NAME).exists()
        assert store.selection([FIRST.id]).rows == 600_000


@pytest.mark.parametrize("dies", [False, True])
def test_a_client_whose_owner_ended_between_two_requests_goes_on_as_the_owner(
    holder: "subprocess.Popen[str]", path: Path, dies: bool
) -> None:
    records = random_records(FIRST, 1_000)
    with open_store(path) as client:
        client.import_records(FIRST, source(), iter([records]))
        if dies:
            kill(holder)
        else:
            end_of(holder)
            assert holder.wait(20) == 0
        assert joined(client.stream([FIRST.id])).tobytes() == records.tobytes()
        client.write_run({"run_id": "r1"})
        assert client.runs() == [{"run_id": "r1"}]
        assert numbers_of(python(READ, str(path))) == [1_000]


def test_an_import_is_not_continued_with_another_owner(holder: "subprocess.Popen[str]", path: Path) -> None:
    """Its lease is gone, so another process may have begun the same."""
    with open_store(path) as client:
        with pytest.raises(StoreGone, match="run the same command again"):
            client.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]), lambda rows: kill(holder))
        report = client.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
        assert report.rows == 600_000
        assert client.query("SELECT count(), uniqExact(row) FROM ticks") == [(600_000, 600_000)]


def test_a_client_that_dies_in_its_import_leaves_it_to_the_next(owner: Store, path: Path) -> None:
    child = python(IMPORT_AND_WAIT, str(path))
    assert line_of(child) == "524288"
    with pytest.raises(StoreError, match="under way elsewhere"):
        owner.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
    kill(child)
    owner._backend.rows("SELECT 1")
    with owner._backend.lease(f"the import {source().import_id(FIRST.id):016x}", 10):
        pass  # its lease went with its connection
    assert owner.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)])).rows == 600_000
    assert owner.query("SELECT count(), uniqExact(row) FROM ticks") == [(600_000, 600_000)]


def test_an_owner_that_closes_lets_a_client_finish_its_import(holder: "subprocess.Popen[str]", path: Path) -> None:
    with open_store(path) as client:

        def close_owner(rows: int) -> None:
            end_of(holder)

        report = client.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]), close_owner)
        assert report.rows == 600_000
    assert holder.wait(20) == 0
    with open_store(path) as store:
        assert store.selection([FIRST.id]).rows == 600_000


def test_an_owner_that_closes_lets_a_client_read_to_the_end(path: Path) -> None:
    owner = open_store(path)
    owner.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
    with closing(Remote(path, WHO)) as client:
        blocks = client.blocks("SELECT row FROM ticks")
        rows = len(next(blocks)[0])
        closer = threading.Thread(target=owner.close)
        closer.start()
        rows += sum(len(block[0]) for block in blocks)
        assert rows == 600_000
        closer.join(20)
        assert not closer.is_alive()
        with pytest.raises(StoreGone, match="closed it"):
            client.rows("SELECT 1")


def test_a_client_that_does_not_end_is_told_at_the_bound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_module, "CLOSE_WAIT_S", 0.3)
    owner = open_store(path)
    owner.import_records(FIRST, source(), iter([random_records(FIRST, 600_000)]))
    with closing(Remote(path, WHO)) as client:
        blocks = client.blocks("SELECT row, time_ns, id, id2, venue_ns FROM ticks")
        next(blocks)
        owner.close()
        with pytest.raises(StoreGone, match="run the same command again"):
            list(blocks)


def test_a_client_that_does_not_read_holds_up_nobody(path: Path) -> None:
    child = python(OWN_AND_MEASURE, str(path))
    before = int(line_of(child))
    with open_store(path) as client:
        stalled = [client._backend.blocks("SELECT * EXCEPT time FROM ticks") for _ in range(5)]
        for blocks in stalled:
            next(blocks)
        assert client.query("SELECT count() FROM ticks") == [(1_500_000,)]
        end_of(child)
        assert int(line_of(child)) == 1_500_000
        # Each stalled client costs a few blocks of 5 MB, not the 100 MB of its result.
        assert int(line_of(child)) - before < 5 * 40
        for blocks in stalled:
            blocks.close()  # type: ignore[attr-defined]
    assert child.wait(20) == 0
    child.communicate()


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x00" * 64,
    b"\xff" * 4096,
    struct.pack("!4sII", b"tbs\x01", 0xFFFFFFFF, 0),
    struct.pack("!4sII", b"tbs\x01", 8, 0xFFFFFFFF),
    struct.pack("!4sII", b"tbs\x01", 4, 0) + b"\xc1\xc1\xc1\xc1",
    struct.pack("!4sII", b"tbs\x01", 1000, 0) + b"short",
    b"tbs\x01",
    b"",
]


@pytest.mark.parametrize("is_greeted", [False, True])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_bytes_that_are_no_request_end_their_connection_and_nothing_else(
    owner: Store, path: Path, garbage: bytes, is_greeted: bool
) -> None:
    with closing(greeted(path) if is_greeted else socket.socket(socket.AF_UNIX)) as line:
        if not is_greeted:
            line.settimeout(10)
            line.connect(str(path / SOCKET_NAME))
        line.sendall(garbage)
        line.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            assert line.recv(1) == b""
    with closing(Remote(path, WHO)) as client:
        assert client.rows("SELECT 1") == [(1,)]


def test_seeded_garbage_does_not_harm_the_owner(owner: Store, path: Path) -> None:
    chance = np.random.default_rng(1)
    request = struct.pack("!4sII", b"tbs\x01", 40, 10)
    for _ in range(200):
        with closing(greeted(path)) as line:
            body = bytearray(request + chance.bytes(50))
            body[int(chance.integers(len(body)))] ^= 1 << int(chance.integers(8))
            line.sendall(body)
    assert owner.query("SELECT 1") == [(1,)]
    with closing(Remote(path, WHO)) as client:
        assert client.rows("SELECT 1") == [(1,)]


def test_a_block_that_is_none_is_refused_and_the_connection_goes_on(owner: Store, path: Path) -> None:
    with closing(greeted(path)) as line:
        wire.send(line, wire.Insert("ticks", ["row"]), [b"this is no block of rows"])
        frame = wire.receive(line)
        assert frame is not None and isinstance(frame.message, wire.Failed)
        wire.send(line, wire.Query("SELECT 1", {}))
        frame = wire.receive(line)
        assert frame is not None and isinstance(frame.message, wire.Rows)
    assert owner.query("SELECT count() FROM ticks") == [(0,)]


def test_a_client_of_another_version_is_told_which(
    owner: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "VERSION", VERSION + 1)
    with pytest.raises(StoreOwned, match=rf"{PROTOCOL}\.{VERSION}, where {PROTOCOL}\.{VERSION + 1}.*same version"):
        Remote(path, WHO)


def test_an_owner_that_hangs_is_named(
    holder: "subprocess.Popen[str]", path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "GREET_WAIT_S", 0.5)
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(StoreOwned, match=f"process {holder.pid} .*does not answer.*another --home"):
        open_store(path)


def test_an_owner_that_hangs_in_the_middle_is_not_waited_for(
    holder: "subprocess.Popen[str]", path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_module, "GREET_WAIT_S", 0.5)
    monkeypatch.setattr(remote_module, "QUIET_S", 0.5)
    with open_store(path) as client:
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreError, match=f"process {holder.pid} .*does not answer"):
            client.catalogue()


def test_a_long_statement_is_waited_for(owner: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "QUIET_S", 0.05)
    with closing(Remote(path, WHO)) as client:
        assert client.rows("SELECT sleep(0.5)") == [(0,)]


def test_an_owner_of_an_earlier_version_is_named(path: Path) -> None:
    lock = (
        "import fcntl, os, sys\n"
        "file = open(sys.argv[1], 'w')\nfcntl.flock(file, fcntl.LOCK_EX)\n"
        "file.write(f'{os.getpid()} tradebot data import')\nfile.flush()\nprint('ready', flush=True)\nsys.stdin.read()"
    )
    child = python(lock, str(path.with_name("data.owner")))
    assert line_of(child) == "ready"
    with pytest.raises(StoreOwned, match=rf"process {child.pid} \(tradebot data import\).*another --home"):
        open_store(path)
    kill(child)


def test_an_owner_that_never_opens_its_socket_is_named_after_a_while(
    holder: "subprocess.Popen[str]", path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradebot.store.client.OWNER_WAIT_S", 0.2)
    (path / SOCKET_NAME).unlink()
    with pytest.raises(StoreOwned, match=f"process {holder.pid} .*wait for it to end"):
        open_store(path)


def test_errors_of_the_owner_reach_the_client_as_what_they_are(
    owner: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Remote(path, WHO)) as client:
        with pytest.raises(StoreError, match="UNKNOWN_TABLE"):
            client.rows("SELECT 1 FROM nowhere")
        with pytest.raises(StoreError, match="UNKNOWN_TABLE"):
            list(client.blocks("SELECT 1 FROM nowhere"))

        def full(*arguments: object) -> None:
            raise StoreFull("no room")

        monkeypatch.setattr(share_module.Handle, "insert", full)
        with pytest.raises(StoreFull, match="no room"):
            client.insert("ticks", {"row": np.zeros(1, np.uint64)}, {"row": "UInt64"})
        assert client.rows("SELECT 1") == [(1,)]


def test_there_is_a_largest_number_of_clients(owner: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_module, "CLIENTS_MAX", 2)
    with closing(Remote(path, WHO)), closing(Remote(path, WHO)) as second:
        with pytest.raises(StoreOwned, match="at most 2 connections"):
            Remote(path, WHO)
        assert second.rows("SELECT 1") == [(1,)]


def test_one_process_after_the_other_may_be_the_owner(path: Path) -> None:
    children = [python(IMPORT, str(path)) for _ in range(3)]
    ended = [child.communicate() and child.returncode for child in children]
    assert 0 in ended  # the others may have been told that the import was under way
    assert numbers_of(python(READ, str(path))) == [300_000]
