"""Web pages: what they show is read as printed, and what cannot be told is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from conftest import document
from lightwell.errors import LayoutError
from lightwell.source import Layout
from lightwell.tables import Figure, Locator, html

LAYOUT = {
    "tables": [
        {"name": "counts", "kind": "records", "labels": {"what": "Kind"}, "values": {"n": "Count.*", "m": "More"}},
        {
            "name": "told",
            "kind": "prose",
            "pattern": r"made (?P<text>[\d,.\u00a0]+) (?P<what>\w+)",
            "required": False,
        },
    ],
    "ignore_sheets": ["(?!.*Kind).*"],
}
TABLE = "<table><tr><th>Kind<th>Count<tr><td>Boats<td>{}</table>"


def page(body: str, head: str = "<title> Harbour\n report </title>") -> str:
    return f"<!doctype html><html><head><meta charset=utf-8>{head}</head><body>{body}</body></html>"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "page.html"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def figures(folder: Path, content: str | bytes) -> list[Figure]:
    path = write(folder, content)
    return list(html.extract(replace(document(path), media_type="text/html"), Layout.model_validate(LAYOUT)))


def said(found: list[Figure]) -> list[tuple[str, str]]:
    return [(f.labels["what"], f.text) for f in found]


def test_a_table_is_read_with_its_heading_and_a1_references(tmp_path: Path) -> None:
    found = figures(tmp_path, page("<h2>In <i>harbour</i></h2><p>Text.</p>" + TABLE.format(" 1,234&nbsp;")))
    assert [(f.table, dict(f.labels), f.text.strip(), str(f.locator)) for f in found] == [
        ("counts", {"what": "Boats", "column": "n"}, "1,234", "sheet=In+harbour&cell=B2")
    ]


def test_a_caption_goes_before_the_heading_and_names_are_told_apart(tmp_path: Path) -> None:
    table = TABLE.format("5")
    captioned = table.replace("<table>", "<table><caption>Afloat</caption>")
    found = figures(tmp_path, page(f"<h2>Harbour</h2>{table}{table}{captioned}"))
    assert [f.locator.sheet for f in found] == ["Harbour", "Harbour (2)", "Afloat"]


def test_the_opening_is_the_title_and_what_the_page_shows(tmp_path: Path) -> None:
    path = write(tmp_path, page("<p>Boats &amp; <b>ships</b></p><script>var hidden = '<p>no</p>'</script>"))
    assert html.opening(path) == html.Opening("Harbour report", None, "Harbour report Boats & ships")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("1,234<sup>1</sup>", "1,234¹"),
        ("1,234<sup>[2]</sup>", "1,234²"),
        ('1,234<a href="#note">3</a>', "1,234³"),
        ('1,234<sup><a href="#n">*</a></sup>', "1,234*"),
        ("5<sup>m</sup>", "5[m]"),
        ("234<sub>1</sub>", "234¹"),
        ("<b>1</b>23", "1 23"),
        ("1,2<!-- -->34", "1,234"),
        ("1,2&#8203;34", "1,234"),
        ("<del>1,000</del> 1,200", "1,000 1,200"),
        ('<span hidden>9</span>12<span style="display: none">3</span>', "12"),
        ('<div style="visibility:hidden"><p>7</div>12', "12"),
        ("<noscript>9</noscript>12<template>3</template><svg><text>4</text></svg>", "12"),
        ("&lt;50", "<50"),
        ("<p>12</p><p>13</p>", "12 13"),
    ],
)
def test_a_cell_is_what_is_shown_and_a_footnote_is_no_digit(tmp_path: Path, cell: str, text: str) -> None:
    assert said(figures(tmp_path, page(TABLE.format(cell)))) == [("Boats", text)]


def test_labels_may_stretch_and_every_slot_has_them(tmp_path: Path) -> None:
    table = "<tr><th>Kind<th>Count<th>Place<tr><td rowspan=2>Boats<td>1<td>x<tr><td>2<td>y"
    layout = Layout.model_validate(
        {
            "tables": [
                {
                    "name": "c",
                    "kind": "records",
                    "labels": {"what": "Kind", "at": "Place"},
                    "values": {"n": "Count"},
                }
            ]
        }
    )
    path = write(tmp_path, page(f"<table>{table}</table>"))
    found = list(html.extract(document(path), layout))
    assert [(f.labels["what"], f.labels["at"], f.text, f.locator.cell) for f in found] == [
        ("Boats", "x", "1", "B2"),
        ("Boats", "y", "2", "B3"),
    ]


def test_a_number_that_stretches_is_refused(tmp_path: Path) -> None:
    table = "<table><tr><th>Kind<th>Count<th>More<tr><td>Boats<td colspan=2>7</table>"
    with pytest.raises(LayoutError, match=r"cell=B2: '7' stretches over several"):
        figures(tmp_path, page(table))


def test_a_number_in_a_sentence_has_line_and_range(tmp_path: Path) -> None:
    found = figures(
        tmp_path, page("\n<p>We\nmade <b>1,234</b> voyages.</p><p>made 5</p><p>voyages</p>" + TABLE.format(7))
    )
    told = [(f.labels["what"], f.text, f.locator) for f in found if f.table == "told"]
    assert told == [("voyages", "1,234", Locator(line=4, column="block 1, 9-13"))]
    assert Locator.parse(str(told[0][2])) == told[0][2]


def test_hidden_sentences_and_tables_are_not_there(tmp_path: Path) -> None:
    hidden = f"<div hidden><p>We made 5 voyages</p>{TABLE.format('6')}</div>"
    assert said(figures(tmp_path, page(hidden + TABLE.format("7")))) == [("Boats", "7")]


def test_a_table_of_other_things_is_left_out_and_an_unknown_one_refused(tmp_path: Path) -> None:
    other = "<table><tr><th>Colour<th>Count<tr><td>Red<td>3</table>"
    assert said(figures(tmp_path, page(other + TABLE.format("7")))) == [("Boats", "7")]
    with pytest.raises(LayoutError, match="'Sort Count' stands under no header"):
        figures(tmp_path, page(TABLE.format("7") + TABLE.format("Kind").replace("<th>Kind", "<th>Sort")))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<form><label>Password <input type=password></label></form>", "no table and no sentence of the page is known"),
        ("<h1>Just a moment...</h1>", "login or challenge page"),
        ("<div id=root></div><script>run()</script>", "scripts fill it"),
        ("<table><tr><td><table><tr><td>1</table></table>", "a table within a table"),
        ("<table><tr><td>1", "is it cut off"),
        ("<table><tr><td colspan=x>1</table>", "colspan='x' is no number"),
        ("<table><tr><td colspan=5000>1</table>", "colspan='5000' is no number"),
        ("<table>stray<tr><td>1</table>", "in no cell of it"),
        ("<table><tr><td>1<td rowspan=2>2<tr><td colspan=2>3</table>", "overlap"),
        ("<div>" * 500, "nested deeper"),
        ("<table>" + "<tr><td colspan=1000>1" * 300 + "</table>", "more than 200,000 cells"),
    ],
)
def test_what_cannot_be_told_is_refused(tmp_path: Path, body: str, reason: str) -> None:
    with pytest.raises(LayoutError, match=reason):
        figures(tmp_path, page(body))


@pytest.mark.parametrize(
    "tail", ["<p>We made 1,2", "<table", "<!-- ", "<script>x = 1", "<a " * 40_000, "<!--" * 40_000]
)
def test_a_page_that_is_cut_off_is_refused_at_once(tmp_path: Path, tail: str) -> None:
    with pytest.raises(LayoutError, match="cut off"):
        figures(tmp_path, "<!doctype html><body>" + TABLE.format("7") + tail)


def test_the_encoding_is_the_pages_own(tmp_path: Path) -> None:
    table = TABLE.format("7").replace("Boats", "Bäte")
    for content in (
        table.encode("utf-8-sig"),
        table.encode(),
        b"<meta charset='ISO-8859-1'>" + table.encode("latin-1"),
        b'<meta http-equiv=x content="text/html; charset=windows-1252">' + table.encode("cp1252"),
        table.encode("utf-16"),
    ):
        assert said(figures(tmp_path, b"<!doctype html>" * (content[:2] != b"\xff\xfe") + content)) == [("Bäte", "7")]
    with pytest.raises(LayoutError, match="is not utf-8"):
        figures(tmp_path, table.encode("latin-1"))
    with pytest.raises(LayoutError, match="encoding is 'rot13'"):
        figures(tmp_path, b"<meta charset=rot13>" + table.encode())


def test_a_page_beyond_the_cap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="the cap is 10,000,000"):
        figures(tmp_path, b"<!doctype html>" + b" " * 10_000_000)
