"""A figure's labels to codes, as the declaration's rule says: who, what, where, when, and the dimensions.

A label that a map, a codelist or a grammar does not know is no guess but a RowError: the row's reason in quarantine.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple

from lightwell import codes
from lightwell.archive import Document
from lightwell.codes import Codelists, Correction, Metric
from lightwell.harmonise.numbers import RAISED
from lightwell.harmonise.periods import Period, parse_period
from lightwell.source import FromLabel, Observe, Source, Value


class RowError(ValueError):
    """Why a figure cannot become an observation. Its text is the row's reason in quarantine."""


class _Coded(NamedTuple):
    code: str
    dimensions: Mapping[str, str]


@dataclass(slots=True)
class Work:
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


def totals_of(texts: Mapping[str, str], rule: Observe) -> frozenset[str]:
    """The labels whose text says that the figure is a total across them."""
    patterns = rule.totals.items()
    return frozenset(label for label, pattern in patterns if label in texts and full_match(pattern, texts[label]))


@lru_cache(maxsize=1 << 14)
def full_match(pattern: str, text: str) -> re.Match[str] | None:
    """The match of a pattern with the whole text; capitals and small letters are alike."""
    return re.fullmatch(pattern, text, re.IGNORECASE)


def reporter_of(rule: Observe, texts: Mapping[str, str], totals: frozenset[str], period: Period, work: Work) -> str:
    """Who counted: the source's reporter, unless the rule reads one from a label. Never a name not met before."""
    if rule.reporter is None:
        return work.source.reporter
    code = code_of("subject", rule.reporter, texts, totals, period.end, work).code
    if code not in work.lists.organisation:
        raise RowError(f"reporter: {code!r} is in no codelist: add it to organisation.csv")
    return code


def period_of(texts: Mapping[str, str], totals: frozenset[str], rule: Observe, work: Work) -> Period:
    """The period that the figure is about, which must have the frequency that the rule declares."""
    code = code_of("time_period", rule.time_period, texts, totals, None, work).code
    try:
        period = parse_period(code)
    except ValueError as error:
        raise RowError(f"time_period: {error}") from None
    if rule.freq not in (period.freq, "*"):
        raise RowError(f"time_period: {code!r} has the frequency {period.freq}, declared is {rule.freq}")
    return period


def code_of(
    name: str, value: Value, texts: Mapping[str, str], totals: frozenset[str], on: date | None, work: Work
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
        except RowError as refusal:
            work.coded[key] = str(refusal)
    found = work.coded[key]
    if isinstance(found, str):
        raise RowError(found)
    return found


def _look_up(name: str, value: FromLabel, text: str, on: date | None, work: Work) -> _Coded:
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
        raise RowError(f"{name}: the label {value.label!r} ({text!r}) needs a map in the declaration")
    find = {"subject": _organisation, "ref_area": _area, "harm": _harm}[codelist]
    found = [find(part, on, work) for part in (text.split(" | ") if isinstance(value.label, tuple) else [text])]
    if len(said := {coded.code for coded in found}) != 1:
        raise RowError(f"{name}: {text!r} of {value.label!r} are {len(said)} codes, {', '.join(sorted(said))}")
    return found[0]


def _is_mapped(value: FromLabel, text: str) -> bool:
    """Whether the map names the text itself, as it can a subtotal: `Total Federal Agencies: federal`."""
    return any(full_match(pattern, text) for pattern in value.map or {})


def _mapped(name: str, value: FromLabel, text: str) -> str:
    """The code of the one pattern that matches the whole text; `\\1` in a code stands for the pattern's first group."""
    matches = [(match, code) for pattern, code in (value.map or {}).items() if (match := full_match(pattern, text))]
    found = sorted({match.expand(code) if "\\" in code else code for match, code in matches})
    if len(found) != 1:
        said = f"matches {len(found)} codes ({', '.join(found)})" if found else "matches no pattern of the map"
        raise RowError(f"{name}: {text!r} of the label {value.label!r} {said}: complete the declaration's map")
    return found[0]


def _slug(name: str, value: FromLabel, text: str) -> str:
    """The words of a label that is no codelist's, as a code. Letters that a code cannot hold are refused."""
    if full_match(_TOTAL_WORDS, codes.label_key(text)):
        raise RowError(f"{name}: {text!r} looks like a total that the declaration's `totals` does not know")
    words = re.findall(r"[a-z0-9]+", codes.label_key(text).replace("'", ""))
    if not words or re.search(r"[^\W\d_a-z]", codes.label_key(text)):
        raise RowError(f"{name}: {text!r} of the label {value.label!r} makes no code: add it to the declaration's map")
    return "_".join(words)


_TOTAL_WORDS = (
    r"(?:grand |sub-?)?totals?(?: (?:of|for|number|reports|esps?)\b.*)?[:*]*|sum|overall"
    r"|all(?: other)?(?: (?:esps?|others?|(?:online )?platforms?|providers?|services?|companies|organi[sz]ations?))?"
)


def _organisation(text: str, on: date, work: Work) -> _Coded:
    if not re.search(r"[^\W\d_]", text):
        raise RowError(f"subject: {text!r} is no name of an organisation")
    if full_match(_TOTAL_WORDS, text):
        raise RowError(f"subject: {text!r} looks like a total that the declaration's `totals` does not know")
    name = text.rstrip(RAISED)
    noted = {"footnote": text[len(name) :]} if name != text else {}  # as an asterisk: nobody knows what it means
    found = codes.find_organisation(name, work.source.id, on, work.lists)
    if found is not None:
        return _Coded(found.code, {**found.dimensions, **noted})
    code = codes.provisional_code(name, work.lists.organisation)
    work.provisional.setdefault(code, name)
    return _Coded(code, {**codes.footnote_dimensions(name, work.source.id, on, work.lists), **noted})


def _area(text: str, _on: date, work: Work) -> _Coded:
    found = codes.find_area(text.rstrip(RAISED), work.source.id, work.lists)
    if found is None:
        near = ", ".join(f"{name} ({code})" for name, code, _ in codes.nearest_areas(text))
        raise RowError(f"ref_area: {text!r} is no area that area_name.csv or ISO 3166 names; the nearest: {near}")
    return _Coded(found.code, found.dimensions)


def _area_code(name: str, scheme: Literal["iso3", "m49"], text: str) -> str:
    found = codes.find_area_code(text, scheme)
    if found is None:
        what = {"iso3": "ISO 3166-1 (three letters)", "m49": "UN M49"}[scheme]
        raise RowError(f"{name}: {text!r} is no country's code of {what}: map it, or leave it out by `skip`")
    return found


def status_of(rule: Observe, texts: Mapping[str, str], totals: frozenset[str], work: Work) -> str:
    """The status of a figure that has a value, as declared or as the row's own label says."""
    code = code_of("obs_status", rule.obs_status, texts, totals, None, work).code
    if code not in work.lists.obs_status:
        raise RowError(f"obs_status: {code!r} is in no codelist: correct the declaration's map")
    return code


def _harm(text: str, on: date, work: Work) -> _Coded:
    found = codes.find_harm(text, work.source.template or work.source.id, on, work.lists)
    if found is None:
        whose = work.source.template or work.source.id
        raise RowError(f"harm: {text!r} is not in harm_label.csv for {whose}: add it there after review")
    return _Coded(found, {})


def metric_of(code: str, work: Work) -> Metric:
    """The metric of a code, and with it the unit. A code that metric.csv lacks is refused."""
    if code not in work.lists.metric:
        raise RowError(f"metric: {code!r} is not in metric.csv: add it there or correct the declaration's map")
    return work.lists.metric[code]


def dimensions_of(
    texts: Mapping[str, str],
    totals: frozenset[str],
    fields: Mapping[str, _Coded],
    period: Period,
    rule: Observe,
    work: Work,
) -> tuple[tuple[str, str], ...]:
    """The further dimensions, sorted by name: those of the rule, and those that come with the codes of its fields."""
    found: dict[str, str] = {}
    for name, value in rule.dimensions.items():
        found[name] = code_of(f"dimension {name}", value, texts, totals, period.end, work).code
    for coded in fields.values():
        for name, code in coded.dimensions.items():
            if found.setdefault(name, code) != code:
                raise RowError(f"dimension {name}: both {found[name]!r} and {code!r}")
    _check_closed(fields, work)
    return tuple(sorted(found.items()))


def _check_closed(fields: Mapping[str, _Coded], work: Work) -> None:
    """Codes that came out of a map must be in their codelist too; an organisation may be a provisional one."""
    lists = work.lists
    codelists: tuple[Container[str], ...] = (lists.organisation, lists.area, lists.harm)
    for name, known in zip(("subject", "ref_area", "harm"), codelists, strict=True):
        code = fields[name].code
        if code not in known and not (name == "subject" and code in work.provisional):
            raise RowError(f"{name}: {code!r} is in no codelist: correct the declaration's map")
