"""Latency and queue models from the configuration's words, and from a file of measurements."""

from pathlib import Path

import pytest

from tests.node.test_build import BTC, config
from tradebot._core.latency import LatencyKind
from tradebot._core.queue_model import QueueKind
from tradebot.domain.errors import BadContainer, ConfigError
from tradebot.node import build
from tradebot.node.config import load_config
from tradebot.node.latencies import latency_models, latency_text
from tradebot.node.schema import Costs, Delays

MS = 1_000_000


def test_a_constant_latency_needs_no_model() -> None:
    plan = build.make_plan(config(costs={"latency": {"order": "5ms", "answer": "7ms"}}), [BTC], 0)
    assert (plan.order_latency, plan.answer_latency) == (None, None)
    assert (plan.order_latency_ns, plan.answer_latency_ns) == (5 * MS, 7 * MS)


def test_a_range_is_drawn_evenly_and_a_sum_exponentially_each_way_with_draws_of_its_own() -> None:
    order, answer = latency_models(Costs(latency=Delays(order="20ms..80ms", answer="20ms+15ms", seed=4)))
    assert order is not None and answer is not None
    assert order.spec()[:4] == (LatencyKind.UNIFORM, 20 * MS, 60 * MS, 8)
    assert answer.spec()[:4] == (LatencyKind.EXPONENTIAL, 20 * MS, 15 * MS, 9)
    assert latency_text(order) == "20ms to 80ms, drawn evenly, seed 8"
    assert latency_text(answer) == "at least 20ms, 15ms more in the mean, drawn exponentially, seed 9"


def test_measurements_are_read_from_a_file_beside_the_one_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "measured.csv").write_text("time_ns,order_ns,answer_ns\n1000,5,6\n2000,7,8\n")
    file = tmp_path / "run" / "run.toml"
    file.write_text(
        'account = { venue = "v", start = "1 USD" }\ncosts = { latency = { recorded = "measured.csv" } }\n'
        '[[strategy]]\nuse = "tradebot.strategies.maker:InventoryMaker"\ninstruments = ["A/USD"]\n'
    )
    models = latency_models(load_config([file], {}, []).config.costs)
    assert [model.spec() for model in models if model is not None] == [
        (LatencyKind.RECORDED, 0, 0, 0, [1000, 2000], [5, 7]),
        (LatencyKind.RECORDED, 0, 0, 0, [1000, 2000], [6, 8]),
    ]
    (tmp_path / "run" / "measured.csv").unlink()
    with pytest.raises(ConfigError, match=r"costs\.latency\.recorded: expected a CSV file, found none at .*measured\.csv"):
        load_config([file], {}, [])


@pytest.mark.parametrize(
    ("rows", "error", "said"),
    [
        ("time,order,answer\n1,2,3\n", BadContainer, "expected the columns time_ns,order_ns,answer_ns"),
        ("time_ns,order_ns,answer_ns\n", ConfigError, "expected measurements in"),
        ("time_ns,order_ns,answer_ns\n1,2,3\n1,2\n", BadContainer, r"csv:3: expected a time and two latencies"),
        ("time_ns,order_ns,answer_ns\n1,-2,3\n", BadContainer, r"csv:2: expected a time and two latencies"),
        ("time_ns,order_ns,answer_ns\n5,2,3\n4,2,3\n", BadContainer, r"csv:3: expected times that ascend"),
    ],
)
def test_a_file_that_holds_no_measurements_is_refused_with_its_line(
    tmp_path: Path, rows: str, error: type[Exception], said: str
) -> None:
    file = tmp_path / "measured.csv"
    file.write_text(rows)
    with pytest.raises(error, match=said):
        latency_models(Costs(latency=Delays(recorded=str(file))))


def test_the_queue_of_a_level_is_risk_averse_unless_told_otherwise() -> None:
    plan = build.make_plan(config(), [BTC], 0)
    assert (plan.queue, plan.whole_fills) == (QueueKind.RISK_AVERSE, False)
    costs = {"queue": "power", "queue_power": 2.5, "fills": "whole"}
    plan = build.make_plan(config(costs=costs), [BTC], 0)
    assert (plan.queue, plan.queue_half_powers, plan.whole_fills) == (QueueKind.BY_POWER, 5, True)
    assert build.queue_text(config(costs=costs).costs).endswith("power 2.5, whole fills where only totals are told")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("costs.latency=80ms..20ms", "the larger last"),
        ("costs.latency=20ms..", "expected a duration"),
        ("costs.latency=1ms+x", "expected a duration"),
        ("costs.queue_power=0.7", "queue_power"),
        ("costs.queue=exact", "queue"),
    ],
)
def test_what_is_no_model_is_refused(setting: str, said: str) -> None:
    use = "strategy=[{use='tradebot.strategies.maker:InventoryMaker', instruments=['A/USD']}]"
    with pytest.raises(ConfigError, match=said):
        load_config([], {}, ["account.venue=v", "account.start=1 USD", use, setting])
