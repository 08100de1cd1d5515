"""One way to put messages and snapshots into bytes: MessagePack by msgspec, tagged, never pickle."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args

import msgspec

from tradebot.domain.links import AnswersTaken, BooksAsked, CommandsTaken, EngineUp, Fenced, GatewayUp, VenueBooks
from tradebot.domain.market import AccountFacts, Commands, MarketAsked, Records
from tradebot.domain.signals import (
    Asked,
    Demonitor,
    Exit,
    Happened,
    Link,
    Monitor,
    Reachable,
    Terminated,
    Unlink,
    Unreachable,
    Word,
)
from tradebot.domain.venue import VenueEvent, VenueReply, VenueRequest

Message = (
    Records
    | Commands
    | AccountFacts
    | CommandsTaken
    | AnswersTaken
    | EngineUp
    | GatewayUp
    | Fenced
    | BooksAsked
    | VenueBooks
    | MarketAsked
    | VenueRequest
    | VenueReply
    | VenueEvent
    | Monitor
    | Demonitor
    | Link
    | Unlink
    | Exit
    | Terminated
    | Unreachable
    | Reachable
    | Happened
    | Word
    | Asked
)

VERSIONS: Final[dict[type[Any], int]] = dict.fromkeys(get_args(Message), 1) | {VenueBooks: 2, VenueReply: 3, VenueEvent: 3}
"""By type of message the version that is told and understood; no other is taken from a mailbox."""

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_messages = msgspec.msgpack.Decoder(Message)


to_bytes: Final[Callable[[object], bytes]] = _encoder.encode
"""Encode a Struct or plain data; equal values give equal bytes."""

message_from_bytes: Final[Callable[[bytes], Message]] = _messages.decode
"""Decode any message between actors, by its tag. Raises as `from_bytes`."""


def is_of_known_version(message: Message) -> bool:
    """Whether a message is as this release knows it: the same fields may mean something else in another."""
    return bool(message.version == VERSIONS[type(message)])


def from_bytes(data: bytes, type_: type[T]) -> T:
    """Decode into `type_`. Raises msgspec.DecodeError or msgspec.ValidationError, which say where."""
    return msgspec.msgpack.decode(data, type=type_)
