"""Connections to a release, read-only, the queries made on them, and what DuckDB says where one fails."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell import store
from lightwell.errors import LightwellError
from lightwell.settings import Settings
from lightwell.warehouse.publishing import TRIES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Connection = DuckDBPyConnection  # by this name the rooms above know it, without DuckDB

Option = str | bool | int | float | list[str]
NO_EXTENSIONS: Mapping[str, Option] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
_READER: Mapping[str, Option] = {
    **NO_EXTENSIONS,
    "enable_external_access": "false",
    "python_enable_replacements": "false",
}


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
    for _ in range(TRIES):
        target = path.resolve()
        if not target.is_file():
            continue
        try:
            con = _beside(target) if writes_files else duckdb.connect(str(target), read_only=True, config=dict(_READER))
        except duckdb.Error as error:
            if target.is_file():
                raise LightwellError(f"{target} cannot be opened: {first_lines(error)}") from error
            continue
        con.execute("SET enable_progress_bar = false")  # it would be printed among the rows
        if as_of is not None:
            con.execute(f"SET VARIABLE as_of = DATE '{as_of.isoformat()}'")
        return con
    raise LightwellError(f"there is no warehouse at {path}: run `make warehouse` or `lightwell refresh`")


def _beside(target: Path) -> "DuckDBPyConnection":
    """A database in memory with the release attached, read-only: other readers of this process keep their own ways."""
    import duckdb

    con = duckdb.connect(config={**NO_EXTENSIONS, "python_enable_replacements": "false"})
    try:
        con.execute(f"ATTACH {quoted(str(target))} AS release (READ_ONLY)")
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
        raise LightwellError(what.format(first_lines(error))) from error


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
            raise LightwellError(first_lines(error)) from error


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def first_lines(error: Exception) -> str:
    """What DuckDB says of an error, without the query and the advice that follow; and what helps against it."""
    said = " ".join(str(error).split("\n\n")[0].split("\n")[:2])
    return f"{said} (the query SHOW TABLES lists what there is)" if said.startswith("Catalog Error: Table") else said
