"""A new release: a DuckDB file beside the published one, filled with rows as `sql/` declares them, and audited."""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell import __version__
from lightwell.archive import Attempt
from lightwell.disk import sync
from lightwell.errors import BuildError
from lightwell.settings import Settings, resource
from lightwell.source import Source
from lightwell.warehouse.connecting import NO_EXTENSIONS, Option, first_lines, quoted
from lightwell.warehouse.publishing import DATABASE, Build, abandon, claim
from lightwell.warehouse.rows import Prepared, Row, as_utc, codelist_rows, rows_of, utc

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_WRITER: Mapping[str, Option] = {
    **NO_EXTENSIONS,
    "storage_compatibility_version": "v1.0.0",
}  # every DuckDB from 1.0 on can open the file
_CHUNK = 2000  # rows in one INSERT; close to DuckDB's vector, where parsing is fastest


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

    release_id = f"{as_utc(built_at):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    folder, lock = claim(settings, release_id)
    try:
        rows = rows_of(prepared, attempts, sources)
        info = {
            "release_id": release_id,
            "built_at": utc(built_at),
            "lightwell_version": __version__,
            "inputs_digest": inputs_digest,
            "duckdb_version": duckdb.__version__,
        }
        counts = _write(folder / DATABASE, {**rows, "release_info": [info]}, audited=audited)
        sync(folder / DATABASE)
    except (duckdb.Error, OSError) as error:
        abandon(folder, lock)
        raise BuildError(f"the release could not be built: {first_lines(error)}") from error
    except BaseException:
        abandon(folder, lock)
        raise
    return Build(release_id, folder, built_at, inputs_digest, counts, tuple(s.id for s in sources), lock)


def audit(con: "DuckDBPyConnection", folder: Path | None = None) -> dict[str, list[tuple[Any, ...]]]:
    """Run every `sql/audits/*.sql`: the offending rows by audit, none where all is well."""
    found = {}
    for path in sorted((folder or resource("sql") / "audits").glob("*.sql")):
        found[path.stem] = con.execute(path.read_text(encoding="utf-8")).fetchall()
    return found


def _write(database: Path, rows: Mapping[str, Iterable[Row]], *, audited: bool) -> dict[str, dict[str, int]]:
    """Fill a new file and audit it. Returns the counts of each source."""
    import duckdb

    sql = resource("sql")
    with duckdb.connect(str(database), config=dict(_WRITER)) as con:
        con.execute("SET enable_progress_bar = false")
        con.begin()
        con.execute((sql / "schema.sql").read_text(encoding="utf-8"))
        declared = _declared(con)
        for table, listed in {**codelist_rows(), **rows}.items():
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
        values = f"unnest(from_json_strict({quoted(text)}, {quoted(structure)}))"
        con.execute(f"INSERT INTO {table} BY NAME SELECT r.* FROM (SELECT {values} AS r)")  # noqa: S608  both are quoted


def _json_type(kind: str) -> str | list[str]:
    """How a column of this type is taken out of JSON. Scalars come as text: the INSERT casts them."""
    if kind.startswith("MAP"):
        return kind
    return ["VARCHAR"] if kind == "VARCHAR[]" else "VARCHAR"


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
            con.execute(f"COMMENT ON COLUMN {view}.{column} IS {quoted(comments[column])}")
