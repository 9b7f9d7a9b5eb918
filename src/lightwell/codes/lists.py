"""What stands in each codelist, line by line. A class is a table: its fields are the file's columns, in their order."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from functools import cache

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


def as_rows(lists: Codelists) -> dict[str, list[dict[str, str]]]:
    """Every codelist as rows of text by table name, in the files' order: what the warehouse loads and exports write."""
    tables: dict[str, list[dict[str, str]]] = {}
    for name in TABLES:
        found = getattr(lists, name)
        entries = found.values() if isinstance(found, Mapping) else found
        tables[name] = [asdict(entry) for entry in entries]
    return tables


@cache
def match_patterns(correction: Correction) -> dict[str, re.Pattern[str]]:
    """The labels a correction looks at, each with the pattern its whole printed text must match."""
    return {label: re.compile(pattern) for label, pattern in json.loads(correction.match).items()}


def in_force(valid_from: str, valid_to: str, on: date) -> bool:
    """Whether a day lies in a validity; both ends belong to it, an empty end is open."""
    day = on.isoformat()
    return (not valid_from or valid_from <= day) and (not valid_to or day <= valid_to)


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
