"""Values and rows as text: the cells of a CSV, and the rows of a query as a table, CSV, JSON or Parquet.

A value stands the same in every format, on any machine: instants in UTC, mappings sorted, numbers without loss.
"""

import io
import json
import math
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from lightwell.disk import sync
from lightwell.errors import LightwellError

FORMATS = ("table", "csv", "json", "parquet")
_CHUNK = 5000
_RISKY = re.compile("'*[=+\\-@\x00-\x1f\x7f＝＋－＠]")  # what a spreadsheet would run, with any apostrophes before it
_RESTORABLE = re.compile("'" + _RISKY.pattern)
_CELL = re.compile('(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)')
_SCALARS = {str: "VARCHAR", bool: "BOOLEAN", float: "DOUBLE", date: "DATE", datetime: "TIMESTAMP"}  # in Parquet
_LONG = 10.0**21  # a whole number is printed with all its digits below this


# --- values ----------------------------------------------------------------------------------------------------------


def as_text(value: object) -> str | None:
    """A value as it stands in a CSV or table: a whole number without .0, any other with every digit it needs."""
    plain = as_json(value)
    if plain is None or isinstance(plain, str):
        return plain
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, int | float):
        return repr(plain)
    return json.dumps(plain, ensure_ascii=False)


def as_json(value: object) -> Any:
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
        return {key: as_json(v) for key, v in sorted((as_text(k) or "", v) for k, v in value.items())}
    if isinstance(value, list | tuple):
        return [as_json(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID | timedelta):
        return str(value)
    raise LightwellError(f"a value of type {type(value).__name__} cannot be printed: CAST it to VARCHAR in the query")


def _number(value: float) -> int | float | str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"
    return int(value) if value.is_integer() and abs(value) < _LONG else value


# --- CSV -------------------------------------------------------------------------------------------------------------


def is_risky(text: str) -> bool:
    """Whether a spreadsheet might run the text as a formula, or stumble over what it begins with."""
    return _RISKY.match(text) is not None


def neutralise(text: str) -> str:
    """The text as it is exported: with one more apostrophe before what a spreadsheet might run."""
    return "'" + text if is_risky(text) else text


def restore(cell: str) -> str:
    """The text of an exported cell as printed: without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if _RESTORABLE.match(cell) else cell


def csv_line(cells: Sequence[str | None]) -> str:
    """RFC 4180, but for the line's end. A single null is quoted, as an empty line would be no row."""
    return ",".join(_csv_cell(cell) for cell in cells) + "\n" if list(cells) != [None] else '""\n'


def _csv_cell(cell: str | None) -> str:
    if cell is None:
        return ""
    if cell == "" or any(mark in cell for mark in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


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


# --- files and SQL ---------------------------------------------------------------------------------------------------


def write_file(path: Path, text: str) -> None:
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
    sync(path.parent)


def identifier(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """A text as SQL takes it, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


# --- rows of a query -------------------------------------------------------------------------------------------------


def format_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str) -> str:
    """Rows as `table`, `csv` or `json` (an array, one object a line). Text is left as it is: unlike an export, a CSV
    of a query is not neutralised for spreadsheets. Raises LightwellError for another format."""
    if format == "table":
        return _table(columns, rows)
    if format == "csv":
        return csv_line(columns) + "".join(csv_line([as_text(v) for v in row]) for row in rows)
    if format == "json":
        _refuse_twins(columns)
        objects = [dict(zip(columns, map(as_json, row), strict=True)) for row in rows]
        lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in objects)
        return f"[\n{lines}\n]\n" if lines else "[]\n"
    if format == "parquet":
        raise LightwellError("parquet is not text: say which file to write with --to FILE")
    raise LightwellError(f"no format {format!r}; there are: {', '.join(FORMATS)}")


def write_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str, to: Path | None) -> None:
    """Rows in one of FORMATS into the file `to`, whole or not at all, or to standard output where it is None.

    Raises LightwellError for another format, Parquet without a file, or a file that cannot be written.
    """
    if to is None or format != "parquet":
        write_text(format_rows(columns, rows, format), to)
        return
    try:
        _write_parquet(columns, rows, to)
    except OSError as error:
        raise LightwellError(f"{to} could not be written: {error}") from error


def write_text(text: str, to: Path | None) -> None:
    """A text into the file `to`, whole or not at all, or to standard output where it is None.

    Raises LightwellError for a file that cannot be written.
    """
    if to is None:
        sys.stdout.write(text)
        return
    try:
        write_file(to, text)
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
        table.add_row(*(Text("NULL" if (t := as_text(v)) is None else _printable(t)) for v in row))
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
    declared = ", ".join(f"{identifier(name)} {kind}" for name, kind in zip(columns, kinds, strict=True))
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
                made = f"SELECT unnest(from_json_strict({quoted(text)}, {quoted(structure)})) AS r"
                con.execute(f"INSERT INTO rows SELECT {cells} FROM ({made})")  # noqa: S608  all of it is quoted
            con.execute(f"COPY rows TO {quoted(str(temporary))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")
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
        return [as_text(one) for one in value]
    return as_text(value)


def _json_structure(kind: str) -> str | list[str]:
    if kind.startswith("MAP"):
        return kind
    return ["VARCHAR"] if kind.endswith("[]") else "VARCHAR"
