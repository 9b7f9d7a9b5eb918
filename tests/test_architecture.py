"""The house: who may import what, what the command line loads, and that an installed wheel works by itself."""

import ast
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

SRC = ROOT / "src" / "lightwell"
MODULES = sorted(SRC.rglob("*.py"))
BELOW = (
    "source",
    "fetch",
    "archive",
    "store",
    "tables",
    "codes",
    "harmonise",
    "reading",
    "sources",
    "settings",
    "errors",
    "disk",
)
HOMES = {  # library -> where it lives
    "pdfplumber": ("tables/pdf/",),
    "great_expectations": ("quality/expectations.py",),
    "duckdb": ("warehouse/building.py", "warehouse/connecting.py", "export.py", "rows.py", "statements/", "lake.py"),
    "polars": ("statements/scan.py",),
    "botocore": ("store/",),
    "xlsxwriter": ("workbook.py",),
    "reportlab": ("briefing/paper.py",),
    "requests": ("fetch/asking.py",),
    "protego": ("fetch/asking.py",),
    "rapidfuzz": ("codes/find.py",),
    "pycountry": ("codes/areas.py",),
    "typer": ("cli.py",),
    "airflow": (),
}
HEAVY = (
    "great_expectations",
    "airflow",
    "pandas",
    "polars",
    "duckdb",
    "botocore",
    "requests",
    "pycountry",
    "rapidfuzz",
    "PIL",
)
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("LIGHTWELL_", "PYTHONPATH"))}
CHECK = "SELECT sum(obs_value) FROM observation WHERE source_id='ncmec_by_esp' AND time_period='2022' AND NOT is_total"


def name_of(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def imports(path: Path, *, lazy: bool = True) -> Iterator[str]:
    """Full names a module imports; without `lazy` only what is imported when the module is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree)) if lazy else _at_import(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _at_import(tree: ast.AST) -> list[ast.AST]:
    """The nodes that run when the module is imported: not in functions, not under TYPE_CHECKING."""
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not checking and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found += [node, *_at_import(node)]
    return found


def tops(path: Path, *, lazy: bool = True) -> set[str]:
    return {name.partition(".")[0] for name in imports(path, lazy=lazy)}


def test_nothing_imports_the_dags() -> None:
    tests = (ROOT / "tests").glob("*.py")
    assert [name_of(p) for p in MODULES if "dags" in tops(p)] == []
    assert [p.name for p in tests if "dags" in tops(p)] == []


@pytest.mark.parametrize("library", HOMES)
def test_a_library_has_one_home(library: str) -> None:
    users = [name_of(p) for p in MODULES if library in tops(p)]
    assert all(user.startswith(HOMES[library]) for user in users) if HOMES[library] else users == []
    assert bool(users) == bool(HOMES[library])


def test_the_lower_rooms_know_nothing_of_the_upper_ones() -> None:
    upper = {f"lightwell.{m}" for m in ("warehouse", "quality", "refresh", "answers", "export", "cli")}
    for path in MODULES:
        if name_of(path).partition("/")[0].removesuffix(".py") in BELOW:
            assert not upper & {".".join(name.split(".")[:2]) for name in imports(path)}, name_of(path)
            assert not {"duckdb", "great_expectations", "airflow", "typer", "rich"} & tops(path), name_of(path)


def test_tables_know_no_archive_no_codes_and_no_web() -> None:
    lower = {f"lightwell.{m}" for m in ("archive", "fetch", "codes", "harmonise", "reading")}
    for path in (SRC / "tables").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        running = {a.name for n in _at_import(tree) if isinstance(n, ast.Import) for a in n.names}
        running |= {n.module for n in _at_import(tree) if isinstance(n, ast.ImportFrom) and n.module}
        assert not lower & running, name_of(path)


def test_the_command_line_starts_without_what_is_heavy() -> None:
    code = "import sys, time; import lightwell.cli; print(time.process_time(), *sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    seconds, *loaded = ran.stdout.split()
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)
    assert float(seconds) < 4, "seconds of processor time, on any machine"


def test_functions_are_short() -> None:
    """A function fits a screen. What is longer must be a list of columns, as a dataclass's constructor call is."""
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= 60:
                long[f"{name_of(path)}:{node.name}"] = node.end_lineno - node.lineno + 1
    assert long == {}


def test_no_error_is_swallowed_by_a_broad_except() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
                again = any(isinstance(n, ast.Raise) for n in ast.walk(node))
                assert again or not broad, f"{name_of(path)}:{node.lineno}"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout, unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
def test_a_wheel_carries_what_a_build_needs(unpacked: Path) -> None:
    inside = {
        p.relative_to(unpacked / "lightwell").as_posix()
        for p in unpacked.rglob("*")
        if p.is_file() and ".dist-info" not in str(p)
    }
    for folder, beside in {
        "sql": ROOT / "sql",
        "expectations": ROOT / "expectations",
        "edition": ROOT / "warehouse" / "edition",
    }.items():
        wanted = {f"{folder}/{p.relative_to(beside).as_posix()}" for p in beside.rglob("*") if p.is_file()}
        assert wanted <= inside
    for folder in ("codelists", "sources"):
        wanted = {f"{folder}/{p.name}" for p in (SRC / folder).iterdir() if p.suffix in (".csv", ".yml")}
        assert wanted
        assert wanted <= inside
    assert "quality/report.html.j2" in inside
    assert not any(name.startswith(("tests/", "dags/")) for name in inside)


@pytest.mark.slow
def test_a_wheel_works_outside_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "PYTHONPATH": str(unpacked), "LIGHTWELL_HOME": "data", "LIGHTWELL_OFFLINE": "1"}

    def run(code: str, *arguments: str) -> str:
        command = [sys.executable, "-c", code, *arguments]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert run("import lightwell; print(lightwell.__file__)").startswith(str(unpacked))
    program = "from lightwell.cli import main; main()"
    assert run(program, "build").startswith("published release ")
    assert run(program, "query", CHECK).split()[-1] == "31802525"
    assert (tmp_path / "data" / "lightwell.duckdb").is_symlink()
