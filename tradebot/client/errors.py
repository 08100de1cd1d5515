"""What goes wrong between a client and its node.

::

    TradebotError
    ├── NotRunning
    │   └── NoNode           nobody is at the address, or it is no node
    ├── RemoteError
    │   ├── KeyRefused       the node does not know the client's key, or has another key itself
    │   └── BadMessage       what came is no message of a version that is known here
    ├── Refused
    │   ├── RoleRefused      the key's role does not allow it
    │   └── RequestRefused   the node refuses it, `code` says why
    └── TimedOut
        └── NoAnswer         sent, and not answered in time; of a control it is not known whether it was done
"""

from tradebot.domain.errors import NotRunning, Refused, RemoteError, TimedOut


class NoNode(NotRunning):
    pass


class KeyRefused(RemoteError):
    pass


class BadMessage(RemoteError):
    pass


class RequestRefused(Refused):
    """`code` is one of tradebot.domain.wire.Code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class RoleRefused(RequestRefused):
    pass


class NoAnswer(TimedOut):
    pass
