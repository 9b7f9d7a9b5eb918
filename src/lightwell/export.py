"""One SELECT to one CSV, and beside the CSVs a `datapackage.json` that says where every number was printed.

The same release gives the same bytes, on any machine, in any time zone and locale. Rows of a query, as a table, CSV,
JSON or Parquet, are printed here as well.
"""

import fcntl
import hashlib
import io
import json
import math
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lightwell import warehouse
from lightwell.errors import LightwellError
from lightwell.settings import Settings, resource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PACKAGE = "datapackage.json"
DEFAULT = (
    "observation",
    "cited_observation",
    "reports_by_organisation",
    "reports_by_area",
    "restatement",
    "document",
    "source",
    "metric",
    "series_break",
)  # what is exported where nothing is named
FORMATS = ("table", "csv", "json", "parquet")
_NAME = "lightwell"
_STAGING = ".lightwell-export"
_CHUNK = 5000
_RISKY = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # what a spreadsheet would run, with any apostrophes before it
_RESTORABLE = re.compile("'" + _RISKY.pattern)
_CELL = re.compile('(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)')
_HEADER = re.compile(r"(?:--.*\n)*")
_SORT_FIRST = ("source_id", "metric", "metric_title", "year", "time_period", "organisation", "subject", "ref_area")
_KEYS = {
    "citation": ("observation_id",),
    "cited_observation": ("observation_id",),
    "freshness": ("source_id",),
    "label_rename": ("observation_id",),
    "not_reprinted": ("observation_id",),
    "observation": ("observation_id",),
    "reports_by_organisation": ("observation_id",),
    "restatement": ("series_id", "time_period"),
    "vintage_change": ("source_id", "document_id"),
}  # primary keys of what declares none itself
_REFERENCED = ("document", "source", "metric", "unit", "harm", "area")
_VALUES = frozenset(
    {
        "obs_value",
        "value_low",
        "value_high",
        "value_history",
        "earlier_obs_value",
        "first_obs_value",
        "latest_obs_value",
        "lowest_obs_value",
        "highest_obs_value",
        "difference",
        "reports",
        "referrals",
        "informational",
    }
)  # columns in the unit of the observations behind them
_TYPES = {
    "VARCHAR": "string",
    "DOUBLE": "number",
    "FLOAT": "number",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "datetime",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT"), "integer"),
}
_SCALARS = {str: "VARCHAR", bool: "BOOLEAN", float: "DOUBLE", date: "DATE", datetime: "TIMESTAMP"}  # in Parquet
_LONG = 10.0**21  # a whole number is printed with all its digits below this
_DIALECT = {
    "delimiter": ",",
    "lineTerminator": "\n",
    "quoteChar": '"',
    "doubleQuote": True,
    "skipInitialSpace": False,
    "header": True,
}
_ABOUT = (
    "Public aggregate counts on the online sexual exploitation of children, as their publishers printed them. Every "
    "number leads back to a document and a place in it: by observation_id to citation or observation, by document_id "
    "to sources. Read the caveats and series_breaks before comparing numbers, and never add a total (is_total) to its "
    "parts. In the CSV files an empty cell is null, a quoted empty cell an empty text; instants are UTC."
)
_NEUTRALISED = (
    "A text cell that begins with = + - @, with their full-width forms, with a tab or a line break, or with "
    "apostrophes before one of these, has one more apostrophe before it, so that no spreadsheet runs it as a formula: "
    "'- stands for -. Take that apostrophe away to have the text as printed. Numbers are never touched."
)

_NEUTRALISED_HERE = (
    "Some cells begin with an apostrophe that is not printed: '- stands for - (see lightwell:neutralised)."
)


# --- the package -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str  # DuckDB's type
    description: str

    @property
    def type(self) -> str:
        """The type's name in a table schema. Raises LightwellError for one that has no place there."""
        if self.kind.endswith("[]"):
            return "array"
        if self.kind.startswith(("MAP(", "STRUCT(")):
            return "object"
        if self.kind.startswith("DECIMAL("):
            return "number"
        if self.kind not in _TYPES:
            raise LightwellError(
                f"column {self.name} is {self.kind}, which an export cannot hold: cast it in its SELECT"
            )
        return _TYPES[self.kind]


@dataclass(frozen=True, slots=True)
class _Resource:
    """One SELECT, its rows held in the temporary table `table` of the connection."""

    name: str
    table: str
    description: str
    columns: tuple[_Column, ...]
    key: tuple[str, ...]

    @property
    def file(self) -> str:
        """Name of its file in the package."""
        return f"{self.name}.csv"


@dataclass(frozen=True, slots=True)
class _Written:
    bytes: int
    sha256: str
    neutralised: frozenset[str]  # columns with a cell that got an apostrophe


def export(settings: Settings, names: Sequence[str], to: Path) -> list[Path]:
    """Write each named table, view or file of sql/exports as CSV into the folder `to`, and one `datapackage.json`.

    Rows are sorted by all their columns. A file of sql/exports goes before a view of its name. Other files in `to` are
    left alone; a killed export leaves no `datapackage.json`, and the next one clears up. Raises LightwellError, with
    the names there are, for an unknown one, and where `to` holds something that an export must not write over.
    """
    import duckdb

    chosen = list(dict.fromkeys(names or DEFAULT))
    try:
        with warehouse.connect(settings) as con:
            con.execute("SET TimeZone = 'UTC'")
            selects = exportable(con)
            if unknown := [name for name in chosen if name not in selects]:
                raise LightwellError(f"nothing is named {unknown[0]!r}; there are: {', '.join(sorted(selects))}")
            with _locked(to):
                return _export(con, {name: selects[name] for name in chosen}, to)
    except duckdb.Error as error:
        raise LightwellError(f"the release cannot be exported ({str(error).splitlines()[0]}): build it anew") from error
    except OSError as error:
        raise LightwellError(f"the export to {to} could not be written: {error}") from error


def exportable(con: "DuckDBPyConnection") -> dict[str, str]:
    """The SELECT behind every name that can be exported: tables, views, and the files of sql/exports."""
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary"
    )
    selects = {name: f"SELECT * FROM {_identifier(name)}" for (name,) in found.fetchall()}  # noqa: S608
    files = {p.stem: p.read_text(encoding="utf-8") for p in (resource("sql") / "exports").glob("*.sql")}
    return {**selects, **files}


def _export(con: "DuckDBPyConnection", selects: Mapping[str, str], to: Path) -> list[Path]:
    staging = to / _STAGING
    if (staging / PACKAGE).is_file():  # a whole package, whose move into place was cut short
        _move_in(staging, to)
    shutil.rmtree(staging, ignore_errors=True)
    files = [f"{name}.csv" for name in selects]
    _refuse_to_overwrite(to, files)
    staging.mkdir()
    try:
        resources = [_select(con, number, *item) for number, item in enumerate(selects.items())]
        written = {r.name: _write_csv(con, r, staging / r.file) for r in resources}
        package = json.dumps(_package(con, resources, written), ensure_ascii=False, indent=2) + "\n"
        _write_file(staging / PACKAGE, package)
        _move_in(staging, to)
    except BaseException:
        if not (staging / PACKAGE).is_file():
            shutil.rmtree(staging, ignore_errors=True)
        raise
    return [to / name for name in [*files, PACKAGE]]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_to_overwrite(to: Path, files: Sequence[str]) -> None:
    ours = _listed(to / PACKAGE)
    if foreign := [name for name in files if name not in ours and (to / name).exists()]:
        raise LightwellError(f"{to / foreign[0]} is not of an export: move it away, or export into another folder")
    if left := [name for name in ours if name not in files and (to / name).exists()]:
        raise LightwellError(
            f"{to / left[0]} is of an earlier export and would be left without its description: "
            f"name {Path(left[0]).stem} as well, or export into another folder"
        )


def _listed(package: Path) -> list[str]:
    """The files of the package that stands there, none where there is none."""
    try:
        found = json.loads(package.read_text(encoding="utf-8"))
        name, files = found["name"], [str(r["path"]) for r in found["resources"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        name, files = None, []
    if name != _NAME:
        raise LightwellError(f"{package} is not of an export: export into another folder")
    return files


def _move_in(staging: Path, to: Path) -> None:
    """The description goes first and comes last: while it stands in `to`, every file there is as it says."""
    (to / PACKAGE).unlink(missing_ok=True)
    _sync(to)
    for path in sorted(staging.iterdir(), key=lambda p: (p.name == PACKAGE, p.name)):
        path.replace(to / path.name)
    _sync(to)
    staging.rmdir()


def _write_file(path: Path, text: str) -> None:
    """Write beside, to the disk, then rename: the name never stands for half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.next")
    try:
        with temporary.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- what is selected ------------------------------------------------------------------------------------------------


def _select(con: "DuckDBPyConnection", number: int, name: str, sql: str) -> _Resource:
    table = f"exported_{number}"
    select = sql.rstrip().removesuffix(";")
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM ({select}\n) AS selected")  # noqa: S608  our own files
    said = _comments(con, name)
    about, own = _header(sql)
    described = con.execute(f"DESCRIBE {table}").fetchall()
    columns = []
    for column, kind, *_ in described:
        if not (description := own.get(column) or said.get(column)):
            raise LightwellError(f"export {name}: nothing says what its column {column} is; add `-- {column}: ...`")
        columns.append(_Column(column, kind, description))
    return _Resource(name, table, about or said[""], tuple(columns), _key(con, name))


def _header(sql: str) -> tuple[str, dict[str, str]]:
    """What the comment on top of a file of sql/exports says of its rows, and of columns (`-- column: ...`)."""
    match = _HEADER.match(sql)
    said: dict[str, str] = {}
    column = ""
    for line in match[0].splitlines() if match else ():
        text = line.removeprefix("--").strip()
        if named := re.fullmatch(r"([a-z_]+): (.+)", text):
            column, text = named[1], named[2]
        said[column] = f"{said.get(column, '')} {text}".strip()
    return said.pop("", ""), said


def _comments(con: "DuckDBPyConnection", name: str) -> dict[str, str]:
    """The comment on a table or view (under ""), and on its columns, else on the columns of that name elsewhere: the
    same name is the same quantity. observation_vintage is asked before the other tables."""
    listed = con.execute(
        "SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal AND comment IS NOT NULL "  # noqa: S608
        f"ORDER BY table_name <> {_quoted(name)}, table_name <> 'observation_vintage', table_name"
    )
    said: dict[str, str] = {}
    for column, comment in listed.fetchall():
        said.setdefault(column, comment)
    about = con.execute(
        f"SELECT comment FROM duckdb_tables() WHERE table_name = {_quoted(name)} "  # noqa: S608
        f"UNION ALL SELECT comment FROM duckdb_views() WHERE view_name = {_quoted(name)}"
    ).fetchone()
    squeezed = {column: " ".join(comment.split()) for column, comment in said.items()}
    return {**squeezed, "": " ".join((about[0] if about and about[0] else "").split())}


def _key(con: "DuckDBPyConnection", name: str) -> tuple[str, ...]:
    declared = con.execute(
        "SELECT constraint_column_names FROM duckdb_constraints() "  # noqa: S608
        f"WHERE constraint_type = 'PRIMARY KEY' AND table_name = {_quoted(name)}"
    ).fetchone()
    return tuple(declared[0]) if declared else _KEYS.get(name, ())


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _records(con: "DuckDBPyConnection", sql: str) -> list[dict[str, Any]]:
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, map(_jsonable, row), strict=True)) for row in cursor.fetchall()]


# --- CSV -------------------------------------------------------------------------------------------------------------


def _write_csv(con: "DuckDBPyConnection", selected: _Resource, path: Path) -> _Written:
    names = [c.name for c in selected.columns]
    texts = [c.type == "string" for c in selected.columns]
    order = [n for n in _SORT_FIRST if n in names] + [n for n in names if n not in _SORT_FIRST]
    by = ", ".join(f"{_identifier(name)} ASC NULLS LAST" for name in order)
    cursor = con.execute(f"SELECT * FROM {selected.table} ORDER BY {by}")  # noqa: S608  names are quoted
    marked: set[str] = set()

    def lines() -> Iterator[str]:
        yield _csv_line(names)
        while rows := cursor.fetchmany(_CHUNK):
            for row in rows:
                cells = [_text(value) for value in row]
                for at, cell in enumerate(cells):
                    if texts[at] and cell is not None and _RISKY.match(cell):
                        cells[at] = "'" + cell
                        marked.add(names[at])
                yield _csv_line(cells)

    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for line in lines():
            data = line.encode()
            digest.update(data)
            size += file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return _Written(size, digest.hexdigest(), frozenset(marked))


def restore(cell: str) -> str:
    """The text of an exported cell as printed: without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if _RESTORABLE.match(cell) else cell


def read_csv(path: Path) -> tuple[list[str], list[tuple[str | None, ...]]]:
    """Column names and rows of an exported CSV, every cell as restored text; None for null.

    Raises LightwellError where the file is not as `export` writes it.
    """
    text, rows, row, at = path.read_bytes().decode(), list[tuple[str | None, ...]](), list[str | None](), 0
    while at < len(text):
        match = _CELL.match(text, at)
        if match is None:
            raise LightwellError(f"{path}: row {len(rows) + 1} is not as an export writes it: export it anew")
        quoted, plain, end = match.groups()
        row.append(restore(quoted.replace('""', '"')) if quoted is not None else restore(plain) or None)
        if end == "\n":
            rows.append(tuple(row))
            row = []
        at = match.end()
    if row or not rows:
        raise LightwellError(f"{path} is cut short: export it anew")
    return [name or "" for name in rows[0]], rows[1:]


def _csv_line(cells: Sequence[str | None]) -> str:
    """RFC 4180, but for the line's end. A single null is quoted, as an empty line would be no row."""
    return ",".join(_csv_cell(cell) for cell in cells) + "\n" if list(cells) != [None] else '""\n'


def _csv_cell(cell: str | None) -> str:
    if cell is None:
        return ""
    if cell == "" or any(mark in cell for mark in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _text(value: object) -> str | None:
    """A value as it stands in a CSV or table: a whole number without .0, any other with every digit it needs."""
    plain = _jsonable(value)
    if plain is None or isinstance(plain, str):
        return plain
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, int | float):
        return repr(plain)
    return json.dumps(plain, ensure_ascii=False)


def _jsonable(value: object) -> Any:
    """A value of DuckDB's as JSON has it; mappings sorted by key, instants in UTC with a Z."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Decimal):
        same = value.is_finite() and Decimal(repr(float(value))) == value
        return _number(float(value)) if same else str(value)
    if isinstance(value, datetime):
        instant = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return instant.isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _jsonable(v) for key, v in sorted((_text(k) or "", v) for k, v in value.items())}
    if isinstance(value, list | tuple):
        return [_jsonable(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID | timedelta):
        return str(value)
    raise LightwellError(f"a value of type {type(value).__name__} cannot be printed: CAST it to VARCHAR in the query")


def _number(value: float) -> int | float | str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"
    return int(value) if value.is_integer() and abs(value) < _LONG else value


# --- the description -------------------------------------------------------------------------------------------------


def _package(
    con: "DuckDBPyConnection", resources: Sequence[_Resource], written: Mapping[str, _Written]
) -> dict[str, Any]:
    """The descriptor: a Frictionless Tabular Data Package, with caveats, breaks and definitions beside it."""
    _gather(con, resources)
    release = _records(con, "SELECT release_id, built_at, lightwell_version FROM release_info")[0]
    package = {
        "profile": "tabular-data-package",
        "name": _NAME,
        "title": f"Lightwell, release {release['release_id']}",
        "description": _ABOUT,
        "version": release["release_id"],
        "created": release["built_at"],
        "licenses": _records(con, _LICENCES),
        "sources": [_without_nulls(one) for one in _records(con, _DOCUMENTS)],
        "caveats": _records(con, _CAVEATS),
        "series_breaks": [_without_nulls(one) for one in _records(con, _BREAKS)],
        "metrics": _records(con, _METRICS),
        "lightwell:version": release["lightwell_version"],
        "lightwell:neutralised": _NEUTRALISED,
        "resources": [_described(con, r, written[r.name], resources) for r in resources],
    }
    return package if package["licenses"] else {k: v for k, v in package.items() if k != "licenses"}


def _gather(con: "DuckDBPyConnection", resources: Sequence[_Resource]) -> None:
    """Fill `behind`, the observations behind each resource's rows, and `held`, the documents behind any row."""
    con.execute("CREATE TEMP TABLE behind (resource VARCHAR, observation_id VARCHAR)")
    con.execute("CREATE TEMP TABLE held (document_id VARCHAR, source_id VARCHAR)")
    con.execute("CREATE TEMP TABLE concerned (source_id VARCHAR)")
    for r in resources:
        names = {c.name for c in r.columns}
        if "source_id" in names:
            con.execute(f"INSERT INTO concerned SELECT source_id FROM {r.table}")  # noqa: S608  ours
        for c in r.columns:
            cell = f"unnest({_identifier(c.name)})" if c.type == "array" else _identifier(c.name)
            if re.fullmatch(r"(\w+_)?observation_ids?", c.name):
                con.execute(f"INSERT INTO behind SELECT DISTINCT {_quoted(r.name)}, {cell} FROM {r.table}")  # noqa: S608
            if re.fullmatch(r"(\w+_)?document_ids?", c.name):
                of = "source_id" if "source_id" in names else "NULL"
                con.execute(
                    "INSERT INTO held SELECT d.document_id, d.source_id FROM document AS d SEMI JOIN "  # noqa: S608
                    f"(SELECT {cell} AS document_id, {of} AS of FROM {r.table}) AS e "
                    "ON e.document_id = d.document_id AND coalesce(e.of, d.source_id) = d.source_id"
                )
    con.execute(
        "CREATE TEMP TABLE observed AS SELECT * FROM observation_vintage SEMI JOIN behind USING (observation_id)"
    )
    con.execute("INSERT INTO held SELECT document_id, source_id FROM observed")
    con.execute("INSERT INTO concerned SELECT source_id FROM held")


_DOCUMENTS = """
SELECT coalesce(d.title, s.title) AS title, d.url AS path, d.document_id, d.document_id AS sha256, d.source_id,
    coalesce(p.name, s.publisher_name, s.publisher) AS publisher, d.published_on, d.retrieved_at, d.media_type,
    d.bytes, d.licence, d.method
FROM document AS d
SEMI JOIN held ON held.document_id = d.document_id AND held.source_id = d.source_id
JOIN source AS s ON s.source_id = d.source_id
LEFT JOIN organisation AS p ON p.organisation = s.publisher
ORDER BY d.source_id, d.published_on, d.retrieved_at, d.document_id
"""
_LICENCES = """
SELECT DISTINCT s.landing_page AS path, d.licence AS title
FROM document AS d
SEMI JOIN held ON held.document_id = d.document_id AND held.source_id = d.source_id
JOIN source AS s ON s.source_id = d.source_id
ORDER BY ALL
"""
_CAVEATS = """
SELECT s.source_id, s.title,
    coalesce(p.name, s.publisher_name, s.publisher) AS publisher, s.description, s.caveats, s.landing_page
FROM source AS s
SEMI JOIN concerned ON concerned.source_id = s.source_id
LEFT JOIN organisation AS p ON p.organisation = s.publisher
ORDER BY s.source_id
"""
_BREAKS = """
SELECT b.*
FROM series_break AS b
WHERE EXISTS (
    SELECT 1 FROM observed AS o
    WHERE coalesce(b.source_id, o.source_id) = o.source_id
        AND coalesce(b.metric, o.metric) = o.metric
        AND coalesce(b.subject, o.subject) = o.subject
        AND coalesce(b.ref_area, o.ref_area) = o.ref_area
        AND CAST(left(b.time_period, 4) AS INTEGER) <= year(o.period_end)
)
ORDER BY b.break_id
"""
_METRICS = """
SELECT m.*
FROM metric AS m
SEMI JOIN observed AS o ON o.metric = m.metric
ORDER BY m.metric
"""


def _described(
    con: "DuckDBPyConnection", selected: _Resource, written: _Written, resources: Sequence[_Resource]
) -> dict[str, Any]:
    found = con.execute(
        "SELECT DISTINCT unit_measure FROM observed SEMI JOIN "  # noqa: S608  quoted
        f"(SELECT * FROM behind WHERE resource = {_quoted(selected.name)}) USING (observation_id)"
    ).fetchall()
    unit = found[0][0] if len(found) == 1 else None
    schema: dict[str, Any] = {
        "fields": [_field(column, unit, column.name in written.neutralised) for column in selected.columns],
        "missingValues": [""],
    }
    if selected.key:
        schema["primaryKey"] = list(selected.key)
    if links := _foreign_keys(selected, resources):
        schema["foreignKeys"] = links
    return {
        "profile": "tabular-data-resource",
        "name": selected.name,
        "description": selected.description,
        "path": selected.file,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": written.bytes,
        "hash": f"sha256:{written.sha256}",
        "dialect": _DIALECT,
        "schema": schema,
    }


def _field(column: _Column, unit: str | None, neutralised: bool) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, "type": column.type, "description": column.description}
    if column.type == "boolean":
        field |= {"trueValues": ["true"], "falseValues": ["false"]}
    if column.name in _VALUES and unit is not None:
        field["unit"] = unit
    if neutralised:
        field["description"] += " " + _NEUTRALISED_HERE
        field["lightwell:neutralised"] = True
    return field


def _foreign_keys(selected: _Resource, resources: Sequence[_Resource]) -> list[dict[str, Any]]:
    """Links of observations to what the package holds as well: the audits vouch for those codes. A column means the
    same wherever it is named the same."""
    names = {c.name for c in selected.columns}
    if "observation_id" not in names:
        return []
    return [
        {"fields": list(other.key), "reference": {"resource": other.name, "fields": list(other.key)}}
        for other in resources
        if other.name in _REFERENCED and other.name != selected.name and names.issuperset(other.key)
    ]


def _without_nulls(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value is not None}


# --- rows of a query -------------------------------------------------------------------------------------------------


def format_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str) -> str:
    """Rows as `table`, `csv` or `json` (an array, one object a line). Text is left as it is: unlike an export, a CSV
    of a query is not neutralised for spreadsheets. Raises LightwellError for another format."""
    if format == "table":
        return _table(columns, rows)
    if format == "csv":
        return _csv_line(columns) + "".join(_csv_line([_text(v) for v in row]) for row in rows)
    if format == "json":
        _refuse_twins(columns)
        objects = [dict(zip(columns, map(_jsonable, row), strict=True)) for row in rows]
        lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in objects)
        return f"[\n{lines}\n]\n" if lines else "[]\n"
    if format == "parquet":
        raise LightwellError("parquet is not text: say which file to write with --to FILE")
    raise LightwellError(f"no format {format!r}; there are: {', '.join(FORMATS)}")


def write_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str, to: Path | None) -> None:
    """Rows in one of FORMATS into the file `to`, whole or not at all, or to standard output where it is None.

    Raises LightwellError for another format, Parquet without a file, or a file that cannot be written.
    """
    if to is None:
        sys.stdout.write(format_rows(columns, rows, format))
        return
    try:
        if format == "parquet":
            _write_parquet(columns, rows, to)
        else:
            _write_file(to, format_rows(columns, rows, format))
    except OSError as error:
        raise LightwellError(f"{to} could not be written: {error}") from error


def _refuse_twins(columns: Sequence[str]) -> None:
    twins = [name for name, times in Counter(name.casefold() for name in columns).items() if times > 1]
    if twins:
        raise LightwellError(f"two columns are named {twins[0]!r}: name them apart with AS")


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for at, name in enumerate(columns):
        numeric = any(isinstance(row[at], int | float | Decimal) for row in rows)
        table.add_column(Text(_printable(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("NULL" if (t := _text(v)) is None else _printable(t)) for v in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 1_000_000
    target = io.StringIO()
    Console(file=target, width=width, color_system=None, force_terminal=False).print(table)
    return "".join(line.rstrip() + "\n" for line in target.getvalue().rstrip("\n").split("\n"))


def _printable(text: str) -> str:
    """Text in which nothing moves the cursor or colours a terminal, whatever a publisher's document held."""
    return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in text)


def _write_parquet(columns: Sequence[str], rows: Sequence[Sequence[Any]], to: Path) -> None:
    """Through an in-memory DuckDB of its own: the connection to the release may not touch files."""
    import duckdb

    _refuse_twins(columns)
    kinds = [_parquet_type([row[at] for row in rows]) for at in range(len(columns))]
    structure = json.dumps([{f"c{at}": _json_structure(kind) for at, kind in enumerate(kinds)}])
    cells = ", ".join(f"CAST(r.c{at} AS {kind})" for at, kind in enumerate(kinds))
    temporary = to.with_name(f".{to.name}.{os.getpid()}.next")
    declared = ", ".join(f"{_identifier(name)} {kind}" for name, kind in zip(columns, kinds, strict=True))
    try:
        with duckdb.connect(config={"autoload_known_extensions": "false"}) as con:
            con.execute(f"CREATE TABLE rows ({declared})")
            for start in range(0, len(rows), _CHUNK):
                text = json.dumps(
                    [
                        {f"c{at}": _parquet_cell(value, kinds[at]) for at, value in enumerate(row)}
                        for row in rows[start : start + _CHUNK]
                    ]
                )
                made = f"SELECT unnest(from_json_strict({_quoted(text)}, {_quoted(structure)})) AS r"
                con.execute(f"INSERT INTO rows SELECT {cells} FROM ({made})")  # noqa: S608  all of it is quoted
            con.execute(
                f"COPY rows TO {_quoted(str(temporary))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
            )
        temporary.replace(to)
    except duckdb.Error as error:
        raise LightwellError(f"{to} could not be written: {str(error).splitlines()[0]}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _parquet_type(values: Sequence[Any]) -> str:
    """DuckDB's type for the values of one column, as DuckDB handed them out. What is no scalar, list of scalars or
    map of texts goes in as JSON text."""
    present = [value for value in values if value is not None]
    kinds = {type(value) for value in present}
    if len(kinds) != 1:
        return "VARCHAR"
    if kinds <= _SCALARS.keys():
        return _SCALARS[kinds.pop()]
    if kinds == {int}:
        return "BIGINT" if all(-(2**63) <= value < 2**63 for value in present) else "HUGEINT"
    if kinds == {Decimal}:
        return f"DECIMAL(38, {max(-value.as_tuple().exponent for value in present)})"
    if kinds == {list}:
        inner = _parquet_type([value for one in present for value in one])
        return "VARCHAR" if "[" in inner or "MAP" in inner else f"{inner}[]"
    texts = kinds == {dict} and all(isinstance(part, str) for one in present for pair in one.items() for part in pair)
    return "MAP(VARCHAR, VARCHAR)" if texts else "VARCHAR"


def _parquet_cell(value: Any, kind: str) -> Any:
    """A value as JSON that DuckDB casts to `kind` without loss: every scalar as text."""
    if value is None or kind.startswith("MAP"):
        return value
    if kind.endswith("[]"):
        return [_text(one) for one in value]
    return _text(value)


def _json_structure(kind: str) -> str | list[str]:
    if kind.startswith("MAP"):
        return kind
    return ["VARCHAR"] if kind.endswith("[]") else "VARCHAR"
