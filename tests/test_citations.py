"""From rows back to documents: what is found by which column, and what a reference manager gets."""

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from conftest import Ran
from lightwell import citations, warehouse
from lightwell.citations import Notes, Reference, bibtex, cite, csl_json, documents_behind
from lightwell.settings import Settings
from test_warehouse import COUNTRIES, NEW, OLD, publish

LIST = "SELECT observation_id FROM observation_vintage"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    publish(settings)
    return settings


def behind(built: Settings, sql: str) -> citations.Behind:
    columns, rows = warehouse.query(sql, built)
    with warehouse.connect(built) as con:
        return documents_behind(con, columns, rows)


@pytest.mark.parametrize(
    "sql",
    [
        f"{LIST} WHERE document_id = '{OLD.document_id}'",
        f"SELECT list(observation_id) AS observation_ids FROM ({LIST} WHERE document_id = '{OLD.document_id}')",
        f"SELECT max(observation_id) AS latest_observation_id, NULL AS observation_id FROM ({LIST} "
        f"WHERE document_id = '{OLD.document_id}')",
        f"SELECT '{OLD.document_id}' AS document_id",
        f"SELECT ['{OLD.document_id}'] AS earlier_document_ids",
    ],
)
def test_a_column_of_ids_leads_to_the_documents(built: Settings, sql: str) -> None:
    assert [one.document_id for one in behind(built, sql).references] == [OLD.document_id]


def test_the_column_nearest_to_the_number_counts(built: Settings) -> None:
    found = behind(built, f"SELECT *, 'ncmec_by_esp' AS source_id FROM ({LIST}) ORDER BY 1")
    assert {one.document_id for one in found.references} == {OLD.document_id, NEW.document_id, COUNTRIES.document_id}
    found = behind(built, "SELECT 'ncmec_by_esp' AS source_id, 7 AS n")
    assert {one.document_id for one in found.references} == {OLD.document_id, NEW.document_id}
    assert "the rows name sources only" in found.said


def test_rows_without_such_a_column_are_said_to_have_none(built: Settings) -> None:
    found = behind(built, "SELECT 1 AS n")
    assert found.references == []
    assert found.said.startswith("no documents: the rows have no observation_id, document_id or source_id")
    assert behind(built, "SELECT 'ffffffffffffffff' AS observation_id").said.endswith(
        "1 ids are of no observation here"
    )


def test_an_id_that_holds_a_quote_is_data(built: Settings) -> None:
    assert behind(built, "SELECT 'x'') OR true --' AS document_id").references == []


def test_notes_are_numbered_by_document_in_the_order_of_use(built: Settings) -> None:
    _, rows = warehouse.query("SELECT observation_id, document_id FROM observation_vintage", built)
    of = {document: [one for one, d in rows if d == document] for _, document in rows}
    with warehouse.connect(built) as con:
        notes = Notes(cite(con, [one for one, _ in rows]))
    assert notes.mark(of[NEW.document_id][:1]) == (1,)
    assert notes.mark(of[OLD.document_id][:2]) == (2,)
    assert notes.mark([of[OLD.document_id][0], of[NEW.document_id][1]]) == (1, 2)
    assert [(number, len(cited)) for number, _, cited in notes.listed()] == [(1, 2), (2, 2)]
    with pytest.raises(KeyError):
        notes.mark(["unheard of"])


def reference(**fields: object) -> Reference:
    plain = {
        "source_id": "a_source", "document_id": "ab" * 32, "title": "50% of {all} & more_", "publisher": "Söhne \\ Co",
        "url": "https://example.org/a_b?c=1", "published_on": date(2023, 5, 1),
        "retrieved_at": datetime(2025, 6, 1, 12), "method": "fetched", "licence": "cite",
    }  # fmt: skip
    return Reference(**{**plain, **fields})  # type: ignore[arg-type]


def test_csl_json_has_what_a_reference_needs() -> None:
    (item,) = json.loads(csl_json([reference()]))
    assert item == {
        "id": "a_source-2023-ababababab", "type": "report", "title": "50% of {all} & more_",
        "author": [{"literal": "Söhne \\ Co"}], "publisher": "Söhne \\ Co", "URL": "https://example.org/a_b?c=1",
        "accessed": {"date-parts": [[2025, 6, 1]]}, "issued": {"date-parts": [[2023, 5, 1]]},
        "note": f"SHA-256 of the document: {'ab' * 32}. Terms: cite",
    }  # fmt: skip
    bare = json.loads(csl_json([reference(url=None, published_on=None)]))[0]
    assert "URL" not in bare
    assert "issued" not in bare


def test_a_transcribed_page_is_a_page_of_its_own() -> None:
    one, two = reference(method="transcribed"), reference(method="transcribed", url="https://example.org/other")
    assert one.key != two.key
    assert json.loads(csl_json([one]))[0]["type"] == "webpage"
    assert "transcribed 2025-06-01. SHA-256 of the transcription" in one.sentence()
    assert "@online{" in bibtex([one])
    assert "year" not in bibtex([one]), "the day of the transcription is not that of the page"


def test_bibtex_is_balanced_and_runs_no_command() -> None:
    text = bibtex([reference()])
    assert r"50\% of \{all\} \& more\_" in text
    assert r"Söhne \textbackslash{} Co" in text
    assert "url = {https://example.org/a_b?c=1}" in text
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")


def test_query_cite_adds_documents_in_every_form(
    built: Settings, lightwell: Callable[..., Ran], tmp_path: Path
) -> None:
    ask = ["--home", built.home, "query", f"SELECT '{OLD.document_id}' AS document_id", "--cite"]
    ran = lightwell(*ask)
    assert "\n1 documents:\n[1] National Center" in ran.out
    assert f"SHA-256 {OLD.document_id}." in ran.out
    ran = lightwell(*ask, "--format", "csv")
    assert ran.out == f"document_id\n{OLD.document_id}\n", "what is piped on stays what it was"
    assert "[1] National Center" in ran.err
    found = json.loads(lightwell(*ask, "--json").out)
    assert found["rows"] == [{"document_id": OLD.document_id}]
    assert found["documents"][0]["URL"] == OLD.url
    ran = lightwell(*ask, "--format", "parquet", "--to", tmp_path / "x.parquet")
    assert {p.name for p in tmp_path.iterdir()} == {"x.parquet", "x.parquet.citations.json"}
    assert json.loads((tmp_path / "x.parquet.citations.json").read_text())[0]["URL"] == OLD.url
    ran = lightwell("--home", built.home, "query", "SELECT 1 AS n", "--cite")
    assert "no documents: the rows have no observation_id" in ran.out
