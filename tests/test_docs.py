"""The documents: what they tell a reader to type works, and whatever a reader can use is named in them.

Run as a program, this file writes docs/metrics.md and docs/sources.md anew.
"""

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import typer.main
import yaml

from conftest import ROOT
from lightwell import answers, refresh, source, warehouse
from lightwell.cli import app
from lightwell.fetch import add
from lightwell.settings import Settings, resource
from replicas import by_country

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
DOCS = README + "".join(p.read_text(encoding="utf-8") for p in sorted(ROOT.glob("docs/**/*.md")))
SRC = ROOT / "src" / "lightwell"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks(README, "sh") for line in block.splitlines() if line.startswith("lightwell ")]


def named(code: str, text: str = DOCS) -> bool:
    """Whether a code stands in the text in backticks, alone or with what follows it."""
    return re.search(rf"`(?:lightwell )?{re.escape(code)}(?:`|\(| )", text) is not None


@pytest.mark.slow
def test_every_command_of_the_readme_works_as_it_stands_there(built: Settings, tmp_path: Path) -> None:
    """Run in order, in one shell, offline; `2023.pdf` is a replica of the document that the reader downloads."""
    by_country(year=2023).write(tmp_path / "2023.pdf")
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "lightwell"
    program.write_text(f"#!{sys.executable}\nfrom lightwell.cli import main\nmain()\n", encoding="utf-8")
    program.chmod(0o755)
    home = {"LIGHTWELL_HOME": str(built.home), "LIGHTWELL_OFFLINE": "1", "LIGHTWELL_SOURCES": ""}
    environment = {**os.environ, **home, "PATH": f"{programs}:{os.environ['PATH']}"}
    script = "set -e\n" + "\n".join(f"echo '>>>'\n{command}" for command in COMMANDS)
    ran = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    printed = ran.stdout.split(">>>\n")[1:]
    assert ran.returncode == 0, f"{COMMANDS[len(printed) - 1]}\n{ran.stderr}"
    assert len(printed) == len(COMMANDS) > 15
    silent = [command for command, out in zip(COMMANDS, printed, strict=True) if len(out.splitlines()) < 3]
    assert all(command.split()[1] in ("add", "build", "restatements") for command in silent), silent


def test_the_readme_has_ten_queries_and_the_two_commands() -> None:
    (section,) = re.findall(r"^## Ten useful queries\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    assert len(blocks(section, "sh")) == 10
    assert "make warehouse" in README
    assert "make test" in README
    assert "<!-- benchmarks -->" in README


def test_every_command_is_named() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if not re.search(rf"`lightwell {name}[` ]", README)] == []


def test_every_view_and_macro_is_named() -> None:
    sql = "".join(p.read_text(encoding="utf-8") for p in [ROOT / "sql" / "schema.sql", *(ROOT / "sql").glob("views/*")])
    made = re.findall(r"^CREATE (?:VIEW|MACRO) (\w+)", sql, re.MULTILINE)
    assert {"observation", "as_of", "citation"} <= set(made)
    assert [name for name in made if not named(name)] == []


def codes(codelist: str) -> Iterator[str]:
    with (resource("codelists") / f"{codelist}.csv").open(encoding="utf-8", newline="") as handle:
        yield from (row[codelist] for row in csv.DictReader(handle))


def metrics_page() -> str:
    """docs/metrics.md: every metric as the codelist defines it."""
    with (resource("codelists") / "metric.csv").open(encoding="utf-8", newline="") as handle:
        rows = sorted(csv.DictReader(handle), key=lambda row: row["metric"])
    head = "# Metrics\n\nWritten from `metric.csv` by `tests/test_docs.py`. Parts may be added up where it says yes.\n"
    lines = [
        f"| `{r['metric']}` | {r['title']} | {r['unit_measure']} | {r['additive']} | {r['definition']} |" for r in rows
    ]
    return "\n".join(
        [head, "| metric | title | unit | may be added | definition |", "|---|---|---|---|---|", *lines, ""]
    )


def sources_page() -> str:
    """docs/sources.md: every source as its declaration says."""
    parts = ["# Sources\n\nWritten from the declarations by `tests/test_docs.py`.\n"]
    for one in source.list_sources():
        caveats = "".join(f"- {caveat}\n" for caveat in one.caveats)
        parts.append(
            f"## `{one.id}`: {one.title}\n\n{' '.join(one.description.split())}\n\n{caveats}\n"
            f"Published ({one.cadence}) at <{one.landing_page}>. Terms: {one.licence}.\n"
        )
    return "\n".join(parts)


PAGES = {"metrics.md": metrics_page, "sources.md": sources_page}


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_of_metrics_and_sources_are_up_to_date(page: str) -> None:
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert written == PAGES[page](), "write them anew: .venv/bin/python tests/test_docs.py"


def test_every_metric_that_is_named_exists() -> None:
    section = README[README.index("## Metrics") : README.index("## Commands")]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    metrics = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(metrics) > 15 and metrics <= set(codes("metric"))


def test_every_source_is_named() -> None:
    declared = source.list_ids()
    assert [one for one in declared if not named(one)] == []
    families = {one: one.partition("_")[0] + "_*" for one in declared}  # `dsa_*` in the changelog stands for them all
    assert [one for one in declared if not named(one, CHANGELOG) and not named(families[one], CHANGELOG)] == []


def test_every_variable_of_the_environment_is_named() -> None:
    text = (SRC / "settings.py").read_text(encoding="utf-8")
    assert [name for name in set(re.findall(r"LIGHTWELL_[A-Z_]+", text)) if f"`{name}" not in README] == []


def rooms() -> list[str]:
    """What stands in the first column of the table of rooms."""
    (section,) = re.findall(r"^## Rooms\n(.*?)^(?:##|Dependencies)", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    first = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")][2:]
    return [name for cell in first for name in re.findall(r"`([^`]+)`", cell)]


def test_the_table_of_rooms_names_what_there_is() -> None:
    inside = [ROOT, SRC]
    assert [name for name in rooms() if not any((folder / name).exists() for folder in inside)] == []


def test_every_module_has_its_room() -> None:
    known = {name.removeprefix("src/lightwell/").rstrip("/") for name in rooms()}
    modules = {p.name for p in SRC.glob("*.py")} | {p.name for p in SRC.iterdir() if p.is_dir()}
    assert sorted(modules - known - {"__init__.py", "__pycache__"}) == []


def test_links_between_the_documents_lead_somewhere() -> None:
    for name, text in {"README": README, "CONTRIBUTING": CONTRIBUTING, "ARCHITECTURE": ARCHITECTURE}.items():
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            assert (ROOT / target).exists(), f"{name} links to {target}"


def test_the_changelog_has_a_data_section_for_the_version() -> None:
    version = yaml.safe_load((ROOT / "pyproject.toml").read_text(encoding="utf-8").split("version = ")[1].split()[0])
    assert f"\n## {version} (" in CHANGELOG
    releases = CHANGELOG.split("\n## ")[1:]
    assert all("\n### Data\n" in text for text in releases)


def test_the_example_of_contributing_works_as_it_stands_there(small: Settings, tmp_path: Path) -> None:
    """Its publisher is made up, so that one that there is stands in for it."""
    (declaration,), (table,) = blocks(CONTRIBUTING, "yaml"), blocks(CONTRIBUTING, "csv")
    folder = tmp_path / "sources"
    folder.mkdir()
    text = re.sub(r"^(publisher|reporter): harbour_watch$", r"\1: iwf", declaration, flags=re.MULTILINE)
    (folder / "harbour_watch.yml").write_text(text, encoding="utf-8")
    (tmp_path / "2023.csv").write_text(table, encoding="utf-8")
    settings = replace(small, extra_sources=folder)
    add(source.load("harbour_watch", settings), tmp_path / "2023.csv", settings)
    refresh.release(settings)
    assert answers.held_documents(settings).rows == []
    found = "SELECT ref_area, obs_value, is_total FROM observation WHERE source_id = 'harbour_watch' ORDER BY obs_value"
    assert warehouse.query(found, settings)[1] == [
        ("_U", 11.0, False),
        ("NLD", 310.0, False),
        ("PHL", 1204.0, False),
        ("_T", 1525.0, True),
    ]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_committed_file_names_a_machine_or_an_index() -> None:
    homes = "|".join(("wor" + "k", "roo" + "t", "hom" + "e/[a-z]+", "Use" + "rs/[A-Za-z]+"))
    index = "|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "index" + "-url", "find" + "-links"))
    machine = re.compile(rf"(?<![\w./-])/(?:{homes})/|\b(?:{index})\b")
    found = {}
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        if match := machine.search(text):
            found[str(path.relative_to(ROOT))] = match[0]
    assert found == {}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
