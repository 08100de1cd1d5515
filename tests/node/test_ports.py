"""An address that a node cannot have is told before it starts, by the key that has it."""

import asyncio
import socket

import pytest
import zmq

from tests.node.nodes import Place
from tests.support import needs_ipv6
from tradebot.actors.curve import bind_secured, make_keys
from tradebot.domain.errors import EXIT_FAILED, LocalError
from tradebot.node.ports import TAKEN, unbound_port
from tradebot.node.values import Endpoint

ELSEWHERE = "192.0.2.1"
"""Of no machine (RFC 5737)."""


def test_a_port_that_cannot_be_bound_is_told_with_the_reason() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert unbound_port(Endpoint("127.0.0.1", port - 1), 2) == (port, TAKEN)
    assert unbound_port(Endpoint("127.0.0.1", port), 1) is None
    assert unbound_port(Endpoint(ELSEWHERE, port), 1) == (port, "Cannot assign requested address")
    for host in ("*", "0.0.0.0", "localhost"):
        assert unbound_port(Endpoint(host, port), 1) is None, host
    found = unbound_port(Endpoint("nowhere.invalid", port), 1)
    assert found is not None and found[1] != TAKEN


@needs_ipv6
def test_a_port_of_ipv6_is_looked_at_as_any() -> None:
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert unbound_port(Endpoint("[::1]", port), 1) == unbound_port(Endpoint("[::]", port), 1) == (port, TAKEN)
    assert unbound_port(Endpoint("[::1]", port), 1) is unbound_port(Endpoint("[::]", port), 1) is None


def test_the_key_of_the_bus_is_named_where_its_address_cannot_be_had(place: Place) -> None:
    said = place.start_refused(EXIT_FAILED, "--set", f"node.bus=tcp://{ELSEWHERE}:7794")
    assert f"expected port 7794 of {ELSEWHERE}, found that it cannot be bound" in said
    assert said.endswith("choose another node.bus\n")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the process ends of it
def test_a_socket_that_cannot_be_bound_names_the_bus() -> None:
    async def bind() -> None:
        context = zmq.Context[zmq.Socket[bytes]]()
        with pytest.raises(LocalError, match=r"choose another node\.bus$"):
            bind_secured(context.socket(zmq.PULL), f"tcp://{ELSEWHERE}:7794", make_keys()[1])
        context.destroy(linger=0)

    asyncio.run(bind())
