"""The command line as people and scripts meet it: exit codes, one line per error, JSON and nothing else on
stdout.

Most tests run a real process. Those of exit codes that no verb reaches yet put a verb of their own into the
table.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import environment, failure, run

from tradebot import __version__
from tradebot.cli import main as main_module
from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import NotRunning, Refused, TimedOut, TradebotError

VERBS = [
    "demo", "doctor", "init", "config", "data", "store", "backtest", "replay", "report", "compare", "run",
    "reload", "status", "positions", "orders", "pnl", "fills", "reconcile", "pause", "resume", "cancel-all", "flatten",
    "kill", "restart", "explain", "logs", "monitor", "journal", "bench", "chaos",
]  # fmt: skip

RUN = """
account = { venue = "bitstamp", start = "10000 USD" }
[[strategy]]
use = "package.module:Maker"
instruments = ["BTC/USD"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(RUN)
    return path


def test_help_lists_the_verbs_that_exist_and_no_other(tmp_path: Path) -> None:
    started = time.perf_counter()
    done = run(tmp_path, "--help")
    print(f"tradebot --help: {(time.perf_counter() - started) * 1e3:.0f} ms")  # noqa: T201
    assert (done.returncode, done.stderr) == (0, "")
    listed = done.stdout.partition("verbs:")[2].splitlines()
    assert [line.split()[0] for line in listed if line.startswith("    ") and line[4] != " "] == VERBS


@pytest.mark.parametrize(
    "verb", [*VERBS, "config show", "config explain", "data import", "data sample", "data list", "data download"]
)
def test_every_verb_has_help_with_the_shared_options(tmp_path: Path, verb: str) -> None:
    done = run(tmp_path, *verb.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--home DIR" in done.stdout and "--set KEY=VALUE" in done.stdout


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from tradebot.cli.main import main; code = main(['--help'])\n"
        "heavy = {'numpy', 'msgspec', 'rich', 'pandas', 'clickhouse_connect', 'chdb'}\n"
        "assert code == 0 and not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_version_is_said_in_text_and_in_json(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout == f"{__version__}\n"
    assert json.loads(run(tmp_path, "--version", "--json").stdout) == {"version": __version__}


def test_the_module_runs_as_the_command_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tradebot", "--version"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: VERB; see `tradebot --help`"),
        (["bactest"], "unknown 'bactest': did you mean backtest?; see `tradebot --help`"),
        (["live"], "unknown 'live': expected one of demo, doctor, init, config, data, store, backtest, replay, report, compare"),
        (["config"], "required: VERB; see `tradebot config --help`"),
        (["config", "shwo"], "unknown 'shwo': did you mean show?; see `tradebot config --help`"),
        (["config", "explain"], "required: KEY; see `tradebot config explain --help`"),
        (["backtest", "--bogus"], "unrecognized arguments: --bogus"),
        (["backtest", "--verif"], "unrecognized arguments: --verif"),
        (["data", "import"], "required: PATH"),
        (["replay"], "required: RUN"),
        (["--set"], "argument --set: expected one argument"),
        (["config", "validate", "-c"], "argument -c/--config: expected one argument"),
        (["config", "validate"], "expected the key 'account', found none: add it to a -c file"),
        (["backtest"], "expected the key 'account', found none: add it to a -c file"),
        (
            ["config", "validate", "-c", "absent.toml"],
            "absent.toml: expected a configuration file, found none",
        ),
        (["config", "explain", "costs.latenci"], "unknown key; the nearest valid key is costs.latency"),
    ],
)
def test_wrong_usage_ends_with_two_and_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in failure(tmp_path, 2, *arguments)
    assert list(tmp_path.iterdir()) == [], "a wrong call writes nothing"


@pytest.mark.parametrize("verb", ["config validate", "config show", "backtest"])
def test_an_unknown_key_names_file_path_and_nearest_key(file: Path, verb: str) -> None:
    file.write_text("[costs]\nlatncy = '1ms'\n" + RUN.replace("account =", "[account]\n#"))
    file.write_text('costs = { latncy = "1ms" }\n' + RUN)
    line = failure(file.parent, 2, *verb.split(), "-c", "run.toml")
    assert line == "tradebot: run.toml: costs.latncy: unknown key; the nearest valid key is costs.latency"


def test_a_wrong_type_and_broken_toml_end_with_two(file: Path) -> None:
    line = failure(
        file.parent, 2, "config", "validate", "-c", "run.toml", "--set", "risk.orders_open_max=many"
    )
    assert line == 'tradebot: --set: risk.orders_open_max: expected a whole number, found the text "many"'
    file.write_text("mode = [\n")
    assert "run.toml: expected TOML, found: Invalid value" in failure(
        file.parent, 2, "backtest", "-c", "run.toml"
    )


def test_the_live_mode_is_refused_by_name(file: Path) -> None:
    line = failure(file.parent, 2, "config", "validate", "-c", "run.toml", "--set", "mode=live")
    assert line == "tradebot: --set: mode: 'live' comes with a later version; this one has 'backtest' and 'sandbox'"


def test_options_work_before_and_after_the_verb(file: Path) -> None:
    second = file.with_name("second.toml")
    second.write_text('costs = { latency = "7ms" }\n')
    calls = [
        ["-c", "run.toml", "--json", "config", "show", "-c", "second.toml"],
        ["--json", "config", "-c", "run.toml", "-c", "second.toml", "show"],
        ["config", "show", "--config", "run.toml", "--config=second.toml", "--json"],
    ]
    shown = [json.loads(run(file.parent, *call).stdout) for call in calls]
    assert shown[0] == shown[1] == shown[2]
    assert shown[0]["values"]["costs"]["latency"] == "7ms"
    assert shown[0]["sources"]["costs.latency"] == "file:second.toml"


def test_set_wins_over_environment_and_environment_over_files(file: Path) -> None:
    def latency(*arguments: str, **more: str) -> tuple[str, str]:
        shown = json.loads(
            run(file.parent, "config", "show", "-c", "run.toml", "--json", *arguments, **more).stdout
        )
        return shown["values"]["costs"]["latency"], shown["sources"]["costs.latency"]

    variable = {"TRADEBOT__COSTS__LATENCY": "2ms"}
    assert latency() == ("50ms", "default")
    assert latency(**variable) == ("2ms", "env:TRADEBOT__COSTS__LATENCY")
    assert latency("--set", "costs.latency=3ms", **variable) == ("3ms", "--set")


def test_show_is_a_table_of_key_value_and_source(file: Path) -> None:
    lines = run(file.parent, "config", "show", "-c", "run.toml").stdout.splitlines()
    assert lines[0].split() == ["key", "value", "source"]
    assert ["account.venue", "bitstamp", "file:run.toml"] in [line.split() for line in lines]
    assert ["strategy.0.name", "maker", "default"] in [line.split() for line in lines]


def test_explain_works_before_the_configuration_is_whole(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "config", "explain", "costs.latency", "--json").stdout)
    assert (found["default"], found["source"]) == ("50ms", "default")
    assert run(tmp_path, "config", "explain", "costs").stdout.startswith("about")


def test_validate_and_schema_answer_in_json_and_for_people(file: Path) -> None:
    validated = run(file.parent, "config", "validate", "-c", "run.toml", "--json")
    assert json.loads(validated.stdout) == {"valid": True, "mode": "backtest", "files": ["run.toml"]}
    assert run(file.parent, "config", "validate", "-c", "run.toml").stdout == "valid\n"
    schema = run(file.parent, "config", "schema")
    assert json.loads(schema.stdout) == json.loads(run(file.parent, "config", "schema", "--json").stdout)


def test_a_traceback_needs_debug(tmp_path: Path) -> None:
    done = run(tmp_path, "config", "validate", "--debug")
    assert done.returncode == 2 and "Traceback" in done.stderr
    assert (
        done.stderr.strip().splitlines()[-1].startswith("tradebot: configuration: expected the key 'account'")
    )


def test_a_reader_that_goes_away_is_met_in_silence(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tradebot.cli.main", "config", "schema"],
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    line = failure(tmp_path, 2, "data", "list", "--home", "taken")
    assert "taken: expected a folder for --home, found a file" in line


def install(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """One verb, `fail`, that raises."""

    def fail(call: Call) -> int:
        raise error

    def add(verbs: Verbs) -> None:
        verbs.add("fail", fail, "raise")

    monkeypatch.setattr(main_module, "GROUPS", (SimpleNamespace(add=add),))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (TradebotError("two\nlines"), 1, "tradebot: two lines"),
        (NotRunning("nothing runs"), 3, "tradebot: nothing runs"),
        (Refused("too large"), 4, "tradebot: too large"),
        (TimedOut("too late"), 5, "tradebot: too late"),
        (KeyboardInterrupt(), 1, "tradebot: interrupted: run the same command again to go on"),
        (
            OSError(28, "No space left on device", "ticks"),
            1,
            "tradebot: ticks: No space left on device: check the",
        ),
        (MemoryError(), 1, "tradebot: expected enough memory, found none left"),
        (
            AssertionError("a\nbug"),
            1,
            "tradebot: internal error: AssertionError: a bug; run it again with --debug",
        ),
    ],
)
def test_each_failure_has_its_exit_code_and_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    install(monkeypatch, error)
    assert main_module.main(["fail"]) == code
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith(said)


def test_the_home_comes_from_the_option_then_the_environment_then_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Call] = []

    def look(call: Call) -> int:
        seen.append(call)
        return 0

    def add(verbs: Verbs) -> None:
        verbs.add("look", look, "look")

    monkeypatch.setattr(main_module, "GROUPS", (SimpleNamespace(add=add),))
    monkeypatch.delenv("TRADEBOT_HOME", raising=False)
    main_module.main(["look"])
    monkeypatch.setenv("TRADEBOT_HOME", str(tmp_path / "environment"))
    main_module.main(["look"])
    main_module.main(["look", "--home", "option", "--set", "a b=c"])
    assert [call.home for call in seen] == [Path("tradebot_home"), tmp_path / "environment", Path("option")]
    assert seen[-1].command == "tradebot look --home option --set 'a b=c'"
    made = seen[1].make_home()
    assert {path.name for path in made.iterdir()} == {
        "data",
        "journal",
        "results",
        "models",
        "logs",
        "secrets",
    }
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (made, *made.iterdir()))
