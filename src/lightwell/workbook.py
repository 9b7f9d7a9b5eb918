"""Rows to XLSX: numbers as numbers, days as days, every text as text. Nothing in it is a formula or a link."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.datapackage import Resource
from lightwell.errors import LightwellError
from lightwell.rows import as_json, as_text, is_risky

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_ROWS = 1_048_576  # of a sheet, the header included
_CELL = 32_767  # characters
_WHOLE = 2**53  # a spreadsheet keeps whole numbers up to this one
_FIRST_DAY = date(1900, 3, 1)  # before it, spreadsheets disagree on days
_SHEET = 31  # characters of a sheet's name
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write(path: Path, selected: Resource, rows: Iterable[Sequence[Any]], *, created: datetime) -> None:
    """One sheet of rows, and one that says what each column is. The same rows give the same bytes.

    Raises LightwellError for what a sheet cannot hold: too many rows, or too long a text.
    """
    from xlsxwriter import Workbook

    with Workbook(path, _OPTIONS) as book:
        book.set_properties({"title": selected.name, "comments": selected.description, "created": created})
        formats = _Formats(book)
        sheet = book.add_worksheet(selected.name[:_SHEET])
        sheet.freeze_panes(1, 0)
        _line(sheet, 0, [c.name for c in selected.columns], formats, head=True)
        for at, row in enumerate(rows, start=1):
            if at >= _ROWS:
                raise LightwellError(f"{selected.name} has more than {_ROWS - 1:,} rows, too many for XLSX: take CSV")
            _line(sheet, at, row, formats)
        about = book.add_worksheet("columns")
        _line(about, 0, ["column", "type", "description"], formats, head=True)
        for at, column in enumerate(selected.columns, start=1):
            _line(about, at, [column.name, column.type, column.description], formats)


class _Formats:
    """How cells look: a bold head, days as 2023-06-30, and texts that stay texts when they are edited."""

    def __init__(self, book: Any) -> None:
        self.head: Format = book.add_format({"bold": True})
        self.day: Format = book.add_format({"num_format": "yyyy-mm-dd"})
        self.instant: Format = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self.text: Format = book.add_format({"quote_prefix": True})


def _line(sheet: "Worksheet", row: int, values: Sequence[Any], formats: _Formats, *, head: bool = False) -> None:
    for column, value in enumerate(values):
        if value is not None:
            _cell(sheet, row, column, value, formats, head)


def _cell(sheet: "Worksheet", row: int, column: int, value: Any, formats: _Formats, head: bool) -> None:
    plain = as_json(value)
    if isinstance(plain, bool):
        sheet.write_boolean(row, column, plain)
    elif isinstance(plain, int | float) and abs(plain) <= _WHOLE:
        sheet.write_number(row, column, plain)
    elif isinstance(value, datetime) and value.date() >= _FIRST_DAY:
        sheet.write_datetime(row, column, value, formats.instant)
    elif isinstance(value, date) and not isinstance(value, datetime) and value >= _FIRST_DAY:
        sheet.write_datetime(row, column, value, formats.day)
    else:
        text = as_text(value) or ""
        if len(text) > _CELL:
            raise LightwellError(
                f"row {row} has a text of {len(text):,} characters, too long for a cell of XLSX: take CSV or Parquet"
            )
        form = formats.head if head else formats.text if is_risky(text) else None
        sheet.write_string(row, column, text, form)
