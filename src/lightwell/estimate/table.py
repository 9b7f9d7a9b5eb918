"""A capture-history table: how many people were counted on each combination of lists. Counts only, never people."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightwell.errors import LightwellError

MOST_LISTS = 10  # 1,023 observable histories
_MOST_BYTES = 1 << 20
_LONGEST = 60  # of a list's name
_MANY = 8  # rows that all count one person
_COUNT_NAMES = re.compile(
    r"n|y|counts?|freq|frequenc(?:y|ies)|n?cases|case[ _]?count|num(?:ber)?|total|people|persons|individuals|observed"
    r"|size|weight|n_?obs|tally"
)
_HISTORY_NAMES = re.compile(r"histor(?:y|ies)|capture[ _]?history|patterns?|ch|overlap")
_PERSONAL = re.compile(
    r"id|.*[ _]id|(?:.*[ _])?name|dob|.*birth.*|age|sex|gender|nationality|address|postcode|phone|e-?mail|passport"
    r"|victim|person|case[ _](?:ref|number|no)"
)
_WHOLE = re.compile(r"(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.0+)?")
_FLAGS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


class TableError(LightwellError):
    """A capture-history table cannot be read, or is one that must not be read."""


@dataclass(frozen=True, slots=True)
class Table:
    """Counts of people by capture history.

    `counts[h]` is the number of people on exactly the lists whose bits are set in `h` (bit 0 is the first list);
    `counts[0]`, the people on no list, is what is to be estimated and always 0 here. `notes` say what the reader did.
    """

    lists: tuple[str, ...]
    counts: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many people were counted, each once."""
        return sum(self.counts)

    def on(self, lists: int) -> int:
        """How many people are on all of the lists whose bits are set."""
        return sum(n for history, n in enumerate(self.counts) if history & lists == lists)

    def captured(self, times: int) -> int:
        """How many people are on exactly so many lists."""
        return sum(n for history, n in enumerate(self.counts) if history.bit_count() == times)

    def without(self, index: int) -> "Table":
        """The table as it would be had one list not been kept: people on that list alone are not seen at all."""
        low = (1 << index) - 1
        counts = [0] * (len(self.counts) // 2)
        for history, n in enumerate(self.counts):
            counts[history & low | history >> 1 & ~low] += n
        counts[0] = 0
        return Table(self.lists[:index] + self.lists[index + 1 :], tuple(counts))


def from_histories(histories: Mapping[str, int], lists: Sequence[str] | None = None) -> Table:
    """A table from histories written as 0s and 1s: `{"110": 54, ...}`. What is not named was seen in nobody."""
    if not histories:
        raise TableError("the table has no rows: give at least one capture history with its count")
    width = len(next(iter(histories)))
    names = tuple(lists) if lists is not None else tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:width])
    if any(len(h) != len(names) or set(h) - {"0", "1"} for h in histories):
        raise TableError(f"capture histories are {len(names)} digits 0 or 1, one for each list, for example '110'")
    return _tabulate(names, [([int(d) for d in h], n, f"history {h}") for h, n in histories.items()], [])


def read_table(path: Path, count: str | None = None) -> Table:
    """Read a capture-history table from a CSV file (see `lightwell estimate --help` for the shapes that are taken).

    `count` names the count column where its header does not tell. Raises TableError for a table that is not one of
    counts, and for one that holds a row for each person: records of people are never taken in.
    """
    header, rows = _cells(path)
    where = f"{path.name}: "
    try:
        return _read(header, rows, count)
    except TableError as error:
        raise TableError(where + str(error)) from None


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise TableError(
                f"{path.name} is larger than {_MOST_BYTES:,} bytes, and a table of {MOST_LISTS} lists is far smaller. "
                "Give counts for each combination of lists, never a row for each person"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise TableError(f"{path.name} is not UTF-8 text: save it as CSV UTF-8") from None
    if "\0" in text:
        raise TableError(f"{path.name} is not a text file: save the table as CSV UTF-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise TableError(f"{path.name} has no rows: a header with the names of the lists, then a row for each history")
    separator = max(",;\t", key=lines[0].count)
    try:
        read = [[c.strip() for c in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)]
    except csv.Error as error:
        raise TableError(f"{path.name} is not a CSV file: {error}") from None
    return read[0], read[1:]


def _read(header: list[str], rows: list[list[str]], count: str | None) -> Table:
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise TableError(f"row {number} has {len(row)} cells, the header {len(header)}")
    header, rows = _without_row_numbers(header, rows)
    if all(cell in _FLAGS or _WHOLE.fullmatch(cell) for cell in header):
        raise TableError("the first line must name the lists and the count column; it holds numbers")
    if len({h.casefold() for h in header}) < len(header) or "" in header:
        raise TableError(f"every column needs a name of its own, and these are {', '.join(map(repr, header))}")
    for name in header:
        if not name.isprintable() or len(name) > _LONGEST or name[0] in "=+-@":
            raise TableError(
                f"column {name[:_LONGEST]!r}: a list's name has at most {_LONGEST} letters, digits and signs"
            )
        if _PERSONAL.fullmatch(name.casefold()):
            raise TableError(
                f"column {name!r} looks like one about a person. Lightwell takes counts of people by combination of "
                "lists and never records of people: drop the column and give one row for each combination"
            )
    columns = {name: [row[k] for row in rows] for k, name in enumerate(header)}
    counted = _count_column(columns, count)
    counts = columns.pop(counted)
    names, histories = _histories(columns)
    return _tabulate(
        names,
        [(h, c, f"row {k}") for k, (h, c) in enumerate(zip(histories, _whole(counts, histories), strict=True), 2)],
        [],
        count_named=count is not None or _COUNT_NAMES.fullmatch(counted.casefold()) is not None,
    )


def _without_row_numbers(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Without the unnamed first column of 1, 2, 3, ... that R's write.csv puts there."""
    if header[0] == "" and [row[0] for row in rows] == [str(k) for k in range(1, len(rows) + 1)]:
        return header[1:], [row[1:] for row in rows]
    return header, rows


def _count_column(columns: Mapping[str, list[str]], count: str | None) -> str:
    if count is not None:
        if count not in columns:
            raise TableError(f"there is no column {count!r}; the columns are {', '.join(columns)}")
        return count
    free = [name for name, cells in columns.items() if not _is_flags(cells) and not _is_history(name, cells)]
    named = [name for name in columns if _COUNT_NAMES.fullmatch(name.casefold())]
    for choice in ([n for n in named if n in free], named if not free else [], free if not named else []):
        if len(choice) == 1:
            return choice[0]
    if len(free) > 1:
        raise TableError(
            f"columns {', '.join(map(repr, free))} hold other things than 0 and 1. One column is the count, the others "
            "say 0 or 1 for each list; name the count column with --count, and drop what is about people"
        )
    if len(named) > 1:
        raise TableError(f"any of {', '.join(map(repr, named))} can be the count column: name it with --count")
    raise TableError(
        "no count column was found. If each row is a person: Lightwell never takes records of people, so count the "
        "people for each combination of lists first. If each row is a combination, add a column 'count'"
    )


def _is_flags(cells: Iterable[str]) -> bool:
    return all(cell.casefold() in _FLAGS for cell in cells)


def _is_history(name: str, cells: Sequence[str]) -> bool:
    digits = [_digits(cell) for cell in cells]
    return _HISTORY_NAMES.fullmatch(name.casefold()) is not None and all(
        len(d) > 1 and not set(d) - {"0", "1"} for d in digits
    )


def _digits(cell: str) -> str:
    return re.sub(r"[\s'\"|,.:;-]", "", cell)


def _histories(columns: Mapping[str, list[str]]) -> tuple[tuple[str, ...], list[list[int]]]:
    for name, cells in columns.items():
        if _is_history(name, cells) and len(columns) == 1:
            digits = [_digits(cell) for cell in cells]
            if len({len(d) for d in digits}) > 1:
                raise TableError(
                    f"the histories in column {name!r} differ in length: one digit for each list, leading zeros "
                    "included (a spreadsheet drops them: store the column as text)"
                )
            return tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(digits[0])]), [[int(d) for d in row] for row in digits]
    for name, cells in columns.items():
        for number, cell in enumerate(cells, 2):
            if cell.casefold() not in _FLAGS:
                raise TableError(f"row {number}, column {name!r}: {cell!r} is neither 0 nor 1 (is on the list or not)")
    flags = [[_FLAGS[cell.casefold()] for cell in cells] for cells in columns.values()]
    return tuple(columns), [list(row) for row in zip(*flags, strict=True)]


def _whole(counts: Sequence[str], histories: Sequence[Sequence[int]]) -> list[int]:
    whole = []
    for number, (cell, history) in enumerate(zip(counts, histories, strict=True), 2):
        if not any(history) and cell.casefold() in {"", "na", "nan", "?"}:
            whole.append(0)  # people on no list: nobody can have counted them
        elif _WHOLE.fullmatch(cell):
            whole.append(int(cell.replace(",", "").partition(".")[0]))
        else:
            raise TableError(
                f"row {number}: the count {cell!r} is not a whole number. An estimate needs exact counts: a cell that "
                "was suppressed or rounded by its publisher cannot be filled in here"
            )
    return whole


def _tabulate(
    names: tuple[str, ...], rows: Sequence[tuple[Sequence[int], int, str]], notes: list[str], count_named: bool = True
) -> Table:
    if not 2 <= len(names) <= MOST_LISTS:
        raise TableError(f"the table has {len(names)} lists; an estimate needs two lists and at most {MOST_LISTS}")
    _refuse_people([tuple(h) for h, _, _ in rows], [n for _, n, _ in rows], count_named)
    counts = [0] * (1 << len(names))
    for flags, n, where in rows:
        history = sum(flag << k for k, flag in enumerate(flags))
        if n < 0:
            raise TableError(f"{where}: a count cannot be negative, and this is {n}")
        if history == 0 and n:
            raise TableError(
                f"{where} counts {n:,} people on no list: that is the number to be estimated; drop the row"
            )
        counts[history] += n
    if repeated := len(rows) - len({tuple(h) for h, _, _ in rows}):
        notes = [*notes, f"{repeated} rows repeat a history that stands above: their counts were added"]
    if sum(counts) == 0:
        raise TableError("nobody was counted: every count is 0")
    if sum(counts) > 10**12:
        raise TableError(f"the counts add up to {sum(counts):,}: more people than there are")
    return Table(names, tuple(counts), tuple(notes))


def _refuse_people(histories: Sequence[tuple[int, ...]], counts: Sequence[int], count_named: bool) -> None:
    """Refuse a table with one row a person: histories come again and again, and the count says nothing."""
    most, times = Counter(histories).most_common(1)[0]
    if times > 1 and (not count_named or set(counts) <= {0, 1}):
        seen = f"{times} rows have the history {''.join(map(str, most))}, and no count stands beside them"
    elif len(counts) >= _MANY and set(counts) == {1}:
        seen = f"all {len(counts)} rows count 1"
    elif not count_named and len(counts) > 1 and list(counts) == list(range(1, len(counts) + 1)):
        seen = "its numbers run 1, 2, 3, ... like numbers of cases (if they are counts, name the column with --count)"
    else:
        return
    raise TableError(
        f"this looks like a table with one row for each person: {seen}. Lightwell takes counts and never records of "
        "people: count the people for each combination of lists first"
    )
