"""The command line: what it prints, in which form, with which exit code; and no traceback for what a user can cause."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import typer.main
from PIL import Image

from conftest import Ran
from lightwell import archive, warehouse
from lightwell.cli import app
from lightwell.settings import Settings
from replicas import by_country, by_esp

Run = Callable[..., Ran]
COMMANDS = {
    "refresh", "fetch", "add", "build", "status", "sources", "query", "trend", "restatements", "cite", "unmapped",
    "quarantine", "export", "releases", "rollback", "doctor", "edition", "quoted", "check-claim", "estimate",
    "briefing", "statements", "lake",
}  # fmt: skip
PROGRAM = [sys.executable, "-c", "from lightwell.cli import main; main()"]
SUM = "SELECT sum(obs_value) FROM observation WHERE source_id='ncmec_by_esp' AND time_period='2022' AND NOT is_total"
OF_US = "source_id='ncmec_by_country' AND ref_area='USA'"
US = f"SELECT observation_id FROM observation WHERE {OF_US} AND time_period='2022'"


@pytest.fixture
def at(built: Settings, lightwell: Run) -> Run:
    """Run a command in a home where the edition is built."""
    return lambda *arguments: lightwell("--home", built.home, *arguments)


@pytest.fixture
def at_small(small: Settings, lightwell: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a home where the small edition is built, and will be again."""
    monkeypatch.setenv("LIGHTWELL_EDITION", str(small.edition))
    return lambda *arguments: lightwell("--home", small.home, *arguments)


def process(settings: Settings, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    environment = {**os.environ, "LIGHTWELL_HOME": str(settings.home), "LIGHTWELL_SOURCES": "", "NO_COLOR": "1"}
    return subprocess.Popen(
        [*PROGRAM, *arguments], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )  # type: ignore[call-overload, no-any-return]


def us_row(settings: Settings) -> str:
    ((found,),) = warehouse.query(US, settings)[1]
    return str(found)


# --- help ------------------------------------------------------------------------------------------------------------


def test_the_commands_are_these() -> None:
    group = typer.main.get_command(app)
    assert set(group.commands) == COMMANDS  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(command: str, lightwell: Run) -> None:
    ran = lightwell(command, "--help")
    assert ran.code == 0
    assert "Example: lightwell " in " ".join(ran.out.split())


def test_without_a_command_the_help_is_shown_and_with_a_wrong_one_an_error(lightwell: Run) -> None:
    bare = lightwell()
    assert "Usage: lightwell" in bare.out + bare.err
    wrong = lightwell("nosuch")
    assert wrong.code == 2
    assert "No such command 'nosuch'" in wrong.err
    assert lightwell("--version").out.startswith("lightwell 0.")


# --- reports ---------------------------------------------------------------------------------------------------------

REPORTS: dict[str, list[str]] = {
    "status": ["status"],
    "sources": ["sources"],
    "query": ["query", "SELECT 1 AS one, NULL AS nothing, DATE '2024-02-29' AS day"],
    "trend": ["trend", "cybertip_reports"],
    "restatements": ["restatements"],
    "unmapped": ["unmapped"],
    "quarantine": ["quarantine"],
    "releases": ["releases"],
    "doctor": ["doctor"],
}


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_is_a_table_or_json(name: str, at: Run) -> None:
    table, as_json = at(*REPORTS[name]), at(*REPORTS[name], "--json")
    assert (table.code, as_json.code) == (0, 0), table.err + as_json.err
    assert table.out
    rows = json.loads(as_json.out)
    assert isinstance(rows, list)
    assert all(isinstance(row, dict) for row in rows)


def test_cite_is_json_too(at: Run, built: Settings) -> None:
    said = json.loads(at("cite", us_row(built), "--json").out)
    assert said["page"] == 7
    assert said["vintages"] == []


def test_status_has_a_line_a_source(at: Run) -> None:
    rows = {row["source"]: row for row in json.loads(at("status", "--json").out)}
    assert rows["ncmec_by_esp"]["observations"] == 637
    assert rows["ncmec_by_esp"]["newest_publication"] == "2023-04-28"
    assert rows["ncmec_by_esp"]["next_expected"] == "2024-05-19"
    assert list(rows["ncmec_by_esp"]) == [
        "source", "documents", "periods", "observations", "quarantined", "newest_publication", "next_expected",
        "days_late",
    ]  # fmt: skip


def test_the_check_of_the_issue(at: Run) -> None:
    ran = at("query", SUM)
    assert ran.code == 0
    assert ran.out.split()[-1] == "31802525"


def test_a_query_in_every_form(at: Run, tmp_path: Path) -> None:
    sql = "SELECT time_period, obs_value FROM observation WHERE is_total AND source_id='ncmec_by_esp' ORDER BY 1"
    expected = [("2020", 21447786.0), ("2021", 29157083.0), ("2022", 31802525.0)]
    lines = at("query", sql).out.splitlines()
    assert [tuple(line.split()) for line in lines[2:]] == [(p, f"{v:.0f}") for p, v in expected]
    rows = list(csv.reader(io.StringIO(at("query", sql, "--format", "csv").out)))
    assert rows[0] == ["time_period", "obs_value"]
    assert [(p, float(v)) for p, v in rows[1:]] == expected
    found = json.loads(at("query", sql, "--format", "json").out)
    assert [(row["time_period"], row["obs_value"]) for row in found] == expected
    target = tmp_path / "totals.parquet"
    assert at("query", sql, "--format", "parquet", "--to", target).code == 0
    assert duckdb.sql(f"FROM '{target}'").fetchall() == expected
    assert at("query", sql, "-f", "csv", "--to", tmp_path / "totals.csv").out == ""
    assert (tmp_path / "totals.csv").read_text(encoding="utf-8").startswith("time_period,obs_value\n2020,")


FACEBOOK = "subject = 'facebook' AND source_id = 'ncmec_by_esp'"


WHERE = "ref_area = 'PHL' AND source_id = 'ncmec_by_country'"


def test_a_trend_adds_nothing_up_and_names_the_breaks(at: Run) -> None:
    ran = at("trend", "cybertip_reports", "--by", "ref_area", "--where", WHERE, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [(row["time_period"], row["obs_value"]) for row in rows] == [
        ("2020", "1339597"),
        ("2021", "3188793"),
        ("2022", "2576182"),
    ]
    one = at("trend", "cybertip_reports", "--by", "subject", "--where", FACEBOOK, "--from", "2022")
    assert [line.split()[2] for line in one.out.splitlines()[2:]] == ["2022"]
    broken = at("trend", "cybertip_reports", "--by", "subject", "--where", "source_id = 'ncmec_by_esp'")
    assert "Break at 2021 in ncmec_by_esp: Brands listed separately." in broken.err


# --- what a user can cause -------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[list[str], str]] = {
    "unknown source": (["add", "nope", "x.pdf"], "no source 'nope'; there are: "),
    "unknown source to fetch": (["fetch", "nope"], "no source 'nope'; there are: "),
    "unknown source to refresh": (["refresh", "--offline", "nope"], "no source 'nope'; there are: "),
    "missing file": (["add", "ncmec_by_esp", "no/such.pdf"], "such.pdf cannot be read: No such file"),
    "not a PDF": (["add", "ncmec_by_esp", __file__], "where application/pdf was due"),
    "published in the future": (["add", "ncmec_by_esp", __file__, "--published", "2999-01-01"], "in the future"),
    "an address that is none": (["add", "ncmec_by_esp", __file__, "--url", "ftp://x"], "is no web address"),
    "bad SQL": (["query", "SELEC 1"], "syntax error at or near"),
    "no such table": (["query", "FROM nope"], "nope"),
    "an empty query": (["query", " "], "the query asks for nothing: give one SELECT"),
    "a query that writes": (["query", "DROP TABLE document"], "read-only"),
    "a query that reads files": (["query", "FROM read_text('/etc/hostname')"], "disabled by configuration"),
    "a query that writes files": (["query", "COPY (SELECT 1) TO 'x.csv'"], "disabled by configuration"),
    "parquet without a file": (["query", "SELECT 1", "-f", "parquet"], "--to FILE"),
    "a format there is not": (["query", "SELECT 1", "-f", "xml"], "no format 'xml'"),
    "bad metric": (["trend", "reports"], "no metric 'reports'; near are "),
    "bad --by": (["trend", "cybertip_reports", "--by", "country"], "--by takes subject, ref_area, harm, reporter"),
    "bad --where": (["trend", "cybertip_reports", "--where", "country = 1"], "country"),
    "bad --from": (["trend", "cybertip_reports", "--from", "last year"], "last year"),
    "bad observation id": (["cite", "zzzz"], "no observation 'zzzz'"),
    "half an observation id": (["cite", ""], "observations begin so: say more of it"),
    "nothing to go back to": (["rollback"], "no release before the current one; kept are: "),
    "no such release": (["rollback", "r1"], "no release 'r1'; kept are: "),
    "nothing of that name": (["export", "nope"], "nothing is named 'nope'; there are: "),
    "an empty archive": (["edition", "--to", "x"], "is empty: `lightwell add` the originals first"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_user_can_cause_is_one_line_and_exit_code_1(
    what: str, at: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, said = WRONG[what]
    monkeypatch.chdir(tmp_path)
    ran = at(*arguments)
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.startswith("lightwell: ")
    assert ran.err.count("\n") == 1
    assert ran.out == ""


@pytest.mark.parametrize("arguments", [["query"], ["add", "ncmec_by_esp"], ["status", "--jsn"]])
def test_a_wrong_use_is_exit_code_2(arguments: list[str], at: Run) -> None:
    ran = at(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("Usage: lightwell ")


@pytest.mark.parametrize(
    "command", ["status", "query", "trend", "restatements", "cite", "unmapped", "quarantine", "export"]
)
def test_without_a_warehouse_it_is_said_how_to_get_one(command: str, lightwell: Run, tmp_path: Path) -> None:
    needed = {"query": ["SELECT 1"], "trend": ["cybertip_reports"], "cite": ["ab"], "export": ["--to", str(tmp_path)]}
    ran = lightwell("--home", tmp_path / "new", command, *needed.get(command, []))
    assert ran.code == 1
    assert "there is no warehouse at" in ran.err
    assert "`lightwell refresh`" in ran.err
    assert not (tmp_path / "new").exists(), "asking makes nothing"


@pytest.mark.slow
def test_a_home_that_cannot_be_written_is_said(lightwell: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    pdf = by_esp(12).write(tmp_path / "list.pdf")
    for arguments in (["add", "ncmec_by_esp", pdf], ["build"], ["rollback"], ["refresh", "--offline"]):
        ran = lightwell("--home", tmp_path / "file" / "home", *arguments)
        assert ran.code == 1, arguments
        assert ran.err.startswith("lightwell: "), arguments


def test_a_publisher_that_cannot_be_reached_is_one_line(at: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing is there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    ran = at("refresh", "ncmec_by_esp", "ncmec_by_country", "ncmec_ojjdp")
    assert ran.code == 0
    assert ran.err.count("cannot be reached:") == 1
    assert "National Center for Missing & Exploited Children cannot be reached" in ran.err
    assert "nothing new: release" in ran.err
    assert ran.err.splitlines()[-4] == "Try next:"
    assert "ncmec_by_esp" in ran.out


def test_offline_says_so_and_ends_with_what_to_try_next(at: Run) -> None:
    ran = at("refresh", "--offline")
    assert ran.code == 0
    assert ran.err.startswith("offline: nothing was asked of the network\nnothing new: release ")
    assert [line.split()[0] for line in ran.err.splitlines()[-3:]] == ["lightwell"] * 3


# --- the way of a file -----------------------------------------------------------------------------------------------


def test_a_vintage_never_seen_is_added_built_and_exact(at_small: Run, small: Settings, tmp_path: Path) -> None:
    replica = by_country(year=2023)
    pdf = replica.write(tmp_path / "2023.pdf")
    added = at_small(
        "add", "ncmec_by_country", pdf, "--published", "2024-05-01", "--url", "https://www.missingkids.org/x.pdf"
    )
    assert added.code == 0
    assert added.out.startswith("added: ")
    assert at_small("add", "ncmec_by_country", pdf).out.startswith("already in the archive: ")
    ran = at_small("build")
    assert ran.code == 0
    assert "(1 documents read anew)" in ran.out
    assert ran.err == ""
    of_2023 = "FROM observation WHERE source_id = 'ncmec_by_country' AND time_period = '2023'"
    found = warehouse.query(f"SELECT obs_text {of_2023} AND NOT is_total ORDER BY label_text", small)[1]
    names = sorted((f"2023 | {name.replace(chr(10), ' ')} | reports", number) for name, number in replica.rows)
    assert [text for (text,) in found] == [number for _, number in names]
    sums = warehouse.query(f"SELECT sum(obs_value) FILTER (NOT is_total), any_value(published_on) {of_2023}", small)[1]
    assert replica.total is not None
    ((total, published),) = sums
    assert total == float(replica.total[1].replace(",", ""))
    assert str(published) == "2024-05-01"
    assert at_small("build").out.startswith("nothing new: release ")


def test_a_file_that_is_held_back_is_said_by_build(at_small: Run, tmp_path: Path) -> None:
    lost = replace(by_esp(20, year=2023), total=("Total:", "1"))
    at_small("add", "ncmec_by_esp", lost.write(tmp_path / "2023.pdf"))
    (tmp_path / "junk.pdf").write_bytes(b"%PDF-1.7\njunk\n%%EOF\n")
    at_small("add", "ncmec_by_esp", tmp_path / "junk.pdf")
    ran = at_small("build")
    assert ran.code == 0
    assert ran.err.count("in quarantine: ncmec_by_esp ") == 2
    assert "the printed total is 1 " in ran.err
    assert "the PDF cannot be read" in ran.err
    held = json.loads(at_small("quarantine", "--json").out)
    assert len([entry for entry in held if entry["source_id"] == "ncmec_by_esp"]) == 2


def test_releases_are_listed_and_gone_back_to(at_small: Run, small: Settings) -> None:
    (first,) = json.loads(at_small("releases", "--json").out)
    assert at_small("build", "--force").out.startswith("published release ")
    second, again = json.loads(at_small("releases", "--json").out)
    assert again == {**first, "current": False}
    assert second["current"]
    assert at_small("rollback").out == f"current release: {first['release']}\n"
    now = warehouse.current(small)
    assert now is not None
    assert now.release_id == first["release"]
    assert at_small("rollback", second["release"]).out == f"current release: {second['release']}\n"


# --- cite, export, doctor --------------------------------------------------------------------------------------------


def test_cite_names_the_page_the_box_and_the_printed_text(at: Run, built: Settings) -> None:
    ran = at("cite", us_row(built)[:12])
    assert ran.code == 0
    for said in ("2022 CyberTipline Reports by Country", "page 7", "box=", '"1,562,616"', "missingkids.org", "SHA-256"):
        assert said in ran.out, said


def test_an_image_without_the_document_says_what_to_do(at: Run, built: Settings, tmp_path: Path) -> None:
    ran = at("cite", us_row(built), "--image", tmp_path / "page.png")
    assert ran.code == 1
    assert "`lightwell add ncmec_by_country FILE`" in ran.err
    assert "https://www.missingkids.org/" in ran.err
    assert not (tmp_path / "page.png").exists()


def test_the_image_shows_the_page_with_the_figure_boxed(at_small: Run, small: Settings, tmp_path: Path) -> None:
    at_small("add", "ncmec_by_country", by_country(year=2023).write(tmp_path / "2023.pdf"))
    at_small("build")
    ((observation,),) = warehouse.query(US.replace("2022", "2023"), small)[1]
    target = tmp_path / "page.png"
    ran = at_small("cite", str(observation), "--image", target)
    assert ran.code == 0, ran.err
    assert str(target) in ran.err
    with Image.open(target) as image:
        assert image.format == "PNG"
        colours = {pixel for _, pixel in image.convert("RGB").getcolors(1 << 24) or []}
    assert any(red > 180 and green < 120 and blue < 120 for red, green, blue in colours), "a box in red"


def test_export_writes_the_files_it_names(at: Run, tmp_path: Path) -> None:
    ran = at("export", "reports_by_area", "--to", tmp_path / "briefing")
    assert ran.code == 0
    written = [Path(line) for line in ran.out.splitlines()]
    assert {p.name for p in written} == {"reports_by_area.csv", "datapackage.json"}
    assert all(p.is_file() for p in written)


def test_doctor_finds_a_damaged_archive_file(at_small: Run, small: Settings, tmp_path: Path) -> None:
    assert at_small("doctor").code == 0
    added = at_small("add", "ncmec_by_esp", by_esp(12, year=2023).write(tmp_path / "2023.pdf")).out.split()[-1]
    assert at_small("doctor").code == 0
    archive.path_of(small, added).write_bytes(b"other bytes")
    ran = at_small("doctor")
    assert ran.code == 1
    assert f"BAD  archive: archive/{added[:2]}/{added}.pdf of ncmec_by_esp no longer has its sha256" in ran.out
    assert not all(one["well"] for one in json.loads(at_small("doctor", "--json").out))


# --- pipes and signals -----------------------------------------------------------------------------------------------


def test_as_of_a_day_later_documents_are_not_known(at: Run) -> None:
    sql = "SELECT time_period FROM observation WHERE source_id = 'ncmec_by_esp' AND is_total ORDER BY ALL"
    newest = json.loads(at("query", sql, "--json").out)[-1]["time_period"]
    assert newest not in at("query", sql, "--as-of", f"{newest}-12-31", "--json").out
    periods = [
        json.loads(at("trend", "cybertip_reports", *day, "--json").out) for day in ((), ("--as-of", "2015-01-01"))
    ]
    assert len(periods[0]) > len(periods[1])


def test_a_query_comes_from_standard_input(built: Settings) -> None:
    with process(built, "query", "-", "--format", "csv", stdin=subprocess.PIPE) as running:
        out, err = running.communicate("SELECT 6 * 7 AS answer\n", timeout=60)
    assert (out, err, running.returncode) == ("answer\n42\n", "", 0)


def test_output_into_a_pipe_that_closes_ends_quietly(built: Settings) -> None:
    sql = "SELECT a.*, b.range FROM observation AS a, range(2) AS b"
    with process(built, "query", sql, "--format", "csv") as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("observation_id,")
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == ""
        running.wait(timeout=60)
