"""What a node and its clients say to each other over tcp: messages, roles, refusals, topics. docs/wire.md is the same for people.

A message is MessagePack: an array whose first element is an integer tag and whose second is the version. A later version of the
same number only appends. Bodies are maps by the names that the command line has with --json. Nothing here needs the compiled
core, so that a client is small.
"""

from enum import IntEnum, StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from tradebot.domain.words import WHY_MAX

VERSION: Final = 1
REQUEST_BYTES_MAX: Final = 4_096
STREAMS_PORT_AFTER: Final = 1
"""Streams are at the port behind that of requests."""


def is_ipv6(address: str) -> bool:
    """Whether the host of `tcp://HOST:PORT` is an address of IPv6, in brackets; a name is looked up for IPv4 at both ends."""
    return address.removeprefix("tcp://").startswith("[")


STATE: Final = "state"
FACTS: Final = "facts"
METRICS: Final = "metrics"
TOPICS: Final = (STATE, FACTS, METRICS)
"""The facts of one kind are at `facts.KIND`, so that a subscription of `facts` hears all of them."""

PLACES: Final = "topics"
"""Where each topic stands, for who subscribes to it behind the others. Its name is the last one also by the alphabet, by which
libzmq says subscriptions again once a connection is back.
"""


class Role(StrEnum):
    """What a key may do: see; also steer; also close and shut."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


QUESTIONS: Final = ("hello", "status", "orders", "positions", "fills", "explain", "reconcile")
"""Every role may ask."""

CONTROLS: Final[dict[str, frozenset[Role]]] = {
    "pause": frozenset({Role.OPERATOR, Role.ADMIN}),
    "resume": frozenset({Role.OPERATOR, Role.ADMIN}),
    "cancel-all": frozenset({Role.OPERATOR, Role.ADMIN}),
    "flatten": frozenset({Role.ADMIN}),
    "kill": frozenset({Role.ADMIN}),
}
"""Who may send which control."""


class Code(IntEnum):
    """Why a request was refused, by who refuses: 1xx its form, 2xx the role, 3xx the node. Numbers never change meaning."""

    MALFORMED = 100
    WRONG_VERSION = 101
    UNKNOWN_VERB = 102
    WRONG_ARGUMENTS = 103
    TOO_LARGE = 104
    TOO_MANY = 105
    ROLE = 200
    NOBODY_ANSWERS = 300
    REFUSED = 301
    KILLED = 302
    NOT_FOUND = 303
    OUTCOME_UNKNOWN = 304


Argument = bool | int | str


class Ask(Struct, frozen=True, tag=1, array_like=True):
    """A question. `number` is the asker's own and comes back with the answer."""

    version: int
    number: int
    verb: str
    arguments: dict[str, Argument] = {}


class Control(Struct, frozen=True, tag=2, array_like=True):
    """An operator's wish. It is tried once; who sent it and `why` stand in the journal."""

    version: int
    number: int
    verb: str
    why: str = ""
    arguments: dict[str, Argument] = {}


class Answer(Struct, frozen=True, tag=10, array_like=True):
    """What a request came to."""

    version: int
    number: int
    body: dict[str, Any]


class Refusal(Struct, frozen=True, tag=11, array_like=True):
    """Why a request came to nothing; `number` is 0 where it could not be read."""

    version: int
    number: int
    code: int
    why: str


class State(Struct, frozen=True, tag=20, array_like=True):
    """How the node stands. `stream` names the publisher's start; in it each topic counts from 1, and a number that is missing is
    a message that was lost.
    """

    version: int
    stream: int
    sequence: int
    time_ns: int
    body: dict[str, Any]


class Facts(Struct, frozen=True, tag=21, array_like=True):
    """What happened of one kind since the message before, each as `tradebot logs --json` has it."""

    version: int
    stream: int
    sequence: int
    time_ns: int
    body: list[dict[str, Any]]


class Metrics(Struct, frozen=True, tag=22, array_like=True):
    """Figures of the node, once a second."""

    version: int
    stream: int
    sequence: int
    time_ns: int
    body: dict[str, Any]


class Places(Struct, frozen=True, tag=23, array_like=True):
    """The number of the last message of each topic; those that are not in it have had none."""

    version: int
    stream: int
    body: dict[str, int]


Request = Ask | Control
Reply = Answer | Refusal
Told = State | Facts | Metrics | Places

_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(Reply)
_told = msgspec.msgpack.Decoder(Told)
_encoder = msgspec.msgpack.Encoder()


class Unread(ValueError):
    """Bytes that are no message; `code` says in which way."""

    def __init__(self, code: Code, why: str, number: int = 0) -> None:
        super().__init__(why)
        self.code, self.number = code, number


def encode(message: Request | Reply | Told) -> bytes:
    """A message as bytes."""
    return _encoder.encode(message)


def read_request(data: bytes) -> Request:
    """A request whose form is right: size, version, verb, text. Raises Unread, whatever the bytes are."""
    if len(data) > REQUEST_BYTES_MAX:
        raise Unread(Code.TOO_LARGE, f"expected a request of at most {REQUEST_BYTES_MAX} bytes, found {len(data)}")
    try:
        request: Request = _requests.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:  # deep nesting is the second
        raise Unread(Code.MALFORMED, f"expected a request, see docs/wire.md, found: {error}") from error
    if request.version != VERSION:
        raise Unread(Code.WRONG_VERSION, f"expected version {VERSION}, found {request.version}", request.number)
    known = QUESTIONS if isinstance(request, Ask) else CONTROLS
    if request.verb not in known:
        what = "a question" if isinstance(request, Ask) else "a control"
        raise Unread(Code.UNKNOWN_VERB, f"expected {what} of {', '.join(known)}, found {request.verb[:40]!r}", request.number)
    if isinstance(request, Control) and len(request.why) > WHY_MAX:
        raise Unread(Code.WRONG_ARGUMENTS, f"expected a reason of at most {WHY_MAX} characters", request.number)
    return request


def read_reply(data: bytes) -> Reply:
    """Raises msgspec.DecodeError."""
    reply: Reply = _replies.decode(data)
    return reply


def read_told(data: bytes) -> Told:
    """Raises msgspec.DecodeError."""
    told: Told = _told.decode(data)
    return told
