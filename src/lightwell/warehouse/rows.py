"""What becomes a row of which table: documents and their observations, what is held back, and every attempt.

A row has the column names of `sql/schema.sql`, and days and instants as the warehouse keeps them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime

from lightwell import codes
from lightwell.archive import Attempt, Document
from lightwell.errors import BuildError
from lightwell.harmonise import Harmonised, Observation, Quarantined
from lightwell.quality import Verdict
from lightwell.reading import Reading
from lightwell.source import Source

Row = Mapping[str, object]
_OBSERVATION = [f.name for f in fields(Observation) if f.name != "figure"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document, read, harmonised and judged: all that a build needs of it."""

    source: Source
    document: Document
    reading: Reading
    harmonised: Harmonised
    verdict: Verdict


def codelist_rows() -> dict[str, list[Row]]:
    """Every codelist's rows by table, an empty cell as null."""
    lists = codes.as_rows(codes.codelists())
    return {name: [{k: v or None for k, v in row.items()} for row in rows] for name, rows in lists.items()}


def rows_of(prepared: list[Prepared], attempts: list[Attempt], sources: list[Source]) -> dict[str, Iterable[Row]]:
    """The rows of every table that is no codelist, in the order in which they must go in."""
    return {
        "source": [_source_row(s, prepared) for s in sources],
        "document": [_document_row(p) for p in prepared],
        "observation_vintage": (row for p in prepared for row in _observation_rows(p)),
        "quarantine": [_quarantine_row(q) for p in prepared for q in _held_back(p)],
        "fetch_outcome": [_attempt_row(a) for a in attempts],
        "provisional_organisation": [row for p in prepared for row in _provisional_rows(p)],
    }


def _let_in(prepared: Prepared) -> list[Observation]:
    if not prepared.verdict.released:
        return []
    return [o for o in prepared.harmonised.observations if o.observation_id not in prepared.verdict.rejected_ids]


def _held_back(prepared: Prepared) -> list[Quarantined]:
    """What goes to quarantine, each entry once. Raises BuildError where something is held back without a reason."""
    verdict, document = prepared.verdict, prepared.document
    entries = list(dict.fromkeys([*prepared.harmonised.quarantined, *verdict.quarantined]))
    if not verdict.released and not any(q.scope == "document" for q in entries):
        if prepared.reading.problem is None:
            raise BuildError(f"document {document.document_id} of {document.source_id} is held back without a reason")
        entries.append(Quarantined(document.source_id, document.document_id, "document", prepared.reading.problem))
    if verdict.released and (silent := verdict.rejected_ids - {q.observation_id for q in entries}):
        raise BuildError(f"observation {min(silent)} of {document.source_id} is rejected without a reason")
    return entries


def _source_row(source: Source, prepared: list[Prepared]) -> Row:
    ends = [o.period_end for p in prepared if p.source.id == source.id for o in _let_in(p)]
    next_expected = source.next_expected(max(ends, default=None))
    return {
        "source_id": source.id,
        "title": source.title,
        "publisher": source.publisher,
        "publisher_name": source.publisher_name,
        "reporter": source.reporter,
        "description": source.description.strip(),
        "caveats": source.caveats,
        "landing_page": source.landing_page,
        "licence": source.licence,
        "cadence": source.cadence,
        "published_after_days": source.published_after_days,
        "method": source.method,
        "next_expected": _day(next_expected),
    }


def _document_row(prepared: Prepared) -> Row:
    document = prepared.document
    return {
        "document_id": document.document_id,
        "source_id": document.source_id,
        "url": document.url,
        "title": document.title or prepared.reading.title,
        "published_on": _day(document.published_on),
        "published_basis": document.published_basis,
        "retrieved_at": utc(document.retrieved_at),
        "media_type": document.media_type,
        "bytes": document.bytes,
        "licence": document.licence,
        "method": document.method,
    }


def _observation_rows(prepared: Prepared) -> Iterator[Row]:
    document = prepared.document
    sums = {rule.table for rule in prepared.source.reconcile}
    of_document = {
        "published_on": _day(document.published_on),
        "retrieved_at": utc(document.retrieved_at),
        "method": document.method,
        "known_on": _day(document.published_on or document.retrieved_at.astimezone(UTC).date()),
        "superseded_on": None,  # sql/supersede.sql finds it, once all are in
    }
    for observation in _let_in(prepared):
        yield {
            **{name: getattr(observation, name) for name in _OBSERVATION},
            "dimensions": dict(sorted(observation.dimensions.items())),
            "period_start": _day(observation.period_start),
            "period_end": _day(observation.period_end),
            "table_name": observation.figure.table,
            "adds_up": observation.figure.table in sums,
            **of_document,
        }


def _quarantine_row(entry: Quarantined) -> Row:
    columns = asdict(entry)
    return {"table_name": columns.pop("table"), **columns}


def _attempt_row(attempt: Attempt) -> Row:
    return {
        **asdict(attempt),
        "attempted_at": utc(attempt.attempted_at),
        "published_on": _day(attempt.published_on),
    }


def _provisional_rows(prepared: Prepared) -> Iterator[Row]:
    if not prepared.verdict.released:
        return
    for organisation, printed_name in sorted(prepared.harmonised.provisional.items()):
        yield {
            "organisation": organisation,
            "printed_name": printed_name,
            "source_id": prepared.document.source_id,
            "document_id": prepared.document.document_id,
        }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def utc(instant: datetime) -> str:
    """The instant in UTC without an offset, as the warehouse keeps it."""
    return as_utc(instant).replace(tzinfo=None).isoformat()


def as_utc(instant: datetime) -> datetime:
    """The instant in UTC; one without an offset is UTC already."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
