"""Build, publish, connect. DuckDB lives here and in `sql/`, and is imported only when it is used.

A release is a folder with a DuckDB file and a manifest. It is built beside the published one, checked, renamed into
place and then pointed at by one symlink: a reader opens the old release or the new one, never neither.
"""

import fcntl
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell import __version__, codes, store
from lightwell.archive import Attempt, Document
from lightwell.errors import BuildError, LightwellError, OvertakenError
from lightwell.harmonise import Harmonised, Observation, Quarantined
from lightwell.quality import Verdict
from lightwell.reading import Reading
from lightwell.settings import Settings, resource
from lightwell.source import Source
from lightwell.store.copy import locked

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Connection = DuckDBPyConnection  # by this name the rooms above know it, without DuckDB

_log = logging.getLogger(__name__)
Row = Mapping[str, object]
Option = str | bool | int | float | list[str]
DATABASE = "lightwell.duckdb"
MANIFEST = "release.json"
_NO_EXTENSIONS: Mapping[str, Option] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
_READER: Mapping[str, Option] = {
    **_NO_EXTENSIONS,
    "enable_external_access": "false",
    "python_enable_replacements": "false",
}
_WRITER: Mapping[str, Option] = {
    **_NO_EXTENSIONS,
    "storage_compatibility_version": "v1.0.0",
}  # every DuckDB from 1.0 on can open the file
_OBSERVATION = [f.name for f in fields(Observation) if f.name != "figure"]
_CHUNK = 2000  # rows in one INSERT; close to DuckDB's vector, where parsing is fastest
_HELD = ".held-"  # a build that was set aside
_A_DAY = 24 * 60 * 60
_TRIES = 5  # a release can be pruned between following the link and opening it


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document, read, harmonised and judged: all that a build needs of it."""

    source: Source
    document: Document
    reading: Reading
    harmonised: Harmonised
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Build:
    """A release that is built and checked but not yet published. It stays until it is published or discarded, or its
    process ends."""

    release_id: str
    folder: Path  # holds lightwell.duckdb; whatever else is put here is published with it
    built_at: datetime
    inputs_digest: str
    counts: Mapping[str, Mapping[str, int]]  # by source: documents, periods, observations, quarantined
    sources: tuple[str, ...]
    lock: int = field(repr=False, compare=False)  # descriptor that says the folder's process lives

    @property
    def database(self) -> Path:
        """The built DuckDB file."""
        return self.folder / DATABASE


@dataclass(frozen=True, slots=True)
class Release:
    """One published release, as its manifest says."""

    release_id: str
    folder: Path
    built_at: datetime
    published_at: datetime
    inputs_digest: str
    counts: Mapping[str, Mapping[str, int]]
    sources: tuple[str, ...]
    current: bool

    @property
    def database(self) -> Path:
        """The release's DuckDB file."""
        return self.folder / DATABASE


def build(
    prepared: list[Prepared],
    attempts: list[Attempt],
    settings: Settings,
    *,
    sources: list[Source],
    inputs_digest: str,
    built_at: datetime,
    audited: bool = True,
) -> Build:
    """Build and audit a release beside the published one. Raises BuildError, and leaves nothing behind, where a row
    does not fit the schema or an audit finds offenders. Where another step audits it, `audited` is False."""
    import duckdb

    release_id = f"{_as_utc(built_at):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    folder, lock = _claim(settings, release_id)
    try:
        rows = _rows(prepared, attempts, sources)
        info = {
            "release_id": release_id,
            "built_at": _utc(built_at),
            "lightwell_version": __version__,
            "inputs_digest": inputs_digest,
            "duckdb_version": duckdb.__version__,
        }
        counts = _write(folder / DATABASE, {**rows, "release_info": [info]}, audited=audited)
        _sync(folder / DATABASE)
    except (duckdb.Error, OSError) as error:
        _abandon(folder, lock)
        raise BuildError(f"the release could not be built: {_first_lines(error)}") from error
    except BaseException:
        _abandon(folder, lock)
        raise
    return Build(release_id, folder, built_at, inputs_digest, counts, tuple(s.id for s in sources), lock)


def discard(build: Build) -> None:
    """Remove a build that is not to be published."""
    if build.folder.is_dir():
        _abandon(build.folder, build.lock)


def publish(build: Build, settings: Settings) -> str:
    """Make a build the current release and return its id. Older releases beyond `keep_releases` are removed.

    Whatever happens on the way, the link leads to a complete release. Raises BuildError where the build is gone or the
    disk refuses; the release published before then stays.
    """
    try:
        with locked(settings):
            if not build.database.is_file():
                raise BuildError(f"build {build.release_id} is gone or already published: run `lightwell build` again")
            _refuse_file(settings)
            _write_manifest(build)
            for path in [*build.folder.iterdir(), build.folder]:
                _sync(path)
            _share(build, settings)
            folder = build.folder.rename(settings.releases / build.release_id)
            _sync(settings.releases)
            _point(settings, folder)
            os.close(build.lock)
            _prune(settings)
    except OSError as error:
        raise BuildError(f"release {build.release_id} could not be published: {error}") from error
    return build.release_id


def _share(build: Build, settings: Settings) -> None:
    try:
        store.publish(settings, build.release_id, build.folder)
    except OvertakenError:
        discard(build)
        raise


def set_aside(build: Build, settings: Settings) -> str:
    """Let a build outlive its process, for another to check and publish it, and return its id.

    What was set aside more than a day ago and never published is removed. Raises BuildError where the disk refuses.
    """
    try:
        with locked(settings):
            for folder in settings.releases.glob(f"{_HELD}*"):
                if time.time() - folder.stat().st_mtime > _A_DAY:
                    shutil.rmtree(folder)
            _write_manifest(build)
            for path in [*build.folder.iterdir(), build.folder]:
                _sync(path)
            build.folder.rename(settings.releases / f"{_HELD}{build.release_id}")
            os.close(build.lock)
            _sync(settings.releases)
    except OSError as error:
        raise BuildError(f"build {build.release_id} could not be set aside: {error}") from error
    return build.release_id


def held(settings: Settings, inputs_digest: str) -> str | None:
    """The id of the newest build that was set aside and made of these inputs; None where there is none."""
    found = [
        read_release_manifest(path.parent, current=False) for path in settings.releases.glob(f"{_HELD}*/{MANIFEST}")
    ]
    same = [r for r in found if r.inputs_digest == inputs_digest]
    return max(same, key=lambda r: (r.built_at, r.release_id)).release_id if same else None


def take_up(settings: Settings, release_id: str) -> Build:
    """A build that was set aside; no other process takes it up until this one publishes, discards or ends.

    Raises BuildError where there is none of this id: discarded, published, or never set aside.
    """
    folder = settings.releases / f"{_HELD}{release_id}"
    gone = f"build {release_id} is gone: it was published, refused, or built more than a day ago; build anew"
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        raise BuildError(gone) from None
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not (folder / MANIFEST).is_file():
        os.close(lock)
        raise BuildError(gone)
    made = read_release_manifest(folder, current=False)
    return Build(release_id, folder, made.built_at, made.inputs_digest, made.counts, made.sources, lock)


def put_back(build: Build) -> None:
    """Leave a build that was taken up to another process."""
    os.close(build.lock)


def publish_held(settings: Settings, release_id: str) -> None:
    """Publish a build that was set aside. Doing it again, or after a crash on the way, ends in the same release."""
    try:
        publish(take_up(settings, release_id), settings)
    except BuildError:
        if not (settings.releases / release_id / MANIFEST).is_file():
            raise
        with locked(settings):  # it was published before, and perhaps not yet pointed at
            if _kept(settings)[0].release_id == release_id and _pointed_at(settings) != release_id:
                store.publish(settings, release_id, settings.releases / release_id)
                _point(settings, settings.releases / release_id)


def releases(settings: Settings) -> list[Release]:
    """Every release kept, newest publication first."""
    store.look(settings)
    return _kept(settings)


def _kept(settings: Settings) -> list[Release]:
    pointed, found = _pointed_at(settings), []
    for path in settings.releases.glob(f"[!.]*/{MANIFEST}"):
        try:
            found.append(read_release_manifest(path.parent, current=path.parent.name == pointed))
        except BuildError:
            if path.exists():  # else it was pruned while we looked
                raise
    return sorted(found, key=lambda r: (r.published_at, r.release_id), reverse=True)


def current(settings: Settings) -> Release | None:
    """The published release, or None where nothing is published. Cheap: only the manifest is read."""
    store.look(settings)
    for _ in range(_TRIES):
        pointed = _pointed_at(settings)
        if pointed is None:
            return None
        try:
            return read_release_manifest(settings.releases / pointed, current=True)
        except BuildError:
            if (settings.releases / pointed).is_dir():
                raise
    return None


def read_release_manifest(folder: Path, *, current: bool) -> Release:
    """What `release.json` says. Raises BuildError where it cannot be read."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return Release(
            release_id=manifest["release_id"],
            folder=folder,
            built_at=datetime.fromisoformat(manifest["built_at"]),
            published_at=datetime.fromisoformat(manifest["published_at"]),
            inputs_digest=manifest["inputs_digest"],
            counts=manifest["counts"],
            sources=tuple(manifest["sources"]),
            current=current,
        )
    except (OSError, ValueError, KeyError) as error:
        raise BuildError(f"{path} is not a release's manifest ({error!r}): remove {folder}") from error


def rollback(settings: Settings, release_id: str | None = None) -> Release:
    """Make an earlier release the current one: the named one, or the one published before the current.

    Raises BuildError, with the ids there are, where there is none to go back to.
    """
    store.look(settings, whole=False)
    try:
        with locked(settings):
            _refuse_file(settings)
            kept = _kept(settings)
            chosen = _chosen(kept, release_id)
            if chosen is None:
                wanted = f"no release {release_id!r}" if release_id else "no release before the current one"
                raise BuildError(f"{wanted}; kept are: {', '.join(r.release_id for r in kept) or 'none'}")
            store.publish(settings, chosen.release_id, chosen.folder)
            _point(settings, chosen.folder)
    except OSError as error:
        raise BuildError(f"the current release could not be changed: {error}") from error
    return replace(chosen, current=True)


def connect(
    settings: Settings | None = None,
    *,
    path: Path | None = None,
    as_of: date | None = None,
    writes_files: bool = False,
) -> "DuckDBPyConnection":
    """A read-only connection to the current release, or to the file at `path`, without file or network access.

    With `as_of`, observation and every view on it show what was known on that day. `writes_files` is for exports, whose
    SQL is ours. It opens the release itself, not the link: DuckDB would hand a process that still reads the old release
    the old one again. Raises LightwellError where nothing is published.
    """
    import duckdb

    if path is None:
        settings = settings or Settings.from_environment()
        store.look(settings)
        path = settings.database
    for _ in range(_TRIES):
        target = path.resolve()
        if not target.is_file():
            continue
        try:
            con = _beside(target) if writes_files else duckdb.connect(str(target), read_only=True, config=dict(_READER))
        except duckdb.Error as error:
            if target.is_file():
                raise LightwellError(f"{target} cannot be opened: {_first_lines(error)}") from error
            continue
        con.execute("SET enable_progress_bar = false")  # it would be printed among the rows
        if as_of is not None:
            con.execute(f"SET VARIABLE as_of = DATE '{as_of.isoformat()}'")
        return con
    raise LightwellError(f"there is no warehouse at {path}: run `make warehouse` or `lightwell refresh`")


def _beside(target: Path) -> "DuckDBPyConnection":
    """A database in memory with the release attached, read-only: other readers of this process keep their own ways."""
    import duckdb

    con = duckdb.connect(config={**_NO_EXTENSIONS, "python_enable_replacements": "false"})
    try:
        con.execute(f"ATTACH {_quoted(str(target))} AS release (READ_ONLY)")
        con.execute("USE release")
    except BaseException:
        con.close()
        raise
    return con


@contextmanager
def telling(what: str = "{}") -> Iterator[None]:
    """Within it, an error of DuckDB's is a LightwellError: `what`, with DuckDB's own words in the place of {}."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise LightwellError(what.format(_first_lines(error))) from error


def query(
    sql: str, settings: Settings, parameters: Mapping[str, Any] | None = None, *, as_of: date | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one query on the current release, as of a day if one is given. Raises LightwellError
    with DuckDB's own words."""
    import duckdb

    with connect(settings, as_of=as_of) as con:
        try:
            con.execute(sql, parameters)
            if con.description is None:
                raise LightwellError("the query asks for nothing: give one SELECT")
            return [column[0] for column in con.description], con.fetchall()
        except duckdb.Error as error:
            raise LightwellError(_first_lines(error)) from error


def audit(con: "DuckDBPyConnection", folder: Path | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """Run every `sql/audits/*.sql`: the offending rows by audit, none where all is well."""
    found = {}
    for path in sorted((folder or resource("sql") / "audits").glob("*.sql")):
        found[path.stem] = con.execute(path.read_text(encoding="utf-8")).fetchall()
    return found


def _chosen(kept: Sequence[Release], release_id: str | None) -> Release | None:
    if release_id is not None:
        return next((r for r in kept if r.release_id == release_id), None)
    after = next((i + 1 for i, r in enumerate(kept) if r.current), 0)
    return next(iter(kept[after:]), None)


def _claim(settings: Settings, release_id: str) -> tuple[Path, int]:
    folder = settings.releases / f".building-{release_id}"
    try:
        with locked(settings):
            _sweep(settings)
            folder.mkdir()
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise BuildError(f"the release could not be begun: {error}") from error
    return folder, lock


def _sweep(settings: Settings) -> None:
    """Remove what dead processes left. A living build holds its folder's lock."""
    for folder in [*settings.releases.glob(".building-*"), *settings.releases.glob(".removing-*")]:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # discarded by its own process just now
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _abandon(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _write_manifest(build: Build) -> None:
    manifest = {
        "release_id": build.release_id,
        "built_at": _as_utc(build.built_at).isoformat(),
        "published_at": datetime.now(UTC).isoformat(),
        "inputs_digest": build.inputs_digest,
        "counts": build.counts,
        "sources": build.sources,
    }
    (build.folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _point(settings: Settings, folder: Path) -> None:
    link = settings.database
    temporary = link.with_name(f".{link.name}.next")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to((folder / DATABASE).relative_to(link.parent))
    temporary.replace(link)
    _sync(link.parent)


def _refuse_file(settings: Settings) -> None:
    if settings.database.exists() and not settings.database.is_symlink():
        raise BuildError(f"{settings.database} is a file, not the link to a release: move it away")


def _pointed_at(settings: Settings) -> str | None:
    return settings.database.readlink().parent.name if settings.database.is_symlink() else None


def _prune(settings: Settings) -> None:
    for release in _kept(settings)[max(settings.keep_releases, 1) :]:
        if not release.current:
            doomed = release.folder.rename(settings.releases / f".removing-{release.release_id}")
            try:
                shutil.rmtree(doomed)
            except OSError as error:
                _log.warning("release %s could not be removed, the next build tries again: %s", doomed, error)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(database: Path, rows: Mapping[str, Iterable[Row]], *, audited: bool) -> dict[str, dict[str, int]]:
    """Fill a new file and audit it. Returns the counts of each source."""
    import duckdb

    sql = resource("sql")
    with duckdb.connect(str(database), config=dict(_WRITER)) as con:
        con.execute("SET enable_progress_bar = false")
        con.begin()
        con.execute((sql / "schema.sql").read_text(encoding="utf-8"))
        declared = _declared(con)
        for table, listed in {**_codelists(), **rows}.items():
            _insert(con, table, declared, listed)
        con.commit()  # the file is nobody's yet: what is committed need not be held in memory
        con.begin()
        con.execute((sql / "supersede.sql").read_text(encoding="utf-8"))
        for view in sorted((sql / "views").glob("*.sql")):
            con.execute(view.read_text(encoding="utf-8"))
        _inherit_comments(con)
        con.commit()
        if audited:
            _refuse_offenders(con)
        counted = con.execute(
            "SELECT source_id, documents, periods, observations, quarantined_rows, quarantined_documents "
            "FROM freshness ORDER BY source_id"
        )
        names = [column[0] for column in counted.description or ()][1:]
        return {source_id: dict(zip(names, counts, strict=True)) for source_id, *counts in counted.fetchall()}


def _refuse_offenders(con: "DuckDBPyConnection") -> None:
    failed = {name: rows for name, rows in audit(con).items() if rows}
    if failed:
        said = "; ".join(f"{name}: {len(rows)} rows, first {rows[0]}" for name, rows in failed.items())
        raise BuildError(f"the release is refused, audits found offenders: {said}. Look at sql/audits.")


def _declared(con: "DuckDBPyConnection") -> dict[str, dict[str, str]]:
    """Type of every column by table, as sql/schema.sql declares them."""
    tables: dict[str, dict[str, str]] = {}
    found = con.execute("SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal")
    for table, column, kind in found.fetchall():
        tables.setdefault(table, {})[column] = kind
    return tables


def _insert(
    con: "DuckDBPyConnection", table: str, declared: Mapping[str, Mapping[str, str]], rows: Iterable[Row]
) -> None:
    """Rows go in as JSON text, cast to the declared types: as quick as from a DataFrame, many times quicker than
    executemany, and neither that nor a bound parameter's import of pandas is needed. What cannot be cast fails."""
    if table not in declared:
        raise BuildError(f"sql/schema.sql declares no table {table!r}")
    columns = declared[table]
    structure = json.dumps([{name: _json_type(kind) for name, kind in columns.items()}])
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):  # never all at once: a release has very many
        for row in chunk:
            if row.keys() != columns.keys():
                odd = sorted(row.keys() ^ columns.keys())
                raise BuildError(f"{table}: column {odd[0]!r} is in sql/schema.sql or the row, but not in both: {row}")
        try:
            text = json.dumps(chunk, allow_nan=False)
        except ValueError as error:
            raise BuildError(f"{table}: a value is neither a number nor absent: {error}") from error
        values = f"unnest(from_json_strict({_quoted(text)}, {_quoted(structure)}))"
        con.execute(f"INSERT INTO {table} BY NAME SELECT r.* FROM (SELECT {values} AS r)")  # noqa: S608  both are quoted


def _json_type(kind: str) -> str | list[str]:
    """How a column of this type is taken out of JSON. Scalars come as text: the INSERT casts them."""
    if kind.startswith("MAP"):
        return kind
    return ["VARCHAR"] if kind == "VARCHAR[]" else "VARCHAR"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _inherit_comments(con: "DuckDBPyConnection") -> None:
    """A view's column means what the table's column of that name means (same quantity, same name), unless the view's
    own file says otherwise. observation_vintage is asked first."""
    comments: dict[str, str] = {}
    listed = con.execute(
        "SELECT c.column_name, c.comment FROM duckdb_columns() AS c JOIN duckdb_tables() AS t USING (table_name) "
        "WHERE NOT c.internal ORDER BY t.table_name <> 'observation_vintage', t.table_name"
    )
    for column, comment in listed.fetchall():
        comments.setdefault(column, comment)
    silent = con.execute(
        "SELECT c.table_name, c.column_name FROM duckdb_columns() AS c JOIN duckdb_views() AS v "
        "ON c.table_name = v.view_name WHERE NOT c.internal AND c.comment IS NULL"
    )
    for view, column in silent.fetchall():
        if column in comments:
            con.execute(f"COMMENT ON COLUMN {view}.{column} IS {_quoted(comments[column])}")


def _codelists() -> dict[str, list[Row]]:
    """Every codelist's rows by table, an empty cell as null."""
    lists = codes.as_rows(codes.codelists())
    return {name: [{k: v or None for k, v in row.items()} for row in rows] for name, rows in lists.items()}


def _rows(prepared: list[Prepared], attempts: list[Attempt], sources: list[Source]) -> dict[str, Iterable[Row]]:
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
        "retrieved_at": _utc(document.retrieved_at),
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
        "retrieved_at": _utc(document.retrieved_at),
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
        "attempted_at": _utc(attempt.attempted_at),
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


def _utc(instant: datetime) -> str:
    """The instant in UTC without an offset, as the warehouse keeps it."""
    return _as_utc(instant).replace(tzinfo=None).isoformat()


def _as_utc(instant: datetime) -> datetime:
    """The instant in UTC; one without an offset is UTC already."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split("\n\n")[0].split("\n")[:2])
