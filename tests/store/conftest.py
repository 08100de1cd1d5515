"""An open store in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tradebot.store.client import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "data") as opened:
        yield opened
