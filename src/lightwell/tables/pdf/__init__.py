"""PDF tables to figures, from word geometry. pdfplumber lives only in this package.

Three kinds of table (`Table.kind` in a declaration):

* `list`: a label column and one or more number columns under a printed header, repeated on every page, possibly twice
  side by side, ended by a printed total. Rows are the bands between the printed rules; where no rule is drawn, they are
  told apart by line spacing. Names may wrap; a number may stand on a line of its own.
* `grid`: a table whose every cell is boxed by rules. Header rows give each column its labels.
* `prose`: a number in a sentence, found by a pattern.

A word belongs to the band or cell that holds its baseline: fonts misreport their height, never their baseline. On a
page with a table every word is taken as a label or a number, stands outside the table (heading, prose, footnote, page
number), or raises: a word inside the table's frame that fits nothing, and a number outside it that is aligned with its
number column, are both errors.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pdfplumber
from pdfminer.pdfexceptions import PDFException
from pdfplumber.pdf import PDF
from pdfplumber.utils.exceptions import MalformedPDFException, PdfminerException

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator, Opening, refuse_scale, refuse_unfinished, require_tables
from lightwell.tables.pdf.grids import read_grids
from lightwell.tables.pdf.lists import ListReader
from lightwell.tables.pdf.words import Word, around, fits, join, lines_of, page_words, text_of

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout, ProseTable

MAX_PAGES = 200  # the longest report of this kind has some 20


@contextmanager
def _opened(path: Path) -> Iterator[PDF]:
    try:
        with pdfplumber.open(path) as pdf:
            yield pdf
    except (PDFException, PdfminerException, MalformedPDFException) as error:
        raise LayoutError(f"the PDF cannot be read ({error}); download it again or open it by hand") from error


def opening(path: Path) -> Opening:
    """Title, date and first page of a PDF: enough to choose its layout. Raises LayoutError if it cannot be opened."""
    with _opened(path) as pdf:
        meta = {k: str(v) for k, v in (pdf.metadata or {}).items()}
        text = text_of(page_words(pdf.pages[0])) if pdf.pages else ""
    stamp = re.match(r"D:(\d{4})(\d{2})(\d{2})", meta.get("ModDate") or meta.get("CreationDate") or "")
    try:
        dated_on = date(*(int(part) for part in stamp.groups())) if stamp else None
    except ValueError:
        dated_on = None
    return Opening(title=meta.get("Title") or None, dated_on=dated_on, text=text)


def draw(path: Path, locator: Locator, target: Path, resolution: int = 110) -> None:
    """Draw the locator's page as PNG with its figure boxed. Raises LayoutError if the document has no such page."""
    with _opened(path) as pdf:
        if locator.page is None or locator.box is None or locator.page > len(pdf.pages):
            raise LayoutError(f"{locator} names no page and box of {path.name}")
        x0, top, x1, bottom = locator.box
        image = pdf.pages[locator.page - 1].to_image(resolution=resolution)
        image.draw_rect((x0 - 3, top - 2, x1 + 3, bottom + 2), stroke="red", stroke_width=2, fill=(255, 0, 0, 30))
        image.save(str(target), format="PNG")


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure of a PDF, table by table in reading order of the pages. Raises LayoutError where the document is
    unlike its layout: no figure of it may then be used."""
    if document.path is None:
        raise LayoutError(f"the file of document {document.document_id[:12]} is not in the archive")
    lists = [ListReader(t) for t in layout.tables if t.kind == "list"]
    grids = [t for t in layout.tables if t.kind == "grid"]
    prose = [t for t in layout.tables if t.kind == "prose"]
    periods: dict[str, int] = {}  # as printed -> page on which it first stands
    figures: list[Figure] = []
    blank = True
    with _opened(document.path) as pdf:
        if len(pdf.pages) > MAX_PAGES:
            raise LayoutError(f"{len(pdf.pages)} pages, the cap is {MAX_PAGES}: is this the right document?")
        for page in pdf.pages:
            words = _heeded(printed_words := page_words(page), layout.ignore)
            refuse_unfinished(text_of(printed_words))
            blank = blank and not words
            refuse_scale(text := text_of(words))
            for match in re.finditer(layout.period, text) if layout.period else ():
                _refuse_part(text[: match.start("year")], match["year"])
                periods.setdefault(match["year"], page.page_number)
            for reader in lists:
                figures += reader.read(page, words)
            figures += read_grids(page, words, grids) if grids else []
            for table in prose:
                figures += _read_prose(page.page_number, words, table)
            page.close()
    if blank:
        raise LayoutError("no page has a text layer: the pages are pictures, read them by hand")
    for reader in lists:
        reader.finish()
    require_tables(layout, {f.table for f in figures})
    printed = _period(periods, layout.period) if layout.period else ""
    if layout.period_label is None:
        return iter(figures)
    return iter([Figure(f.table, {layout.period_label: printed, **f.labels}, f.text, f.locator) for f in figures])


def _heeded(words: list[Word], ignore: list[str]) -> list[Word]:
    """The words of a page but for the lines that the layout says are no data."""
    lines = lines_of(words)
    return [w for line in lines if not any(fits(pattern, join([line])) for pattern in ignore) for w in line]


_PART = re.compile(  # what makes of the year behind it less than that year, more than it, or another
    r"\b(?:(?:FY|fiscal|Q[1-4]|H[12]|half|quarter|preliminary|provisional|interim|partial|draft|estimated"
    r"|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?(?: year| of)?,? ?(?:[-–—/&]|to|and|through)?"
    r"|20\d\d ?(?:[-–—/&,]|to|and|through)) ?$",
    re.IGNORECASE,
)


def _refuse_part(before: str, year: str) -> None:
    if (part := _PART.search(before[-40:])) is not None:
        raise LayoutError(
            f"the document reports on {part.group() + year!r}, which is not the period {year} or not its final report: "
            "wait for the whole one, or transcribe what you need under the period that it says"
        )


def _period(periods: dict[str, int], pattern: str) -> str:
    if not periods:
        raise LayoutError(f"no page prints the period as {pattern!r}: add the new wording to the layout")
    if len(periods) > 1:
        printed = ", ".join(f"{period} on page {page}" for period, page in periods.items())
        raise LayoutError(f"the document names more than one period: {printed}")
    return next(iter(periods))


def _read_prose(page: int, words: list[Word], table: "ProseTable") -> Iterator[Figure]:
    ordered = [word for line in lines_of(words) for word in line]
    starts, text = [], ""
    for word in ordered:
        starts.append(len(text))
        text += word.text + " "
    for match in re.finditer(table.pattern, text):
        low, high = match.span("text")
        taken = [w for w, s in zip(ordered, starts, strict=True) if s < high and s + len(w.text) > low]
        labels = {k: v for k, v in match.groupdict("").items() if k != "text"}
        yield Figure(table.name, labels, match["text"], Locator(page=page, box=around(taken)))
