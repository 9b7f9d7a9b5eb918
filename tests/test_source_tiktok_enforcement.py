"""TikTok: workbooks until 2022-Q3, one long CSV since; shares, rates and totals that never become one another."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from conftest import document
from lightwell import codes, harmonise, quality, reading, source
from lightwell.archive import Document
from lightwell.harmonise import Harmonised, Observation

TIKTOK = source.load("tiktok_enforcement")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADERS = {
    "2022-Q4": "Metric,Period Type,Period,Policy Type,Issue Policy,Task Type,Task,Location,Market,Result",
    "2023-Q4": "Metric,Period type,Period,Policy type,Issue policy,Task type,Task,Location,Market,Result",
    "2024-Q1": "Metric,Period type,Period,Policy type,Issue,Task type,Task,Location,Market,Result",
}
ALL = ("All",) * 4
Line = tuple[str, ...]
LINES: list[Line] = [
    ("Total videos removed", "quarterly", "Jul-Sep 2021", "all", "all", "all", "all", "all", "all", "7,000"),
    (
        "Total videos removed",
        "Quarterly",
        "Jul-Sep 2021",
        "All",
        "All",
        "task_type",
        "Automation",
        "All",
        "All",
        "40.0",
    ),
    ("Category share", "Quarterly", "Jul-Sep 2021", "Issue", "Minor safety", *ALL, "0.41100000000000003"),
    ("Category share", "Quarterly", "Jul-Sep 2021", "Issue", "Violent extremism", *ALL, "0.013000000000000001"),
    ("Videos restored", "Quarterly", "Jul-Sep 2021", "All", "All", "All", "All", "Market", "Laos", "12.0"),
]


def text(lines: Sequence[Line], header: str = HEADERS["2023-Q4"], bom: str = "\ufeff") -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(lines)
    return f"{bom}{header}\n{written.getvalue()}"


def read(path: Path, content: str) -> Harmonised:
    path.write_text(content, encoding="utf-8")
    return harmonised(replace(document(path, TIKTOK.id), media_type="text/csv"))


def harmonised(of: Document) -> Harmonised:
    found = reading._extract(of, TIKTOK, "v")
    assert found.problem is None, found.problem
    return harmonise.to_observations(found.figures, of, TIKTOK, "v")


def problem(path: Path, media_type: str = "text/csv") -> str:
    return reading._extract(replace(document(path, TIKTOK.id), media_type=media_type), TIKTOK, "v").problem or ""


def said(o: Observation) -> tuple[object, ...]:
    extra = {k: v for k, v in o.dimensions.items() if v != "_T"}
    return o.metric, o.time_period, o.ref_area, o.harm, extra, o.obs_value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiktok.csv"


# --- the CSV ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("bom", ["\ufeff", ""], ids=["bom", "plain"])
def test_the_three_headers_read_alike(path: Path, header: str, bom: str) -> None:
    found = read(path, text(LINES, header, bom))
    assert found.quarantined == []
    assert [said(o) for o in found.observations] == [
        ("videos_removed", "2021-Q3", "_T", "_Z", {}, 7000),
        ("videos_removed", "2021-Q3", "_T", "_Z", {"task": "automation"}, 40),
        (
            "videos_removed_share_by_policy",
            "2021-Q3",
            "_T",
            "minor_safety",
            {"policy_level": "issue", "policy": "minor_safety"},
            0.41100000000000003,
        ),
        (
            "videos_removed_share_by_policy",
            "2021-Q3",
            "_T",
            "_Z",
            {"policy_level": "issue", "policy": "violent_extremism"},
            0.013000000000000001,
        ),
        ("videos_restored", "2021-Q3", "LAO", "_Z", {}, 12),
    ]
    assert {o.unit_measure for o in found.observations} == {"pieces", "ratio"}
    assert quality.check(found, replace(document(path, TIKTOK.id)), TIKTOK).released


def test_columns_may_stand_in_another_order(path: Path) -> None:
    lines = csv.reader(io.StringIO(text(LINES, bom="")))
    turned = io.StringIO()
    csv.writer(turned).writerows(line[::-1] for line in lines)
    assert [said(o) for o in read(path, turned.getvalue()).observations] == [
        said(o) for o in read(path, text(LINES)).observations
    ]


def test_a_file_may_lack_the_type_of_its_periods(path: Path) -> None:
    header = HEADERS["2023-Q4"].replace("Period type,", "")
    found = read(path, text([(line[0], *line[2:]) for line in LINES], header))
    assert [said(o) for o in found.observations] == [said(o) for o in read(path, text(LINES)).observations]


def test_a_share_under_the_name_of_a_count_is_a_share(path: Path) -> None:
    """`Total videos removed` of the task type `Share of total removals` is 0.0 to 1.0: never zero videos, never one."""
    shares = [
        (
            "Total videos removed",
            "Q",
            "Oct-Dec 2023",
            "All",
            "All",
            "Share of total removals",
            views,
            "All",
            "All",
            text,
        )
        for views, text in (("0 views", "0.772"), (">1,000,000 views", "0.0"), ("1-10 views", "1.0"))
    ]
    found = read(path, text([*LINES, *shares]))
    assert [said(o) for o in found.observations[-3:]] == [
        ("videos_removed_share_by_views", "2023-Q4", "_T", "_Z", {"task": "views_0"}, 0.772),
        ("videos_removed_share_by_views", "2023-Q4", "_T", "_Z", {"task": "views_over_1000000"}, 0.0),
        ("videos_removed_share_by_views", "2023-Q4", "_T", "_Z", {"task": "views_1_10"}, 1.0),
    ]


def test_a_market_is_an_area_and_a_language_is_not(path: Path) -> None:
    lines = [
        ("Percentage of moderators assigned", "Q", "Oct-Dec 2023", *ALL[:2], *ALL[:2], "Language", "German", "0.021"),
        ("Proactive removal rate", "Q", "Oct-Dec 2023", *ALL[:2], *ALL[:2], "Market", "Germany", "0.9"),
        ("Proactive removal rate", "Q", "Oct-Dec 2023", *ALL[:2], *ALL[:2], "Market", "Atlantis", "0.9"),
        ("Proactive removal rate", "Q", "Oct-Dec 2023", *ALL[:2], *ALL[:2], "Market", "", "0.8"),
        ("Proactive removal rate", "Q", "Oct-Dec 2023", *ALL[:2], *ALL[:2], "All", "Germany", "0.7"),
    ]
    found = read(path, text(lines))
    assert [said(o)[2:] for o in found.observations] == [
        ("_T", "_Z", {"language": "german"}, 0.021),
        ("DEU", "_Z", {}, 0.9),
    ]
    assert [q.reason.split(":")[0] for q in found.quarantined] == [
        "ref_area",
        "Location says 'Market' and Market ''",
        "Location says 'All' and Market 'Germany'",
    ]


def test_half_years_and_quarters_keep_their_length(path: Path) -> None:
    half = ("Removal rate", "half-year", "Jul-Dec 2022", *ALL[:2], *ALL[:2], "Market", "France", "1")
    (o,) = read(path, text([half])).observations
    assert (o.metric, o.freq, o.time_period, o.period_end) == (
        "removal_rate_base_not_stated",
        "S",
        "2022-S2",
        date(2022, 12, 31),
    )


@pytest.mark.parametrize(
    ("column", "printed", "reason"),
    [
        (0, "Videos watched", "metric: 'Videos watched | All'"),
        (1, "Year to date", "Period type says 'Year to date' and Period"),
        (1, "Annual", "Period type says 'Annual' and Period 'Jul-Sep 2021'"),
        (2, "Jul-Aug 2021", "Period type says 'Quarterly' and Period 'Jul-Aug 2021'"),
        (2, "2021", "Period type says 'Quarterly' and Period '2021'"),
        (3, "Chapter", "dimension policy_level"),
        (4, "Kindness", "harm: 'Kindness' is not in harm_label.csv for tiktok_enforcement"),
        (5, "Guessed", "metric: 'Category share | Guessed'"),
        (6, "Robots", "dimension task: 'Robots'"),
        (9, "41.1%", "number: '41.1%' has a percent sign but its unit is ratio"),
        (9, "-0.4", "number: '-0.4' is negative"),
        (9, "n.a.", "number: 'n.a.' is not a number"),
    ],
)
def test_what_is_not_known_is_quarantined_by_row(path: Path, column: int, printed: str, reason: str) -> None:
    broken = list(LINES[2])
    broken[column] = printed
    found = read(path, text([LINES[0], tuple(broken)]))
    assert len(found.observations) == 1
    assert found.quarantined[0].reason.startswith(reason)


def test_a_year_is_never_of_the_series_of_the_quarters(path: Path) -> None:
    annual = ("Category share", "Annual", "2021", *LINES[2][3:])
    found = read(path, text([LINES[0], annual]))
    assert [(o.freq, o.time_period) for o in found.observations][1:] == [("A", "2021")]
    assert len({o.series_id for o in found.observations}) == 2


def test_a_share_over_one_is_refused(path: Path) -> None:
    found = read(path, text([LINES[0], (*LINES[2][:9], "41.1")]))
    verdict = quality.check(found, document(path, TIKTOK.id), TIKTOK)
    assert [q.expectation for q in verdict.quarantined] == ["ratio_within_0_and_1"]


def test_two_rules_of_one_name_are_not_told_apart_anywhere_in_the_file(path: Path) -> None:
    def rule(policy: str, market: str, value: str) -> Line:
        where = ("All", "All") if market == "All" else ("Market", market)
        level = "Community guidelines rule"
        return ("Category share", "Q", "Apr-Jun 2023", level, policy, "All", "All", *where, value)

    twice = "Youth Exploitation & Abuse"
    lines = [
        rule(twice, "All", "0.3"),
        rule(twice, "All", "0.2"),
        rule(twice, "Peru", "0.4"),
        rule("Gambling", "All", "1.0"),
    ]
    found = read(path, text(lines))
    assert [said(o)[4] for o in found.observations] == [{"policy_level": "policy", "policy": "gambling"}]
    assert [(q.obs_text, "prints 'Youth Exploitation & Abuse' twice" in q.reason) for q in found.quarantined] == [
        ("0.3", True),
        ("0.2", True),
        ("0.4", True),  # it may be either of the two
    ]
    assert "doubt" not in (found.quarantined[0].label_text or "")
    named = [rule(f"Youth Safety & Well-Being - {twice}", "All", "0.3"), rule(twice, "All", "0.2")]
    harms = [(o.harm, o.dimensions["policy"]) for o in read(path, text(named)).observations]
    assert harms == [
        ("child_abuse_and_exploitation", "youth_safety_well_being_youth_exploitation_abuse"),
        ("child_abuse_and_exploitation", "youth_exploitation_abuse"),
    ]


def test_a_row_repeated_is_quarantined_and_costs_no_other(path: Path) -> None:
    found = read(path, text([*LINES, LINES[2]]))
    assert len(found.observations) == 4
    assert {q.expectation for q in found.quarantined} == {"one_figure_a_series_and_period"}


def test_fake_accounts_removed_for_two_reasons_are_two_series(path: Path) -> None:
    lines = [
        ("Accounts removed", "Q", "Oct-Dec 2023", level, "Fake accounts removed", *ALL, value)
        for level, value in (("Ban reason - safety", "80.0"), ("Ban reason - security", "172.0"))
    ]
    before = ("Total accounts removed", "Q", "Jul-Sep 2023", "ban_reason", "Fake accounts removed", *ALL, "73")
    levels = [o.dimensions["policy_level"] for o in read(path, text([*lines, before])).observations]
    assert levels == ["ban_reason_safety", "ban_reason_security", "ban_reason"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (text(LINES, HEADERS["2023-Q4"].replace("Market", "Place")), "stands under no header"),
        (text(LINES, HEADERS["2023-Q4"] + ",Weight"), "stands under no header"),
        (text([(*LINES[0], "7")]), "'7' stands under no header"),
        ("app,policy_area,metric\nFacebook,Spam,1\n", "fits no layout of tiktok_enforcement"),
    ],
    ids=["renamed", "added", "stray", "another publisher"],
)
def test_a_file_unlike_the_layout_is_quarantined_whole(path: Path, content: str, reason: str) -> None:
    path.write_text(content, encoding="utf-8")
    assert reason in problem(path)


# --- the workbooks ---------------------------------------------------------------------------------------------------

DAY = date(2022, 6, 30)
BOOK: dict[str, list[list[object]]] = {
    "Account removals": [
        ["Date", "Accounts suspected to be under the age of 13 removed", "Fake accounts removed",
         "Other accounts removed", "Total accounts removed"],
        [date(2020, 9, 30), 20, None, 10, 30],
        [DAY, 25, 5, 10, 40],
    ],
    "Historical video removals": [["Date", "Total videos removed", "Videos removed by automation"], [DAY, 900, 300]],
    "Removal rates by policy": [
        ["Apr-Jun 2022 removal policy", "Proactive removal rate"], ["Minor safety", 0.975], ["Hateful behaviour", 0.5],
    ],
    "Video removals by policy": [["Date", "Minor safety", "Violent extremism"], [DAY, 0.437, 0.00002]],
    "Total removals and removal rate": [
        ["Date", "Total video removal", "% Removal within 24 hours"], [DAY, 900, 0.937],
    ],
    "Published removal pct": [["Date", "Removal rate of published"], [DAY, 0.01]],
    "Top 30 Countries": [
        ["Country Code", "Country Name", "Total videos removed", "Removals before 24 hours"],
        ["PH", "Philippines", 90, 0.973],
    ],
    "Sub Policy - Non Automated": [
        ["Issue policy", "Sub-policy", "Category Share"], ["Minor safety", "Sexual exploitation of minors", 0.024],
    ],
}  # fmt: skip


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def read_book(path: Path, sheets: dict[str, list[list[object]]]) -> Harmonised:
    return harmonised(replace(document(workbook(path, sheets), TIKTOK.id), media_type=XLSX))


def test_the_sheets_of_a_workbook(path: Path) -> None:
    found = read_book(path, BOOK)
    assert found.quarantined == []
    values = {(o.metric, o.time_period, o.ref_area, o.harm, o.dimensions["policy"], o.dimensions["task"]): o.obs_value
              for o in found.observations}  # fmt: skip
    assert values[("accounts_removed", "2020-Q3", "_T", "_Z", "_T", "_T")] == 30
    assert ("accounts_removed", "2020-Q3", "_T", "_Z", "fake", "_T") not in values, "an empty cell is no zero"
    assert values[("accounts_removed", "2022-Q2", "_T", "_Z", "suspected_under_13", "_T")] == 25
    assert values[("videos_removed", "2022-Q2", "_T", "_Z", "_T", "automation")] == 300
    assert values[("videos_removed_proactive_rate", "2022-Q2", "_T", "minor_safety", "minor_safety", "_T")] == 0.975
    assert values[("videos_removed_share_by_policy", "2022-Q2", "_T", "_Z", "violent_extremism", "_T")] == 0.00002
    assert values[("videos_removed", "2022-Q2", "PHL", "_Z", "_T", "_T")] == 90
    sub = ("child_sexual_exploitation", "sexual_exploitation_of_minors", "human_moderation")
    assert values[("videos_removed_share_by_policy", "2022-Q2", "_T", *sub)] == 0.024
    assert len(found.observations) == 19
    assert quality.check(found, document(path, TIKTOK.id), TIKTOK).released


def test_a_workbook_and_a_csv_print_the_same_series(path: Path) -> None:
    lines = [
        ("Total videos removed", "Q", "Apr-Jun 2022", *ALL[:2], *ALL, "900"),
        ("Proactive removal rate", "Q", "Apr-Jun 2022", "issue", "Hateful behavior", *ALL, "0.5"),
        ("Total accounts removed", "Q", "Apr-Jun 2022", "Ban reason", "Other accounts removed", *ALL, "10.0"),
        ("Total videos removed", "Q", "Apr-Jun 2022", *ALL[:2], *ALL[:2], "Market", "Philippines", "90"),
        ("Category share", "Q", "Apr-Jun 2022", "Community guidelines policy", "Sexual exploitation of minors",
         "task_type", "human moderation", "all", "all", "0.024"),
    ]  # fmt: skip
    series = {(o.series_id, o.time_period): o.obs_value for o in read_book(path, BOOK).observations}
    assert all(series[(o.series_id, o.time_period)] == o.obs_value for o in read(path, text(lines)).observations)


def changed(sheet: str, row: int, column: int, value: object) -> dict[str, list[list[object]]]:
    rows = [list(r) for r in BOOK[sheet]]
    rows[row][column] = value
    return {**BOOK, sheet: rows}


def test_accounts_that_do_not_add_up_hold_the_workbook_back(path: Path) -> None:
    found = read_book(path, changed("Account removals", 2, 3, 11))
    verdict = quality.check(found, document(path, TIKTOK.id), TIKTOK)
    assert not verdict.released
    assert "parts add up to 41, the printed total is 40 (1 too many)" in verdict.quarantined[-1].reason


def test_a_column_or_policy_that_is_not_known_is_quarantined_by_row(path: Path) -> None:
    found = read_book(path, changed("Published removal pct", 0, 1, "Share of dances"))
    assert [q.reason.split(":")[0] for q in found.quarantined] == ["metric"]
    found = read_book(path, changed("Video removals by policy", 0, 1, "Kindness"))
    assert [q.reason.split(":")[0] for q in found.quarantined] == ["harm"]


@pytest.mark.parametrize(
    ("sheets", "reason"),
    [
        ({**BOOK, "Bribes": [["Date", "Bribes"], [DAY, 3]]}, "sheet 'Bribes' is not known"),
        ({k: v for k, v in BOOK.items() if k != "Removal rates by policy"}, "they say nothing"),
        ({k: v for k, v in BOOK.items() if k != "Account removals"}, "table accounts was not found"),
        (
            {**BOOK, "Top 30 Countries": [["Jul-Sep 2021 removal policy"], *BOOK["Top 30 Countries"]]},
            "they say Apr-Jun 2022 and Jul-Sep 2021",
        ),
    ],
    ids=["another sheet", "no quarter", "a sheet lost", "two quarters"],
)
def test_a_workbook_unlike_the_layout_is_quarantined_whole(
    path: Path, sheets: dict[str, list[list[object]]], reason: str
) -> None:
    assert reason in problem(workbook(path, sheets), XLSX)


# --- what is declared beside it --------------------------------------------------------------------------------------


def test_the_eras_of_the_child_policies_are_declared_breaks() -> None:
    breaks = {b.time_period: b for b in codes.codelists().series_break.values() if b.source_id == TIKTOK.id}
    assert {"2022-Q1", "2023-Q2"} <= breaks.keys()
    assert "Minor safety" in breaks["2023-Q2"].description
    assert "Youth Exploitation & Abuse" in breaks["2023-Q2"].description


def test_no_metric_of_counts_is_a_share() -> None:
    for metric in codes.codelists().metric.values():
        if metric.metric.startswith("videos_removed"):
            assert (metric.unit_measure == "ratio") == (metric.measure == "share"), metric.metric


# --- the originals ---------------------------------------------------------------------------------------------------

ORIGINAL = {
    "2021-q3.xlsx": (125, 0),
    "2021-q4.xlsx": (145, 0),
    "2022-q2.xlsx": (461, 0),
    "2022-q4.csv": (1030, 0),
    "2023-q2.csv": (1880, 32),
    "2023-q4.csv": (15966, 0),
}
PROBES = {
    "2021-q3.xlsx": ("videos_removed_share_by_policy", "2021-Q3", "_T", "minor_safety", "0.5095871"),
    "2021-q4.xlsx": ("videos_removed_share_by_policy", "2021-Q3", "_T", "minor_safety", "0.51"),
    "2022-q2.xlsx": ("videos_removed", "2022-Q2", "PHL", "_T", "9694801"),
    "2022-q4.csv": ("videos_removed_before_views_rate", "2022-Q3", "_T", "adult_nudity_and_sexual_activities", "0.821"),
    "2023-q2.csv": ("accounts_removed", "2022-Q4", "_T", "fake", "54453610.0"),
    "2023-q4.csv": ("accounts_removed", "2020-Q3", "_T", "suspected_under_13", "920793.0"),
}


@pytest.mark.parametrize("name", ORIGINAL)
def test_the_originals(originals: Path, name: str) -> None:
    path = originals / "tiktok" / f"tiktok-{name}"
    media_type = XLSX if name.endswith("xlsx") else "text/csv"
    found = harmonised(replace(document(path, TIKTOK.id), media_type=media_type))
    assert (len(found.observations), len(found.quarantined)) == ORIGINAL[name]
    metric, period, area, policy, printed = PROBES[name]
    hits = [
        o.obs_text
        for o in found.observations
        if (o.metric, o.time_period, o.ref_area, o.dimensions["policy"]) == (metric, period, area, policy)
        and o.dimensions["task"] == "_T"
    ]
    assert set(hits) == {printed}
    tables = Counter((o.series_id, o.time_period, o.figure.table) for o in found.observations)
    assert max(tables.values()) == 1
