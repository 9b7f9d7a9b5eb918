"""The report to OJJDP: boxed tables with header levels, figures in cells and in prose."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import document
from lightwell import harmonise, quality, source
from lightwell.errors import LayoutError
from lightwell.tables import Figure, pdf
from replicas import Grid, grids

SOURCE = source.load("ncmec_ojjdp")
LAYOUT = SOURCE.layouts[0]
YEARS = ["CY 2020", "CY 2021", "CY 2022"]
SUBMITTERS = Grid(
    [
        ["CyberTipline Reports\nSubmitted by Members of\nthe Public and ESPs", *YEARS],
        ["Total CyberTipline Reports", "110", "220", "330"],
        ["Public CyberTipline Reports", "10", "20", "30"],
        ["ESP CyberTipline Reports", "100", "200", "300"],
    ],
    [170, 90, 90, 90],
)
CATEGORIES = Grid(
    [
        ["Categorization of CyberTipline Reports", *YEARS],
        ["Child Pornography\n(possession, manufacture, distribution)", "1,000", "2,000", "3,000"],
        ["Child Sex Tourism", "1", "2", "3"],
    ],
    [200, 80, 80, 80],
)
LOCATIONS = Grid(
    [
        ["CyberTipline Reports\nRelating to U.S. and\nInternational Users", *YEARS],
        ["U.S.", "10\n9.1%", "20\n10%", "30\n9%"],
        ["Total", "110", "220", "330"],
    ],
    [170, 90, 90, 90],
    marks="7",
)
RECIPIENTS = Grid(
    [
        ["Law Enforcement\nRecipients of\nCyberTipline Reports", *YEARS],
        ["Local Law\nEnforcement", *["Actionable: 2,485\nInformational:\n11,000\nTotal: 13,485"] * 3],
        ["Federal Law\nEnforcement", *["Actionable: 5\nInternational: 5\nTotal: 10"] * 3],
    ],
    [110, 115, 115, 115],
)
RELATIONSHIPS = Grid(
    [
        [
            "Unique Images and Videos Reviewed by CVIP Disaggregated by Relationship\n"
            "Between Suspected Offender and Child Victim",
            *[None] * 4,
        ],
        ["Relationship\nType", "CY 2020", None, "CY 2021", None],
        ["", "Total\nImages/\nVideos", "Unique\nImages/\nVideos", "Total\nImages/\nVideos", "Unique\nImages/\nVideos"],
        ["Aunt", "4", "3", "2", "1"],
        ["Guardian's Partner", "8", "7", "6", "5"],
    ],
    [120, 80, 80, 80, 80],
    header_rows=3,
)
YEARLY = Grid(
    [
        ["Date Range (Calendar Year)", "Total Number of CyberTipline\nReports Received by NCMEC"],
        ["CY2022 (1/1/22-12/31/22)", "330"],
        ["CY1998 (1/1/98-12/31/98)", "4,560"],
    ],
    [200, 200],
)
HASHES = Grid([["NCMEC MD5 Hashes Added to Exploitative Hash-Sharing Initiative", None, None], YEARS, ["5", "6", "7"]],
              [150, 150, 150], header_rows=2)  # fmt: skip
COVER = "CY 2022 Report to the Committees on Appropriations"
PROSE = "When it became operational in CY 1998, NCMEC received 4,560 reports in all."
PAGES = [[COVER], [PROSE, SUBMITTERS, LOCATIONS], [CATEGORIES, RECIPIENTS], [RELATIONSHIPS, HASHES], [YEARLY]]


def read(path: Path) -> list[Figure]:
    return list(pdf.extract(document(path, SOURCE.id), LAYOUT))


def write(tmp_path: Path, pages: list[list[Grid | str]]) -> Path:
    return grids(tmp_path / "report.pdf", pages, title="Transparency report")


def found(figures: list[Figure], table: str) -> list[tuple[dict[str, str], str]]:
    return [(dict(f.labels), f.text) for f in figures if f.table == table]


def test_rows_and_columns_of_a_boxed_table_become_labels(tmp_path: Path) -> None:
    figures = read(write(tmp_path, PAGES))
    assert found(figures, "by_submitter")[:4] == [
        ({"submitter": "Total CyberTipline Reports", "year": "2020"}, "110"),
        ({"submitter": "Total CyberTipline Reports", "year": "2021"}, "220"),
        ({"submitter": "Total CyberTipline Reports", "year": "2022"}, "330"),
        ({"submitter": "Public CyberTipline Reports", "year": "2020"}, "10"),
    ]


def test_wrapped_cells_header_levels_and_titles(tmp_path: Path) -> None:
    figures = read(write(tmp_path, PAGES))
    assert (
        found(figures, "by_category")[0][0]["category"] == "Child Pornography (possession, manufacture, distribution)"
    )
    assert found(figures, "cvip_by_relationship") == [
        ({"relationship": who, "year": year, "uniqueness": kind}, text)
        for who, texts in (("Aunt", "4321"), ("Guardian's Partner", "8765"))
        for (year, kind), text in zip(
            [(y, k) for y in ("2020", "2021") for k in ("Total", "Unique")], texts, strict=True
        )
    ]
    assert found(figures, "hashes_exploitative") == [({"year": str(2020 + i)}, str(5 + i)) for i in range(3)]


def test_several_figures_in_one_cell_each_with_its_own_box(tmp_path: Path) -> None:
    figures = read(write(tmp_path, PAGES))
    assert found(figures, "by_location")[:2] == [
        ({"location": "U.S.", "year": "2020", "measure": ""}, "10"),
        ({"location": "U.S.", "year": "2020", "measure": "%"}, "9.1%"),
    ]
    cell = [f for f in figures if f.table == "recipients"][3:6]
    assert [(f.labels["measure"], f.text) for f in cell] == [
        ("Actionable", "2,485"), ("Informational", "11,000"), ("Total", "13,485")]  # fmt: skip
    tops = [f.locator.box[1] for f in cell]
    assert tops == sorted(tops) and len(set(tops)) == 3
    repeated = [f for f in figures if f.table == "recipients" and f.labels["recipient"].startswith("Federal")][:2]
    assert repeated[0].text == repeated[1].text and repeated[0].locator != repeated[1].locator


def test_a_year_in_a_row_and_a_number_in_a_sentence(tmp_path: Path) -> None:
    figures = read(write(tmp_path, PAGES))
    assert found(figures, "totals_since_1998")[1] == ({"year": "CY1998"}, "4,560")
    assert found(figures, "first_year") == [({"year": "1998"}, "4,560")]


def _changed(grid: Grid, row: int, column: int, text: str | None) -> Grid:
    rows = [list(r) for r in grid.rows]
    rows[row][column] = text
    return replace(grid, rows=rows)


def test_a_footnotes_digit_stays_out_of_numbers_rows_and_years(tmp_path: Path) -> None:
    rows = [list(row) for row in CATEGORIES.rows]
    rows[2] = ["Child Sex Tourism^1", "1^2", "2†", "3^10"]
    rows[0][2] += "^3"
    years = _changed(YEARLY, 1, 0, "CY2022 (1/1/22-12/31/22)^4")
    shares = _changed(LOCATIONS, 1, 1, "10^5\n9.1%")
    marked = [PAGES[0], [PROSE, SUBMITTERS, shares], [replace(CATEGORIES, rows=rows), RECIPIENTS], PAGES[3], [years]]
    plain, found = read(write(tmp_path, PAGES)), read(write(tmp_path, marked))
    assert [(f.table, f.labels, f.text.rstrip("†")) for f in found] == [(f.table, f.labels, f.text) for f in plain]


def test_a_kind_that_is_new_does_not_take_the_report_with_it(tmp_path: Path) -> None:
    grown = replace(CATEGORIES, rows=[*CATEGORIES.rows, ["Some New Kind", "4", "5", "6"]])
    path = write(tmp_path, [PAGES[0], [SUBMITTERS], [grown], PAGES[4]])
    found = harmonise.to_observations(read(path), document(path, SOURCE.id), SOURCE, "v")
    verdict = quality.check(found, document(path, SOURCE.id), SOURCE)
    assert verdict.released
    assert [q.obs_text for q in verdict.quarantined] == ["4", "5", "6"]
    assert all("'Some New Kind' is not in harm_label.csv" in q.reason for q in verdict.quarantined)


BROKEN = {
    "a table that nobody declared": (Grid([["Reports by Planet", *YEARS], ["Mars", "1", "2", "3"]], [150, 90, 90, 90]),
                                     "fits no table of the layout"),
    "an empty cell": (_changed(LOCATIONS, 2, 2, ""), "has an empty cell"),
    "a row without a name": (_changed(LOCATIONS, 2, 0, ""), "has no name"),
    "words beside the number": (_changed(LOCATIONS, 2, 1, "110 or so"), "'or so' in a cell"),
    "a column without its year": (_changed(LOCATIONS, 0, 1, "Before"), "does not fit"),
    "a cell whose parts are not named": (_changed(RECIPIENTS, 1, 1, "2,485\nInformational: 1"), "'2,485' in a cell"),
    "a year row of another kind": (_changed(YEARLY, 1, 0, "FY2022 (10/1/21-9/30/22)"), "does not fit"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    grid, reason = BROKEN[name]
    pages = [*PAGES[:2], [CATEGORIES], [grid], *([PAGES[4]] if "year row" not in name else [])]
    with pytest.raises(LayoutError, match=reason):
        read(write(tmp_path, pages))


def test_a_report_without_a_central_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="by_category was not found"):
        read(write(tmp_path, [*PAGES[:2], *PAGES[3:]]))


def test_a_report_without_a_lesser_table_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path, [*PAGES[:3], PAGES[4]]))


def test_the_original_report_is_read_whole(originals: Path) -> None:
    figures = read(originals / "ncmec" / "ncmec-ojjdp-2022.pdf")
    tables = {t.name for t in LAYOUT.tables}
    assert {f.table for f in figures} == tables
    values = {(f.table, *sorted(f.labels.items())): f.text for f in figures}
    assert len(values) == len(figures)
    by_year = {f.labels["year"]: f.text for f in figures if f.table == "totals_since_1998"}
    assert len(by_year) == 25 and by_year["CY1998"] == "4,560" and by_year["CY2014"] == "1,106,071"
    shares = [f for f in figures if f.table == "by_location" and f.labels["measure"] == "%"]
    assert [f.text for f in shares][:3] == ["4.1%", "2.5%", "6%"]


@pytest.mark.parametrize(
    "printed",
    [
        "CY 2022\n(Jan-Jun)",
        "CY 2022\n(projected)",
        "CY 2021-2022",
        "Change from\nCY 2022",
        "through\nCY 2022",
        "CY 2022 in\nthousands",
    ],
)
def test_a_column_of_no_whole_year_is_refused(tmp_path: Path, printed: str) -> None:
    rows = [[text.replace("CY 2022", printed) if text else text for text in row] for row in SUBMITTERS.rows]
    with pytest.raises(LayoutError, match="of table by_submitter does not fit"):
        read(write(tmp_path, [[COVER], [replace(SUBMITTERS, rows=rows)], [CATEGORIES], [YEARLY]]))


@pytest.mark.parametrize("dates", ["1/1/22-6/30/22", "10/1/21-9/30/22", "1/1/21-12/31/21", "through June"])
def test_a_year_with_other_dates_is_refused(tmp_path: Path, dates: str) -> None:
    rows = [[text.replace("1/1/22-12/31/22", dates) if text else text for text in row] for row in YEARLY.rows]
    with pytest.raises(LayoutError, match="of table totals_since_1998 does not fit"):
        read(write(tmp_path, [[COVER], [SUBMITTERS], [CATEGORIES], [replace(YEARLY, rows=rows)]]))


@pytest.mark.parametrize(
    ("old", "new"), [("NCMEC MD5", "Cumulative Total of NCMEC MD5"), ("Initiative", "Initiative (cumulative)")]
)
def test_a_running_total_is_no_count_of_a_year(tmp_path: Path, old: str, new: str) -> None:
    rows = [[text.replace(old, new) if text else text for text in row] for row in HASHES.rows]
    with pytest.raises(LayoutError, match="fits no table of the layout"):
        read(write(tmp_path, [[COVER], [SUBMITTERS], [CATEGORIES], [replace(HASHES, rows=rows)], [YEARLY]]))
