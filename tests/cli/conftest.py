"""Homes to run the command in: the demo's, made once, and a small one with a seeded market that each test may spoil."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import Demo, environment, run

from tradebot.store.sample import FILE_NAME

FILL = """
import sys
from pathlib import Path
from tradebot.store import synthetic
from tradebot.store.client import open_store
with open_store(Path(sys.argv[1]) / "data") as store:
    store.import_records(synthetic.INSTRUMENT, *synthetic.open_source(events=int(sys.argv[2])))
"""

MAKER = """
account = { venue = "synthetic", start = ["100000 USD", "1 BTC"] }
report = { sample = "1s" }

[[strategy]]
use = "tradebot.strategies.maker:InventoryMaker"
name = "maker"
instruments = ["BTC/USD"]
"""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, sample_wheel: Path) -> Demo:
    """A first and a second demo on one home, in a folder of its own. Only to be read: copy it to change it."""
    folder = tmp_path_factory.mktemp("demo")
    downloads = folder / "tradebot_home" / "data" / "downloads"
    for made in (downloads.parents[1], downloads.parent, downloads):  # `parents=True` would give them the umask's mode
        made.mkdir(mode=0o700)
    shutil.copy(sample_wheel, downloads / FILE_NAME)
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}
    first = run(folder, "demo", **offline)
    return Demo(folder, first, run(folder, "demo", "--json", **offline))


@pytest.fixture(scope="session")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 20,000 events of a seeded market, and no run yet."""
    home = tmp_path_factory.mktemp("small") / "tradebot_home"
    subprocess.run([sys.executable, "-c", FILL, str(home), "20000"], env=environment(), check=True, timeout=60)
    return home


@pytest.fixture
def place(small_home: Path, tmp_path: Path) -> Path:
    """A folder with that home and maker.toml in it, the test's own."""
    shutil.copytree(small_home, tmp_path / "tradebot_home", symlinks=True)
    (tmp_path / "maker.toml").write_text(MAKER)
    return tmp_path
