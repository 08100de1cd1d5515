"""A strategy that a user writes in Cython, compiled here as a user would: it does what its twin in Python does."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.strategies.support import plan
from tests.support import MS, stream
from tradebot._core.merge import Merge
from tradebot._core.types import Kind
from tradebot.engine.drive import drive
from tradebot.engine.plan import make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import NoParams, Strategy, Struct
from tradebot.testing.contract import check_restarts

SOURCE = Path(__file__).with_name("follow.pyx")
SETUP = """
from pathlib import Path

import tradebot
from Cython.Build import cythonize
from setuptools import Extension, setup

module = Extension("follow", ["follow.pyx"], extra_compile_args=["-O1", "-g0"])
root = str(Path(tradebot.__file__).parents[1])
made = cythonize([module], language_level=3, quiet=True, include_path=[root])
setup(script_args=["-q", "build_ext", "--inplace"], ext_modules=made)
"""


class Follow(Strategy):
    """The twin of follow.pyx: the same callbacks, the same wishes in the same order."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        fail_at: int = 0

    class State(Struct):
        trades: int = 0
        quotes: int = 0
        timers: int = 0
        fills: int = 0
        bid_id: int = 0
        told: int = 0

    def on_start(self) -> None:
        self.every(100 * MS)
        self.bars("1s")

    def on_trade(self, trade) -> None:
        state = self.state
        state.trades += 1
        if state.trades % 5 == 0:
            state.told += (self.buy(0.002) if state.trades % 10 else self.sell(0.002)) % 1000
        if state.trades == self.params.fail_at:
            self.buy(0.001)
            raise ValueError("as asked")

    def on_quote(self, book) -> None:
        self.state.quotes += 1
        if self.state.bid_id == 0 and book.bid == book.bid:
            self.state.bid_id = self.buy(0.003, price=book.bid - self.tick, post_only=True)

    def on_timer(self, timer) -> None:
        self.state.timers += timer.number
        if self.state.bid_id and self.order_remaining(self.state.bid_id):
            self.cancel(self.state.bid_id)

    def on_order(self, order) -> None:
        if order.is_done and order.id == self.state.bid_id:
            self.state.bid_id = 0

    def on_reject(self, reject) -> None:
        if reject.order_id == self.state.bid_id:
            self.state.bid_id = 0

    def on_cancel_reject(self, reject) -> None:
        self.state.told += 1

    def on_fill(self, fill) -> None:
        self.state.fills += 1

    def on_position(self, position) -> None:
        self.state.told += round(position.quantity * 1000)

    def on_bar(self, bar) -> None:
        self.state.told += bar.trades

    def on_feed(self, feed) -> None:
        self.state.told += 1_000_000


def needs_compiler() -> None:
    if importlib.util.find_spec("Cython") is None or shutil.which("cc") is None:
        pytest.skip("needs Cython and a C compiler, to build a strategy as a user does")


@pytest.fixture(scope="module")
def follow(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    needs_compiler()
    folder = tmp_path_factory.mktemp("follow")
    shutil.copy(SOURCE, folder)
    (folder / "build.py").write_text(SETUP)
    done = subprocess.run([sys.executable, "build.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    spec = importlib.util.spec_from_file_location("follow", next(folder.glob("follow.*.so")))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["follow"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def facts() -> Records:
    found = stream(11, 3_000)
    found["kind"][-1], found["flags"][-1] = Kind.GAP, 0
    return found


def run(facts: Records, strategy: Strategy) -> Merge:
    merge = make_merge(plan(1), [strategy])
    drive(merge, [facts], Nobody())
    merge.kernel.validate()
    return merge


def test_it_does_what_its_twin_in_python_does(follow: ModuleType, facts: Records) -> None:
    ours, twins = follow.Follow(), Follow()
    found, expected = run(facts, ours), run(facts, twins)
    assert found.kernel.failures == expected.kernel.failures == []
    assert expected.kernel.fills > 50 and expected.kernel.commands - expected.kernel.orders > 20
    assert found.kernel.digest_text == expected.kernel.digest_text
    assert ours.counts() == {name: getattr(twins.state, name) for name in twins.state.__struct_fields__}
    assert twins.state.told > 1_000_000, "the gap was told"


def test_a_callback_that_raises_shuts_it_out_as_it_shuts_out_python(follow: ModuleType, facts: Records) -> None:
    found, expected = run(facts, follow.Follow({"fail_at": 50})), run(facts, Follow({"fail_at": 50}))
    assert [failure[:2] for failure in found.kernel.failures] == [failure[:2] for failure in expected.kernel.failures]
    assert str(found.kernel.failures[0][2]) == "as asked"
    assert found.kernel.digest_text == expected.kernel.digest_text


def test_what_it_keeps_survives_a_restart_after_any_fact(follow: ModuleType, facts: Records) -> None:
    check_restarts(follow.Follow, plan(1), facts[:300])


def test_a_struct_of_another_size_is_refused(follow: ModuleType, facts: Records) -> None:
    strategy = follow.Follow()
    run(facts[:200], strategy)
    with pytest.raises(ValueError, match=r"expected \d+ bytes of kept memory, found 3"):
        strategy.load_state(b"abc")


def test_what_is_not_overridden_in_cython_may_be_written_in_python(follow: ModuleType, facts: Records) -> None:
    class Mixed(follow.Quiet, Strategy):  # type: ignore[misc, name-defined]
        told = 0

        def on_trade(self, trade) -> None:
            self.told += 1

    strategy = Mixed()
    run(facts, strategy)
    assert strategy.told == int(np.count_nonzero(facts["kind"] == Kind.TRADE)) > 100


def test_a_callback_written_in_both_is_refused_by_name(follow: ModuleType) -> None:
    class Twice(follow.Core, Strategy):  # type: ignore[misc, name-defined]
        Params = NoParams

        def on_fill(self, fill) -> None: ...

    with pytest.raises(TypeError, match="Twice overrides on_fill in Cython and in Python"):
        make_merge(plan(1), [Twice()])


def test_what_overrides_nothing_is_told_nothing(follow: ModuleType, facts: Records) -> None:
    class Silent(follow.Quiet, Strategy):  # type: ignore[misc, name-defined]
        """Neither face overrides a callback."""

    merge = run(facts, Silent())
    assert merge.kernel.calls == 4, "on_start and on_stop, each counted when it begins and when it ends"


@pytest.mark.parametrize("ask", ["ask_outside", "cancel_outside"])
def test_a_wish_outside_of_callbacks_is_refused(follow: ModuleType, facts: Records, ask: str) -> None:
    strategy: Callable[..., object] = follow.Follow()
    run(facts[:200], strategy)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="inside the strategy's own callbacks only"):
        getattr(strategy, ask)()


def test_the_file_in_the_documents_builds(tmp_path: Path) -> None:
    needs_compiler()
    page = (Path(__file__).parents[2] / "docs" / "compiled.md").read_text()
    (tmp_path / "follow.pyx").write_text(page.split("```cython\n")[1].split("```")[0])
    done = subprocess.run(
        [sys.executable, "-m", "cython", "-3", "--warning-errors", "-I", str(Path(__file__).parents[2]), "follow.pyx"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
