"""The briefing as PDF: A4, the page first, then notes and caveats. The same page gives the same bytes."""

import hashlib
import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from lightwell.briefing.charts import Drawn
from lightwell.briefing.content import Cell, Table
from lightwell.briefing.page import MISSING, QUOTE, Page, marked, places

_DARK, _SOFT, _LINE = "#1f3a4d", "#f1f4f6", "#c9d2d8"
_MARGIN = 42.0  # points
_WIDTH = 595.28 - 2 * _MARGIN  # of A4; frames have no padding of their own
_GAP = 12.0
_IDENTIFIERS = re.compile(rb"\[<[0-9a-f]{32}><[0-9a-f]{32}>\]")  # in a trailer


def pdf(page: Page) -> bytes:
    """The page as PDF. A letter that its font lacks is written as its code point: [U+4E2D]."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import BaseDocTemplate, Frame, PageBreak, PageTemplate

    styles = _styles()
    story = [
        *_head(page, styles), *_facts(page, styles), *_pictures(page, styles), *_tables(page, styles),
        *_lists(page, styles), PageBreak(), *_notes(page, styles),
    ]  # fmt: skip
    target = BytesIO()
    document = BaseDocTemplate(
        target, pagesize=A4, invariant=1, title=f"{page.title}: {page.subtitle}", author="Lightwell",
        subject=page.about, lang="en",
    )  # fmt: skip
    bare = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
    frame = Frame(_MARGIN, 40, _WIDTH, A4[1] - 76, **bare)
    document.addPageTemplates(PageTemplate(frames=[frame], onPage=_foot(page)))
    document.build(story)
    return _identified(target.getvalue())


def _identified(data: bytes) -> bytes:
    """The file under an identifier made of its content alone: ReportLab's takes in SOURCE_DATE_EPOCH too."""
    body, word, trailer = data.rpartition(b"trailer")
    digest = hashlib.sha256(_IDENTIFIERS.sub(b"", data)).hexdigest()[:32].encode()
    return body + word + _IDENTIFIERS.sub(b"[<" + digest + b"><" + digest + b">]", trailer)


def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    def style(name: str, size: float, leading: float, **more: Any) -> ParagraphStyle:
        return ParagraphStyle(name, fontName="Helvetica", fontSize=size, leading=leading, textColor="#222222", **more)

    bold = {"fontName": "Helvetica-Bold", "textColor": _DARK}
    return {
        "title": ParagraphStyle("title", fontSize=21, leading=25, **bold),
        "subtitle": style("subtitle", 11, 14),
        "about": style("about", 8, 10.5, spaceAfter=8),
        "fact": ParagraphStyle("fact", fontSize=15, leading=18, **bold),
        "label": style("label", 8, 10),
        "h2": ParagraphStyle("h2", fontSize=11, leading=14, spaceBefore=9, spaceAfter=3, keepWithNext=1, **bold),
        "cell": style("cell", 8.5, 10, alignment=2),
        "first": style("first", 8.5, 10),
        "said": style("said", 7.5, 9.5),
        "item": style("item", 8, 9.8, leftIndent=9, bulletIndent=0, spaceAfter=1.5),
        "note": style(
            "note", 7.5, 9.5, leftIndent=16, bulletIndent=0, bulletFontSize=7.5, spaceAfter=3, splitLongWords=1
        ),
    }


def _text(text: str) -> str:
    """Text as ReportLab's paragraphs take it, in letters that Helvetica has."""
    return escape("".join(c if _has(c) else f"[U+{ord(c):04X}]" for c in text.replace("−", "–")))


def _has(letter: str) -> bool:
    try:
        letter.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return letter.isprintable()


def _cell(cell: Cell, page: Page) -> str:
    text, at = marked(cell, page.notes)
    return _text(text) + (f'<super rise="3" size="6"> {at}</super>' if at else "")


def _head(page: Page, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import HRFlowable, Paragraph

    return [
        Paragraph(_text(page.title), styles["title"]),
        Paragraph(_text(page.subtitle), styles["subtitle"]),
        Paragraph(_text(page.about), styles["about"]),
        HRFlowable(width="100%", thickness=1.4, color=_DARK, spaceAfter=7),
    ]


def _facts(page: Page, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import Paragraph, Spacer
    from reportlab.platypus import Table as Grid

    facts = page.content.facts[:4]
    if not facts:
        return []
    cells = [
        [Paragraph(_cell(f.number, page), styles["fact"]), Paragraph(_text(f.label), styles["label"])] for f in facts
    ]
    grid = Grid([cells], colWidths=[_WIDTH / len(facts)] * len(facts), hAlign="LEFT")
    grid.setStyle(
        [("BACKGROUND", (0, 0), (-1, -1), _SOFT), ("VALIGN", (0, 0), (-1, -1), "TOP"),
         *[("LINEBEFORE", (at, 0), (at, 0), 2.2, _DARK) for at in range(len(facts))],
         ("LEFTPADDING", (0, 0), (-1, -1), 7), ("TOPPADDING", (0, 0), (-1, -1), 5),
         ("BOTTOMPADDING", (0, 0), (-1, -1), 6)]
    )  # fmt: skip
    return [grid, Spacer(1, 9)]


def _pictures(page: Page, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import Spacer
    from reportlab.platypus import Table as Grid

    width = (_WIDTH - _GAP) / 2
    cells: list[Any] = [_image(one, width) for one in page.drawn]
    if len(cells) % 2:
        cells.append(_said(page, styles))
    rows = [cells[at : at + 2] for at in range(0, len(cells), 2)]
    if not rows:
        return []
    grid = Grid(rows, colWidths=[width + _GAP, width], hAlign="LEFT")
    grid.setStyle(
        [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0),
         ("RIGHTPADDING", (0, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 0),
         ("BOTTOMPADDING", (0, 0), (-1, -1), 8)]
    )  # fmt: skip
    return [grid, Spacer(1, 2)]


def _image(drawn: Drawn, width: float) -> Any:
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image

    wide, high = ImageReader(BytesIO(drawn.png)).getSize()
    image = Image(BytesIO(drawn.png), width=width, height=width * high / wide)
    image.hAlign = "LEFT"
    return image


def _tables(page: Page, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import KeepTogether, Paragraph

    return [
        KeepTogether([
            Paragraph(_text(table.title), styles["h2"]), _grid(table, page, styles),
            *([Paragraph(_text(table.said), styles["said"])] if table.said else []),
        ])
        for table in page.content.tables
    ]  # fmt: skip


def _grid(table: Table, page: Page, styles: dict[str, Any]) -> Any:
    from reportlab.platypus import Paragraph
    from reportlab.platypus import Table as Grid

    def line(cells: list[str]) -> list[Any]:
        return [Paragraph(cell, styles["cell" if at else "first"]) for at, cell in enumerate(cells)]

    rows = [line([f"<b>{_text(name)}</b>" for name in table.columns])]
    rows += [line([_cell(cell, page) for cell in row]) for row in table.rows]
    longest = max(len(str(row[0])) for row in table.rows)
    first = min(max(58.0, 5.2 * longest), 0.56 * _WIDTH)
    others = (_WIDTH - first) / (len(table.columns) - 1)
    grid = Grid(rows, colWidths=[first, *[others] * (len(table.columns) - 1)], repeatRows=1, hAlign="LEFT")
    grid.setStyle(
        [("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE), ("LINEBELOW", (0, 0), (-1, 0), 0.9, "#222222"),
         ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 3),
         ("RIGHTPADDING", (0, 0), (-1, -1), 3),
         ("LEFTPADDING", (0, 0), (0, -1), 0),
         ("TOPPADDING", (0, 0), (-1, -1), 1.4), ("BOTTOMPADDING", (0, 0), (-1, -1), 1.8)]
    )  # fmt: skip
    return grid


def _lists(page: Page, styles: dict[str, Any]) -> list[Any]:
    """What did not find its place beside an odd number of pictures."""
    return [] if len(page.drawn) % 2 else _said(page, styles)


def _said(page: Page, styles: dict[str, Any]) -> list[Any]:
    first = [caveat.text for caveat in page.first_caveats]
    return [*_items(QUOTE, first, styles), *_items(MISSING, page.content.remarks, styles)]


def _items(title: str, items: Sequence[str], styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import Paragraph

    if not items:
        return []
    listed = [Paragraph(_text(item), styles["item"], bulletText="•") for item in items]
    return [Paragraph(title, styles["h2"]), *listed]


def _notes(page: Page, styles: dict[str, Any]) -> list[Any]:
    from reportlab.platypus import Paragraph

    found = [Paragraph("Notes: where each number was printed", styles["h2"])]
    for number, reference, cited in page.notes.listed():
        text = f'{_text(reference.sentence())} <font color="#444444">{_text(places(cited))}</font>'
        found.append(Paragraph(text, styles["note"], bulletText=f"{number}."))
    found.append(Paragraph("Caveats", styles["h2"]))
    found += [
        Paragraph(f"<b>{_text(one.about)}.</b> {_text(one.text)}", styles["note"], bulletText="•")
        for one in page.caveats
    ]
    return found


def _foot(page: Page) -> Any:
    def draw(canvas: Any, document: Any) -> None:
        canvas.setDateFormatter(
            lambda *_: f"D:{page.built_at:%Y%m%d%H%M%S}Z"
        )  # of the release, whatever the clock says
        canvas.saveState()
        canvas.setFont("Helvetica", 7.5)
        canvas.drawString(_MARGIN, 24, f"Lightwell: {page.title}. Counts only, each with its source.")
        canvas.drawRightString(_MARGIN + _WIDTH, 24, str(document.page))
        canvas.restoreState()

    return draw
