"""Client ids that were used, each for ever: one bit an id.

Ids are numbered commands, so those of one engine lie close together: a page of bits holds thousands of them.
"""

from typing import Final

PAGE_BITS: Final = 8_192


class SpentIds:
    """A set of ids that only grows."""

    def __init__(self) -> None:
        self.pages: dict[int, int] = {}

    def add(self, client_id: int) -> None:
        page, bit = divmod(client_id, PAGE_BITS)
        self.pages[page] = self.pages.get(page, 0) | 1 << bit

    def __contains__(self, client_id: int) -> bool:
        page, bit = divmod(client_id, PAGE_BITS)
        return bool(self.pages.get(page, 0) >> bit & 1)

    def to_list(self) -> list[tuple[int, bytes]]:
        return [(page, bits.to_bytes(PAGE_BITS // 8, "little")) for page, bits in sorted(self.pages.items())]

    def from_list(self, pages: list[tuple[int, bytes]]) -> None:
        self.pages = {page: int.from_bytes(bits, "little") for page, bits in pages}
