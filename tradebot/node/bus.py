"""The bus of a run, as its configuration has it: which ports its mailboxes have over tcp, and where the key to them is."""

from pathlib import Path
from typing import Final

from tradebot.actors.bus import Bus, TcpBus
from tradebot.actors.curve import read_or_make_secret
from tradebot.actors.watching import ROOT
from tradebot.node.session_files import API, ENGINE, FEED, GATEWAY, STORE, VENUE, home_of, ipc_folder
from tradebot.node.tree_shape import TRADING
from tradebot.node.values import BUS_PORTS, parse_bus

MAILBOXES: Final = (ROOT, STORE, VENUE, GATEWAY, ENGINE, FEED, API, TRADING)
"""In the order of their ports."""

assert len(MAILBOXES) == BUS_PORTS


def bus_of(folder: Path, text: str) -> Bus:
    """The bus that `node.bus` names, for one process of the run in `folder`, within its loop. Raises LocalError where others may
    read its key.
    """
    first = parse_bus(text)
    if first is None:
        return Bus(ipc_folder(folder))
    secret = read_or_make_secret(secret_path(folder))
    return TcpBus(ipc_folder(folder), first.host, first.port, MAILBOXES, secret)


def secret_path(folder: Path) -> Path:
    """Where the key of a home's bus is; made by the root before any part starts."""
    return home_of(folder) / "keys" / "bus.secret"
