"""The face a notebook sees: quick to import, read-only, numbers with the place they were printed."""

import os
import subprocess
import sys

import pytest

import lightwell
from lightwell.errors import LightwellError
from lightwell.settings import Settings
from test_warehouse import OLD, publish

EXAMPLE = """
import sys
import lightwell
assert not {"pandas", "duckdb", "altair", "great_expectations", "pydantic", "numpy"} & set(sys.modules)
con = lightwell.connect()
frame = lightwell.trend("cybertip_reports", by="ref_area", where="ref_area = 'PHL'")
print(frame.to_json(orient="records", date_format="iso"))
print(con.sql("SELECT count(*) FROM observation").fetchall()[0][0])
print(len(lightwell.query("FROM reports_by_organisation WHERE year = 2022")))
print(lightwell.cite(frame["observation_id"][0])["citation"])
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    publish(settings)
    return settings


@pytest.mark.slow
def test_the_examples_run_in_a_fresh_interpreter(built: Settings) -> None:
    environment = {**os.environ, "LIGHTWELL_HOME": str(built.home)}
    ran = subprocess.run([sys.executable, "-c", EXAMPLE], env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    records, count, length, citation = ran.stdout.splitlines()
    assert '"obs_value":2500000.0' in records
    assert '"place":"page 3"' in records
    assert (count, length) == ("9", "4")
    assert "2022-reports-by-country" in citation


def test_a_trend_has_its_provenance_in_columns(built: Settings) -> None:
    frame = lightwell.trend("cybertip_reports", by="subject", home=built.home)
    facebook = frame[frame["subject"] == "facebook"].iloc[0]
    assert facebook["obs_value"] == 21_165_200
    assert facebook["obs_text"] == "21,165,200"
    assert facebook["publisher_name"] == "National Center for Missing & Exploited Children"
    assert len(facebook["document_id"]) == 64
    assert facebook["breaks"] == []
    assert frame.attrs["breaks"] == []
    with pytest.raises(LightwellError, match="no metric 'cybertip_report'; near are cybertip_reports"):
        lightwell.trend("cybertip_report", home=built.home)


def test_a_trend_without_rows_is_an_empty_frame(built: Settings) -> None:
    frame = lightwell.trend("cybertip_reports", by="ref_area", where="ref_area = 'FJI'", home=built.home)
    assert len(frame) == 0
    assert {"obs_value", "observation_id", "url", "breaks"} <= set(frame.columns)


def test_a_connection_reads_and_no_more(built: Settings) -> None:
    with lightwell.connect(built.home) as con:
        for sql in ("CREATE TABLE x (a INTEGER)", "COPY (SELECT 1) TO '/tmp/lightwell-test.csv'"):
            with pytest.raises(Exception, match=r"(?i)read-only|disabled"):
                con.execute(sql)


def test_as_of_shows_what_was_known(built: Settings) -> None:
    sql = "SELECT DISTINCT document_id FROM observation WHERE source_id = 'ncmec_by_esp'"
    with lightwell.connect(built.home, as_of="2023-12-31") as con:
        assert con.execute(sql).fetchall() == [(OLD.document_id,)]
    assert list(lightwell.query(sql, built.home, as_of="2023-12-31")["document_id"]) == [OLD.document_id]
    assert list(lightwell.query(sql, built.home)["document_id"]) != [OLD.document_id]
    with pytest.raises(LightwellError, match=r"Catalog Error: .*nothing.*SHOW TABLES lists what"):
        lightwell.query("FROM nothing", built.home)
    assert "restatement" in set(lightwell.query("SHOW TABLES", built.home)["name"])


def test_every_function_has_a_docstring_with_an_example() -> None:
    for name in lightwell.__all__:
        assert f"lightwell.{name}(" in (getattr(lightwell, name).__doc__ or ""), name
