"""Codelists: the closed and open lists of codes, as CSV in `codelists/`, read once, typed and checked together.

A fault in a list (an unknown code, a key twice, validities that overlap, a parent that does not exist) raises
DeclarationError with the file and the line. Dates are ISO days and include their end; an empty cell is an open end.
"""

import csv
import hashlib
import json
import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar

from lightwell.errors import DeclarationError
from lightwell.settings import resource

TOTAL, UNKNOWN, NOT_APPLICABLE = "_T", "_U", "_Z"
MEASURES = ("flow", "stock", "cumulative", "share", "rank")
ORGANISATION_KINDS = (
    "aggregate",
    "brand",
    "clearinghouse",
    "company",
    "government",
    "hotline",
    "intergovernmental",
    "nonprofit",
)
COMPARATORS = ("=", ">", "<", "~", ">=", "<=")
VERDICTS = (
    "arithmetic_fails",
    "contradicts",
    "lower_bound",
    "other_universe",
    "within_rounding",
    "wrong_reference",
)
EVIDENCE = ("quoted", "document", "page", "general", "constant", "supposed")
EXPLANATIONS = ("duplicates", "incomplete", "not_explained", "recalibration", "rounding", "training_data", "unit")
_CODE = re.compile(r"_[TUZ]|[a-z0-9]+(?:_[a-z0-9]+)*")
_SHA256 = re.compile("[0-9a-f]{64}")
_FOOTNOTE_MARKS = "*†‡"
_LEGAL_FORM = re.compile(
    "ab|ag|bv|co|corp|corporation|gmbh|inc|incorporated|kft|limited|llc|ltd|nv|opco|pbc|plc|pte|sarl|sro"
)
_SLASHED_FORMS = re.compile(r"\b(?:d\s*/\s*b\s*/\s*a|a/s)\b")
_BETWEEN_PARTS = re.compile(r"[,/()\[\];:|–—]|\s-\s|\b(?:dba|d\.b\.a\.?)(?=\s)")
_WORD = re.compile(r"[^\W_]+")
_DATES = ("valid_from", "valid_to", "event_date", "recorded_on")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who counted or whom a count is about: a company, a brand, a hotline, or all of a kind together."""

    organisation: str
    name: str
    kind: str
    country: str  # ref_area of its seat; empty where not recorded
    note: str


@dataclass(frozen=True, slots=True)
class OrganisationName:
    """A name as publishers print it. The name `*` says what an asterisk after any name means in that source."""

    name: str
    organisation: str
    source_id: str  # empty: any source
    valid_from: str
    valid_to: str
    combined: str  # `yes`: the count takes in affiliated companies
    variant: str  # not empty: another series of the same organisation, told apart by this word


@dataclass(frozen=True, slots=True)
class OrganisationParent:
    """Which organisation another belongs to, and when."""

    organisation: str
    parent: str
    valid_from: str
    valid_to: str
    source: str


@dataclass(frozen=True, slots=True)
class Area:
    """A country or territory of ISO 3166-1, or one of the few codes beside it."""

    ref_area: str
    name: str
    alpha_2: str
    kind: str  # country | former | region | special


@dataclass(frozen=True, slots=True)
class AreaName:
    """A name as publishers print it that ISO 3166 does not know."""

    name: str
    ref_area: str
    source_id: str
    variant: str  # not empty: another series of the same area, told apart by this word
    note: str


@dataclass(frozen=True, slots=True)
class Metric:
    """What is counted, in which unit, and whether its parts may be added."""

    metric: str
    title: str
    unit_measure: str
    measure: str  # flow | stock | cumulative | share | rank (ordinal: never averaged)
    additive: str  # yes | no: over the areas, organisations or recipients it is broken down by
    definition: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure."""

    unit_measure: str
    title: str
    note: str


@dataclass(frozen=True, slots=True)
class Harm:
    """A kind of harm. `luxembourg_term` is the term of the Luxembourg Guidelines, where there is one."""

    harm: str
    title: str
    parent: str
    luxembourg_term: str
    definition: str


@dataclass(frozen=True, slots=True)
class HarmLabel:
    """What a publisher calls a kind of harm."""

    source_id: str
    label: str
    harm: str
    valid_from: str
    valid_to: str
    note: str


@dataclass(frozen=True, slots=True)
class SeriesBreak:
    """A change of definition: values before and after are not comparable. An empty field means all.

    `bridge_metric`: the metric by which the publisher goes on counting as before the break, where it does.
    """

    break_id: str
    source_id: str
    metric: str
    subject: str
    ref_area: str
    time_period: str  # the first period of the new definition
    title: str
    description: str
    bridge_metric: str
    citation: str


@dataclass(frozen=True, slots=True)
class ComparisonSide:
    """Whose counts stand on one side of a comparison of a platform with the clearinghouse."""

    comparison: str
    side: str  # platform | clearinghouse
    subject: str
    valid_from: str
    valid_to: str


@dataclass(frozen=True, slots=True)
class ComparisonExplanation:
    """Why the two sides of a comparison differ in a year, and who says so."""

    comparison: str
    year: str
    explanation: str  # one of EXPLANATIONS
    note: str
    citation: str


@dataclass(frozen=True, slots=True)
class CountryRole:
    """On which side of a trade an area is said to be, and who says so. An area can have both roles."""

    ref_area: str
    role: str  # supply | demand
    said_by: str
    citation: str


@dataclass(frozen=True, slots=True)
class QuotedDocument:
    """A public text whose figures are checked. Only its sha256 is kept, never its words."""

    quoted_document: str
    file_name: str
    title: str
    publisher: str
    published: str  # a day or a year; empty where it is not known
    url: str
    document_id: str  # sha256 of the whole text, as UTF-8


@dataclass(frozen=True, slots=True)
class QuotedFigure:
    """One value of one sentence of a quoted document. The range of characters and its sha256 stand for the sentence."""

    quoted_id: str  # the sentence: A1, B11
    part: str  # the value in it, from 1
    quoted_document: str
    char_start: str  # characters from the beginning of the text, from 0
    char_end: str  # the character after the last
    text_sha256: str  # of the characters in between, as UTF-8
    what: str  # what is counted, in our own words
    quoted_value: str  # empty where a range, a word or no number is quoted
    value_low: str
    value_high: str
    comparator: str
    unit_measure: str
    rate_per: str  # week, year, livestream: what the value is for one of
    time_period: str  # empty: not stated
    ref_area: str  # empty: no area is named
    named_areas: str  # areas that the sentence names, by code, parted by spaces
    quoted_term: str  # what is quoted where it is no quantity: a direction, a law
    metric: str  # the warehouse's metric of the same quantity, where there is one
    harm: str
    redundant_with: str  # the quoted_id that says the same
    note: str


@dataclass(frozen=True, slots=True)
class QuotedConflict:
    """A quoted figure that something else contradicts or qualifies: what, how it was judged, how it is handled."""

    conflict_id: str
    title: str
    quoted_ids: str  # parted by spaces; empty where neither document quotes it
    verdict: str
    read_comparator: str  # how the value is to be read, where not as quoted
    handling: str
    citation: str


@dataclass(frozen=True, slots=True)
class QuotedConflictValue:
    """One of the values that stand beside each other in a conflict. Where the release holds the observation that the
    codes name, its value is taken and not `amount`."""

    conflict_id: str
    value_key: str
    said_by: str
    what: str
    quoted_id: str  # with `part`: the quoted figure whose value it is
    part: str
    amount: str
    value_low: str
    value_high: str
    comparator: str
    unit_measure: str
    rate_per: str
    term: str
    time_period: str
    source_id: str  # of the observation; empty any
    reporter: str
    metric: str  # of the observation; empty: none is looked up
    subject: str
    ref_area: str
    harm: str
    dimension: str  # that tells the observation from others: `study=ijm_osec_2020`; empty: it has none
    evidence: str
    citation: str


@dataclass(frozen=True, slots=True)
class QuotedConflictStep:
    """One line of arithmetic of a conflict: `left operator right`, held against a value."""

    conflict_id: str
    step: str
    what: str
    left_key: str
    operator: str  # * / + - or empty: left alone
    right_key: str
    relation: str  # how the result must stand to the other value
    against_key: str
    tolerance: str  # how far off is still equal
    expected: str  # holds | fails: an audit recomputes it


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and that can move the numbers. An empty code means all."""

    event_id: str
    event_date: str
    title: str
    source_id: str
    metric: str
    subject: str
    ref_area: str
    description: str
    citation: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A publisher's slip in one printed label. `match` is a JSON object: label -> pattern over its whole text."""

    correction_id: str
    source_id: str
    table_name: str
    match: str
    field: str  # the label that is replaced
    printed: str
    corrected: str
    reason: str
    citation: str
    recorded_on: str


@dataclass(frozen=True, slots=True)
class Status:
    """A status of an observation (SDMX)."""

    obs_status: str
    title: str
    note: str


@dataclass(frozen=True, slots=True)
class Frequency:
    """The length of a period (SDMX)."""

    freq: str
    title: str
    note: str


class Found(NamedTuple):
    """What a printed name stands for, and the dimensions that tell its series apart."""

    code: str
    dimensions: Mapping[str, str]


class Nearest(NamedTuple):
    """A known name, its code, and how alike it is (0 to 100)."""

    name: str
    code: str
    score: float


@dataclass(frozen=True)
class Codelists:
    """All codelists of one folder, checked against each other. Lists with a code are mappings from it."""

    organisation: Mapping[str, Organisation]
    organisation_name: list[OrganisationName]
    organisation_parent: list[OrganisationParent]
    area: Mapping[str, Area]
    area_name: list[AreaName]
    metric: Mapping[str, Metric]
    unit: Mapping[str, Unit]
    harm: Mapping[str, Harm]
    harm_label: list[HarmLabel]
    series_break: Mapping[str, SeriesBreak]
    comparison_side: list[ComparisonSide]
    comparison_explanation: list[ComparisonExplanation]
    country_role: list[CountryRole]
    quoted_document: Mapping[str, QuotedDocument]
    quoted_figure: list[QuotedFigure]
    quoted_conflict: list[QuotedConflict]
    quoted_conflict_value: list[QuotedConflictValue]
    quoted_conflict_step: list[QuotedConflictStep]
    event: Mapping[str, Event]
    correction: Mapping[str, Correction]
    obs_status: Mapping[str, Status]
    freq: Mapping[str, Frequency]
    names_by_key: Mapping[tuple[str, str, bool], list[OrganisationName]]  # (source_id or '', key, asterisk)
    areas_by_key: Mapping[tuple[str, str], AreaName]  # (source_id or '', key)
    harms_by_key: Mapping[tuple[str, str], list[HarmLabel]]


def codelists() -> Codelists:
    """The codelists that travel with the code."""
    return load(resource("codelists"))


@cache
def load(folder: Path) -> Codelists:
    """Read and check every codelist of a folder. Raises DeclarationError naming file and line."""
    unit = _keyed(_entries(folder, "unit", Unit))
    organisations = _entries(folder, "organisation", Organisation)
    organisation = _keyed(organisations)
    _check_organisations(organisations)
    metrics = _entries(folder, "metric", Metric)
    metric = _keyed(metrics)
    _check_metrics(metrics, unit)
    harms = _entries(folder, "harm", Harm)
    harm = _keyed(harms)
    _check_harms(harms, harm)
    breaks = _entries(folder, "series_break", SeriesBreak)
    _check_breaks(breaks, metric, organisation)
    events = _entries(folder, "event", Event)
    _check_events(events, metric, organisation)
    roles = _entries(folder, "country_role", CountryRole)
    _check_roles(roles)
    quoted = _load_quoted(folder, metric, unit, harm)
    corrections = _entries(folder, "correction", Correction)
    _check_corrections(corrections)
    parents = _entries(folder, "organisation_parent", OrganisationParent)
    _check_parents(parents, organisation)
    sides = _entries(folder, "comparison_side", ComparisonSide)
    _check_sides(sides, organisation)
    explanations = _entries(folder, "comparison_explanation", ComparisonExplanation)
    _check_explanations(explanations, {entry.value.comparison for entry in sides})
    names = _entries(folder, "organisation_name", OrganisationName)
    area_names = _entries(folder, "area_name", AreaName)
    labels = _entries(folder, "harm_label", HarmLabel)
    return Codelists(
        organisation=organisation,
        organisation_name=[entry.value for entry in names],
        organisation_parent=[entry.value for entry in parents],
        area=areas(),
        area_name=[entry.value for entry in area_names],
        metric=metric,
        unit=unit,
        harm=harm,
        harm_label=[entry.value for entry in labels],
        series_break=_keyed(breaks),
        comparison_side=[entry.value for entry in sides],
        comparison_explanation=[entry.value for entry in explanations],
        country_role=[entry.value for entry in roles],
        quoted_document=quoted.document,
        quoted_figure=quoted.figure,
        quoted_conflict=quoted.conflict,
        quoted_conflict_value=quoted.value,
        quoted_conflict_step=quoted.step,
        event=_keyed(events),
        correction=_keyed(corrections),
        obs_status=_keyed(_entries(folder, "obs_status", Status)),
        freq=_keyed(_entries(folder, "freq", Frequency)),
        names_by_key=_index_names(names, organisation),
        areas_by_key=_index_areas(area_names),
        harms_by_key=_index_harms(labels, harm),
    )


def areas() -> Mapping[str, Area]:
    """Every area by its code: ISO 3166-1 alpha-3 from pycountry, and ANT, XKX, EUE, EUROPE, W1, _T, _U, _Z."""
    return _areas()


def as_rows(lists: Codelists) -> dict[str, list[dict[str, str]]]:
    """Every codelist as rows of text by table name, in the files' order: what the warehouse loads and exports write."""
    tables: dict[str, list[dict[str, str]]] = {}
    for name in TABLES:
        found = getattr(lists, name)
        entries = found.values() if isinstance(found, Mapping) else found
        tables[name] = [asdict(entry) for entry in entries]
    return tables


TABLES: Mapping[str, tuple[str, ...]] = {
    name: tuple(f.name for f in fields(kind))
    for name, kind in (
        ("organisation", Organisation),
        ("organisation_name", OrganisationName),
        ("organisation_parent", OrganisationParent),
        ("area", Area),
        ("area_name", AreaName),
        ("metric", Metric),
        ("unit", Unit),
        ("harm", Harm),
        ("harm_label", HarmLabel),
        ("series_break", SeriesBreak),
        ("comparison_side", ComparisonSide),
        ("comparison_explanation", ComparisonExplanation),
        ("country_role", CountryRole),
        ("quoted_document", QuotedDocument),
        ("quoted_figure", QuotedFigure),
        ("quoted_conflict", QuotedConflict),
        ("quoted_conflict_value", QuotedConflictValue),
        ("quoted_conflict_step", QuotedConflictStep),
        ("event", Event),
        ("correction", Correction),
        ("obs_status", Status),
        ("freq", Frequency),
    )
}


# --- names ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 14)
def squeeze(text: str) -> str:
    """The text with every run of white space (no-break and thin spaces too) as one space, and none at its ends."""
    return " ".join(text.split())


def strip_marks(text: str) -> str:
    """The text without the footnote marks at its end."""
    return squeeze(text).rstrip(_FOOTNOTE_MARKS + " ")


@lru_cache(maxsize=1 << 14)
def label_key(text: str) -> str:
    """What two spellings of a label or an area have in common: case, accents, curly quotes and marks are left out."""
    folded = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'")).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return strip_marks(plain)


@lru_cache(maxsize=1 << 14)
def name_key(name: str) -> str:
    """What two spellings of an organisation's name have in common: words without case, punctuation and legal form.

    A legal form is left out only at the end of a part of the name, and only where something of the part is left.
    """
    text = _SLASHED_FORMS.sub("/", label_key(name).replace("'", ""))
    kept = [token for part in _BETWEEN_PARTS.split(text) for token in _without_legal_form(part.split())]
    return " ".join(_WORD.findall(" ".join(kept)) or _WORD.findall(text))


def _without_legal_form(tokens: list[str]) -> list[str]:
    while tokens and _LEGAL_FORM.fullmatch(tokens[-1].replace(".", "")):
        tokens = tokens[:-1]
    return tokens


def provisional_code(name: str, known: Iterable[str]) -> str:
    """A code for a name that no codelist knows: its words joined by `_`, the same in every document.

    Names with different words get different codes: where joining loses something (letters outside a-z, a code that a
    known organisation has, more than 60 characters) eight digits of the words' sha256 are added.
    """
    key = name_key(name)
    slug = "_".join(re.findall(r"[a-z0-9]+", key))
    if slug.replace("_", " ") == key and slug not in known and len(slug) <= 60:
        return slug
    return "_".join(filter(None, (slug[:60].strip("_"), hashlib.sha256(key.encode()).hexdigest()[:8])))


def find_organisation(name: str, source_id: str, on: date, lists: Codelists) -> Found | None:
    """The organisation a printed name stands for on a day, or None for a name not met before.

    The source's own names go before the general ones. An asterisk whose meaning the codelist does not declare for this
    source and day makes a series of its own (`footnote`), for nobody knows what it means.
    """
    starred = squeeze(name).endswith("*")
    key = name_key(name)
    if starred and (entry := _valid(_named(lists, source_id, key, starred=True), on)):
        return Found(entry.organisation, _name_dimensions(entry))
    plain = _valid(_named(lists, source_id, key, starred=False), on)
    if plain is None:
        return None
    return Found(plain.organisation, _name_dimensions(plain) | footnote_dimensions(name, source_id, on, lists))


def footnote_dimensions(name: str, source_id: str, on: date, lists: Codelists) -> dict[str, str]:
    """What an asterisk after a name adds: `affiliates` where the source declares it so, else `footnote`."""
    if not squeeze(name).endswith("*"):
        return {}
    mark = _valid(lists.names_by_key.get((source_id, "", True), ()), on)
    return {"footnote": "*"} if mark is None else _name_dimensions(mark)


def _named(lists: Codelists, source_id: str, key: str, *, starred: bool) -> Iterator[OrganisationName]:
    if not key:
        return
    yield from lists.names_by_key.get((source_id, key, starred), ())
    yield from lists.names_by_key.get(("", key, starred), ())


def _name_dimensions(entry: OrganisationName) -> dict[str, str]:
    found = {"affiliates": "combined"} if entry.combined == "yes" else {}
    return found | ({"subject_variant": entry.variant} if entry.variant else {})


def _valid(entries: Iterable[OrganisationName], on: date) -> OrganisationName | None:
    return next((e for e in entries if in_force(e.valid_from, e.valid_to, on)), None)


def in_force(valid_from: str, valid_to: str, on: date) -> bool:
    """Whether a day lies in a validity; both ends belong to it, an empty end is open."""
    day = on.isoformat()
    return (not valid_from or valid_from <= day) and (not valid_to or day <= valid_to)


def find_area(name: str, source_id: str, lists: Codelists) -> Found | None:
    """The area a printed name or an area code stands for; None where nothing matches exactly. Never a likeness."""
    text = squeeze(name)
    if text in lists.area:
        return Found(text, {})
    key = label_key(name)
    entry = lists.areas_by_key.get((source_id, key)) or lists.areas_by_key.get(("", key))
    if entry is None:
        return None
    return Found(entry.ref_area, {"area_variant": entry.variant} if entry.variant else {})


def find_area_code(text: str, scheme: Literal["iso3", "m49"]) -> str | None:
    """The country that a printed code stands for: ISO 3166-1 alpha-3, or the number of UN M49. Never a name or region.

    M49 is printed with and without leading zeros; a country's number is the same as in ISO 3166-1.
    """
    if scheme == "m49":
        return _m49().get(text.zfill(3)) if re.fullmatch("[0-9]{1,3}", text) else None
    area = areas().get(text)
    return text if area is not None and area.kind in ("country", "former") else None


def find_harm(label: str, source_id: str, on: date, lists: Codelists) -> str | None:
    """The harm code of what a publisher calls it; None where the source's crosswalk does not hold the label."""
    entries = lists.harms_by_key.get((source_id, label_key(label)), ())
    return next((e.harm for e in entries if in_force(e.valid_from, e.valid_to, on)), None)


def nearest_names(name: str, n: int = 3) -> list[Nearest]:
    """The n organisations whose known names are most like a printed one, for a person to choose from."""
    return _nearest(name_key(name), _organisation_choices(), n)


def nearest_areas(name: str, n: int = 3) -> list[Nearest]:
    """The n areas whose names are most like a printed one, for a person to choose from; never used to decide."""
    return _nearest(label_key(name), _area_choices(), n)


@cache
def _organisation_choices() -> dict[str, tuple[str, str]]:
    lists = codelists()
    choices: dict[str, tuple[str, str]] = {}
    plain_first = sorted(lists.names_by_key.items(), key=lambda item: item[0][2])  # an asterisk means another series
    for (_, key, _), entries in plain_first:
        code = entries[0].organisation
        if code:
            choices.setdefault(key, (lists.organisation[code].name, code))
    return choices


@cache
def _area_choices() -> dict[str, tuple[str, str]]:
    return {key: (entry.name, entry.ref_area) for (_, key), entry in codelists().areas_by_key.items()}


def _nearest(key: str, choices: Mapping[str, tuple[str, str]], n: int) -> list[Nearest]:
    from rapidfuzz import fuzz, process

    best: dict[str, Nearest] = {}
    for choice, score, _ in process.extract(key, list(choices), scorer=fuzz.ratio, limit=n * 8):
        name, code = choices[choice]
        best.setdefault(code, Nearest(name, code, round(float(score), 1)))
    return sorted(best.values(), key=lambda near: (-near.score, near.code))[:n]


# --- loading --------------------------------------------------------------------------------------------------------


@cache
def _areas() -> Mapping[str, Area]:
    import pycountry

    found = [Area(c.alpha_3, c.name, c.alpha_2, "country") for c in pycountry.countries]
    found += [
        Area("ANT", "Netherlands Antilles", "AN", "former"),
        Area("XKX", "Kosovo", "XK", "country"),
        Area("EUROPE", "Europe", "", "region"),
        Area("EUE", "European Union", "EU", "region"),  # the code of ICAO 9303; the Union as it was in the period
        Area("W1", "Rest of the world", "", "region"),  # SDMX: every area but the one that reports
        Area(TOTAL, "All areas", "", "special"),
        Area(UNKNOWN, "Area not known", "", "special"),
        Area(NOT_APPLICABLE, "Not applicable", "", "special"),
    ]
    return {area.ref_area: area for area in sorted(found, key=lambda a: a.ref_area)}


@cache
def _m49() -> Mapping[str, str]:
    import pycountry

    return {country.numeric: country.alpha_3 for country in pycountry.countries}


@cache
def _iso_names() -> Mapping[str, AreaName]:
    import pycountry

    found: dict[str, AreaName] = {}
    for country in pycountry.countries:
        for name in (country.name, getattr(country, "common_name", ""), getattr(country, "official_name", "")):
            entry = found.setdefault(label_key(name), AreaName(name, country.alpha_3, "", "", ""))
            if name and entry.ref_area != country.alpha_3:
                raise DeclarationError(f"ISO 3166 calls both {entry.ref_area} and {country.alpha_3} {name!r}")
    found.pop("", None)
    return found


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_T]):
    """One line of one file, typed."""

    file: str
    line: int
    value: _T

    def fault(self, what: str) -> DeclarationError:
        return DeclarationError(f"{self.file}, line {self.line}: {what}")

    def require(self, column: str, code: str, codes: Container[str]) -> None:
        if code not in codes:
            raise self.fault(f"{column} {code!r} is in no codelist")


def _entries(folder: Path, name: str, kind: type[_T]) -> list[_Entry[_T]]:
    file = f"{name}.csv"
    found = []
    try:
        for line, cells in _lines(folder / file, list(TABLES[name])):
            found.append(_Entry(file, line, kind(**cells)))
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


def _check_dates(entry: _Entry[_T], cells: Mapping[str, str]) -> None:
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


def _keyed(entries: Iterable[_Entry[_T]]) -> dict[str, _T]:
    """Entries by the first column of their file, which is its key."""
    found: dict[str, _T] = {}
    for entry in entries:
        column = TABLES[entry.file.removesuffix(".csv")][0]
        code: str = getattr(entry.value, column)
        if code in found:
            raise entry.fault(f"{column} {code!r} stands here for the second time")
        if not (_CODE if column not in ("obs_status", "freq") else re.compile("[A-Z]|_O")).fullmatch(code):
            raise entry.fault(
                f"{column} {code!r} is no code: small letters, digits and single _ (statuses: one capital)"
            )
        found[code] = entry.value
    return found


def _check_organisations(entries: Iterable[_Entry[Organisation]]) -> None:
    for entry in entries:
        if not entry.value.name:
            raise entry.fault("name is empty")
        if entry.value.kind not in ORGANISATION_KINDS:
            raise entry.fault(f"kind {entry.value.kind!r} must be one of {', '.join(ORGANISATION_KINDS)}")
        if entry.value.country:
            entry.require("country", entry.value.country, areas())


def _check_metrics(entries: Iterable[_Entry[Metric]], unit: Mapping[str, Unit]) -> None:
    for entry in entries:
        metric = entry.value
        entry.require("unit_measure", metric.unit_measure, unit)
        if metric.measure not in MEASURES:
            raise entry.fault(f"measure {metric.measure!r} must be one of {', '.join(MEASURES)}")
        if metric.additive not in ("yes", "no"):
            raise entry.fault(f"additive {metric.additive!r} must be yes or no")
        if not metric.title or not metric.definition:
            raise entry.fault("title or definition is empty")


def _check_harms(entries: Iterable[_Entry[Harm]], harm: Mapping[str, Harm]) -> None:
    parents: dict[str, list[str]] = {}
    for entry in entries:
        if not entry.value.title or not entry.value.definition:
            raise entry.fault("title or definition is empty")
        if entry.value.parent:
            entry.require("parent", entry.value.parent, harm)
            _join(entry, entry.value.harm, entry.value.parent, parents)


def _check_parents(entries: Iterable[_Entry[OrganisationParent]], organisation: Mapping[str, Organisation]) -> None:
    of: dict[str, list[OrganisationParent]] = {}
    parents: dict[str, list[str]] = {}
    for entry in entries:
        found = entry.value
        entry.require("organisation", found.organisation, organisation)
        entry.require("parent", found.parent, organisation)
        for other in of.setdefault(found.organisation, []):
            if _overlap(found, other):
                raise entry.fault(f"{found.organisation!r} has two parents at once, {other.parent!r} and this one")
        of[found.organisation].append(found)
        _join(entry, found.organisation, found.parent, parents)


def _join(entry: _Entry[_T], code: str, parent: str, parents: dict[str, list[str]]) -> None:
    if code in _ancestors(parent, parents):
        raise entry.fault(f"{code!r} becomes its own ancestor")
    parents.setdefault(code, []).append(parent)


def _check_sides(entries: Iterable[_Entry[ComparisonSide]], organisation: Mapping[str, Organisation]) -> None:
    for entry in entries:
        if entry.value.side not in ("platform", "clearinghouse"):
            raise entry.fault(f"side {entry.value.side!r} is neither platform nor clearinghouse")
        entry.require("subject", entry.value.subject, organisation)


def _check_explanations(entries: Iterable[_Entry[ComparisonExplanation]], comparisons: Container[str]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        found = entry.value
        entry.require("comparison", found.comparison, comparisons)
        if found.explanation not in EXPLANATIONS:
            raise entry.fault(f"explanation {found.explanation!r} must be one of {', '.join(EXPLANATIONS)}")
        if not (re.fullmatch("[0-9]{4}", found.year) and found.note and found.citation):
            raise entry.fault("year is no year, or note or citation is empty")
        if (found.comparison, found.year) in seen:
            raise entry.fault(f"{found.comparison!r} is explained twice for {found.year}")
        seen.add((found.comparison, found.year))


def _ancestors(code: str, parents: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [code]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting.extend(parents.get(current, ()))
    return seen


def _check_breaks(
    entries: Iterable[_Entry[SeriesBreak]], metric: Mapping[str, Metric], organisation: Mapping[str, Organisation]
) -> None:
    for entry in entries:
        found = entry.value
        for column, codes in (("bridge_metric", metric), *_scope(metric, organisation)):
            if code := getattr(found, column):
                entry.require(column, code, codes)
        if not (found.source_id and found.time_period and found.title and found.description and found.citation):
            raise entry.fault("source_id, time_period, title, description or citation is empty")


def _scope(
    metric: Mapping[str, Metric], organisation: Mapping[str, Organisation]
) -> tuple[tuple[str, Container[str]], ...]:
    """The columns that say which series a break or an event concerns, with their codelists."""
    return ("metric", metric), ("subject", organisation), ("ref_area", areas())


def _check_events(
    entries: Iterable[_Entry[Event]], metric: Mapping[str, Metric], organisation: Mapping[str, Organisation]
) -> None:
    for entry in entries:
        if not (entry.value.event_date and entry.value.title and entry.value.citation):
            raise entry.fault("event_date, title or citation is empty")
        for column, codes in _scope(metric, organisation):
            if code := getattr(entry.value, column):
                entry.require(column, code, codes)


def _check_roles(entries: Iterable[_Entry[CountryRole]]) -> None:
    for entry in entries:
        entry.require("ref_area", entry.value.ref_area, areas())
        if entry.value.role not in ("supply", "demand"):
            raise entry.fault(f"role {entry.value.role!r} is neither supply nor demand")
        if not (entry.value.said_by and entry.value.citation):
            raise entry.fault("said_by or citation is empty")


class _QuotedLists(NamedTuple):
    document: Mapping[str, QuotedDocument]
    figure: list[QuotedFigure]
    conflict: list[QuotedConflict]
    value: list[QuotedConflictValue]
    step: list[QuotedConflictStep]


def _load_quoted(
    folder: Path, metric: Mapping[str, Metric], unit: Mapping[str, Unit], harm: Mapping[str, Harm]
) -> _QuotedLists:
    documents = _entries(folder, "quoted_document", QuotedDocument)
    figures = _entries(folder, "quoted_figure", QuotedFigure)
    _check_quoted(documents, figures, metric, unit, harm)
    conflicts = _entries(folder, "quoted_conflict", QuotedConflict)
    values = _entries(folder, "quoted_conflict_value", QuotedConflictValue)
    steps = _entries(folder, "quoted_conflict_step", QuotedConflictStep)
    parts = {(entry.value.quoted_id, entry.value.part) for entry in figures}
    _check_conflicts(conflicts, parts)
    _check_conflict_values(conflicts, values, parts, metric, unit)
    _check_conflict_steps(steps, {(entry.value.conflict_id, entry.value.value_key) for entry in values})
    return _QuotedLists(
        _keyed(documents),
        [entry.value for entry in figures],
        [entry.value for entry in conflicts],
        [entry.value for entry in values],
        [entry.value for entry in steps],
    )


def _check_quoted(
    documents: Iterable[_Entry[QuotedDocument]],
    entries: Iterable[_Entry[QuotedFigure]],
    metric: Mapping[str, Metric],
    unit: Mapping[str, Unit],
    harm: Mapping[str, Harm],
) -> None:
    for document in documents:
        if not _SHA256.fullmatch(document.value.document_id):
            raise document.fault("document_id is no sha256 in hex")
        if not (document.value.file_name and document.value.title and document.value.publisher):
            raise document.fault("file_name, title or publisher is empty")
    known = {document.value.quoted_document for document in documents}
    ids = {entry.value.quoted_id for entry in entries}
    sentences: dict[str, tuple[str, str, str, str]] = {}
    parts: set[tuple[str, str]] = set()
    for entry in entries:
        found = entry.value
        _check_range(entry)
        _check_amount(entry, found.quoted_value, found.value_low, found.value_high, found.comparator)
        entry.require("quoted_document", found.quoted_document, known)
        sentence = (found.quoted_document, found.char_start, found.char_end, found.text_sha256)
        if sentences.setdefault(found.quoted_id, sentence) != sentence:
            raise entry.fault(f"{found.quoted_id} is one sentence and cannot stand at two places")
        if (found.quoted_id, found.part) in parts:
            raise entry.fault(f"part {found.part} of {found.quoted_id} stands here twice")
        parts.add((found.quoted_id, found.part))
        if bool(found.comparator) != bool(found.unit_measure):
            raise entry.fault("a number needs a unit_measure, and nothing else has one")
        _check_quoted_codes(entry, metric, unit, harm, ids)


def _check_range(entry: _Entry[QuotedFigure]) -> None:
    found = entry.value
    if not re.fullmatch("[A-Z][1-9][0-9]*", found.quoted_id) or not re.fullmatch("[1-9]", found.part):
        raise entry.fault(f"{found.quoted_id!r}, part {found.part!r}: must be like B11 and 2")
    if not (found.char_start.isdecimal() and found.char_end.isdecimal()):
        raise entry.fault(f"characters {found.char_start!r} to {found.char_end!r} are no whole numbers")
    if int(found.char_start) >= int(found.char_end):
        raise entry.fault(f"characters {found.char_start} to {found.char_end} hold nothing")
    if not _SHA256.fullmatch(found.text_sha256):
        raise entry.fault("text_sha256 is no sha256 in hex")
    if not found.what:
        raise entry.fault("what is empty")


def _check_amount(entry: _Entry[_T], value: str, low: str, high: str, comparator: str) -> None:
    """A value, or both ends of a range, with a comparator; or none of them."""
    for text in (value, low, high):
        if text and not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text):
            raise entry.fault(f"{text!r} is no number written as 1500 or 0.5")
    if bool(low) != bool(high) or (value and low) or (low and float(low) >= float(high)):
        raise entry.fault("give a value, or a lower and a higher bound")
    if bool(comparator) != bool(value or low) or comparator not in ("", *COMPARATORS):
        raise entry.fault(f"comparator {comparator!r} must be one of {' '.join(COMPARATORS)}, and only with a number")


def _check_quoted_codes(
    entry: _Entry[QuotedFigure],
    metric: Mapping[str, Metric],
    unit: Mapping[str, Unit],
    harm: Mapping[str, Harm],
    ids: Container[str],
) -> None:
    found = entry.value
    listed: tuple[tuple[str, Container[str]], ...] = (
        ("metric", metric), ("unit_measure", unit), ("harm", harm), ("ref_area", areas()), ("redundant_with", ids),
    )  # fmt: skip
    for column, codes in listed:
        if code := getattr(found, column):
            entry.require(column, code, codes)
    for area in found.named_areas.split():
        entry.require("named_areas", area, areas())
    if found.metric and metric[found.metric].unit_measure != found.unit_measure:
        raise entry.fault(f"{found.metric} is counted in {metric[found.metric].unit_measure}, not {found.unit_measure}")


def _check_conflicts(entries: Iterable[_Entry[QuotedConflict]], quoted: Iterable[tuple[str, str]]) -> None:
    ids = {quoted_id for quoted_id, _ in quoted}
    seen: set[str] = set()
    for entry in entries:
        found = entry.value
        if not re.fullmatch("C[1-9][0-9]*", found.conflict_id) or found.conflict_id in seen:
            raise entry.fault(f"conflict_id {found.conflict_id!r} is not like C2, or stands here for the second time")
        seen.add(found.conflict_id)
        for quoted_id in found.quoted_ids.split():
            entry.require("quoted_ids", quoted_id, ids)
        if found.verdict not in VERDICTS:
            raise entry.fault(f"verdict {found.verdict!r} must be one of {', '.join(VERDICTS)}")
        if found.read_comparator not in ("", *COMPARATORS):
            raise entry.fault(f"read_comparator {found.read_comparator!r} is no comparator")
        if not (found.title and found.handling and found.citation):
            raise entry.fault("title, handling or citation is empty")


def _check_conflict_values(
    conflicts: Iterable[_Entry[QuotedConflict]],
    entries: Iterable[_Entry[QuotedConflictValue]],
    quoted: Container[tuple[str, str]],
    metric: Mapping[str, Metric],
    unit: Mapping[str, Unit],
) -> None:
    known = {conflict.value.conflict_id for conflict in conflicts}
    keys: set[tuple[str, str]] = set()
    for entry in entries:
        found = entry.value
        if not re.fullmatch(r"(?:[a-z_]+=[^\s=]+)?", found.dimension):
            raise entry.fault(f"dimension {found.dimension!r} is not written as study=ijm_osec_2020")
        entry.require("conflict_id", found.conflict_id, known)
        _check_amount(entry, found.amount, found.value_low, found.value_high, found.comparator)
        if sum(map(bool, (found.quoted_id, found.comparator, found.term))) != 1:
            raise entry.fault("give a quoted figure, a number or a term, one of the three")
        if found.quoted_id and (found.quoted_id, found.part) not in quoted:
            raise entry.fault(f"part {found.part!r} of {found.quoted_id!r} is not in quoted_figure.csv")
        listed: tuple[tuple[str, Container[str]], ...] = (
            ("metric", metric), ("unit_measure", unit), ("ref_area", areas()),
        )  # fmt: skip
        for column, codes in listed:
            if code := getattr(found, column):
                entry.require(column, code, codes)
        if found.evidence not in EVIDENCE or (found.evidence == "quoted") != bool(found.quoted_id):
            raise entry.fault(f"evidence {found.evidence!r} must be one of {', '.join(EVIDENCE)}; quoted for a quote")
        if not (found.said_by and found.what and (found.citation or found.quoted_id)):
            raise entry.fault("said_by, what or citation is empty")
        if (found.conflict_id, found.value_key) in keys or not _CODE.fullmatch(found.value_key):
            raise entry.fault(f"value_key {found.value_key!r} is no code, or stands here twice")
        keys.add((found.conflict_id, found.value_key))


def _check_conflict_steps(entries: Iterable[_Entry[QuotedConflictStep]], keys: Container[tuple[str, str]]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        found = entry.value
        used = (found.left_key, found.against_key, *([found.right_key] if found.operator else []))
        for key in used:
            if (found.conflict_id, key) not in keys:
                raise entry.fault(f"{found.conflict_id} has no value {key!r} in quoted_conflict_value.csv")
        if found.operator not in ("", "*", "/", "+", "-") or (bool(found.operator) != bool(found.right_key)):
            raise entry.fault(f"operator {found.operator!r} must be one of * / + - with a right_key, or empty without")
        if found.relation not in COMPARATORS or found.expected not in ("holds", "fails"):
            raise entry.fault(f"relation {found.relation!r} or expected {found.expected!r} is not known")
        if not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", found.tolerance) or not found.what:
            raise entry.fault(f"tolerance {found.tolerance!r} is no number, or what is empty")
        if (found.conflict_id, found.step) in seen or not re.fullmatch("[1-9][0-9]?", found.step):
            raise entry.fault(f"step {found.step!r} of {found.conflict_id} is no number, or stands here twice")
        seen.add((found.conflict_id, found.step))


def _check_corrections(entries: Iterable[_Entry[Correction]]) -> None:
    for entry in entries:
        try:
            patterns = match_patterns(entry.value)
        except (ValueError, TypeError, AttributeError, re.error) as error:
            raise entry.fault(f"match {entry.value.match!r} is no JSON object of patterns: {error}") from None
        if not patterns:
            raise entry.fault("match must name at least one label")
        if empty := [column for column in TABLES["correction"] if not getattr(entry.value, column)]:
            raise entry.fault(f"{', '.join(empty)} is empty")
        if entry.value.printed == entry.value.corrected:
            raise entry.fault("printed and corrected are the same")


@cache
def match_patterns(correction: Correction) -> dict[str, re.Pattern[str]]:
    """The labels a correction looks at, each with the pattern its whole printed text must match."""
    return {label: re.compile(pattern) for label, pattern in json.loads(correction.match).items()}


def _index_names(
    entries: Iterable[_Entry[OrganisationName]], organisation: Mapping[str, Organisation]
) -> dict[tuple[str, str, bool], list[OrganisationName]]:
    index: dict[tuple[str, str, bool], list[OrganisationName]] = {}
    for entry in entries:
        found = entry.value
        _check_name(entry, organisation)
        slot = index.setdefault((found.source_id, name_key(found.name), found.name.endswith("*")), [])
        for other in slot:
            if _overlap(found, other) and (found.name == other.name or _meaning(found) != _meaning(other)):
                raise entry.fault(f"{found.name!r} already stands for {other.organisation!r} as {other.name!r}")
        slot.append(found)
    for code, known in organisation.items():
        if known.kind != "aggregate":
            implied = OrganisationName(known.name, code, "", "", "", "", "")
            index.setdefault(("", name_key(known.name), False), [implied])
    return index


def _check_name(entry: _Entry[OrganisationName], organisation: Mapping[str, Organisation]) -> None:
    found = entry.value
    if found.combined not in ("", "yes"):
        raise entry.fault(f"combined {found.combined!r} must be yes or empty")
    if found.name == "*":
        if found.organisation or found.combined != "yes" or not found.source_id:
            raise entry.fault("the name * needs a source_id, combined yes, and no organisation")
        return
    entry.require("organisation", found.organisation, organisation)
    if not name_key(found.name):
        raise entry.fault(f"the name {found.name!r} holds no word")


def _meaning(name: OrganisationName) -> tuple[str, str, str]:
    return name.organisation, name.combined, name.variant


def _index_areas(entries: Iterable[_Entry[AreaName]]) -> dict[tuple[str, str], AreaName]:
    index: dict[tuple[str, str], AreaName] = {}
    for entry in entries:
        found = entry.value
        entry.require("ref_area", found.ref_area, areas())
        key = (found.source_id, label_key(found.name))
        if not key[1]:
            raise entry.fault("name is empty")
        other = index.setdefault(key, found)
        repeated = other is not found and other.name == found.name
        if repeated or (other.ref_area, other.variant) != (found.ref_area, found.variant):
            raise entry.fault(f"{found.name!r} already stands for {other.ref_area} as {other.name!r}")
        if not found.source_id and (iso := _iso_names().get(key[1])) and iso.ref_area != found.ref_area:
            raise entry.fault(f"{found.name!r} is ISO 3166's name of {iso.ref_area}")
    return {("", key): found for key, found in _iso_names().items()} | index


def _index_harms(
    entries: Iterable[_Entry[HarmLabel]], harm: Mapping[str, Harm]
) -> dict[tuple[str, str], list[HarmLabel]]:
    index: dict[tuple[str, str], list[HarmLabel]] = {}
    for entry in entries:
        found = entry.value
        entry.require("harm", found.harm, harm)
        if not found.source_id or not label_key(found.label):
            raise entry.fault("source_id or label is empty")
        slot = index.setdefault((found.source_id, label_key(found.label)), [])
        if any(_overlap(found, other) for other in slot):
            raise entry.fault(f"{found.label!r} stands here twice for the same time")
        slot.append(found)
    return index


_Dated = OrganisationName | OrganisationParent | HarmLabel


def _overlap(one: _Dated, other: _Dated) -> bool:
    start = max(one.valid_from, other.valid_from)
    return all(not end or start <= end for end in (one.valid_to, other.valid_to))
