"""Breaks and events: what lies between two values, and what is marked in a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from lightwell.briefing.scope import Scope, first_day

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

_DAY = len("2022-07-01")  # how a time range begins
_SCOPE = ("source_id", "metric", "subject", "ref_area")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that changes what numbers mean, or that happened, on its first day."""

    kind: str  # break or event
    day: date
    when: str  # as its codelist writes it
    title: str
    description: str
    citation: str
    source_id: str | None = None


def breaks_between(con: "Connection", scope: Scope, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Mark]:
    """The declared breaks that begin after the period of one observation and not after that of the other."""
    rows = (before, after)
    return [
        mark
        for mark, by in _breaks(con)
        if any(_fits(by, row, scope) for row in rows) and _end(before) < mark.day <= _end(after)
    ]


def marks_within(
    con: "Connection", scope: Scope, rows: Sequence[Mapping[str, Any]], spans: Sequence[tuple[date, date]]
) -> tuple[Mark, ...]:
    """The breaks between the first and the last of these periods, and the events within them, that fit the rows."""
    if not spans:
        return ()
    first, last = min(end for _, end in spans), max(end for _, end in spans)
    begun = min(start for start, _ in spans)
    found = [
        mark for mark, by in _breaks(con) if first < mark.day <= last and any(_fits(by, row, scope) for row in rows)
    ]
    found += [
        mark for mark, by in _events(con) if begun <= mark.day <= last and any(_fits(by, row, scope) for row in rows)
    ]
    return tuple(sorted(_once(found), key=lambda m: (m.day, m.kind, m.title)))


def _once(found: Sequence[Mark]) -> list[Mark]:
    """Each break once, though every source of it declares it: of one day, the one that says more."""
    kept: list[Mark] = []
    for mark in sorted(found, key=lambda m: (m.kind, m.day, -len(m.title), m.title, m.description)):
        if not any(k.kind == mark.kind and k.day == mark.day and k.title.startswith(mark.title) for k in kept):
            kept.append(mark)
    return kept


def _fits(by: Mapping[str, str | None], row: Mapping[str, Any], scope: Scope) -> bool:
    """Whether a break's or event's scope takes in a row; a code it leaves open takes in every row."""
    return all(code is None or row.get(name) == code for name, code in by.items())


def _end(row: Mapping[str, Any]) -> date:
    found = row.get("period_end")
    return found if isinstance(found, date) else date(row["year"], 12, 31)


def _breaks(con: "Connection") -> list[tuple[Mark, dict[str, str | None]]]:
    found = con.execute(
        "SELECT time_period, title, description, coalesce(citation, ''), source_id, metric, subject, ref_area "
        "FROM series_break ORDER BY time_period, break_id"
    )
    marks = []
    for period, title, description, citation, *by in found.fetchall():
        day = first_day(period) if len(period) < _DAY else date.fromisoformat(period[:_DAY])
        if day is not None:
            mark = Mark("break", day, period, title, description, citation, by[0])
            marks.append((mark, dict(zip(_SCOPE, by, strict=True))))
    return marks


def _events(con: "Connection") -> list[tuple[Mark, dict[str, str | None]]]:
    found = con.execute(
        "SELECT event_date, title, coalesce(description, ''), coalesce(citation, ''), source_id, metric, subject, "
        "ref_area FROM event ORDER BY event_date, event_id"
    )
    return [
        (Mark("event", day, day.isoformat(), title, description, citation, by[0]), dict(zip(_SCOPE, by, strict=True)))
        for day, title, description, citation, *by in found.fetchall()
    ]
