"""Web pages (HTML) to figures: their tables, and numbers in their sentences. A page is read, never run.

Every table that is shown becomes a sheet under its caption, or else under the heading before it. What a page hides, and
scripts, styles and drawings, are left out. A footnote mark (`<sup>`, or a link into the page) never becomes part of a
number: a digit in one is kept as `¹`, anything else in brackets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from lightwell.errors import LayoutError
from lightwell.tables import Figure, Locator, Opening, refuse_scale, require_tables
from lightwell.tables.cells import Cell, Sheet, address_labels, figures

if TYPE_CHECKING:
    from lightwell.archive import Document
    from lightwell.source import Layout, ProseTable

_MAX_BYTES = 10_000_000
_MAX_CELLS = 200_000  # of one page, after rowspan and colspan are written out
_MAX_DEPTH = 400  # elements open at once
_BEGINNING = 20_000  # characters that tell one layout from another

_SILENT = frozenset(  # nothing in them is text of the page
    "head script style noscript template svg math iframe object canvas audio video select textarea".split()  # noqa: SIM905
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905
_HEADINGS = frozenset(f"h{n}" for n in range(1, 7))
_BLOCKS = _HEADINGS | frozenset(
    "address article aside blockquote body br button caption dd details div dl dt fieldset figcaption figure footer "  # noqa: SIM905
    "form header hr html legend li main nav ol option p pre section summary table tbody td tfoot th thead tr ul".split()
)
_CELLS = frozenset({"td", "th"})
_SECTIONS = frozenset({"thead", "tbody", "tfoot", "caption", "colgroup"})
_ENDED_BY = {  # an open element that these begin without its own end tag
    "p": _BLOCKS - {"br", "button"},
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "head": frozenset({"body"}),
    "option": frozenset({"option"}),
    "td": _CELLS | {"tr"} | _SECTIONS,
    "th": _CELLS | {"tr"} | _SECTIONS,
    "tr": frozenset({"tr"}) | _SECTIONS,
    "thead": _SECTIONS,
    "tbody": _SECTIONS,
    "tfoot": _SECTIONS,
    "caption": _SECTIONS | {"tr"} | _CELLS,
    "colgroup": _SECTIONS | {"tr"} | _CELLS,
}
_STOPS = {"li": {"ul", "ol"}, "dt": {"dl"}, "dd": {"dl"}, "option": {"select"}}  # an outer one is not ended from inside
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
_UNSEEN = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))  # characters that have no width
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", "[]() ,;")
_BOM = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CHARSET = re.compile(rb"""<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "windows-1252": "cp1252"}
_ENCODINGS |= {"iso-8859-1": "cp1252", "latin1": "cp1252", "iso-8859-15": "iso8859-15"}  # the first two as browsers do
_TO = r"[ -]*(?:-|–|—|to|through|until)[ -]*"
_HALVES = {  # how a half-year is named, in a text or an address
    half: re.compile(
        rf"(?<![a-z0-9])(?:h{half}[ -](20\d\d)|(20\d\d)[ -]h{half}|(20\d\d)-{day}"
        rf"|{first}(?: 1,?)?(?: 20\d\d)?{_TO}{last},?[ -](20\d\d))(?![a-z0-9])",
        re.IGNORECASE,
    )
    for half, day, first, last in (
        (1, "6-30", "jan(?:uary)?", "june?(?: 30)?"),
        (2, "12-31", "july?", "dec(?:ember)?(?: 31)?"),
    )
}


@dataclass(slots=True)
class _Element:
    tag: str
    hidden: bool  # itself, or one around it
    mark: list[str] | None = None  # the text of a footnote mark


@dataclass(slots=True)
class _Text:
    """The shown text of a block or a cell, white space squeezed, and the line of the file on which each part begins."""

    parts: list[str] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)  # length of the text before a part, its line
    length: int = 0
    joined: bool = True  # no tag since the last part

    def add(self, text: str, line: int) -> None:
        last = self.parts[-1][-1] if self.parts else " "
        if not self.joined and last.isdecimal() and text[:1].isdecimal():
            text = " " + text  # two elements are never one number
        if last == " ":
            text = text.lstrip(" ")
        if text:
            self.starts.append((self.length, line))
            self.parts.append(text)
            self.length += len(text)
        self.joined = True

    def line_at(self, at: int) -> int:
        return next(line for start, line in reversed(self.starts) if start <= at)

    def __str__(self) -> str:
        return "".join(self.parts).rstrip(" ")


@dataclass(slots=True)
class _Span:
    text: _Text
    rows: int  # 0: to the end of its section
    columns: int


@dataclass(slots=True)
class _Table:
    heading: str
    line: int
    caption: _Text | None = None
    sections: list[list[list[_Span]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows. `stretched` holds sheet and cell of whatever covers several rows or columns."""

    title: str | None
    sheets: list[Sheet]
    blocks: list[_Text]  # paragraphs, headings and the like outside tables, in the file's order
    stretched: frozenset[Locator]


def opening(path: Path) -> Opening:
    """The page's title, and the beginning of what it shows. It has no date. Raises LayoutError if it shows no text."""
    page = _page(path)
    tables = (cell.text for sheet in page.sheets for row in sheet.rows for cell in row)
    text = " ".join([page.title or "", *map(str, page.blocks), *tables])
    return Opening(title=page.title, dated_on=None, text=" ".join(text.split())[:_BEGINNING])


def extract(document: "Document", layout: "Layout") -> Iterator[Figure]:
    """Every figure of a page: of its tables, then of its sentences.

    A table is left out where `ignore_sheets` fits its heading and all of its text, as `heading | text`. Raises
    LayoutError for a table that fits nothing, and where the page has no figure: a login or challenge page, or one that
    is worded in a new way.
    """
    if document.path is None:
        raise LayoutError(f"the file of document {document.document_id[:12]} is not in the archive")
    page = _page(document.path)
    refuse_scale(" ".join(map(str, page.blocks)))
    given = address_labels(document, layout)
    if given:
        _refuse_other_half(page, document.url or "")
    sheets = [sheet for sheet in page.sheets if not _is_ignored(sheet, layout)]
    if given:
        _refuse_other_headings(sheets, document.url or "")
    lax = [table.model_copy(update={"required": False}) for table in layout.tables]  # asked for below, with the prose
    found = list(figures(sheets, document, layout.model_copy(update={"tables": lax})))
    for figure in found:
        if figure.locator in page.stretched:
            raise LayoutError(
                f"{figure.locator}: {figure.text!r} stretches over several rows or columns, and which of them it "
                "counts is not clear: read the table by hand"
            )
    for table in layout.tables:
        if table.kind == "prose":
            found += _read_prose(page.blocks, table, given)
    if not found:
        raise LayoutError(
            "no table and no sentence of the page is known: either it is worded in a new way (complete the layout), or "
            "it is a login or challenge page, or one that scripts fill (save it in a browser once it has loaded)"
        )
    require_tables(layout, {f.table for f in found})
    return iter(found)


def _refuse_other_half(page: Page, url: str) -> None:
    """A page whose address says of which half-year it is may name others too, but must not name only others: a site
    that has no such page answers with another."""
    due = _halves(url)
    cells = (cell.text for sheet in page.sheets for row in sheet.rows for cell in row)
    named = _halves(
        " | ".join([page.title or "", *map(str, page.blocks), *(sheet.name for sheet in page.sheets), *cells])
    )
    if due and named and not due & named:
        raise LayoutError(
            f"the page names {', '.join(sorted(named))}, its address {', '.join(sorted(due))}: the site answered with "
            "another page, or it was saved under the wrong address: add it again with the address of its own half-year"
        )


def _refuse_other_headings(sheets: list[Sheet], url: str) -> None:
    """A table under a heading that names only other half-years or years than the address is not of the address's."""
    due = _halves(url)
    for sheet in sheets:
        named = _halves(sheet.name) or set(re.findall(r"(?<!\d)20\d\d(?!\d)", sheet.name))
        if due and named and not any(half.startswith(name) for half in due for name in named):
            raise LayoutError(
                f"the table under {sheet.name!r} is of {', '.join(sorted(named))}, the page's address of "
                f"{', '.join(sorted(due))}: transcribe what you need of the page"
            )


def _halves(text: str) -> set[str]:
    """The half-years that a text or an address names: H1 2031, 2031-h1, January 1, 2031 - June 30, 2031, 2031-6-30."""
    return {
        f"{year}-S{half}"
        for half, named in _HALVES.items()
        for match in named.finditer(text)
        for year in match.groups()
        if year
    }


def _is_ignored(sheet: Sheet, layout: "Layout") -> bool:
    text = " ".join(cell.text for row in sheet.rows for cell in row if cell.text)
    whole = " ".join(f"{sheet.name} | {text}".split())
    return any(re.fullmatch(pattern, whole, re.IGNORECASE) for pattern in layout.ignore_sheets)


def _read_prose(blocks: list[_Text], table: "ProseTable", given: dict[str, str]) -> Iterator[Figure]:
    """The numbers of a pattern. No match runs over two blocks; its column is its range of characters."""
    for number, block in enumerate(blocks, start=1):
        text = re.sub(r"(?<!\d)\u00a0|\u00a0(?!\d)", " ", str(block))
        for match in re.finditer(table.pattern, text):
            low, high = match.span("text")
            labels = {k: v for k, v in match.groupdict("").items() if k != "text"} | _doubt(text, *match.span())
            where = Locator(line=block.line_at(low), column=f"block {number}, {low + 1}-{high}")
            yield Figure(table.name, {**given, **labels}, match["text"], where)


_PART = re.compile(  # of a sentence, behind the number up to the next comma: that it counts another span, or a part
    r"\b(?:since|to date|so far|cumulative\w*|(?:previous|prior|last|preceding|first|second|third|fourth|final)"
    r" (?:reporting )?(?:period|half|year|quarter|six|three|month|report)\w*|Q[1-4]|average|(?:per|each|every|a) "
    r"(?:day|week|month|quarter|year)|daily|weekly|monthly|quarterly|in (?:the )?(?:EU|European Union|Europe))\b"
    r"|\b(?:in|of|during|for) (?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"\b(?!,? (?:to|through|and|until)\b|(?: \d+,?)? ?[-–—])",
    re.IGNORECASE,
)


def _doubt(text: str, low: int, high: int) -> dict[str, str]:
    """The label `doubt` where the sentence around a match says that it does not count the whole half-year."""
    before = re.split(r"(?<!\b[A-Z])[.!?]\s", text[:low])[-1]
    behind = re.split(r"[,;.!?](?!\d)", text[high:])[0]
    for said in (before + text[low:high], behind):
        if (part := _PART.search(said)) is not None:
            what = f"the sentence says {part[0]!r}: does it count the whole half-year? See the page, and transcribe it"
            return {"doubt": what}
    return {}


# ------------------------------------------------------------------------------------------------------------- the page


def _page(path: Path) -> Page:
    parser = _Parser()
    parser.read(_decoded(path))
    names: dict[str, int] = {}
    sheets, stretched, room = [], set[Locator](), _MAX_CELLS
    for table in parser.tables:
        caption = "" if table.caption is None else str(table.caption)
        name = _squeeze(caption or table.heading) or "table"
        names[name] = names.get(name, 0) + 1
        rows = _spread(table, name if names[name] == 1 else f"{name} ({names[name]})", stretched, room)
        room -= sum(map(len, rows))
        sheets.append(Sheet(name, rows))
    if not sheets and not any(map(str, parser.blocks)):
        raise LayoutError("the page shows no text of its own: scripts fill it; save it in a browser once it has loaded")
    return Page(_squeeze("".join(parser.title)) or None, sheets, parser.blocks, frozenset(stretched))


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    if len(content) > _MAX_BYTES:
        raise LayoutError(f"the page has {len(content):,} bytes, the cap is {_MAX_BYTES:,}: is it the right document?")
    encoding, skip = next(((e, len(bom)) for bom, e in _BOM if content.startswith(bom)), (None, 0))
    if encoding is None:
        said = _CHARSET.search(content[:4096])
        name = "utf-8" if said is None else said[1].decode("ascii", "replace").lower()
        if (encoding := _ENCODINGS.get(name)) is None:
            raise LayoutError(f"the page says its encoding is {name!r}, which is not known here: save it as UTF-8")
    try:
        return content[skip:].decode(encoding)
    except UnicodeDecodeError as error:
        raise LayoutError(f"byte {error.start + skip} is not {encoding}: save the page as UTF-8") from error


def _spread(table: _Table, name: str, stretched: set[Locator], room: int) -> list[list[Cell]]:
    """The rows of a table with every cell repeated where it stretches. Raises LayoutError where two overlap."""
    rows: list[list[Cell]] = []
    for section in table.sections:
        taken: dict[tuple[int, int], Cell] = {}
        for r, spans in enumerate(section):
            c = 0
            for span in spans:
                while (r, c) in taken:
                    c += 1
                height = min(span.rows or len(section), len(section) - r)
                room -= height * span.columns
                if room < 0:
                    raise LayoutError(f"line {table.line}: the tables have more than {_MAX_CELLS:,} cells: refused")
                for slot in ((r + i, c + j) for i in range(height) for j in range(span.columns)):
                    if slot in taken:
                        raise LayoutError(
                            f"line {table.line}: two cells of the table {name!r} overlap: read it by hand"
                        )
                    where = Locator(sheet=name, cell=f"{_letters(slot[1] + 1)}{len(rows) + slot[0] + 1}")
                    taken[slot] = Cell(str(span.text), where)
                    if height * span.columns > 1:
                        stretched.add(where)
                c += span.columns
        rows += _filled(taken, name, len(section), len(rows))
    return rows


def _filled(taken: dict[tuple[int, int], Cell], name: str, height: int, above: int) -> list[list[Cell]]:
    """The section's rows, each as wide as it reaches; a gap between two cells is an empty cell."""
    widths = [0] * height
    for r, c in taken:
        widths[r] = max(widths[r], c + 1)
    return [
        [
            taken.get((r, c)) or Cell("", Locator(sheet=name, cell=f"{_letters(c + 1)}{above + r + 1}"))
            for c in range(width)
        ]
        for r, width in enumerate(widths)
    ]


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _squeeze(text: str) -> str:
    return " ".join(text.translate(_UNSEEN).split())


class _Parser(HTMLParser):
    """Collects what a page shows: its title, its blocks of text and its tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.blocks: list[_Text] = []
        self.tables: list[_Table] = []
        self.open: list[_Element] = []
        self.heading = ""
        self.table: _Table | None = None
        self.text = _Text()  # what shown text is added to
        self._between = _Text()  # stands for: in a table, but in no cell
        self.loose = ""  # the text since the last tag

    def read(self, text: str) -> None:
        """Read a whole page. Raises LayoutError where it ends in the middle of something."""
        if text.count("<", text.rfind(">") + 1) > 1 or text.count("<!--", text.rfind("-->") + 1) > 100:
            # HTMLParser would try each of them up to the end of the page: minutes
            raise LayoutError("the page ends in the middle of a tag or a comment: is it cut off? Save it again")
        self.feed(text)
        cut = self.cdata_elem or (self.rawdata.startswith("<") and self.rawdata.strip())
        self.close()
        self._end_block()
        if cut or self.table is not None or self.loose.strip():
            raise LayoutError("the page ends in the middle of a table, a tag or a text: is it cut off? Save it again")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loose = ""
        self.text.joined = False
        self._end_implied(tag)
        given = {name: value or "" for name, value in attrs}
        hidden = (
            self._is_hidden() or tag in _SILENT or "hidden" in given or bool(_HIDING.search(given.get("style", "")))
        )
        if not hidden:
            self._begin(tag, given)
        if tag in _VOID:
            return
        into = tag in ("sup", "sub") or (tag == "a" and given.get("href", "").startswith("#"))
        self.open.append(_Element(tag, hidden, [] if into and not hidden and self._mark() is None else None))
        if len(self.open) > _MAX_DEPTH:
            raise LayoutError(f"line {self.getpos()[0]}: elements are nested deeper than {_MAX_DEPTH}: refused")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID and any(e.tag in ("svg", "math") for e in self.open):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self.loose = ""
        self.text.joined = False
        for at in range(len(self.open) - 1, -1, -1):
            if self.open[at].tag == tag:
                while len(self.open) > at:
                    self._end(self.open.pop())
                return
            if self.open[at].tag == "table" or (self.open[at].tag in _CELLS and tag not in ("table", "tr", *_SECTIONS)):
                return

    def handle_data(self, data: str) -> None:
        self.loose = data
        if self.open and self.open[-1].tag == "title" and not any(e.tag == "svg" for e in self.open):
            self.title.append(data)
        if self._is_hidden():
            return
        data = re.sub(r"[ \t\n\r\f]+", " ", data.translate(_UNSEEN))
        if (mark := self._mark()) is not None:
            mark.append(data)
        elif self.table is None or self.text is not self._between:
            self.text.add(data, self.getpos()[0])
        elif data.strip():
            raise LayoutError(f"line {self.getpos()[0]}: {data.strip()[:80]!r} stands in a table but in no cell of it")

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        """What a shown element begins: a table, a row, a cell, a caption, or a block of text."""
        if tag == "table":
            self._begin_table()
        elif self.table is None:
            if tag in _BLOCKS:
                self._end_block()
        elif tag in ("thead", "tbody", "tfoot"):
            self.table.sections.append([])
        elif tag == "tr":
            self._section(self.table).append([])
        elif tag in _CELLS:
            self._begin_cell(self.table, given)
        elif tag == "caption":
            self.text = self.table.caption = _Text()
        elif tag in _BLOCKS and self.text is not self._between:
            self.text.add(" ", self.getpos()[0])

    def _begin_table(self) -> None:
        if self.table is not None:
            raise LayoutError(f"line {self.getpos()[0]}: a table within a table: read it by hand")
        self._end_block()
        self.table = _Table(self.heading, self.getpos()[0])
        self.text = self._between

    def _begin_cell(self, table: _Table, given: dict[str, str]) -> None:
        section = self._section(table)
        if not section or not any(element.tag == "tr" for element in self.open):
            raise LayoutError(f"line {self.getpos()[0]}: a cell that stands in no row: read the table by hand")
        self.text = _Text()
        section[-1].append(_Span(self.text, self._count(given, "rowspan", 0), self._count(given, "colspan", 1)))

    def _count(self, given: dict[str, str], name: str, least: int) -> int:
        said = given.get(name, "1").strip()
        if not re.fullmatch("[0-9]{1,4}", said) or not least <= int(said) <= 1000:
            raise LayoutError(f"line {self.getpos()[0]}: {name}={said!r} is no number of cells: read the table by hand")
        return int(said)

    def _section(self, table: _Table) -> list[list[_Span]]:
        if not table.sections:
            table.sections.append([])
        return table.sections[-1]

    def _end_implied(self, tag: str) -> None:
        """End what this tag ends without saying so: a paragraph, an item, a cell, a row."""
        for at in range(len(self.open) - 1, -1, -1):
            here = self.open[at].tag
            if tag in _ENDED_BY.get(here, ()):
                while len(self.open) > at:
                    self._end(self.open.pop())
            elif here == "table" or here in _STOPS.get(tag, ()) or (here in _CELLS and tag not in ("tr", *_SECTIONS)):
                return

    def _end(self, element: _Element) -> None:
        if element.mark is not None:
            self._end_mark("".join(element.mark), element.tag)
        if element.hidden:
            return
        if element.tag == "table" and self.table is not None:
            self.tables.append(self.table)
            self.table, self.text = None, _Text()
        elif self.table is not None:
            if element.tag in _CELLS | {"caption"}:
                self.text = self._between
            elif element.tag in _BLOCKS and self.text is not self._between:
                self.text.add(" ", self.getpos()[0])
        elif element.tag in _BLOCKS:
            if element.tag in _HEADINGS and str(self.text).strip():
                self.heading = str(self.text).strip()
            self._end_block()

    def _end_mark(self, text: str, tag: str) -> None:
        """Add a footnote mark in a form that no number takes in: a link that is words stays as it is."""
        text = text.strip()
        bare = text.translate(_RAISED)
        if tag == "a" and re.search(r"[^\W\d_]{2}", text):
            shown = text
        elif not bare or re.fullmatch(r"[⁰¹²³⁴-⁹*†‡§]+", bare) or re.fullmatch("st|nd|rd|th", bare):
            shown = bare
        else:
            shown = f"[{text}]"
        if shown and (self.table is None or self.text is not self._between):
            self.text.add(shown, self.getpos()[0])

    def _end_block(self) -> None:
        if str(self.text).strip():
            self.blocks.append(self.text)
        self.text = _Text()

    def _is_hidden(self) -> bool:
        return bool(self.open) and self.open[-1].hidden

    def _mark(self) -> list[str] | None:
        return next((element.mark for element in reversed(self.open) if element.mark is not None), None)
