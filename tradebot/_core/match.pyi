"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from tradebot._core.book import L3Book

def would_trade(book: L3Book, side: int, limit: int | None, quantity: int) -> list[tuple[int, int, int]]: ...
