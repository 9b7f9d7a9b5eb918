"""Documents by the sha256 of their bytes, and the ledger of how each came. Append-only."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

Outcome = Literal["stored", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One ledger line: one attempt to get one document, successful or not."""

    source_id: str
    url: str | None  # None where a person added a file without saying where it came from
    attempted_at: datetime  # UTC
    outcome: Outcome
    reason: str | None = None  # why it failed, in words that say what to do
    http_status: int | None = None
    document_id: str | None = None  # sha256; set for stored and unchanged
    media_type: str | None = None
    bytes: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    published_on: date | None = None  # said by the person who added it; else the document itself says, see reading
    method: str = "fetched"  # fetched | added


@dataclass(frozen=True, slots=True)
class Document:
    """One retrieved file. `path` is None where only its figures are held (the edition)."""

    document_id: str  # sha256 of the bytes, hex
    source_id: str
    url: str | None
    title: str | None
    published_on: date | None
    published_basis: str | None  # stated | document | http | retrieved: who says so
    retrieved_at: datetime
    media_type: str
    bytes: int
    licence: str
    method: str  # fetched | added | edition | transcribed
    path: Path | None = None
