"""What a report says of all its rows: service, period and surface, and that no part stands twice."""

import re
from collections.abc import Sequence

from lightwell.errors import LayoutError
from lightwell.sources.dsa_harmonised.parts import Part, column_of_codes, holds_number, plain, text_of, width_of
from lightwell.sources.dsa_harmonised.template import slug_of
from lightwell.tables.cells import Sheet

_TWO_DAYS = re.compile(r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})\s?(?:/|-|–|—|to)\s?(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})")


def stated_periods(sheets: Sequence[Sheet]) -> set[str]:
    """The periods that part 1 states, as intervals: one a service or none, where there is no part 1 or it says none."""
    stated = set()
    for sheet in sheets:
        rows = [row for row in sheet.rows if any(cell.text for cell in row)]
        if len(rows) == 6 and width_of(rows[0]) == 4 and column_of_codes(rows) is None:
            stated.add(_between(*(text_of(row, 3) for row in rows[4:6])))
    return stated - {""}


def _between(first: str, last: str) -> str:
    """The interval of two days, where they can be read in one way only: from a first of a month to the end of one."""
    ends = {(a, b) for a in _days(first) for b in _days(last) if a.endswith("-01") and a < b and b[8:] >= "28"}
    return "/".join(ends.pop()) if len(ends) == 1 else ""


def interval_of(printed: str) -> str:
    """A period from day to day as an interval of ISO days; as printed where that is not sure."""
    match = _TWO_DAYS.fullmatch(printed)
    return (match and _between(match[1], match[2])) or printed


def check_periods(parts: Sequence[Part], identified: set[str]) -> None:
    """Raises LayoutError where rows are of days that part 1 does not take in, as where last time's were left in."""
    told = [interval.split("/") for interval in identified]
    for part in parts:
        for row in part.rows:
            found = re.fullmatch(r"(\d{4}-\d\d-\d\d)/(\d{4}-\d\d-\d\d)", interval_of(text_of(row, part.period)))
            if told and found and holds_number(part, row) and not any(a <= found[1] <= found[2] <= b for a, b in told):
                raise LayoutError(
                    f"{row[0].locator}: the row is of {found[0]}, part 1 says {' and '.join(sorted(identified))}: see "
                    "which of them is meant, and ask the publisher for a report that says one of them"
                )


def check_once(parts: Sequence[Part], service: str) -> None:
    """Raises LayoutError where a report has a part twice for one service, period and surface."""
    met: dict[tuple[str, ...], Part] = {}
    for part in parts:
        for row in part.rows:
            if not holds_number(part, row):
                continue
            name = text_of(row, part.service) or service
            key = (part.kind, name.casefold(), interval_of(text_of(row, part.period)), surface_of(part, name))
            if (other := met.setdefault(key, part)) is not part:
                raise LayoutError(
                    f"{part.name!r} and {other.name!r} are the same part of {name or 'one service'} and period, and "
                    "which of them counts what is not said: add the one you mean by itself"
                )


def _days(text: str) -> set[str]:
    """The days that a date can mean: one if it is ISO, two where it may begin with the month."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return {text}
    if match := re.fullmatch(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", text):
        one, two, year = (int(group) for group in match.groups())
        return {f"{year}-{m:02}-{d:02}" for d, m in ((one, two), (two, one)) if m <= 12}
    return set()


def only_service(parts: Sequence[Part]) -> str:
    """The only service the report names, for rows that leave it out; empty where there are several or none."""
    named = {text_of(row, part.service) for part in parts for row in part.rows if holds_number(part, row)} - {""}
    return named.pop() if len(named) == 1 else ""


_NO_SURFACE = re.compile(
    r"(?i)(?:^|_)(?:\d+|(?:20\d\d_?)?[hsq][1-4](?:_?20\d\d)?|final|v\d+)(?=_|\Z)"
)  # a period, a version


def surface_of(part: Part, service: str) -> str:
    """The part of a service that a sheet is about, where its name says more than the part: 6_own_initiative_TC_Ads."""
    if part.kind in ("people", "recipients"):
        return ""
    stem = re.sub(r"\.csv\Z", "", re.split(r"[/\\]", part.name)[-1], flags=re.IGNORECASE)
    kinds = "own_initiative_(?:TC|illegal)|appeals_and_recidivism|automated_means|(?:member_states?_)?orders|notices"
    match = re.search(rf"(?:{kinds})_(\w+)\Z", stem)
    said = _NO_SURFACE.sub("", match[1]).strip("_") if match else ""
    return "" if slug_of(said).replace("_", " ") == plain(service).replace("_", " ") else said
