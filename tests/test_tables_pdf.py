"""PDF tables to figures: replicas of every layout, good and broken, and the originals where they are at hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pdfplumber
import pytest
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from conftest import document
from lightwell import source
from lightwell.errors import LayoutError
from lightwell.tables import Figure, pdf
from lightwell.tables.pdf.words import page_words
from replicas import ListReplica, as_picture, by_country, by_esp, thousands

ESP = source.load("ncmec_by_esp").layouts[0]
COUNTRY = source.load("ncmec_by_country").layouts[0]


def read(path: Path, layout: source.Layout = ESP) -> list[Figure]:
    return list(pdf.extract(document(path), layout))


def printed(figures: list[Figure], label: str = "esp") -> list[tuple[str, str]]:
    return [(f.labels[label], f.text) for f in figures]


def expected(replica: ListReplica) -> list[tuple[str, str]]:
    """One pair a row, the wrapped names joined."""
    rows = [*replica.rows, *([replica.total] if replica.total else [])]
    return [(name.replace("\n", " "), number) for name, *numbers in rows for number in numbers]


TWO_LINES = ("ESP", "Total\nReports")
GOOD: dict[str, Callable[[], ListReplica]] = {
    "ruled, number between the lines of a wrapped name": by_esp,
    "ruled, number on the first line of a wrapped name": lambda: replace(by_esp(), number_line="first"),
    "no rules at all": lambda: replace(by_esp(), rules=False),
    "no rules, number on the first line": lambda: replace(by_esp(), rules=False, number_line="first"),
    "header of two lines": lambda: replace(by_esp(), header=TWO_LINES),
    "header of one word": lambda: replace(by_esp(), header=("ESP", "Reports")),
    "two strips side by side": lambda: replace(by_esp(), pairs=2, rows_per_page=20, header=TWO_LINES),
    "two strips without rules": lambda: replace(by_esp(), pairs=2, rows_per_page=20, header=TWO_LINES, rules=False),
    "two strips, total in a box of its own": lambda: replace(
        by_esp(), pairs=2, rows_per_page=20, header=TWO_LINES, boxed_total=True
    ),
    "total in more words": lambda: replace(by_esp(), total=("Total CyberTipline Reports", by_esp().total[1])),
    "header in more words": lambda: replace(by_esp(), header=("Reporting ESP", "Reports Submitted")),
    "total label in capitals": lambda: replace(by_esp(), total=("TOTAL", by_esp().total[1])),
    "one page": lambda: by_esp(12),
    "last page holds the total alone": lambda: replace(by_esp(60), rows_per_page=60 // 2),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_row_of_a_good_list_comes_out_as_printed(name: str, tmp_path: Path) -> None:
    replica = GOOD[name]()
    assert sorted(printed(read(replica.write(tmp_path / "list.pdf")))) == sorted(expected(replica))


def test_figures_carry_the_printed_period_and_their_column(tmp_path: Path) -> None:
    figures = read(by_esp(year=2031).write(tmp_path / "list.pdf"))
    assert {f.labels["year"] for f in figures} == {"2031"}
    assert {f.labels["column"] for f in figures} == {"reports"}


def test_the_box_of_every_figure_holds_its_text_and_nothing_else(tmp_path: Path) -> None:
    import pdfplumber

    path = by_esp().write(tmp_path / "list.pdf")
    figures = read(path)
    with pdfplumber.open(path) as opened:
        for figure in figures:
            page = opened.pages[figure.locator.page - 1]
            assert page.within_bbox(figure.locator.box).extract_text() == figure.text


def test_two_number_columns_are_told_apart_by_their_headers(tmp_path: Path) -> None:
    replica = by_country(year=2024, columns=2)
    for rules in (True, False):
        figures = read(replace(replica, rules=rules).write(tmp_path / "list.pdf"), COUNTRY)
        assert sorted(printed(figures, "country")) == sorted(expected(replica))
        first = [f for f in figures if f.labels["country"] == "Afghanistan"]
        assert [(f.labels["column"], f.text) for f in first] == [("referrals", "1"), ("informational", "32")]


def test_a_dash_is_kept_as_printed(tmp_path: Path) -> None:
    replica = replace(by_esp(20), rows=[*by_esp(20).rows, ("Nothing Ltd", "-")])
    assert ("Nothing Ltd", "-") in printed(read(replica.write(tmp_path / "list.pdf")))


def _with_row(name: str, number: str) -> ListReplica:
    base = by_esp(40)
    return replace(base, rows=[*base.rows[:20], (name, number), *base.rows[20:]])


def test_a_footnotes_digit_is_never_part_of_a_number_or_a_header(tmp_path: Path) -> None:
    base = by_esp(20)
    rows = [(name, f"{number}^{1 + i % 12}" if i % 3 else f"{number}†") for i, (name, number) in enumerate(base.rows)]
    marked = replace(base, rows=rows, header=("ESP^1", "Number of Reports*"), total=("Total:*", f"{base.total[1]} *"))
    found = printed(read(marked.write(tmp_path / "list.pdf")))
    assert [(n, t.rstrip("†*")) for n, t in found] == expected(base)


def test_a_footnotes_digit_on_a_name_is_kept_as_a_footnotes_digit(tmp_path: Path) -> None:
    base = by_esp(20)
    rows = [(f"{name}^2" if i == 3 else name, number) for i, (name, number) in enumerate(base.rows)]
    found = printed(read(replace(base, rows=rows).write(tmp_path / "list.pdf")))
    assert found[3] == ("Service D3²", base.rows[3][1])


def words_of(tmp_path: Path, *drawn: tuple[float, str], size: float = 11) -> list[str]:
    """What is read of texts drawn on one line, each at its x."""
    canvas = Canvas(str(tmp_path / "line.pdf"))
    canvas.setFont("Helvetica", size)
    for x, text in drawn:
        canvas.drawString(x, 700, text)
    canvas.save()
    with pdfplumber.open(tmp_path / "line.pdf") as opened:
        return [word.text for word in page_words(opened.pages[0])]


def test_a_text_drawn_twice_for_boldness_counts_once(tmp_path: Path) -> None:
    assert words_of(tmp_path, (72, "12"), (72.3, "12")) == ["12"]


def test_two_texts_one_upon_the_other_are_no_number(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="two texts stand one upon the other"):
        words_of(tmp_path, (72, "123"), (74, "456"))


def test_words_set_small_and_without_spaces_stay_apart(tmp_path: Path) -> None:
    gap = 72 + stringWidth("AT&T", "Helvetica", 8) + 2.2  # a space of this type
    assert words_of(tmp_path, (72, "AT&T"), (gap, "Service"), size=8) == ["AT&T", "Service"]


def test_the_rest_of_a_name_below_the_last_number_is_not_left_out(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("replicas.PITCH", 14)
    rows = [(f"Service {i}" + ("\nand Sons" if i == 9 else ""), "1") for i in range(20)]
    replica = ListReplica(rows=rows, total=("Total:", "20"), rows_per_page=10, rules=False, number_line="first")
    with pytest.raises(LayoutError, match="'and Sons' has no number"):
        read(replica.write(tmp_path / "list.pdf"))


@pytest.mark.parametrize("said", ["Note: all figures are in thousands.", "Reports (in millions)"])
def test_numbers_that_count_thousands_are_refused(said: str, tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="not counts as printed"):
        read(replace(by_esp(20), footnote=said).write(tmp_path / "list.pdf"))


@pytest.mark.parametrize(
    "before",
    ["FY ", "Fiscal Year ", "January - June ", "Jan–Jun ", "Q1 ", "First Half ", "2021-", "2021 and ", "Preliminary "],
)
def test_a_title_that_makes_another_period_of_the_year_is_refused(before: str, tmp_path: Path, monkeypatch) -> None:
    draw = Canvas.drawString
    monkeypatch.setattr(
        Canvas,
        "drawString",
        lambda c, x, y, s: draw(c, x, y, before + s if s.endswith("CyberTipline Reports by") else s),
    )
    with pytest.raises(LayoutError, match="which is not the period 2022 or not its final report"):
        read(replace(by_esp(20), running="").write(tmp_path / "list.pdf"))


@pytest.mark.parametrize("before", ["CY ", "Calendar Year "])
def test_a_calendar_year_is_the_year(before: str, tmp_path: Path, monkeypatch) -> None:
    draw = Canvas.drawString
    monkeypatch.setattr(
        Canvas,
        "drawString",
        lambda c, x, y, s: draw(c, x, y, before + s if s.endswith("CyberTipline Reports by") else s),
    )
    assert {f.labels["year"] for f in read(by_esp(20).write(tmp_path / "list.pdf"))} == {"2022"}


@pytest.mark.parametrize(
    "said",
    [
        "*2022 figures cover January through June only.",
        "* Preliminary figures, to be updated.",
        "Figures for 2022 are provisional.",
    ],
)
def test_numbers_that_are_not_final_are_refused(said: str, tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="not final or not of a whole period"):
        read(replace(by_esp(20), footnote=said).write(tmp_path / "list.pdf"))


BROKEN: dict[str, tuple[Callable[[], ListReplica], str]] = {
    "a name without a number": (lambda: _with_row("Nameless Number Inc", ""), "has no number in the column reports"),
    "a number without a name": (lambda: _with_row("", "12"), "the number 12 has no name beside it"),
    "no total": (lambda: replace(by_esp(), total=None), "has no printed total"),
    "header renamed": (
        lambda: replace(by_esp(), header=("ESP", "Tips Received")), "page 1: beside 'ESP' stands 'Tips Received'"),
    "names renamed": (lambda: replace(by_esp(), header=("Who", "Reports")), "was not found"),
    "one of two headers renamed": (
        lambda: replace(by_country(columns=2), header=("Country", "Referrals", "Bundles")), "'Bundles' is unknown"),
    "two headers alike": (
        lambda: replace(by_country(columns=2), header=("Country", "Referrals", "Referrals")), "are headed alike"),
    "numbers of one page moved into the names": (lambda: replace(by_esp(), column_shift=-160), "has no number"),
    "a page without its header": (lambda: replace(by_esp(), header_on_every_page=False), "but no header"),
    "a word among the numbers": (lambda: _with_row("Service", "12 approx."), "stands among the numbers"),
    "rows after the total": (
        lambda: replace(by_esp(), rows=[*by_esp(20).rows, ("Total:", "9"), ("More Ltd", "7")], total=None),
        "goes on after its printed total"),
    "another publisher's title": (lambda: replace(by_esp(), subject="Colour", running=None), "prints the period"),
    "two periods": (lambda: replace(by_esp(), running="2019 Reports by ESP"), "more than one period"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_list_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    make, reason = BROKEN[name]
    replica = make()
    layout = COUNTRY if replica.subject == "Country" else ESP
    with pytest.raises(LayoutError, match=reason):
        read(replica.write(tmp_path / "list.pdf"), layout)


def test_wrapped_names_without_rules_and_without_room_between_rows_are_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("replicas.LEADING", 16.3)  # lines of a name as far apart as the rows: no telling them apart
    with pytest.raises(LayoutError, match="has no number"):
        read(replace(by_esp(), rules=False, number_line="first").write(tmp_path / "list.pdf"))


def test_pictures_of_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="text layer"):
        read(as_picture(by_esp(20).write(tmp_path / "list.pdf"), tmp_path / "picture.pdf"))


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b"<html>not here</html>", b"%PDF-1.4\n" + bytes(2000)])
def test_a_file_that_is_no_readable_pdf_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "list.pdf"
    path.write_bytes(content)
    with pytest.raises(LayoutError):
        read(path)
    with pytest.raises(LayoutError):
        pdf.opening(path)


def test_a_truncated_pdf_is_refused_or_exact(tmp_path: Path) -> None:
    replica = by_esp()
    whole = replica.write(tmp_path / "list.pdf").read_bytes()
    cut = tmp_path / "cut.pdf"
    for part in (0.2, 0.5, 0.8, 0.95, 0.99):
        cut.write_bytes(whole[: int(len(whole) * part)])
        try:
            figures = read(cut)
        except LayoutError:
            continue
        assert sorted(printed(figures)) == sorted(expected(replica))


def test_too_many_pages_are_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    with pytest.raises(LayoutError, match="the cap is 2"):
        read(by_esp().write(tmp_path / "list.pdf"))


def test_opening_tells_title_date_and_first_page(tmp_path: Path) -> None:
    opening = pdf.opening(by_esp().write(tmp_path / "list.pdf"))
    assert opening.title == "2022 CyberTipline Reports by Electronic Service Providers (ESP)"
    assert opening.dated_on is not None
    assert opening.text.startswith("2022 CyberTipline Reports by Electronic Service Providers (ESP)")


def test_drawing_boxes_the_figure(tmp_path: Path) -> None:
    from PIL import Image

    path = by_esp().write(tmp_path / "list.pdf")
    figure = next(f for f in read(path) if len(f.text) > 8)
    pdf.draw(path, figure.locator, tmp_path / "page.png", resolution=72)
    image = Image.open(tmp_path / "page.png").convert("RGB")
    x0, top, x1, bottom = figure.locator.box
    assert image.getpixel((round((x0 + x1) / 2), round(bottom + 2)))[0] > 200  # the red frame under the number
    red = [
        p
        for p in image.crop((int(x0) - 4, int(top) - 3, int(x1) + 5, int(bottom) + 4)).getdata()
        if p[0] > 200 > p[1] + 60
    ]
    assert len(red) > 40


ORIGINAL_LISTS = [
    ("ncmec_by_esp", 2020, 168, 21_447_786), ("ncmec_by_esp", 2021, 230, 29_157_083),
    ("ncmec_by_esp", 2022, 236, 31_802_525), ("ncmec_by_country", 2020, 242, 21_751_085),
    ("ncmec_by_country", 2021, 245, 29_397_681), ("ncmec_by_country", 2022, 247, 32_059_029),
]  # fmt: skip


@pytest.mark.parametrize(("source_id", "year", "numbers", "total"), ORIGINAL_LISTS)
@pytest.mark.parametrize("ruled", [True, False])
def test_originals_reconcile_with_and_without_their_rules(
    source_id: str, year: int, numbers: int, total: int, ruled: bool, originals: Path, monkeypatch
) -> None:
    if not ruled:
        monkeypatch.setattr("lightwell.tables.pdf.lists._rules", lambda page: [])
    path = originals / "ncmec" / f"ncmec-by-{source_id.rpartition('_')[2]}-{year}.pdf"
    figures = read(path, source.load(source_id).layouts[0])
    *parts, last = figures
    counted = [int(f.text.replace(",", "")) for f in parts if f.text != "-"]
    assert (len(counted), sum(counted), last.text) == (numbers, total, thousands(total))
