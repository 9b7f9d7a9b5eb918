"""Microsoft: blocks side by side under two header rows, footnotes, and a count that stands only in a note."""

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from conftest import document, release_archive
from lightwell import fetch, harmonise, quality, reading, source, warehouse
from lightwell.archive import Document
from lightwell.harmonise import Harmonised
from lightwell.settings import Settings

MICROSOFT = source.load("microsoft_digital_safety")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
IMAGERY = "Child Sexual Exploitation & Abuse Imagery (CSEAI) - Hosted Consumer Services"
COVERED = (
    "and is inclusive of all Microsoft consumer products (OneDrive, etc.) with the exception of LinkedIn and GitHub."
)
NOTE = (
    f"Note: Data in this report represents {{period}} {COVERED} Not all CSEAI content was associated with an account "
    "(e.g. Bing Search indexing). The total NCMEC CyberTip Reports for this period is 4,321.\n"
)
Cells = dict[str, object]


def report(heading: str = "July - December 2023", noted: str = "July to December 2023", **changes: object) -> Cells:
    """A replica of the sheet with made-up numbers; None takes a cell away."""
    note = f"Note: Data in this report represents {noted} {COVERED}"
    cells: Cells = {
        "B1": "Digital Safety Content Report",
        "B3": heading,
        "C3": IMAGERY,
        "G3": "CSEAI - Bing Search Engine",
        "C4": "Content Actioned",
        "D4": "Content Detected Proactively",
        "E4": "Accounts Actioned",
        "F4": "Accounts Reinstated",
        "G4": "Content Actioned",
        "H4": "Content Detected Proactively",
        "C5": 900,
        "D5": 0.998,
        "E5": "1,935*",
        "F5": 0.00002,
        "G5": 7000,
        "H5": 0.99,
        "B6": NOTE.format(period=noted),
        "B7": "* Accounts Actioned number has been restated",
        "B10": heading,
        "C10": "Terrorist & Violent Extremist Content (TVEC)",
        "C11": "Content Actioned",
        "D11": "Accounts Actioned",
        "C12": 2001,  # a count that looks like a year
        "D12": 0,
        "B14": note,
        "B16": heading,
        "C16": "Non-Consensual Intimate Imagery (NCII)",
        "C17": "Requests Reported",
        "D17": "Percentage of Requests Actioned",
        "C18": 248,
        "D18": 0.76,
        "B20": note,
    }
    return {**cells, **changes}


def workbook(path: Path, cells: Cells, **more: Cells) -> Path:
    book = openpyxl.Workbook()
    book.worksheets[0].title = "Digital Safety Content"
    for name, content in {"Digital Safety Content": cells, **more}.items():
        sheet = book[name] if name in book.sheetnames else book.create_sheet(name)
        for cell, value in content.items():
            sheet[cell] = value
    book.save(path)
    return path


def opened(path: Path) -> Document:
    return replace(document(path, MICROSOFT.id), media_type=XLSX)


def read(tmp_path: Path, **changes: object) -> Harmonised:
    of = opened(workbook(tmp_path / "report.xlsx", report(**changes)))  # type: ignore[arg-type]
    found = reading._extract(of, MICROSOFT, "v")
    assert found.problem is None, found.problem
    return harmonise.to_observations(found.figures, of, MICROSOFT, "v")


def problem(path: Path) -> str:
    return reading._extract(opened(path), MICROSOFT, "v").problem or ""


def test_every_block_is_read_with_its_own_columns(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.quarantined == []
    assert {o.time_period for o in found.observations} == {"2023-S2"}
    told = [(o.subject, o.harm, o.dimensions.get("surface"), o.metric, o.obs_value) for o in found.observations]
    assert told == [
        ("microsoft", "csam", "hosted", "content_actioned", 900),
        ("microsoft", "csam", "hosted", "content_proactive_ratio", 0.998),
        ("microsoft", "csam", "hosted", "accounts_actioned", 1935),
        ("microsoft", "csam", "hosted", "accounts_reinstated_ratio", 0.00002),
        ("bing", "csam", "search", "content_actioned", 7000),
        ("bing", "csam", "search", "content_proactive_ratio", 0.99),
        ("microsoft", "_T", None, "reports_to_ncmec", 4321),
        ("microsoft", "_Z", "hosted", "content_actioned", 2001),
        ("microsoft", "_Z", "hosted", "accounts_actioned", 0),
        ("microsoft", "_Z", "hosted_and_search", "removal_requests", 248),
        ("microsoft", "_Z", "hosted_and_search", "removal_requests_actioned_rate", 0.76),
    ]
    assert quality.check(found, opened(tmp_path / "report.xlsx"), MICROSOFT).released


def test_a_note_that_the_numbers_count_thousands_holds_the_report_back(tmp_path: Path) -> None:
    assert "not counts as printed" in problem(
        workbook(tmp_path / "r.xlsx", report(B40="Note: figures are in thousands."))
    )


def test_a_footnote_goes_with_the_value_that_carries_its_mark(tmp_path: Path) -> None:
    notes = {o.obs_text: o.note for o in read(tmp_path).observations if o.note}
    assert notes == {"1,935*": "printed with the footnote mark *; * Accounts Actioned number has been restated"}


def test_a_remark_goes_with_every_value_above_it_and_no_other(tmp_path: Path) -> None:
    remark = "For Bing, from this period on only confirmed content counts."
    found = read(tmp_path, B6=NOTE.format(period="July to December 2023") + remark, E5=1935, B7=None)
    assert [o.obs_text for o in found.observations if o.note == remark] == [
        "900",
        "0.998",
        "1935",
        "0.00002",
        "7000",
        "0.99",
    ]
    assert all(remark not in o.label_text for o in found.observations)


def test_a_note_that_contradicts_its_heading_loses_its_count_and_flags_the_block(tmp_path: Path) -> None:
    found = read(tmp_path, B6=NOTE.format(period="January to June 2023"), B7=None, E5=1935)
    (held,) = found.quarantined
    assert (held.table, held.obs_text) == ("cybertip", "4,321")
    assert held.reason == (
        "the note names January to June 2023 and the heading July - December 2023: which half the count is of cannot "
        "be told; look on the publisher's page and transcribe it"
    )
    flagged = [o.obs_text for o in found.observations if o.note]
    assert flagged == ["900", "0.998", "1935", "0.00002", "7000", "0.99"]
    assert {o.note for o in found.observations} == {
        "The note below names January to June 2023, the heading July - December 2023.",
        None,
    }
    verdict = quality.check(found, opened(tmp_path / "report.xlsx"), MICROSOFT)
    assert verdict.released


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ("Note: The total NCMEC CyberTip Reports for this period is 4,321.", "the note does not name its period"),
        (
            f"Note: Data in this report represents July to December 2023 {COVERED} We sent 4,321 CyberTip Reports.",
            "no wording that is known",
        ),
        (NOTE.format(period="July to December 2023").replace("4,321", "4,32"), "number: '4,32'"),
    ],
    ids=["no period", "other words", "bad grouping"],
)
def test_a_count_that_is_not_certain_is_quarantined(tmp_path: Path, note: str, reason: str) -> None:
    found = read(tmp_path, B6=note)
    assert [q.table for q in found.quarantined] == ["cybertip"]
    assert found.quarantined[0].reason.startswith(reason)


@pytest.mark.parametrize(
    ("heading", "noted"),
    [("Jul - Dec 2023", "July - December 2023"), ("July – December 2023", "July to December 2023")],
)
def test_spellings_of_one_period_are_no_contradiction(tmp_path: Path, heading: str, noted: str) -> None:
    found = read(tmp_path, heading=heading, noted=noted)
    assert found.quarantined == []
    assert {o.time_period for o in found.observations} == {"2023-S2"}


def test_a_year_and_a_half_are_different_series(tmp_path: Path) -> None:
    half = {o.series_id for o in read(tmp_path).observations}
    year = read(tmp_path, heading="January - December 2025", noted="January to December 2025")
    assert {(o.freq, o.time_period) for o in year.observations} == {("A", "2025")}
    assert half.isdisjoint({o.series_id for o in year.observations})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"C4": "Content Seen"}, "metric: 'Content Seen'"),
        ({"G3": "CSEAI - Cinema"}, "subject: 'Cinema'"),
        ({"C10": "Spam"}, "harm: 'Spam' is not in harm_label.csv"),
        ({"D5": "99.8%"}, "number: '99.8%' has a percent sign but its unit is ratio"),
        ({"C5": 0.9}, "number: '0.9' is not whole"),
    ],
)
def test_what_is_not_known_is_quarantined_by_row(tmp_path: Path, changes: Cells, reason: str) -> None:
    found = read(tmp_path, **changes)
    assert len(found.observations) >= 9
    assert {q.reason.startswith(reason) for q in found.quarantined} == {True}


def test_a_count_among_the_rates_is_refused(tmp_path: Path) -> None:
    verdict = quality.check(read(tmp_path, F5=12), opened(tmp_path / "report.xlsx"), MICROSOFT)
    assert [q.expectation for q in verdict.quarantined] == ["ratio_within_0_and_1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"B10": "January - June 2023"}, "name several periods (July - December 2023; January - June 2023)"),
        ({"H4": None}, "cell H5: '0.99' stands under no column"),
        ({"B12": "Both"}, "cell B12: a row of values begins left"),
        ({"C18": None, "D18": None}, "(NCII)' of July - December 2023 has no values"),
        ({"B3": "Fiscal year 2023"}, "cell B3: 'Fiscal year 2023' stands under no heading with a period"),
        ({"B1": "Annual cookery report"}, "fits no layout of microsoft_digital_safety"),
    ],
)
def test_a_report_unlike_its_layout_is_quarantined_whole(tmp_path: Path, changes: Cells, reason: str) -> None:
    cells = report(**changes)  # type: ignore[arg-type]
    path = workbook(tmp_path / "a.xlsx", cells)
    if "B1" in changes:
        book = openpyxl.load_workbook(path)
        book.worksheets[0].title = "Soups"
        book.save(path)
    assert reason in problem(path)


def test_a_sheet_of_definitions_is_no_report_and_another_sheet_is_not_passed_over(tmp_path: Path) -> None:
    assert (
        problem(workbook(tmp_path / "a.xlsx", report(), Definitions={"A1": "Content actioned is what we act on"})) == ""
    )
    assert "sheet Appeals, cell A1" in problem(workbook(tmp_path / "b.xlsx", report(), Appeals={"A1": "Appeals"}))


@pytest.mark.slow
def test_from_the_file_to_the_warehouse(tmp_path: Path, settings: Settings) -> None:
    fetch.add(MICROSOFT, workbook(tmp_path / "report.xlsx", report()), settings)
    release_archive(settings)
    with warehouse.connect(settings) as con:
        asked = "SELECT obs_value, note, locator FROM observation WHERE metric = 'accounts_actioned' AND harm = 'csam'"
        assert con.execute(asked).fetchall() == [
            (
                1935.0,
                "printed with the footnote mark *; * Accounts Actioned number has been restated",
                "sheet=Digital+Safety+Content&cell=E5",
            )
        ]


ORIGINAL = {  # hosted content, accounts, Bing content, reports to NCMEC
    "2020-h1": (84_581, 15_935, 718_908, 32_622),
    "2020-h2": (92_419, 17_434, 360_338, 63_813),
    "2021-h1": (76_061, 18_568, 176_560, 42_481),
    "2021-h2": (36_918, 11_805, 274_392, 36_445),
    "2022-h1": (40_722, 10_207, 176_125, 53_957),
}


@pytest.mark.parametrize("half", ORIGINAL)
def test_the_originals(originals: Path, half: str) -> None:
    of = opened(originals / "microsoft" / f"microsoft-{half}.xlsx")
    found = reading._extract(of, MICROSOFT, "v")
    result = harmonise.to_observations(found.figures, of, MICROSOFT, "v")
    assert (len(result.observations), result.quarantined) == (14, [])
    assert {o.time_period for o in result.observations} == {half.replace("-h", "-S")}
    counts = {(o.subject, o.metric): o.obs_value for o in result.observations if o.harm in ("csam", "_T")}
    wanted = (("microsoft", "content_actioned"), ("microsoft", "accounts_actioned"), ("bing", "content_actioned"))
    assert tuple(counts[key] for key in (*wanted, ("microsoft", "reports_to_ncmec"))) == ORIGINAL[half]
    noted = [o.obs_text for o in result.observations if o.note and "restated" in o.note]
    assert noted == (["15,935*"] if half == "2020-h1" else [])


@pytest.mark.parametrize(
    "printed",
    ["1.2 million", "4.321", "4 321", "4\u00a0321", "4,321 thousand", "4,321-4,400", "4.3k", "4,321 and 12 more"],
)
def test_a_count_that_goes_on_behind_its_first_digits_is_held_back(tmp_path: Path, printed: str) -> None:
    found = read(tmp_path, B6=NOTE.format(period="July to December 2023").replace("4,321", printed))
    assert "reports_to_ncmec" not in {o.metric for o in found.observations}
    assert [q.reason.partition(",")[0] for q in found.quarantined] == ["no wording that is known"]


def test_two_periods_beside_each_other_hold_the_report_back(tmp_path: Path) -> None:
    beside: Cells = {
        "E10": "January - June 2023",
        "F10": "Non-Consensual Intimate Imagery (NCII)",
        "F11": "Requests Actioned",
    }
    cells = report(**beside, F12=5)
    assert "'January - June 2023' stands beside 'July - December 2023'" in problem(workbook(tmp_path / "r.xlsx", cells))


def test_a_note_that_the_numbers_are_not_final_holds_the_report_back(tmp_path: Path) -> None:
    for said in ("* Accounts Actioned number is preliminary", "Data covers July to October only."):
        assert "not final or not of a whole period" in problem(workbook(tmp_path / "r.xlsx", report(B7=said)))
