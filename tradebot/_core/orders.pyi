"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""


def next_state(state: int, kind: int) -> int: ...
