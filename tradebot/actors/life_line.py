"""A pipe of which its maker holds one end: who watches the other sees it become readable when the maker is gone."""

import os


class LifeLine:
    """`watched` is for children. Nothing is ever written into it."""

    def __init__(self) -> None:
        self.watched, self._held = os.pipe()

    def close(self) -> None:
        for descriptor in (self.watched, self._held):
            os.close(descriptor)
