"""One connection of a client to a node: CURVE, and why there is none where there is none.

libzmq connects again by itself, for ever and in silence; its monitor tells what the last try came to, and that is what a caller
wants to know who has waited in vain.
"""

import contextlib
from typing import Any, Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from tradebot.client.errors import KeyRefused, NoNode
from tradebot.domain.errors import UsageError
from tradebot.domain.wire import is_ipv6

RECONNECT_MS: Final = 50
RECONNECT_MAX_MS: Final = 2_000
KEEPALIVE_S: Final = 30
_EVENTS: Final = (
    zmq.Event.HANDSHAKE_SUCCEEDED,
    zmq.Event.HANDSHAKE_FAILED_AUTH,
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
    zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    zmq.Event.CONNECT_RETRIED,
    zmq.Event.DISCONNECTED,
)

Context = zmq.Context[zmq.Socket[bytes]]


class Line:
    """A socket of `kind` to `address`."""

    def __init__(self, context: Context, kind: int, address: str, server_key: str, keys: tuple[str, str]) -> None:
        self.address = address
        self.socket = context.socket(kind)
        self.socket.curve_serverkey = server_key.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = (key.encode() for key in keys)
        options = {
            zmq.LINGER: 0, zmq.IMMEDIATE: 1, zmq.RECONNECT_IVL: RECONNECT_MS, zmq.RECONNECT_IVL_MAX: RECONNECT_MAX_MS,
            zmq.TCP_KEEPALIVE: 1, zmq.TCP_KEEPALIVE_IDLE: KEEPALIVE_S, zmq.IPV6: is_ipv6(address),
        }  # fmt: skip
        for option, value in options.items():
            self.socket.setsockopt(option, value)
        self._monitor: Any = self.socket.get_monitor_socket(sum(_EVENTS))
        self._last: int | None = None
        try:
            self.socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise UsageError(f"expected the address of a node, tcp://HOST:PORT, found {address!r}") from error

    @property
    def is_up(self) -> bool:
        self._read()
        return self._last == zmq.Event.HANDSHAKE_SUCCEEDED

    def failure(self) -> NoNode | KeyRefused | None:
        """Why there is no connection; None where there is one."""
        self._read()
        if self._last == zmq.Event.HANDSHAKE_SUCCEEDED:
            return None
        if self._last == zmq.Event.HANDSHAKE_FAILED_AUTH:
            return KeyRefused(
                f"expected the node at {self.address} to know this client's public key, found that it does not: add it to the "
                "node's configuration as a [[node.api.client]]"
            )
        if self._last in (zmq.Event.HANDSHAKE_FAILED_NO_DETAIL, zmq.Event.HANDSHAKE_FAILED_PROTOCOL):
            return KeyRefused(
                f"expected a node at {self.address} that has the server key given, found one that ends the handshake: take the "
                "key that `tradebot status` tells"
            )
        return NoNode(f"expected a node at {self.address}, found nobody: is it running, and is this its node.api.address?")

    def _read(self) -> None:
        """What happened to it since; a refusal stays the reason while it is tried again."""
        failed = (zmq.Event.HANDSHAKE_FAILED_AUTH, zmq.Event.HANDSHAKE_FAILED_NO_DETAIL, zmq.Event.HANDSHAKE_FAILED_PROTOCOL)
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            is_only_again = event in (zmq.Event.CONNECT_RETRIED, zmq.Event.DISCONNECTED) and self._last in failed
            if not is_only_again:
                self._last = event

    def close(self) -> None:
        with contextlib.suppress(zmq.ZMQError):
            self.socket.disable_monitor()
        self._monitor.close(linger=0)
        self.socket.close(linger=0)
