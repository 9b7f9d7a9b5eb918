"""Documents to readings: a document's figures, cached by (sha256, extractor version), and the edition beside them."""

from dataclasses import dataclass
from datetime import date

from lightwell.archive import Document
from lightwell.settings import Settings
from lightwell.source import Source
from lightwell.tables import Figure


@dataclass(frozen=True, slots=True)
class Reading:
    """All figures of one document, or the reason why it could not be read."""

    document_id: str
    source_id: str
    extractor_version: str
    figures: list[Figure]
    title: str | None = None  # as the document says
    dated_on: date | None = None  # as the document's own metadata says
    problem: str | None = None  # the LayoutError: the whole document goes to quarantine


def read(document: Document, source: Source, settings: Settings) -> Reading:
    """Read one archived document, from the cache if this version of the extractor has read it before."""
    raise NotImplementedError


def edition() -> list[tuple[Document, Reading]]:
    """The documents and figures that ship with the code."""
    raise NotImplementedError
