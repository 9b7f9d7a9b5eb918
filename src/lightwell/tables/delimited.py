"""Text tables (CSV, TSV) to figures. A document may stack several tables with blank rows between."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator, Opening
from lightwell.tables.cells import MAX_ROWS, Cell, Row, Sheet, figures

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout

_BEGINNING = 4_000  # characters that tell one layout from another


def opening(path: Path) -> Opening:
    """The beginning of a text table. It has no title and no date. Raises LayoutError if it is no text."""
    return Opening(title=None, dated_on=None, text=" ".join(_text(path)[:_BEGINNING].split()))


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure of a text table, line by line. Raises LayoutError where the document is unlike its layout."""
    return figures([sheet(document)], document, layout)


def sheet(document: "Document", *, open_end: bool = False) -> Sheet:
    """The lines of a text table as one sheet; a cell's locator is its line and the number of its column.

    `open_end`: the publisher's files end without a line end, so that a number there is no sign of a file cut off.
    """
    if document.path is None:
        raise LayoutError(f"the file of document {document.document_id[:12]} is not in the archive")
    return read(document.path.read_bytes(), open_end=open_end)


def read(content: bytes, name: str = "", *, open_end: bool = False) -> Sheet:
    """The lines of a text table as a sheet of that name, which is also part of each cell's locator."""
    text = _decoded(content)
    if not open_end and (last := re.search(r"[,;\t|]\s*([\d.]+)\Z", text)) is not None:
        raise LayoutError(
            f"the file ends right behind the number {last[1]}, without a line end: it may be cut off there; get it "
            "again, or put a line end behind it if you see that it is whole, and add that"
        )
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text), strict=True)
    rows: list[Row] = []
    line = 1
    try:
        for record in reader:
            rows.append(
                [
                    Cell(c.strip(), Locator(sheet=name or None, line=line, column=str(i)))
                    for i, c in enumerate(record, start=1)
                ]
            )
            line = reader.line_num + 1
            if len(rows) > MAX_ROWS:
                raise LayoutError(f"more than {MAX_ROWS:,} rows: is this the right document?")
    except csv.Error as error:
        raise LayoutError(f"line {reader.line_num}: {error}") from error
    return Sheet(name, rows)


def _text(path: Path) -> str:
    return _decoded(path.read_bytes())


def _decoded(content: bytes) -> str:
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))  # as spreadsheet programs save "Unicode text"
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise LayoutError(
            f"byte {error.start} is not {'UTF-16' if wide else 'UTF-8'}: open the file in a spreadsheet program or "
            "editor, save it as CSV in UTF-8, and add that"
        ) from error


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t|", key=first.count)
