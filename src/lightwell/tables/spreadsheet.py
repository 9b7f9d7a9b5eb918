"""Workbooks (XLSX, ODS) to figures. Values are taken as stored, never recalculated; nothing in a workbook is run.

Hidden sheets are left out. A formula without a stored value and an error such as #REF! are read as that text, which no
number takes in, and a number merged over several cells is refused: none of them is an empty cell. A digit that is set
raised, as a footnote's, is read as `¹`, never as one more digit of the number before it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator, Opening
from lightwell.tables.cells import MAX_ROWS, Cell, Sheet, figures

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout

_FIRST_ROWS = 12  # of each sheet, that tell one layout from another
_MAX_UNPACKED = 800_000_000  # bytes of all parts together
_MAX_RATIO = 200  # of unpacked to packed bytes: more is a bomb, not a report


def opening(path: Path) -> Opening:
    """The names of the sheets and the first rows of each: enough to choose a layout."""
    first = _sheets(path, rows=_FIRST_ROWS)
    text = " ".join(f"[{sheet.name}] " + " ".join(cell.text for row in sheet.rows for cell in row) for sheet in first)
    return Opening(title=None, dated_on=None, text=" ".join(text.split())[:20_000])


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure of a workbook, sheet by sheet. Raises LayoutError where the document is unlike its layout."""
    return figures(each_sheet(document), document, layout)


def sheets(document: "Document") -> list[Sheet]:
    """The worksheets of a document; a cell's locator is its sheet and A1 reference."""
    return list(each_sheet(document))


def each_sheet(document: "Document") -> Iterator[Sheet]:
    """The worksheets one after the other: of a large workbook, only one at a time need be held."""
    if document.path is None:
        raise LayoutError(f"the file of document {document.document_id[:12]} is not in the archive")
    return _sheets(document.path)


def _sheets(path: Path, rows: int | None = None) -> Iterator[Sheet]:
    """The worksheets, or so many rows of each."""
    _refuse_bomb(path)
    faults = _faults(path)
    try:
        with CalamineWorkbook.from_path(path) as book:
            for name in (m.name for m in book.sheets_metadata if m.visible == SheetVisibleEnum.Visible):
                raw = book.get_sheet_by_name(name)
                if raw.total_height > MAX_ROWS:
                    raise LayoutError(f"sheet {name} has {raw.total_height:,} rows: is this the right document?")
                values = raw.to_python(skip_empty_area=False, nrows=rows)
                _refuse_merged(raw, values)
                mine = faults.get(name, {})
                yield Sheet(name, [_row(name, r, found, mine) for r, found in enumerate(values, start=1)])
    except (CalamineError, OSError) as error:
        raise LayoutError(f"the workbook cannot be read ({error}); open it by hand") from error


def _refuse_merged(sheet: CalamineSheet, values: Sequence[Sequence[object]]) -> None:
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
        value = values[top][left] if top < len(values) and left < len(values[top]) else None
        if isinstance(value, float) and (top, left) != (bottom, right):
            raise LayoutError(
                f"sheet {sheet.name}, cell {_letters(left + 1)}{top + 1}: the number {_text(value)} is merged over "
                "several cells, and which of them it counts is not clear: read the sheet by hand"
            )


_FAULT = re.compile(  # of a sheet's XML: a cell with an error, or with a formula and no value
    rb"""<c r="(?P<cell>[A-Z]+[0-9]+)"(?: s="[0-9]+")?"""
    rb"""(?: t="e"[^>]*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)?<v>(?P<error>[^<]*)</v>"""
    rb"""|>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)(?:<v */>|<v></v>)?</c>)"""
)
_SHEET = re.compile(rb'<sheet [^>]*?name="(?P<name>[^"]*)"[^>]*?r:id="(?P<id>[^"]*)"')


def _faults(path: Path) -> Mapping[str, Mapping[str, str]]:
    """By sheet and cell of an XLSX: the error that a cell shows, that its formula was never worked out, or its text
    where some of it is raised. Raises LayoutError where an ODS raises a digit behind another."""
    found: dict[str, dict[str, str]] = {}
    with ZipFile(path) as parts:
        names = parts.namelist()
        if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
            if "content.xml" in names:
                _refuse_raised(parts)
            return found
        raised = _raised_strings(parts.read("xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in names else {}
        links = re.findall(rb"<Relationship [^>]*>", parts.read("xl/_rels/workbook.xml.rels"))
        targets = {
            _attribute(link, "Id"): _attribute(link, "Target").rpartition("xl/")[2].lstrip("/") for link in links
        }
        for sheet in _SHEET.finditer(parts.read("xl/workbook.xml")):
            if (part := f"xl/{targets.get(sheet['id'].decode())}") in names:
                xml = parts.read(part)
                cells = {m["cell"].decode(): _fault(m["error"]) for m in _FAULT.finditer(xml)}
                found[unescape(sheet["name"].decode())] = {**cells, **_raised_cells(xml, raised)}
    return found


def _fault(error: bytes | None) -> str:
    return "a formula without a stored value" if error is None else error.decode()


_STRING = re.compile(rb"<si\b[^>]*?(?:/>|>(.*?)</si>)", re.DOTALL)
_RUN = re.compile(rb"<r>(?:<rPr>(?P<look>.*?)</rPr>)?<t\b[^>]*>(?P<text>[^<]*)</t></r>", re.DOTALL)
_TEXT_CELL = re.compile(
    rb"""<c r="(?P<cell>[A-Z]+[0-9]+)"[^>]*? t="(?:s"[^>]*><v>(?P<number>[0-9]+)</v>"""
    rb"""|inlineStr"[^>]*><is>(?P<text>.*?)</is>)""",
    re.DOTALL,
)
_SUPER = re.compile(
    rb"""<style:style style:name="([^"]+)"[^>]*>(?:(?!</style:style>).)*?text-position="super""", re.DOTALL
)
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _raised_strings(xml: bytes) -> Mapping[int, str]:
    """The shared strings of an XLSX with a raised part, by number."""
    if b'"superscript"' not in xml:
        return {}
    strings = ((n, match[1] or b"") for n, match in enumerate(_STRING.finditer(xml)))
    return {n: _with_raised(string) for n, string in strings if b'"superscript"' in string}


def _raised_cells(xml: bytes, strings: Mapping[int, str]) -> Mapping[str, str]:
    """By cell of an XLSX sheet: a text of which a part is raised."""
    if not strings and b'"superscript"' not in xml:
        return {}
    found = {}
    for match in _TEXT_CELL.finditer(xml):
        if match["number"] is not None and int(match["number"]) in strings:
            found[match["cell"].decode()] = strings[int(match["number"])]
        elif match["text"] is not None and b'"superscript"' in match["text"]:
            found[match["cell"].decode()] = _with_raised(match["text"])
    return found


def _with_raised(runs: bytes) -> str:
    texts = [(run["text"], b'"superscript"' in (run["look"] or b"")) for run in _RUN.finditer(runs)]
    if b"".join(text for text, _ in texts) != b"".join(re.findall(rb"<t\b[^>]*>([^<]*)</t>", runs)):
        return "a text with a raised part"
    shown = [(unescape(text.decode()), raised) for text, raised in texts]
    return "".join(text.translate(_RAISED) if raised else text for text, raised in shown).strip()


def _refuse_raised(parts: ZipFile) -> None:
    """Raise LayoutError where an ODS has a raised digit behind a digit: the two would be read as one number."""
    with parts.open("content.xml") as content:
        if not (styles := _SUPER.findall(content.read(2_000_000).split(b"<office:body")[0])):
            return
    span = (
        rb"[0-9](?:</text:span>)?<text:span text:style-name=\"(?:"
        + b"|".join(map(re.escape, styles))
        + rb")\">\s*[0-9]"
    )
    if (met := re.search(span, parts.read("content.xml"))) is not None:
        raise LayoutError(
            "the workbook has a raised digit right behind a number, as a footnote's: "
            f"{re.sub(rb'<[^>]*>', b' with a raised ', met[0]).decode()!r}; put it in a cell of its own, and add that"
        )


def _attribute(element: bytes, name: str) -> str:
    match = re.search(rf'\b{name}="([^"]*)"'.encode(), element)
    return match[1].decode() if match else ""


def _refuse_bomb(path: Path) -> None:
    try:
        with ZipFile(path) as parts:
            packed = sum(part.compress_size for part in parts.infolist())
            unpacked = sum(part.file_size for part in parts.infolist())
    except (BadZipFile, OSError) as error:
        raise LayoutError(f"the workbook is damaged ({error}); download it again") from error
    if unpacked > _MAX_UNPACKED or unpacked > _MAX_RATIO * max(packed, 1):
        raise LayoutError(f"the workbook unpacks to {unpacked:,} bytes from {packed:,}: refused")


def _row(sheet: str, number: int, values: Sequence[object], faults: Mapping[str, str]) -> list[Cell]:
    places = [f"{_letters(column)}{number}" for column in range(1, len(values) + 1)]
    return [
        Cell(faults.get(place) or _text(value), Locator(sheet=sheet, cell=place))
        for place, value in zip(places, values, strict=True)
    ]


def _text(value: object) -> str:
    """What is stored: a whole number without a fraction, another number with all its digits, a day as ISO."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, date) else str(value).strip()


@cache
def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
