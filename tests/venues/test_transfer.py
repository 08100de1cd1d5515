"""One file over HTTP against a server of the test's own: cuts, lies, refusals, a full disk. Nothing waits."""

import hashlib
import resource
from pathlib import Path

import pytest

from tests.venues.conftest import Clock
from tests.venues.local_server import Cut, Hang, LocalServer, Status, Whole
from tradebot.domain.errors import DownloadFailed, UsageError
from tradebot.venues.disk import part_of
from tradebot.venues.transfer import Fetched, Transfer

BODY = bytes(range(256)) * 2000  # 512,000 bytes
SHA256 = hashlib.sha256(BODY).hexdigest()
PATH = "data/spot/file.zip"


@pytest.fixture
def served(server: LocalServer) -> LocalServer:
    server.files[PATH] = BODY
    return server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file.zip"


def transfer(server: LocalServer, clock: Clock, timeout_s: float = 20.0, attempts_max: int = 6) -> Transfer:
    return Transfer(server.url, clock.patience(attempts_max), clock.pace(), timeout_s, clock.read)


def fetch(server: LocalServer, clock: Clock, target: Path, sha256: str = SHA256) -> Fetched | None:
    return transfer(server, clock).fetch(PATH, target, sha256, lambda position, total: None)


def test_a_whole_file_is_verified_and_named(served: LocalServer, clock: Clock, target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    found = transfer(served, clock).fetch(PATH, target, SHA256, lambda *step: told.append(step))
    assert found == Fetched(len(BODY))
    assert target.read_bytes() == BODY
    assert [path.name for path in target.parent.iterdir()] == ["file.zip"]
    assert told[0] == (0, len(BODY)) and told[-1] == (len(BODY), len(BODY))


def test_a_cut_in_the_middle_goes_on_where_it_was(served: LocalServer, clock: Clock, target: Path) -> None:
    served.faults[PATH] = [Cut(100_000), Cut(50_000)]
    assert fetch(served, clock, target) == Fetched(len(BODY))
    assert [one.range for one in served.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert target.read_bytes() == BODY


def test_a_line_that_is_cut_ten_times_still_brings_the_file(served: LocalServer, clock: Clock, target: Path) -> None:
    served.faults[PATH] = [Cut(40_000)] * 10
    assert fetch(served, clock, target) == Fetched(len(BODY))


def test_a_part_of_an_earlier_call_is_gone_on_with(served: LocalServer, clock: Clock, target: Path) -> None:
    part_of(target).write_bytes(BODY[:300_000])
    assert fetch(served, clock, target) == Fetched(212_000)
    assert [one.range for one in served.asked] == ["bytes=300000-"]


def test_a_part_that_is_whole_needs_no_more_bytes(served: LocalServer, clock: Clock, target: Path) -> None:
    part_of(target).write_bytes(BODY)
    assert fetch(served, clock, target) == Fetched(0)
    assert target.read_bytes() == BODY


def test_a_part_that_is_too_long_begins_again(served: LocalServer, clock: Clock, target: Path) -> None:
    part_of(target).write_bytes(BODY + b"more")
    assert fetch(served, clock, target) == Fetched(len(BODY))


def test_a_part_of_another_version_is_fetched_once_more_whole(served: LocalServer, clock: Clock, target: Path) -> None:
    part_of(target).write_bytes(b"x" * 1000)
    assert fetch(served, clock, target) == Fetched(len(BODY) - 1000 + len(BODY))
    assert [one.range for one in served.asked] == ["bytes=1000-", None]
    assert target.read_bytes() == BODY


def test_a_peer_without_ranges_begins_again(served: LocalServer, clock: Clock, target: Path) -> None:
    served.faults[PATH] = [Cut(100_000), Whole()]
    assert fetch(served, clock, target) == Fetched(100_000 + len(BODY))
    assert target.read_bytes() == BODY


def test_a_wrong_hash_is_refused_at_once_and_nothing_stays(served: LocalServer, clock: Clock, target: Path) -> None:
    served.files[PATH] = b"other"
    found = fetch(served, clock, target)
    assert found is not None and found.wrong_sha256 == hashlib.sha256(b"other").hexdigest()
    assert list(target.parent.iterdir()) == []
    assert len(served.asked) == 1


def test_a_wrong_hash_after_a_cut_is_refused_after_one_more_try(served: LocalServer, clock: Clock, target: Path) -> None:
    served.files[PATH] = BODY[::-1]
    served.faults[PATH] = [Cut(1000)]
    found = fetch(served, clock, target)
    assert found is not None and found.wrong_sha256 == hashlib.sha256(BODY[::-1]).hexdigest()
    assert [one.range for one in served.asked] == [None, "bytes=1000-", None]
    assert list(target.parent.iterdir()) == []


def test_an_old_file_at_the_target_stays_until_the_new_one_is_whole(served: LocalServer, clock: Clock, target: Path) -> None:
    target.write_bytes(b"old")
    served.faults[PATH] = [Status(403)]
    with pytest.raises(DownloadFailed, match=r"found HTTP 403 .*; check the URL"):
        fetch(served, clock, target)
    assert target.read_bytes() == b"old"
    fetch(served, clock, target)
    assert target.read_bytes() == BODY


def test_what_does_not_exist_is_none(server: LocalServer, clock: Clock, target: Path) -> None:
    assert fetch(server, clock, target) is None
    assert transfer(server, clock).read_text("no/such/text") is None
    assert list(target.parent.iterdir()) == [] and clock.slept == []


def test_too_many_requests_wait_as_long_as_asked(served: LocalServer, clock: Clock, target: Path) -> None:
    served.faults[PATH] = [Status(429, {"Retry-After": "42"})]
    assert fetch(served, clock, target) == Fetched(len(BODY))
    assert clock.slept == [42.0]


def test_a_server_error_passes(served: LocalServer, clock: Clock, target: Path) -> None:
    served.faults[PATH] = [Status(500), Status(503), Status(502)]
    assert fetch(served, clock, target) == Fetched(len(BODY))
    assert clock.slept == [0.5, 1.0, 2.0]


def test_a_server_that_only_fails_ends_in_one_error(served: LocalServer, clock: Clock, target: Path) -> None:
    served.faults[PATH] = [Status(500)] * 3
    with pytest.raises(DownloadFailed, match=r"found HTTP 500 .* at 3 attempts in a row"):
        transfer(served, clock, attempts_max=3).fetch(PATH, target, SHA256, lambda position, total: None)
    assert len(served.asked) == 3


def test_a_peer_that_falls_silent_is_cut_off_and_gone_on_with(served: LocalServer, clock: Clock, target: Path) -> None:
    served.faults[PATH] = [Hang(100_000)]
    found = transfer(served, clock, timeout_s=0.2).fetch(PATH, target, SHA256, lambda position, total: None)
    assert found == Fetched(len(BODY))
    assert [one.range for one in served.asked] == [None, "bytes=100000-"]


def test_a_peer_that_trickles_is_cut_off(served: LocalServer, clock: Clock, target: Path) -> None:
    """By the clock of the test two minutes pass at each look."""
    served.faults[PATH] = [Cut(100)]

    def read() -> float:
        clock.now_s += 120.0
        return clock.now_s

    slow = Transfer(served.url, clock.patience(1), clock.pace(), 20.0, read)
    with pytest.raises(DownloadFailed, match="found 100 bytes in 120 s at 1 attempts"):
        slow.fetch(PATH, target, SHA256, lambda position, total: None)
    served.files[PATH] = b"x" * 100
    target.with_name(target.name + ".part").unlink()
    whole = slow.fetch(PATH, target, hashlib.sha256(b"x" * 100).hexdigest(), lambda position, total: None)
    assert whole == Fetched(100), "what is whole was not too slow"


def test_nobody_there_is_told_as_such(clock: Clock, target: Path) -> None:
    with LocalServer().running() as gone:
        pass
    with pytest.raises(DownloadFailed, match="found Connection refused at 2 attempts in a row"):
        transfer(gone, clock, attempts_max=2).fetch(PATH, target, SHA256, lambda position, total: None)


def test_a_full_disk_is_told_and_what_came_is_gone_on_with(served: LocalServer, clock: Clock, target: Path) -> None:
    """No file of this process may grow beyond a size: the kernel answers as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(DownloadFailed, match=r"expected room for .*, found: File too large after 200,000 bytes; make room"):
            fetch(served, clock, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert part_of(target).read_bytes() == BODY[:200_000] and not target.exists()
    assert fetch(served, clock, target) == Fetched(312_000)
    assert [one.range for one in served.asked] == [None, "bytes=200000-"], "a full disk is not tried again"


@pytest.mark.parametrize("url", ["file:///etc", "ftp://host/x", "host/path", "http://", ""])
def test_a_base_url_must_be_one_of_http(url: str, clock: Clock) -> None:
    with pytest.raises(UsageError, match="expected a URL such as https://"):
        Transfer(url, clock.patience(), clock.pace())
