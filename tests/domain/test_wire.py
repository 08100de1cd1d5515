"""Requests of clients: whatever the bytes are, reading them gives a request whose form is right, or one refusal."""

import os
import random
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradebot.domain.wire import (
    CONTROLS,
    QUESTIONS,
    REQUEST_BYTES_MAX,
    VERSION,
    Answer,
    Ask,
    Code,
    Control,
    Refusal,
    Request,
    Role,
    State,
    Unread,
    encode,
    read_reply,
    read_request,
    read_told,
)
from tradebot.domain.words import WHY_MAX

CASES = 100_000 if os.environ.get("TRADEBOT_FULL") else 4_000

REQUESTS: tuple[Request, ...] = (
    Ask(VERSION, 1, "status"),
    Ask(VERSION, 2**64 - 1, "explain", {"order": 2**63}),
    Ask(VERSION, 3, "fills", {"last": 10}),
    Control(VERSION, 4, "pause", "lunch"),
    Control(VERSION, 5, "kill", "enough " * 50, {"guards": True, "flatten": False}),
)


def judge(data: bytes) -> Request | Code:
    """What reading comes to; anything but a request or an Unread is a failure of the test."""
    try:
        found = read_request(data)
    except Unread as error:
        assert str(error) and len(str(error)) < 1_000
        return error.code
    assert found.version == VERSION and len(data) <= REQUEST_BYTES_MAX
    assert found.verb in (QUESTIONS if isinstance(found, Ask) else CONTROLS)
    assert all(isinstance(value, bool | int | str) for value in found.arguments.values())
    return found


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    assert judge(encode(request_)) == request_


@given(st.binary(max_size=REQUEST_BYTES_MAX + 10))
@settings(max_examples=500, deadline=None)
def test_random_bytes_are_no_request(data: bytes) -> None:
    assert isinstance(judge(data), Code)


def test_mutated_requests_are_read_or_refused() -> None:
    """Bytes changed, cut out, doubled and put in, and two requests spliced."""
    chance, outcomes = random.Random(7), set()
    for _ in range(CASES):
        data = bytearray(encode(chance.choice(REQUESTS)))
        for _ in range(chance.randrange(1, 5)):
            mutate(data, chance)
        found = judge(bytes(data))
        outcomes.add(found if isinstance(found, Code) else type(found))
    assert {Code.MALFORMED, Code.WRONG_VERSION, Code.UNKNOWN_VERB, Ask, Control} <= outcomes, "the mutations reach all of it"


def mutate(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(5):
        case 0 if at < len(data):
            data[at] = chance.randrange(256)
        case 1:
            del data[at : at + chance.randrange(1, 4)]
        case 2:
            data[at:at] = chance.randbytes(chance.randrange(1, 4))
        case 3:
            data[at:at] = data[at : at + chance.randrange(1, 20)]
        case _:
            data[at:] = encode(chance.choice(REQUESTS))[at:]


def test_each_thing_that_can_be_wrong_has_its_own_number() -> None:
    cases = {
        Code.WRONG_VERSION: encode(Ask(VERSION + 1, 1, "status")),
        Code.UNKNOWN_VERB: encode(Control(VERSION, 1, "status")),
        Code.WRONG_ARGUMENTS: encode(Control(VERSION, 1, "pause", "x" * (WHY_MAX + 1))),
        Code.TOO_LARGE: b"x" * (REQUEST_BYTES_MAX + 1),
        Code.MALFORMED: b"\x91" * 1_000 + b"\xc0",
    }
    assert {code: judge(data) for code, data in cases.items()} == {code: code for code in cases}


def test_the_number_of_a_refused_request_is_kept_where_it_could_be_read() -> None:
    with pytest.raises(Unread) as caught:
        read_request(encode(Ask(VERSION + 1, 77, "status")))
    assert caught.value.number == 77


def test_what_a_later_version_appends_is_passed_over() -> None:
    assert read_request(msgspec.msgpack.encode([1, VERSION, 1, "status", {}, "new", [1, 2]])) == Ask(VERSION, 1, "status")


def test_answers_and_what_is_told_are_read_as_they_were_written() -> None:
    for reply in (Answer(VERSION, 1, {"a": [1, None, "x"]}), Refusal(VERSION, 0, Code.ROLE, "no")):
        assert read_reply(encode(reply)) == reply
    told = State(VERSION, 2**60, 1, 2**62, {"a": {}})
    assert read_told(encode(told)) == told
    with pytest.raises(msgspec.ValidationError):
        read_told(encode(Answer(VERSION, 1, {})))


def test_tags_codes_and_roles_never_change() -> None:
    """They are a promise to clients in other languages; docs/wire.md has the same."""
    assert [encode(one)[1] for one in (*REQUESTS[::3], Answer(1, 1, {}), Refusal(1, 1, 1, ""), State(1, 1, 1, 1, {}))] == [
        1, 2, 10, 11, 20,
    ]  # fmt: skip
    assert {code.name: int(code) for code in Code} == {
        "MALFORMED": 100, "WRONG_VERSION": 101, "UNKNOWN_VERB": 102, "WRONG_ARGUMENTS": 103, "TOO_LARGE": 104, "TOO_MANY": 105,
        "ROLE": 200, "NOBODY_ANSWERS": 300, "REFUSED": 301, "KILLED": 302, "NOT_FOUND": 303, "OUTCOME_UNKNOWN": 304,
    }  # fmt: skip
    assert all(Role.VIEWER not in roles and Role.ADMIN in roles for roles in CONTROLS.values())


def test_messages_need_neither_the_core_nor_numpy() -> None:
    code = "import sys, tradebot.client; print([n for n in sys.modules if n.startswith(('tradebot._core', 'numpy'))], end='')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]"
