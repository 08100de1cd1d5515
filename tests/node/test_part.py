"""What is asked at a desk ends no part, whatever it is: it is told what is wrong, and what could not be read is counted.

Every part of a real node is asked everything that it knows, with words that are missing, of another type or no JSON at all.
"""

from typing import Any, Final

import msgspec
import pytest
import zmq

from tests.node.nodes import Place
from tradebot.actors.mailbox import address, ask
from tradebot.actors.watching import ROOT
from tradebot.node.part import QUESTION_BYTES_MAX, Base, read_question
from tradebot.node.session_files import ENGINE, FEED, GATEWAY, STORE, VENUE, ipc_folder

PARTS: Final = (STORE, VENUE, GATEWAY, ENGINE, FEED)
VERBS: Final = ("status", "orders", "positions", "reconcile", "books", "state", "act", "hold", "restart", "explain", "", "nope")
WRONG: Final[list[Any]] = [None, 3, -1.5, True, [], {}, [["a"]], {"a": {"b": None}}]
UNREADABLE: Final = [
    b"", b"null", b"5", b"[]", b"{}", b'"verb"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"verb":' * 100_000, b'{"a":"b"}',
    b'{"verb":"\\ud800"}', b'{"verb":"status","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    msgspec.json.encode({"verb": "act", "why": "x" * QUESTION_BYTES_MAX}),
    *(msgspec.json.encode({"verb": one}) for one in WRONG),
    *(msgspec.json.encode({"verb": verb, name: one})
      for verb in ("status", "act", "state", "restart") for name in ("act", "state", "who", "why", "part") for one in WRONG),
]  # fmt: skip
MISSING: Final = [
    *({"verb": verb} for verb in VERBS if verb not in ("status", "hold")),
    *({"verb": verb, name: word} for verb, name in (("act", "act"), ("state", "state"), ("restart", "part"))
      for word in ("", "nobody", "__class__", "mro", "\x00", "a" * 1_000)),
]  # fmt: skip


class Quiet(Base):
    name = "quiet"


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_question_that_cannot_be_read_is_told_so_and_counted(body: bytes) -> None:
    part = Quiet()
    said, found = part.ask(body, 0)
    assert "expected" in msgspec.json.decode(said)["error"] and not list(found)
    assert part.garbage_questions == 1
    status = msgspec.json.decode(part.ask(b'{"verb":"status"}', 0, lambda: {"messages": 7})[0])
    assert status == {"refused": 0, "mailbox": {"messages": 7, "garbage_questions": 1}}


def test_a_question_has_a_verb_and_words() -> None:
    assert read_question(b'{"verb":"act","act":"FLATTEN"}') == {"verb": "act", "act": "FLATTEN"}
    assert len(read_question(msgspec.json.encode({"verb": "x" * (QUESTION_BYTES_MAX - 11)}))["verb"]) == QUESTION_BYTES_MAX - 11


def test_nothing_that_is_asked_ends_a_part(place: Place) -> None:
    place.start()
    before = {name: place.node.pids(name) for name in PARTS}
    folder = ipc_folder(place.node.folder)
    for name in (*PARTS, ROOT):
        context: zmq.Context[Any] = zmq.Context()
        socket = context.socket(zmq.REQ)
        socket.connect(address(folder, f"{name}.desk"))
        for body in [*UNREADABLE, *map(msgspec.json.encode, MISSING)]:
            socket.send(body)
            assert socket.poll(5_000), (name, body[:80])
            assert isinstance(msgspec.json.decode(socket.recv()), dict), (name, body[:80])
        socket.close(0)
        context.term()
        if name != ROOT:
            status = msgspec.json.decode(ask(folder, f"{name}.desk", b'{"verb":"status"}', 5.0) or b"{}")
            assert status["mailbox"]["garbage_questions"] == len(UNREADABLE)
    assert {name: place.node.pids(name) for name in PARTS} == before
    assert place.stop() == 0
