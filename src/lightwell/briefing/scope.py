"""Whom a briefing is about, and of when: names and codes to members, with the nearest ones for what nobody knows."""

import difflib
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from lightwell.errors import LightwellError
from lightwell.rows import quoted

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

_PERIOD = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])|S([12])))?")  # calendar periods only


@dataclass(frozen=True, slots=True)
class Scope:
    """An area, or an organisation with its brands, and the days its figures lie between."""

    kind: str  # area or organisation
    code: str
    name: str
    members: tuple[tuple[str, str], ...]  # code and name: the area, or the organisation and what belongs to it
    start: date | None = None
    end: date | None = None
    as_of: date | None = None

    @property
    def codes(self) -> str:
        """The members' codes as SQL takes them in a list."""
        return ", ".join(quoted(code) for code, _ in self.members)

    def within(self, start: str = "period_start", end: str = "period_end") -> str:
        """The SQL condition that a period lies within the days asked for."""
        conditions = [f"{end} >= DATE '{self.start}'"] if self.start else []
        conditions += [f"{start} <= DATE '{self.end}'"] if self.end else []
        return " AND ".join(conditions) or "true"

    def years(self, year: str = "year") -> str:
        """The same of a calendar year."""
        conditions = [f"{year} >= {self.start.year}"] if self.start else []
        conditions += [f"{year} <= {self.end.year}"] if self.end else []
        return " AND ".join(conditions) or "true"


def first_day(period: str | None) -> date | None:
    """First day of 2020, 2020-S2, 2020-Q3 or 2020-07. Raises LightwellError for another form."""
    return None if period is None else _days(period)[0]


def last_day(period: str | None) -> date | None:
    """Last day of such a period."""
    return None if period is None else _days(period)[1]


def _days(period: str) -> tuple[date, date]:
    match = _PERIOD.fullmatch(period)
    if match is None or int(match[1]) == 0:
        raise LightwellError(f"{period!r} is no period: write 2020, 2020-S1, 2020-Q3 or 2020-07")
    year, month, quarter, half = int(match[1]), match[2], match[3], match[4]
    first, months = 1, 12
    if month:
        first, months = int(month), 1
    elif quarter:
        first, months = 3 * int(quarter) - 2, 3
    elif half:
        first, months = 6 * int(half) - 5, 6
    after = first + months
    next_first = date(year + (after > 12), after - 12 * (after > 12), 1)
    return date(year, first, 1), date.fromordinal(next_first.toordinal() - 1)


def area(con: "Connection", name: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Code, name and members of an area, by its code (PHL, PH) or any name of it, in any case.

    Raises LightwellError, with the nearest names, for one there is not.
    """
    found = con.execute(
        "SELECT ref_area, name, [ref_area, coalesce(alpha_2, ''), name] FROM area WHERE kind <> 'special' UNION ALL "
        "SELECT a.ref_area, a.name, [n.name] FROM area_name AS n JOIN area AS a USING (ref_area) "
        "WHERE a.kind <> 'special'"
    )
    code, said = _resolve(name, found.fetchall(), "area")
    return code, said, ((code, said),)


def organisation(con: "Connection", name: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Code, name and members of an organisation, by its code or any name of it, in any case.

    Members are its brands, and those that stand with it in a comparison: Snap is the platform of Snapchat's. Raises
    LightwellError, with the nearest names, for one there is not.
    """
    found = con.execute(
        "SELECT organisation, name, [organisation, name] FROM organisation WHERE kind <> 'aggregate' "
        "UNION ALL SELECT o.organisation, o.name, [n.name] FROM organisation_name AS n JOIN organisation AS o "
        "USING (organisation) WHERE o.kind <> 'aggregate' AND n.source_id IS NULL "
        "UNION ALL SELECT organisation, min(printed_name), list(DISTINCT printed_name ORDER BY printed_name) "
        "|| [organisation] FROM provisional_organisation GROUP BY organisation"
    )
    code, said = _resolve(name, found.fetchall(), "organisation")
    members = con.execute(
        f"WITH member AS (SELECT {quoted(code)} AS code UNION "  # noqa: S608  quoted
        f"SELECT organisation FROM organisation_parent WHERE parent = {quoted(code)} UNION "
        "SELECT b.subject FROM comparison_side AS a JOIN comparison_side AS b USING (comparison) "
        f"WHERE a.subject = {quoted(code)} AND a.side <> b.side) "
        "SELECT code, coalesce(o.name, p.printed_name, code) FROM member LEFT JOIN organisation AS o "
        "ON o.organisation = code LEFT JOIN (SELECT organisation, min(printed_name) AS printed_name "
        "FROM provisional_organisation GROUP BY ALL) AS p ON p.organisation = code "
        f"ORDER BY code <> {quoted(code)}, code"
    )
    return code, said, tuple((one, of) for one, of in members.fetchall())


def _resolve(wanted: str, known: list[tuple[str, str, list[str]]], what: str) -> tuple[str, str]:
    names = {code.casefold(): (code, name) for code, name, _ in sorted(known)}
    for code, name, spellings in sorted(known):
        for spelling in filter(None, spellings):
            names.setdefault(spelling.casefold(), (code, name))
    key = wanted.strip().casefold()
    if key in names:
        return names[key]
    near = [names[one] for one in difflib.get_close_matches(key, list(names), n=8, cutoff=0.5)]
    near += [of for one, of in names.items() if len(key) > 2 and key in one]
    listed = "; ".join(f"{name} ({code})" for code, name in list(dict.fromkeys(near))[:5])
    raise LightwellError(
        f"no {what} {wanted!r}; near are: {listed}" if listed else f"no {what} {wanted!r}: the table {what} has all"
    )
