"""Which commands of the engine a gateway has: they are numbered, and each is taken once."""


class TakenCommands:
    """`upto` is the number up to which all are tried or ended, `done` are those beyond it that are, `queued` those that wait
    behind another command of their order.
    """

    def __init__(self, upto: int = 0, done: list[int] | None = None) -> None:
        self.upto = upto
        self.done = set(done or ())
        self.queued: set[int] = set()

    def has(self, number: int) -> bool:
        return number <= self.upto or number in self.done or number in self.queued

    def settle(self, number: int) -> None:
        """A command is tried or ended: it is ours from here on."""
        self.queued.discard(number)
        self.done.add(number)
        while self.upto + 1 in self.done:
            self.upto += 1
            self.done.discard(self.upto)
