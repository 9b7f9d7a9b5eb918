"""What is only ever added to a data home: documents, lines of ledgers, readings. Each is named by its sha256."""

import hashlib
import logging
import re
from datetime import datetime
from pathlib import Path

from lightwell import archive
from lightwell.settings import Settings
from lightwell.store.bucket import Bucket, DamagedError, each
from lightwell.store.copy import sha256_of

_log = logging.getLogger(__name__)
_DOCUMENT = re.compile(r"archive/[0-9a-f]{2}/([0-9a-f]{64})(\.[\w.]+)?", re.ASCII)
_LINE = re.compile(r"ledger/(\w+)/[0-9T.]+Z-([0-9a-f]{64})\.json", re.ASCII)
_FIGURES = re.compile(r"(figures/[0-9a-f]{2}/[\w.-]+\.json)/([0-9a-f]{64})", re.ASCII)


def take(settings: Settings, bucket: Bucket) -> set[str]:
    """Take in what this machine lacks. The names of what need not be handed over: all that is there and undamaged."""
    known = set(bucket.names("ledger/"))  # before the documents that the lines name
    known |= {*bucket.names("archive/"), *bucket.names("figures/")}
    refused = {*_take_documents(settings, bucket, known), *_take_figures(settings, bucket, known)}
    return known - refused - _take_ledgers(settings, bucket, known)


def take_document(settings: Settings, bucket: Bucket, document_id: str) -> None:
    """Take in one document, if the store has it and this machine does not."""
    for name in bucket.names(f"archive/{document_id[:2]}/{document_id}"):
        if _DOCUMENT.fullmatch(name) and not (settings.home / name).is_file():
            bucket.download(name, document_id, settings.home / name)


def hand_over(settings: Settings, bucket: Bucket, known: set[str]) -> None:
    """Hand over what is new, a document before the line that names it."""
    lines = _new_lines(settings, known)  # before the documents are listed: each is stored before its line is written
    _hand_over_documents(settings, bucket, known)
    each(bucket.put, lines)
    _hand_over_figures(settings, bucket, known)


def _take_documents(settings: Settings, bucket: Bucket, known: set[str]) -> set[str]:
    wanted = [(n, m[1]) for n in sorted(known) if (m := _DOCUMENT.fullmatch(n)) and not (settings.home / n).is_file()]
    if wanted:
        _log.info("taking in %d documents of %s", len(wanted), bucket.remote)
    return _take_files([(name, sha256, settings.home / name) for name, sha256 in wanted], bucket)


def _take_figures(settings: Settings, bucket: Bucket, known: set[str]) -> set[str]:
    read = {m[1]: m for n in sorted(known) if (m := _FIGURES.fullmatch(n))}
    return _take_files(
        [(m[0], m[2], settings.home / path) for path, m in read.items() if not (settings.home / path).is_file()], bucket
    )


def _take_files(wanted: list[tuple[str, str, Path]], bucket: Bucket) -> set[str]:
    """Download objects that are named by their sha256. Those that are damaged are left out and returned."""
    refused = set()

    def take(name: str, sha256: str, to: Path) -> None:
        try:
            bucket.download(name, sha256, to)
        except DamagedError as error:
            _log.warning("refused: %s", error)
            refused.add(name)

    each(take, wanted)
    return refused


def _line_name(source_id: str, at: datetime, line: bytes) -> str:
    return f"ledger/{source_id}/{at:%Y%m%dT%H%M%S.%f}Z-{hashlib.sha256(line).hexdigest()}.json"


def _take_ledgers(settings: Settings, bucket: Bucket, known: set[str]) -> set[str]:
    held = {_line_name(*line) for line in archive.ledger_lines(settings)}
    wanted = [(n, m[1], m[2]) for n in sorted(known - held) if (m := _LINE.fullmatch(n))]
    lines: dict[str, list[bytes]] = {source_id: [] for _, source_id, _ in wanted}
    for name in held:
        lines.setdefault(name.split("/")[1], [])  # our own lines too stand in order afterwards
    refused = set()

    def take(name: str, source_id: str, sha256: str) -> None:
        try:
            lines[source_id].append(bucket.get(name, sha256)[0])
        except DamagedError as error:
            _log.warning("refused: %s", error)
            refused.add(name)

    each(take, wanted)
    for source_id, new in lines.items():
        archive.take_lines(settings, source_id, new)
    return refused


def _hand_over_documents(settings: Settings, bucket: Bucket, known: set[str]) -> None:
    new = []
    for path in sorted(settings.archive.glob("[0-9a-f][0-9a-f]/*")):
        name = path.relative_to(settings.home).as_posix()
        if name in known or not (match := _DOCUMENT.fullmatch(name)):
            continue
        if sha256_of(path) == match[1]:
            new.append((name, path))
        else:
            _log.warning("%s no longer has its sha256 and is not handed over: `lightwell doctor` says more", path)
    each(bucket.upload, new)


def _new_lines(settings: Settings, known: set[str]) -> list[tuple[str, bytes]]:
    named = [(_line_name(*line), line[2]) for line in archive.ledger_lines(settings)]
    return [(name, line) for name, line in named if name not in known]


def _hand_over_figures(settings: Settings, bucket: Bucket, known: set[str]) -> None:
    held = {name.rpartition("/")[0] for name in known}
    new = []
    for path in sorted(settings.figures.glob("[0-9a-f][0-9a-f]/*.json")):
        name = path.relative_to(settings.home).as_posix()
        if name not in held:
            data = path.read_bytes()
            new.append((f"{name}/{hashlib.sha256(data).hexdigest()}", data))
    each(bucket.put, new)
