"""A new project's files: what they say of the system is true, and nothing is written where anything is."""

import re
from pathlib import Path

import pytest

from tradebot.domain.errors import UsageError
from tradebot.node.config import load_config
from tradebot.node.project import begin_project, template
from tradebot.node.strategies import make_strategy

FILES = [".gitignore", "README.md", "ma_cross.py", "run.toml", "test_ma_cross.py"]


def test_a_project_is_made_in_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "deep/er"):
        folder = tmp_path / name
        assert begin_project(folder) == {"path": str(folder), "files": FILES}
        assert sorted(path.name for path in folder.iterdir()) == FILES
        assert {path.name: path.read_text() for path in folder.iterdir()} == template()


def test_a_folder_that_holds_anything_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("mine")
    with pytest.raises(UsageError, match=r"expected an empty folder, found \.hidden: nothing was written"):
        begin_project(tmp_path)
    (tmp_path / "run.toml").write_text("mine")
    with pytest.raises(UsageError, match=r"found \.hidden and 1 more: nothing was written"):
        begin_project(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {".hidden": "mine", "run.toml": "mine"}


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for name in ("file", "file/below"):
        with pytest.raises(UsageError, match="expected a folder, found a file at "):
            begin_project(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"


def test_the_configuration_is_valid_and_its_strategy_takes_its_parameters(tmp_path: Path) -> None:
    begin_project(tmp_path)
    config = load_config([tmp_path / "run.toml"], {}, []).config
    (use,) = config.strategy
    params = make_strategy(use).params
    assert {name: getattr(params, name) for name in use.params} == use.params


def test_the_commented_alternatives_of_the_configuration_are_valid_too(tmp_path: Path) -> None:
    begin_project(tmp_path)
    text = (tmp_path / "run.toml").read_text()
    text = re.sub(r'^# (from|to) (= "[^"]+").*$', r"\1 \2", text, flags=re.MULTILINE)
    text = re.sub(r'^(\w+) = "[^"]*"\s+#.* or (\{[^}]*\}).*$', r"\1 = \2", text, flags=re.MULTILINE)
    (tmp_path / "run.toml").write_text(text)
    config = load_config([tmp_path / "run.toml"], {}, []).config
    assert config.data.from_ns is not None and config.data.to_ns is not None
    assert config.fee_rates.origin == "configured"
    assert config.costs.latency_ns.order.spread_ns == 60_000_000


def test_every_template_is_package_data() -> None:
    """A wheel without them would make empty projects; `python -m build` is slow, so its one input is held instead."""
    from fnmatch import fnmatch
    from tomllib import loads

    root = Path(__file__).parents[2]
    patterns = loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["tradebot.node"]
    held = [path.name for path in (root / "tradebot" / "node" / "template").iterdir()]
    assert len(held) == len(FILES)
    for name in held:
        hidden = name.startswith(".")  # which setuptools' `*` does not match
        assert any(fnmatch(f"template/{name}", one) for one in patterns if one.partition("/")[2].startswith(".") == hidden), name
