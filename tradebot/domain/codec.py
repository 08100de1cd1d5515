"""One way to put messages and snapshots into bytes: MessagePack by msgspec, tagged, never pickle."""

from typing import TypeVar

import msgspec

from tradebot.domain.control import SetTradingState
from tradebot.domain.links import AnswersTaken, BooksAsked, CommandsTaken, EngineUp, Fenced, GatewayUp, VenueBooks
from tradebot.domain.market import AccountFacts, Commands, MarketAsked, Records
from tradebot.domain.venue import VenueEvent, VenueReply, VenueRequest

Message = (
    Records
    | Commands
    | AccountFacts
    | SetTradingState
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
)

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_messages = msgspec.msgpack.Decoder(Message)


def to_bytes(value: object) -> bytes:
    """Encode a Struct or plain data; equal values give equal bytes."""
    return _encoder.encode(value)


def from_bytes(data: bytes, type_: type[T]) -> T:
    """Decode into `type_`. Raises msgspec.DecodeError or msgspec.ValidationError, which say where."""
    return msgspec.msgpack.decode(data, type=type_)


def message_from_bytes(data: bytes) -> Message:
    """Decode any message between actors, by its tag."""
    message: Message = _messages.decode(data)
    return message
