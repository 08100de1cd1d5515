"""The embedded engine: what fails to open by itself is opened again, what is broken is named."""

from pathlib import Path

import pytest

from tradebot.domain.errors import StoreError
from tradebot.store.client import open_store
from tradebot.store.engine import Handle, connect


def test_an_engine_that_fails_to_open_is_opened_again(tmp_path: Path) -> None:
    definition, right = _broken_store(tmp_path)
    pauses = []

    def mend(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 2:
            definition.write_bytes(right)

    connection = connect(tmp_path, mend)
    assert connection.query("SELECT count() FROM instruments").bytes() == b"0\n"
    connection.close()
    assert len(pauses) == 2


def test_a_store_that_is_broken_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    definition, _ = _broken_store(tmp_path)
    with pytest.raises(StoreError, match=str(tmp_path)):
        Handle(tmp_path)
    assert definition.read_bytes() == b"not a definition"


def _broken_store(path: Path) -> tuple[Path, bytes]:
    open_store(path).close()
    (definition,) = path.glob("store/*/*/instruments.sql")
    right = definition.read_bytes()
    definition.write_bytes(b"not a definition")
    return definition, right
