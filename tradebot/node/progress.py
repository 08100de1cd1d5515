"""How long work tells how far it is. The command line draws it; a library caller passes `Silent`."""

from typing import Protocol


class Progress(Protocol):
    """One piece of work at a time: start, advance as often as is cheap, done."""

    def start(self, what: str, total: int | None) -> None:
        """Begin `what`, of `total` steps; None where the end is not known."""

    def advance(self, count: int) -> None:
        """`count` more steps are behind us."""

    def done(self) -> None:
        """The work has ended, well or not."""


class Silent:
    """Tells nobody."""

    def start(self, what: str, total: int | None) -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def done(self) -> None:
        pass
