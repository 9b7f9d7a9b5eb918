"""What a briefing is made of: facts, pictures and tables, each number with the observations behind it.

Every question is one SELECT, asked once, whose rows are a CSV of the briefing too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from lightwell.briefing.marks import Mark

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

Record = dict[str, Any]
ROWS = 8  # of a table on the page; the CSV has them all
PICTURES = 4


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is shown, and the observations it was printed in or computed from."""

    text: str
    ids: tuple[str, ...] = ()


Cell = str | Number


@dataclass(frozen=True, slots=True)
class Fact:
    """One number in large type, and what it counts."""

    number: Number
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One value of a picture: the days it covers, and what it was read from."""

    start: date
    end: date
    value: float
    series: str
    text: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Bars over time, in one unit. `stacked` parts make up a whole; others stand side by side."""

    name: str
    title: str
    unit: str
    bars: tuple[Bar, ...]
    stacked: bool
    marks: tuple[Mark, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The observations behind all its bars."""
        return tuple(dict.fromkeys(one for bar in self.bars for one in bar.ids))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for the page. The first column is text, numbers stand to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    said: str = ""


@dataclass(slots=True)
class Content:
    """Everything a briefing shows, and the SELECTs of its CSVs."""

    facts: list[Fact] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what is missing, and what else is held
    selects: dict[str, str] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)  # breaks and events within the figures shown


def records(con: "Connection", sql: str) -> list[Record]:
    """The rows of a query as mappings."""
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def columns_of(con: "Connection") -> dict[str, set[str]]:
    """Every table and view of the release with its columns."""
    found: dict[str, set[str]] = {}
    listed = con.execute("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'main'")
    for table, column in listed.fetchall():
        found.setdefault(table, set()).add(column)
    return found


def number(
    value: float | None, ids: Iterable[str | None], *, comparator: str = "=", unit: str = "", significant: int = 3
) -> Cell:
    """A value as it is read, with its bound, and its observations; words where there is none."""
    known = tuple(one for one in ids if one)
    if value is None:
        return Number("not printed", known) if known else "not held"
    bound = {"=": "", "~": "about ", ">": "more than ", "<": "fewer than ", ">=": "at least ", "<=": "at most "}
    return Number(f"{bound.get(comparator, comparator + ' ')}{digits(value, significant)}{unit}", known)


def digits(value: float, significant: int = 3) -> str:
    """A number with thousands apart: whole as it is, else with so many digits that count, or one decimal of a large
    one."""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:,.{significant}g}"


def selected(con: "Connection", content: Content, name: str, sql: str) -> list[Record]:
    """The rows of a SELECT; where it has some, they are a CSV of the briefing too. A view is asked once: its rows are
    kept in a temporary table, from which the CSV is written."""
    select = sql.rstrip()
    comment = "".join(line + "\n" for line in select.splitlines() if line.startswith("--"))
    con.execute(f"CREATE OR REPLACE TEMP TABLE kept_{name} AS {select}")
    kept = f"SELECT * FROM kept_{name}"  # noqa: S608  a view's name, or one of ours
    found = records(con, kept)
    if found:
        content.selects[name] = comment + kept
    return found


def ids_of(row: Record) -> tuple[str, ...]:
    """The observations that a row of a view says it comes of."""
    found: list[str] = []
    for name, cell in row.items():
        if name.endswith(("observation_ids", "observation_id")) and cell is not None:
            found += cell if isinstance(cell, list) else [cell]
    return tuple(dict.fromkeys(found))


def percent(value: float, ids: Iterable[str], decimals: int = 1) -> Number:
    """A change or difference in percent, with its sign."""
    return Number(f"{value:+,.{decimals}f} %".replace("-", "−"), tuple(ids))


def spans(bars: Iterable[Bar]) -> list[tuple[date, date]]:
    """First and last day of each bar."""
    return [(bar.start, bar.end) for bar in bars]


def year_bar(year: int, value: float, series: str, ids: tuple[str, ...]) -> Bar:
    """The bar of a calendar year."""
    return Bar(date(year, 1, 1), date(year, 12, 31), value, series, digits(value), ids)


def titles(con: "Connection") -> dict[str, str]:
    """Metrics and kinds of harm in words."""
    return dict(con.execute("SELECT metric, title FROM metric UNION ALL SELECT harm, title FROM harm").fetchall())


def names(con: "Connection") -> dict[str, str]:
    """Organisations in words."""
    return dict(con.execute("SELECT organisation, name FROM organisation").fetchall())
