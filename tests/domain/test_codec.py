"""Messages between actors keep their tags and their bytes, and what is none is refused."""

from typing import get_args

import msgspec
import numpy as np
import pytest

from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE, Kind
from tradebot.domain.codec import VERSIONS, Message, is_of_known_version, message_from_bytes, to_bytes
from tradebot.domain.market import AccountFacts, Commands, Records

RECORD = np.zeros(2, RECORD_DTYPE)
FACT = np.zeros(3, FACT_DTYPE)
FACT["kind"] = Kind.PLACE_ORDER
MESSAGES: list[tuple[int, Message]] = [
    (1, Records(1, 7, RECORD.tobytes())),
    (2, Commands(1, 7, 3, 2, FACT.tobytes())),
    (3, AccountFacts(1, 7, 3, FACT.tobytes())),
]


@pytest.mark.parametrize(("tag", "message"), MESSAGES)
def test_a_message_comes_back_as_it_was_and_its_tag_never_changes(tag: int, message: Message) -> None:
    body = to_bytes(message)
    assert message_from_bytes(body) == message
    assert msgspec.msgpack.decode(body)[0] == tag


def test_the_records_of_a_message_are_read_without_copying() -> None:
    assert np.array_equal(Commands(1, 7, 3, 2, FACT.tobytes()).array(), FACT)
    assert np.array_equal(AccountFacts(1, 7, 3, FACT.tobytes()).array(), FACT)
    assert np.array_equal(Records(1, 7, RECORD.tobytes()).array(), RECORD)
    with pytest.raises(ValueError, match="buffer size"):
        Commands(1, 7, 3, 2, FACT.tobytes()[:-1]).array()


@pytest.mark.parametrize("body", [b"", b"\xc1", msgspec.msgpack.encode([99, 1]), msgspec.msgpack.encode([1, "x", 1, b""])])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        message_from_bytes(body)


def test_every_message_tells_its_version_first_and_no_other_is_known() -> None:
    kinds = get_args(Message)
    assert set(VERSIONS) == set(kinds) and all(version > 0 for version in VERSIONS.values())
    assert [kind for kind in kinds if kind.__struct_fields__[0] != "version"] == []
    assert is_of_known_version(Records(1, 7, b""))
    assert not is_of_known_version(Records(0, 7, b"")) and not is_of_known_version(Records(2, 7, b""))
