"""The library without a node: what a message becomes, what is a gap, and what a caller is told who did something wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from tradebot.client import Client, Fact, Gap, NoNode
from tradebot.client.client import check_topic, next_port, read_reply, told_of
from tradebot.client.curve import make_keys, public_key_of, read_key
from tradebot.client.errors import BadMessage
from tradebot.client.heard import Heard
from tradebot.client.told import Told
from tradebot.domain.errors import EXIT_USAGE, UsageError
from tradebot.domain.wire import Facts

PUBLISHED = (
    ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"),
    ("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"),
)
"""The pairs of zmq_curve(7)."""


def facts(stream: int, *sequences: int) -> list[Told]:
    """What a client makes of messages with these numbers."""
    heard = Heard()
    event = {"sequence": 5, "event": "gap", "text": "a hole"}
    return [one for at in sequences for one in told_of("facts.gap", Facts(1, stream, at, 9, [event]), heard)]


def test_a_number_that_is_missing_is_a_gap_and_one_that_comes_again_is_nothing() -> None:
    assert [one.missed if isinstance(one, Gap) else one.sequence for one in facts(1, 4, 5, 5, 8, 7, 9)] == [4, 5, 2, 8, 9]


def test_a_publisher_that_began_anew_is_a_gap_of_unknown_size() -> None:
    heard = Heard()
    event = {"sequence": 5, "event": "gap", "text": "a hole"}
    found = [
        one
        for stream, at in ((1, 7), (2, 1), (2, 2))
        for one in told_of("facts.gap", Facts(1, stream, at, 9, [event]), heard)
    ]
    assert found[1] == Gap(topic="facts.gap", missed=None)
    assert [type(one) for one in found] == [Fact, Gap, Fact, Fact]


def test_events_that_came_together_are_told_one_by_one() -> None:
    events = [{"sequence": number, "event": "order_filled", "text": "x", "price": "1.5"} for number in (3, 4)]
    found = list(told_of("facts.order_filled", Facts(1, 1, 1, 9, events), Heard()))
    assert [(one.fact, one.raw["price"]) for one in found if isinstance(one, Fact)] == [(3, "1.5"), (4, "1.5")]


def test_wrong_use_is_told_in_one_line() -> None:
    assert next_port("tcp://[::1]:7700") == "tcp://[::1]:7701"
    hosts = ("host", "host:x", "host:99999", "host:65535", "host:0", ":7700", "*:7700")
    for wrong in ("ipc:///x", *(f"tcp://{host}" for host in hosts)):
        with pytest.raises(UsageError, match="expected tcp"):
            next_port(wrong)
    with pytest.raises(UsageError, match="expected a topic"):
        check_topic("fact")
    with pytest.raises(UsageError, match="expected a secret key"):
        public_key_of("short")
    with pytest.raises(BadMessage):
        read_reply(b"\xc1")


def test_a_file_without_a_key_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "desk.key"
    with pytest.raises(UsageError, match=r"a secret key in .*desk\.key, found: No such file or directory; .*client\.keys FILE"):
        read_key(path)
    with pytest.raises(UsageError, match="Is a directory"):
        read_key(tmp_path)
    for junk in (b"\xff\xfe\x00", b"", b"no key", "é".encode() * 20):
        path.write_bytes(junk)
        with pytest.raises(UsageError, match=r"desk\.key.*client\.keys FILE"):
            read_key(path)


def test_keys_whose_secrets_everybody_has_are_refused(tmp_path: Path) -> None:
    public, secret = make_keys()
    path = tmp_path / "desk.key"
    for published_public, published_secret in PUBLISHED:
        path.write_text(published_secret)
        with pytest.raises(UsageError, match=r"desk\.key: expected a key of your own"):
            read_key(path)
        with pytest.raises(UsageError, match="expected a key of your own"):
            Client("tcp://127.0.0.1:9", public, published_secret)
        with pytest.raises(UsageError, match="whose secret everybody has: take the key that `tradebot status` tells"):
            Client("tcp://127.0.0.1:9", published_public, secret)


def test_what_a_client_is_made_of_is_looked_at_before_anything_is_sent() -> None:
    public, secret = make_keys()
    for wrong in ("abc", "", "~" * 40, "#" * 40, "é" * 40):
        with pytest.raises(UsageError, match="the node's public key, 40 characters in Z85"):
            Client("tcp://127.0.0.1:9", wrong, secret)
    for streams in ("tcp://127.0.0.1:99999", "ipc:///x"):
        with pytest.raises(UsageError, match="a port from 1 to 65535"):
            Client("tcp://127.0.0.1:9", public, secret, streams=streams)
    with Client("tcp://a b:9", public, secret) as node, pytest.raises(UsageError, match="the address of a node, tcp://HOST:PORT"):
        node.status()
    with Client("tcp://127.0.0.1:9", public, secret, streams="tcp://127.0.0.1:65535", timeout_s=0.2) as node:
        with pytest.raises(UsageError, match=r"up to 64 bits, found .*order.* with 'explain'"):
            node.ask("explain", order=2**70)
        with pytest.raises(UsageError, match="whole numbers"):
            node.control("kill", guards=object())  # type: ignore[arg-type]


def test_nobody_at_the_address_is_told_within_the_time_given() -> None:
    public, secret = make_keys()
    with Client("tcp://127.0.0.1:9", public, secret, timeout_s=0.3) as node:
        with pytest.raises(NoNode, match="found nobody"):
            node.control("kill")
        with pytest.raises(NoNode):
            next(node.subscribe(["state"], silence_s=0.3))


def test_the_command_makes_a_pair_and_overwrites_none(tmp_path: Path) -> None:
    path = tmp_path / "desk.key"
    words = [sys.executable, "-m", "tradebot.client.keys", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert public_key_of(read_key(path)) == done.stdout.strip() and done.stderr == ""
    assert path.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == EXIT_USAGE and "never overwritten" in again.stderr and again.stderr.count("\n") == 1
