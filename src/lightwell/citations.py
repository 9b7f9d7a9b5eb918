"""From rows back to documents: what stands behind an answer, as notes, as CSL-JSON and as BibTeX."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell import warehouse
from lightwell.rows import format_rows, quoted, write_rows, write_text
from lightwell.settings import Settings

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

_OBSERVATIONS = re.compile(r"(\w+_)?observation_ids?|observation_history")
_DOCUMENTS = re.compile(r"(\w+_)?document_ids?")
_SOURCES = re.compile(r"(\w+_)?source_id")


@dataclass(frozen=True, slots=True)
class Reference:
    """A document as one cites it. Of a transcribed source each page is a reference of its own."""

    source_id: str
    document_id: str  # SHA-256 of its bytes
    title: str
    publisher: str
    url: str | None
    published_on: date | None
    retrieved_at: datetime
    method: str
    licence: str

    @property
    def key(self) -> str:
        """The name it is cited by: stable, and the same for the same page of the same document."""
        year = self.published_on.year if self.published_on else "undated"
        page = hashlib.sha256((self.url or "").encode()).hexdigest()[:6]
        return f"{self.source_id}-{year}-{self.document_id[:10]}" + (f"-{page}" if self.is_transcribed else "")

    @property
    def is_transcribed(self) -> bool:
        """Whether its figures were written down by hand, from the page at `url`."""
        return self.method == "transcribed"

    def sentence(self) -> str:
        """Publisher, title, day, address, day of retrieval and SHA-256, to print under a number."""
        published = f" ({self.published_on})" if self.published_on and not self.is_transcribed else ""
        how = "transcribed" if self.is_transcribed else "retrieved"
        where = f"{self.url}, {how} " if self.url else how.capitalize() + " "
        what = "SHA-256 of the transcription" if self.is_transcribed else "SHA-256"
        return (
            f"{self.publisher}, {self.title}{published}. {where}{self.retrieved_at:%Y-%m-%d}. "
            f"{what} {self.document_id}."
        )


@dataclass(frozen=True, slots=True)
class Cited:
    """One observation: the number as printed, its place, and the document it stands in."""

    observation_id: str
    reference: Reference
    place: str
    obs_text: str
    time_period: str
    note: str | None


@dataclass(slots=True)
class Notes:
    """Numbered notes: one a document, in the order in which numbers first need them."""

    cited: Mapping[str, Cited]
    numbers: dict[Reference, int] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)  # observation id to its note

    def mark(self, observation_ids: Iterable[str]) -> tuple[int, ...]:
        """The numbers of the notes that stand behind a shown number. Raises KeyError for an id that nobody knows."""
        for one in observation_ids:
            reference = self.cited[one].reference
            self.shown[one] = self.numbers.setdefault(reference, len(self.numbers) + 1)
        return tuple(sorted({self.shown[one] for one in observation_ids}))

    def listed(self) -> list[tuple[int, Reference, list[Cited]]]:
        """Every note: its number, its document, and the observations that were shown of it."""
        return [
            (number, reference, [self.cited[one] for one, at in self.shown.items() if at == number])
            for reference, number in self.numbers.items()
        ]


def cite(con: "Connection", observation_ids: Iterable[str]) -> dict[str, Cited]:
    """Each observation with its document. An id that is not in the release is left out."""
    wanted = ", ".join(quoted(one) for one in sorted(set(observation_ids)))
    if not wanted:
        return {}
    found = con.execute(
        "SELECT c.source_id, c.document_id, c.title, CASE WHEN d.method = 'transcribed' THEN r.name END, "  # noqa: S608
        "coalesce(c.publisher_name, c.source_id), c.url, c.published_on, c.retrieved_at, d.method, d.licence, "
        "c.observation_id, c.place, c.obs_text, c.time_period, o.note "
        "FROM citation AS c JOIN observation_vintage AS o USING (observation_id) "
        "JOIN document AS d ON d.document_id = c.document_id AND d.source_id = c.source_id "
        "LEFT JOIN organisation AS r ON r.organisation = o.reporter "
        f"WHERE c.observation_id IN ({wanted}) ORDER BY c.observation_id"
    )
    cited = {}
    for source_id, document_id, title, counted_by, publisher, *rest in found.fetchall():
        url, published_on, retrieved_at, method, licence, one, place, text, period, note = rest
        by = counted_by or publisher  # whose page was transcribed, else who published the document
        reference = Reference(source_id, document_id, title, by, url, published_on, retrieved_at, method, licence)
        cited[one] = Cited(one, reference, place, text, period, note)
    return cited


@dataclass(frozen=True, slots=True)
class Behind:
    """The documents behind the rows of an answer."""

    references: list[Reference]
    said: str  # what was found, or why nothing was, in a sentence


def documents_behind(con: "Connection", columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Behind:
    """The documents that the columns observation_id(s), document_id(s) or source_id of the rows lead to, with any
    word before them (first_observation_id). The closest to the number wins: observations, documents, then sources."""
    observations = _values(columns, rows, _OBSERVATIONS)
    if observations:
        cited = cite(con, observations)
        unknown = len(observations) - len(cited)
        references = sorted({c.reference for c in cited.values()}, key=lambda r: r.key)
        odd = f"; {unknown} ids are of no observation here" if unknown else ""
        return Behind(references, f"{len(references)} documents behind {len(cited)} observations{odd}")
    if documents := _values(columns, rows, _DOCUMENTS):
        references = _references(con, "d.document_id", documents)
        return Behind(references, f"{len(references)} documents")
    if sources := _values(columns, rows, _SOURCES):
        references = _references(con, "d.source_id", sources)
        said = f"the rows name sources only: all {len(references)} documents of {', '.join(sorted(sources))}"
        return Behind(references, said)
    return Behind(
        [], "no documents: the rows have no observation_id, document_id or source_id; select one of these columns"
    )


def _values(columns: Sequence[str], rows: Sequence[Sequence[Any]], names: re.Pattern[str]) -> set[str]:
    found: set[str] = set()
    for at, name in enumerate(columns):
        if names.fullmatch(name):
            for row in rows:
                cell = row[at]
                found.update(cell if isinstance(cell, list) else [] if cell is None else [cell])
    return {one for one in found if isinstance(one, str)}


def _references(con: "Connection", column: str, wanted: set[str]) -> list[Reference]:
    listed = ", ".join(quoted(one) for one in sorted(wanted))
    found = con.execute(
        "SELECT d.source_id, d.document_id, coalesce(d.title, s.title), "  # noqa: S608  quoted
        "coalesce(p.name, s.publisher_name, s.publisher), d.url, d.published_on, d.retrieved_at, d.method, d.licence "
        "FROM document AS d JOIN source AS s USING (source_id) LEFT JOIN organisation AS p "
        f"ON p.organisation = s.publisher WHERE {column} IN ({listed}) ORDER BY d.source_id, d.published_on, "
        "d.document_id"
    )
    return [Reference(*row) for row in found.fetchall()]


def write_cited(
    settings: Settings, columns: Sequence[str], rows: Sequence[Sequence[Any]], form: str, to: Path | None
) -> list[str]:
    """Write the rows of a query with the documents behind them, and return what is to be said beside the output.

    A table is followed by them, JSON holds `rows` and `documents`, a file gets `FILE.citations.json` beside it; of a
    CSV on standard output they are said beside it.
    """
    with warehouse.connect(settings) as con:
        behind = documents_behind(con, columns, rows)
    listed = [f"[{at}] {one.sentence()}" for at, one in enumerate(behind.references, start=1)]
    if form == "json":
        held = json.loads(csl_json(behind.references))
        both = {"rows": json.loads(format_rows(columns, rows, form)), "documents": held, "said": behind.said}
        write_text(json.dumps(both, ensure_ascii=False, indent=2) + "\n", to)
        return []
    write_rows(columns, rows, form, to)
    if to is not None:
        beside = to.with_name(f"{to.name}.citations.json")
        write_text(csl_json(behind.references), beside)
        return [f"{behind.said}: {beside}"]
    if form == "table":
        sys.stdout.write("\n" + "".join(f"{line}\n" for line in [behind.said + (":" if listed else "."), *listed]))
        return []
    return [behind.said, *listed]


# --- what a reference manager takes ----------------------------------------------------------------------------------


def csl_json(references: Sequence[Reference]) -> str:
    """The references as CSL-JSON, which Zotero, pandoc and others read."""
    return json.dumps([_csl(one) for one in references], ensure_ascii=False, indent=2) + "\n"


def _csl(one: Reference) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": one.key,
        "type": "webpage" if one.is_transcribed else "report",
        "title": one.title,
        "author": [{"literal": one.publisher}],
        "publisher": one.publisher,
        "accessed": {"date-parts": [[one.retrieved_at.year, one.retrieved_at.month, one.retrieved_at.day]]},
        "note": _about(one),
    }
    if one.published_on and not one.is_transcribed:
        item["issued"] = {"date-parts": [[one.published_on.year, one.published_on.month, one.published_on.day]]}
    if one.url:
        item["URL"] = one.url
    return item


def bibtex(references: Sequence[Reference]) -> str:
    """The references as BibTeX, UTF-8."""
    return "\n".join(_bibtex(one) for one in references)


def _bibtex(one: Reference) -> str:
    fields = {
        "author": "{" + _tex(one.publisher) + "}",
        "institution": None if one.is_transcribed else "{" + _tex(one.publisher) + "}",
        "title": "{" + _tex(one.title) + "}",
        "year": str(one.published_on.year) if one.published_on and not one.is_transcribed else None,
        "url": one.url and one.url.replace("{", "%7B").replace("}", "%7D"),
        "urldate": f"{one.retrieved_at:%Y-%m-%d}",
        "note": _tex(_about(one)),
    }
    body = "".join(f"  {name} = {{{text}}},\n" for name, text in fields.items() if text)
    return f"@{'online' if one.is_transcribed else 'techreport'}{{{one.key},\n{body}}}\n"


def _about(one: Reference) -> str:
    what = "transcription" if one.is_transcribed else "document"
    return f"SHA-256 of the {what}: {one.document_id}. Terms: {one.licence}"


def _tex(text: str) -> str:
    """Text in which TeX sees no command."""
    named = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(named.get(c, "\\" + c if c in "&%$#_{}" else c) for c in text)
