"""The ports that a node binds, looked at before anything is started: another program may have them."""

import errno
import socket
from collections.abc import Iterator
from typing import Final

from tradebot.domain.errors import ConfigError
from tradebot.domain.wire import STREAMS_PORT_AFTER
from tradebot.node.schema import Config
from tradebot.node.values import BUS_PORTS, Endpoint, parse_bus

TAKEN: Final = "another program has it"


def bound_by(config: Config) -> Iterator[tuple[str, Endpoint, int]]:
    """By key of the configuration the first port that a node binds, and how many. Raises ConfigError where they are in each
    other's way.
    """
    bus, api = parse_bus(config.node.bus), config.node.api
    if bus is not None:
        yield "node.bus", bus, BUS_PORTS
    if api is not None:
        if bus is not None and bus.port - STREAMS_PORT_AFTER <= api.endpoint.port < bus.port + BUS_PORTS:
            raise ConfigError(
                f"node.api.address: expected ports beside those of node.bus, {bus.port} to {bus.port + BUS_PORTS - 1}, found "
                f"{api.endpoint.port}: choose others"
            )
        yield "node.api.address", api.endpoint, 1 + STREAMS_PORT_AFTER


def unbound_port(endpoint: Endpoint, ports: int) -> tuple[int, str] | None:
    """The first port that cannot be bound, and why: another has it, or the host is none of this machine's."""
    for port in range(endpoint.port, endpoint.port + ports):
        try:
            _bind(endpoint.host.strip("*[]"), port)
        except OSError as error:
            return port, TAKEN if error.errno == errno.EADDRINUSE else str(error.strerror or error)
    return None


def _bind(host: str, port: int) -> None:
    """For a moment."""
    for *kind, _, address in socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[:1]:
        with socket.socket(*kind) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            line.bind(address)
