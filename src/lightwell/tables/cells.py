"""Tables of cells to figures: what text tables, sheets, HTML tables and JSON arrays have in common.

A sheet is rows of cells. A table in it begins with a header row and ends with a blank row, another header row or the
sheet. Every header cell is a label, a number column or declared unused; every row is a record, declared to be skipped,
or ignored by a declared pattern; anything else raises.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator, refuse_scale, refuse_unfinished, require_tables

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import CrosstabTable, Layout, RecordsTable

MAX_ROWS = 2_000_000  # of one document
_NOTES_SHEET = (
    r"(?:foot)?notes?|read ?me|about|cover(?: (?:page|sheet))?|(?:table of )?contents|glossary|definitions?|methodology"
)
_NOTE = r"(?:(?:foot)?notes?|sources?)\b[^\w].*|[*†‡§©].*|[(\[]\d{1,2}[)\]].*"
_SENTENCE = 3  # words; less can be a name


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of one cell as printed, and where it stands."""

    text: str
    locator: Locator


Row = list[Cell]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of cells under one name: a worksheet, or the whole of a text table (whose name is empty)."""

    name: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns of one header row mean what, by column number."""

    labels: dict[str, int]
    values: dict[int, tuple[str, str]]  # column -> label name and text: ("column", "reports") or (across, header)
    known: frozenset[int]  # these and the unused


def figures(sheets: Iterable[Sheet], document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure of a document's sheets, table by table. Raises LayoutError for a header or row that fits nothing."""
    if layout.stated is not None:
        sheets = list(sheets)  # read twice
    given = {**address_labels(document, layout), **stated_labels(sheets, layout)}
    found: list[Figure] = []
    for sheet in sheets:
        found += _read_sheet(sheet, layout, given)
    require_tables(layout, {f.table for f in found})
    return iter(found)


def address_labels(document: "Document", layout: "Layout") -> dict[str, str]:
    """What the document's URL says, where the layout asks it. Raises LayoutError where it says nothing."""
    if layout.address is None:
        return {}
    parts = urlsplit(document.url or "")
    match = re.search(layout.address, parts.path) or re.search(layout.address, parts.query)
    if match is None:
        raise LayoutError(
            f"the document does not say its period and neither does its address {document.url!r}: add it again with "
            f"`lightwell add {document.source_id} FILE --url ADDRESS` (the address has to fit {layout.address!r})"
        )
    return match.groupdict("")


def stated_labels(sheets: Iterable[Sheet], layout: "Layout") -> dict[str, str]:
    """What one row of the cells says of the whole document, where the layout asks it.

    Raises LayoutError where no row says it, or rows say different things.
    """
    if layout.stated is None:
        return {}
    rows = (_line(row) for sheet in sheets for row in sheet.rows)
    said = {tuple(match.groupdict("").items()) for row in rows for match in re.finditer(layout.stated, row)}
    if len(said) != 1:
        what = " and ".join(sorted(" ".join(text for _, text in one) for one in said)) or "nothing"
        raise LayoutError(f"the cells have to say {layout.stated!r} once for the whole document; they say {what}")
    return dict(said.pop())


def _read_sheet(sheet: Sheet, layout: "Layout", given: Mapping[str, str]) -> Iterator[Figure]:
    tables = [t for t in layout.tables if t.kind in ("records", "crosstab")]
    mine = [t for t in tables if t.sheet is None or re.search(t.sheet, sheet.name)]
    table, columns = None, None
    if not mine and _is_ignored_sheet(sheet, layout):
        return
    for row in sheet.rows:
        if not any(cell.text for cell in row) or is_note(row):
            table = columns = None
            continue
        opened = _opened(mine, row) if table is None or _may_open(mine, row) else None
        if opened is not None:
            table, columns = opened
        elif table is not None and columns is not None:
            yield from _record(table, columns, row, given)
        elif not _ignored(row, layout) and not is_note(row):
            raise LayoutError(f"{_where(row)}: {_unlike(mine, row)}")


def _is_ignored_sheet(sheet: Sheet, layout: "Layout") -> bool:
    """Whether a sheet without a table is empty, holds notes or is declared to be ignored. Raises LayoutError if not, or
    where it says that the numbers of the other sheets are not counts as printed."""
    filled = [cell.text for row in sheet.rows for cell in row if cell.text]
    numbers = any(re.fullmatch(r"[\d.,%]*\d{3}[\d.,%]*", text) for text in filled)
    notes = _fits(_NOTES_SHEET, sheet.name) and not numbers
    for text in filled:
        refuse_scale(text)
    if filled and not notes and not any(_fits(pattern, sheet.name) for pattern in layout.ignore_sheets):
        raise LayoutError(f"sheet {sheet.name!r} is not known: declare a table for it, or add it to `ignore_sheets`")
    return True


def _may_open(tables: "list[RecordsTable | CrosstabTable]", row: Row) -> bool:
    """Whether a row inside a table looks like the header of the next one: cheap, since every row is asked."""
    first = next(cell.text for cell in row if cell.text)
    known = (list(t.labels.values())[:1] or list(t.values.values() if t.kind == "records" else ()) for t in tables)
    return any(_fits(pattern, first) for patterns in known for pattern in patterns)


def is_note(row: Row) -> bool:
    """Whether a row is a note to the table above it: a sentence in its first cell and nothing else.

    Raises LayoutError where it says that the numbers are not counts as printed, or not final.
    """
    texts = [cell.text for cell in row if cell.text]
    if len(texts) != 1 or row[0].text != texts[0] or not _fits(_NOTE, texts[0]):
        return False
    refuse_scale(texts[0])
    refuse_unfinished(texts[0])
    return len(texts[0].split()) >= _SENTENCE


def _unlike(tables: "list[RecordsTable | CrosstabTable]", row: Row) -> str:
    """Why a row is neither a header nor a record, and what to do about it."""
    texts = [" ".join(cell.text.split()) for cell in row if cell.text]
    said = f"{_line(row)[:120]!r} stands under no header that the layout knows"
    for table in tables:
        lost = [pattern for pattern in table.labels.values() if not any(_fits(pattern, text) for text in texts)]
        values = list(table.values.values()) if table.kind == "records" else [table.columns]
        known = [*table.labels.values(), *values, *table.unused]
        new = [text for text in texts if not any(_fits(pattern, text) for pattern in known)]
        alike = len(lost) * 2 <= len(table.labels) > len(lost) or not table.labels
        if alike and len(new) * 2 <= len(texts) and (lost or new):
            told = [f"does not know {', '.join(map(repr, new))}"] if new else []
            told += [f"needs {', '.join(map(repr, lost))}"] if lost else []
            return f"{said}: table {table.name} {' and '.join(told)}; see what it means and complete the layout"
    if len(texts) == 1:
        return f"{said}: add it to `ignore` if it changes nothing that the numbers mean"
    return f"{said} (a blank row ends a table): look where it belongs"


def _opened(
    tables: "list[RecordsTable | CrosstabTable]", row: Row
) -> "tuple[RecordsTable | CrosstabTable, _Columns] | None":
    return next(((table, columns) for table in tables if (columns := _open(table, row)) is not None), None)


def _open(table: "RecordsTable | CrosstabTable", row: Row) -> _Columns | None:
    """The columns of a row if it is this table's header."""
    texts = [" ".join(cell.text.split()) for cell in row]
    labels = {name: _only(pattern, texts) for name, pattern in table.labels.items()}
    if any(column is None for column in labels.values()):
        return None
    known = {column for column in labels.values() if column is not None}
    values: dict[int, tuple[str, str]] = {}
    for column, text in enumerate(texts):
        if column in known or not text:
            continue
        if not any(_fits(pattern, text) for pattern in table.unused):
            named = _value_column(table, text)
            if named is None:
                return None
            values[column] = named
        known.add(column)
    found = {name: column for name, column in labels.items() if column is not None}
    return _Columns(found, values, frozenset(known)) if values else None


def _value_column(table: "RecordsTable | CrosstabTable", text: str) -> tuple[str, str] | None:
    if table.kind == "crosstab":
        return (table.across, text) if _fits(table.columns, text) else None
    names = [name for name, pattern in table.values.items() if _fits(pattern, text)]
    return ("column", names[0]) if len(names) == 1 else None


def _only(pattern: str, texts: list[str]) -> int | None:
    found = [i for i, text in enumerate(texts) if text and _fits(pattern, text)]
    return found[0] if len(found) == 1 else None


def _record(
    table: "RecordsTable | CrosstabTable", columns: _Columns, row: Row, given: Mapping[str, str]
) -> Iterator[Figure]:
    def text(column: int) -> str:
        return row[column].text if column < len(row) else ""

    labels = {**given, **{name: text(column) for name, column in columns.labels.items()}}
    if any(_fits(pattern, labels[name]) for name, pattern in table.skip.items()):
        return
    stray = next((cell for i, cell in enumerate(row) if cell.text and i not in columns.known), None)
    if stray is not None:
        raise LayoutError(f"{_where([stray])}: {stray.text!r} stands under no header")
    for column, (name, value) in columns.values.items():
        if column >= len(row) and table.kind == "records" and table.empty == "missing":
            raise LayoutError(f"{_where(row)}: {_line(row)[:120]!r} ends before its number: is the file cut off?")
        if column >= len(row) or (not row[column].text and table.empty == "skip"):
            continue
        cell = row[column]
        yield Figure(table.name, {**labels, name: value}, cell.text, cell.locator)


def _ignored(row: Row, layout: "Layout") -> bool:
    return any(_fits(pattern, _line(row)) for pattern in layout.ignore)


def _line(row: Row) -> str:
    return " ".join(cell.text for cell in row if cell.text)


def _where(row: Row) -> str:
    at = next(cell for cell in row if cell.text).locator
    return f"sheet {at.sheet}, cell {at.cell}" if at.sheet else f"line {at.line}" if at.line else str(at)


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text.strip(), re.IGNORECASE) is not None
