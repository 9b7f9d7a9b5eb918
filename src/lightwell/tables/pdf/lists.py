"""List tables: names and numbers under a header, over many pages, once or twice side by side."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pdfplumber.page import Page

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator
from lightwell.tables.pdf.words import (
    RAISED,
    RULE,
    SAME_LINE,
    Line,
    Word,
    around,
    bare,
    fits,
    is_number,
    join,
    lines_of,
)

if TYPE_CHECKING:
    from lightwell.source import ListTable


class ListReader:
    """Reads one list table over the pages of one document: what has been seen so far decides what may follow."""

    def __init__(self, table: "ListTable") -> None:
        """`table` is the declared list: its header, columns and total."""
        self.table = table
        self.strips: list[_Strip] = []  # where the table last stood
        self.ended = False  # whether the printed total has been read
        self.beside = ""  # what stands beside the names' header where no column is known, so far

    def read(self, page: Page, words: list[Word]) -> list[Figure]:
        """The table's figures on the next page. Raises LayoutError for what fits no row and no column."""
        strips = _find_strips(page, lines_of(words), self.table)
        if not strips:
            if self.strips and not self.ended:
                _refuse_headless(page.page_number, words, self.strips, self.table)
            self.beside = self.beside or _beside(page, lines_of(words), self.table)
            return []
        body = [w for w in words if w.base > strips[0].header_base + SAME_LINE]
        total = _find_total_line(body, strips, self.table)
        body = [w for w in body if w not in total]
        rows = [r for s in strips for r in _rows(page, s, [w for w in body if s.left <= w.mid < s.right], self.table)]
        if total:
            rows = (
                [r for r in rows if not _below(r, total, strips)]
                + [_total_row(total, strips[0])]
                + [r for r in rows if _below(r, total, strips)]
            )
        totals = [i for i, row in enumerate(rows) if self.table.total and fits(self.table.total, row.label)]
        if self.ended or totals not in ([], [len(rows) - 1]):
            raise LayoutError(f"page {page.page_number}: table {self.table.name} goes on after its printed total")
        rows[len(rows) - len(totals) :] = [replace(rows[i], label=bare(rows[i].label)) for i in totals]
        self.strips, self.ended = strips, bool(totals)
        return [figure for row in rows for figure in row.figures(page.page_number, self.table)]

    def finish(self) -> None:
        """Raises LayoutError if the table was begun and no total was printed, or its columns are headed anew."""
        if self.strips and self.table.total and not self.ended:
            raise LayoutError(
                f"table {self.table.name} has no printed total ({self.table.total!r}): nothing proves it whole; if it "
                "is worded otherwise, add the new wording to the layout's `total` and to `totals`"
            )
        if not self.strips and self.beside:
            raise LayoutError(
                f"{self.beside}, which no column of table {self.table.name} is headed: add the new wording to the "
                "layout's `columns` if it counts the same"
            )


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    left: float | None  # the drawn edges, where there are any
    right: float | None
    header_x0: float
    header_x1: float

    def holds(self, word: Word) -> bool:
        """Whether a word stands in this column: between its drawn edges, else under its header."""
        after = word.x1 > self.header_x0 - 2 if self.left is None else word.mid >= self.left
        before = word.x0 < self.header_x1 + 2 if self.right is None else word.mid < self.right
        return after and before


@dataclass(frozen=True, slots=True)
class _Strip:
    """One label column with its number columns on one page: a table has one, or two side by side."""

    left: float
    right: float
    header_base: float  # no row starts above this
    columns: list[_Column]


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    values: dict[str, Word]

    def figures(self, page: int, table: "ListTable") -> list[Figure]:
        return [
            Figure(
                table.name,
                {table.label: self.label, "column": name},
                word.text.rstrip(RAISED),
                Locator(page=page, box=word.box),
            )
            for name, word in self.values.items()
        ]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Words of a line that stand together: a header cell, or one line of it."""

    text: str
    x0: float
    x1: float
    base: float
    size: float


def _segments(line: Line) -> list[_Segment]:
    groups: list[Line] = []
    for word in line:
        if groups and word.x0 - groups[-1][-1].x1 < 0.9 * word.size:
            groups[-1].append(word)
        else:
            groups.append([word])
    return [_Segment(join([g]), g[0].x0, g[-1].x1, g[0].base, max(w.size for w in g)) for g in groups]


def _find_strips(page: Page, lines: list[Line], table: "ListTable") -> list[_Strip]:
    """The header of a list table on this page, as the strips it opens; empty where the page has no such header."""
    segments = [s for line in lines for s in _segments(line)]
    labels = [s for s in segments if fits(table.header, s.text)]
    for label in labels:
        peers = [s for s in labels if abs(s.base - label.base) <= SAME_LINE]
        near = [s for s in segments if abs(s.base - label.base) <= 1.3 * label.size and s.x0 > peers[0].x1]
        cells = _stack([s for s in near if s not in peers])
        if cells and any(fits(p, cell.text) for cell in cells for p in table.columns.values()):
            return _open_strips(page, peers, cells, table)
    return []


def _beside(page: Page, lines: list[Line], table: "ListTable") -> str:
    """The header of the names on this page and what stands to its right; empty where there is no such header."""
    for line in lines:
        segments = _segments(line)
        for label in segments:
            if fits(table.header, label.text) and (cells := [s.text for s in segments if s.x0 > label.x1]):
                return f"page {page.page_number}: beside {label.text!r} stands {' | '.join(cells)!r}"
    return ""


def _stack(segments: list[_Segment]) -> list[_Segment]:
    """Header cells whose text is broken over lines: segments one above the other become one."""
    cells: list[_Segment] = []
    for s in sorted(segments, key=lambda s: (s.base, s.x0)):
        over = next((c for c in cells if c.x0 < s.x1 and s.x0 < c.x1), None)
        if over is None:
            cells.append(s)
        else:
            joined = f"{over.text} {s.text}"
            cells[cells.index(over)] = _Segment(
                joined, min(over.x0, s.x0), max(over.x1, s.x1), max(over.base, s.base), s.size
            )
    return sorted(cells, key=lambda c: c.x0)


def _open_strips(page: Page, labels: list[_Segment], cells: list[_Segment], table: "ListTable") -> list[_Strip]:
    base = max(s.base for s in [*labels, *cells])
    under = [r for r in _rules(page) if r.y > base]
    edges = sorted({x for r in under if r.y < under[0].y + RULE for x in (r.x0, r.x1)})
    strips: list[_Strip] = []
    for i, label in enumerate(labels):
        end = labels[i + 1].x0 if i + 1 < len(labels) else float(page.width)
        mine = [c for c in cells if label.x1 <= c.x0 < end]
        if not mine:
            raise LayoutError(f"page {page.page_number}: the header {label.text!r} has no number column beside it")
        columns = [_open_column(page, label, mine, k, end, edges, table) for k in range(len(mine))]
        if len({c.name for c in columns}) < len(columns):
            raise LayoutError(f"page {page.page_number}: two columns of table {table.name} are headed alike")
        left = strips[-1].right if strips else 0.0
        drawn = _edge(edges, columns[-1].header_x1, end)
        right = (drawn if drawn is not None else (columns[-1].header_x1 + end) / 2) if end < page.width else end
        strips.append(_Strip(left, right, base, columns))
    return strips


def _open_column(
    page: Page, label: _Segment, cells: list[_Segment], k: int, end: float, edges: list[float], table: "ListTable"
) -> _Column:
    cell = cells[k]
    names = [name for name, pattern in table.columns.items() if fits(pattern, cell.text)]
    if len(names) != 1:
        raise LayoutError(
            f"page {page.page_number}: column header {cell.text!r} is unknown to table {table.name}; "
            "add it to the layout's columns"
        )
    left = _edge(edges, cells[k - 1].x1 if k else label.x1, cell.x0)
    right = _edge(edges, cell.x1, cells[k + 1].x0 if k + 1 < len(cells) else end)
    return _Column(names[0], left, right, cell.x0, cell.x1)


def _edge(edges: list[float], low: float, high: float) -> float | None:
    """The first drawn column edge between two places, or None."""
    return next((e for e in edges if low - 1 <= e <= high + 1), None)


# ---- rows of a list


@dataclass(frozen=True, slots=True)
class _Rule:
    x0: float
    x1: float
    y: float


def _rules(page: Page) -> list[_Rule]:
    """Horizontal rules as drawn, top to bottom: lines, and rectangles too thin to be shading."""
    drawn = [*page.lines, *(r for r in page.rects if r["height"] <= RULE)]
    flat = [o for o in drawn if o["bottom"] - o["top"] <= RULE and o["x1"] - o["x0"] > 10]
    return sorted((_Rule(float(o["x0"]), float(o["x1"]), float(o["top"])) for o in flat), key=lambda r: (r.y, r.x0))


def _rows(page: Page, strip: _Strip, words: list[Word], table: "ListTable") -> Iterator[_Row]:
    """The rows of one strip, top to bottom. Raises LayoutError for a word in the table's frame that fits no row."""
    bands = _ruled_bands(page, strip, words) or _spaced_bands(strip, words)
    for band in bands:
        row = _row(page.page_number, strip, band, table)
        if row is not None:
            yield row


def _ruled_bands(page: Page, strip: _Strip, words: list[Word]) -> list[list[Word]] | None:
    """Words between consecutive rules; None where the rules do not part the rows."""
    ys: list[float] = []
    for rule in _rules(page):
        crosses = rule.x0 < strip.columns[0].header_x0 and rule.x1 > strip.left and rule.x0 < strip.right
        if rule.y > strip.header_base and crosses and (not ys or rule.y - ys[-1] > RULE):
            ys.append(rule.y)
    if len(ys) < 2:
        return None
    bands: list[list[Word]] = [[] for _ in range(len(ys) + 1)]
    for word in words:
        bands[sum(word.base > y for y in ys)].append(word)
    counts = [max(sum(c.holds(w) and is_number(w) for w in band) for c in strip.columns) for band in bands]
    if max(counts[:-1]) > 1:
        return None  # a frame around many rows
    above = bands[:1] if counts[0] else []  # the rule under the header is not always drawn
    return [*above, *bands[1:-1], *_spaced_bands(strip, bands[-1])]


def _spaced_bands(strip: _Strip, words: list[Word]) -> list[list[Word]]:
    """Blocks of lines that stand closer to each other than the rows do; what follows the last number is no row."""
    lines = lines_of(words)
    bases = [line[0].base for line in lines if any(is_number(w) and c.holds(w) for w in line for c in strip.columns)]
    if not bases:
        return []
    gaps = sorted(b - a for a, b in pairwise(bases))
    pitch = gaps[len(gaps) // 2] if gaps else 0.0
    blocks: list[list[Line]] = []
    for line in lines:
        if blocks and line[0].base - blocks[-1][-1][0].base < 0.92 * pitch:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    last = max(i for i, block in enumerate(blocks) if any(line[0].base == bases[-1] for line in block))
    while last + 1 < len(blocks) and blocks[last + 1][0][0].base - blocks[last][-1][0].base < 1.08 * pitch:
        last += 1  # as close as a row: the rest of a name, which is refused for want of a number
    return [[word for line in block for word in line] for block in blocks[: last + 1]]


def _row(page: int, strip: _Strip, band: list[Word], table: "ListTable") -> _Row | None:
    if not band:
        return None
    values: dict[str, Word] = {}
    for column in strip.columns:
        here = [w for w in band if column.holds(w) and is_number(w)]
        if len(here) > 1:
            raise LayoutError(
                f"page {page}: two numbers, {here[0].text} and {here[1].text}, in one row of the column {column.name}"
            )
        if here:
            values[column.name] = here[0]
    taken = list(values.values())
    rest = lines_of(w for w in band if w not in taken)
    label = join(rest)
    where = f"page {page}, {around(band)[1]:.0f} points down"
    if not label:
        raise LayoutError(f"{where}: the number {taken[0].text} has no name beside it")
    if len(values) < len(strip.columns):
        missing = [c.name for c in strip.columns if c.name not in values]
        raise LayoutError(f"{where}: {label!r} has no number in the column {missing[0]}")
    edge = min(w.x0 for w in taken)
    stray = [w for line in rest for w in line if w.x1 > edge + 1]
    if stray:
        raise LayoutError(f"{where}: {stray[0].text!r} of {label!r} stands among the numbers")
    return _Row(label, values)


def _find_total_line(words: list[Word], strips: list[_Strip], table: "ListTable") -> Line:
    """A line of its own that holds the table's total and nothing else: its label may span the columns."""
    for line in lines_of(words):
        numbers = [w for w in line if is_number(w)]
        label = join([[w for w in line if w not in numbers]])
        if table.total and len(numbers) == len(strips[0].columns) and fits(table.total, label):
            return line
    return []


def _below(row: _Row, total: Line, strips: list[_Strip]) -> bool:
    """Whether a row stands under the total line, in the strip that holds the total's number."""
    strip = next(s for s in strips if s.left <= total[-1].mid < s.right)
    return all(w.base > total[-1].base and strip.left <= w.mid < strip.right for w in row.values.values())


def _total_row(line: Line, strip: _Strip) -> _Row:
    numbers = [w for w in line if is_number(w)]
    label = join([[w for w in line if w not in numbers]])
    return _Row(label, {c.name: w for c, w in zip(strip.columns, numbers, strict=True)})


def _refuse_headless(page: int, words: list[Word], strips: list[_Strip], table: "ListTable") -> None:
    """A page without the header must not hold rows: a number under a known column, with a name to its left."""
    for line in lines_of(words):
        for strip in strips:
            numbers = [w for w in line if is_number(w) and any(c.holds(w) for c in strip.columns)]
            if numbers and any(strip.left <= w.mid < numbers[0].x0 and not is_number(w) for w in line):
                raise LayoutError(f"page {page} has rows ({join([line])[:60]!r}) but no header {table.header!r}")
