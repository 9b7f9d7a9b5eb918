"""Build, publish, connect. DuckDB lives only here and in `sql/`."""

from dataclasses import dataclass

from lightwell.archive import Document
from lightwell.harmonise import Harmonised
from lightwell.quality import Verdict
from lightwell.reading import Reading
from lightwell.source import Source


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document, read, harmonised and judged: all that a build needs of it."""

    source: Source
    document: Document
    reading: Reading
    harmonised: Harmonised
    verdict: Verdict
