"""PDFs typeset in code, laid out like NCMEC's: made-up names and numbers, the publisher's geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pdfplumber
from reportlab.lib.colors import lightblue
from reportlab.lib.pagesizes import letter
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = letter
PITCH = 16.3  # points from row to row
LEADING = 13.2  # points from line to line in a wrapped name


def thousands(number: int) -> str:
    return f"{number:,}"


def put(canvas: Canvas, x: float, y: float, text: str, *, right: bool = False) -> None:
    """Draw a text at x, or up to x; what follows `^` in it is small and raised, as a footnote's digit is."""
    text, _, mark = text.partition("^")
    font, size = canvas._fontname, canvas._fontsize
    if right:
        x -= canvas.stringWidth(text, font, size) + canvas.stringWidth(mark, font, 0.6 * size)
    canvas.drawString(x, y, text)
    if mark:
        canvas.setFont(font, 0.6 * size)
        canvas.drawString(x + canvas.stringWidth(text, font, size), y + 0.35 * size, mark)
        canvas.setFont(font, size)


@dataclass
class ListReplica:
    """A list of names and numbers over several pages. A name with a line break is printed wrapped."""

    year: int = 2022
    subject: str = "Electronic Service Providers (ESP)"
    running: str | None = "{year} Reports by ESP"  # before the page number, from the second page on
    header: Sequence[str] = ("ESP", "Number of Reports")  # a line break makes a header of two lines
    rows: Sequence[tuple[str, ...]] = ()  # name, then the number of each column, as printed
    total: tuple[str, ...] | None = None
    rows_per_page: int = 30
    pairs: int = 1  # strips side by side
    rules: bool = True
    number_line: str = "middle"  # where a wrapped name's number stands: middle, first
    boxed_total: bool = False  # the total in a box of its own under the table
    footnote: str | None = "*Reasons include no address in the report."
    column_shift: float = 0.0  # moves the numbers of the second page sideways
    header_on_every_page: bool = True

    def write(self, path: Path) -> Path:
        canvas = Canvas(str(path), pagesize=letter)
        canvas.setTitle(f"{self.year} CyberTipline Reports by {self.subject}")
        rows = [*self.rows, *([self.total] if self.total and not self.boxed_total else [])]
        per_page = self.rows_per_page * self.pairs
        pages = [rows[i : i + per_page] for i in range(0, len(rows), per_page)]
        for number, page in enumerate(pages, start=1):
            self._page(canvas, number, page, last=number == len(pages))
            canvas.showPage()
        canvas.save()
        return path

    def _page(self, canvas: Canvas, number: int, rows: Sequence[tuple[str, ...]], *, last: bool) -> None:
        y = HEIGHT - 60
        if number == 1:
            canvas.setFont("Helvetica-Bold", 18)
            canvas.drawString(72, y, f"{self.year} CyberTipline Reports by")
            canvas.drawString(72, y - 22, self.subject)
            canvas.setFont("Helvetica", 11)
            for i in range(4):
                canvas.drawString(
                    72, y - 50 - 14 * i, f"In {self.year} there were more than 21.7 million reports of 3 kinds."
                )
            y -= 130
        else:
            canvas.setFont("Helvetica-Bold", 13)
            label = (self.running or "").format(year=self.year)
            canvas.drawRightString(540, HEIGHT - 47, f"{label} {number}".strip())
        width = (WIDTH - 140) / self.pairs
        size = -(-len(rows) // self.pairs)
        bottoms = []
        for k in range(self.pairs):
            x = 70 + k * width
            shift = self.column_shift if number == 2 else 0.0
            bottoms.append(
                self._strip(
                    canvas,
                    x,
                    width - 12 * (self.pairs > 1),
                    y,
                    rows[k * size : (k + 1) * size],
                    shift,
                    header=number == 1 or self.header_on_every_page,
                )
            )
        if last and self.boxed_total and self.total:
            low = min(bottoms) - 40
            canvas.rect(330, low, 200, 20)
            canvas.setFont("Helvetica-Bold", 11)
            canvas.drawString(340, low + 6, self.total[0])
            canvas.drawRightString(520, low + 6, self.total[1])
        if last and self.footnote:
            canvas.setFont("Helvetica", 9)
            canvas.drawString(72, min(bottoms) - 60, self.footnote)
        canvas.setFont("Helvetica", 8)
        canvas.drawCentredString(WIDTH / 2, 30, f"Copyright {self.year + 1} A Publisher. All rights reserved.")

    def _strip(
        self,
        canvas: Canvas,
        x: float,
        width: float,
        y: float,
        rows: Sequence[tuple[str, ...]],
        shift: float,
        *,
        header: bool,
    ) -> float:
        columns = len(self.header) - 1
        edge = x + width - (80 if self.pairs > 1 else 110) * columns  # between names and numbers
        rights = [edge + (x + width - edge) * (i + 1) / columns - 10 for i in range(columns)]
        edges = [x, edge, *[r + 10 for r in rights]]
        if header:
            canvas.setFillColor(lightblue)
            canvas.rect(x, y - 31, width, 31, stroke=0, fill=1)
            canvas.setFillColor("black")
            canvas.setFont("Helvetica-Bold", 11)
            put(canvas, x + 12, y - 20, self.header[0])
            for text, right in zip(self.header[1:], rights, strict=True):
                lines = text.split("\n")
                for i, line in enumerate(lines):
                    put(canvas, right, y - 20 + 6.6 * (len(lines) - 1) - LEADING * i, line, right=True)
            self._rule(canvas, edges, y)
        y -= 31
        if header:
            self._rule(canvas, edges, y)
        canvas.setFont("Helvetica", 11)
        for name, *numbers in rows:
            lines = name.split("\n")
            height = PITCH + LEADING * (len(lines) - 1)
            for i, line in enumerate(lines):
                put(canvas, x + 12, y - 12.3 - LEADING * i, line)
            drop = 12.3 + (LEADING * (len(lines) - 1) / 2 if self.number_line == "middle" else 0)
            for text, right in zip(numbers, rights, strict=True):
                put(canvas, right + shift, y - drop, text, right=True)
            y -= height
            self._rule(canvas, edges, y)
        return y

    def _rule(self, canvas: Canvas, edges: list[float], y: float) -> None:
        if self.rules:
            for left, right in pairwise(edges):
                canvas.line(left, y, right, y)


def by_esp(count: int = 70, *, year: int = 2022) -> ListReplica:
    """A by-ESP list of made-up names: wrapped ones, starred ones, names that hold digits."""
    rows = []
    for i in range(count):
        name = f"Service {chr(65 + i % 26)}{i}"
        if i % 17 == 5:
            name = f"Long Holding {i}/Some/\nOther Brand"
        if i % 19 == 7:
            name += "*"
        rows.append((name, thousands((i * 7919) % 1000 + (i % 11 == 3) * 21_165_208)))
    total = sum(int(n.replace(",", "")) for _, n in rows)
    return ListReplica(year=year, rows=rows, total=("Total:", thousands(total)))


COUNTRIES = (
    "Afghanistan", "Albania", "Algeria", "Andorra", "Angola", "Argentina", "Armenia", "Aruba", "Australia", "Austria",
    "Bahamas", "Bahrain/Bahrein", "Bangladesh", "Barbados", "Belgium", "Belize", "Benin", "Bolivia", "Brazil", "Chad",
    "Chile", "Colombia", "Congo", "Congo, The Democratic Republic of the", "Cuba", "Eretria", "Europe", "Fiji",
    "France", "Georgia", "Germany", "Ghana", "Guam", "India", "Italy", "Japan", "Kenya", "Malta", "Nepal", "Peru",
    "Philippines", "Saint Helena, Ascension\nand Tristan da Cunha", "Sierre Leone", "Spain", "Thailand",
    "Turks and Calcos Islands", "United Kingdom", "United States", "Zambia", "Null",
)  # fmt: skip


def by_country(*, year: int = 2022, columns: int = 1) -> ListReplica:
    """A by-country list: one number column, or two as from 2024."""
    rows = [
        (name, *(thousands((i * 104_729 + 31 * c) % 900_000 + 1) for c in range(columns)))
        for i, name in enumerate(COUNTRIES)
    ]
    totals = [sum(int(row[c + 1].replace(",", "")) for row in rows) for c in range(columns)]
    header = (
        ("Country / Territory", "Reports") if columns == 1 else ("Country / Territory", "Referrals", "Informational")
    )
    return ListReplica(
        year=year, subject="Country", running="", header=header, rows=rows,
        total=("Total", *map(thousands, totals)), rows_per_page=20,
    )  # fmt: skip


def as_picture(path: Path, target: Path) -> Path:
    """The same pages as pictures: a PDF without a text layer."""
    canvas = Canvas(str(target), pagesize=letter)
    with pdfplumber.open(path) as pdf:
        for page in pdf.pages:
            png = BytesIO()
            page.to_image(resolution=50).save(png, format="PNG")
            canvas.drawImage(ImageReader(png), 0, 0, WIDTH, HEIGHT)
            canvas.showPage()
    canvas.save()
    return target


@dataclass
class Grid:
    """A boxed table: every row is a list of cell texts; None is covered by the cell to its left."""

    rows: Sequence[Sequence[str | None]]
    widths: Sequence[float]
    header_rows: int = 1
    marks: str = ""  # a footnote mark set small after the last header cell


def grids(path: Path, pages: Sequence[Sequence[Grid | str]], *, title: str) -> Path:
    """Pages of boxed tables and lines of prose, ruled as a word processor does: thin filled rectangles."""
    canvas = Canvas(str(path), pagesize=letter)
    canvas.setTitle(title)
    for number, page in enumerate(pages, start=1):
        y = HEIGHT - 72
        for item in page:
            if isinstance(item, str):
                canvas.setFont("Helvetica", 11)
                canvas.drawString(72, y, item)
                y -= 16
            else:
                y = _grid(canvas, item, y) - 24
        canvas.setFont("Helvetica", 9)
        canvas.drawCentredString(WIDTH / 2, 30, str(number))
        canvas.showPage()
    canvas.save()
    return path


def _grid(canvas: Canvas, grid: Grid, y: float) -> float:
    edges = [72.0]
    for width in grid.widths:
        edges.append(edges[-1] + width)
    for r, row in enumerate(grid.rows):
        height = 8 + 12 * max(len((text or "").split("\n")) for text in row)
        if r < grid.header_rows:
            canvas.setFillColor(lightblue)
            canvas.rect(edges[0], y - height, edges[-1] - edges[0], height, stroke=0, fill=1)
            canvas.setFillColor("black")
        for k, text in enumerate(row):
            if text is None:
                continue
            canvas.rect(edges[k], y - height, 0.7, height, stroke=0, fill=1)
            canvas.setFont("Helvetica", 10)
            for i, line in enumerate(text.split("\n")):
                put(canvas, edges[k] + 5, y - 13 - 12 * i, line)
            if grid.marks and r == 0 and k == len(row) - 1:
                canvas.setFont("Helvetica", 6)
                canvas.drawString(edges[k] + 6 + canvas.stringWidth(text, "Helvetica", 10), y - 9, grid.marks)
        canvas.rect(edges[-1], y - height, 0.7, height, stroke=0, fill=1)
        canvas.rect(edges[0], y, edges[-1] - edges[0], 0.7, stroke=0, fill=1)
        y -= height
    canvas.rect(edges[0], y, edges[-1] - edges[0], 0.7, stroke=0, fill=1)
    return y
