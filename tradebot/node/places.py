"""Where the store of a call is: in the home, or on a server that the configuration names.

`store = "clickhouse://user@host:port/database?password=env:NAME"` names the server and where its password lies, never the
password itself: what is written into files, manifests and messages can be shown to anybody.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from tradebot.domain.errors import UsageError

_PASSWORD: Final = "password"
_REFERENCE: Final = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)")


def store_path(home: Path) -> Path:
    """Where the embedded store of a home lies."""
    return home / "data"


def store_place(home: Path, store: str | None) -> Path | str:
    """What `open_store` takes: the home's own path, or the server's address with its password. Raises UsageError where the
    password is not where the reference says.
    """
    return store_path(home) if store is None else with_password(store, os.environ)


def parse_store(text: str) -> str:
    """Raises ValueError where the text is no address of a server; a password in it is not shown."""
    from tradebot.store.server import read_dsn

    address, _ = _split(text)
    try:
        read_dsn(address)
    except UsageError as error:
        raise ValueError(str(error)) from error
    return text


def with_password(text: str, environment: Mapping[str, str]) -> str:
    """The address with the password that it refers to."""
    address, name = _split(text)
    if name is None:
        return address
    password = environment.get(name)
    if not password:
        raise UsageError(f"expected the password of {address} in the environment variable {name}, found none: set it")
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user or 'default'}:{quote(password, safe='')}@{host}"))


def _split(text: str) -> tuple[str, str | None]:
    """The address without its reference, and the variable that this names."""
    parts = urlsplit(text)
    if ":" in parts.netloc.rpartition("@")[0]:
        raise ValueError(
            "expected no password in the address, found one, not shown here: write ?password=env:NAME and set that variable"
        )
    options = parse_qsl(parts.query, keep_blank_values=True)
    rest = urlunsplit(parts._replace(query=urlencode([one for one in options if one[0] != _PASSWORD])))
    given = dict(options).get(_PASSWORD)
    if given is None:
        return rest, None
    found = _REFERENCE.fullmatch(given)
    if found is None:
        raise ValueError("expected a reference such as password=env:NAME, found something else, not shown here")
    return rest, found["name"]
