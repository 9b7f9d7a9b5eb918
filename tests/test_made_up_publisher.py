"""A publisher nobody has heard of, with a table of its own: one declaration, no Python, no codelist."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Ran, release_archive
from lightwell import fetch, source, warehouse
from lightwell.errors import DeclarationError
from lightwell.settings import Settings

DECLARATION = """\
id: kestrel_safety
title: Kestrel safety report
publisher: kestrel
publisher_name: Kestrel
reporter: kestrel
description: What Kestrel removed from its video service, and what it reported, by quarter and kind of abuse.
landing_page: https://kestrel.example/safety
licence: Copyright Kestrel; figures may be cited
cadence: quarterly
hosts: [kestrel.example]
media_type: text/csv
layouts:
  - tables:
      - name: safety
        kind: records
        labels: {service: service, quarter: quarter, kind: kind of abuse}
        values: {removed: videos removed, reported: reports to ncmec}
        unused: [remark]
observe:
  - table: safety
    freq: Q
    subject: {label: service}
    time_period: {label: quarter}
    metric: {label: column, map: {removed: content_actioned, reported: reports_to_ncmec}}
    harm: {label: kind, map: {CSAM: csam, Grooming: grooming}}
"""
TABLE = """\
Service,Quarter,Kind of abuse,Videos removed,Reports to NCMEC,Remark
Kestrel,Q1 2031,CSAM,"1,204",97,
Kestrel,Q1 2031,Grooming,31,-,not counted before 2031-Q2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of declarations of one's own, with the one file in it."""
    folder = tmp_path / "declarations"
    folder.mkdir()
    (folder / "kestrel_safety.yml").write_text(DECLARATION, encoding="utf-8")
    (tmp_path / "kestrel.csv").write_text(TABLE.replace("2031", "2021"), encoding="utf-8")
    return folder


def settings_of(folder: Path) -> Settings:
    return Settings(home=folder.parent / "home", extra_sources=folder, offline=True)


@pytest.mark.slow
def test_one_declaration_publishes_a_table(
    folder: Path, lightwell: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTWELL_SOURCES", str(folder))
    home = ["--home", folder.parent / "home"]
    added = lightwell(*home, "add", "kestrel_safety", folder.parent / "kestrel.csv", "--published", "2021-05-01")
    assert (added.code, added.err) == (0, "next: lightwell build\n")
    release_archive(settings_of(folder))
    asked = "SELECT reporter, subject, metric, harm, time_period, obs_value, obs_status FROM observation ORDER BY ALL"
    assert lightwell(*home, "query", asked, "--format", "csv").out.splitlines()[1:] == [
        "kestrel,kestrel,content_actioned,csam,2021-Q1,1204,A",
        "kestrel,kestrel,content_actioned,grooming,2021-Q1,31,A",
        "kestrel,kestrel,reports_to_ncmec,csam,2021-Q1,97,A",
        "kestrel,kestrel,reports_to_ncmec,grooming,2021-Q1,,O",
    ]
    cited = "SELECT citation FROM citation ORDER BY ALL LIMIT 1"
    assert "Kestrel, Kestrel safety report (2021-05-01), line 2, column 4" in lightwell(*home, "query", cited).out
    assert "Kestrel" in lightwell(*home, "unmapped").out  # released, and to be reviewed
    assert "kestrel_safety" in lightwell(*home, "status").out


@pytest.mark.slow
def test_a_declaration_without_documents_stops_no_release(folder: Path) -> None:
    settings, other = settings_of(folder), folder.parent / "github.csv"
    other.write_text("year,detection_type,abuse_type,count\n2021,staff,CSEAI,4\n", encoding="utf-8")
    fetch.add(source.load("github_transparency", settings), other, settings)
    assert release_archive(settings)
    asked = "SELECT publisher, publisher_name FROM source WHERE publisher = 'kestrel'"
    assert warehouse.query(asked, settings)[1] == [("kestrel", "Kestrel")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "now", "reason"),
    [
        ("publisher_name: Kestrel\n", "", "publisher: 'kestrel' is in no codelist.*publisher_name"),
        ("publisher: kestrel\n", "publisher: meta\n", "publisher_name: 'meta' is 'Meta' in organisation.csv"),
        ("publisher: kestrel\n", "publisher: falcon\n", "publisher: is 'falcon', must be 'kestrel'"),
        ("reporter: kestrel\n", "reporter: falcon\n", "reporter: 'falcon' is in no codelist"),
        ("publisher_name: Kestrel\n", "publisher_nam: Kestrel\n", "publisher_nam: Extra inputs are not permitted"),
    ],
)
def test_a_publisher_is_known_or_named(
    folder: Path, lightwell: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, was: str, now: str, reason: str
) -> None:
    settings = settings_of(folder)
    fetch.add(source.load("kestrel_safety", settings), folder.parent / "kestrel.csv", settings)
    wrong = folder.parent / "wrong"  # another folder: a declaration is read once a process
    wrong.mkdir()
    assert was in DECLARATION
    (wrong / "kestrel_safety.yml").write_text(DECLARATION.replace(was, now), encoding="utf-8")
    with pytest.raises(DeclarationError, match=f"kestrel_safety.yml: {reason}"):
        release_archive(Settings(home=settings.home, extra_sources=wrong, offline=True))
