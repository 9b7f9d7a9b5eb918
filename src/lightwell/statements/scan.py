"""One worker: counts the statements of CSV files, one after another, as long as its parent asks.

`main` reads a request a line from standard input and answers each in one message on standard output. A CSV is inflated
and read by polars a block of lines at a time: no file is written; memory does not grow with the dump.

Polars cannot be trusted with what is not as published: it fills up rows that are too short, cuts those that are too
long, and gives up on a block for one stray quote. So a block counts only if it comes out with a row a line and no cell
more, all received on the day, every code in a published form; else each of its lines is read carefully first.
"""

import json
import marshal
import os
import struct
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.errors import DumpError
from lightwell.statements import lines, rows
from lightwell.statements.dump import Member, inflated

if TYPE_CHECKING:
    import polars as pl

Cell = tuple[str | int | bool | None, ...]
DELAYS = {
    "content_to_application": ("content_date", "application_date"),
    "application_to_reception": ("application_date", "created_at"),
    "content_to_reception": ("content_date", "created_at"),
}
_PLAIN = ("platform_name", "automated_detection", *rows.FORMS, "about_minors")
_CODES = ("platform_name", "automated_detection", *rows.FORMS, *rows.MINORS_FORMS)
KEYS = (*_PLAIN, *rows.MINORS_FORMS, *DELAYS)  # of a cell; what stands last is counted for statements about minors only
BINS = (0, 1, 2, 3, 7, 14, 30, 90, 180, 365, 730)  # each a delay's least number of days; -1: the wrong way round
MOST_CELLS = 1_000_000
MOST_EXAMPLES = 20
_MANY = 60_000  # cells of blocks, to be added up
_MANY_ROWS = 50_000  # of blocks, to be counted at once: polars takes as long to begin as to count thousands
_OTHER_DATES = ("content_date", "application_date")
_BEYOND = "beyond"  # a column for what a row has too much


@dataclass(slots=True)
class Tally:
    """What became of the lines of one CSV file: `lines` = rows counted + the sum of `rejected`."""

    lines: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[int, str]] = field(default_factory=list)  # line number (the header's is 1) and reason

    def add(self, number: int, rejected: tuple[tuple[int, str], ...]) -> None:
        """That many lines more, and those of them that are no rows."""
        self.lines += number
        self.rejected.update(reason for _, reason in rejected)
        self.examples += rejected[: MOST_EXAMPLES - len(self.examples)]


class Engine:
    """Polars, and what it has found so far: rows that are still to be counted, and cells."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        import polars as pl

        self._rows: list[pl.DataFrame] = []
        self._found: list[pl.DataFrame] = []
        self._kinds = {name: pl.Categorical(pl.Categories.random()) for name in _CODES}

    def add(self, ready: lines.Ready, columns: tuple[str, ...], day: date, *, carefully: bool) -> bool:
        """Take a block in, if its rows are its lines and all have published forms; else nothing of it."""
        frame = _read(ready.text, columns)
        if frame is None or not _whole(frame, ready.rows, day):
            return False
        frame = _coded(frame, self._kinds, day)
        if self._sure(frame):
            self._rows.append(frame)
        elif _published(cells := _cells(frame), carefully=carefully):
            self._found.append(cells)
        else:
            self._add_up(anew=True)
            return False
        if sum(one.height for one in self._rows) > _MANY_ROWS:
            self._count()
        if sum(one.height for one in self._found[1:]) > _MANY:
            self._add_up()
        return True

    def take(self) -> list[Cell]:
        """The cells found, each with its number of statements last. They are forgotten here."""
        import polars as pl

        self._add_up()
        found = [row for frame in self._found for row in frame.cast(dict.fromkeys(_CODES, pl.String)).rows()]
        self._forget()
        return found

    def _sure(self, frame: "pl.DataFrame") -> bool:
        """Whether every code that is remembered has a published form: then so has each of this frame, and it need not
        be counted by itself first."""
        return all(
            _surely_published(name, code)
            for name, kind in self._kinds.items()
            for code in (*kind.categories.to_series(), *([""] if frame[name].null_count() else []))
        )

    def _count(self) -> None:
        """The rows that are held, as cells."""
        import polars as pl

        if self._rows:
            self._found.append(_cells(pl.concat(self._rows)))
        self._rows = []

    def _add_up(self, *, anew: bool = False) -> None:
        """The cells found, each once; `anew`: without what else polars remembers, such as the texts of odd rows."""
        import polars as pl

        self._count()
        whole = [pl.concat(self._found).group_by(KEYS).agg(pl.col("statements").sum())] if self._found else []
        if sum(one.height for one in whole) > MOST_CELLS:
            raise DumpError(f"more than {MOST_CELLS:,} combinations of codes: this is no dump of statements")
        if anew:
            self._forget()
            whole = [one.cast(dict.fromkeys(_CODES, pl.String)).with_columns(_as(self._kinds)) for one in whole]
        self._found = whole


@lru_cache(4096)
def _surely_published(name: str, code: str) -> bool:
    """Whether a code has a published form, and no U+FFFD, in the place of which others may stand."""
    return rows.has_form(name, code) and "\ufffd" not in code


def _read(text: bytes, columns: tuple[str, ...]) -> "pl.DataFrame | None":
    """A block's rows, or None where polars gives up. What is no UTF-8 becomes U+FFFD, at a tenth more time.

    As strings: read as categories, a cell with a stray quote loses its last letter, and polars says nothing.
    """
    import polars as pl
    from polars.exceptions import PanicException, PolarsError

    schema = dict.fromkeys((*columns, _BEYOND), pl.String)
    for encoding in ("utf8", "utf8-lossy"):
        try:
            return pl.read_csv(text, columns=[*_CODES, *rows.DATES, _BEYOND], schema=schema, encoding=encoding)
        except (PolarsError, PanicException):
            continue
    return None


def _whole(frame: "pl.DataFrame", due: int, day: date) -> bool:
    """Whether a block came out with a row a line, no cell more, all received on its day."""
    import polars as pl

    received = pl.col("created_at").str.starts_with(f"{day} ").fill_null(value=False)
    return frame.height == due and frame.select(received.all() & pl.col(_BEYOND).is_null().all()).item()


def _coded(frame: "pl.DataFrame", kinds: "Mapping[str, pl.Categorical]", day: date) -> "pl.DataFrame":
    """A block's rows as they are kept until they are counted: codes as categories; dates by the first ten letters, and
    the day on which all were received."""
    import polars as pl

    dates = pl.col(_OTHER_DATES).str.slice(0, 10)
    return frame.select(*_as(kinds), dates, pl.lit(day).alias("created_at"))


def _as(kinds: "Mapping[str, pl.Categorical]") -> "Iterator[pl.Expr]":
    import polars as pl

    return (pl.col(name).cast(kind) for name, kind in kinds.items())


def _cells(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Statements by cell. Keywords and delays are looked at for statements about minors only."""
    import polars as pl

    lists = frame.select(pl.col(list(rows.MINORS_FORMS)).drop_nulls().unique().cast(pl.String).implode())
    added = [cell for cell in lists.item(0, "category_addition") if rows.marked("", cell, "")]
    said = [cell for cell in lists.item(0, "category_specification") if rows.marked("", "", cell)]
    about = pl.any_horizontal(
        pl.col("category") == rows.MINORS,
        pl.col("category_addition").is_in(added),
        pl.col("category_specification").is_in(said),
    )
    frame = frame.with_columns(about_minors=about.fill_null(value=False))
    statements = pl.len().cast(pl.Int64).alias("statements")
    plain = frame.group_by(_PLAIN).agg(statements).filter(~pl.col("about_minors"))
    dated = pl.col(_OTHER_DATES).str.to_date("%Y-%m-%d", strict=False)
    minors = frame.filter("about_minors").with_columns(dated)
    binned = minors.with_columns(**{name: _bin(*dates) for name, dates in DELAYS.items()})
    return pl.concat([binned.group_by(KEYS).agg(statements), plain], how="diagonal")


def _bin(first: str, last: str) -> "pl.Expr":
    """The bin of the days between two dates; null where one is missing or odd."""
    import polars as pl

    days = (pl.col(last) - pl.col(first)).dt.total_days()
    bins = pl.lit(pl.Series((-1, *BINS), dtype=pl.Int16))
    return pl.when(days.is_not_null()).then(bins.gather(pl.lit(pl.Series(BINS)).search_sorted(days, side="right")))


def _published(cells: "pl.DataFrame", *, carefully: bool) -> bool:
    """Whether every code has a published form. A U+FFFD is trusted only after a careful reading: others stand there."""
    import polars as pl

    found = cells.select(pl.col(_CODES).unique().cast(pl.String).fill_null("").implode())
    return all(
        rows.has_form(name, code) and (carefully or "\ufffd" not in code)
        for name in _CODES
        for code in found.item(0, name)
    )


def count(engine: Engine, file: int, member: Member, day: date, where: str) -> Tally:
    """Count one CSV file into the engine. Raises DumpError where the file is damaged."""
    pieces = inflated(file, member, where)
    header, rest = _header(pieces)
    columns = rows.layout(header, f"{where}: {member.name}")
    tally = Tally()
    for block in lines.blocks(chain([rest], pieces), (*columns, _BEYOND)):
        for carefully in (False, True):
            ready = lines.ready(block, columns, day, carefully=carefully)
            if engine.add(ready, columns, day, carefully=carefully):
                break
        else:
            raise DumpError(
                f"{where}: {member.name}: its rows could not be counted; please file an issue with this dump's name"
            )
        tally.add(len(block.ends), ready.rejected)
        del block, ready  # before the next one is made
    return tally


def _header(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """A CSV's first line, and what has been inflated after it."""
    begun = b""
    for piece in pieces:
        begun += piece
        if b"\n" in begun or len(begun) > rows.LONGEST_LINE:
            break
    header, _, rest = begun.partition(b"\n")
    return header, rest


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not be taken for an answer
    engine = Engine()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            answer = {"cells": engine.take()} if request is None else _counted(engine, request)
        except (DumpError, OSError) as error:
            answer = {"error": str(error)}
        payload = marshal.dumps(answer)
        answers.write(struct.pack("<Q", len(payload)) + payload)
        answers.flush()


def _counted(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    path = Path(request["path"])
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(file).st_ino != request["inode"]:
            raise DumpError(f"{path.name} was replaced while it was read: start again")
        member, day = Member(**request["member"]), date.fromisoformat(request["day"])
        tally = count(engine, file, member, day, path.name)
    finally:
        os.close(file)
    return {"lines": tally.lines, "rejected": dict(tally.rejected), "examples": tally.examples}
