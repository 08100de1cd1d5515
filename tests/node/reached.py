"""A node that clients reach: a place with an api on free ports, and keys of three roles."""

from collections.abc import Callable
from typing import Any

from tests.node.nodes import Place
from tradebot.client import Client
from tradebot.client.curve import make_keys
from tradebot.testing.ports import free_ports

ROLES = ("viewer", "operator", "admin")


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free, and the one behind it."""
    return free_ports(2, host)


class Reached:
    """The place, with `keys` by role: public and secret."""

    def __init__(self, place: Place, host: str = "127.0.0.1") -> None:
        self.place = place
        self.keys = {role: make_keys() for role in ROLES}
        self.port = free_port(host)
        self.address = f"tcp://{host}:{self.port}"
        clients = ", ".join(
            f'{{ name = "the-{role}", key = "{public}", role = "{role}" }}' for role, (public, _) in self.keys.items()
        )
        api = f'api = {{ address = "{self.address}", client = [{clients}] }}'
        config = place.node.config
        config.write_text(config.read_text().replace("snapshot_facts", f"{api}, snapshot_facts", 1))
        self.server_key = ""

    def start(self) -> None:
        self.place.start()
        self.server_key = self.place.events()[-1]["api"]["key"]

    def client(self, role: str, **options: Any) -> Client:
        return Client(self.address, self.server_key, self.keys[role][1], **{"timeout_s": 10.0, **options})

    def status(self) -> dict[str, Any]:
        """The api part's own."""
        return dict(self.place.ask("status")["api"])

    def wait(self, is_so: Callable[[], Any]) -> None:
        self.place.wait(is_so)
