"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from tradebot._core.compiled import Compiled
from tradebot.strategies.strategy import Strategy

class GridCore(Compiled): ...
class CompiledGrid(GridCore, Strategy): ...
