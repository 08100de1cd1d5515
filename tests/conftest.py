"""What every test may need from outside: the real sample, and the shared recordings."""

import os
from pathlib import Path

import pytest

from tradebot.domain.errors import DownloadFailed
from tradebot.store.sample import fetch_sample


@pytest.fixture(scope="session")
def sample_wheel() -> Path:
    """The wheel with the real sample, fetched once for all runs; skips where no index is in reach."""
    cache = os.environ.get("TRADEBOT_TEST_CACHE")
    folder = Path(cache) if cache else Path.home() / ".cache" / "tradebot-tests"
    try:
        return fetch_sample(folder)
    except DownloadFailed as error:
        pytest.skip(f"the real sample is out of reach: {error}")


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of shared recordings; skips where it is absent."""
    default = Path(__file__).parents[1] / ".." / "shared"
    folder = Path(os.environ.get("TRADEBOT_SHARED") or default).resolve()
    if not folder.is_dir():
        pytest.skip(f"no shared recordings at {folder}; name them with TRADEBOT_SHARED")
    return folder
