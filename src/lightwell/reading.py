"""Documents to readings: a document's figures, cached by (sha256, extractor version), and the edition beside them.

The edition is what ships with the code: the figures of documents that the publishers do not let us pass on, as sorted
CSV with sha256, locator and printed text, so that a first build needs no network. Where the archive holds a document
of the edition, the archive's own reading takes over.
"""

import csv
import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from sys import intern
from typing import Any

from lightwell import archive, store, tables
from lightwell.archive import Document
from lightwell.errors import BuildError, LayoutError
from lightwell.settings import Settings
from lightwell.source import Layout, Source, folder_of
from lightwell.tables import Figure, Locator


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


@dataclass(frozen=True, slots=True)
class Input:
    """One document of a build: from the archive, to be read, or with its reading given."""

    source: Source
    document: Document
    given: Reading | None = None  # the edition's figures, or why the archived file cannot be used


# ------------------------------------------------------------------------------------------------------------- reading


def read(document: Document, source: Source, settings: Settings) -> Reading:
    """Read one archived document, from the cache if this version of the extractor has read it before.

    Never raises for what a document holds: a document unlike its layout becomes a reading with a problem. Raises
    BuildError where the reading cannot be kept.
    """
    cached = _cache(document, source, settings)
    if (known := _known(cached)) is not None:
        return known
    data = _to_json(_extract(document, source, source.extractor_version()))
    partial = cached.with_suffix(f".{os.getpid()}.part")
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        partial.replace(cached)
    except OSError as error:
        raise BuildError(f"cannot write below {settings.figures}: {error.strerror}") from error
    return _from_json(data)  # as the next run will have it


def _known(cached: Path) -> Reading | None:
    """The reading of an earlier run. None where there is none, and for the remains of a crash: it is read anew then."""
    try:
        return _from_json(json.loads(cached.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_cached(document: Document, source: Source, settings: Settings) -> bool:
    """Whether this version of the extractor has read the document before."""
    return _cache(document, source, settings).is_file()


def _cache(document: Document, source: Source, settings: Settings) -> Path:
    name = f"{document.document_id}-{source.id}-{source.extractor_version()}.json"
    return settings.figures / document.document_id[:2] / name


def _extract(document: Document, source: Source, version: str) -> Reading:
    found = Reading(document.document_id, source.id, version, [])
    if document.path is None:
        return replace(found, problem=f"the file is not in the archive: add it again with `lightwell add {source.id}`")
    try:
        reader = tables.reader(document.media_type)
        texts = source.texts() if document.media_type == "application/json" else []
        opening = reader.opening(document.path, texts) if texts else reader.opening(document.path)
        found = replace(found, title=opening.title, dated_on=opening.dated_on)
        layout = choose_layout(source, opening.text)
        tables.refuse_scale(opening.text)
        return replace(found, figures=list(source.extractor(document.media_type)(document, layout)))
    except LayoutError as error:
        return replace(found, problem=str(error))


def choose_layout(source: Source, text: str) -> Layout:
    """The first layout that fits the beginning of a document, wording and period. Raises LayoutError if none does."""
    if not text.strip():
        raise LayoutError("the beginning of the document has no text: pages that are pictures cannot be read")
    worded = [layout for layout in source.layouts if layout.when is None or re.search(layout.when, text)]
    if not worded:
        raise LayoutError(f"the beginning of the document fits no layout of {source.id}: it reads {text[:120]!r}")
    years = []
    for layout in worded:
        match = re.search(layout.period, text) if layout.period else None
        number = re.search("[0-9]{4}", match["year"]) if match else None  # of 2023 as of H1 2023
        year = int(number.group()) if number else None
        if layout.period is None or (
            year is not None and (layout.since or 0) <= year and (layout.until is None or year <= layout.until)
        ):
            return layout
        years.append(year)
    if printed := [year for year in years if year is not None]:
        raise LayoutError(f"the document reports on {max(printed)}, and no layout of {source.id} covers it")
    raise LayoutError(
        f"the first page does not say which period it reports on (expected {worded[0].period!r}); "
        f"is this a document of {source.id}?"
    )


def _to_json(reading: Reading) -> dict[str, Any]:
    figures = [[f.table, dict(f.labels), f.text, str(f.locator)] for f in reading.figures]
    dated = reading.dated_on.isoformat() if reading.dated_on else None
    return {**asdict(replace(reading, figures=[], dated_on=None)), "dated_on": dated, "figures": figures}


def _figure(table: str, labels: dict[str, str], text: str, locator: str) -> Figure:
    """A figure that was written down. Its labels are those of many others: each is held in memory once."""
    shared = {intern(name): intern(label) for name, label in labels.items()}
    return Figure(intern(table), shared, text, Locator.parse(locator))


def _from_json(data: dict[str, Any]) -> Reading:
    figures = [_figure(*parts) for parts in data["figures"]]
    dated = date.fromisoformat(data["dated_on"]) if data["dated_on"] else None
    return Reading(**{**data, "figures": figures, "dated_on": dated})


# ------------------------------------------------------------------------------------------------------------- edition

_DOCUMENT_COLUMNS = [
    "document_id", "source_id", "url", "title", "published_on", "published_basis", "retrieved_at", "media_type",
    "bytes", "licence", "extractor_version",
]  # fmt: skip
_FIGURE_COLUMNS = ["table", "labels", "text", "locator"]
_LARGE = 256_000  # bytes of text from which a document's figures are kept compressed


def edition(folder: Path) -> list[tuple[Document, Reading]]:
    """The documents and figures of an edition. Raises BuildError where its files disagree, or where it is none."""
    if not (folder / "documents.csv").is_file():
        raise BuildError(f"{folder} is no edition: it has no documents.csv; `lightwell edition --to` writes one")
    paths = {p.name.partition(".")[0]: p for p in sorted((folder / "figures").glob("*/*.csv*"))}
    found = []
    for row in _rows(folder / "documents.csv", _DOCUMENT_COLUMNS):
        document = _edition_document(row)
        path = paths.pop(document.document_id, None)
        if path is None or path.parent.name != document.source_id:
            raise BuildError(f"the edition lists {document.title or document.document_id} and has no figures of it")
        figures = [
            _figure(line["table"], json.loads(line["labels"]), line["text"], line["locator"])
            for line in _rows(path, _FIGURE_COLUMNS)
        ]
        found.append(
            (
                document,
                Reading(document.document_id, document.source_id, row["extractor_version"], figures, document.title),
            )
        )
    if paths:
        raise BuildError(f"the edition has figures of a document it does not list: {next(iter(paths))}")
    return found


def _edition_document(row: dict[str, str]) -> Document:
    return Document(
        document_id=row["document_id"],
        source_id=row["source_id"],
        url=row["url"] or None,
        title=row["title"] or None,
        published_on=date.fromisoformat(row["published_on"]),
        published_basis=row["published_basis"],
        retrieved_at=datetime.fromisoformat(row["retrieved_at"]),
        media_type=row["media_type"],
        bytes=int(row["bytes"]),
        licence=row["licence"],
        method="edition",
    )


def _rows(path: Path, columns: list[str]) -> Iterator[dict[str, str]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    with io.StringIO(text.decode("utf-8"), newline="") as handle:
        reader = csv.DictReader(handle)
        if reader.fieldnames != columns:
            raise BuildError(f"{path.name} of the edition has columns {reader.fieldnames}, expected {columns}")
        yield from reader


@store.shared
def write_edition(sources: Iterable[Source], settings: Settings, folder: Path) -> tuple[int, int]:
    """Write what the archive holds as sorted CSV: documents and figures, whose numbers are returned.

    Raises BuildError for an empty archive and for a document that cannot be read.
    """
    known = {source.id: source for source in sources}
    pairs = [take(Input(known[d.source_id], d), settings) for d in archive.documents(settings, known.values())]
    if not pairs:
        raise BuildError(f"the archive in {settings.home} is empty: `lightwell add` the originals first")
    documents, count = [], 0
    for document, reading in sorted(pairs, key=lambda p: (p[0].source_id, p[0].document_id)):
        if reading.problem:
            raise BuildError(f"{document.title or document.document_id[:12]} cannot be read: {reading.problem}")
        row = {c: getattr(document, c, None) for c in _DOCUMENT_COLUMNS[:-1]}
        retrieved = document.retrieved_at.isoformat(timespec="seconds")
        documents.append({**row, "retrieved_at": retrieved, "extractor_version": reading.extractor_version})
        lines = [
            {
                "table": f.table,
                "labels": json.dumps(dict(f.labels), ensure_ascii=False),
                "text": f.text,
                "locator": str(f.locator),
            }
            for f in sorted(reading.figures, key=_place)
        ]
        _write_figures(folder / "figures" / document.source_id, document.document_id, lines)
        count += len(lines)
    (folder / "documents.csv").write_text(_csv(_DOCUMENT_COLUMNS, documents), encoding="utf-8", newline="")
    return len(documents), count


def _write_figures(folder: Path, document_id: str, lines: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{document_id}.csv*"):
        old.unlink()
    text = _csv(_FIGURE_COLUMNS, lines).encode()
    if len(text) > _LARGE:
        (folder / f"{document_id}.csv.gz").write_bytes(gzip.compress(text, mtime=0))
    else:
        (folder / f"{document_id}.csv").write_bytes(text)


def _place(figure: Figure) -> tuple[str, int, float, float, str, str]:
    """Reading order: table by table, page by page, from the top, from the left."""
    at = figure.locator
    x0, top, _, _ = at.box or (0.0, float(at.line or 0), 0.0, 0.0)
    return figure.table, at.page or 0, top, x0, str(at), figure.text


def _csv(columns: list[str], rows: list[dict[str, Any]]) -> str:
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue()


# -------------------------------------------------------------------------------------------------------------- inputs


def inputs(sources: Iterable[Source], settings: Settings) -> list[Input]:
    """Every document a build takes in: the archive's, and the edition's where the archive lacks them.

    A file that is missing or damaged becomes a document in quarantine, unless the edition has its figures.
    """
    known = {source.id: source for source in sources}
    damaged: list[tuple[Document, str]] = []
    held = archive.documents(settings, known.values(), on_damage=lambda *found: damaged.append(found))
    found = {(d.source_id, d.document_id): Input(known[d.source_id], d) for d in held}
    for transcribed in known.values():
        if transcribed.method == "transcribed":
            for document in transcriptions(transcribed, settings):
                found[document.source_id, document.document_id] = Input(transcribed, document)
    for document, read in edition(settings.edition):
        if document.source_id in known:
            found.setdefault(
                (document.source_id, document.document_id), Input(known[document.source_id], document, read)
            )
    for document, problem in damaged:
        lost = Reading(document.document_id, document.source_id, "", [], problem=problem)
        found.setdefault((document.source_id, document.document_id), Input(known[document.source_id], document, lost))
    return [found[key] for key in sorted(found)]


def transcriptions(source: Source, settings: Settings) -> Iterator[Document]:
    """The reviewed CSVs that stand beside a transcribed source's declaration, as documents: `<id>.csv` and `earlier`.

    The day on which an earlier edition was published is not known; it is not before the newest period it reports on.
    """
    folder = folder_of(source.id, settings)
    yield _transcription(source, folder / f"{source.id}.csv")
    for name in source.earlier:
        older = _transcription(source, folder / name)
        yield replace(older, title=f"{source.title}: {name}", published_on=None, published_basis=None)


def _transcription(source: Source, path: Path) -> Document:
    if source.transcribed_on is None or not path.is_file():
        raise BuildError(f"{source.id} is declared as transcribed, and {path.name} is not beside its declaration")
    content = path.read_bytes()
    return Document(
        document_id=hashlib.sha256(content).hexdigest(),
        source_id=source.id,
        url=source.landing_page,
        title=source.title,
        published_on=source.transcribed_on,
        published_basis="stated",
        retrieved_at=datetime.combine(source.transcribed_on, time(), UTC),
        media_type=source.media_type[0],
        bytes=len(content),
        licence=source.licence,
        method="transcribed",
        path=path,
    )


def take(item: Input, settings: Settings) -> tuple[Document, Reading]:
    """The reading of one input, and its document with title and publication date as far as they are known.

    The date is, in this order: what the person who added the file said, what the document's own metadata say, what the
    server said when it was fetched, the day it was retrieved. `published_basis` tells which.
    """
    if item.given is not None:
        return item.document, item.given
    reading = read(item.document, item.source, settings)
    document = replace(item.document, title=item.document.title or reading.title)
    if document.published_on is None and reading.dated_on is not None:
        document = replace(document, published_on=reading.dated_on, published_basis="document")
    if document.published_on is None and (said := archive.last_modified_on(settings, document)) is not None:
        document = replace(document, published_on=said, published_basis="http")
    if document.published_on is None:
        document = replace(document, published_on=document.retrieved_at.date(), published_basis="retrieved")
    return document, reading
