"""Microsoft: blocks side by side under a heading with the period, and notes below them that hold a count of their own.

A heading row has the period on the left and the blocks' titles; below stand the columns, the values and the notes. The
notes are read sentence by sentence: a count, a footnote of a marked value, a sentence declared to be ignored, or a
remark that is kept with every value above it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lightwell.errors import LayoutError
from lightwell.tables import Figure, refuse_scale, refuse_unfinished, require_tables
from lightwell.tables.cells import Cell, Row, Sheet
from lightwell.tables.spreadsheet import sheets

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import CrosstabTable, Layout, ProseTable

_MONTHS = r"[A-Z][a-z]{2,8}\.? (?:-|–|to) [A-Z][a-z]{2,8}\.?,? 20\d\d"
_MARKS = "*†‡"
_COUNTED = re.compile(r"(?=.*\bcyber ?tip)(?=.*\b(?!20\d\d\b)\d)", re.IGNORECASE)  # reports, and a number, no year
_SENTENCE_END = r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)\s+(?=[A-Z])"


@dataclass(slots=True)
class _Block:
    """One heading and what stands below it."""

    period: str
    titles: dict[int, str]  # column -> title of the block that begins there
    columns: dict[int, str] = field(default_factory=dict)
    values: list[Figure] = field(default_factory=list)
    notes: list[tuple[str, Cell]] = field(default_factory=list)  # sentence, and the cell it stands in


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every value of every block, and the count in the notes. Raises LayoutError for a cell that fits nothing."""
    blocks: list[_Block] = []
    for sheet in sheets(document):
        blocks += _read_sheet(sheet, layout)
    periods = {_months(block.period) for block in blocks}
    if len(periods) > 1:
        told = "; ".join(dict.fromkeys(block.period for block in blocks))
        raise LayoutError(f"the headings of one report name several periods ({told}): look which is right")
    found = [figure for block in blocks for figure in _figures(block, layout)]
    require_tables(layout, {figure.table for figure in found})
    return iter(found)


def _read_sheet(sheet: Sheet, layout: "Layout") -> list[_Block]:
    table = _table(layout)
    blocks: list[_Block] = []
    for row in sheet.rows:
        cells = [(column, cell) for column, cell in enumerate(row) if cell.text]
        if not cells:
            continue
        first = " ".join(cells[0][1].text.split())
        if len(cells) > 1 and re.fullmatch(table.labels["period"], first):
            titles = {column: " ".join(cell.text.split()) for column, cell in cells[1:]}
            if beside := next((title for title in titles.values() if re.search(table.labels["period"], title)), None):
                raise LayoutError(
                    f"{_where(row)}: {beside!r} stands beside {first!r}: which block is of which period is not sure; "
                    "read the sheet by hand"
                )
            blocks.append(_Block(first, titles))
        elif blocks:
            _take(blocks[-1], cells, table)
        elif not any(re.fullmatch(pattern, first, re.IGNORECASE) for pattern in layout.ignore):
            if any(re.fullmatch(pattern, sheet.name) for pattern in layout.ignore_sheets):
                return []
            raise LayoutError(f"{_where(row)}: {first[:120]!r} stands under no heading with a period")
    return blocks


def _take(block: _Block, cells: list[tuple[int, Cell]], table: "CrosstabTable") -> None:
    """One more row of a block: its columns, its values, or a note."""
    left = min(block.titles)
    if all(column < left for column, _ in cells):
        for _, cell in cells:
            refuse_scale(cell.text)
            refuse_unfinished(cell.text)
            block.notes += [(sentence, cell) for sentence in _sentences(cell.text)]
    elif any(column < left for column, _ in cells):
        raise LayoutError(f"{_where([c for _, c in cells])}: a row of values begins left of the block's first title")
    elif not block.columns:
        block.columns = {column: " ".join(cell.text.split()) for column, cell in cells}
    else:
        block.values += [_value(block, column, cell, table) for column, cell in cells]


def _value(block: _Block, column: int, cell: Cell, table: "CrosstabTable") -> Figure:
    if column not in block.columns:
        raise LayoutError(f"{_where([cell])}: {cell.text[:60]!r} stands under no column")
    title = block.titles[max(begin for begin in block.titles if begin <= column)]
    policy, _, service = title.partition(" - ")
    labels = {"period": block.period, "policy": policy.strip(), "service": service.strip()}
    return Figure(table.name, {**labels, table.across: block.columns[column]}, cell.text, cell.locator)


def _figures(block: _Block, layout: "Layout") -> Iterator[Figure]:
    remarks, footnotes, counts = _sorted_notes(block, layout)
    if not block.values:
        raise LayoutError(f"the block {next(iter(block.titles.values()))!r} of {block.period} has no values")
    for value in block.values:
        mark = value.text[len(value.text.rstrip(_MARKS)) :]
        said = [*([footnotes[mark]] if mark in footnotes else []), *remarks]
        yield replace(value, labels={**value.labels, "note": " ".join(said)})
    yield from counts


def _sorted_notes(block: _Block, layout: "Layout") -> tuple[list[str], dict[str, str], list[Figure]]:
    """The remarks on every value, the footnotes by their mark, and the counts."""
    carried = {v.text[len(v.text.rstrip(_MARKS)) :] for v in block.values} - {""}
    named = [period for sentence, _ in block.notes for period in re.findall(_MONTHS, sentence)]
    other = [period for period in named if _months(period) != _months(block.period)]
    remarks = [f"The note below names {other[0]}, the heading {block.period}."] if other else []
    footnotes: dict[str, str] = {}
    counts = []
    for sentence, cell in block.notes:
        mark = sentence[: len(sentence) - len(sentence.lstrip(_MARKS))]
        count = _count(block, sentence, cell, named, other, layout)
        if count is not None:
            counts.append(count)
        elif mark and mark in carried:
            footnotes[mark] = f"{footnotes.get(mark, '')} {sentence}".strip()
        elif not any(re.fullmatch(pattern, sentence, re.IGNORECASE) for pattern in layout.ignore):
            remarks.append(sentence)
    return remarks, footnotes, counts


def _count(
    block: _Block, sentence: str, cell: Cell, named: list[str], other: list[str], layout: "Layout"
) -> Figure | None:
    """The count of reports in a sentence, with a doubt where its period or its wording is not certain."""
    prose: ProseTable = next(table for table in layout.tables if table.kind == "prose")
    match = re.search(prose.pattern, sentence)
    if match is None and not _COUNTED.search(sentence):
        return None
    labels = {"period": block.period, "stated in": "note"}
    if match is None:
        labels["doubt"] = f"no wording that is known, add it to the pattern of {prose.name}: {sentence}"
    elif other:
        labels["doubt"] = (
            f"the note names {other[0]} and the heading {block.period}: which half the count is of cannot be told; "
            "look on the publisher's page and transcribe it"
        )
    elif not named:
        labels["doubt"] = f"the note does not name its period, the heading says {block.period}: {sentence}"
    return Figure(prose.name, labels, match["text"] if match else sentence, cell.locator)


def _table(layout: "Layout") -> "CrosstabTable":
    return next(table for table in layout.tables if table.kind == "crosstab")


def _sentences(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [s for line in lines for s in re.split(_SENTENCE_END, line) if s]


def _months(period: str) -> tuple[str, ...]:
    """What two spellings of a period have in common: the first three letters of each month, and the year."""
    return tuple(word[:3].casefold() if word.isalpha() else word for word in re.findall(r"[A-Z][a-z]+|\d{4}", period))


def _where(row: Row) -> str:
    at = next(cell for cell in row if cell.text).locator
    return f"sheet {at.sheet}, cell {at.cell}"
