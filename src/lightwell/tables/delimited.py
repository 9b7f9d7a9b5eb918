"""Text tables (CSV, TSV) to figures. A document may stack several tables with blank rows between."""

import csv
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


def sheet(document: "Document") -> Sheet:
    """The lines of a text table as one sheet; a cell's locator is its line and the number of its column."""
    if document.path is None:
        raise LayoutError(f"the file of document {document.document_id[:12]} is not in the archive")
    return read(document.path.read_bytes())


def read(content: bytes, name: str = "") -> Sheet:
    """The lines of a text table as a sheet of that name, which is also part of each cell's locator."""
    text = _decoded(content)
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
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LayoutError(f"byte {error.start} is not UTF-8: save the file as UTF-8, or add its encoding") from error


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t|", key=first.count)
