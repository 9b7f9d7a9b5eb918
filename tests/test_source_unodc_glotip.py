"""UNODC's trafficking data: rows of several breakdowns in one sheet, a preamble that comes and goes, small counts held
back. Replicas are made up; the original is read where it is at hand, against sums that pandas makes of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import xlsxwriter

from conftest import document
from lightwell import harmonise, reading, source
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised, Observation
from lightwell.tables import spreadsheet

GLOTIP = source.load("unodc_glotip")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADER = [
    "Iso3_code", "Country", "Region", "Subregion", "Indicator", "Dimension", "Category", "Sex", "Age", "Year",
    "Unit of measurement", "txtVALUE", "Source",
]  # fmt: skip
PREAMBLE = [["UNODC", "unodc_ddds@un.org"], ["30/05/2023"]]
VICTIMS = "Detected trafficking victims"
Line = list[str | int]


def line(
    code: str = "PHL",
    country: str = "Philippines",
    value: str | int = "1,204",
    year: int = 2019,
    indicator: str = VICTIMS,
    by: str = "Total",
    category: str = "Total",
    sex: str = "Total",
    age: str = "Total",
    unit: str = "Counts",
) -> Line:
    return [code, country, "Asia", "South-eastern Asia", indicator, by, category, sex, age, year, unit, value, "GLOTIP"]


def form(category: str, sex: str = "Total", age: str = "Total", value: str | int = 31, **more: str) -> Line:
    return line(by="by form of exploitation", category=category, sex=sex, age=age, value=value, **more)


def citizens(category: str, value: str | int = 12) -> Line:
    return line(by="by citizenship", category=category, value=value)


USUAL = [
    line(),
    line(sex="Female", value=900),
    line(sex="Female", age="0 to 17 years", value="<5"),
    form("Sexual exploitation", value=77),
    form("Sexual exploitation", "Female", "0 to 17 years", value=40),
    form("Forced labour", "Other", "18 years or over", value=6),
    citizens("Nationals", 1100),
    citizens("Viet Nam"),
]


def workbook(path: Path, rows: list[Line], preamble: list[list[str]] = PREAMBLE, header: list[str] = HEADER) -> Path:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("data_glotip_1")
        for number, row in enumerate([*preamble, header, *rows]):
            sheet.write_row(number, 0, row)
    return path


def read(path: Path) -> Harmonised:
    of = replace(document(path, GLOTIP.id), media_type=XLSX)
    layout = reading.choose_layout(GLOTIP, spreadsheet.opening(path).text)
    return harmonise.to_observations(GLOTIP.extractor(XLSX)(of, layout), of, GLOTIP, "v")


def of_rows(tmp_path: Path, *rows: Line, **how: list[list[str]]) -> Harmonised:
    return read(workbook(tmp_path / "glotip.xlsx", [*USUAL, *rows], **how))


def said(o: Observation) -> tuple[str, str, str, str, float | None]:
    return o.harm, o.dimensions["sex"], o.dimensions["age"], o.dimensions["citizenship"], o.obs_value


def test_a_note_below_the_rows_is_no_row(tmp_path: Path) -> None:
    assert of_rows(tmp_path, ["Source: UNODC, as answered by countries"]).observations == of_rows(tmp_path).observations


def test_breakdowns_stay_apart_and_small_counts_keep_their_bounds(tmp_path: Path) -> None:
    found = of_rows(tmp_path)
    assert found.quarantined == []
    assert [said(o) for o in found.observations] == [
        ("trafficking_in_persons", "_T", "_T", "_T", 1204),
        ("trafficking_in_persons", "F", "_T", "_T", 900),
        ("trafficking_in_persons", "F", "Y0T17", "_T", None),
        ("trafficking_sexual_exploitation", "_T", "_T", "_T", 77),
        ("child_sex_trafficking", "F", "Y0T17", "_T", 40),
        ("trafficking_forced_labour", "other", "Y_GE18", "_T", 6),
        ("trafficking_in_persons", "_T", "_T", "nationals", 1100),
        ("trafficking_in_persons", "_T", "_T", "VNM", 12),
    ]
    held_back = found.observations[2]
    assert (held_back.obs_status, held_back.value_low, held_back.value_high, held_back.comparator) == ("Q", 0, 4, "<")
    assert {(o.metric, o.ref_area, o.time_period) for o in found.observations} == {
        ("trafficking_victims_detected", "PHL", "2019")
    }
    assert len({o.series_id for o in found.observations}) == len(found.observations)


@pytest.mark.parametrize(
    "preamble",
    [[], [["UNODC"]], [["United Nations Office on Drugs and Crime"], [], ["Extracted on", "12/11/2024"], ["Notes: x"]]],
)
def test_the_header_is_found_under_any_preamble(tmp_path: Path, preamble: list[list[str]]) -> None:
    found = of_rows(tmp_path, preamble=preamble)
    assert (len(found.observations), found.quarantined) == (8, [])
    assert str(found.observations[0].locator) == f"sheet=data_glotip_1&cell=L{len(preamble) + 2}"


def test_a_preamble_that_the_numbers_count_thousands_is_heeded(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="not counts as printed"):
        of_rows(tmp_path, preamble=[["UNODC"], ["Numbers are in thousands"]])


def test_suspects_prosecuted_and_convicted_are_people_and_offences_are_not(tmp_path: Path) -> None:
    indicators = ["Persons brought into formal contact", "Persons prosecuted", "Persons convicted"]
    rows = [line(indicator=name, value=n) for n, name in enumerate([*indicators, "Offences of trafficking in persons"])]
    found = of_rows(tmp_path, *rows)
    assert [(o.metric, o.unit_measure, o.obs_value) for o in found.observations if "victims" not in o.metric] == [
        ("trafficking_suspects", "persons", 0),
        ("trafficking_persons_prosecuted", "persons", 1),
        ("trafficking_persons_convicted", "persons", 2),
        ("trafficking_offences_recorded", "offences", 3),
    ]


def test_sub_regions_and_repatriations_are_left_out(tmp_path: Path) -> None:
    rows = [[code, "", "", "", *line()[4:]] for code in ("SAM", "CAR", "EEU")]
    found = of_rows(tmp_path, *rows, line(by="by country of repatriation", category="Abroad"), citizens("Congo"))
    assert (len(found.observations), found.quarantined) == (8, [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (line("NAM", "", 7), "ref_area: '' is no area"),  # a sub-region with Namibia's code
        (line("WAF", "", 7), "ref_area: 'WAF' is no area"),
        (line("", "Sark", 7), "ref_area: '' is no area"),
        (line("COD", "Congo", 7), "are 2 codes, COD, COG"),
        (line("KOR", "Democratic People's Republic of Korea", 7), "are 2 codes, KOR, PRK"),
        (line("SRB", "Serbia and Montenegro", 7), "'Serbia and Montenegro' is no area"),
        (line(indicator="Victims assisted"), "metric: 'Victims assisted | Counts'"),
        (line(unit="Rate per 100,000"), "metric: 'Detected trafficking victims | Rate per 100,000'"),
        (line(sex="Both"), "dimension sex: 'Both'"),
        (line(age="0 to 14 years"), "dimension age: '0 to 14 years'"),
        (line(category="Minors"), "harm: 'Minors'"),
        (form("Sexual exploitation and forced labour"), "harm: 'Sexual exploitation and forced labour | Total'"),
        (line(year=2020, value="5-9"), "is not a number as this publisher prints them"),
        (line(year=2020, value="12.5"), "is not whole"),
        (citizens("97 albanian"), "'97 albanian' is no area"),
    ],
)
def test_what_is_not_sure_is_set_aside(tmp_path: Path, row: Line, reason: str) -> None:
    found = of_rows(tmp_path, row)
    assert len(found.observations) == 8
    assert [reason in q.reason for q in found.quarantined] == [True], [q.reason for q in found.quarantined]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("GEO", "Georgia"),
        ("COG", "Congo"),
        ("COD", "Democratic Republic of the Congo"),
        ("FSM", "Micronesia (Federated States of)"),
        ("KOR", "Republic of Korea"),
        ("PRK", "Democratic People's Republic of Korea"),
        ("MKD", "North Macedonia"),
        ("SRB", "Serbia"),
        ("VEN", "Venezuela (Bolivarian Republic of)"),
    ],
)
def test_areas_that_are_easily_mistaken(tmp_path: Path, code: str, name: str) -> None:
    found = of_rows(tmp_path, line(code, name, 7))
    assert found.quarantined == []
    assert {o.ref_area for o in found.observations} == {"PHL", code}


def test_a_form_printed_several_times_a_year_is_set_aside_each_time(tmp_path: Path) -> None:
    rows = [form("Other forms of exploitation", value=value) for value in ("<5", 27, 5)]
    found = of_rows(tmp_path, *rows)
    assert len(found.observations) == 8
    assert {q.expectation for q in found.quarantined} == {"one_figure_a_series_and_period"}
    assert len(found.quarantined) == 3


@pytest.mark.parametrize(
    ("header", "rows", "reason"),
    [
        (["Category type" if h == "Dimension" else h for h in HEADER], [], "no row is headed dimension"),
        (["Age group" if h == "Age" else h for h in HEADER], [], "stands under no header"),
        (["Rate" if h == "txtVALUE" else h for h in HEADER], [], "stands under no header"),
        (HEADER, [line(by="by means of control")], "'by means of control' is not known"),
        (HEADER, [line(by="")], "'no dimension' is not known"),
    ],
)
def test_a_file_unlike_its_layout_is_refused_whole(
    tmp_path: Path, header: list[str], rows: list[Line], reason: str
) -> None:
    with pytest.raises(LayoutError, match=reason):
        read(workbook(tmp_path / "glotip.xlsx", [*USUAL, *rows], header=header))


@pytest.mark.slow
def test_original(originals: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = originals / "context" / "unodc-glotip-2024-11.xlsx"
    frame = pandas.read_excel(path, header=2, dtype=str, keep_default_na=False)
    assert len(frame) == 46_556
    found = read(path)
    assert len(found.quarantined) <= GLOTIP.quarantined_rows
    rows = frame[(frame.Dimension == "Total") & (frame.Sex == "Total") & (frame.Age == "Total") & (frame.Country != "")]
    rows = rows[(rows.Indicator == VICTIMS) & (rows.Iso3_code != "") & (rows.txtVALUE != "<5")]
    printed = {(r.Iso3_code, r.Year): int(r.txtVALUE.replace(",", "")) for r in rows.itertuples()}
    whole = {"sex": "_T", "age": "_T", "citizenship": "_T"}
    kept = {
        (o.ref_area, o.time_period): o.obs_value
        for o in found.observations
        if (o.metric, o.harm, o.obs_status) == ("trafficking_victims_detected", "trafficking_in_persons", "A")
        and o.dimensions == whole
    }
    assert kept == printed
    assert sum(o.obs_status == "Q" for o in found.observations) > 18_000
    assert not {"SAM", "SAF", "CAR", "CAS", "EEU", "MCA", "MCN"} & {o.ref_area for o in found.observations}
