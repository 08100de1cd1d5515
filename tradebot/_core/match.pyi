"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from typing import Any

def would_trade(book: Any, side: Any, limit: Any, quantity: Any) -> Any: ...
