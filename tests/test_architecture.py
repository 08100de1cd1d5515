"""The rules of the tree, as data: who may import whom, what pure code never touches, what a file may hold.

Imports are read from .py by the parser of Python, and from .pyx and .pxd, which no import linter reads, line by line.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "tradebot"

# Each package with what it may import of ours. `node` is the only one that may import all edges; an edge imports no other.
PURE = {"_core", "domain", "feeds", "features", "strategies", "risk", "execution"}
INNER = {"_core", "domain"}
STAGES = PURE - INNER
EDGES = {"venues", "store", "actors", "security", "monitor", "research", "feedback", "client"}
MAY_IMPORT = {
    "_core": {"_core"},
    "domain": {"_core", "domain"},
    **dict.fromkeys(STAGES, INNER | STAGES),
    "engine": PURE | {"engine"},
    **{name: PURE | {"engine", name} for name in EDGES},
    "node": PURE | EDGES | {"engine", "node"},
    "testing": PURE | EDGES | {"engine", "node", "testing"},
    "cli": {"domain", "node", "testing", "cli"},
}

FORBIDDEN_IN_PURE = {
    "time", "datetime", "random", "os", "uuid", "asyncio", "threading", "socket", "logging",
    "secrets", "subprocess", "multiprocessing", "selectors", "signal", "libc.time",
}  # fmt: skip

# Libraries that one package alone touches, and benchmarks for their floors.
TOUCHED_BY = {
    "clickhouse_connect": {"store", "testing"},
    "chdb": {"store"},
    "ccxt": {"venues"},
    # The client stands alone: it must run where there is no node and no core.
    "zmq": {"actors", "security", "client", "testing"},
    "rich": {"cli"},
    "pyarrow": {"store", "testing"},
    "pandas": set(),
    "pickle": set(),
    "shelve": set(),
}

LINES_MAX = 900
HEAVY = ("numpy", "msgspec", "clickhouse_connect", "chdb", "rich", "pandas", "pyarrow", "ccxt", "requests", "urllib.request")

# Where a machine's folders begin, in two parts so that this file does not name one.
MACHINE_FOLDERS = ["/" + name for name in ("home/", "root/", "work/", "Users/", "opt/", "mnt/", "srv/", "tmp/")]
MACHINE_PATH = re.compile("|".join(rf"(?<![\w.~*/}}\])<-]){re.escape(folder)}[A-Za-z0-9_.-]" for folder in MACHINE_FOLDERS))


class Import(NamedTuple):
    """One import: `module` is the whole name of what is imported, where that can be told."""

    file: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"

    @property
    def package(self) -> str:
        return package_of(self.file)


def package_of(file: Path) -> str:
    """The package of ours that a file is in; the few files beside the packages are their own."""
    parts = file.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else "tradebot"


def sources(*suffixes: str) -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*") if path.suffix in suffixes and "__pycache__" not in path.parts)


def imports(file: Path) -> Iterator[Import]:
    found = python_imports(file) if file.suffix in (".py", ".pyi") else cython_imports(file)
    for line, module in found:
        yield Import(file, line, module)


def python_imports(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute here"
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                yield node.lineno, str(argument.value)


CYTHON_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+c?import\s+(.*)")
CYTHON_IMPORT = re.compile(r"^\s*c?import\s+([\w., ]+)")


def cython_imports(file: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if found := CYTHON_FROM.match(line):
            names = re.findall(r"\w+", found[2].replace("(", "")) or ["*"]
            yield from ((number, f"{found[1]}.{name}") for name in names)
        elif found := CYTHON_IMPORT.match(line):
            yield from ((number, name.strip().split(" ")[0]) for name in found[1].split(","))


ALL = [one for file in sources(".py", ".pyx", ".pxd", ".pyi") for one in imports(file)]


def in_module(one: Import, module: str) -> bool:
    return one.module == module or one.module.startswith(f"{module}.")


def test_the_readers_see_imports_of_every_kind() -> None:
    """Without this, a reader that finds nothing would make every rule below hold."""
    text = {(one.file.name, one.module) for one in ALL}
    assert ("merge.pyx", "tradebot._core.queue.queue_pop") in text
    assert any(file.endswith(".pxd") and module.startswith("tradebot._core.types.") for file, module in text)
    assert any(file.endswith(".pyx") and module.startswith("libc.") for file, module in text)
    assert ("client.py", "tradebot.domain.errors.StoreError") in text
    assert ("engine.py", "chdb") in text, "an import inside a function counts"


def test_every_package_has_a_place() -> None:
    packages = {path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert packages <= set(MAY_IMPORT), packages - set(MAY_IMPORT)


def test_imports_point_inward() -> None:
    wrong = []
    for one in ALL:
        parts = one.module.split(".")
        if parts[0] != "tradebot" or one.package == "tradebot" or len(parts) < 2 or parts[1] == "__version__":
            continue
        if not (SOURCE / parts[1]).is_dir() or parts[1] not in MAY_IMPORT[one.package]:
            wrong.append(str(one))
    assert wrong == []


def test_the_root_of_the_package_offers_the_face_and_nothing_else() -> None:
    ours = {one.module.split(".")[1] for one in ALL if one.package == "tradebot" and one.module.startswith("tradebot.")}
    assert ours == {"strategies", "cli"}


def test_pure_packages_ask_for_no_time_chance_thread_or_socket() -> None:
    pure = PURE | {"engine"}
    wrong = [
        str(one) for one in ALL if one.package in pure and any(in_module(one, name) for name in FORBIDDEN_IN_PURE)
    ]
    assert wrong == []


def test_pure_packages_open_no_file() -> None:
    wrong = []
    for file in (path for path in sources(".py") if package_of(path) in PURE | {"engine"}):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "print", "input", "exec", "eval"):
                wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}")
    assert wrong == []


@pytest.mark.parametrize("library", TOUCHED_BY)
def test_a_library_is_touched_by_one_package(library: str) -> None:
    wrong = [str(one) for one in ALL if in_module(one, library) and one.package not in TOUCHED_BY[library]]
    assert wrong == []


def test_only_curve_binds_to_what_others_than_the_user_may_reach() -> None:
    """All other sockets are bound to a file in a folder of the user's, by `bus` alone, or within the process."""
    binds = [
        f"{file.name}: {ast.unparse(node.args[0])}"
        for file in sources(".py")
        if package_of(file) in TOUCHED_BY["zmq"] - {"testing"}
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".bind", ".bind_to_random_port"))
    ]
    files = {"bus.py: address(folder, name)"}
    given = {"mailbox.py: socket", "bus.py: socket"}  # what is given a socket binds by one of these
    door = "door.py: ('' if host == '*' else host.strip('[]'), int(port))"  # which is opened for curve alone
    ours = {"curve.py: address", "curve.py: ZAP", door, *given, *files}
    assert set(binds) == ours
    assert {one.file.name for one in ALL if one.module.startswith("tradebot.actors.door.Door")} == {"curve.py"}


def test_the_core_uses_no_mathematics_that_differs_between_machines() -> None:
    """Of libm only what IEEE 754 fixes to the last bit."""
    exact = {"sqrt", "fabs", "floor", "ceil", "isnan", "isfinite", "NAN", "INFINITY"}
    used = {one.module.rsplit(".", 1)[1]: str(one) for one in ALL if one.package == "_core" and in_module(one, "libc.math")}
    assert {name: where for name, where in used.items() if name not in exact} == {}


def test_files_are_short_enough_to_be_read() -> None:
    suffixes = {".py", ".pyx", ".pxd", ".pyi"}
    files = [path for path in tracked() if path.suffix in suffixes and "yardsticks" not in path.parts]
    assert len(files) > 80
    counts = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in files}
    assert {name: count for name, count in counts.items() if count > LINES_MAX} == {}


def test_every_file_says_at_its_head_why_it_exists() -> None:
    silent = []
    for file in sources(".py", ".pyx"):
        text = file.read_text()
        if text.strip() and not text.lstrip().startswith(('"""', 'r"""')):
            silent.append(str(file.relative_to(ROOT)))
    assert silent == []


def test_the_public_parts_of_domain_and_engine_are_documented() -> None:
    silent = []
    for file in sources(".py"):
        if package_of(file) in ("domain", "engine"):
            tree = ast.parse(file.read_text())
            for node in tree.body:
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                    silent += [f"{file.relative_to(ROOT)}:{one.lineno} {one.name}" for one in undocumented(node)]
    assert silent == []


def undocumented(node: ast.ClassDef | ast.FunctionDef) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """The node where it has no docstring. An exception is explained in the tree at the head of its file, a method of a
    documented class may be explained by its name; what is left is what a reader meets first.
    """
    is_exception = isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(EXCEPTIONS) for base in node.bases)
    if ast.get_docstring(node) is None and not is_exception:
        yield node


EXCEPTIONS = ("Error", "Exception", "TimedOut")


UNDONE = re.compile(r"\braise NotImplementedError\b|\b(TODO|FIXME|XXX)\b(?!.*\b(when|until|once|after)\b)")


def test_nothing_is_left_undone_without_the_condition_that_ends_it() -> None:
    stubs = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in sources(".py", ".pyx", ".pxd")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if UNDONE.search(line)
    ]
    assert stubs == []


def test_no_code_is_commented_out() -> None:
    code = re.compile(r"^\s*# *(?:(?:from \w[\w.]* )?import \w+$|def \w+\(.*\):$|return \w+$|print\(|\w+ = \w+\(.*\)$)")
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in sources(".py", ".pyx", ".pxd")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if code.match(line)
    ]
    assert found == []


def setup_values() -> dict[str, object]:
    """The constants of setup.py, without running it."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    values: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            strings = [one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            values[node.targets[0].id] = strings
    return values


CIMPORT = re.compile(r"^from [\w.]+ c?import (\([^)]*\)|.+)$", re.MULTILINE)
CYTHON_PROSE = re.compile(r'""".*?"""|#[^\n]*', re.DOTALL)

# What a strategy in Cython cimports from here is not used here.
OFFERS = "compiled.pxd"


def test_cython_imports_are_used() -> None:
    """No linter reads them. What a .pxd cimports may be meant for the .pyx of its name, which sees it."""
    unused = []
    for file in (path for path in sources(".pyx", ".pxd") if path.name != OFFERS):
        names, body = imported_names(file)
        if file.suffix == ".pxd" and (module := file.with_suffix(".pyx")).is_file():
            taken, more = imported_names(module)
            body += " ".join(word for word in re.findall(r"\w+", more) if word not in taken)
        unused += [f"{file.relative_to(ROOT)} {name}" for name in sorted(names) if not re.search(rf"\b{name}\b", body)]
    assert unused == []


def imported_names(file: Path) -> tuple[set[str], str]:
    """What a file in Cython imports by name, and the rest of its code."""
    text = CYTHON_PROSE.sub("", file.read_text())
    lists = [found.strip("()").split(",") for found in CIMPORT.findall(text)]
    return {name.split(" as ")[-1].strip() for names in lists for name in names if name.strip()}, CIMPORT.sub("", text)


def test_the_reader_of_cython_imports_sees_them(tmp_path: Path) -> None:
    file = tmp_path / "any.pyx"
    lines = ['"""Uses two."""', "from libc.stdint cimport one, two as three  # and one", "from a.b cimport (", "    five,", ")"]
    file.write_text("\n".join([*lines, "cdef four x = 1"]))
    names, body = imported_names(file)
    assert names == {"one", "three", "five"} and "four" in body and "one" not in body


def test_setup_lists_every_compiled_module_once() -> None:
    modules = setup_values()["MODULES"]
    assert isinstance(modules, list)
    assert sorted(modules) == sorted(path.stem for path in (SOURCE / "_core").glob("*.pyx"))


def test_the_compiler_is_asked_for_the_same_bits_on_every_machine() -> None:
    flags = setup_values()["FLAGS"]
    assert isinstance(flags, list)
    assert {"-O3", "-ffp-contract=off"} <= set(flags)
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & set(flags)
    assert not [flag for flag in flags if flag.startswith(("-march", "-mtune", "-mcpu", "-mfma", "-mavx"))]


def test_directives_live_in_setup_alone() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in sources(".pyx", ".pxd")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if re.match(r"\s*#\s*cython:|\s*@cython\.(boundscheck|wraparound|cdivision)", line) or "include \"" in line
    ]
    assert found == []


def tracked() -> list[Path]:
    """The files that belong to the project: those git knows or would add; all but the built ones where there is no git."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [path for name in done.stdout.splitlines() if (path := ROOT / name).is_file()]
    built = {"build", "dist", ".venv", "__pycache__", ".git"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not built & set(path.relative_to(ROOT).parts)]


def test_no_file_names_a_path_of_a_machine() -> None:
    found = []
    for file in tracked():
        if file.suffix in {".so", ".c", ".png", ".npy", ".gz", ".zip"} or file == Path(__file__):
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            if MACHINE_PATH.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_the_search_for_machine_paths_finds_them_and_nothing_else() -> None:
    for folder in MACHINE_FOLDERS:
        assert MACHINE_PATH.search(f'"{folder}someone/x"') and MACHINE_PATH.search(f"cd {folder}x")
    for text in ("tradebot_home/results", "https://host.example/home/x", "{folder}/tmp/x", "a/work/b", "and/or"):
        assert not MACHINE_PATH.search(text), text


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, tradebot; print(sorted(set(sys.modules) & {set(HEAVY)!r}), end='')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]"


def test_a_strategy_needs_no_store_and_no_command_line() -> None:
    code = (
        "import sys; from tradebot import Strategy, Int, Real\n"
        "print(sorted({name.split('.')[1] for name in sys.modules if name.startswith('tradebot.')}), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stdout)) <= {"_core", "domain", "strategies"}
