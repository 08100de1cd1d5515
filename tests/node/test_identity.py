"""What identifies a run: equal for equal parts, another for any other, and an environment that names what matters."""

from tradebot.node.identity import code_hash, identity, versions


def test_the_order_of_keys_does_not_enter() -> None:
    assert identity({"a": 1, "b": [1, {"c": None}]}) == identity({"b": [1, {"c": None}], "a": 1})


def test_any_other_value_gives_another_identity() -> None:
    parts = [{"a": 1}, {"a": "1"}, {"a": 2}, {"b": 1}, {"a": [1]}, {"a": {"a": 1}}, {}]
    found = {identity(one) for one in parts}
    assert len(found) == len(parts)
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in found)


def test_the_environment_names_python_libraries_machine_and_our_code() -> None:
    found = versions()
    assert {"python", "numpy", "msgspec", "clickhouse-connect", "machine", "byte_order", "tradebot", "code"} <= set(found)
    assert found["code"] == code_hash()[:16]
    assert list(found) == sorted(found)
