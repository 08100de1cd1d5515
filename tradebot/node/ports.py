"""The ports that a node binds, looked at before anything is started: another program may have them."""

import errno
import socket
from collections.abc import Iterator
from typing import Final

from tradebot.domain.wire import STREAMS_PORT_AFTER, is_ipv6
from tradebot.node.schema import Config
from tradebot.node.values import BUS_PORTS, Endpoint, parse_bus

TAKEN: Final = "another program has it"


def bound_by(config: Config) -> Iterator[tuple[str, Endpoint, int]]:
    """By key of the configuration the first port that a node binds, and how many."""
    bus, api = parse_bus(config.node.bus), config.node.api
    if bus is not None:
        yield "node.bus", bus, BUS_PORTS
    if api is not None:
        yield "node.api.address", api.endpoint, 1 + STREAMS_PORT_AFTER


def unbound_port(endpoint: Endpoint, ports: int) -> tuple[int, str] | None:
    """The first port that cannot be bound, and why: another has it, or the host is none of this machine's."""
    for port in range(endpoint.port, endpoint.port + ports):
        try:
            _bind(endpoint.host, port)
        except OSError as error:
            return port, TAKEN if error.errno == errno.EADDRINUSE else str(error.strerror or error)
    return None


def _bind(host: str, port: int) -> None:
    """For a moment, as a door does."""
    with socket.socket(socket.AF_INET6 if is_ipv6(host) else socket.AF_INET) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.bind((host.strip("*[]"), port))
