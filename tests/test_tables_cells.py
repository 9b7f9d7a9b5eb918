"""Cells to figures: records and crosstabs in text tables and workbooks, and what is refused in them."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from conftest import document
from lightwell.archive import Document
from lightwell.errors import LayoutError
from lightwell.source import Layout
from lightwell.tables import READERS, Figure, cells, delimited, reader, spreadsheet

HARBOURS: dict[str, Any] = {
    "name": "harbours",
    "kind": "records",
    "labels": {"harbour": "Harbour", "month": "Month"},
    "values": {"letters": "Letters", "parcels": "Parcels?"},
}
BY_YEAR: dict[str, Any] = {
    "name": "years",
    "kind": "crosstab",
    "labels": {"harbour": "Harbour"},
    "across": "year",
    "columns": r"20\d\d",
}


def layout(*tables: dict[str, Any], **more: Any) -> Layout:
    return Layout.model_validate({"tables": list(tables), **more})


def text_table(tmp_path: Path, content: str | bytes) -> Document:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return document(path)


def workbook(tmp_path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Document:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(tmp_path / "book.xlsx")
    return document(tmp_path / "book.xlsx")


def told(figures: Sequence[Figure]) -> list[tuple[str, tuple[str, ...], str, str]]:
    return [(f.table, tuple(f.labels.values()), f.text, str(f.locator)) for f in figures]


def read(of: Document, by: Layout) -> list[tuple[str, tuple[str, ...], str, str]]:
    return told(list(delimited.extract(of, by)))


def refusal(of: Document, by: Layout) -> str:
    module = spreadsheet if of.path is not None and of.path.suffix == ".xlsx" else delimited
    with pytest.raises(LayoutError) as caught:
        list(module.extract(of, by))
    return str(caught.value)


# --- records and crosstabs -------------------------------------------------------------------------------------------


def test_records_have_their_labels_their_columns_and_their_places(tmp_path: Path) -> None:
    of = text_table(tmp_path, 'Harbour,Letters,Month,PARCEL\nHull,"1,200",May,3\n"Bridge, port",--,June,0\n')
    assert read(of, layout(HARBOURS)) == [
        ("harbours", ("Hull", "May", "letters"), "1,200", "line=2&column=2"),
        ("harbours", ("Hull", "May", "parcels"), "3", "line=2&column=4"),
        ("harbours", ("Bridge, port", "June", "letters"), "--", "line=3&column=2"),
        ("harbours", ("Bridge, port", "June", "parcels"), "0", "line=3&column=4"),
    ]


def test_a_crosstab_makes_a_label_of_every_other_header(tmp_path: Path) -> None:
    of = text_table(tmp_path, "Harbour,2021,2022\nHull,1,2\n")
    assert [row[1:3] for row in read(of, layout(BY_YEAR))] == [(("Hull", "2021"), "1"), (("Hull", "2022"), "2")]


def test_stacked_tables_are_parted_by_blank_rows_or_by_the_next_header(tmp_path: Path) -> None:
    parts = ["Harbour,Letters,Month,Parcels\nHull,1,May,2\n", "Harbour,2021\nHull,7\n"]
    by = layout(HARBOURS, BY_YEAR)
    parted = read(text_table(tmp_path, "\n,,,\n".join(parts)), by)
    joined = read(text_table(tmp_path, "".join(parts)), by)
    assert [row[:3] for row in parted] == [row[:3] for row in joined]
    assert [row[0] for row in parted] == ["harbours", "harbours", "years"]
    assert parted[-1][3] == "line=6&column=2"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_line_ends_and_marks_of_byte_order(tmp_path: Path, delimiter: str, end: str) -> None:
    lines = ["Harbour,Letters,Month,Parcels", "Hull,1,May,2"]
    content = "\ufeff" + "".join(line.replace(",", delimiter) + end for line in lines)
    assert [row[2] for row in read(text_table(tmp_path, content), layout(HARBOURS))] == ["1", "2"]


def test_a_cell_over_several_lines_leaves_the_line_numbers_right(tmp_path: Path) -> None:
    of = text_table(tmp_path, 'Harbour,Letters,Month,Parcels\n"Hull\nquay",1,May,2\nGoole,3,May,4\n')
    assert [row[3] for row in read(of, layout(HARBOURS))][::2] == ["line=2&column=2", "line=4&column=2"]


def test_rows_are_skipped_only_where_it_is_declared(tmp_path: Path) -> None:
    of = text_table(tmp_path, "Harbour,Letters,Month,Parcels\nHull,1,May,\nDrafts,2,May,3\n")
    skipping = HARBOURS | {"skip": {"harbour": "drafts"}, "empty": "skip"}
    assert [row[2] for row in read(of, layout(skipping))] == ["1"]
    assert [row[2] for row in read(of, layout(HARBOURS))] == ["1", "", "2", "3"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "Harbour,Letters,Month,Bundles\nHull,1,May,2\n",
            "line 1: 'Harbour Letters Month Bundles' stands under no header",
        ),
        ("Harbour,Letters,Month,Parcels,Weight\nHull,1,May,2,3\n", "stands under no header that the layout knows"),
        ("Harbour,Letters,Month,Parcels\nHull,1,May,2,9\n", "line 2: '9' stands under no header"),
        ("A title\nHarbour,Letters,Month,Parcels\nHull,1,May,2\n", "line 1: 'A title' stands under no header"),
        ("Harbour,Harbour,Letters,Month\nHull,Hull,1,May\n", "stands under no header that the layout knows"),
        ("Harbour,Letters,Month,Parcels\n", "table harbours was not found"),
        ('Harbour,Letters,Month,Parcels\n"Hull,1,May,2\n', "line 2: unexpected end of data"),
        (b"Harbour,Letters\xff,Month,Parcels\n", "byte 15 is not UTF-8"),
    ],
    ids=["renamed", "added", "stray", "title", "label twice", "no rows", "open quote", "bytes"],
)
def test_what_cannot_be_accounted_for_is_refused(tmp_path: Path, content: str | bytes, reason: str) -> None:
    assert reason in refusal(text_table(tmp_path, content), layout(HARBOURS))


def test_a_title_may_be_ignored_and_a_column_unused_by_declaration(tmp_path: Path) -> None:
    of = text_table(tmp_path, "A title\nHarbour,Letters,Month,Parcels,Weight\nHull,1,May,2,9\n")
    by = layout(HARBOURS | {"unused": ["Weight"]}, ignore=["A .*"])
    assert [row[2] for row in read(of, by)] == ["1", "2"]


def test_more_rows_than_any_report_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_ROWS", 3)
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 3)
    rows = [["Harbour", "2021"], *([["Hull", 1]] * 4)]
    assert "more than 3 rows" in refusal(text_table(tmp_path, "Harbour,2021\n" + "Hull,1\n" * 4), layout(BY_YEAR))
    assert "sheet Ships has" in refusal(workbook(tmp_path, {"Ships": rows}), layout(BY_YEAR))


# --- what a document says of itself ----------------------------------------------------------------------------------


def test_the_address_gives_labels_or_the_document_is_refused(tmp_path: Path) -> None:
    of = text_table(tmp_path, "Harbour,2021\nHull,1\n")
    by = layout(BY_YEAR, address=r"/(?P<quarter>20\d\d-q\d)/")
    assert "add it again with `lightwell add ncmec_by_esp FILE --url ADDRESS`" in refusal(of, by)
    given = replace(of, url="https://harbour.example/2021-q3/letters.csv")
    assert read(given, by)[0][1] == ("2021-q3", "Hull", "2021")


def test_the_cells_give_labels_of_the_whole_document_or_it_is_refused(tmp_path: Path) -> None:
    by = layout(BY_YEAR, stated=r"Letters of (?P<quarter>\w+-\w+ 20\d\d)", ignore=["Letters of .*", "Notes"])
    table = "\nHarbour,2021\nHull,1\n"
    assert read(text_table(tmp_path, f"Letters of Jul-Sep 2021\n{table}"), by)[0][1][0] == "Jul-Sep 2021"
    assert "they say nothing" in refusal(text_table(tmp_path, f"Notes\n{table}"), by)
    two = f"Letters of Jul-Sep 2021\nLetters of Oct-Dec 2021\n{table}"
    assert "they say Jul-Sep 2021 and Oct-Dec 2021" in refusal(text_table(tmp_path, two), by)


# --- workbooks -------------------------------------------------------------------------------------------------------


def test_values_of_a_workbook_are_taken_as_stored(tmp_path: Path) -> None:
    stored = [
        12.0,
        0.998,
        0.00002,
        0.5095871,
        123456789012,
        True,
        date(2021, 9, 30),
        datetime(2021, 9, 30, 8, 5),
        " 7 ",
    ]
    rows = [["Harbour", *range(2001, 2001 + len(stored))], ["Hull", *stored]]
    found = list(spreadsheet.extract(workbook(tmp_path, {"A": rows}), layout(BY_YEAR)))
    assert [f.text for f in found] == [
        "12", "0.998", "0.00002", "0.5095871", "123456789012", "true", "2021-09-30", "2021-09-30 08:05:00", "7",
    ]  # fmt: skip
    assert str(found[0].locator) == "sheet=A&cell=B2"
    assert str(found[-1].locator) == "sheet=A&cell=J2"


def test_a_table_keeps_to_the_sheets_it_is_declared_for(tmp_path: Path) -> None:
    rows = [["Harbour", 2021], ["Hull", 1]]
    of = workbook(tmp_path, {"Letters": rows, "Parcels": rows, "Empty": []})
    by = layout(BY_YEAR | {"sheet": "^Letters"}, BY_YEAR | {"name": "parcels", "sheet": "^Parcels"})
    assert [f.table for f in spreadsheet.extract(of, by)] == ["years", "parcels"]
    alone = BY_YEAR | {"sheet": "^Letters"}
    assert "sheet 'Parcels' is not known" in refusal(of, layout(alone))
    assert len(list(spreadsheet.extract(of, layout(alone, ignore_sheets=["parcels"])))) == 1


def test_two_header_rows_are_no_header(tmp_path: Path) -> None:
    """Blocks side by side need a reader of their own: none of their numbers comes out under one header's name."""
    rows = [["", "Letters", "", "Parcels", ""], ["Harbour", 2021, 2022, 2021, 2022], ["Hull", 1, 2, 3, 4]]
    assert "'Letters Parcels' stands under no header" in refusal(workbook(tmp_path, {"A": rows}), layout(BY_YEAR))


def test_a_blank_column_before_the_table_and_a_formula_do_no_harm(tmp_path: Path) -> None:
    rows = [["", "Harbour", 2021], ["", "Hull", "=1+1"], ["", "Goole", 3]]
    found = list(spreadsheet.extract(workbook(tmp_path, {"A": rows}), layout(BY_YEAR)))
    assert [(f.text, f.locator.cell) for f in found] == [
        ("a formula without a stored value", "C2"),  # nothing is calculated, and it is no empty cell
        ("3", "C3"),
    ]


def broken(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "broken.xlsx"
    path.write_bytes(content)
    with pytest.raises(LayoutError) as caught:
        list(spreadsheet.extract(document(path), layout(BY_YEAR)))
    with pytest.raises(LayoutError):
        spreadsheet.opening(path)
    return str(caught.value)


def test_a_zip_bomb_is_refused_unread(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", "")
        parts.writestr("xl/worksheets/sheet1.xml", b" " * 50_000_000)
    assert "unpacks to 50,000,000 bytes" in broken(tmp_path, bomb.getvalue())


def test_a_workbook_that_is_damaged_or_locked_is_refused(tmp_path: Path) -> None:
    whole = workbook(tmp_path, {"A": [["Harbour", 2021], ["Hull", 1]]}).path
    assert whole is not None
    content = whole.read_bytes()
    assert "damaged" in broken(tmp_path, content[: len(content) // 2])
    locked = bytes.fromhex("d0cf11e0a1b11ae1") + b"EncryptedPackage".ljust(2048, b"\0")  # how Excel stores a password
    assert "damaged" in broken(tmp_path, locked)
    hollow = io.BytesIO()
    with zipfile.ZipFile(hollow, "w") as parts:
        parts.writestr("[Content_Types].xml", "<Types/>")
        parts.writestr("xl/workbook.xml", "<workbook")
    assert "cannot be read" in broken(tmp_path, hollow.getvalue())


def test_a_document_without_its_file_is_refused() -> None:
    of = replace(document(Path(__file__)), path=None)
    for module in (delimited, spreadsheet):
        with pytest.raises(LayoutError, match="not in the archive"):
            list(module.extract(of, layout(BY_YEAR)))


def test_the_beginning_tells_layouts_apart(tmp_path: Path) -> None:
    of = workbook(tmp_path, {"Letters": [["Harbour", 2021]], "Parcels": [["Month"]]})
    assert of.path is not None
    assert spreadsheet.opening(of.path).text == "[Letters] Harbour 2021 [Parcels] Month"
    path = text_table(tmp_path, "\ufeffHarbour,2021\nHull,1\n").path
    assert path is not None
    assert delimited.opening(path).text == "Harbour,2021 Hull,1"


# --- media types -----------------------------------------------------------------------------------------------------


def test_the_media_type_says_which_module_reads() -> None:
    assert reader("text/csv") is delimited
    assert reader("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") is spreadsheet
    assert READERS["application/pdf"] == "pdf"
    with pytest.raises(LayoutError, match="no module of tables reads image/png"):
        reader("image/png")


def test_cells_know_no_format() -> None:
    row = [
        cells.Cell("Harbour", spreadsheet.Locator(pointer="/0")),
        cells.Cell("2021", spreadsheet.Locator(pointer="/1")),
    ]
    body = [cells.Cell("Hull", spreadsheet.Locator(pointer="/2")), cells.Cell("5", spreadsheet.Locator(pointer="/3"))]
    (figure,) = cells.figures([cells.Sheet("", [row, body])], document(Path(__file__)), layout(BY_YEAR))
    assert (dict(figure.labels), figure.text, str(figure.locator)) == (
        {"harbour": "Hull", "year": "2021"},
        "5",
        "pointer=/3",
    )


# --- what an ordinary new vintage brings -----------------------------------------------------------------------------

SIMPLE = "Harbour,Letters,Month,Parcels\nHull,1,May,2\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_what_spreadsheets_save_as_unicode_text_is_read(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    of = text_table(tmp_path, (mark + SIMPLE.replace(",", "\t")).encode(encoding))
    assert [row[2] for row in read(of, layout(HARBOURS))] == ["1", "2"]


@pytest.mark.parametrize(
    "note", ["Note: counted by hand.", "* without the inner port", "[1] See the page.", "Source: us, 2031"]
)
@pytest.mark.parametrize("between", ["", "\n"])
def test_a_note_ends_a_table(tmp_path: Path, note: str, between: str) -> None:
    of = text_table(tmp_path, f'{SIMPLE}{between}"{note}",,,\n')
    assert len(read(of, layout(HARBOURS))) == 2
    assert "stands under no header" in refusal(
        text_table(tmp_path, f'{SIMPLE}"{note}"\nGoole,1,May,2\n'), layout(HARBOURS)
    )


def test_a_note_that_the_numbers_count_thousands_is_heeded(tmp_path: Path) -> None:
    of = text_table(tmp_path, f'{SIMPLE}\n"Note: figures are in thousands"\n')
    assert "not counts as printed" in refusal(of, layout(HARBOURS))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SIMPLE.replace("Parcels", "Parcels,Region"), "does not know 'Region'"),
        (SIMPLE.replace("Parcels", "Boxes"), "does not know 'Boxes'"),
        (SIMPLE.replace("Month", "Season"), "does not know 'Season' and needs 'Month'"),
        (f"Report of the year\n{SIMPLE}", "add it to `ignore` if"),
        (f"{SIMPLE}\nGoole,1,May,2\n", "a blank row ends a table"),
    ],
)
def test_a_reason_names_the_column_or_says_what_to_do(tmp_path: Path, content: str, said: str) -> None:
    assert said in refusal(text_table(tmp_path, content), layout(HARBOURS))


@pytest.mark.parametrize("end", [",2", ",2.5"])
def test_a_number_at_the_very_end_may_be_cut_off(tmp_path: Path, end: str) -> None:
    cut = SIMPLE[:-3] + end
    assert "may be cut off" in refusal(text_table(tmp_path, cut), layout(HARBOURS))
    assert len(cells_of(delimited.read(cut.encode(), open_end=True))) == 2
    for whole in (cut + "\n", cut.replace(end, f',"{end[1:]}"'), cut + "%"):
        assert len(read(text_table(tmp_path, whole), layout(HARBOURS))) == 2


def cells_of(sheet: cells.Sheet) -> list[cells.Row]:
    return sheet.rows


def test_a_sheet_of_notes_is_passed_over_and_one_with_numbers_is_not(tmp_path: Path) -> None:
    rows = [["Harbour", 2021], ["Hull", 1]]
    by = layout(BY_YEAR | {"sheet": "^A$"})
    for name in ("Notes", "Read me", "Contents", "Glossary"):
        of = workbook(tmp_path, {name: [["How we count", "by hand"]], "A": rows})
        assert len(list(spreadsheet.extract(of, by))) == 1
        assert f"sheet '{name}' is not known" in refusal(workbook(tmp_path, {name: [["Hull", 1234]], "A": rows}), by)


def test_a_sheet_of_notes_that_says_thousands_is_heeded(tmp_path: Path) -> None:
    rows = [["Harbour", 2021], ["Hull", 1]]
    of = workbook(tmp_path, {"Notes": [["Figures are in thousands."]], "A": rows})
    assert "not counts as printed" in refusal(of, layout(BY_YEAR | {"sheet": "^A$"}))


def test_a_hidden_sheet_is_no_part_of_a_workbook(tmp_path: Path) -> None:
    of = workbook(tmp_path, {"A": [["Harbour", 2021], ["Hull", 1]], "Old": [["Harbour", 2021], ["Hull", 9]]})
    assert of.path is not None
    book = openpyxl.load_workbook(of.path)
    book["Old"].sheet_state = "hidden"
    book.save(of.path)
    assert [f.text for f in spreadsheet.extract(of, layout(BY_YEAR))] == ["1"]
    assert "Old" not in spreadsheet.opening(of.path).text


def test_an_error_and_a_formula_without_a_value_are_no_empty_cells(tmp_path: Path) -> None:
    rows = [["Harbour", 2021, 2022, 2023, 2024], ["Hull", "=1+1", "#N/A", "#REF!", 4]]
    found = list(spreadsheet.extract(workbook(tmp_path, {"A & B": rows}), layout(BY_YEAR | {"empty": "skip"})))
    assert [f.text for f in found] == ["a formula without a stored value", "#N/A", "#REF!", "4"]


def test_a_number_merged_over_several_cells_is_refused(tmp_path: Path) -> None:
    of = workbook(tmp_path, {"A": [["Harbour", "2021"], ["Hull", 1], ["Goole", None]]})
    assert of.path is not None
    book = openpyxl.load_workbook(of.path)
    book["A"].merge_cells("B2:B3")
    book.save(of.path)
    assert "cell B2: the number 1 is merged over several cells" in refusal(of, layout(BY_YEAR))


def test_a_raised_digit_of_a_workbook_is_no_digit_of_the_number(tmp_path: Path) -> None:
    of = workbook(tmp_path, {"A": [["Harbour", "2021", "2022"], ["Hull", 7, 8]]})
    assert of.path is not None
    book = openpyxl.load_workbook(of.path)
    raised = TextBlock(InlineFont(vertAlign="superscript"), "3")
    book["A"]["B2"].value = CellRichText("80", raised)
    book["A"]["C2"].value = CellRichText(TextBlock(InlineFont(b=True), "9"), "1")
    book.save(of.path)
    assert [f.text for f in spreadsheet.extract(of, layout(BY_YEAR))] == ["80³", "91"]
    shared = b'<sst><si><t>a</t></si><si><r><t>80</t></r><r><rPr><vertAlign val="superscript"/></rPr><t>3</t></r></si>'
    shared += b'<si><r> <rPr><vertAlign val="superscript"/></rPr><t>3</t></r></si></sst>'
    assert spreadsheet._raised_strings(shared) == {1: "80³", 2: "a text with a raised part"}
    cell = b'<c r="B2" s="4" t="s"><v>1</v></c><c r="C2" t="s"><v>0</v></c>'
    assert spreadsheet._raised_cells(cell, {1: "80³"}) == {"B2": "80³"}


def test_a_raised_digit_of_an_open_document_is_refused(tmp_path: Path) -> None:
    style = '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
    for text, refused in (("80<text:span text:style-name='T1'>3</text:span>", True), ("803", False)):
        path = tmp_path / f"{refused}.ods"
        with zipfile.ZipFile(path, "w") as parts:
            body = f"<office:body><text:p>{text}</text:p></office:body>".replace("'", '"')
            parts.writestr("content.xml", f"<office:document-content>{style}{body}</office:document-content>")
        with zipfile.ZipFile(path) as parts:
            if not refused:
                spreadsheet._refuse_raised(parts)
                continue
            with pytest.raises(LayoutError, match=r"raised digit right behind a number.*put it in a cell of its own"):
                spreadsheet._refuse_raised(parts)
