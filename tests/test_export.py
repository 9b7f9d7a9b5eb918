"""Exports: every value as in the warehouse, the same bytes everywhere, each number citable, no half package ever."""

import csv
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwell import warehouse
from lightwell.datapackage import DESCRIPTOR
from lightwell.errors import LightwellError
from lightwell.export import export, exportable
from lightwell.rows import format_rows, neutralise, read_csv, restore, write_rows
from lightwell.settings import Settings, resource
from lightwell.warehouse import Prepared
from test_warehouse import COUNTRIES, NEW, OLD, observation, prepared, publish, three_documents

TYPES = {"string", "number", "integer", "boolean", "date", "datetime", "object", "array"}
ODD = (
    "=cmd()",
    "+1",
    "-",
    "@x",
    "\ttab",
    "\rreturn",
    "\nline",
    "'=quoted",
    "''",
    "'tis",
    "＝wide",
    'say "x", twice',
    "two\nlines\r\nmore",
    "Jürgen Müller GmbH",
    " spaced ",
    "'",
    "",
)


def odd_documents() -> list[Prepared]:
    """The three documents of test_warehouse, with names that spreadsheets and CSV readers stumble over, numbers with a
    fraction, bounds, a breakdown and a document that nobody says where it came from."""
    odd = []
    for n, text in enumerate(ODD):
        texts = {"obs_text": text or "none", "note": text, "dimensions": {"z": "1", "n": str(n), "ä": 'q"'}}
        odd.append(observation(OLD, text or "none", 1.1 + n, subject="facebook", **texts))
    odd[0] = replace(odd[0], value_low=1 / 3, value_high=9_007_199_254_740_992.0)
    old, new, countries = three_documents()
    old = prepared(OLD, *old.harmonised.observations, *odd)
    unsaid = replace(new, document=replace(new.document, url=None, title=None))
    return [old, unsaid, countries]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One published release for the tests that only read."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    publish(settings, odd_documents())
    return settings


def everything(settings: Settings) -> list[str]:
    with warehouse.connect(settings) as con:
        return sorted(exportable(con))


@pytest.fixture(scope="module")
def exported(built: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything there is to export, exported."""
    to = tmp_path_factory.mktemp("exported")
    export(built, everything(built), to)
    return to


def package_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / DESCRIPTOR).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def resource_of(folder: Path, name: str) -> dict[str, Any]:
    return next(r for r in package_of(folder)["resources"] if r["name"] == name)


def field_of(folder: Path, name: str, column: str) -> dict[str, Any]:
    return next(f for f in resource_of(folder, name)["schema"]["fields"] if f["name"] == column)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


# ---- every value


def as_text(value: object) -> str | None:
    """How a value of the warehouse must stand in the file; not the code under test."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else repr(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict | list):
        whole = (
            [int(v) if isinstance(v, float) and v == int(v) else v for v in value] if isinstance(value, list) else value
        )
        return json.dumps(whole, sort_keys=True, ensure_ascii=False, default=str)
    return str(value)


def test_every_value_of_the_warehouse_is_read_back_by_duckdb_and_by_us(built: Settings, exported: Path) -> None:
    with warehouse.connect(built) as con:
        selects = exportable(con)
    for name, select in selects.items():
        columns, rows = warehouse.query(select, built)
        expected = Counter(tuple(map(as_text, row)) for row in rows)
        path = exported / f"{name}.csv"
        got_columns, got = read_csv(path)
        assert got_columns == columns, name
        assert Counter(got) == expected, name
        with duckdb.connect() as con:
            read = con.execute(
                f"SELECT * FROM read_csv('{path}', header = true, delim = ',', quote = '\"', escape = '\"', "
                "auto_detect = false, allow_quoted_nulls = false, new_line = '\\n', "
                f"columns = {dict.fromkeys(columns, 'VARCHAR')})"
            ).fetchall()
        assert Counter(tuple(c if c is None else restore(c) for c in row) for row in read) == expected, name


def test_a_plain_csv_reader_sees_the_same_cells(exported: Path) -> None:
    for path in exported.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            plain = list(csv.reader(file))
        columns, rows = read_csv(path)
        assert plain[0] == columns
        assert [[restore(c) for c in row] for row in plain[1:]] == [[c or "" for c in row] for row in rows], path.name


def test_numbers_are_printed_whole_or_without_loss(exported: Path) -> None:
    columns, rows = read_csv(exported / "observation_vintage.csv")
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    facebook = next(r for r in records if r["label_text"] == "Facebook" and r["document_id"] == OLD.document_id)
    assert facebook["obs_value"] == "21165208"
    odd = next(r for r in records if r["obs_text"] == "=cmd()")
    assert (odd["obs_value"], odd["value_low"], odd["value_high"]) == ("1.1", "0.3333333333333333", "9007199254740992")
    assert odd["is_total"] == "false"
    assert odd["dimensions"] == '{"n": "0", "z": "1", "ä": "q\\""}'
    assert odd["retrieved_at"] == "2025-06-01T12:00:00Z"
    assert odd["period_start"] == "2022-01-01"


def test_a_missing_number_is_an_empty_cell_and_an_empty_text_is_not(exported: Path) -> None:
    columns, rows = read_csv(exported / "observation.csv")
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    missing = next(r for r in records if r["ref_area"] == "SJM")
    assert (missing["obs_value"], missing["obs_text"], missing["obs_status"]) == (None, "-", "O")
    assert next(r for r in records if r["obs_value"] == "17.1")["note"] == ""
    assert next(r for r in records if r["label_text"] == "Facebook")["note"] is None
    assert ',""\n' in (exported / "observation.csv").read_text(encoding="utf-8")


def test_the_file_is_utf_8_with_line_feeds_a_header_and_sorted_rows(exported: Path) -> None:
    data = (exported / "reports_by_organisation.csv").read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf")
    assert data.startswith(b"year,organisation,name,")
    assert data.endswith(b"\n")
    _, rows = read_csv(exported / "document.csv")
    assert [row[1] for row in rows] == sorted(str(row[1]) for row in rows), "sorted by source first"
    _, areas = read_csv(exported / "area.csv")
    assert areas == sorted(areas, key=lambda row: str(row[0]))


# ---- spreadsheets


def test_no_text_cell_starts_a_formula_and_no_number_is_touched(exported: Path) -> None:
    for listed in package_of(exported)["resources"]:
        with (exported / listed["path"]).open(encoding="utf-8", newline="") as file:
            for row in list(csv.reader(file))[1:]:
                for cell, field in zip(row, listed["schema"]["fields"], strict=True):
                    if field["type"] == "string":
                        assert not re.match("[=+@\t\r\n＝＋－＠-]", cell), (listed["name"], cell)
                    else:
                        assert not cell.startswith("'"), (listed["name"], cell)


def test_a_negative_number_stays_a_number(exported: Path) -> None:
    columns, rows = read_csv(exported / "restatement.csv")
    assert "-8" in {row[columns.index("difference")] for row in rows}
    assert ",-8," in (exported / "restatement.csv").read_text(encoding="utf-8")


def test_the_package_says_which_columns_have_such_cells_and_how_to_undo_it(exported: Path) -> None:
    assert "apostrophe" in package_of(exported)["lightwell:neutralised"]
    text = field_of(exported, "observation", "obs_text")
    assert text["lightwell:neutralised"] is True
    assert "'- stands for -" in text["description"]
    assert "lightwell:neutralised" not in field_of(exported, "observation", "locator")
    assert ",'-," in (exported / "observation.csv").read_text(encoding="utf-8")


@given(st.text(alphabet="'=+-@\t\r\n\x00\x1b＝a1\",;", max_size=6))
def test_a_neutralised_text_can_be_restored_whatever_it_is(text: str) -> None:
    stored = neutralise(text)
    assert not re.match("[=+@\t\r\n\x00＝-]", stored)
    assert restore(stored) == text


@pytest.mark.parametrize("spoilt", ["a,b\n1,2", 'a\n"open\n', 'a\nx"y\n', "a\r\n1\r\n", "", "a,b\n1,"])
def test_a_file_that_is_not_an_export_is_not_read(tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "x.csv").write_bytes(spoilt.encode())
    with pytest.raises(LightwellError, match="export it anew"):
        read_csv(tmp_path / "x.csv")


# ---- the same bytes


@pytest.mark.slow
def test_two_exports_are_the_same_bytes(built: Settings, exported: Path, tmp_path: Path) -> None:
    export(built, everything(built), tmp_path / "again")
    assert contents(tmp_path / "again") == contents(exported)


def run(home: Path, to: Path, *names: str, **environment: str) -> "subprocess.Popen[bytes]":
    code = (
        "import sys; from pathlib import Path; from lightwell.settings import Settings; "
        "from lightwell.export import export; export(Settings(home=Path(sys.argv[1])), sys.argv[3:], Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(home), str(to), *names]
    return subprocess.Popen(command, env={**os.environ, **environment})


def copy_of(built: Settings, home: Path, sql: str) -> Settings:
    """A data home whose release is that one, changed."""
    home.mkdir()
    shutil.copyfile(built.database, home / "lightwell.duckdb")
    with duckdb.connect(str(home / "lightwell.duckdb")) as con:
        con.execute(sql)
    return Settings(home=home)


@pytest.mark.slow
def test_time_zone_and_locale_change_nothing(built: Settings, tmp_path: Path) -> None:
    zoned = "CREATE VIEW zoned AS SELECT CAST(TIMESTAMPTZ '2025-06-01 23:00:00+00' AS DATE) AS published_on"
    home, names = copy_of(built, tmp_path / "home", zoned), [*everything(built), "zoned"]
    export(home, names, tmp_path / "here")
    there = run(home.home, tmp_path / "there", *names, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7", PYTHONUTF8="0")
    assert there.wait(timeout=60) == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert (tmp_path / "there" / "zoned.csv").read_text() == "published_on\n2025-06-01\n"


@pytest.mark.slow
def test_the_same_documents_in_another_order_and_release_give_the_same_csv(exported: Path, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "home")
    publish(other, odd_documents()[::-1])
    names = [name for name in everything(other) if name != "release_info"]
    export(other, names, tmp_path / "out")
    for name in names:
        assert (tmp_path / "out" / f"{name}.csv").read_bytes() == (exported / f"{name}.csv").read_bytes(), name


def test_nothing_exported_depends_on_the_day_it_is_asked() -> None:
    """A view that does is shadowed by a file of its name in sql/exports that leaves the column out."""
    volatile = re.compile(r"current_|\bnow\(|today\(|random\(|uuid\(", re.IGNORECASE)
    views = {p.stem: p.read_text(encoding="utf-8") for p in (resource("sql") / "views").glob("*.sql")}
    files = {p.stem: p.read_text(encoding="utf-8") for p in (resource("sql") / "exports").glob("*.sql")}
    assert [name for name, sql in files.items() if volatile.search(sql)] == []
    assert [name for name, sql in views.items() if volatile.search(sql)] == ["freshness"]
    assert "EXCLUDE (days_late)" in files["freshness"]


# ---- the description


def test_the_package_is_a_data_package(built: Settings, exported: Path) -> None:
    package = package_of(exported)
    release = warehouse.current(built)
    assert release is not None
    assert package["profile"] == "tabular-data-package"
    assert package["name"] == "lightwell"
    assert package["version"] == release.release_id
    assert package["created"] == "2026-01-02T03:04:05Z", "of the release, not of the export"
    assert package["licenses"] == [{"path": package["caveats"][0]["landing_page"], "title": "cite"}]
    assert [r["name"] for r in package["resources"]] == everything(built)
    for listed in package["resources"]:
        data = (exported / listed["path"]).read_bytes()
        assert listed["path"] == f"{listed['name']}.csv"
        assert re.fullmatch("[a-z0-9_]+", listed["name"])
        assert listed["bytes"] == len(data)
        assert listed["hash"] == "sha256:" + hashlib.sha256(data).hexdigest()
        assert (listed["format"], listed["mediatype"], listed["encoding"]) == ("csv", "text/csv", "utf-8")
        assert listed["profile"] == "tabular-data-resource"
        assert listed["description"]
        assert listed["schema"]["missingValues"] == [""]
        assert [f["name"] for f in listed["schema"]["fields"]] == read_csv(exported / listed["path"])[0]
        for field in listed["schema"]["fields"]:
            assert field["type"] in TYPES
            assert len(field["description"]) > 5, (listed["name"], field)


CHECKS: dict[str, Callable[[str], object]] = {
    "string": str,
    "number": float,
    "integer": int,
    "boolean": {"true": True, "false": False}.__getitem__,
    "date": date.fromisoformat,
    "datetime": lambda cell: datetime.strptime(cell, "%Y-%m-%dT%H:%M:%SZ"),
    "object": lambda cell: {}.update(json.loads(cell)),
    "array": lambda cell: [].extend(json.loads(cell)),
}


def test_every_cell_is_of_its_field_s_type_and_every_key_holds(exported: Path) -> None:
    package = package_of(exported)
    keys: dict[str, set[tuple[str | None, ...]]] = {}
    for listed in package["resources"]:
        columns, rows = read_csv(exported / listed["path"])
        for at, field in enumerate(listed["schema"]["fields"]):
            for row in rows:
                if (cell := row[at]) is not None:
                    CHECKS[field["type"]](cell)
        key = listed["schema"].get("primaryKey", [])
        found = [tuple(row[columns.index(c)] for c in key) for row in rows]
        assert not key or (len(set(found)) == len(found) and all(None not in f for f in found)), listed["name"]
        keys[listed["name"]] = set(found)
    for listed in package["resources"]:
        columns, rows = read_csv(exported / listed["path"])
        for link in listed["schema"].get("foreignKeys", []):
            for row in rows:
                value = tuple(row[columns.index(c)] for c in link["fields"])
                assert None in value or value in keys[link["reference"]["resource"]], (listed["name"], link, value)


def test_keys_and_links_are_declared(exported: Path) -> None:
    schema = resource_of(exported, "observation")["schema"]
    assert schema["primaryKey"] == ["observation_id"]
    linked = {tuple(link["fields"]): link["reference"]["resource"] for link in schema["foreignKeys"]}
    assert linked == {
        ("document_id", "source_id"): "document",
        ("source_id",): "source",
        ("metric",): "metric",
        ("unit_measure",): "unit",
        ("harm",): "harm",
        ("ref_area",): "area",
    }
    assert resource_of(exported, "document")["schema"]["primaryKey"] == ["document_id", "source_id"]


def test_one_unit_in_a_column_is_said(built: Settings, exported: Path, tmp_path: Path) -> None:
    assert field_of(exported, "reports_by_area", "referrals")["unit"] == "reports"
    assert field_of(exported, "restatement", "difference")["unit"] == "reports"
    assert "unit" not in field_of(exported, "restatement", "relative_difference")
    two = Settings(home=tmp_path / "home")
    files = {"metric": "files_reported", "unit_measure": "files"}
    publish(two, [prepared(OLD, observation(OLD, "a", 1, subject="facebook"), observation(OLD, "b", 1, **files))])
    export(two, ["observation"], tmp_path / "out")
    assert "unit" not in field_of(tmp_path / "out", "observation", "obs_value"), "two units, so none for the column"


def test_every_number_leads_to_a_document_in_sources(exported: Path) -> None:
    package = package_of(exported)
    known = {(s["document_id"], s["source_id"]) for s in package["sources"]}
    assert known == {(d.document_id, d.source_id) for d in (OLD, NEW, COUNTRIES)}
    columns, rows = read_csv(exported / "observation_vintage.csv")
    of = {row[0]: (row[columns.index("document_id")], row[columns.index("source_id")]) for row in rows}
    for name in ("observation", "reports_by_organisation", "reports_by_area", "restatement", "cited_observation"):
        columns, rows = read_csv(exported / f"{name}.csv")
        assert rows
        at = columns.index("observation_ids") if "observation_ids" in columns else columns.index("observation_id")
        for row in rows:
            cell = str(row[at])
            for observation_id in json.loads(cell) if cell.startswith("[") else [cell]:
                assert of[observation_id] in known


def test_a_source_has_what_a_citation_needs(exported: Path) -> None:
    old, new = (s for s in package_of(exported)["sources"] if s["source_id"] == "ncmec_by_esp")
    assert old == {
        "title": "Title of 2022-reports-by-esp",
        "path": "https://www.missingkids.org/2022-reports-by-esp.pdf",
        "document_id": OLD.document_id,
        "sha256": OLD.document_id,
        "source_id": "ncmec_by_esp",
        "publisher": "National Center for Missing & Exploited Children",
        "published_on": "2023-05-01",
        "retrieved_at": "2025-06-01T12:00:00Z",
        "media_type": "application/pdf",
        "bytes": 1000,
        "licence": "cite",
        "method": "fetched",
    }
    assert new["title"] == "CyberTipline reports by electronic service provider"
    assert "path" not in new, "added by hand without saying where it came from"


def test_only_what_stands_behind_the_rows_is_described(built: Settings, tmp_path: Path) -> None:
    export(built, ["reports_by_area"], tmp_path)
    package = package_of(tmp_path)
    assert [s["document_id"] for s in package["sources"]] == [COUNTRIES.document_id]
    assert [c["source_id"] for c in package["caveats"]] == ["ncmec_by_country"]
    assert package["caveats"][0]["caveats"][0].startswith("The country is the upload location")
    assert [m["metric"] for m in package["metrics"]] == ["cybertip_reports"]
    assert "not a child" in package["metrics"][0]["definition"]
    assert package["series_breaks"] == []


def test_a_restatement_has_the_documents_of_all_its_vintages(built: Settings, tmp_path: Path) -> None:
    export(built, ["restatement"], tmp_path)
    assert {s["document_id"] for s in package_of(tmp_path)["sources"]} == {OLD.document_id, NEW.document_id}


def test_as_of_a_day_the_views_hold_what_was_known_and_the_package_says_so(built: Settings, tmp_path: Path) -> None:
    def of_facebook(to: Path, as_of: date | None) -> list[str]:
        export(built, ["reports_by_organisation"], to, as_of=as_of)
        with (to / "reports_by_organisation.csv").open(encoding="utf-8", newline="") as handle:
            return [row["reports"] for row in csv.DictReader(handle) if row["organisation"] == "facebook"]

    assert "21165200" in of_facebook(tmp_path / "now", None)
    assert "lightwell:as_of" not in package_of(tmp_path / "now")
    earlier = of_facebook(tmp_path / "then", date(2024, 1, 31))
    assert "21165208" in earlier
    assert "21165200" not in earlier
    assert package_of(tmp_path / "then")["lightwell:as_of"] == "2024-01-31"


def test_breaks_that_touch_the_series_are_named_and_no_others(built: Settings, tmp_path: Path) -> None:
    export(built, ["reports_by_organisation"], tmp_path)
    assert [b["break_id"] for b in package_of(tmp_path)["series_breaks"]] == ["ncmec_2021_brands"]
    later = Settings(home=tmp_path / "home")
    publish(later, [prepared(OLD, observation(OLD, "MindGeek", 1, year=2023, subject="mindgeek"))])
    export(later, ["observation"], tmp_path / "out")
    breaks = package_of(tmp_path / "out")["series_breaks"]
    assert [b["break_id"] for b in breaks] == ["ncmec_2021_brands", "ncmec_2023_aylo"]
    assert "metric" in breaks[0]
    assert "subject" not in breaks[0], "null means all; it is left out"


def test_a_codelist_needs_no_source(built: Settings, tmp_path: Path) -> None:
    export(built, ["freq"], tmp_path)
    package = package_of(tmp_path)
    assert (package["sources"], package["caveats"], "licenses" in package) == ([], [], False)


@pytest.mark.slow
def test_everything_is_exported_where_nothing_is_named(built: Settings, exported: Path, tmp_path: Path) -> None:
    paths = export(built, [], tmp_path / "a" / "b")
    assert [p.name for p in paths] == [*(f"{name}.csv" for name in everything(built)), DESCRIPTOR]
    assert contents(tmp_path / "a" / "b") == contents(exported)


@pytest.mark.slow
def test_what_a_later_release_no_longer_has_goes_from_an_export_of_everything(built: Settings, tmp_path: Path) -> None:
    home = copy_of(built, tmp_path / "home", "CREATE VIEW reporter_year AS SELECT 2022 AS year")
    export(home, [], tmp_path / "out", formats=["parquet"])
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert (tmp_path / "out" / "reporter_year.parquet").is_file()
    export(built, [], tmp_path / "out")
    left = {p.name for p in (tmp_path / "out").iterdir()}
    assert left == {*(f"{name}.csv" for name in everything(built)), DESCRIPTOR, "mine.txt"}


# ---- other forms, and the validator of others


def test_frictionless_accepts_the_whole_package(exported: Path) -> None:
    from frictionless import Package

    report = Package(str(exported / DESCRIPTOR)).validate()
    assert report.valid, report.flatten(["name", "title", "message"])
    assert len(report.tasks) == len(package_of(exported)["resources"]) > 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("document.csv", ",1000,", ",one,"),
        ("observation.csv", "cybertip_reports", "unheard_of"),
        ("unit.csv", "e", "x"),
    ],
)
def test_frictionless_refuses_a_spoilt_package(exported: Path, tmp_path: Path, name: str, old: str, new: str) -> None:
    """A cell not of its type, a code without its codelist's row, a file unlike its checksum."""
    from frictionless import Package

    shutil.copytree(exported, tmp_path / "spoilt")
    path = tmp_path / "spoilt" / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    assert not Package(str(tmp_path / "spoilt" / DESCRIPTOR)).validate().valid


@pytest.fixture(scope="module")
def forms(built: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some tables in every form."""
    to = tmp_path_factory.mktemp("forms")
    export(built, ["observation_vintage", "restatement", "document", "area"], to, formats=["xlsx", "parquet"])
    return to


def test_parquet_holds_every_value_in_its_type(built: Settings, forms: Path) -> None:
    for name in ("observation_vintage", "restatement", "area"):
        with warehouse.connect(built) as con:
            select = exportable(con)[name]
        _, rows = warehouse.query(select, built)
        with duckdb.connect() as con:
            path = str(forms / f"{name}.parquet")
            assert Counter(map(repr, con.execute("SELECT * FROM read_parquet($1)", [path]).fetchall())) == Counter(
                map(repr, rows)
            )
    with duckdb.connect() as con:
        described = con.execute("DESCRIBE SELECT * FROM read_parquet($1)", [str(forms / "observation_vintage.parquet")])
        kinds = {name: kind for name, kind, *_ in described.fetchall()}
    assert (kinds["obs_value"], kinds["dimensions"], kinds["period_start"]) == (
        "DOUBLE",
        "MAP(VARCHAR, VARCHAR)",
        "DATE",
    )


def test_xlsx_has_numbers_days_and_texts_but_no_formula_and_no_link(built: Settings, forms: Path) -> None:
    from openpyxl import load_workbook

    book = load_workbook(forms / "observation_vintage.xlsx")
    head, *rows = book["observation_vintage"].iter_rows()
    names = [cell.value for cell in head]
    assert names == read_csv(forms / "observation_vintage.csv")[0]
    printed = [row[names.index("note")] for row in rows]
    assert {cell.data_type for row in rows for cell in row} <= {"s", "n", "d", "b"}
    assert {"=cmd()", "+1", "@x", "\ttab", "'=quoted"} <= {cell.value for cell in printed}
    assert all(cell.hyperlink is None for row in rows for cell in row)
    assert all(cell.quotePrefix for cell in printed if cell.value == "=cmd()")
    records = [dict(zip(names, (cell.value for cell in row), strict=True)) for row in rows]
    facebook = next(r for r in records if r["label_text"] == "Facebook" and r["document_id"] == OLD.document_id)
    assert (facebook["obs_value"], facebook["is_total"]) == (21_165_208, False)
    assert facebook["period_start"] == datetime(2022, 1, 1)
    assert facebook["retrieved_at"] == datetime(2025, 6, 1, 12)
    assert [row[0].value for row in book["columns"].iter_rows(min_row=2)] == names
    with zipfile.ZipFile(forms / "document.xlsx") as parts:
        sheets = [parts.read(name) for name in parts.namelist() if "sheet" in name]
    assert not any(b"<f>" in sheet or b"hyperlink" in sheet for sheet in sheets)


def test_other_forms_are_listed_and_the_same_bytes_again(built: Settings, forms: Path, tmp_path: Path) -> None:
    export(built, ["observation_vintage", "restatement", "document", "area"], tmp_path, formats=["parquet", "xlsx"])
    assert contents(tmp_path) == contents(forms)
    for form in resource_of(forms, "area")["lightwell:also"]:
        data = (forms / form["path"]).read_bytes()
        assert form["hash"] == "sha256:" + hashlib.sha256(data).hexdigest()
        assert form["bytes"] == len(data)
    assert [f["format"] for f in resource_of(forms, "area")["lightwell:also"]] == ["parquet", "xlsx"]


def test_a_text_too_long_for_a_sheet_is_refused(built: Settings, tmp_path: Path) -> None:
    home = copy_of(built, tmp_path / "home", "CREATE VIEW long AS SELECT repeat('x', 40000) AS note")
    with pytest.raises(LightwellError, match=r"row 1 has a text of 40,000 characters, too long"):
        export(home, ["long"], tmp_path / "out", formats=["xlsx"])
    assert contents(tmp_path / "out") == {}
    with pytest.raises(LightwellError, match="no format 'ods'; there are: csv, parquet, xlsx"):
        export(home, ["long"], tmp_path / "out", formats=["ods"])


def test_a_reader_of_this_process_does_not_keep_an_export_from_its_files(built: Settings, tmp_path: Path) -> None:
    with warehouse.connect(built) as reader:
        export(built, ["freq"], tmp_path, formats=["parquet"])
        assert reader.execute("SELECT count(*) FROM freq").fetchone() is not None


@pytest.mark.slow
def test_no_view_depends_on_the_order_in_which_rows_come(_built_once: Path) -> None:
    """Where two rows tie, an aggregate without an order takes either, and the bytes of an export would differ."""
    digests: dict[str, set[object]] = {}
    for threads in (1, 4):
        with warehouse.connect(Settings(home=_built_once), writes_files=True) as con:
            con.execute(f"SET threads = {threads}")
            for name, select in exportable(con).items():
                digest = con.execute(f"SELECT sum(hash(r)), count(*) FROM ({select.rstrip().rstrip(';')}\n) AS r")
                digests.setdefault(name, set()).add(digest.fetchone())
    assert [name for name, found in digests.items() if len(found) > 1] == []


def test_a_cited_observation_reads_by_itself(exported: Path) -> None:
    columns, rows = read_csv(exported / "cited_observation.csv")
    new = next(
        r for r in (dict(zip(columns, row, strict=True)) for row in rows) if r["subject_name"] == "Neverheard, Inc."
    )
    assert (new["metric_title"], new["obs_value"], new["time_period"]) == ("CyberTipline reports", "5", "2022")
    assert NEW.document_id in str(new["citation"])
    _, all_rows = read_csv(exported / "observation.csv")
    assert len(rows) == len(all_rows)


# ---- trouble


def test_an_unknown_name_is_told_the_names(built: Settings, tmp_path: Path) -> None:
    with pytest.raises(
        LightwellError, match=r"nothing is named '\.\./x'; there are: .*annual_flow, .*cited_observation.*reports_by"
    ):
        export(built, ["observation", "../x"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_release_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LightwellError, match="make warehouse"):
        export(Settings(home=tmp_path), [], tmp_path / "out")


def test_a_name_twice_is_one_file(built: Settings, tmp_path: Path) -> None:
    assert len(export(built, ["freq", "freq"], tmp_path)) == 2


def test_foreign_files_are_left_alone(built: Settings, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    export(built, ["freq"], tmp_path)
    export(built, ["freq", "unit"], tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "metric.csv").write_text("mine too")
    with pytest.raises(LightwellError, match=r"metric\.csv is not of an export: move it away"):
        export(built, ["freq", "unit", "metric"], tmp_path)
    assert (tmp_path / "metric.csv").read_text() == "mine too"
    assert [r["name"] for r in package_of(tmp_path)["resources"]] == ["freq", "unit"]


@pytest.mark.parametrize("foreign", ['{"name": "theirs", "resources": []}', "[]", "no json", '{"name": "lightwell"}'])
def test_a_foreign_package_is_not_written_over(built: Settings, tmp_path: Path, foreign: str) -> None:
    (tmp_path / DESCRIPTOR).write_text(foreign)
    with pytest.raises(LightwellError, match="is not of an export"):
        export(built, ["freq"], tmp_path)
    assert contents(tmp_path) == {DESCRIPTOR: foreign.encode()}


def test_a_file_of_an_earlier_export_never_loses_its_description(built: Settings, tmp_path: Path) -> None:
    export(built, ["freq", "unit"], tmp_path)
    before = contents(tmp_path)
    with pytest.raises(LightwellError, match=r"unit\.csv is of an earlier export .* name unit as well"):
        export(built, ["freq"], tmp_path)
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_said(built: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LightwellError, match="could not be written"):
        export(built, ["freq"], tmp_path / "file")


def test_a_release_of_another_version_is_said(built: Settings, tmp_path: Path) -> None:
    """Its tables are not those that this version's sql/exports ask for."""
    home = copy_of(built, tmp_path / "home", "DROP VIEW restatement")
    with pytest.raises(LightwellError, match=r"cannot be exported \(Catalog Error: .*restatement.*\): build it anew"):
        export(home, ["freq", "restatement"], tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_column_that_nothing_describes_is_refused(built: Settings, tmp_path: Path) -> None:
    sql = "CREATE VIEW bare AS SELECT 1 AS undescribed; CREATE VIEW odd AS SELECT INTERVAL 1 DAY AS note"
    home = copy_of(built, tmp_path / "home", sql)
    with pytest.raises(LightwellError, match="bare: nothing says what its column undescribed is"):
        export(home, ["bare"], tmp_path / "out")
    with pytest.raises(LightwellError, match="note is INTERVAL, which an export cannot hold"):
        export(home, ["odd"], tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_a_move_that_was_cut_short_is_finished_first(built: Settings, tmp_path: Path) -> None:
    """The state between two renames: one file is in place, the others and the description still stand aside."""
    export(built, ["freq", "unit"], tmp_path)
    whole = contents(tmp_path)
    staging = tmp_path / ".lightwell-export"
    staging.mkdir()
    for name in ("unit.csv", DESCRIPTOR):
        (tmp_path / name).rename(staging / name)
    with pytest.raises(LightwellError, match="name freq as well"):
        export(built, ["unit"], tmp_path)
    assert contents(tmp_path) == whole


def test_what_a_killed_export_left_aside_is_cleared(built: Settings, tmp_path: Path) -> None:
    (tmp_path / ".lightwell-export").mkdir()
    (tmp_path / ".lightwell-export" / "freq.csv").write_text("half")
    export(built, ["freq"], tmp_path)
    assert set(contents(tmp_path)) == {"freq.csv", DESCRIPTOR}


def is_whole(folder: Path) -> bool:
    """Whether a package stands there; if one does, every file must be as it says."""
    if not (folder / DESCRIPTOR).exists():
        return False
    for listed in package_of(folder)["resources"]:
        assert listed["hash"] == "sha256:" + hashlib.sha256((folder / listed["path"]).read_bytes()).hexdigest()
    return True


@pytest.mark.slow
@pytest.mark.parametrize(("rename", "whole"), [(1, True), (2, False), (3, False), (4, False), (5, True)])
def test_killed_between_any_two_renames_it_leaves_no_half_package(
    built: Settings, tmp_path: Path, rename: int, whole: bool
) -> None:
    """Renames: the description in the staging folder, two files and the description into place; five never comes."""
    names, other, to = ["release_info", "restatement"], Settings(home=tmp_path / "home"), tmp_path / "out"
    publish(other)
    export(other, names, to)
    code = (
        "import os, sys, pathlib; from lightwell.settings import Settings; from lightwell.export import export\n"
        "left, replace = int(sys.argv[3]), pathlib.Path.replace\n"
        "def rename(self, target):\n"
        "    global left\n"
        "    left -= 1\n"
        "    os.kill(os.getpid(), 9) if left == 0 else replace(self, target)\n"
        "pathlib.Path.replace = rename\n"
        "export(Settings(home=pathlib.Path(sys.argv[1])), sys.argv[4:], pathlib.Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(built.home), str(to), str(rename), *names]
    assert subprocess.run(command).returncode == (0 if rename == 5 else -signal.SIGKILL)
    assert is_whole(to) == whole
    export(built, names, to)
    export(built, names, tmp_path / "clean")
    assert contents(to) == contents(tmp_path / "clean")


@pytest.mark.slow
def test_killed_at_any_moment_it_leaves_no_half_package(built: Settings, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "home")
    publish(other)
    to = tmp_path / "out"
    export(built, [], to)
    chance = random.Random(5)
    for round_ in range(8):
        process = run((other, built)[round_ % 2].home, to)
        time.sleep(chance.uniform(0.15, 0.75))
        process.send_signal(signal.SIGKILL)
        process.wait()
        is_whole(to)
    export(other, [], to)
    export(other, [], tmp_path / "clean")
    assert contents(to) == contents(tmp_path / "clean")


# ---- rows of a query


MIXED: tuple[list[str], list[tuple[Any, ...]]] = (
    ["n", "x", "t", "d", "at", "b", "m", "l", "dec", "none"],
    [
        (1, 31802525.0, '=a,"b"', date(2022, 1, 1), datetime(2025, 6, 1, 12), True,
         {"b": "1", "a": "ü"}, [1.0, 2.5], Decimal("1.10"), None),
        (2**70, 4.1, None, None, datetime(2025, 6, 1, 14, tzinfo=UTC), False, {}, [], Decimal("2"), None),
    ],
)  # fmt: skip


def test_rows_as_csv_are_not_neutralised() -> None:
    assert format_rows(*MIXED, "csv") == (
        "n,x,t,d,at,b,m,l,dec,none\n"
        '1,31802525,"=a,""b""",2022-01-01,2025-06-01T12:00:00Z,true,"{""a"": ""ü"", ""b"": ""1""}","[1, 2.5]",1.1,\n'
        "1180591620717411303424,4.1,,,2025-06-01T14:00:00Z,false,{},[],2,\n"
    )
    assert format_rows(["a"], [(None,), ("",)], "csv") == 'a\n""\n""\n', "an empty line would be no row"


def test_rows_as_json_are_an_array_of_one_object_a_line() -> None:
    text = format_rows(*MIXED, "json")
    assert len(text.splitlines()) == 4
    first, second = json.loads(text)
    assert first == {
        "n": 1, "x": 31802525, "t": '=a,"b"', "d": "2022-01-01", "at": "2025-06-01T12:00:00Z", "b": True,
        "m": {"a": "ü", "b": "1"}, "l": [1, 2.5], "dec": 1.1, "none": None,
    }  # fmt: skip
    assert '"x": 31802525,' in text
    assert second["n"] == 2**70
    assert json.loads(format_rows(["a"], [], "json")) == []
    odd = format_rows(["a", "b", "c"], [(float("nan"), float("-inf"), Decimal("0.12345678901234567890"))], "json")
    assert json.loads(odd) == [{"a": "NaN", "b": "-INF", "c": "0.12345678901234567890"}]


def test_rows_as_table_show_every_character_and_move_no_cursor() -> None:
    text = format_rows(
        ["sum", "t"], [(31802525.0, "[bold]x[/bold] \x1b[31mred" + "long " * 60), (None, "y\x07")], "table"
    )
    assert "31802525 " in text
    assert "[bold]x[/bold] \\x1b[31mred" + "long " * 59 in text
    assert "NULL" in text
    assert "\x1b" not in text
    assert "y\\x07" in text


def test_rows_to_a_file_or_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(["a"], [(1.0,)], "csv", None)
    assert capsys.readouterr().out == "a\n1\n"
    write_rows(["a"], [("ü",)], "json", tmp_path / "x.json")
    assert (tmp_path / "x.json").read_bytes() == '[\n{"a": "ü"}\n]\n'.encode()
    with pytest.raises(LightwellError, match="could not be written"):
        write_rows(["a"], [(1,)], "csv", tmp_path / "no" / "x.csv")


def test_rows_as_parquet_keep_type_and_value(tmp_path: Path) -> None:
    to = tmp_path / "it's.parquet"
    columns = [*MIXED[0], "inf", "nested"]
    rows = [(*MIXED[1][0], float("inf"), {"a": [1]}), (*MIXED[1][1], 1e300, None)]
    rows[1] = (2, *rows[1][1:4], datetime(2025, 6, 1, 14, 0, 0, 5), *rows[1][5:])
    write_rows(columns, rows, "parquet", to)
    write_rows(columns, rows, "parquet", to)
    with duckdb.connect() as con:
        found = con.execute("SELECT * FROM read_parquet($1)", [str(to)])
        got = found.fetchall()
        described = con.execute("DESCRIBE SELECT * FROM read_parquet($1)", [str(to)]).fetchall()
        kinds = {name: kind for name, kind, *_ in described}
    expected = [list(row) for row in rows]
    expected[0][-1] = '{"a": [1]}'
    assert [list(row) for row in got] == expected
    assert kinds == {
        "n": "BIGINT", "x": "DOUBLE", "t": "VARCHAR", "d": "DATE", "at": "TIMESTAMP", "b": "BOOLEAN",
        "m": "MAP(VARCHAR, VARCHAR)", "l": "DOUBLE[]", "dec": "DECIMAL(38,2)", "none": "VARCHAR", "inf": "DOUBLE",
        "nested": "VARCHAR",
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == [to.name]


def test_a_query_s_rows_go_to_parquet_and_back(built: Settings, tmp_path: Path) -> None:
    columns, rows = warehouse.query("SELECT * FROM observation_vintage ORDER BY observation_id", built)
    write_rows(columns, rows, "parquet", tmp_path / "o.parquet")
    with duckdb.connect() as con:
        assert con.execute("SELECT * FROM read_parquet($1)", [str(tmp_path / "o.parquet")]).fetchall() == rows


def test_no_rows_make_a_parquet_file_with_the_columns(tmp_path: Path) -> None:
    write_rows(["a", "b"], [], "parquet", tmp_path / "x.parquet")
    with duckdb.connect() as con:
        cursor = con.execute("SELECT * FROM read_parquet($1)", [str(tmp_path / "x.parquet")])
        assert [c[0] for c in cursor.description or ()] == ["a", "b"]


@pytest.mark.parametrize(
    ("columns", "row", "output", "said"),
    [
        (["a"], (1,), "xml", "no format 'xml'; there are: table, csv, json, parquet"),
        (["a"], (1,), "parquet", "--to FILE"),
        (["a", "A"], (1, 2), "json", "two columns are named 'a'"),
        (["a"], (object(),), "csv", "a value of type object cannot be printed"),
    ],
)
def test_what_cannot_be_written_is_said(columns: list[str], row: tuple[Any, ...], output: str, said: str) -> None:
    with pytest.raises(LightwellError, match=re.escape(said)):
        write_rows(columns, [row], output, None)


def test_parquet_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LightwellError, match="could not be written"):
        write_rows(["a"], [(1,)], "parquet", tmp_path / "no" / "x.parquet")
    with pytest.raises(LightwellError, match="two columns"):
        write_rows(["a", "a"], [(1, 2)], "parquet", tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []
