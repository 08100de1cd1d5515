"""A seeded market in a home, made once, and a node of each test's own on a copy of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.acted import Actors
from tests.node.nodes import Place
from tests.node.reached import Reached
from tradebot.store import synthetic
from tradebot.store.client import open_store


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a seeded market, to be copied."""
    home = tmp_path_factory.mktemp("market") / "home"
    with open_store(home / "data") as store:
        store.import_records(synthetic.INSTRUMENT, *synthetic.open_source(seed=3, events=5_000))
    return home


@pytest.fixture
def place(market: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Place]:
    shutil.copytree(market, tmp_path / "home", symlinks=True)
    found = Place(tmp_path, capsys)
    yield found
    found.node.close()


@pytest.fixture
def reached(place: Place) -> Reached:
    return Reached(place)


@pytest.fixture
def actors(place: Place) -> Actors:
    return Actors(place)
