"""GitHub's two tables, by year and by half of a year: the file says which it is, and what found what counts what."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import document
from lightwell import harmonise, reading, source
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised
from lightwell.tables import delimited

GITHUB = source.load("github_transparency")
BY_YEAR = """year,detection_type,abuse_type,count
2031,automated detection,CSEAI,57
2031,staff,CSEAI,14
2030,automated detection,CSEAI,5
2030,staff,CSEAI,"1,016"
"""
BY_HALF = """year,half,detection_type,abuse_type,count
2031,1,automated detection,CSEAI,16
2030,2,staff,CSEAI,6
"""


def read(path: Path, content: str) -> Harmonised:
    path.write_text(content, encoding="utf-8")
    return read_file(path)


def read_file(path: Path) -> Harmonised:
    of = replace(document(path, GITHUB.id), media_type="text/csv")
    layout = reading.choose_layout(GITHUB, delimited.opening(path).text)
    return harmonise.to_observations(delimited.extract(of, layout), of, GITHUB, "v")


def said(found: Harmonised) -> list[tuple[str, str, str, float | None]]:
    assert found.quarantined == []
    return [(o.metric, o.harm, o.time_period, o.obs_value) for o in found.observations]


def test_scanning_counts_accounts_and_staff_counts_reports(tmp_path: Path) -> None:
    found = read(tmp_path / "y.csv", BY_YEAR)
    assert said(found) == [
        ("csam_accounts_detected", "csam", "2031", 57),
        ("reports_to_ncmec", "csam", "2031", 14),
        ("csam_accounts_detected", "csam", "2030", 5),
        ("reports_to_ncmec", "csam", "2030", 1016),
    ]
    assert {(o.metric, o.unit_measure) for o in found.observations} == {
        ("csam_accounts_detected", "accounts"),
        ("reports_to_ncmec", "reports"),
    }
    assert {(o.reporter, o.subject) for o in found.observations} == {("github", "github")}


def test_columns_may_stand_in_another_order(tmp_path: Path) -> None:
    lines = [",".join(line.split(",")[::-1]) for line in BY_HALF.splitlines()]
    turned, plain = read(tmp_path / "t.csv", "\n".join(lines) + "\n"), read(tmp_path / "h.csv", BY_HALF)
    assert said(turned) == said(plain)


def test_the_table_by_halves_is_series_of_its_own(tmp_path: Path) -> None:
    halves = read(tmp_path / "h.csv", BY_HALF)
    assert said(halves) == [
        ("csam_accounts_detected", "csam", "2031-S1", 16),
        ("reports_to_ncmec", "csam", "2030-S2", 6),
    ]
    years = read(tmp_path / "y.csv", BY_YEAR)
    assert {o.series_id for o in halves.observations}.isdisjoint(o.series_id for o in years.observations)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2031,automated detection,TVEC,3", "metric: 'automated detection | TVEC'"),
        ("2031,partner,CSEAI,3", "metric: 'partner | CSEAI'"),
        ("2031,staff,CSEAI,-3", "is negative"),
        ("31,staff,CSEAI,3", "'31' is no period"),
    ],
)
def test_a_line_of_another_kind_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    found = read(tmp_path / "y.csv", BY_YEAR + line + "\n")
    assert len(found.observations) == 4
    assert [reason in q.reason for q in found.quarantined] == [True]


def test_a_third_half_is_set_aside(tmp_path: Path) -> None:
    found = read(tmp_path / "h.csv", BY_HALF + "2030,3,staff,CSEAI,6\n")
    assert [q.reason.partition(":")[0] for q in found.quarantined] == ["time_period"]


@pytest.mark.parametrize(
    "content",
    [
        BY_YEAR.replace("detection_type", "source"),
        BY_YEAR.replace("count", "accounts"),
        BY_HALF.replace("half,", "quarter,"),
        "year,half,count\n2031,1,3\n",
    ],
)
def test_a_file_unlike_its_layout_is_refused_whole(tmp_path: Path, content: str) -> None:
    with pytest.raises(LayoutError, match="stands under no header"):
        read(tmp_path / "f.csv", content)


def test_originals(originals: Path) -> None:
    years = {(m, t): v for m, _, t, v in said(read_file(originals / "github" / "cseai_and_tvec_reported.csv"))}
    halves = {
        (m, t): v
        for m, _, t, v in said(read_file(originals / "github" / "cseai_and_tvec_reported_by_calendar_year_half.csv"))
    }
    assert (len(years), len(halves)) == (10, 10)
    assert years["reports_to_ncmec", "2023"] == 37
    for metric in ("reports_to_ncmec", "csam_accounts_detected"):
        for year in ("2023", "2024"):
            assert halves[metric, f"{year}-S1"] + halves[metric, f"{year}-S2"] == years[metric, year]  # type: ignore[operator]


@pytest.mark.parametrize(
    "note",
    [
        "* 2031 covers January to June only",
        "Note: 2031 is preliminary and will be revised",
        "Note: data for the second half of 2031 are not yet complete.",
        "Source: GitHub - provisional data",
    ],
)
def test_a_note_that_a_number_is_not_final_holds_the_table_back(tmp_path: Path, note: str) -> None:
    with pytest.raises(LayoutError, match="not final or not of a whole period"):
        read(tmp_path / "n.csv", f"{BY_YEAR}\n{note}\n")
    assert len(read(tmp_path / "y.csv", f"{BY_YEAR}\n* Counts are of whole years\n").observations) == 4
