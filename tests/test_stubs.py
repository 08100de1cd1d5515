"""The stubs of the compiled modules name what is there: no more, no less, and with the same arguments."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import tradebot._core

CORE = Path(tradebot._core.__file__).parent
MODULES = sorted(path.stem for path in CORE.glob("*.pyx"))
ACTORS = ("letters", "line", "mail", "wire")
COMPILED = [*(f"tradebot._core.{name}" for name in MODULES), *(f"tradebot.actors.{name}" for name in ACTORS)]


def stub_of(name: str) -> ast.Module:
    return ast.parse((CORE.parents[1] / f"{name.replace('.', '/')}.pyi").read_text())


@pytest.mark.parametrize("name", COMPILED)
def test_a_stub_names_what_the_compiled_module_has(name: str) -> None:
    module, stub = importlib.import_module(name), stub_of(name)
    for node in stub.body:
        if isinstance(node, ast.ClassDef):
            compiled = getattr(module, node.name)
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    assert hasattr(compiled, member.name), f"{node.name}.{member.name}"
                    check_arguments(member, getattr(compiled, member.name))
        elif isinstance(node, ast.FunctionDef):
            check_arguments(node, getattr(module, node.name))
        elif isinstance(node, ast.AnnAssign):
            assert isinstance(node.target, ast.Name)
            assert hasattr(module, node.target.id)


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_module_has_no_name_of_its_own_beyond_its_stub(name: str) -> None:
    module, stub = importlib.import_module(name), stub_of(name)
    named = {node.name for node in stub.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    own = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and callable(value) and getattr(value, "__module__", "") == module.__name__
    }
    assert own <= named


def check_arguments(node: ast.FunctionDef, compiled: object) -> None:
    """The same names in the same order, where the compiled function tells its signature."""
    if node.name.startswith("__") or not callable(compiled):
        return
    try:
        found = list(inspect.signature(compiled).parameters)
    except (TypeError, ValueError):
        return
    named = [*node.args.args, *filter(None, [node.args.vararg]), *node.args.kwonlyargs]
    assert [one.arg for one in named] == found


def test_every_compiled_module_is_in_the_one_list_of_setup() -> None:
    setup = (CORE.parents[1] / "setup.py").read_text()
    assert all(f'    "{name}",\n' in setup for name in MODULES)
    assert "-ffp-contract=off" in setup
    assert '"-march' not in setup
    assert '"-ffast-math"' not in setup
