"""Printed periods: a text to a code, a frequency, a first and a last day. What is no such period is refused."""

import calendar
import re
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from lightwell.codes import squeeze


class Period(NamedTuple):
    """A period: its code, its length (A, S, Q, M, D; _O for a time range), its first and its last day."""

    time_period: str
    freq: str
    start: date
    end: date


_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_MONTH_NUMBERS = {name[:length]: n for n, name in enumerate(_MONTHS, start=1) for length in (3, len(name))} | {
    "sept": 9
}
_MONTH_RANGE = re.compile(
    r"(?P<first>[a-z]+)\.?(?: ?[-–—] ?| to )(?P<last>[a-z]+)\.?,? (?P<year>[0-9]{4})", re.IGNORECASE
)
_RANGES = {
    (1 + n * length, (n + 1) * length): (freq, n + 1)
    for freq, length in (("A", 12), ("S", 6), ("Q", 3))
    for n in range(12 // length)
}
_YEAR = "(?P<year>[0-9]{4})"
_PERIODS = (
    ("A", re.compile(rf"(?:CY ?)?{_YEAR}", re.IGNORECASE)),
    ("S", re.compile(rf"{_YEAR}[- ]?[SH](?P<part>[12])|[SH](?P<part2>[12]) (?P<year2>[0-9]{{4}})", re.IGNORECASE)),
    ("Q", re.compile(rf"{_YEAR}[- ]?Q(?P<part>[1-4])|Q(?P<part2>[1-4]) (?P<year2>[0-9]{{4}})", re.IGNORECASE)),
    ("M", re.compile(rf"{_YEAR}-(?P<part>[0-9]{{2}})|(?P<part2>[a-z]+) (?P<year2>[0-9]{{4}})", re.IGNORECASE)),
    ("D", re.compile(rf"{_YEAR}-(?P<part>[0-9]{{2}})-(?P<day>[0-9]{{2}})")),
)
_DAY = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_INTERVAL = re.compile(rf"({_DAY})\s?(?:/|-|–|to)\s?({_DAY})")
_TIME_RANGE = re.compile(r"(?P<start>[0-9]{4}-[0-9]{2}-[0-9]{2})/P(?P<number>[1-9][0-9]{0,3})(?P<unit>[YMD])")
_MONTHS_IN = {"A": 12, "S": 6, "Q": 3, "M": 1}
_CALENDAR = {months: freq for freq, months in _MONTHS_IN.items()}


@lru_cache(maxsize=4096)
def parse_period(text: str) -> Period:
    """Read a calendar period: `2022`, `CY 2022`, `2023-S1`, `H1 2023`, `2023-Q2`, `Q2 2023`, `July 2023`, `2024-01-31`.

    A range of months, `Jul-Sep 2020` or `January to June 2021`, has to be a calendar quarter, half or year.
    A fiscal year, or the years of a study, is an SDMX time range: first day and length, `2022-07-01/P1Y` (freq _O).
    One that names no first day (`FY 2023`) is refused, as is anything else: ValueError.
    """
    printed = squeeze(text)
    if re.match(r"FY\b|FY ?[0-9]|fiscal\b", printed, re.IGNORECASE):
        raise ValueError(f"{text!r} is a fiscal year, which is no calendar year: its months must be declared")
    if match := _MONTH_RANGE.fullmatch(printed):
        ends = (_MONTH_NUMBERS.get(match["first"].casefold(), 0), _MONTH_NUMBERS.get(match["last"].casefold(), 0))
        if ends not in _RANGES:
            raise ValueError(f"{text!r} is no calendar quarter, half or year")
        freq, number = _RANGES[ends]
        return _period(freq, _year(match["year"], text), number, 1, text)
    if interval := _INTERVAL.fullmatch(printed):
        return _spanned(interval[1], interval[2], text)
    if span := _TIME_RANGE.fullmatch(printed):
        return _time_range(span["start"], int(span["number"]), span["unit"], text)
    for freq, pattern in _PERIODS:
        if match := pattern.fullmatch(printed):
            found = match.groupdict()
            year = _year(found.get("year") or found["year2"], text)
            part = found.get("part") or found.get("part2") or "1"
            return _period(freq, year, _MONTH_NUMBERS.get(part.casefold(), part), int(found.get("day") or 1), text)
    raise ValueError(f"{text!r} is no period like 2022, CY 2022, 2023-S1, 2023-Q2, July 2023 or 2024-01-31")


def _year(printed: str, text: str) -> int:
    if not 1990 <= int(printed) <= 2100:
        raise ValueError(f"{text!r} is outside 1990 to 2100")
    return int(printed)


def _spanned(first: str, last: str, text: str) -> Period:
    """The calendar period from the one day to the other; ValueError where they bound none."""
    try:
        start, end = (date(*map(int, day.split("-"))) for day in (first, last))
    except ValueError:
        raise ValueError(f"{text!r} names no month or day that there is") from None
    if 1990 <= start.year <= 2100:
        for freq, months in _MONTHS_IN.items():
            found = _period(freq, start.year, (start.month - 1) // months + 1, 1, text)
            if (found.start, found.end) == (start, end):
                return found
    raise ValueError(f"{text!r} is no whole calendar year, half-year, quarter or month, so it fits no period's code")


def _time_range(first: str, number: int, unit: str, text: str) -> Period:
    """The time range of so many years, months or days; a calendar period where it is one, and in its largest unit."""
    try:
        start = date.fromisoformat(first)
        if unit == "D":
            end = start + timedelta(days=number - 1)
            return Period(f"{first}/P{number}D", "_O", start, end)
        months = number * (12 if unit == "Y" else 1)
        year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
        end = date(year, month + 1, start.day) - timedelta(days=1)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} names no day that there is") from None
    _year(f"{start.year}", text), _year(f"{end.year}", text)
    if (calendar_freq := _CALENDAR.get(months)) and start.day == 1 and (start.month - 1) % months == 0:
        return _period(calendar_freq, start.year, (start.month - 1) // months + 1, 1, text)
    length = f"{months // 12}Y" if months % 12 == 0 else f"{months}M"
    return Period(f"{first}/P{length}", "_O", start, end)


def _period(freq: str, year: int, part: int | str, day: int, text: str) -> Period:
    try:
        number = int(part)
        if freq == "D":
            start = date(year, number, day)
            return Period(start.isoformat(), freq, start, start)
        months = _MONTHS_IN[freq]
        start = date(year, (number - 1) * months + 1, 1)
    except ValueError:
        raise ValueError(f"{text!r} names no month or day that there is") from None
    last = start.month + months - 1
    end = date(year, last, calendar.monthrange(year, last)[1])
    code = {"A": f"{year}", "S": f"{year}-S{number}", "Q": f"{year}-Q{number}", "M": f"{year}-{number:02d}"}[freq]
    return Period(code, freq, start, end)
