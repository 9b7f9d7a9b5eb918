"""The briefing as one HTML file: pictures inside, no script, nothing loaded from elsewhere; made to be printed."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lightwell.briefing.caveats import Caveat
from lightwell.briefing.charts import Drawn
from lightwell.briefing.content import Cell, Content, Number
from lightwell.citations import Cited, Notes

if TYPE_CHECKING:
    from jinja2 import Environment

QUOTE = "Before you quote a number"
MISSING = "What is missing, and what else is held"
TOP = 4  # caveats on the first page
_QUOTED = 6  # places listed in a note before it points to the CSV


@dataclass(frozen=True, slots=True)
class Page:
    """Everything both forms of the page show."""

    title: str
    subtitle: str
    about: str  # the release, the periods, the day it is as of
    built_at: datetime  # when the release was built, UTC
    content: Content
    drawn: Sequence[Drawn]
    notes: Notes
    caveats: Sequence[Caveat]

    @property
    def first_caveats(self) -> list[Caveat]:
        """What a reader must know before quoting: of the sources, in the order in which they are shown."""
        return [c for c in self.caveats if c.about not in ("Transcribed figures", "Restated figures")][:TOP]


def marked(cell: Cell, notes: Notes) -> tuple[str, str]:
    """The text of a cell, and the numbers of its notes."""
    if isinstance(cell, Number):
        return cell.text, ", ".join(map(str, notes.mark(cell.ids)))
    return cell, ""


def places(cited: Sequence[Cited]) -> str:
    """Where in the document the shown numbers stand, as printed."""
    listed = [f"{one.place}: “{one.obs_text}” ({one.time_period}, {one.observation_id})" for one in cited[:_QUOTED]]
    more = f"; and {len(cited) - _QUOTED} more in data/citations.csv" if len(cited) > _QUOTED else ""
    return "; ".join(listed) + more


def html(page: Page) -> str:
    """The page as HTML. Whatever a publisher printed is text in it, never markup."""
    pictures = [
        {"uri": "data:image/svg+xml;base64," + base64.b64encode(one.svg.encode()).decode(), "alt": one.alt,
         "notes": ", ".join(map(str, page.notes.mark(picture.ids)))}
        for one, picture in zip(page.drawn, page.content.pictures, strict=True)
    ]  # fmt: skip
    return _environment().get_template("page.html.j2").render(page=page, pictures=pictures)


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("lightwell.briefing", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals.update(marked=marked, places=places, quote=QUOTE, missing=MISSING)
    return made
