"""The public client of a node, for monitoring and control from any machine that has a key: `from tradebot.client import Client`.

It needs pyzmq and msgspec, and nothing of the compiled core."""

from tradebot.client.client import Client
from tradebot.client.curve import read_key
from tradebot.client.errors import BadMessage, KeyRefused, NoAnswer, NoNode, RequestRefused, RoleRefused
from tradebot.client.told import Accepted, Fact, Gap, Metrics, Order, Position, State, Status

__all__ = [
    "Accepted",
    "BadMessage",
    "Client",
    "Fact",
    "Gap",
    "KeyRefused",
    "Metrics",
    "NoAnswer",
    "NoNode",
    "Order",
    "Position",
    "RequestRefused",
    "RoleRefused",
    "State",
    "Status",
    "read_key",
]
