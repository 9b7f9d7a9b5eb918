"""Documents by the sha256 of their bytes, and the ledger of how each came. Append-only."""

import fcntl
import hashlib
import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from pydantic import TypeAdapter, ValidationError

from lightwell.disk import sync
from lightwell.errors import ArchiveError
from lightwell.settings import Settings

if TYPE_CHECKING:
    from lightwell.source import Source  # which itself needs Document

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_AN_HOUR = 3600.0
_TEMPORARY = ".incoming-"
_SHA256 = re.compile(r"[0-9a-f]{64}")

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
    published_basis: str | None  # stated | document | http | not_before | retrieved: who says so
    retrieved_at: datetime
    media_type: str
    bytes: int
    licence: str
    method: str  # fetched | added | edition | transcribed
    path: Path | None = None


_ATTEMPT = TypeAdapter(Attempt)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the archive that is not as the ledger says. `path` is below the archive folder."""

    kind: Literal["missing", "damaged", "unrecorded", "temporary", "ledger"]
    path: str
    what: str  # in words, with what to do next


@contextmanager
def writing(settings: Settings) -> Iterator[None]:
    """Turn a full disk or a folder that may not be written into ArchiveError with the folder and the cause."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise ArchiveError(f"cannot write below {settings.archive}: {cause}; nothing that was there is lost") from error


def store(settings: Settings, stream: BinaryIO, suffix: str) -> tuple[str, int]:
    """Copy a stream, from where it stands to its end, to `archive/<ab>/<sha256><suffix>`; its sha256 and its bytes.

    The bytes stand under their final name only once they are complete and on the disk: a crash leaves at most a
    temporary file, which a later call clears away after an hour. Storing the same bytes again puts a sound file in the
    place of the old one.
    """
    temporary = settings.archive / f"{_TEMPORARY}{uuid.uuid4().hex}"
    with writing(settings):
        settings.archive.mkdir(parents=True, exist_ok=True)
        _clear_temporary(settings)
        try:
            document_id, size = _copy(stream, temporary)
            folder = settings.archive / document_id[:2]
            folder.mkdir(exist_ok=True)
            temporary.replace(folder / f"{document_id}{suffix}")
        finally:
            temporary.unlink(missing_ok=True)
        sync(folder)
        sync(settings.archive)
    return document_id, size


def record(settings: Settings, attempt: Attempt) -> None:
    """Append one line to `archive/ledger/<source_id>.jsonl`, on the disk when this returns.

    Several processes may append at once. Where a killed process left half a line, the new one starts below it.
    """
    if not _is_whole(attempt):
        raise ValueError(f"{attempt}: a ledger line needs a time zone and, unless it failed, document, type and bytes")
    line = _ATTEMPT.dump_json(attempt) + b"\n"
    with writing(settings), _appending(_ledger(settings, attempt.source_id)) as file:
        end = file.seek(0, os.SEEK_END)
        if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
            line = b"\n" + line
        left = memoryview(line)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())


@contextmanager
def _appending(ledger: Path) -> Iterator[FileIO]:
    """The ledger's file, for one process at a time: the one that stands there now, see `take_lines`."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    while True:
        new = not ledger.exists()
        with ledger.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _stands(file, ledger):
                yield file
                break
    if new:
        sync(ledger.parent)


def _stands(file: FileIO, at: Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), at.stat())
    except FileNotFoundError:
        return False


def ledger_lines(settings: Settings) -> Iterator[tuple[str, datetime, bytes]]:
    """Every whole line of every ledger as its bytes, without the line end, with its source id and time."""
    for ledger in _ledgers(settings, None):
        for line, attempt in _read_lines(ledger):
            if attempt is not None:
                yield ledger.stem, attempt.attempted_at, line


def take_lines(settings: Settings, source_id: str, lines: Iterable[bytes]) -> None:
    """Take lines of other machines' ledgers into this one, which then stands in the order of the attempts.

    A line that is there already is not taken twice; one that is torn or no attempt goes to the end.
    """
    ledger = _ledger(settings, source_id)
    with writing(settings), _appending(ledger):
        there = [line for line, _ in _read_lines(ledger, locked=True) if line]
        merged = sorted(dict.fromkeys([*there, *lines]), key=_order)
        if merged == there:
            return
        temporary = ledger.with_name(f".{ledger.name}.next")
        with temporary.open("wb") as file:
            file.writelines(line + b"\n" for line in merged)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(ledger)
        sync(ledger.parent)


def _order(line: bytes) -> tuple[bool, datetime, bytes]:
    attempt = _attempt(line)
    return attempt is None, attempt.attempted_at if attempt else datetime.min.replace(tzinfo=UTC), line


def attempts(settings: Settings, source_id: str | None = None) -> list[Attempt]:
    """Every attempt of one source, or of all in order of source id; within a source the oldest first.

    A line that is torn or is no attempt is left out with a warning in the log; `verify` lists it.
    """
    found = []
    for ledger in _ledgers(settings, source_id):
        for number, attempt in _lines(ledger):
            if attempt is None:
                _log.warning("%s: line %d is torn or no attempt, and is left out", ledger.name, number)
                continue
            found.append(attempt)
    return found


def documents(
    settings: Settings, sources: "Iterable[Source]", *, on_damage: Callable[[Document, str], None] | None = None
) -> list[Document]:
    """The archived documents of these sources: one for each (source_id, sha256) that the ledger says was stored.

    `retrieved_at` and `method` are those of the first line that stored the bytes, `url` the first that is known.
    `published_on` is the date a person stated last (basis `stated`), also where it was stated with bytes that were
    already held; otherwise both are None and the caller resolves them, see `last_modified_on`.

    Every file is read and compared with its sha256. Where one is missing or damaged, `on_damage` is called with the
    document and the words for it, and the document is left out; without `on_damage` ArchiveError is raised.
    """
    found = []
    for source in sources:
        for document in _of_source(settings, source):
            problem = _damage(settings, document)
            if problem is None:
                found.append(document)
            elif on_damage is not None:
                on_damage(document, problem.what)
            else:
                raise ArchiveError(problem.what)
    return found


def path_of(settings: Settings, document_id: str) -> Path:
    """Where a document's file stands. Raises ArchiveError if the archive does not hold it."""
    if not _SHA256.fullmatch(document_id):
        raise ArchiveError(f"{document_id!r} is no document id: 64 hexadecimal digits are")
    for path in sorted((settings.archive / document_id[:2]).glob(f"{document_id}*")):
        return path
    raise ArchiveError(f"the archive holds no file of document {document_id}; `lightwell doctor` lists what is missing")


def holds(settings: Settings, document_id: str) -> bool:
    """Whether the archive holds the file of this document, and its bytes still have this sha256."""
    try:
        path = path_of(settings, document_id)
    except ArchiveError:
        return False
    return _sha256(path) == document_id


def last_modified_date(attempt: Attempt) -> date | None:
    """The day of the attempt's Last-Modified header, in UTC; None where there is none or it is no HTTP date."""
    if attempt.last_modified is None:
        return None
    try:
        return parsedate_to_datetime(attempt.last_modified).astimezone(UTC).date()
    except (ValueError, OverflowError):
        return None


def last_modified_on(settings: Settings, document: Document) -> date | None:
    """The earliest Last-Modified day of these bytes: a site that is moved dates its old files anew."""
    dates = (
        last_modified_date(a)
        for a in attempts(settings, document.source_id)
        if a.document_id == document.document_id and a.outcome != "failed"
    )
    return min((d for d in dates if d is not None), default=None)


def verify(settings: Settings) -> list[Problem]:
    """What is wrong in the archive: files missing, damaged, unrecorded or left over, and ledger lines torn.

    Reads every file. An empty list means that every document the ledger names is there, byte for byte.
    """
    problems: list[Problem] = []
    recorded: dict[str, Document] = {}
    for ledger in _ledgers(settings, None):
        for number, attempt in _lines(ledger):
            if attempt is None:
                what = f"line {number} of {ledger.name} is torn or no attempt; it is left out, nothing needs doing"
                problems.append(Problem("ledger", f"ledger/{ledger.name}", what))
            elif document := _document(settings, attempt, licence=""):
                recorded.setdefault(document.document_id, document)
    damaged = (_damage(settings, document) for document in recorded.values())
    problems.extend(problem for problem in damaged if problem is not None)
    return problems + _strays(settings, recorded.keys())


def _copy(stream: BinaryIO, to: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with to.open("xb") as out:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest(), size


def _of_source(settings: Settings, source: "Source") -> Iterator[Document]:
    found: dict[str, Document] = {}
    for attempt in attempts(settings, source.id):
        new = _document(settings, attempt, source.licence)
        if new is None:
            continue
        document = found.setdefault(new.document_id, new)
        if attempt.published_on is not None:
            document = replace(document, published_on=attempt.published_on, published_basis="stated")
        found[new.document_id] = replace(document, url=document.url or attempt.url)
    yield from found.values()


def _document(settings: Settings, attempt: Attempt, licence: str) -> Document | None:
    if attempt.document_id is None or attempt.media_type is None or attempt.bytes is None:
        return None  # a failed attempt: a line of any other outcome has all three, see `_is_whole`
    return Document(
        document_id=attempt.document_id,
        source_id=attempt.source_id,
        url=attempt.url,
        title=None,
        published_on=None,
        published_basis=None,
        retrieved_at=attempt.attempted_at,
        media_type=attempt.media_type,
        bytes=attempt.bytes,
        licence=licence,
        method=attempt.method,
        path=_expected_path(settings, attempt.document_id),
    )


def _is_whole(attempt: Attempt) -> bool:
    if attempt.attempted_at.utcoffset() is None or not _SHA256.fullmatch(attempt.document_id or "0" * 64):
        return False
    return attempt.outcome == "failed" or None not in (attempt.document_id, attempt.media_type, attempt.bytes)


def _in_utc(attempt: Attempt) -> Attempt:
    return replace(attempt, attempted_at=attempt.attempted_at.astimezone(UTC))


def _expected_path(settings: Settings, document_id: str) -> Path:
    try:
        return path_of(settings, document_id)
    except ArchiveError:
        return settings.archive / document_id[:2] / document_id


def _damage(settings: Settings, document: Document) -> Problem | None:
    path = _expected_path(settings, document.document_id)
    name = path.relative_to(settings.archive).as_posix()
    again = f"`lightwell fetch {document.source_id}` gets it anew, or `lightwell add {document.source_id} FILE`"
    if not path.is_file():
        return Problem("missing", name, f"archive/{name} of {document.source_id} is missing: {again}")
    if _sha256(path) != document.document_id:
        return Problem("damaged", name, f"archive/{name} of {document.source_id} no longer has its sha256: {again}")
    return None


def _strays(settings: Settings, recorded: Collection[str]) -> list[Problem]:
    problems = []
    for path in sorted(settings.archive.glob("[0-9a-f][0-9a-f]/*")):
        if path.name.partition(".")[0] not in recorded:
            name = path.relative_to(settings.archive).as_posix()
            what = f"archive/{name} is in no ledger: a run was stopped between the two; fetching or adding records it"
            problems.append(Problem("unrecorded", name, what))
    for path in sorted(settings.archive.glob(f"{_TEMPORARY}*")):
        what = f"archive/{path.name} is left over from a stopped run; cleared when it is over an hour old"
        problems.append(Problem("temporary", path.name, what))
    return problems


def _ledger(settings: Settings, source_id: str) -> Path:
    return settings.archive / "ledger" / f"{source_id}.jsonl"


def _ledgers(settings: Settings, source_id: str | None) -> list[Path]:
    if source_id is None:
        return sorted((settings.archive / "ledger").glob("*.jsonl"))
    ledger = _ledger(settings, source_id)
    return [ledger] if ledger.exists() else []


def _lines(ledger: Path) -> Iterator[tuple[int, Attempt | None]]:
    for number, (line, attempt) in enumerate(_read_lines(ledger), start=1):
        if line:
            yield number, attempt


def _read_lines(ledger: Path, *, locked: bool = False) -> Iterator[tuple[bytes, Attempt | None]]:
    with ledger.open("rb") as file:
        if not locked:
            fcntl.flock(file, fcntl.LOCK_SH)
        content = file.read()
    for line in content.split(b"\n"):
        yield line, _attempt(line)


def _attempt(line: bytes) -> Attempt | None:
    """The attempt of a ledger line; None where the line is torn or no attempt."""
    try:
        attempt = _ATTEMPT.validate_json(line)
    except ValidationError:
        return None
    return _in_utc(attempt) if _is_whole(attempt) else None


def _clear_temporary(settings: Settings) -> None:
    for path in settings.archive.glob(f"{_TEMPORARY}*"):
        with suppress(FileNotFoundError):  # another process may clear at the same time
            if path.stat().st_mtime < time.time() - _AN_HOUR:
                path.unlink()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
