"""Bytes to figures: one module a format, and the two words they share.

A reader takes numbers out of a document exactly as printed. It maps no name, parses no number, and knows no network
and no clock. What it cannot account for it raises as `LayoutError`.
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus

from lightwell.errors import LayoutError

if TYPE_CHECKING:
    from lightwell.source import Layout

Box = tuple[float, float, float, float]  # x0, top, x1, bottom in points, origin at the top left of the page


@lru_cache(maxsize=1 << 12)
def _quoted(text: str | None) -> str | None:
    return None if text is None else quote_plus(text, safe=",/ ")


@dataclass(frozen=True, slots=True)
class Locator:
    """Where a figure stands. Page and box for a PDF; sheet and cell for a workbook; line and column for a text
    table; a JSON pointer for JSON. Unused parts are None."""

    page: int | None = None  # counted from 1
    box: Box | None = None
    sheet: str | None = None
    cell: str | None = None  # A1 notation
    line: int | None = None  # counted from 1, as a text editor does
    column: str | None = None
    pointer: str | None = None  # RFC 6901

    def __str__(self) -> str:
        """The form kept in the warehouse: `page=3&box=434.80,677.10,489.80,688.10` or `sheet=A&cell=B3`."""
        parts = {
            "page": self.page,
            "box": None if self.box is None else ",".join(f"{v:.2f}" for v in self.box),
            "sheet": _quoted(self.sheet),
            "cell": _quoted(self.cell),
            "line": self.line,
            "column": _quoted(self.column),
            "pointer": _quoted(self.pointer),
        }
        return "&".join([f"{k}={v}" for k, v in parts.items() if v is not None])

    @classmethod
    def parse(cls, text: str) -> "Locator":
        """The inverse of `str`. Raises ValueError on a key it does not know or a box that is not four numbers."""
        parts = dict(parse_qsl(text, strict_parsing=True, keep_blank_values=True))
        unknown = parts.keys() - {"page", "box", "sheet", "cell", "line", "column", "pointer"}
        if unknown:
            raise ValueError(f"unknown locator part {sorted(unknown)} in {text!r}")
        box = None
        if "box" in parts:
            x0, top, x1, bottom = (float(v) for v in parts["box"].split(","))
            box = (x0, top, x1, bottom)
        return cls(
            page=int(parts["page"]) if "page" in parts else None,
            box=box,
            sheet=parts.get("sheet"),
            cell=parts.get("cell"),
            line=int(parts["line"]) if "line" in parts else None,
            column=parts.get("column"),
            pointer=parts.get("pointer"),
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as printed, with its labels as printed and its locator, before any interpretation.

    `table` is the name the layout gives to the table it stands in; `labels` maps the layout's label names to printed
    text, for example {"year": "2022", "esp": "Facebook", "column": "Reports"}.
    """

    table: str
    labels: Mapping[str, str]
    text: str
    locator: Locator


@dataclass(frozen=True, slots=True)
class Opening:
    """What a document says of itself before any table is read."""

    title: str | None
    dated_on: date | None
    text: str  # of the beginning, white space squeezed


READERS: Mapping[str, str] = {  # media type -> the module here that reads it: `opening` and `extract`
    "application/pdf": "pdf",
    "text/csv": "delimited",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "spreadsheet",
    "application/vnd.oasis.opendocument.spreadsheet": "spreadsheet",
    "application/json": "json",
    "text/html": "html",
    "application/zip": "zipped",
}


def reader(media_type: str) -> ModuleType:
    """The module that reads documents of a media type. Raises LayoutError where none does."""
    if media_type not in READERS:
        raise LayoutError(f"no module of tables reads {media_type}: there are {', '.join(READERS)}")
    return importlib.import_module(f"lightwell.tables.{READERS[media_type]}")


_SCALED = re.compile(
    r"\b(?:figures?|numbers?|counts?|values?|amounts?|data|reports?|totals?)\b[^.:]{0,40}?\b(?:are|is|shown|given|expressed)"
    r" in (?:thousands|millions)\b(?! of\b)|\((?:in )?(?:thousands|millions|['’]?000s?)\)",
    re.IGNORECASE,
)


def refuse_scale(text: str) -> None:
    """Raise LayoutError where a document says that its numbers count thousands or millions: none is multiplied here."""
    if (said := _SCALED.search(text)) is not None:
        raise LayoutError(
            f"the document says {said.group()!r}, so its numbers are not counts as printed: transcribe what you need "
            "of it, or look for the publisher's full numbers"
        )


_MONTH = "(?-i:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*)"
_UNFINISHED = re.compile(
    r"\b(?:figures?|numbers?|counts?|values?|amounts?|data|totals?|results?|20\d\d|quarter|year|"
    rf"{_MONTH})\b[^.:]{{0,40}}?"
    r"\b(?:are|is) (?:still )?(?:preliminary|provisional|partial|incomplete|not (?:yet )?(?:complete|final|whole))\b"
    r"|\b(?:preliminary|provisional|partial|incomplete) (?:figures?|numbers?|counts?|data|totals?|results?)\b"
    rf"|\b(?:covers?|includes?|(?:is|are) (?:for|of))\b[^.:]{{0,10}} {_MONTH}[^.:]{{0,40}}\bonly\b"
    r"|\((?:preliminary|provisional|partial|incomplete)\)|\byear to date\b|\bYTD\b",
    re.IGNORECASE,
)


def refuse_unfinished(text: str) -> None:
    """Raise LayoutError where a document says that its numbers are not final or that its period is not whole."""
    if (said := _UNFINISHED.search(text)) is not None:
        raise LayoutError(
            f"the document says {said.group()!r}, so a number of it is not final or not of a whole period: wait for "
            "the final document, or transcribe what you need with its own period and the status P"
        )


def require_tables(layout: "Layout", found: set[str]) -> None:
    """Raise LayoutError if a table that the layout requires gave no figure."""
    for table in layout.tables:
        if table.required and table.name not in found:
            wanted = getattr(table, "header", None) or getattr(table, "pattern", None) or getattr(table, "labels", None)
            raise LayoutError(
                f"table {table.name} was not found: its header {wanted!r} is not printed; "
                "add the new wording to the layout"
            )
