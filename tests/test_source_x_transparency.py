"""X's report: tables of shaded cells under large headings, read from a replica and from the original."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import pytest
from reportlab.lib.colors import Color
from reportlab.pdfgen.canvas import Canvas

from conftest import document
from lightwell import harmonise, quality, reading, source
from lightwell.errors import LayoutError
from lightwell.harmonise import Harmonised
from lightwell.quality import Verdict
from lightwell.tables import pdf

X = source.load("x_transparency")
HEIGHT, WIDTH = 1584, 1224
Rows = list[list[str]]
Page = list[tuple[str, list[Rows]]]  # sections: a heading and its tables

REVIEW = ["", "TOTAL ACTIONS", "AUTOMATED", "HUMAN"]
REPORT: list[Page] = [
    [
        (
            "USER REPORTS\nAND TOTAL ENFORCEMENT ACTIONS",
            [
                [["USER REPORTS", "1,030"]],
                [
                    ["POLICY AREA", "TOTAL", "% OF TOTAL\nREPORTS"],
                    ["Child Safety", "1,000", "97.09%"],
                    ["Illegal or Regulated Goods and Services", "30", "2.91%"],
                ],
            ],
        )
    ],
    [
        (
            "ENFORCEMENT\nACTIONS",
            [
                [
                    ["TOTAL ACCOUNT\nSUSPENSIONS", "2,005"],
                    ["TOTAL POSTS\nREMOVED OR LABELED", "17"],
                    ["OVERALL POSTS\nVIOLATION RATE", "0.0123%"],
                ],
                [
                    ["POLICY AREA", "ACCOUNT\nSUSPENSIONS", "POSTS REMOVED\nOR LABELED", "POST\nVIOLATION RATE"],
                    ["Child Safety", "2,000", "14", "<0.0001%"],
                    ["Illegal or Regulated Goods & Services", "5", "3", "0.0057%"],
                ],
            ],
        )
    ],
    [
        (
            "CHILD SAFETY",
            [
                [
                    REVIEW,
                    ["NCMEC Reports", "370", "35", "335"],
                    ["Accounts Suspended", "2,000", "1,900", "100"],
                    ["Content Removed", "14", "4", "10"],
                ]
            ],
        ),
        ("ILLEGAL OR REGULATED GOODS/SERVICES", [[REVIEW, ["Accounts Suspended", "5", "0", "5"]]]),
    ],
    [
        (
            "INFORMATION AND REMOVAL REQUESTS",
            [
                [
                    ["", "TOTAL NUMBER\nOF REQUESTS", "CASES\nDISCLOSED", "DISCLOSURE\nRATE"],
                    ["TOTAL INFORMATION REQUESTS", "40", "9", "22.5%"],
                    ["USA", "30", "8", "26%"],
                    ["EU", "7", "1", "14%"],
                    ["All Others", "3", "0", "0%"],
                ]
            ],
        )
    ],
]


def write(path: Path, pages: Sequence[Page] = REPORT, period: str = "H1 2024", loose: str = "") -> Path:
    """A report drawn as X's is: every cell a filled rectangle, headings in type of twice the size."""
    canvas = Canvas(str(path), pagesize=(WIDTH, HEIGHT))
    for number, page in enumerate(pages, start=1):
        canvas.setFillColor(Color(0, 0, 0))
        canvas.rect(0, 0, WIDTH, HEIGHT, stroke=0, fill=1)
        _print(canvas, 75, 60, f"{number} Global Transparency Report | {period}", 12)
        y = 180.0
        for heading, tables in page:
            for line in heading.split("\n"):
                _print(canvas, 75, y, line, 42)
                y += 60
            _print(canvas, 75, y, f"We keep people safe {loose}".strip(), 20)
            for table in tables:
                y = _table(canvas, table, y + 60)
            y += 90
        canvas.showPage()
    canvas.save()
    return path


def _table(canvas: Canvas, rows: Rows, y: float) -> float:
    edges = [75.0, 500.0, 690.0, 880.0, 1070.0]
    for row in rows:
        for k, text in enumerate(row):
            canvas.setFillColor(Color(0.2, 0.2, 0.2) if k else Color(0.4, 0.4, 0.5))
            canvas.rect(edges[k], HEIGHT - y - 60, edges[k + 1] - edges[k], 60, stroke=0, fill=1)
            for i, line in enumerate(text.split("\n")):
                _print(canvas, edges[k] + 8, y + 24 + 22 * i, line, 18)
        y += 60
    return y


def _print(canvas: Canvas, x: float, y: float, text: str, size: int) -> None:
    canvas.setFillColor(Color(1, 1, 1))
    canvas.setFont("Helvetica", size)
    canvas.drawString(x, HEIGHT - y, text)


def read(path: Path) -> tuple[Harmonised, Verdict]:
    of = document(path, X.id)
    layout = reading.choose_layout(X, pdf.opening(path).text)
    found = harmonise.to_observations(X.extractor("application/pdf")(of, layout), of, X, "v")
    return found, quality.check(found, of, X)


def values(found: Harmonised, metric: str, **wanted: str) -> dict[tuple[str, str], tuple[float | None, bool]]:
    return {
        (o.dimensions.get("policy_area", o.ref_area), o.dimensions.get("review", "")): (o.obs_value, o.is_total)
        for o in found.observations
        if o.metric == metric and all(getattr(o, k) == v for k, v in wanted.items())
    }


def changed(page: int, section: int, table: int, row: int, cells: list[str] | None) -> list[Page]:
    pages = deepcopy(REPORT)
    rows = pages[page][section][1][table]
    rows[row : row + 1] = [] if cells is None else [cells]
    return pages


def test_every_table_is_read_under_its_heading(tmp_path: Path) -> None:
    found, verdict = read(write(tmp_path / "x.pdf"))
    assert verdict.released
    assert verdict.quarantined == []
    assert {(o.reporter, o.subject, o.time_period, o.freq) for o in found.observations} == {
        ("x_corp", "x", "2024-S1", "S")
    }
    assert values(found, "reports_to_ncmec", harm="_T") == {
        ("child_safety", "_T"): (370, True),
        ("child_safety", "automated"): (35, False),
        ("child_safety", "human"): (335, False),
    }
    assert values(found, "accounts_suspended", harm="child_sexual_exploitation") == {
        ("child_safety", "_T"): (2000, True),
        ("child_safety", "automated"): (1900, False),
        ("child_safety", "human"): (100, False),
    }
    assert values(found, "user_reports_received") == {
        ("all_but_platform_manipulation", ""): (1030, True),
        ("child_safety", ""): (1000, False),
        ("illegal_or_regulated_goods_and_services", ""): (30, False),
    }
    assert values(found, "information_requests") == {
        ("_T", ""): (40, True),
        ("USA", ""): (30, False),
        ("EUE", ""): (7, False),
        ("W1", ""): (3, False),
    }


def test_a_policy_printed_in_three_ways_is_one_series(tmp_path: Path) -> None:
    found, _ = read(write(tmp_path / "x.pdf"))
    policies = {o.dimensions["policy_area"] for o in found.observations if o.harm == "_Z" and o.dimensions}
    assert policies == {"illegal_or_regulated_goods_and_services"}


def test_a_share_below_a_bound_is_its_bound(tmp_path: Path) -> None:
    found, _ = read(write(tmp_path / "x.pdf"))
    rate = next(o for o in found.observations if o.obs_text == "<0.0001%")
    assert (rate.obs_value, rate.value_low, rate.value_high, rate.obs_status) == (None, 0.0, 0.0001, "Q")


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (changed(0, 0, 1, 1, None), "1 parts add up to 30, the printed total is 1,030"),
        (changed(1, 0, 1, 1, ["Child Safety", "2,001", "14", "<0.0001%"]), "the printed total is 2,005"),
        (changed(2, 0, 0, 1, ["NCMEC Reports", "370", "35", "334"]), "2 parts add up to 369"),
        (changed(1, 0, 1, 1, ["Youth Safety", "2,000", "14", "<0.0001%"]), "add it there after review"),
        (changed(2, 0, 0, 1, ["INTERPOL Reports", "370", "35", "335"]), "'INTERPOL Reports'"),
    ],
)
def test_what_does_not_add_up_or_is_not_known_puts_the_document_in_quarantine(
    tmp_path: Path, pages: list[Page], said: str
) -> None:
    _, verdict = read(write(tmp_path / "x.pdf", pages))
    assert not verdict.released
    assert said in " ".join(q.reason for q in verdict.quarantined)


def test_a_breakdown_unlike_the_summary_puts_the_document_in_quarantine(tmp_path: Path) -> None:
    pages = changed(2, 0, 0, 2, ["Accounts Suspended", "1,999", "1,899", "100"])
    found, verdict = read(write(tmp_path / "x.pdf", pages))
    assert not verdict.released
    assert "printed more than once" in found.quarantined[0].reason


def test_requests_that_do_not_add_up_are_held_back_alone(tmp_path: Path) -> None:
    pages = changed(3, 0, 0, 1, ["TOTAL INFORMATION REQUESTS", "40", "8", "20%"])
    found, verdict = read(write(tmp_path / "x.pdf", pages))
    assert verdict.released
    rejected = {o.metric for o in found.observations if o.observation_id in verdict.rejected_ids}
    assert rejected == {"information_requests_answered"}
    assert len(verdict.rejected_ids) == 4


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (changed(2, 0, 0, 0, ["", "TOTAL", "AUTOMATED", "HUMAN"]), "fits no table of the layout"),
        (changed(1, 0, 1, 0, ["POLICY AREA", "ACCOUNTS", "POSTS", "2024 RATE"]), "does not fit|in no codelist"),
        (changed(2, 0, 0, 1, ["", "370", "35", "335"]), "has no name"),
        (REPORT[1:], "table user_reports was not found|fits no table"),
    ],
)
def test_a_document_unlike_its_layout_is_refused(tmp_path: Path, pages: list[Page], said: str) -> None:
    with pytest.raises(LayoutError, match=said):
        read(write(tmp_path / "x.pdf", pages))


def test_a_figure_outside_every_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="the figure '12,345' stands in no table with shaded cells"):
        read(write(tmp_path / "x.pdf", loose="from 12,345 people"))


def test_another_period_or_none_is_told(tmp_path: Path) -> None:
    found, _ = read(write(tmp_path / "x.pdf", period="H2 2024"))
    assert {o.time_period for o in found.observations} == {"2024-S2"}
    with pytest.raises(LayoutError, match="the first page does not say which period"):
        read(write(tmp_path / "x.pdf", period="Spring 2024"))


def test_the_original_comes_out_exact(originals: Path) -> None:
    found, verdict = read(originals / "x" / "x-2024-h1.pdf")
    assert verdict.released
    assert len(found.observations) == 171
    assert values(found, "reports_to_ncmec") == {
        ("child_safety", "_T"): (370_588, True),
        ("child_safety", "automated"): (35_176, False),
        ("child_safety", "human"): (335_412, False),
    }
    child = {
        (o.metric, o.dimensions.get("review")): o.obs_value
        for o in found.observations
        if o.harm == "child_sexual_exploitation"
    }
    assert child["user_reports_received", None] == 8_928_019
    assert child["accounts_suspended", "_T"] == 2_781_634
    assert child["content_removed", "human"] == 12_926
    held = {(o.metric, o.obs_text) for o in found.observations if o.observation_id in verdict.rejected_ids}
    assert len(held) == 12
    assert ("information_requests_answered", "9,897") in held  # its parts add up to 9,979
    assert ("removal_requests", "72,703") in held  # its parts add up to 72,704


def test_the_page_and_box_of_a_figure_hold_it(originals: Path) -> None:
    import pdfplumber

    path = originals / "x" / "x-2024-h1.pdf"
    found, _ = read(path)
    reports = next(o for o in found.observations if o.obs_text == "370,588")
    assert reports.figure.locator.page == 7
    box = reports.figure.locator.box
    assert box is not None
    with pdfplumber.open(path) as opened:
        words = [w["text"] for w in opened.pages[6].extract_words() if box[0] - 1 <= w["x0"] and w["x1"] <= box[2] + 1]
    assert "370,588" in words


def test_a_page_of_another_kind_is_refused(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "other.pdf"), pagesize=(WIDTH, HEIGHT))
    canvas.drawString(80, 800, "Global Transparency Report | H1 2024 is about something else")
    canvas.save()
    with pytest.raises(LayoutError, match="table user_reports was not found"):
        read(tmp_path / "other.pdf")


@pytest.mark.parametrize("printed", ["H2 2023", "UNIQUE USERS", "PER MILLION\nUSERS"])
def test_a_column_that_is_no_total_is_no_count_of_user_reports(tmp_path: Path, printed: str) -> None:
    pages = deepcopy(REPORT)
    pages[0][0][1][1][0][1] = printed
    with pytest.raises(LayoutError, match="of table user_reports does not fit"):
        read(write(tmp_path / "x.pdf", pages))


def test_two_halves_in_the_title_are_no_half(tmp_path: Path) -> None:
    found, verdict = read(write(tmp_path / "x.pdf", period="H1 2024 and H2 2023"))
    assert not verdict.released
    assert "'H1 2024 and H2 2023' is no period" in found.quarantined[0].reason


def test_a_preliminary_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="not final or not of a whole period"):
        read(write(tmp_path / "x.pdf", period="H1 2024 (preliminary)"))
