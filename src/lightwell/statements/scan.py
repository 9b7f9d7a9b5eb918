"""One worker: counts the statements of CSV files, one after another, as long as its parent asks.

`main` reads a request a line from standard input and answers each in one message on standard output. A CSV is inflated
in one thread and read by DuckDB through a pipe in the other: no file is written; memory does not grow with the dump.
"""

import fcntl
import json
import marshal
import os
import struct
import sys
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import date
from io import FileIO
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from lightwell.errors import DumpError
from lightwell.statements import rows
from lightwell.statements.dump import Member, inflated

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Cell = tuple[str | int | bool | None, ...]
KEYS = (
    *("platform_name", "automated_detection", *rows.FORMS, "received", "about_minors", *rows.MINORS_FORMS),
    *("content_to_application", "application_to_reception", "content_to_reception"),
)
BINS = (0, 1, 2, 3, 7, 14, 30, 90, 180, 365, 730)  # each a delay's least number of days; -1: the wrong way round
MOST_CELLS = 1_000_000
MOST_EXAMPLES = 20
_PIPE = 1 << 20
_BUFFER = 4 << 20
_ENGINE: dict[str, str | int] = {
    "threads": 1,
    "memory_limit": "512MB",
    "temp_directory": "",  # what does not fit fails; nothing is written to disk
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)


@dataclass(slots=True)
class Tally:
    """What became of the lines of one CSV file: `lines` = rows counted + the sum of `rejected`."""

    lines: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[int, str]] = field(default_factory=list)  # line number (the header's is 1) and reason
    complete: bool = False  # every line was handed to the engine
    error: Exception | None = None


class Engine:
    """DuckDB with one thread and nothing on disk, opened anew after a failure: some leave it unusable."""

    def __init__(self) -> None:
        self._open()

    def cells(self, query: str) -> list[Cell] | None:
        """The rows of a query, or None where it fails."""
        import duckdb

        try:
            return self._con.execute(query).fetchall()
        except duckdb.Error:
            self._con.close()
            self._open()
            return None

    def _open(self) -> None:
        import duckdb

        self._con: DuckDBPyConnection = duckdb.connect(config=dict(_ENGINE))
        self._con.execute("SET enable_progress_bar = false")


def count(
    engine: Engine, file: int, member: Member, day: date, where: str, known: Container[Cell] = ()
) -> tuple[list[Cell], Tally]:
    """The cells of one CSV file, each with its number of statements last, and the tally of its lines.

    The engine reads every line that has no backslash. Where it does not come out with a row a line, each of a known
    form, every line of the file is read carefully instead. Raises DumpError where the file is damaged.
    """
    for carefully in (False, True):
        tally = Tally()
        cells = _attempt(engine, file, member, day, where, tally, carefully)
        if cells is not None and _sound(cells, tally, known):
            return cells, tally
    raise DumpError(
        f"{where}: {member.name}: its rows could not be counted; please file an issue with this dump's name"
    )


def _sound(cells: list[Cell], tally: Tally, known: Container[Cell]) -> bool:
    """Whether every line has become a row or a reject, and every code of a row has a published form."""
    if sum(int(cell[-1] or 0) for cell in cells) != tally.lines - tally.rejected.total():
        return False
    for *key, _ in cells:
        if tuple(key) not in known:
            row = {name: "" if value is None else str(value) for name, value in zip(KEYS, key, strict=True)}
            if row["received"] != "True" or rows.odd_code(row, about=row["about_minors"] == "True"):
                return False
    return True


def _attempt(
    engine: Engine, file: int, member: Member, day: date, where: str, tally: Tally, carefully: bool
) -> list[Cell] | None:
    """The cells as DuckDB reads them, or None where it fails. Raises DumpError for damage met while inflating."""
    pieces = inflated(file, member, where)
    header, rest = _header(pieces)
    columns = rows.layout(header, f"{where}: {member.name}")
    source, sink = os.pipe()
    if _SETPIPE_SZ is not None:
        fcntl.fcntl(sink, _SETPIPE_SZ, _PIPE)
    feeder = Thread(target=_Feeder(sink, columns, day, carefully, tally).run, args=(chain([rest], pieces),))
    feeder.start()
    cells = None
    try:
        cells = engine.cells(_query(f"/dev/fd/{source}", columns, day))
    finally:
        os.close(source)  # a feeder that still writes ends
        feeder.join()
    if tally.error is not None:
        raise tally.error
    return cells if tally.complete else None


def _header(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """A CSV's first line, and what has been inflated after it."""
    begun = b""
    for piece in pieces:
        begun += piece
        if b"\n" in begun or len(begun) > rows.LONGEST_LINE:
            break
    header, _, rest = begun.partition(b"\n")
    return header, rest


@dataclass(slots=True)
class _Feeder:
    """The thread that inflates: writes lines into the pipe, mending those that need it, and counts them on the way."""

    sink: int
    columns: tuple[str, ...]
    day: date
    carefully: bool
    tally: Tally

    def run(self, pieces: Iterator[bytes]) -> None:
        try:
            with os.fdopen(self.sink, "wb", buffering=0) as pipe:
                self._lines(pieces, pipe)
            self.tally.complete = True
        except BrokenPipeError:
            pass  # the engine gave up
        except (DumpError, OSError) as error:
            self.tally.error = error

    def _lines(self, pieces: Iterator[bytes], pipe: FileIO) -> None:
        begun = b""
        for piece in pieces:
            first, end = piece.find(b"\n") + 1, piece.rfind(b"\n") + 1
            if not first:
                begun = (begun + piece)[: rows.LONGEST_LINE + 1]
                continue
            self._line(begun + piece[: first - 1], pipe)
            self._send(piece[first:end], pipe, self.carefully)
            begun = piece[end:]
        if begun:
            self._line(begun, pipe)

    def _line(self, line: bytes, pipe: FileIO) -> None:
        """One line without its end, which may be longer than any should be."""
        long = len(line) > rows.LONGEST_LINE
        self._send(line[: rows.LONGEST_LINE + 1] + b"\n", pipe, self.carefully or long)

    def _send(self, block: bytes, pipe: FileIO, carefully: bool) -> None:
        """Whole lines, but for those that are mended or rejected."""
        view, done, number = memoryview(block), 0, self.tally.lines + 2  # the header is line 1
        for start, end in _suspects(block, carefully):
            _write(pipe, view[done:start])
            number += _count(view[done:start])
            clean = rows.mended(block[start : end - 1], self.columns, self.day)
            if isinstance(clean, bytes):
                _write(pipe, memoryview(clean + b"\n"))
            else:
                self._reject(number, clean)
            done, number = end, number + 1
        _write(pipe, view[done:])
        self.tally.lines = number - 2 + _count(view[done:])

    def _reject(self, number: int, reason: str) -> None:
        self.tally.rejected[reason] += 1
        if len(self.tally.examples) < MOST_EXAMPLES:
            self.tally.examples.append((number, reason))


def _suspects(block: bytes, carefully: bool) -> Iterator[tuple[int, int]]:
    """Where the lines begin and end that must be read carefully: all, or those with a backslash."""
    at = 0
    while at < len(block):
        hit = at if carefully else block.find(b"\\", at)
        if hit < 0:
            return
        start = block.rfind(b"\n", at, hit) + 1 or at
        at = block.index(b"\n", hit) + 1
        yield start, at


def _count(block: memoryview) -> int:
    """How many lines end in it: numpy counts seven times as fast as bytes do."""
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == 10))


def _write(pipe: FileIO, block: memoryview) -> None:
    while block:
        block = block[pipe.write(block) or 0 :]


def _query(path: str, columns: tuple[str, ...], day: date) -> str:
    """Statements by cell, from lines without a header. Delays are looked at for statements about minors only."""
    typed = ", ".join(f"'{name}': 'VARCHAR'" for name in columns)
    quoted = [f"""contains(category_specification, '"{keyword}"')""" for keyword in rows.MINORS_KEYWORDS]
    about = f"""coalesce(category = '{rows.MINORS}', false)
        OR (category_addition IS NOT NULL AND contains(category_addition, '"{rows.MINORS}"'))
        OR (category_specification IS NOT NULL AND ({" OR ".join(quoted)}))"""
    delays = {
        "content_to_application": ("content_date", "application_date"),
        "application_to_reception": ("application_date", "created_at"),
        "content_to_reception": ("content_date", "created_at"),
    }
    selected = [
        *("platform_name", "automated_detection", *rows.FORMS, "received", "about_minors"),
        *(f"CASE WHEN about_minors THEN {name} END" for name in rows.MINORS_FORMS),
        *map(_bin, delays),
    ]
    days = [f"CASE WHEN about_minors THEN {_days(*dates)} END AS {name}" for name, dates in delays.items()]
    return f"""
        SELECT {", ".join(selected)}, count(*)
        FROM (
            SELECT *, {", ".join(days)}
            FROM (
                SELECT *, coalesce(starts_with(created_at, '{day} '), false) AS received, {about} AS about_minors
                FROM read_csv('{path}', header = false, auto_detect = false, columns = {{{typed}}}, delim = ',',
                    quote = '"', escape = '"', strict_mode = true, max_line_size = {rows.LONGEST_LINE + 2},
                    buffer_size = {_BUFFER})
            )
        )
        GROUP BY ALL"""


def _days(first: str, last: str) -> str:
    """Whole days between two dates; NULL where one is missing or odd."""
    dates = (f"try_cast(left({name}, 10) AS DATE)" for name in (first, last))
    return f"date_diff('day', {', '.join(dates)})"


def _bin(days: str) -> str:
    """The bin of a number of days. They are computed once, below: in each step of a CASE they would be anew."""
    steps = (f"WHEN {days} >= {least} THEN {least}" for least in reversed(BINS))
    return f"CASE {' '.join(steps)} WHEN {days} < 0 THEN -1 END"


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not be taken for an answer
    found: dict[Cell, int] = {}
    engine = Engine()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            answer = _collect(found) if request is None else _counted(engine, request, found)
        except (DumpError, OSError) as error:
            answer = {"error": str(error)}
        payload = marshal.dumps(answer)
        answers.write(struct.pack("<Q", len(payload)) + payload)
        answers.flush()


def _collect(found: dict[Cell, int]) -> dict[str, Any]:
    cells = [(*cell, n) for cell, n in found.items()]
    found.clear()
    return {"cells": cells}


def _counted(engine: Engine, request: dict[str, Any], found: dict[Cell, int]) -> dict[str, Any]:
    """Count one CSV file into `found`."""
    path = Path(request["path"])
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(file).st_ino != request["inode"]:
            raise DumpError(f"{path.name} was replaced while it was read: start again")
        member, day = Member(**request["member"]), date.fromisoformat(request["day"])
        cells, tally = count(engine, file, member, day, path.name, found)
    finally:
        os.close(file)
    for *key, n in cells:
        cell = tuple(key)
        if cell not in found:
            cell = tuple(sys.intern(value) if isinstance(value, str) else value for value in key)
        found[cell] = found.get(cell, 0) + int(n or 0)
    if len(found) > MOST_CELLS:
        raise DumpError(f"{path.name}: more than {MOST_CELLS:,} combinations of codes: this is no dump of statements")
    return {"lines": tally.lines, "rejected": dict(tally.rejected), "examples": tally.examples}
