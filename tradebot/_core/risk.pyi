"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from typing import Any

def check(limits: Any, instrument: Any, intent: Any, sent: Any, count: Any = ..., interval_ns: Any = ...) -> int: ...
