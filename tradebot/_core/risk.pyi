"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from typing import Any

def check(limits: dict[str, Any], instrument: tuple[Any, ...], intent: dict[str, Any], sent: list[Any], count: int = ..., interval_ns: int = ...) -> int: ...
