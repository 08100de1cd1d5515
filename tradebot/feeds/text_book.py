"""A book that keeps the venue's own texts, for checksums over them: a float, or a decimal written anew, would break one.

Levels are found by ticks and listed in order of price. A side is as long as the venue says it keeps it.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence

Texts = tuple[str, str]  # price, quantity


class TextSide:
    """One side; `sign` is -1 for bids, whose best price is the highest."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._order: list[int] = []  # ticks times sign, the best first
        self._texts: dict[int, Texts] = {}

    def set(self, ticks: int, texts: Texts) -> None:
        place = ticks * self._sign
        if place not in self._texts:
            insort(self._order, place)
        self._texts[place] = texts

    def delete(self, ticks: int) -> None:
        place = ticks * self._sign
        if self._texts.pop(place, None) is not None:
            del self._order[bisect_left(self._order, place)]

    def best(self, levels: int) -> list[Texts]:
        return [self._texts[place] for place in self._order[:levels]]

    def cut(self, levels: int) -> list[int]:
        """Drop what lies beyond that many levels; the ticks dropped."""
        dropped = self._order[levels:]
        del self._order[levels:]
        for place in dropped:
            del self._texts[place]
        return [place * self._sign for place in dropped]


class TextBook:
    def __init__(self) -> None:
        self.bids = TextSide(-1)
        self.asks = TextSide(1)

    def apply(self, levels: Sequence[tuple[int, int, int]], texts: Sequence[Texts]) -> None:
        """Levels as rows have them, (SELL or 0, ticks, lots), each with the texts it was read from."""
        for (sell, ticks, lots), text in zip(levels, texts, strict=True):
            side = self.asks if sell else self.bids
            if lots:
                side.set(ticks, text)
            else:
                side.delete(ticks)
