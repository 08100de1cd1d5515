"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from tradebot.actors.letters import Incoming, Outgoing
from tradebot.actors.wire import Wire

class Line:
    wire: Wire
    outgoing: Outgoing
    def __init__(self, wire: Wire, outgoing: Outgoing) -> None: ...
    def tell(self, body: bytes) -> bool: ...

def take_bodies(wire: Wire, incoming: Incoming, most: int) -> tuple[list[bytes], int]: ...
