"""Figures to observations: names, periods, numbers, units. What matches nothing is quarantined with its text."""

import calendar
import hashlib
import json
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from lightwell import codes
from lightwell.archive import Document
from lightwell.codes import Codelists, Correction, Metric, squeeze
from lightwell.errors import DeclarationError
from lightwell.source import FromLabel, Observe, Source, Value
from lightwell.tables import Figure


@dataclass(frozen=True, slots=True)
class Observation:
    """A figure with codes, period, unit and a parsed value. Field names are the warehouse's column names."""

    observation_id: str  # 16 hex digits: of document, locator, labels, series and period
    series_id: str  # 16 hex digits: of source, reporter, subject, metric, harm, area, dimensions, freq and unit
    source_id: str
    document_id: str
    reporter: str
    subject: str
    metric: str
    harm: str
    ref_area: str
    dimensions: Mapping[str, str]
    freq: str
    time_period: str
    period_start: date
    period_end: date
    obs_value: float | None
    value_low: float | None
    value_high: float | None
    comparator: str
    unit_measure: str
    obs_status: str
    is_total: bool
    obs_text: str
    label_text: str
    locator: str
    extractor_version: str
    figure: Figure  # where it came from; not a column
    note: str | None = None
    cited_url: str | None = None  # the page a transcribed figure was printed on; else the document's own URL serves


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A figure, or a whole document, that is kept and queryable but not published."""

    source_id: str
    document_id: str
    scope: str  # row | document
    reason: str  # what was met and what to do about it
    expectation: str | None = None  # the check that failed, where one did
    table: str | None = None
    label_text: str | None = None
    obs_text: str | None = None
    locator: str | None = None
    observation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Harmonised:
    """What became of one document's figures. Every figure is in exactly one of the two lists."""

    observations: list[Observation]
    quarantined: list[Quarantined]
    provisional: Mapping[str, str]  # organisation code made up for a name not met before -> the printed name


@dataclass(frozen=True, slots=True)
class ParsedNumber:
    """What a printed number says. `value` is None where none is printed (status O) or only a bound is (status Q)."""

    value: float | None
    low: float | None
    high: float | None
    comparator: str | None  # as printed; None where the text does not say
    status: str  # A | O | Q
    note: str | None = None


class Period(NamedTuple):
    """A period: its code, its length (A, S, Q, M, D; _O for a time range), its first and its last day."""

    time_period: str
    freq: str
    start: date
    end: date


# --- numbers --------------------------------------------------------------------------------------------------------

_DECIMALS = frozenset({"ratio", "hours", "fte", "fold", "per_10000", "per_100000"})  # a comma may be the decimal point
_FRACTIONS = frozenset({"percent", "days"}) | _DECIMALS  # units whose values need not be whole
_HOURS = re.compile(r"\s?(?:h|hrs?|hours?)", re.IGNORECASE)  # printed behind the number
_MISSING = frozenset({"", "-", "--", "–", "—", "n/a"})
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"  # a footnote's digits, where a program knows them as such
_SPACES = "\u00a0\u2007\u2009\u202f"  # spaces that typesetters put inside a number; a plain space parts two numbers
_GROUPED = rf"[0-9]+|[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[1-9][0-9]{{0,2}}(?:[{_SPACES}][0-9]{{3}})+"
_NUMBER = re.compile(
    rf"(?P<comparator>[<>]=?|[≤≥~]|[a-z]+(?: [a-z]+)?)?\s*"
    rf"(?P<whole>{_GROUPED})(?:\.(?P<fraction>[0-9]+))?"
    rf"(?:\s?(?P<scale>thousand|million|billion|[kmb]))?(?:\s?(?P<percent>%))?\s?(?P<marks>[*†‡§{_RAISED}]+)?",
    re.IGNORECASE,
)
_PERCENTAGE = r"(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,12})?"
_RANGE = re.compile(rf"(?P<low>{_PERCENTAGE})\s?%\s?(?:-|–|—|to)\s?(?P<high>{_PERCENTAGE})\s?%", re.IGNORECASE)
_COMPARATORS = {
    "≤": "<=",
    "≥": ">=",
    "over": ">",
    "more than": ">",
    "at least": ">=",
    "fewer than": "<",
    "less than": "<",
}
_COMPARATORS |= {"under": "<", "about": "~", "around": "~", "approximately": "~", "nearly": "<", "almost": "<"}
_COMPARATORS |= {sign: sign for sign in ("<", ">", "<=", ">=", "~")}
_SCALES = {"thousand": 3, "k": 3, "million": 6, "m": 6, "billion": 9, "b": 9}
_NEGATIVE = re.compile(r"[-–—−]\s?[.\d].*|\(\s?[.\d].*\)")


def parse_number(text: str, unit: str = "count", *, unsigned: bool = False) -> ParsedNumber:
    """Read a number as printed: `21,165,208`, `0`, `-`, `<50`, `>1,000`, `69.1 million`; `4.1%` in the unit percent.

    A count that a program wrote as `920793.0` is whole: one digit after the point parts no thousands.
    A range of percentages, `4%-5%`, is its two bounds and no value (status Q, as for `<50`).

    Nothing is guessed: a negative number, grouping that is not by three, a plain space inside, a part of a whole count,
    a percent sign without the unit percent (or the reverse) or a value that no float holds exactly raises ValueError.
    `unsigned`: the header says percent, and the numbers below it have no sign.
    """
    if squeeze(text).casefold() in _MISSING:
        return ParsedNumber(None, None, None, None, "O")
    printed = text.strip()
    if _NEGATIVE.fullmatch(printed):
        raise ValueError(f"{text!r} is negative, which no count can be")
    if unit == "percent" and (ends := _RANGE.fullmatch(printed)):
        return _between(ends["low"], ends["high"], text)
    if unit == "hours" and (hours := re.fullmatch(r"(.*[0-9])" + _HOURS.pattern, printed, re.IGNORECASE)):
        printed = hours[1]
    match = _NUMBER.fullmatch(printed)
    if match is None:
        raise ValueError(f"{text!r} is not a number as this publisher prints them; its grouping may be malformed")
    if unit in _DECIMALS and ("," in match["whole"] or match["scale"]):
        raise ValueError(f"{text!r} has a comma or a letter, and which number of {unit} that makes is not sure")
    if (match["percent"] is not None) != (unit == "percent" and not unsigned):
        sign = "a" if match["percent"] else "no"
        said = f"its unit is {unit}" + (", which the header says" if unsigned else "")
        raise ValueError(f"{text!r} has {sign} percent sign but {said}")
    number = _scaled(match, text)
    if unit not in _FRACTIONS and (
        number != number.to_integral_value() or (match["fraction"] not in (None, "0") and not match["scale"])
    ):
        raise ValueError(f"{text!r} is not whole, but {unit} is counted whole (and a point may part thousands)")
    if match["marks"] and match["whole"] == "10" and match["marks"].strip(_RAISED) == "":
        raise ValueError(f"{text!r} is ten with a footnote or a power of ten, and which is not sure")
    comparator = _comparator(match["comparator"], text)
    note = f"printed with the footnote mark {match['marks']}" if match["marks"] else None
    if comparator in ("<", "<=") and match["comparator"].casefold() not in ("nearly", "almost"):
        return _below(number, comparator, unit, text, note)
    return ParsedNumber(_exact(number, text), None, None, comparator, "A", note)


def _between(low: str, high: str, text: str) -> ParsedNumber:
    if Decimal(low) >= Decimal(high):
        raise ValueError(f"{text!r} is no range: it does not go from the lower bound to the higher")
    return ParsedNumber(None, _exact(Decimal(low), text), _exact(Decimal(high), text), None, "Q")


def _scaled(match: re.Match[str], text: str) -> Decimal:
    whole, fraction = re.sub("[^0-9]", "", match["whole"]), match["fraction"] or ""
    if len((whole + fraction).lstrip("0")) > 18 or (len(whole) > 1 and whole.startswith("0")):
        raise ValueError(f"{text!r} begins with a zero or is too long for a count")
    if match["scale"] and match["percent"]:
        raise ValueError(f"{text!r} is both scaled and a percentage")
    number = Decimal(f"{whole}.{fraction or '0'}")
    return number.scaleb(_SCALES[match["scale"].casefold()]) if match["scale"] else number


def _comparator(printed: str | None, text: str) -> str | None:
    if printed is None:
        return None
    if printed.casefold() not in _COMPARATORS:
        raise ValueError(f"{text!r} begins with {printed!r}, which is no comparator that is known here")
    return _COMPARATORS[printed.casefold()]


def _below(number: Decimal, comparator: str, unit: str, text: str, note: str | None) -> ParsedNumber:
    high = number - 1 if comparator == "<" and unit not in _FRACTIONS else number
    if high < 0:
        raise ValueError(f"{text!r} leaves no count: none is below zero")
    return ParsedNumber(None, 0.0, _exact(high, text), comparator, "Q", note)


_PRINTED_DIGITS = 15  # more are what a program writes of a number that it holds as a double itself


def _exact(number: Decimal, text: str) -> float:
    value = float(number)
    digits = len(number.normalize().as_tuple().digits)
    if abs(number) > 2**53 or (Decimal(repr(value)) != number and digits <= _PRINTED_DIGITS):
        raise ValueError(f"{text!r} cannot be kept exactly as a number")
    return value


# --- periods --------------------------------------------------------------------------------------------------------

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


# --- observations ---------------------------------------------------------------------------------------------------


def to_observations(
    figures: Iterable[Figure], document: Document, source: Source, extractor_version: str
) -> Harmonised:
    """Give every figure its codes, period, unit and value, as the declaration's `observe` rules say.

    A figure that a closed list, a map or a grammar does not know is quarantined with the reason; an organisation not
    met before becomes provisional. Raises DeclarationError where a constant of the declaration is in no codelist.
    """
    work = _Work(source, document, extractor_version, codes.codelists())
    _name_publisher(work)
    _check_constants(work)
    observations: list[Observation] = []
    quarantined: list[Quarantined] = []
    for figure in figures:
        try:
            observations.append(_observe(figure, work))
        except _RowError as refusal:
            quarantined.append(_set_aside(figure, work, str(refusal)))
    kept, repeated = _part_duplicates(observations)
    met = {code for observation in kept for code in (observation.subject, observation.reporter)}
    return Harmonised(kept, quarantined + repeated, {c: n for c, n in sorted(work.provisional.items()) if c in met})


def unused_corrections(observations: Iterable[Observation]) -> list[Correction]:
    """Corrections whose figures are there but print something else: the publisher has mended it, so remove the line.

    A correction is used where it was applied to any observation; where no figure matches it at all, it says nothing.
    """
    by_table: dict[tuple[str, str], list[Correction]] = {}
    for correction in codes.codelists().correction.values():
        by_table.setdefault((correction.source_id, correction.table_name), []).append(correction)
    met: dict[str, Correction] = {}
    used = set()
    for observation in observations:
        for correction in by_table.get((observation.source_id, observation.figure.table), ()):
            if _concerns(correction, observation.figure.labels):
                met[correction.correction_id] = correction
                if _applies(correction, observation.figure.labels):
                    used.add(correction.correction_id)
    return [correction for code, correction in sorted(met.items()) if code not in used]


_FIELDS = ("metric", "subject", "ref_area", "harm")


class _RowError(ValueError):
    """Why a figure cannot become an observation. Its text is the row's reason in quarantine."""


class _Coded(NamedTuple):
    code: str
    dimensions: Mapping[str, str]


@dataclass(slots=True)
class _Work:
    """One document's figures while they are harmonised: what is declared, and what was looked up before."""

    source: Source
    document: Document
    extractor_version: str
    lists: Codelists
    provisional: dict[str, str] = field(default_factory=dict)
    rules: dict[str, list[Observe]] = field(default_factory=dict)
    corrections: dict[str, list[Correction]] = field(default_factory=dict)
    coded: dict[tuple[int, str, str, date | None], _Coded | str] = field(default_factory=dict)  # or why not
    series: dict[tuple[object, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rule in self.source.observe:
            self.rules.setdefault(rule.table, []).append(rule)
        for correction in self.lists.correction.values():
            if correction.source_id == self.source.id:
                self.corrections.setdefault(correction.table_name, []).append(correction)


def _name_publisher(work: _Work) -> None:
    """Take in a publisher that the codelist lacks under the name that its declaration gives it."""
    code, name = work.source.publisher, work.source.publisher_name
    if name is None:
        return
    if code in work.lists.organisation:
        known = work.lists.organisation[code].name
        raise DeclarationError(
            f"{work.source.id}.yml: publisher_name: {code!r} is {known!r} in organisation.csv: remove it"
        )
    if code != (same := codes.provisional_code(name, work.lists.organisation)):
        raise DeclarationError(
            f"{work.source.id}.yml: publisher: is {code!r}, must be {same!r}, the code that {name!r} has as a subject"
        )
    work.provisional[code] = name


def _check_constants(work: _Work) -> None:
    lists, where = work.lists, f"{work.source.id}.yml"
    organisations = lists.organisation.keys() | work.provisional.keys()
    known: Mapping[str, Container[str]] = {
        "metric": lists.metric,
        "subject": organisations,
        "ref_area": lists.area,
        "harm": lists.harm,
    }
    constants: list[tuple[str, str, Container[str]]] = [
        ("publisher", work.source.publisher, organisations),
        ("reporter", work.source.reporter, organisations),
    ]
    for rule in work.source.observe:
        for name, codelist in known.items():
            if isinstance(value := getattr(rule, name), str):
                constants.append((f"observe {rule.table}: {name}", value, codelist))
    for name, code, codelist in constants:
        if code not in codelist:
            new = ", or say who it is with `publisher_name`" if name == "publisher" else ""
            raise DeclarationError(f"{where}: {name}: {code!r} is in no codelist; add it there or correct it here{new}")


def _observe(figure: Figure, work: _Work) -> Observation:
    rule = _rule(figure, work)
    labels, note = _corrected(figure, work)
    texts = {label: squeeze(text) for label, text in labels.items()}
    if rule.doubt is not None and texts.get(rule.doubt):
        raise _RowError(texts[rule.doubt])
    totals = _totals(texts, rule)
    period = _period_of(texts, totals, rule, work)
    fields = {name: _code(name, getattr(rule, name), texts, totals, period.end, work) for name in _FIELDS}
    metric = _metric(fields["metric"].code, work)
    number = _bounded(_number(figure, rule, metric.unit_measure), figure, rule, metric.unit_measure)
    dimensions = _dimensions(texts, totals, fields, period, rule, work)
    reporter = _reporter(rule, texts, totals, period, work)
    key = (
        reporter,
        fields["subject"].code,
        metric.metric,
        fields["harm"].code,
        fields["ref_area"].code,
        dimensions,
        period.freq,
    )
    comparator = number.comparator or _code("comparator", rule.comparator, texts, totals, None, work).code
    rounded = rule.comparator == "~"  # every figure of the rule, those that are held back or missing too
    exact = not rounded and (comparator == "=" or number.status != "A")
    series_id = _series_id(key if exact else (*key, "~" if rounded else comparator), metric.unit_measure, work)
    locator = str(figure.locator)
    return Observation(
        observation_id=_observation_id(figure, locator, series_id, period.time_period, work),
        series_id=series_id,
        source_id=work.source.id,
        document_id=work.document.document_id,
        reporter=reporter,
        subject=fields["subject"].code,
        metric=metric.metric,
        harm=fields["harm"].code,
        ref_area=fields["ref_area"].code,
        dimensions=dict(dimensions),
        freq=period.freq,
        time_period=period.time_period,
        period_start=period.start,
        period_end=period.end,
        obs_value=number.value,
        value_low=number.low,
        value_high=number.high,
        comparator=comparator,
        unit_measure=metric.unit_measure,
        obs_status=_status(rule, texts, totals, work) if number.status == "A" else number.status,
        is_total=bool(totals),
        obs_text=figure.text,
        label_text=_label_text(figure, work),
        locator=locator,
        extractor_version=work.extractor_version,
        figure=figure,
        note="; ".join(filter(None, (note, number.note, texts.get(rule.note or "")))) or None,
        cited_url=rule.cited.text(figure.labels) or None if rule.cited else None,
    )


def _rule(figure: Figure, work: _Work) -> Observe:
    rules = work.rules.get(figure.table, [])
    if len(rules) != 1:
        raise _RowError(
            f"{len(rules)} `observe` rules are for the table {figure.table!r}, must be one: see the declaration"
        )
    return rules[0]


def _corrected(figure: Figure, work: _Work) -> tuple[Mapping[str, str], str | None]:
    """The labels with every correction made that applies, and a note that says so."""
    labels, notes = figure.labels, []
    for correction in work.corrections.get(figure.table, ()):
        if _concerns(correction, figure.labels) and _applies(correction, figure.labels):
            labels = {**labels, correction.field: correction.corrected}
            what = f"{correction.field} printed {correction.printed!r}, read as {correction.corrected!r}"
            notes.append(f"correction {correction.correction_id}: {what}")
    return labels, "; ".join(notes) or None


def _concerns(correction: Correction, labels: Mapping[str, str]) -> bool:
    patterns = codes.match_patterns(correction).items()
    return all(label in labels and pattern.fullmatch(squeeze(labels[label])) for label, pattern in patterns)


def _applies(correction: Correction, labels: Mapping[str, str]) -> bool:
    return squeeze(labels.get(correction.field, "")) == correction.printed


def _totals(texts: Mapping[str, str], rule: Observe) -> frozenset[str]:
    """The labels whose text says that the figure is a total across them."""
    patterns = rule.totals.items()
    return frozenset(label for label, pattern in patterns if label in texts and _full(pattern, texts[label]))


@lru_cache(maxsize=1 << 14)
def _full(pattern: str, text: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, text, re.IGNORECASE)


def _reporter(rule: Observe, texts: Mapping[str, str], totals: frozenset[str], period: Period, work: _Work) -> str:
    """Who counted: the source's reporter, unless the rule reads one from a label. Never a name not met before."""
    if rule.reporter is None:
        return work.source.reporter
    code = _code("subject", rule.reporter, texts, totals, period.end, work).code
    if code not in work.lists.organisation:
        raise _RowError(f"reporter: {code!r} is in no codelist: add it to organisation.csv")
    return code


def _period_of(texts: Mapping[str, str], totals: frozenset[str], rule: Observe, work: _Work) -> Period:
    code = _code("time_period", rule.time_period, texts, totals, None, work).code
    try:
        period = parse_period(code)
    except ValueError as error:
        raise _RowError(f"time_period: {error}") from None
    if rule.freq not in (period.freq, "*"):
        raise _RowError(f"time_period: {code!r} has the frequency {period.freq}, declared is {rule.freq}")
    return period


def _code(
    name: str, value: Value, texts: Mapping[str, str], totals: frozenset[str], on: date | None, work: _Work
) -> _Coded:
    """The code of one field. A label that the figure does not have reads as an empty text, which only a map takes."""
    if isinstance(value, str):
        return _Coded(value, {})
    text = value.text(texts)
    if value.label in totals and not (value.total is None and _is_mapped(value, text)):
        return _Coded(codes.TOTAL if value.total is None else value.total, {})
    key = (id(value), name, text, on)
    if key not in work.coded:
        try:
            work.coded[key] = _look_up(name, value, text, on, work)
        except _RowError as refusal:
            work.coded[key] = str(refusal)
    found = work.coded[key]
    if isinstance(found, str):
        raise _RowError(found)
    return found


def _look_up(name: str, value: FromLabel, text: str, on: date | None, work: _Work) -> _Coded:
    if value.map is not None and (value.rest == "refuse" or _is_mapped(value, text)):
        return _Coded(_mapped(name, value, text), {})
    if value.rest == "slug":
        return _Coded(_slug(name, value, text), {})
    if value.code is not None:
        return _Coded(_area_code(name, value.code, text), {})
    if name in ("time_period", "metric"):
        return _Coded(text, {})
    codelist = value.codelist or name
    if on is None or codelist not in ("subject", "ref_area", "harm"):
        raise _RowError(f"{name}: the label {value.label!r} ({text!r}) needs a map in the declaration")
    find = {"subject": _organisation, "ref_area": _area, "harm": _harm}[codelist]
    found = [find(part, on, work) for part in (text.split(" | ") if isinstance(value.label, tuple) else [text])]
    if len(said := {coded.code for coded in found}) != 1:
        raise _RowError(f"{name}: {text!r} of {value.label!r} are {len(said)} codes, {', '.join(sorted(said))}")
    return found[0]


def _is_mapped(value: FromLabel, text: str) -> bool:
    """Whether the map names the text itself, as it can a subtotal: `Total Federal Agencies: federal`."""
    return any(_full(pattern, text) for pattern in value.map or {})


def _mapped(name: str, value: FromLabel, text: str) -> str:
    """The code of the one pattern that matches the whole text; `\\1` in a code stands for the pattern's first group."""
    matches = [(match, code) for pattern, code in (value.map or {}).items() if (match := _full(pattern, text))]
    found = sorted({match.expand(code) if "\\" in code else code for match, code in matches})
    if len(found) != 1:
        said = f"matches {len(found)} codes ({', '.join(found)})" if found else "matches no pattern of the map"
        raise _RowError(f"{name}: {text!r} of the label {value.label!r} {said}: complete the declaration's map")
    return found[0]


def _slug(name: str, value: FromLabel, text: str) -> str:
    """The words of a label that is no codelist's, as a code. Letters that a code cannot hold are refused."""
    if _full(_TOTAL_WORDS, codes.label_key(text)):
        raise _RowError(f"{name}: {text!r} looks like a total that the declaration's `totals` does not know")
    words = re.findall(r"[a-z0-9]+", codes.label_key(text).replace("'", ""))
    if not words or re.search(r"[^\W\d_a-z]", codes.label_key(text)):
        raise _RowError(f"{name}: {text!r} of the label {value.label!r} makes no code: add it to the declaration's map")
    return "_".join(words)


_TOTAL_WORDS = (
    r"(?:grand |sub-?)?totals?(?: (?:of|for|number|reports|esps?)\b.*)?[:*]*|sum|overall|all(?: esps?| others?)?"
)


def _organisation(text: str, on: date, work: _Work) -> _Coded:
    if not re.search(r"[^\W\d_]", text):
        raise _RowError(f"subject: {text!r} is no name of an organisation")
    if _full(_TOTAL_WORDS, text):
        raise _RowError(f"subject: {text!r} looks like a total that the declaration's `totals` does not know")
    name = text.rstrip(_RAISED)
    noted = {"footnote": text[len(name) :]} if name != text else {}  # as an asterisk: nobody knows what it means
    found = codes.find_organisation(name, work.source.id, on, work.lists)
    if found is not None:
        return _Coded(found.code, {**found.dimensions, **noted})
    code = codes.provisional_code(name, work.lists.organisation)
    work.provisional.setdefault(code, name)
    return _Coded(code, {**codes.footnote_dimensions(name, work.source.id, on, work.lists), **noted})


def _area(text: str, _on: date, work: _Work) -> _Coded:
    found = codes.find_area(text.rstrip(_RAISED), work.source.id, work.lists)
    if found is None:
        near = ", ".join(f"{name} ({code})" for name, code, _ in codes.nearest_areas(text))
        raise _RowError(f"ref_area: {text!r} is no area that area_name.csv or ISO 3166 names; the nearest: {near}")
    return _Coded(found.code, found.dimensions)


def _area_code(name: str, scheme: Literal["iso3", "m49"], text: str) -> str:
    found = codes.find_area_code(text, scheme)
    if found is None:
        what = {"iso3": "ISO 3166-1 (three letters)", "m49": "UN M49"}[scheme]
        raise _RowError(f"{name}: {text!r} is no country's code of {what}: map it, or leave it out by `skip`")
    return found


def _status(rule: Observe, texts: Mapping[str, str], totals: frozenset[str], work: _Work) -> str:
    """The status of a figure that has a value, as declared or as the row's own label says."""
    code = _code("obs_status", rule.obs_status, texts, totals, None, work).code
    if code not in work.lists.obs_status:
        raise _RowError(f"obs_status: {code!r} is in no codelist: correct the declaration's map")
    return code


def _harm(text: str, on: date, work: _Work) -> _Coded:
    found = codes.find_harm(text, work.source.template or work.source.id, on, work.lists)
    if found is None:
        whose = work.source.template or work.source.id
        raise _RowError(f"harm: {text!r} is not in harm_label.csv for {whose}: add it there after review")
    return _Coded(found, {})


def _metric(code: str, work: _Work) -> Metric:
    if code not in work.lists.metric:
        raise _RowError(f"metric: {code!r} is not in metric.csv: add it there or correct the declaration's map")
    return work.lists.metric[code]


def _dimensions(
    texts: Mapping[str, str],
    totals: frozenset[str],
    fields: Mapping[str, _Coded],
    period: Period,
    rule: Observe,
    work: _Work,
) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for name, value in rule.dimensions.items():
        found[name] = _code(f"dimension {name}", value, texts, totals, period.end, work).code
    for coded in fields.values():
        for name, code in coded.dimensions.items():
            if found.setdefault(name, code) != code:
                raise _RowError(f"dimension {name}: both {found[name]!r} and {code!r}")
    _check_closed(fields, work)
    return tuple(sorted(found.items()))


def _check_closed(fields: Mapping[str, _Coded], work: _Work) -> None:
    """Codes that came out of a map must be in their codelist too; an organisation may be a provisional one."""
    lists = work.lists
    codelists: tuple[Container[str], ...] = (lists.organisation, lists.area, lists.harm)
    for name, known in zip(("subject", "ref_area", "harm"), codelists, strict=True):
        code = fields[name].code
        if code not in known and not (name == "subject" and code in work.provisional):
            raise _RowError(f"{name}: {code!r} is in no codelist: correct the declaration's map")


def _number(figure: Figure, rule: Observe, unit: str) -> ParsedNumber:
    number = _ranked(figure.text, rule.ranks) if rule.ranks else _read(figure.text, rule, unit)
    agreeing = ("=", "~", number.comparator) if number.status == "Q" else ("=", number.comparator)
    if number.comparator is not None and rule.comparator not in agreeing:
        raise _RowError(f"number: {figure.text!r} says {number.comparator}, the declaration says {rule.comparator}")
    return number


def _read(text: str, rule: Observe, unit: str) -> ParsedNumber:
    if rule.missing is not None and _full(rule.missing, squeeze(text)):
        return ParsedNumber(None, None, None, None, "O")
    try:
        return parse_number(text, unit, unsigned=rule.percent_sign == "header")
    except ValueError as error:
        raise _RowError(f"number: {error}") from None


def _ranked(text: str, ranks: Mapping[str, float | None]) -> ParsedNumber:
    """The place that a printed word has on an ordinal scale; status O for a word that is off the scale."""
    found = {rank for pattern, rank in ranks.items() if _full(pattern, squeeze(text))}
    if len(found) != 1:
        raise _RowError(f"number: {text!r} is {len(found)} places of the declaration's `ranks`, must be one")
    rank = found.pop()
    return ParsedNumber(rank, None, None, None, "O" if rank is None else "A")


def _bounded(number: ParsedNumber, figure: Figure, rule: Observe, unit: str) -> ParsedNumber:
    """The number with the bounds that the row prints in columns of their own, such as a confidence interval."""
    if rule.low is None or rule.high is None:
        return number
    low, high = (_read(figure.labels.get(label, ""), rule, unit).value for label in (rule.low, rule.high))
    if low is None and high is None:
        return number
    if low is None or high is None or low > high or not low <= (low if number.value is None else number.value) <= high:
        raise _RowError(f"number: {figure.text!r} is not between its bounds, {low} and {high}")
    return replace(number, low=low, high=high, status="Q" if number.value is None else number.status)


def _series_id(key: tuple[object, ...], unit: str, work: _Work) -> str:
    if (found := work.series.get(key)) is None:
        parts = [work.source.id, *key, unit]
        found = work.series[key] = _digest(parts)
    return found


def _observation_id(figure: Figure, locator: str, series_id: str, time_period: str, work: _Work) -> str:
    labels = sorted(figure.labels.items())
    return _digest([work.document.document_id, figure.table, locator, labels, series_id, time_period])


_write_json = json.JSONEncoder(separators=(",", ":")).encode  # one encoder for all: a new one each time is slow


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(_write_json(parts).encode()).hexdigest()[:16]


def _label_text(figure: Figure, work: _Work) -> str:
    """The printed labels that tell what the figure is, without what is said about it elsewhere."""
    aside = {name for rule in work.rules.get(figure.table, ()) for name in _said_aside(rule)}
    return " | ".join(text for label, text in figure.labels.items() if label not in aside)


def _said_aside(rule: Observe) -> list[object]:
    return [rule.note, rule.doubt, rule.low, rule.high, rule.cited.label if rule.cited else None]


def _set_aside(figure: Figure, work: _Work, reason: str) -> Quarantined:
    return Quarantined(
        source_id=work.source.id,
        document_id=work.document.document_id,
        scope="row",
        reason=reason,
        table=figure.table,
        label_text=_label_text(figure, work),
        obs_text=figure.text,
        locator=str(figure.locator),
    )


# --- duplicates -----------------------------------------------------------------------------------------------------


def _part_duplicates(observations: list[Observation]) -> tuple[list[Observation], list[Quarantined]]:
    """Set aside what contradicts itself: one series and period printed twice in a table, or differently in two tables.

    A figure that several tables of a document print alike is kept each time: a repeat is evidence, and every table
    needs its own total.
    """
    groups: dict[tuple[str, str], list[Observation]] = {}
    for observation in observations:
        groups.setdefault((observation.series_id, observation.time_period), []).append(observation)
    aside: list[Quarantined] = []
    for group in groups.values():
        tables = {o.figure.table for o in group}
        if len({_said(o) for o in group}) > 1 or len(tables) < len(group):
            texts = "; ".join(f"{o.label_text}: {o.obs_text!r} at {o.locator}" for o in group)
            reason = f"duplicate key, one series and period printed more than once: {texts}"
            aside += [_duplicate(o, reason) for o in group]
    gone = {q.observation_id for q in aside}
    return [o for o in observations if o.observation_id not in gone], aside


def _said(observation: Observation) -> tuple[float | None, float | None, float | None, str]:
    return observation.obs_value, observation.value_low, observation.value_high, observation.obs_status


def _duplicate(observation: Observation, reason: str) -> Quarantined:
    return Quarantined(
        source_id=observation.source_id,
        document_id=observation.document_id,
        scope="row",
        reason=reason,
        expectation="one_figure_a_series_and_period",
        table=observation.figure.table,
        label_text=observation.label_text,
        obs_text=observation.obs_text,
        locator=observation.locator,
        observation_id=observation.observation_id,
    )
