"""Keys of a client: CURVE's, in Z85, the text that ZeroMQ has for 32 bytes."""

from pathlib import Path

import zmq

from tradebot.domain.errors import UsageError


def make_keys() -> tuple[str, str]:
    """A public key and its secret one."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def public_key_of(secret: str) -> str:
    """Raises UsageError where it is none."""
    try:
        return zmq.curve_public(secret.encode()).decode()
    except (ValueError, zmq.ZMQError) as error:
        raise UsageError(
            f"expected a secret key of 40 characters in Z85, found {len(secret)} that are none: "
            "`python -m tradebot.client.keys FILE` makes one"
        ) from error


def read_key(path: str | Path) -> str:
    """The secret key in a file that `python -m tradebot.client.keys FILE` made."""
    return Path(path).read_text().strip()
