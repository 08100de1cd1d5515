"""Keys of a client: CURVE's, in Z85, the text that ZeroMQ has for 32 bytes."""

import struct
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from tradebot.domain.errors import UsageError
from tradebot.domain.published import published

MAKE: Final = "`python -m tradebot.client.keys FILE` makes one"


def make_keys() -> tuple[str, str]:
    """A public key and its secret one."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def public_key_of(secret: str) -> str:
    """Raises UsageError where it is none."""
    try:
        public = zmq.curve_public(secret.encode()).decode()
    except (ValueError, zmq.ZMQError) as error:
        raise UsageError(
            f"expected a secret key of 40 characters in Z85, found {len(secret)} that are none: {MAKE}"
        ) from error
    if said := published(public):
        raise UsageError(f"{said}: {MAKE}")
    return public


def check_server_key(key: str) -> str:
    """Raises UsageError where it is no key in Z85 (rfc.zeromq.org/spec/32): five characters for four bytes."""
    try:
        data = key.encode("ascii")
        is_key = len(data) == 40 and len(z85.decode(data)) == 32
    except (KeyError, ValueError, struct.error):
        is_key = False
    if not is_key:
        raise UsageError(
            f"expected the node's public key, 40 characters in Z85, found {len(key)} that are none: take the key that "
            "`tradebot status` tells"
        )
    if said := published(key):
        raise UsageError(f"{said}: take the key that `tradebot status` tells")
    return key


def read_key(path: str | Path) -> str:
    """The secret key in a file that `python -m tradebot.client.keys FILE` made. Raises UsageError where it has none."""
    try:
        secret = Path(path).read_text("ascii").strip()
    except OSError as error:
        raise UsageError(f"expected a secret key in {path}, found: {error.strerror}; {MAKE}") from error
    except ValueError as error:
        raise UsageError(f"expected a secret key in {path}, found something else; {MAKE} under a new name") from error
    try:
        public_key_of(secret)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return secret
