"""A configuration from its sources: order of precedence, exact reading of each text, and one-line refusals.

Files are real, in a folder of the test; the environment and the settings are passed in.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebot.domain.errors import ConfigError
from tradebot.node.config import (
    Config,
    FeeRates,
    Loaded,
    Rate,
    config_from_dict,
    config_identity,
    config_to_dict,
    explain,
    json_schema,
    load_config,
    load_download,
    merge_sources,
)

EXAMPLE = """
mode = "backtest"
account = { venue = "bitstamp", start = "10000 USD", key = "vault:main" }
data = { from = 2024-01-01, to = 2024-06-30 }
costs = { fees = "account", latency = "50ms" }
risk = { price_band = "5%" }

[[strategy]]
use = "strategies/ma_cross.py:MaCross"
instruments = ["BTC/USD"]
params = { fast = 12, slow = 26 }
"""

MODULE = """
[account]
venue = "bitstamp"
start = ["100000 USD", "1 BTC"]

[[strategy]]
use = "package.module:Maker"
instruments = ["BTC/USD@bitstamp"]
"""


def write(folder: Path, text: str, name: str = "run.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(folder: Path, text: str = MODULE, settings: Sequence[str] = (), **environment: str) -> Loaded:
    return load_config([write(folder, text)], environment, settings)


def refusal(folder: Path, text: str = MODULE, settings: Sequence[str] = (), **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, settings, **environment)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_example(folder: Path) -> Path:
    (folder / "strategies").mkdir()
    (folder / "strategies" / "ma_cross.py").write_text("class MaCross: ...\n")
    return write(folder, EXAMPLE)


def test_the_example_of_the_design_loads(tmp_path: Path) -> None:
    config = load_config([write_example(tmp_path)], {}, []).config
    assert config.account.balances == {"USD": 10_000 * 10**8}
    assert config.data.from_ns == 1_704_067_200 * 10**9
    assert config.data.to_ns == 1_719_792_000 * 10**9, "a date means to the end of that day"
    assert (config.costs.latency_ns.order_ns, config.costs.latency_ns.answer_ns) == (50_000_000, 50_000_000)
    assert config.fee_rates[:3] == (300_000, 400_000, "quote")
    assert config.risk.price_band_fraction == 5_000_000
    assert config.risk.order_rate_max == Rate(100, 10**9)
    (use,) = config.strategy
    assert use.name == "macross"
    assert use.target == (str(tmp_path / "strategies" / "ma_cross.py"), "MaCross")
    assert use.instrument_names(config.account.venue) == ["BTC/USD@bitstamp"]
    assert use.params == {"fast": 12, "slow": 26}


def test_what_is_not_written_has_a_default(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.config.mode == "backtest"
    assert loaded.config.account.balances == {"USD": 100_000 * 10**8, "BTC": 10**8}
    assert loaded.config.data.from_ns is None and loaded.config.data.to_ns is None
    assert loaded.config.report.grid_wanted is None and loaded.config.report.sample_ns is None
    assert loaded.sources["costs.latency"] == "default"
    assert loaded.sources["account.venue"] == f"file:{tmp_path / 'run.toml'}"


def test_an_empty_table_does_not_claim_the_defaults_below_it(tmp_path: Path) -> None:
    assert load(tmp_path, "[costs]\n" + MODULE).sources["costs.latency"] == "default"


def test_later_sources_win_file_by_file_then_environment_then_set(tmp_path: Path) -> None:
    first = write(tmp_path, MODULE + '\n[costs]\nlatency = "1ms"\nqueue = "log"\n', "first.toml")
    second = write(tmp_path, '[costs]\nlatency = "2ms"\n', "second.toml")
    environment = {"TRADEBOT__COSTS__LATENCY": "3ms", "TRADEBOT_HOME": "elsewhere"}

    def latency(files: list[Path], environment: dict[str, str], settings: list[str]) -> tuple[int, str]:
        loaded = load_config(files, environment, settings)
        return loaded.config.costs.latency_ns.order_ns, loaded.sources["costs.latency"]

    assert latency([first], {}, []) == (1_000_000, f"file:{first}")
    assert latency([first, second], {}, []) == (2_000_000, f"file:{second}")
    assert latency([second, first], {}, []) == (1_000_000, f"file:{first}")
    assert latency([first, second], environment, []) == (3_000_000, "env:TRADEBOT__COSTS__LATENCY")
    assert latency([first, second], environment, ["costs.latency=4ms"]) == (4_000_000, "--set")
    assert latency([first], {}, ["costs.latency=4ms", "costs.latency=5ms"]) == (5_000_000, "--set")


def test_tables_merge_and_lists_replace(tmp_path: Path) -> None:
    first = write(tmp_path, MODULE, "first.toml")
    second = write(
        tmp_path,
        '[account]\nvenue = "kraken"\n[[strategy]]\nuse = "other:Other"\ninstruments = ["ETH/USD"]\n',
        "second.toml",
    )
    config = load_config([first, second], {}, []).config
    assert config.account.venue == "kraken"
    assert config.account.start == ["100000 USD", "1 BTC"]
    assert [use.use for use in config.strategy] == ["other:Other"]


def test_a_setting_reaches_into_a_list_and_a_free_table(tmp_path: Path) -> None:
    settings = ["strategy.0.params.fast=5", "strategy.0.params.label=plain text", "strategy.0.name=mine"]
    loaded = load(tmp_path, settings=settings, TRADEBOT__STRATEGY__0__PARAMS__SLOW="1.5")
    (use,) = loaded.config.strategy
    assert use.params == {"slow": 1.5, "fast": 5, "label": "plain text"}
    assert use.name == "mine"
    assert loaded.sources["strategy.0.params.slow"] == "env:TRADEBOT__STRATEGY__0__PARAMS__SLOW"
    assert loaded.sources["strategy.0.params.fast"] == "--set"


def test_a_whole_configuration_can_come_from_settings() -> None:
    settings = [
        "account={venue='x', start='1 USD'}",
        "strategy.0.use=a.b:C",
        "strategy.0.instruments=['BTC/USD']",
    ]
    config = load_config([], {}, settings).config
    assert (config.account.venue, config.strategy[0].name) == ("x", "c")


def test_a_number_typed_where_text_is_meant_is_taken_as_typed(tmp_path: Path) -> None:
    config = load(tmp_path, settings=["risk.quantity_max=2.50"], TRADEBOT__RISK__NOTIONAL_MAX="100").config
    assert (config.risk.quantity_max, config.risk.notional_max) == ("2.50", "100")


def test_a_setting_with_a_line_break_stays_one_value(tmp_path: Path) -> None:
    config = load(tmp_path, settings=["strategy.0.params.text=1\nmode = 2"]).config
    assert config.strategy[0].params == {"text": "1\nmode = 2"}


def test_a_plain_value_gives_way_to_a_table_and_back(tmp_path: Path) -> None:
    table = load(
        tmp_path, settings=["costs.fees=account", "costs.fees.maker=-0.01%", "costs.fees.taker=0.05%"]
    )
    assert table.config.fee_rates == (-10_000, 50_000, "quote", "configured", None)
    assert table.sources["costs.fees.asset"] == "default"
    plain = load(tmp_path, settings=["costs.fees.maker=1%", "costs.fees=account"])
    assert plain.config.costs.fees == "account"
    assert [key for key in plain.sources if key.startswith("costs.fees")] == ["costs.fees"]


@pytest.mark.parametrize(
    ("line", "key", "nearest"),
    [
        ("costs = { latncy = '1ms' }", "costs.latncy", "costs.latency"),
        ("acount = { venue = 'x' }", "acount", "account"),
        ("latency = '1ms'", "latency", "costs.latency"),
        ("costs = { latency = { ordr = '1ms' } }", "costs.latency.ordr", "costs.latency.order"),
        ("zzz = 1", "zzz", "account"),
    ],
)
def test_an_unknown_key_names_file_path_and_nearest_key(
    tmp_path: Path, line: str, key: str, nearest: str
) -> None:
    expected = f"{tmp_path / 'run.toml'}: {key}: unknown key; the nearest valid key is {nearest}"
    assert refusal(tmp_path, line + "\n" + MODULE) == expected


def test_an_unknown_key_in_a_list_of_tables_has_its_number(tmp_path: Path) -> None:
    message = refusal(tmp_path, MODULE + "instrument = 'BTC/USD'\n")
    assert message.endswith(
        "strategy.0.instrument: unknown key; the nearest valid key is strategy.0.instruments"
    )


def test_an_unknown_key_names_the_variable_or_the_setting(tmp_path: Path) -> None:
    message = refusal(tmp_path, TRADEBOT__COSTS__LATENCI="1ms")
    assert message.startswith(
        "TRADEBOT__COSTS__LATENCI: costs.latenci: unknown key; the nearest valid key is costs.lat"
    )
    assert refusal(tmp_path, settings=["csts.fees=account"]).startswith(
        "--set: csts: unknown key; the nearest valid key is costs"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["mode=4"], 'mode: expected "backtest" or "live" or "sandbox", found the number 4'),
        (["mode=bactest"], 'mode: expected "backtest" or "live" or "sandbox", found the text "bactest"'),
        (["account.leverage=two"], 'account.leverage: expected a whole number, found the text "two"'),
        (["account.leverage=0"], "account.leverage: expected a number of at least 1, found 0"),
        (["account.leverage=true"], "account.leverage: expected a whole number, found the switch true"),
        (["strategy=[]"], "strategy: expected a list with something in it, found an empty one"),
        (
            ["strategy.0.instruments=[]"],
            "instruments: expected a list with something in it, found an empty one",
        ),
        (
            ["strategy.0.params.x={a=1}"],
            "params.x: expected true or false or a whole number or a number or text",
        ),
        (["costs.latency=[1]"], 'costs.latency: expected text such as "50ms" or a table, found the list [1]'),
        (["costs=5"], "costs: expected a table, found the number 5"),
        (["strategy.one.use=x"], "strategy.one: expected the number of an entry, 0 to 1, found 'one'"),
        (["strategy.2.use=x"], "strategy.2: expected the number of an entry, 0 to 1, found '2'"),
        (["nothing"], "--set: expected KEY=VALUE such as costs.latency=50ms, found 'nothing'"),
        (["a..b=1"], "--set: expected KEY=VALUE"),
    ],
)
def test_a_wrong_type_says_what_was_expected_and_found(
    tmp_path: Path, settings: list[str], said: str
) -> None:
    assert said in refusal(tmp_path, settings=settings)


def test_a_number_in_a_file_where_exact_text_is_needed_says_to_quote_it(tmp_path: Path) -> None:
    message = refusal(tmp_path, "risk = { quantity_max = 0.1 }\n" + MODULE)
    assert message.endswith(
        'risk.quantity_max: expected text such as "2", found the number 0.1: put it in quotes'
    )


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("costs.fees=0.3%", 'expected "account" or a table'),
        ("costs.fees={maker='0.3', taker='0.4%'}", "expected a percentage such as \"0.3%\", found '0.3'"),
        ("costs.fees={maker='0.0000001%', taker='0%'}", "is not a multiple of"),
        ("costs.fees={maker='200%', taker='0%'}", 'from "-100%" to "100%"'),
        ("costs.fees={maker='x%', taker='0%'}", "expected a decimal number"),
        ("costs.fees={maker='0.1%'}", "expected the key 'costs.fees.taker', found none"),
        ("costs.latency=-1ms", 'expected a latency from "0ms" to "1h"'),
        ("costs.latency=2h", 'expected a latency from "0ms" to "1h"'),
        ("costs.latency=fast", "expected a duration"),
        ("account.start=10000", "expected an amount and its asset"),
        ("account.start=-1 USD", "expected an amount from 0"),
        ("account.start=0.000000001 USD", "is not a multiple of"),
        ("account.start=99999999999999 USD", "expected an amount from 0"),
        ("account.start=['1 USD', '2 USD']", "expected each asset once, found USD twice"),
        ("account.start=[]", "expected at least one amount"),
        ("account.start=inf USD", "expected a finite decimal number"),
        ("risk.price_band=0%", "expected a percentage above zero"),
        ("risk.order_rate=0/s", 'expected a rate such as "100/s"'),
        ("risk.order_rate=100", 'expected a rate such as "100/s"'),
        ("risk.position_max=-1", "expected a number above zero"),
        ("risk.position_max=1e11", "at most 92233720368"),
        ("risk.order_rate=1/1000d", "at most 365d"),
        ("account.start=1e999999999 USD", "out of range"),
        ("risk.orders_open_max=1000001", "expected a number of at most 1000000"),
        ("data.from=yesterday", "expected a date such as"),
        ("data.from=2024-13-01", "month must be in 1..12"),
        ("data.from=2024-01-01T24:00:00", "expected a time of day"),
        ("data.from=1950-01-01", "expected a time from 1970"),
        ("strategy.0.use=Maker", 'expected "module:Class"'),
        ("strategy.0.use=a b:Maker", "expected a module such as"),
        ("strategy.0.use=missing.py:Maker", "expected a Python file, found none at"),
        ("strategy.0.instruments=['@bitstamp']", "expected a name such as"),
        (
            "strategy.0.instruments=['BTC/USD@kraken']",
            "expected an instrument of the account's venue bitstamp",
        ),
        ("strategy.0.instruments=['A/B', 'A/B@bitstamp']", "expected each instrument once"),
        ("report.sample=0s", "expected a duration above zero"),
        ("node.lease=1ns", 'expected a lease from "1s"'),
        ("node.lease=999ms", 'expected a lease from "1s"'),
        ("node.speed=nan", "expected a number of at least 0.01, found nan"),
        ("costs.queue_power=0.7", "expected float that"),
        ("report.grid={fees=['1']}", "expected a percentage"),
        ("report.grid={latencies=[]}", "expected a list with something in it"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_its_place(
    tmp_path: Path, setting: str, said: str
) -> None:
    message = refusal(tmp_path, settings=[setting])
    assert message.startswith(f"--set: {setting.partition('=')[0]}")
    assert said in message


@pytest.mark.parametrize(
    "setting",
    [
        "mode=live",
        "mode=live",
        "risk.drawdown=10%",
        "risk.gross=2x",
        "risk.on_breach=flatten",
    ],
)
def test_a_part_that_is_not_built_is_refused_by_name(tmp_path: Path, setting: str) -> None:
    key, _, value = setting.partition("=")
    message = refusal(tmp_path, settings=[setting])
    assert message.startswith(f"--set: {key}: ") and "comes with a later version" in message
    assert value in message or key.startswith("risk.")


@pytest.mark.parametrize(
    ("fees", "said"),
    [
        ('asset="BNB"', "costs.fees.price: expected a price where fees are paid in an asset such as BNB"),
        ('asset="base",price="600"', "costs.fees.price: expected a price where"),
        ('asset="bnb coin",price="600"', 'costs.fees.asset: expected "quote", "base" or an asset such as "BNB"'),
        ('asset="BNB",price="0"', "costs.fees.price: expected a number above zero"),
        ('asset="BNB",price="600"', "account.start: expected some BNB, in which fees are paid, found none"),
    ],
)
def test_a_third_asset_for_fees_needs_a_price_and_a_balance(tmp_path: Path, fees: str, said: str) -> None:
    message = refusal(tmp_path, settings=[f'costs.fees={{maker="0.1%",taker="0.1%",{fees}}}'])
    assert said in message


FIRST, SECOND = ("s0I=]64CZJQ+RnOh^m5CX+1A!vr]LoX86J+zWYlc", "[RaNp0M(PB^iZf?901-(V5Z8mX4=Cigg=GOYqNSh")
PUBLISHED = ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")
"""The public keys of zmq_curve(7)."""


def with_clients(*clients: tuple[str, str, str], address: str = "tcp://127.0.0.1:7700", more: str = "") -> str:
    tables = [f'[[node.api.client]]\nname = "{name}"\nkey = "{key}"\nrole = "{role}"' for name, key, role in clients]
    return "\n".join([MODULE, f'[node.api]\naddress = "{address}"\n{more}', *tables])


def test_clients_have_a_name_a_key_and_a_role(tmp_path: Path) -> None:
    api = load(tmp_path, with_clients(("a", FIRST, "viewer"), ("b", SECOND, "admin"))).config.node.api
    assert api is not None
    assert (api.roles, api.names) == ({"a": "viewer", "b": "admin"}, {FIRST: "a", SECOND: "b"})
    assert (api.endpoint.address(), api.endpoint.address(1)) == ("tcp://127.0.0.1:7700", "tcp://127.0.0.1:7701")
    assert load(tmp_path).config.node.api is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (with_clients(), "expected the key 'node.api.client'"),
        (with_clients(("a", FIRST, "root")), "node.api.client.0.role: expected"),
        (with_clients(("a", FIRST, "viewer"), ("desk-1", SECOND, "root")), 'found the text "root" (client.1 is \'desk-1\')'),
        (with_clients(("a", FIRST[:-1], "viewer")), "node.api.client.0.key: expected a public key of 40 characters"),
        (with_clients(("a", "#" * 40, "viewer")), "node.api.client.0.key: expected a public key of 40 characters"),
        (with_clients(("a b", FIRST, "viewer")), "node.api.client.0.name: expected a name of letters"),
        (with_clients(("a", FIRST, "viewer"), ("a", SECOND, "viewer")), "node.api.client.1.name: expected each name once"),
        (with_clients(("a", FIRST, "viewer"), ("b", FIRST, "admin")), "node.api.client.1.key: expected each key once"),
        (with_clients(("a", FIRST, "viewer"), address="ipc:///x"), "node.api.address: expected tcp://HOST:PORT"),
        (with_clients(("a", FIRST, "viewer"), address="tcp://127.0.0.1:65535"), "node.api.address: expected tcp://HOST:PORT"),
        *(
            (with_clients(("a", FIRST, "viewer"), address=f"tcp://{host}:7700"), "node.api.address: expected tcp://HOST:PORT")
            for host in ("[:::]", "[127.0.0.1]", "[::1", "::1", "127.0.0.256", "127.1", "0", "")
        ),
        (with_clients(("a", FIRST, "viewer"), more="curve = false"), "node.api.curve: unknown key"),
    ],
)
def test_clients_that_leave_open_who_may_what_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """There is no key that lets anybody in without one."""
    assert said in refusal(tmp_path, text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "*", "[::1]", "[::]", "[fe80::1]", "a-1.example"])
def test_hosts_of_clients_and_of_the_bus(tmp_path: Path, host: str) -> None:
    api = load(tmp_path, with_clients(("a", FIRST, "viewer"), address=f"tcp://{host}:7700")).config.node.api
    assert api is not None and api.endpoint.host == host
    bus = [f"node.bus=tcp://{host}:7710"]
    if host in ("0.0.0.0", "*", "[::]"):
        assert "node.bus: expected one address, where parts reach each other" in refusal(tmp_path, settings=bus)
    else:
        assert load(tmp_path, settings=bus).config.node.bus.endswith(":7710")


@pytest.mark.parametrize(("bus", "is_free"), [(7692, True), (7693, False), (7700, False), (7701, False), (7702, True)])
def test_ports_of_the_bus_and_of_clients_are_apart(tmp_path: Path, bus: int, is_free: bool) -> None:
    text, setting = with_clients(("a", FIRST, "viewer")), f"node.bus=tcp://127.0.0.1:{bus}"
    if is_free:
        load(tmp_path, text, [setting])
    else:
        said = refusal(tmp_path, text, [setting])
        assert f"node.api.address: expected a port, and one behind it, beside those of node.bus, {bus} to {bus + 7}" in said


@pytest.mark.parametrize("key", PUBLISHED)
def test_a_key_whose_secret_everybody_has_lets_nobody_in(tmp_path: Path, key: str) -> None:
    said = refusal(tmp_path, with_clients(("a", FIRST, "viewer"), ("b", key, "operator")))
    assert "node.api.client.1.key: expected a key of your own" in said and "whose secret everybody has" in said
    assert "`python -m tradebot.client.keys FILE`" in said


def test_what_is_printed_in_place_of_a_key_is_none(tmp_path: Path) -> None:
    """Whoever copies the page or the schema is told how to make a key of his own."""
    page = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
    block = page.split("```toml")[1].split("```")[0]
    assert "node.api.client.0.key: expected a public key of 40" in refusal(tmp_path, f"{MODULE}\n{block}")
    for example in explain({}, {}, "node.api.client.key")["examples"]:  # type: ignore[attr-defined]
        said = refusal(tmp_path, with_clients(("a", example, "viewer")))
        assert "node.api.client.0.key: expected a public key of 40" in said and "client.keys FILE`" in said


@pytest.mark.parametrize("source", ["file", "environment", "setting"])
@pytest.mark.parametrize("value", ["'s3cr3t-value'", "53737", "['s3cr3t-value']", "{a='s3cr3t-value'}"])
def test_a_secret_in_place_of_a_reference_is_refused_and_never_shown(
    tmp_path: Path, source: str, value: str
) -> None:
    text = MODULE.replace("[account]", f"[account]\nkey = {value}") if source == "file" else MODULE
    settings = [f"account.key={value}"] if source == "setting" else []
    environment = {"TRADEBOT__ACCOUNT__KEY": value} if source == "environment" else {}
    message = refusal(tmp_path, text, settings, **environment)
    assert "account.key: expected" in message
    assert "s3cr3t" not in message and "53737" not in message


@pytest.mark.parametrize("key", ["node.supervisor.intensity", "node.memory_mb", "node.snapshot_facts", "node.rounds", "params"])
def test_whole_numbers_have_64_bits(tmp_path: Path, key: str) -> None:
    """What is larger cannot be said to a part, nor counted by the engine."""

    def setting(number: str) -> list[str]:
        strategy = f'strategy=[{{use="a:B",instruments=["BTC/USD"],params={{x={number}}}}}]'
        return [strategy if key == "params" else f"{key}={number}"]

    load(tmp_path, settings=setting(str(2**63 - 1)))
    for number in (str(2**63), "9" * 30, "0x" + "f" * 5_000):
        said = refusal(tmp_path, settings=setting(number))
        assert "expected a number of at most 9223372036854775807, found" in said and "\n" not in said
    assert "expected a number of at least " in refusal(tmp_path, settings=setting(f"-{2**63 + 1}"))
    assert "expected a" in refusal(tmp_path, settings=setting("9" * 5_000))


def test_a_file_with_a_number_that_nothing_reads_is_told(tmp_path: Path) -> None:
    assert "expected whole numbers of up to 64 bits" in refusal(tmp_path, f"{MODULE}\n[node]\nmemory_mb = {'9' * 5_000}\n")


def test_times_are_utc_and_exact_to_the_nanosecond(tmp_path: Path) -> None:
    def first_ns(text: str) -> int | None:
        return load(tmp_path, settings=[f"data.from={text}"]).config.data.from_ns

    start_ns = 1_704_067_200 * 10**9
    assert first_ns("2024-01-01") == start_ns
    assert first_ns("2024-01-01T00:00:00") == start_ns
    assert first_ns("2024-01-01T01:00:00+01:00") == start_ns
    assert first_ns("2023-12-31T19:30:00-04:30") == start_ns
    assert first_ns('"2024-01-01T00:00:00.123456789Z"') == start_ns + 123_456_789
    assert first_ns("1970-01-01") == 0


def test_the_end_is_exclusive_for_a_time_and_inclusive_for_a_day(tmp_path: Path) -> None:
    at = load(tmp_path, settings=["data.to=2024-01-01T00:00:00Z"]).config.data.to_ns
    day = load(tmp_path, settings=["data.to=2024-01-01"]).config.data.to_ns
    assert at is not None and day is not None and day - at == 86_400 * 10**9


def test_one_day_is_a_range_and_an_end_at_the_start_is_none(tmp_path: Path) -> None:
    load(tmp_path, settings=["data.from=2024-01-01", "data.to=2024-01-01"])
    message = refusal(tmp_path, settings=["data.from=2024-01-01", "data.to=2024-01-01T00:00:00Z"])
    assert message == "--set: data.to: expected an end after 2024-01-01, found 2024-01-01T00:00:00+00:00"


def test_two_strategies_of_one_name_are_refused_until_one_is_named(tmp_path: Path) -> None:
    second = '[[strategy]]\nuse = "package.module:Maker"\ninstruments = ["ETH/USD"]\n'
    assert "expected each name once, found 'maker' twice" in refusal(tmp_path, MODULE + second)
    loaded = load(tmp_path, MODULE + second + 'name = "second"\n')
    assert [use.name for use in loaded.config.strategy] == ["maker", "second"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"mode = \n", "expected TOML, found: Invalid value (at line 1, column 8)"),
        (b"a = 1\na = 2\n", "(at line 2, column 6)"),
        (b"node = { speed = 5.0 }\n\n[node.api]\n", "is closed: write it as [a] to have [a.b] beside it"),
        (b"\xff\xfe\x00", "expected TOML in UTF-8"),
    ],
)
def test_a_file_that_is_not_toml_names_file_and_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config([path], {}, [])
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)


@pytest.mark.parametrize("path", ["node.supervisor", "node.actors"])
def test_waits_grow_from_the_first_to_the_longest(tmp_path: Path, path: str) -> None:
    more = ',actor=[{name="a",use="a:B"}]' if path == "node.actors" else ""
    said = refusal(tmp_path, settings=[f'{path}={{backoff="10s",backoff_max="1s"{more}}}'])
    assert said.startswith(f"--set: {path}.backoff_max: expected a first wait") and said.endswith("found 10s and 1s")
    said = refusal(tmp_path, settings=[f'{path}={{backoff="31s"{more}}}'])
    assert said.startswith(f"--set: {path}.backoff: expected a first wait"), "the longest is as it is"
    load(tmp_path, settings=[f'{path}={{backoff="10s",backoff_max="10s"{more}}}'])


SHIPPED = sorted(Path(__file__).parents[2].joinpath("config").glob("*.toml"))


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.name)
def test_to_what_is_shipped_the_tables_of_the_documentation_can_be_appended(tmp_path: Path, shipped: Path) -> None:
    page = shipped.parents[1] / "docs" / "wire.md"
    block = page.read_text().partition("```toml\n")[2].partition("```")[0]
    assert block.startswith("[node.api]")
    block = block.replace("PUBLIC-KEY-OF-DESK-1", FIRST)
    whole = tmp_path / shipped.name
    whole.write_text(f"{shipped.read_text()}\n{block}")
    api = load_config([whole], {}, []).config.node.api
    assert api is not None and api.client[0].name == "desk-1"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: expected a configuration file, found none"):
        load_config([tmp_path / "absent.toml"], {}, [])
    with pytest.raises(ConfigError, match="expected a readable file, found: Is a directory"):
        load_config([tmp_path], {}, [])


def test_nothing_at_all_says_which_key_is_missing() -> None:
    with pytest.raises(ConfigError, match="expected the key 'account', found none: add it to a -c file"):
        load_config([], {}, [])


def test_a_configuration_survives_its_plain_form(tmp_path: Path) -> None:
    loaded = load_config([write_example(tmp_path)], {}, ["report.grid={fees=['0%'], latencies=['1ms']}"])
    plain = config_to_dict(loaded.config)
    assert plain == loaded.values
    again = config_from_dict(json.loads(json.dumps(plain)))
    assert again == loaded.config
    assert json.dumps(config_to_dict(again)) == json.dumps(plain), "the order is stable"


def test_a_plain_form_with_a_wrong_value_is_refused(tmp_path: Path) -> None:
    values = config_to_dict(load(tmp_path).config)
    with pytest.raises(ConfigError, match=r"^mode: 'live' comes with a later version"):
        config_from_dict({**values, "mode": "live"})


def test_the_identity_does_not_depend_on_where_the_files_lie(tmp_path: Path) -> None:
    identities = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        identities.append(config_identity(load_config([write_example(tmp_path / name)], {}, []).config))
    assert identities[0] == identities[1]


def test_a_venue_that_is_not_listed_pays_more_than_any_that_is(tmp_path: Path) -> None:
    def rates(venue: str) -> tuple[int, int]:
        settings = [f"account.venue={venue}", "strategy.0.instruments=['BTC/USD']"]
        return load(tmp_path, settings=settings).config.fee_rates[:2]

    listed = [rates(venue) for venue in ("binance", "bitstamp", "bybit", "kraken")]
    maker, taker = rates("elsewhere")
    assert maker > max(rate[0] for rate in listed) and taker > max(rate[1] for rate in listed)


def test_the_grid_is_off_on_or_given(tmp_path: Path) -> None:
    def grid(setting: str) -> tuple[list[int], list[int]] | None:
        found = load(tmp_path, settings=[setting]).config.report.grid_wanted
        return None if found is None else (found.fee_fractions, found.latencies_ns)

    assert grid("report.grid=false") is None
    on = grid("report.grid=true")
    assert on is not None and 0 in on[0] and 50_000_000 in on[1]
    assert grid("report.grid={fees=['0.1%'], latencies=['1ms', '2s']}") == (
        [100_000],
        [1_000_000, 2_000_000_000],
    )


def test_a_key_is_explained_with_value_source_type_default_and_meaning(tmp_path: Path) -> None:
    loaded = load(tmp_path, settings=["costs.latency=5ms"])
    explained = explain(loaded.values, loaded.sources, "costs.latency")
    assert (explained["value"], explained["source"], explained["default"]) == ("5ms", "--set", "50ms")
    assert explained["type"] == 'text such as "50ms" or a table'
    assert "each way" in str(explained["doc"])
    assert explain(loaded.values, loaded.sources, "costs")["keys"] == [
        "fees", "latency", "queue", "queue_power", "fills", "spread", "slippage", "participation", "funding",
    ]  # fmt: skip
    assert explain(loaded.values, loaded.sources, "strategy.use")["doc"]


def test_a_key_is_explained_before_the_configuration_is_whole() -> None:
    layers = merge_sources([], {}, [])
    explained = explain(layers.values, layers.sources, "data.grade")
    assert (explained["value"], explained["source"], explained["default"]) == (None, "default", None)
    with pytest.raises(ConfigError, match=r"data\.grad: unknown key; the nearest valid key is data\.grade"):
        explain(layers.values, layers.sources, "data.grad")


def test_every_key_of_the_schema_has_a_meaning() -> None:
    definitions = json_schema()["$defs"]
    assert isinstance(definitions, dict)
    bare = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, node in definition["properties"].items()
        if not node.get("description")
    ]
    assert bare == []


def fits(value: object, node: dict[str, object], root: dict[str, object]) -> bool:
    """A small judge of JSON schema, of the words that ours uses; an unknown word fails the test."""
    known = {"title", "description", "default", "examples", "$schema", "$defs"}
    for word, rule in node.items():
        match word:
            case "$ref":
                ok = fits(value, root["$defs"][rule.rpartition("/")[2]], root)  # type: ignore[index, attr-defined]
            case "anyOf":
                ok = any(fits(value, branch, root) for branch in rule)  # type: ignore[attr-defined]
            case "enum":
                ok = value in rule  # type: ignore[operator]
            case "type":
                ok = _has_type(value, str(rule))
            case "properties":
                ok = all(fits(value[key], below, root) for key, below in rule.items() if key in value)  # type: ignore
            case "required":
                ok = all(key in value for key in rule)  # type: ignore[operator, attr-defined]
            case "additionalProperties":
                others = [v for k, v in value.items() if k not in node.get("properties", {})]  # type: ignore
                ok = not others if rule is False else all(fits(v, rule, root) for v in others)  # type: ignore
            case "items":
                ok = all(fits(below, rule, root) for below in value)  # type: ignore[attr-defined, arg-type]
            case "minItems" | "minLength":
                ok = len(value) >= rule  # type: ignore
            case "minimum":
                ok = value >= rule  # type: ignore[operator]
            case "maximum":
                ok = value <= rule  # type: ignore[operator]
            case "multipleOf":
                ok = value % rule == 0  # type: ignore[operator]
            case _:
                assert word in known, f"a word that this judge does not know: {word}"
                ok = True
        if not ok:
            return False
    return True


def _has_type(value: object, name: str) -> bool:
    types: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    return isinstance(value, types[name]) and (not isinstance(value, bool) or name == "boolean")


def test_the_schema_accepts_the_example_and_refuses_what_loading_refuses(tmp_path: Path) -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    plain = json.loads(json.dumps(load_config([write_example(tmp_path)], {}, []).values))
    assert fits(plain, schema, schema)
    assert not fits({**plain, "acount": 1}, schema, schema)
    assert not fits({**plain, "mode": "bactest"}, schema, schema)
    assert not fits({**plain, "strategy": []}, schema, schema)
    assert not fits({key: plain[key] for key in plain if key != "account"}, schema, schema)


def test_a_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config = load(tmp_path).config
    assert isinstance(config, Config)
    with pytest.raises(AttributeError):
        config.mode = "live"  # type: ignore[misc]


KEYS = st.sampled_from(
    [
        *("mode", "account", "account.start", "account.key", "account.0", "data.from", "data.to", "x", "0"),
        *("costs.fees", "costs.fees.maker", "costs.latency.order", "risk.price_band", "risk.order_rate"),
        *("risk.quantity_max", "report.grid", "report.sample", "strategy", "strategy.0", "strategy.0.0"),
        *("strategy.0.use", "strategy.1.use", "strategy.0.instruments", "strategy.0.params.x.y"),
    ]
)
NUMBERS = ["1", "-1", "nan", "1e400", "1e-400%", "9" * 400 + "%", "9" * 30 + "/s", "1/1e99s", "1e999999999 X"]
OTHERS = ["[]", "{}", "[[1]]", "true", "2024-02-30", "07:32:00", "1e30 USD", "1 USD", "x.py:A"]
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(NUMBERS), st.sampled_from(OTHERS))


@given(st.lists(st.tuples(KEYS, TEXTS), max_size=4))
def test_any_settings_load_or_are_refused_in_one_line(pairs: list[tuple[str, str]]) -> None:
    whole = ["account={venue='x', start='1 USD'}", "strategy.0.use=a.b:C", "strategy.0.instruments=['A/B']"]
    try:
        config = load_config([], {}, [*whole, *(f"{key}={text}" for key, text in pairs)]).config
    except ConfigError as error:
        assert "\n" not in str(error)
    else:
        assert config_from_dict(config_to_dict(config)) == config


def test_the_section_download_stands_alone_and_its_keys_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path, '[download]\narchive_url = "https://mirror.example"\ntimeout = "5s"\n')
    found = load_download([path], {"TRADEBOT__DOWNLOAD__EXCHANGE_URLS__KRAKEN": "http://kraken.example"}, ["download.attempts=2"])
    assert (found.archive_url, found.timeout_s, found.attempts) == ("https://mirror.example", 5.0, 2)
    assert found.exchange_urls == {"kraken": "http://kraken.example"}
    for setting, said in [
        ("download.atempts=2", "--set: download.atempts: unknown key; the nearest valid key is download.attempts"),
        ("downlod.attempts=2", "--set: downlod: unknown key|--set: downlod.attempts: unknown key"),
        ("download.attempts=0", "expected a number of at least 1, found 0"),
        ("download.timeout=soon", "--set: download.timeout: expected a duration"),
        ("download.requests_per_s=1000", "expected a number of at most 100"),
    ]:
        with pytest.raises(ConfigError, match=said):
            load_download([], {}, [setting])


def test_how_ticks_are_fetched_makes_no_other_run(tmp_path: Path) -> None:
    plain, mirrored = load(tmp_path).config, load(tmp_path, settings=["download.archive_url=https://mirror.example"]).config
    assert mirrored.download.archive_url == "https://mirror.example"
    assert config_identity(plain) == config_identity(mirrored)


def test_the_key_that_is_suggested_is_of_the_table_that_was_named() -> None:
    with pytest.raises(ConfigError, match=r"node\.foo: unknown key; the nearest valid key is node\."):
        load_config([], {}, ["node.foo=1"])


def test_what_a_node_tells_again_is_traded_at_the_fees_of_its_venue(tmp_path: Path) -> None:
    def rates(venue: str) -> FeeRates:
        return load(tmp_path, settings=[f"account.venue={venue}", "strategy.0.instruments=['BTC/USD']"]).config.fee_rates

    told, again = rates("bitstamp"), rates("bitstamp-again")
    assert again == told and told[:2] == (300_000, 400_000)
