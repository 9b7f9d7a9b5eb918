"""Tables and views to files: sorted CSV, on request Parquet and XLSX beside it, and one `datapackage.json` that says
where every number was printed.

The same release gives the same bytes, on any machine, in any time zone and locale.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lightwell import warehouse
from lightwell.datapackage import DESCRIPTOR, NAME, Column, Resource, Written, describe
from lightwell.disk import sync
from lightwell.errors import LightwellError
from lightwell.rows import as_text, csv_line, identifier, is_risky, neutralise, quoted, write_file
from lightwell.settings import Settings, resource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_STAGING = ".lightwell-export"
_CHUNK = 5000
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
    "vintage": ("observation_id",),
    "vintage_change": ("source_id", "document_id"),
}  # primary keys of what declares none itself


def export(
    settings: Settings, names: Sequence[str], to: Path, *, formats: Sequence[str] = (), as_of: date | None = None
) -> list[Path]:
    """Write each named table, view or file of sql/exports into the folder `to`, all of them where none is named, and
    one `datapackage.json`. CSV always; `formats` may add parquet and xlsx. With `as_of` every view shows what was known
    on that day.

    Rows are sorted by all their columns. A file of sql/exports goes before a view of its name. Other files in `to` are
    left alone; a killed export leaves no `datapackage.json`, and the next one clears up. Raises LightwellError, with
    the names there are, for an unknown one, and where `to` holds something that an export must not write over.
    """
    import duckdb

    if unknown := [name for name in formats if name not in FORMATS]:
        raise LightwellError(f"no format {unknown[0]!r}; there are: {', '.join(FORMATS)}")
    try:
        with warehouse.connect(settings, as_of=as_of, writes_files=True) as con:
            selects = exportable(con)
            chosen = list(dict.fromkeys(names or sorted(selects)))
            if unknown := [name for name in chosen if name not in selects]:
                raise LightwellError(f"nothing is named {unknown[0]!r}; there are: {', '.join(sorted(selects))}")
            with _locked(to):
                return _export(con, {name: selects[name] for name in chosen}, to, _wanted(formats), all=not names)
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
    selects = {name: f"SELECT * FROM {identifier(name)}" for (name,) in found.fetchall()}  # noqa: S608
    files = {p.stem: p.read_text(encoding="utf-8") for p in (resource("sql") / "exports").glob("*.sql")}
    return {**selects, **files}


def write(
    con: "DuckDBPyConnection",
    selects: Mapping[str, str],
    folder: Path,
    *,
    formats: Sequence[str] = ("csv",),
    title: str = "Lightwell",
) -> list[Path]:
    """Write the rows of each SELECT into a folder that is there and empty, with `datapackage.json` about them all.

    A SELECT says on top, in comments, what its rows and columns are, where the comments of the release do not. Raises
    LightwellError for a column that nothing describes.
    """
    con.execute("SET TimeZone = 'UTC'")
    said = _comments(con)
    resources = [_select(con, said, number, *item) for number, item in enumerate(selects.items())]
    written = {r.name: [FORMATS[form](con, r, folder / f"{r.name}.{form}") for form in formats] for r in resources}
    package = json.dumps(describe(con, resources, written, title), ensure_ascii=False, indent=2) + "\n"
    write_file(folder / DESCRIPTOR, package)
    return [*(folder / one.path for files in written.values() for one in files), folder / DESCRIPTOR]


# --- into a folder that may hold other things ------------------------------------------------------------------------


def _wanted(formats: Sequence[str]) -> list[str]:
    """CSV first, which the description is about; the others in the order of FORMATS."""
    return [form for form in FORMATS if form == "csv" or form in formats]


def _export(
    con: "DuckDBPyConnection", selects: Mapping[str, str], to: Path, formats: Sequence[str], *, all: bool
) -> list[Path]:
    staging = to / _STAGING
    if (staging / DESCRIPTOR).is_file():  # a whole package, whose move into place was cut short
        _move_in(staging, to)
    shutil.rmtree(staging, ignore_errors=True)
    stale = _refuse_to_overwrite(to, [f"{name}.{form}" for name in selects for form in formats], all=all)
    staging.mkdir()
    try:
        written = write(con, selects, staging, formats=formats)
        _move_in(staging, to)
    except BaseException:
        if not (staging / DESCRIPTOR).is_file():
            shutil.rmtree(staging, ignore_errors=True)
        raise
    for path in stale:
        path.unlink(missing_ok=True)
    return [to / path.name for path in written]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_to_overwrite(to: Path, files: Sequence[str], *, all: bool) -> list[Path]:
    """Raises LightwellError where a file would be lost. Returns what an export of all there is leaves out, because the
    release no longer has it: ours, and to be removed."""
    ours = _listed(to / DESCRIPTOR)
    if foreign := [name for name in files if name not in ours and (to / name).exists()]:
        raise LightwellError(f"{to / foreign[0]} is not of an export: move it away, or export into another folder")
    left = [name for name in ours if name not in files and (to / name).exists()]
    if left and not all:
        raise LightwellError(
            f"{to / left[0]} is of an earlier export and would be left without its description: "
            f"name {Path(left[0]).stem} as well, or export into another folder"
        )
    return [to / name for name in left]


def _listed(package: Path) -> list[str]:
    """The files of the package that stands there, none where there is none."""
    try:
        found = json.loads(package.read_text(encoding="utf-8"))
        forms = [form for r in found["resources"] for form in [r, *r.get("lightwell:also", [])]]
        name, files = found["name"], [str(form["path"]) for form in forms]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError):
        name, files = None, []
    if name != NAME or any(Path(file).name != file for file in files):
        raise LightwellError(f"{package} is not of an export: export into another folder")
    return files


def _move_in(staging: Path, to: Path) -> None:
    """The description goes first and comes last: while it stands in `to`, every file there is as it says."""
    (to / DESCRIPTOR).unlink(missing_ok=True)
    sync(to)
    for path in sorted(staging.iterdir(), key=lambda p: (p.name == DESCRIPTOR, p.name)):
        path.replace(to / path.name)
    sync(to)
    staging.rmdir()


# --- what is selected ------------------------------------------------------------------------------------------------


def _select(con: "DuckDBPyConnection", said: "_Comments", number: int, name: str, sql: str) -> Resource:
    table = f"exported_{number}"
    select = sql.rstrip().removesuffix(";")
    con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM ({select}\n) AS selected")  # noqa: S608  ours
    about, own = _header(sql)
    described = con.execute(f"DESCRIBE {table}").fetchall()
    columns = []
    for column, kind, *_ in described:
        if not (description := own.get(column) or said.of_column(name, column)):
            raise LightwellError(f"export {name}: nothing says what its column {column} is; add `-- {column}: ...`")
        columns.append(Column(column, kind, description))
    return Resource(name, table, about or said.tables.get(name, ""), tuple(columns), _key(con, name))


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


@dataclass(frozen=True, slots=True)
class _Comments:
    """What the release says of its tables and views, and of their columns."""

    tables: Mapping[str, str]
    columns: Mapping[tuple[str, str], str]
    anywhere: Mapping[str, str]  # a column of that name elsewhere: the same name is the same quantity

    def of_column(self, table: str, column: str) -> str:
        """The comment on a column, else on one of its name elsewhere, else nothing."""
        return self.columns.get((table, column)) or self.anywhere.get(column, "")


def _comments(con: "DuckDBPyConnection") -> _Comments:
    """Every comment of the release, asked for once: to list columns, DuckDB binds every view anew."""
    listed = con.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal AND comment IS NOT NULL "
        "ORDER BY table_name <> 'observation_vintage', table_name"
    ).fetchall()
    about = con.execute(
        "SELECT table_name, comment FROM duckdb_tables() WHERE comment IS NOT NULL "
        "UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE comment IS NOT NULL"
    ).fetchall()
    columns = {(table, column): " ".join(comment.split()) for table, column, comment in listed}
    anywhere: dict[str, str] = {}
    for (_, column), comment in columns.items():
        anywhere.setdefault(column, comment)
    return _Comments({name: " ".join(comment.split()) for name, comment in about}, columns, anywhere)


def _key(con: "DuckDBPyConnection", name: str) -> tuple[str, ...]:
    declared = con.execute(
        "SELECT constraint_column_names FROM duckdb_constraints() "  # noqa: S608
        f"WHERE constraint_type = 'PRIMARY KEY' AND table_name = {quoted(name)}"
    ).fetchone()
    return tuple(declared[0]) if declared else _KEYS.get(name, ())


# --- files -----------------------------------------------------------------------------------------------------------


def _sorted(selected: Resource) -> str:
    """The SELECT of a resource's rows, in an order that is the same for the same rows."""
    names = [c.name for c in selected.columns]
    order = [n for n in _SORT_FIRST if n in names] + [n for n in names if n not in _SORT_FIRST]
    by = ", ".join(f"{identifier(name)} ASC NULLS LAST" for name in order)
    return f"SELECT * FROM {selected.table} ORDER BY {by}"  # noqa: S608  names are quoted


def _write_csv(con: "DuckDBPyConnection", selected: Resource, path: Path) -> Written:
    names = [c.name for c in selected.columns]
    texts = [c.type == "string" for c in selected.columns]
    cursor = con.execute(_sorted(selected))
    marked: set[str] = set()

    def lines() -> Iterator[str]:
        yield csv_line(names)
        while rows := cursor.fetchmany(_CHUNK):
            for row in rows:
                cells = [as_text(value) for value in row]
                for at, cell in enumerate(cells):
                    if texts[at] and cell is not None and is_risky(cell):
                        cells[at] = neutralise(cell)
                        marked.add(names[at])
                yield csv_line(cells)

    with path.open("wb") as file:
        for line in lines():
            file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())
    return _written(path, frozenset(marked))


def _write_parquet(con: "DuckDBPyConnection", selected: Resource, path: Path) -> Written:
    con.execute("SET threads = 1")  # several write the same rows in groups of another size
    con.execute(
        f"COPY ({_sorted(selected)}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
    )
    con.execute("RESET threads")
    return _written(path)


def _write_xlsx(con: "DuckDBPyConnection", selected: Resource, path: Path) -> Written:
    from lightwell import workbook

    (built_at,) = con.execute("SELECT built_at FROM release_info").fetchone() or (None,)
    cursor = con.execute(_sorted(selected))
    rows = (row for chunk in iter(lambda: cursor.fetchmany(_CHUNK), []) for row in chunk)
    workbook.write(path, selected, rows, created=built_at)
    return _written(path)


def _written(path: Path, neutralised: frozenset[str] = frozenset()) -> Written:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(path.name, path.stat().st_size, digest, neutralised)


FORMATS: Mapping[str, Callable[["DuckDBPyConnection", Resource, Path], Written]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "xlsx": _write_xlsx,
}
