"""Grid tables: every cell boxed by rules, or shaded, with header rows on top."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from pdfplumber.page import Page

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator
from lightwell.tables.pdf.words import NUMBER, RAISED, RULE, Word, around, is_number, join, lines_of

if TYPE_CHECKING:
    from lightwell.source import GridTable

_Cell = list[Word] | None  # None: covered by the cell to its left or above
_FIND = {"snap_tolerance": 2, "join_tolerance": 3, "intersection_tolerance": 3}
_BACKGROUND = 0.9  # shading this much of the page wide is its background
_HEADING = 1.5  # times the usual size of the page's type is a section's heading
_FIGURE = r"[<>~]?\d{1,3}(?:,\d{3})+|[<>~]?\d+(?:\.\d+)?%"  # what is a figure wherever it stands


def read_grids(page: Page, words: list[Word], tables: list["GridTable"]) -> Iterator[Figure]:
    """The figures of every grid on a page. Raises LayoutError for a grid that none of the tables declares, and among
    shaded grids for a figure that stands outside all of them."""
    shaded = any(table.shaded for table in tables)
    grids = _find_shaded(page, words) if shaded else _find_grids(page, words)
    for grid in grids:
        if not any(is_number(w) for row in grid.cells for cell in row if cell for w in cell):
            continue  # a box around text
        title, paths, body = _headers(grid)
        name = " ".join([title, *dict.fromkeys(path for path in paths if path)]).strip()
        name = f"{grid.heading} | {name}" if shaded else name
        matches = [t for t in tables if t.header and re.search(t.header, name, re.IGNORECASE)]
        if len(matches) != 1:
            found = "fits no table" if not matches else f"fits {' and '.join(t.name for t in matches)}"
            raise LayoutError(
                f"page {page.page_number}: a table headed {name[:160]!r} {found} of the layout; declare it"
            )
        under = {} if matches[0].heading is None else {matches[0].heading: grid.heading}
        for figure in _grid_figures(page.page_number, matches[0], title, paths, body):
            yield Figure(figure.table, {**under, **figure.labels}, figure.text, figure.locator)


@dataclass(frozen=True, slots=True)
class _Grid:
    cells: list[list[_Cell]]
    heading: str = ""  # of the section in which a shaded grid stands


def _find_grids(page: Page, words: list[Word]) -> list[_Grid]:
    """Every fully ruled table of the page, with each word in the cell that holds its baseline."""
    ruled = page.filter(lambda o: o["object_type"] != "rect" or min(o["width"], o["height"]) <= RULE)
    grids = []
    for found in ruled.find_tables(_FIND):
        inside = _inside(found, words)
        grids.append(_Grid(_placed(page, found, inside)))
    return grids


def _find_shaded(page: Page, words: list[Word]) -> list[_Grid]:
    """Every table whose cells are shaded or ruled, and the heading of the section in which it stands."""
    wide = _BACKGROUND * float(page.width)
    tables = page.filter(lambda o: o["object_type"] != "rect" or o["width"] < wide).find_tables(_FIND)
    taken = {id(word) for found in tables for word in _inside(found, words)}
    free = [word for word in words if id(word) not in taken]
    stray = next((word for word in free if re.fullmatch(_FIGURE, word.text)), None)
    if stray is not None:
        raise LayoutError(f"page {page.page_number}: the figure {stray.text!r} stands in no table with shaded cells")
    usual = median(word.size for word in words) if words else 0.0
    return [_Grid(_placed(page, t, _inside(t, words)), _heading(free, float(t.bbox[1]), usual)) for t in tables]


def _heading(words: list[Word], top: float, usual: float) -> str:
    """The lines in type larger than usual that stand nearest above, with nothing between them."""
    lines = [line for line in lines_of(words) if line[0].base < top]
    large = [line[0].size >= _HEADING * usual for line in lines]
    last = max((i for i, one in enumerate(large) if one), default=-1)
    first = last
    while first > 0 and large[first - 1]:
        first -= 1
    return join(lines[first : last + 1]) if last >= 0 else ""


def _inside(found: Any, words: list[Word]) -> list[Word]:
    x0, top, x1, bottom = found.bbox
    return [w for w in words if x0 <= w.mid <= x1 and top < w.base <= bottom]


def _placed(page: Page, found: Any, inside: list[Word]) -> list[list[_Cell]]:
    """The cells with their words. Raises LayoutError for a word of the table that stands in none of them."""
    cells = [[_fill(cell, inside) for cell in row.cells] for row in found.rows]
    placed = sum(len(c) for row in cells for c in row if c)
    if placed != len(inside):
        lost = next(w for w in inside if not any(c and w in c for row in cells for c in row))
        raise LayoutError(f"page {page.page_number}: {lost.text!r} stands in a table but in no cell of it")
    return cells


def _fill(cell: Any, words: list[Word]) -> _Cell:
    """The words of a cell without footnote marks: digits set much smaller than the rest of the cell."""
    if cell is None:
        return None
    x0, top, x1, bottom = cell
    return [w for w in words if x0 <= w.mid < x1 and top < w.base <= bottom]


def _cell_text(cell: _Cell, newline: str = " ") -> str:
    if not cell:
        return ""
    size = max(w.size for w in cell)
    lines = lines_of(w for w in cell if w.size > 0.75 * size)
    text = join(lines) if newline == " " else newline.join(" ".join(w.text for w in line) for line in lines)
    return re.sub(f"[{RAISED}]", "", text)


def _headers(grid: _Grid) -> tuple[str, list[str], list[list[_Cell]]]:
    """Title, header text of each column (levels joined by " | ") and the rows below them."""
    title: list[str] = []
    levels: list[list[str]] = []
    for i, row in enumerate(grid.cells):
        texts = [_cell_text(cell) for cell in row]
        if any(_is_value(cell) for cell in row[1:] or row) or _is_value(row[0]):
            paths = [" | ".join(dict.fromkeys(filter(None, column))) for column in zip(*levels, strict=True)]
            return " ".join(title), paths or [""] * len(row), grid.cells[i:]
        if len([c for c in row if c is not None]) == 1:
            title.append(next(t for t in texts if t))
            continue
        for k in range(1, len(row)):
            if row[k] is None:
                texts[k] = texts[k - 1]  # spanned by the cell to its left
        levels.append(texts)
    raise LayoutError(f"a table headed {_cell_text(grid.cells[0][0])!r} has no row with numbers")


def _is_value(cell: _Cell) -> bool:
    return (
        bool(cell)
        and re.fullmatch(r"(?:[A-Za-z ]+:\s*)?" + f"(?:{NUMBER.pattern})" + r"(?:\s.*)?", _cell_text(cell)) is not None
    )


def _grid_figures(
    page: int, table: "GridTable", title: str, paths: list[str], body: list[list[_Cell]]
) -> Iterator[Figure]:
    first = 0 if table.label is None else 1
    for row in body:
        name = _row_labels(page, table, _cell_text(row[0])) if first else {}
        for path, cell in zip(paths[first:], row[first:], strict=True):
            if table.skip_columns and re.search(table.skip_columns, path):
                continue
            yield from _cell_figures(page, table, {**name, **_column_labels(page, table, f"{title} | {path}")}, cell)


def _row_labels(page: int, table: "GridTable", text: str) -> dict[str, str]:
    if not text:
        raise LayoutError(f"page {page}: a row of table {table.name} has no name")
    if table.row_labels is None:
        return {table.label or "row": text}
    match = re.fullmatch(table.row_labels, text)
    if match is None:
        raise LayoutError(f"page {page}: the row {text!r} of table {table.name} does not fit {table.row_labels!r}")
    return match.groupdict("")


def _column_labels(page: int, table: "GridTable", path: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    for pattern in table.column_labels:
        match = re.search(pattern, path)
        if match is None:
            raise LayoutError(f"page {page}: the column {path!r} of table {table.name} does not fit {pattern!r}")
        labels |= {k: v.strip() for k, v in match.groupdict().items() if v is not None}
    return labels


def _cell_figures(page: int, table: "GridTable", labels: dict[str, str], cell: _Cell) -> Iterator[Figure]:
    text = _cell_text(cell, "\n")
    if not cell or not text:
        raise LayoutError(f"page {page}: table {table.name} has an empty cell at {labels}")
    pattern = table.cell or f"(?P<text>{NUMBER.pattern})"
    rest = text
    for match in re.finditer(pattern, text):
        own = {k: " ".join(v.split()) for k, v in match.groupdict("").items() if k != "text"}
        words = [w for w in cell if w.text.rstrip(RAISED) in match["text"].split()] or cell
        box = around(words if len(words) == 1 else _nearest(words, match, text, cell))
        yield Figure(table.name, {**labels, **own}, match["text"], Locator(page=page, box=box))
        rest = rest.replace(match.group(), "", 1)
    if rest.strip():
        raise LayoutError(f"page {page}: {rest.strip()!r} in a cell of table {table.name} at {labels} fits no rule")


def _nearest(words: list[Word], match: "re.Match[str]", text: str, cell: list[Word]) -> list[Word]:
    """Of several equal words in one cell, the one on the line of the match."""
    line = text.count("\n", 0, match.start("text"))
    lines = lines_of(cell)
    return [w for w in lines[min(line, len(lines) - 1)] if w in words] or words
