"""The lines of a codelist's file, typed, each of which knows where it stands: a fault is told with file and line."""

import csv
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Generic, TypeVar

from lightwell.codes.lists import COMPARATORS, TABLES, HarmLabel, OrganisationName, OrganisationParent
from lightwell.errors import DeclarationError

CODE = re.compile(r"_[TUZ]|[a-z0-9]+(?:_[a-z0-9]+)*")
_DATES = ("valid_from", "valid_to", "event_date", "recorded_on")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[_T]):
    """One line of one file, typed."""

    file: str
    line: int
    value: _T

    def fault(self, what: str) -> DeclarationError:
        """What is wrong with the line, with its place, to be raised."""
        return DeclarationError(f"{self.file}, line {self.line}: {what}")

    def require(self, column: str, code: str, codes: Container[str]) -> None:
        """Raise DeclarationError for a code that is not among those known."""
        if code not in codes:
            raise self.fault(f"{column} {code!r} is in no codelist")


def read_list(folder: Path, name: str, kind: type[_T]) -> list[Entry[_T]]:
    """The lines of `<name>.csv`. Raises DeclarationError where it cannot be read, has other columns or an odd date."""
    file = f"{name}.csv"
    found = []
    try:
        for line, cells in _lines(folder / file, list(TABLES[name])):
            found.append(Entry(file, line, kind(**cells)))
            _check_dates(found[-1], cells)
    except OSError as error:
        raise DeclarationError(f"{file} cannot be read from {folder}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{file} is not UTF-8: {error}") from None
    except csv.Error as error:
        raise DeclarationError(f"{file} is not CSV: {error}") from None
    return found


def _lines(path: Path, columns: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        if (header := next(reader, [])) != columns:
            raise DeclarationError(f"{path.name}, line 1: the header is {header}, must be {columns}")
        for cells in reader:
            if len(cells) != len(columns):
                raise DeclarationError(
                    f"{path.name}, line {reader.line_num}: {len(cells)} cells, must be {len(columns)}"
                )
            if any(cell != cell.strip() for cell in cells):
                raise DeclarationError(f"{path.name}, line {reader.line_num}: a cell begins or ends with white space")
            yield reader.line_num, dict(zip(columns, cells, strict=True))


def _check_dates(entry: Entry[_T], cells: Mapping[str, str]) -> None:
    for column in _DATES:
        cell = cells.get(column, "")
        if cell and not _is_day(cell):
            raise entry.fault(f"{column} {cell!r} is no day written as 2023-08-17")
    start, end = cells.get("valid_from", ""), cells.get("valid_to", "")
    if start and end and start > end:
        raise entry.fault(f"valid_from {start} is after valid_to {end}")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def keyed(entries: Iterable[Entry[_T]]) -> dict[str, _T]:
    """Entries by the first column of their file, which is its key."""
    found: dict[str, _T] = {}
    for entry in entries:
        column = TABLES[entry.file.removesuffix(".csv")][0]
        code: str = getattr(entry.value, column)
        if code in found:
            raise entry.fault(f"{column} {code!r} stands here for the second time")
        if not (CODE if column not in ("obs_status", "freq") else re.compile("[A-Z]|_O")).fullmatch(code):
            raise entry.fault(
                f"{column} {code!r} is no code: small letters, digits and single _ (statuses: one capital)"
            )
        found[code] = entry.value
    return found


def check_amount(entry: Entry[_T], value: str, low: str, high: str, comparator: str) -> None:
    """A value, or both ends of a range, with a comparator; or none of them."""
    for text in (value, low, high):
        if text and not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
            raise entry.fault(f"{text!r} is no number written as 1500 or 0.5")
    if bool(low) != bool(high) or (value and low) or (low and float(low) >= float(high)):
        raise entry.fault("give a value, or a lower and a higher bound")
    if bool(comparator) != bool(value or low) or comparator not in ("", *COMPARATORS):
        raise entry.fault(f"comparator {comparator!r} must be one of {' '.join(COMPARATORS)}, and only with a number")


_Dated = OrganisationName | OrganisationParent | HarmLabel


def overlap(one: _Dated, other: _Dated) -> bool:
    """Whether there is a day on which both are valid."""
    start = max(one.valid_from, other.valid_from)
    return all(not end or start <= end for end in (one.valid_to, other.valid_to))
