"""The release as a DuckLake: Parquet files in a shared folder, and a catalogue in PostgreSQL or in one file.

A data home serves a release as a file that each analyst's machine opens for itself. A lake serves it to many at once,
over SQL, with every earlier release that is kept. It is a target beside the data home, never a source: nothing is read
back from it, and it can be made anew from any release.

Views are written with the rows they have, as tables: their SQL uses macros, which a lake does not hold, and other
programs that read a lake do not speak DuckDB's SQL.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lightwell import warehouse
from lightwell.errors import LightwellError
from lightwell.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AUTHOR = "lightwell"  # of our snapshots; others may write to schemas of their own
POSTGRES = "postgres:"
_SECRET = re.compile(r"password\s*=|://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Published:
    """What one publication did. `new` is False where the lake held this release already."""

    release_id: str
    new: bool
    tables: int


def publish(settings: Settings, target: str, data: Path | None = None, *, keep_days: int = 30) -> Published:
    """Write the current release into the lake whose catalogue is at `target`, and make the lake if there is none.

    `target` is `postgres:dbname=… host=…`, with the password in PGPASSWORD or ~/.pgpass, or the path of a file; `data`
    is the folder of the Parquet files, which is needed for a new lake. All is one transaction: who reads sees the
    release before or this one. Published again, nothing happens. Snapshots older than `keep_days` are let go, and their
    files. Raises LightwellError where the lake cannot be written; it then holds what it held.
    """
    import duckdb

    if _SECRET.search(target):
        raise LightwellError("the lake's address holds a password: leave it out, and set PGPASSWORD or ~/.pgpass")
    with warehouse.connect(settings, writes_files=True) as con:
        try:
            _attach(con, target, data)
            published = _publish(con)
            _let_go(con, keep_days)
        except duckdb.Error as error:
            raise LightwellError(f"the lake at {target} could not be written: {str(error).splitlines()[0]}") from error
    return published


def _attach(con: "DuckDBPyConnection", target: str, data: Path | None) -> None:
    _load(con, "ducklake")
    if target.startswith(POSTGRES):
        _load(con, "postgres_scanner")
    elif re.match(r"\w+:", target):
        raise LightwellError(f"the lake's catalogue at {target!r} is neither postgres:… nor the path of a file")
    else:
        target = str(Path(target).absolute())
    options = ["DATA_INLINING_ROW_LIMIT 0"]  # every table as Parquet, the small ones too
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        options.append(f"DATA_PATH {_quoted(f'{data.absolute()}/')}")
    con.execute(f"ATTACH {_quoted(f'ducklake:{target}')} AS lake ({', '.join(options)})")


def _load(con: "DuckDBPyConnection", extension: str) -> None:
    """Load an extension from its wheel: nothing is downloaded. Raises LightwellError if it is not installed."""
    package = f"duckdb_extension_{extension}"
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob(f"extensions/*/{extension}.duckdb_extension"):
            con.execute(f"LOAD {_quoted(str(path))}")
            return
    raise LightwellError(f"a lake needs DuckDB's extension {extension}: pip install 'lightwell[many-machines]'")


def _publish(con: "DuckDBPyConnection") -> Published:
    """One transaction: a table for each of the release's tables and views, and a snapshot that names the release."""
    (release_id,) = con.execute("SELECT release_id FROM release.release_info").fetchall()[0]
    con.begin()
    try:
        before = con.execute(
            "SELECT commit_message, commit_extra_info FROM lake.snapshots() WHERE author = $author "
            "ORDER BY snapshot_id DESC LIMIT 1",
            {"author": AUTHOR},
        ).fetchone() or ("", '{"tables": []}')
        names = _names(con)
        if before[0] != release_id:
            _write(con, names, dropped=sorted({*json.loads(before[1])["tables"]} - {*names}))
            told = {"author": AUTHOR, "message": release_id, "extra": json.dumps({"tables": names})}
            con.execute("CALL lake.set_commit_message($author, $message, extra_info => $extra)", told)
        con.commit()
    except BaseException:
        con.rollback()
        raise
    return Published(release_id, before[0] != release_id, len(names))


def _names(con: "DuckDBPyConnection") -> list[str]:
    found = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'release' AND NOT internal "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = 'release' AND NOT internal ORDER BY ALL"
    )
    return [name for (name,) in found.fetchall()]


def _write(con: "DuckDBPyConnection", names: Sequence[str], *, dropped: Sequence[str]) -> None:
    for name in dropped:
        con.execute(f"DROP TABLE IF EXISTS lake.main.{_named(name)}")
    for name in names:
        con.execute(f"CREATE OR REPLACE TABLE lake.main.{_named(name)} AS FROM release.main.{_named(name)}")
    comments = con.execute(
        "SELECT table_name, NULL, comment FROM duckdb_tables() WHERE database_name = 'release' "
        "UNION ALL SELECT view_name, NULL, comment FROM duckdb_views() WHERE database_name = 'release' "
        "UNION ALL SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = 'release'"
    )
    for name, column, comment in comments.fetchall():
        if comment is not None:
            what = (
                f"TABLE lake.main.{_named(name)}"
                if column is None
                else f"COLUMN lake.main.{_named(name)}.{_named(column)}"
            )
            con.execute(f"COMMENT ON {what} IS {_quoted(comment)}")


def _let_go(con: "DuckDBPyConnection", keep_days: int) -> None:
    """Forget old snapshots, never the newest, and remove the files that only they had."""
    before = f"older_than => now() - INTERVAL {int(keep_days)} DAY"
    con.execute(f"CALL ducklake_expire_snapshots('lake', {before})")
    con.execute(f"CALL ducklake_cleanup_old_files('lake', {before})")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _named(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
