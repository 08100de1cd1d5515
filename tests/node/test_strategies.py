"""Users' strategies by name: found in modules and files, and named in one line where they are not what they should be."""

import hashlib
from pathlib import Path

import pytest

from tradebot.domain.errors import ConfigError, StrategyBlocked
from tradebot.node import loading
from tradebot.node.schema import StrategyUse
from tradebot.node.strategies import load_class, make_strategy, source_hash
from tradebot.strategies.crossover import Crossover

GOOD = """
from tradebot import Int, Strategy
from msgspec import Struct

class Mine(Strategy):
    class Params(Struct, frozen=True):
        fast: Int[2, 50] = 6

class Other(Strategy):
    pass

limit = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    return path


def use(target: object, **params: bool | int | float | str | list[bool | int | float | str]) -> StrategyUse:
    return StrategyUse(use=str(target), instruments=["BTC/USD"], name="mine", params=params)


def test_a_class_is_found_in_a_module_and_in_a_file(file: Path) -> None:
    assert load_class(use("tradebot.strategies.crossover:Crossover")) is Crossover
    assert load_class(use(f"{file}:Mine")).__name__ == "Mine"


def test_parameters_reach_the_strategy(file: Path) -> None:
    assert make_strategy(use(f"{file}:Mine")).params.fast == 6
    assert make_strategy(use(f"{file}:Mine", fast=9)).params.fast == 9


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"fast": 1}, "strategy 'mine': params of Mine: Expected `int` >= 2 - at `$.fast`; see its Params class"),
        ({"fast": 51}, "Expected `int` <= 50"),
        ({"fast": "6"}, "Expected `int`, got `str`"),
        ({"fsat": 6}, "params.fsat is no parameter of Mine: expected one of fast"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(file: Path, params: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_strategy(use(f"{file}:Mine", **params))
    assert said in str(caught.value)


def test_a_name_that_is_no_strategy_is_refused_with_those_there_are(file: Path) -> None:
    for name in ("Absent", "limit", "Struct"):
        with pytest.raises(ConfigError, match=f"expected a Strategy class '{name}', found strategies: Mine, Other$"):
            load_class(use(f"{file}:{name}"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = (", "SyntaxError"),
        ("\n\nx = 1 / 0", "ZeroDivisionError: division by zero at FILE:3; mend it"),
        ("import absent_module", "ModuleNotFoundError: No module named 'absent_module' at FILE:1; mend it"),
        ("import sys\nsys.exit('bye')", "SystemExit: bye at FILE:2; mend it"),
    ],
)
def test_code_that_does_not_load_is_named_with_its_line(file: Path, source: str, said: str) -> None:
    file.write_text(source)
    with pytest.raises(ConfigError) as caught:
        load_class(use(f"{file}:Mine"))
    assert said.replace("FILE", str(file)) in str(caught.value)


def test_an_interrupt_while_code_loads_is_an_interrupt(file: Path) -> None:
    file.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_class(use(f"{file}:Mine"))


def test_a_class_that_cannot_be_made_is_named_with_its_line(file: Path) -> None:
    file.write_text(GOOD.replace("    pass", "    def __init__(self, params):\n        raise RuntimeError('no')"))
    with pytest.raises(ConfigError, match=r"found RuntimeError: no at .*mine\.py:11; mend it"):
        make_strategy(use(f"{file}:Other"))


def test_each_load_reads_the_file_again_so_that_globals_do_not_leak(file: Path) -> None:
    first = load_class(use(f"{file}:Mine"))
    file.write_text(GOOD.replace("= 6", "= 7"))
    assert (make_strategy(use(f"{file}:Mine")).params.fast, first().params.fast) == (7, 6)


def test_the_hash_is_that_of_the_source_file(file: Path) -> None:
    assert source_hash(load_class(use(f"{file}:Mine"))) == hashlib.sha256(GOOD.encode()).hexdigest()


def test_a_misspelt_callback_is_refused_with_the_nearest(file: Path) -> None:
    file.write_text("from tradebot import Strategy\nclass Mine(Strategy):\n    def on_barr(self, bar): pass\n")
    with pytest.raises(ConfigError, match="found on_barr, which is none; the nearest is on_bar"):
        load_class(use(f"{file}:Mine"))


def test_a_file_that_does_not_end_loading_is_ended_with_its_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LOAD_LIMIT_S", 0.2)
    file.write_text("\nwhile True:\n    pass\n")
    with pytest.raises(StrategyBlocked, match=rf"did not load within 0\.2 s at {file}:[23]; code must not wait"):
        load_class(use(f"{file}:Mine"))


def test_a_class_whose_making_does_not_end_is_ended(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LOAD_LIMIT_S", 0.2)
    file.write_text(
        "from tradebot import Strategy\nclass Mine(Strategy):\n    def __init__(self, params=None):\n        while True: pass\n"
    )
    with pytest.raises(StrategyBlocked, match="was not made within"):
        make_strategy(use(f"{file}:Mine"))


def test_a_syntax_error_names_no_line_of_the_importer(file: Path) -> None:
    file.write_text("x = (\n")
    with pytest.raises(ConfigError, match=r"SyntaxError: .*line 1\); mend it$"):
        load_class(use(f"{file}:Mine"))
