"""UNODC's trafficking portal: one sheet of rows, re-cut by what they are broken down by, without what stands above."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lightwell.errors import LayoutError
from lightwell.tables import Figure, cells, refuse_scale, spreadsheet
from lightwell.tables.cells import Row, Sheet

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout

_HEADER = {"iso3_code", "indicator", "dimension"}  # of the columns that every vintage has to have


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure that the layout takes. Raises LayoutError where the document is unlike its layout."""
    sheets = spreadsheet.sheets(document)
    if not any(_texts(row) >= _HEADER for sheet in sheets for row in sheet.rows):
        raise LayoutError(f"no row is headed {', '.join(sorted(_HEADER))}: add the new wording to the reader")
    return cells.figures([part for sheet in sheets for part in _by_dimension(sheet)], document, layout)


def _by_dimension(sheet: Sheet) -> list[Sheet]:
    """One sheet for each text of the column Dimension; the sheet itself, for the reader to refuse, without a header."""
    header = next((n for n, row in enumerate(sheet.rows) if _texts(row) >= _HEADER), None)
    if header is None:
        return [sheet]
    for row in sheet.rows[:header]:
        refuse_scale(" ".join(cell.text for cell in row if cell.text))
    titles = sheet.rows[header]
    column = next(n for n, cell in enumerate(titles) if cell.text.casefold() == "dimension")
    parts: dict[str, list[Row]] = {}
    for row in sheet.rows[header + 1 :]:
        if any(cell.text for cell in row) and not cells.is_note(row):
            parts.setdefault(row[column].text or "no dimension", [titles]).append(row)
    return [Sheet(name, rows) for name, rows in parts.items()]


def _texts(row: Row) -> set[str]:
    return {cell.text.casefold() for cell in row}
