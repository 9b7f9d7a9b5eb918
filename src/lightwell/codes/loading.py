"""Reads every codelist of a folder and checks them against each other."""

import re
from collections.abc import Container, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from lightwell.codes.areas import areas, iso_names
from lightwell.codes.entries import Entry, keyed, overlap, read_list
from lightwell.codes.lists import (
    EXPLANATIONS,
    MEASURES,
    ORGANISATION_KINDS,
    TABLES,
    AreaName,
    Codelists,
    ComparisonExplanation,
    ComparisonSide,
    Correction,
    CountryRole,
    Event,
    Frequency,
    Harm,
    HarmLabel,
    Metric,
    Organisation,
    OrganisationName,
    OrganisationParent,
    SeriesBreak,
    Status,
    Unit,
    match_patterns,
)
from lightwell.codes.names import label_key, name_key
from lightwell.codes.quotes import load_quoted
from lightwell.settings import resource

_T = TypeVar("_T")


def codelists() -> Codelists:
    """The codelists that travel with the code."""
    return load(resource("codelists"))


@cache
def load(folder: Path) -> Codelists:
    """Read and check every codelist of a folder. Raises DeclarationError naming file and line."""
    unit = keyed(read_list(folder, "unit", Unit))
    organisations = read_list(folder, "organisation", Organisation)
    organisation = keyed(organisations)
    _check_organisations(organisations)
    metrics = read_list(folder, "metric", Metric)
    metric = keyed(metrics)
    _check_metrics(metrics, unit)
    harms = read_list(folder, "harm", Harm)
    harm = keyed(harms)
    _check_harms(harms, harm)
    breaks = read_list(folder, "series_break", SeriesBreak)
    _check_breaks(breaks, metric, organisation)
    events = read_list(folder, "event", Event)
    _check_events(events, metric, organisation)
    roles = read_list(folder, "country_role", CountryRole)
    _check_roles(roles)
    quoted = load_quoted(folder, metric, unit, harm)
    corrections = read_list(folder, "correction", Correction)
    _check_corrections(corrections)
    parents = read_list(folder, "organisation_parent", OrganisationParent)
    _check_parents(parents, organisation)
    sides = read_list(folder, "comparison_side", ComparisonSide)
    _check_sides(sides, organisation)
    explanations = read_list(folder, "comparison_explanation", ComparisonExplanation)
    _check_explanations(explanations, {entry.value.comparison for entry in sides})
    names = read_list(folder, "organisation_name", OrganisationName)
    area_names = read_list(folder, "area_name", AreaName)
    labels = read_list(folder, "harm_label", HarmLabel)
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
        series_break=keyed(breaks),
        comparison_side=[entry.value for entry in sides],
        comparison_explanation=[entry.value for entry in explanations],
        country_role=[entry.value for entry in roles],
        quoted_document=quoted.document,
        quoted_figure=quoted.figure,
        quoted_conflict=quoted.conflict,
        quoted_conflict_value=quoted.value,
        quoted_conflict_step=quoted.step,
        event=keyed(events),
        correction=keyed(corrections),
        obs_status=keyed(read_list(folder, "obs_status", Status)),
        freq=keyed(read_list(folder, "freq", Frequency)),
        names_by_key=_index_names(names, organisation),
        areas_by_key=_index_areas(area_names),
        harms_by_key=_index_harms(labels, harm),
    )


def _check_organisations(entries: Iterable[Entry[Organisation]]) -> None:
    for entry in entries:
        if not entry.value.name:
            raise entry.fault("name is empty")
        if entry.value.kind not in ORGANISATION_KINDS:
            raise entry.fault(f"kind {entry.value.kind!r} must be one of {', '.join(ORGANISATION_KINDS)}")
        if entry.value.country:
            entry.require("country", entry.value.country, areas())


def _check_metrics(entries: Iterable[Entry[Metric]], unit: Mapping[str, Unit]) -> None:
    for entry in entries:
        metric = entry.value
        entry.require("unit_measure", metric.unit_measure, unit)
        if metric.measure not in MEASURES:
            raise entry.fault(f"measure {metric.measure!r} must be one of {', '.join(MEASURES)}")
        if metric.additive not in ("yes", "no"):
            raise entry.fault(f"additive {metric.additive!r} must be yes or no")
        if not metric.title or not metric.definition:
            raise entry.fault("title or definition is empty")


def _check_harms(entries: Iterable[Entry[Harm]], harm: Mapping[str, Harm]) -> None:
    parents: dict[str, list[str]] = {}
    for entry in entries:
        if not entry.value.title or not entry.value.definition:
            raise entry.fault("title or definition is empty")
        if entry.value.parent:
            entry.require("parent", entry.value.parent, harm)
            _join(entry, entry.value.harm, entry.value.parent, parents)


def _check_parents(entries: Iterable[Entry[OrganisationParent]], organisation: Mapping[str, Organisation]) -> None:
    of: dict[str, list[OrganisationParent]] = {}
    parents: dict[str, list[str]] = {}
    for entry in entries:
        found = entry.value
        entry.require("organisation", found.organisation, organisation)
        entry.require("parent", found.parent, organisation)
        for other in of.setdefault(found.organisation, []):
            if overlap(found, other):
                raise entry.fault(f"{found.organisation!r} has two parents at once, {other.parent!r} and this one")
        of[found.organisation].append(found)
        _join(entry, found.organisation, found.parent, parents)


def _join(entry: Entry[_T], code: str, parent: str, parents: dict[str, list[str]]) -> None:
    if code in _ancestors(parent, parents):
        raise entry.fault(f"{code!r} becomes its own ancestor")
    parents.setdefault(code, []).append(parent)


def _ancestors(code: str, parents: Mapping[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [code]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting.extend(parents.get(current, ()))
    return seen


def _check_sides(entries: Iterable[Entry[ComparisonSide]], organisation: Mapping[str, Organisation]) -> None:
    for entry in entries:
        if entry.value.side not in ("platform", "clearinghouse"):
            raise entry.fault(f"side {entry.value.side!r} is neither platform nor clearinghouse")
        entry.require("subject", entry.value.subject, organisation)


def _check_explanations(entries: Iterable[Entry[ComparisonExplanation]], comparisons: Container[str]) -> None:
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


def _check_breaks(
    entries: Iterable[Entry[SeriesBreak]], metric: Mapping[str, Metric], organisation: Mapping[str, Organisation]
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
    entries: Iterable[Entry[Event]], metric: Mapping[str, Metric], organisation: Mapping[str, Organisation]
) -> None:
    for entry in entries:
        if not (entry.value.event_date and entry.value.title and entry.value.citation):
            raise entry.fault("event_date, title or citation is empty")
        for column, codes in _scope(metric, organisation):
            if code := getattr(entry.value, column):
                entry.require(column, code, codes)


def _check_roles(entries: Iterable[Entry[CountryRole]]) -> None:
    for entry in entries:
        entry.require("ref_area", entry.value.ref_area, areas())
        if entry.value.role not in ("supply", "demand"):
            raise entry.fault(f"role {entry.value.role!r} is neither supply nor demand")
        if not (entry.value.said_by and entry.value.citation):
            raise entry.fault("said_by or citation is empty")


def _check_corrections(entries: Iterable[Entry[Correction]]) -> None:
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


def _index_names(
    entries: Iterable[Entry[OrganisationName]], organisation: Mapping[str, Organisation]
) -> dict[tuple[str, str, bool], list[OrganisationName]]:
    index: dict[tuple[str, str, bool], list[OrganisationName]] = {}
    for entry in entries:
        found = entry.value
        _check_name(entry, organisation)
        slot = index.setdefault((found.source_id, name_key(found.name), found.name.endswith("*")), [])
        for other in slot:
            if overlap(found, other) and (found.name == other.name or _meaning(found) != _meaning(other)):
                raise entry.fault(f"{found.name!r} already stands for {other.organisation!r} as {other.name!r}")
        slot.append(found)
    for code, known in organisation.items():
        if known.kind != "aggregate":
            implied = OrganisationName(known.name, code, "", "", "", "", "")
            index.setdefault(("", name_key(known.name), False), [implied])
    return index


def _check_name(entry: Entry[OrganisationName], organisation: Mapping[str, Organisation]) -> None:
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


def _index_areas(entries: Iterable[Entry[AreaName]]) -> dict[tuple[str, str], AreaName]:
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
        if not found.source_id and (iso := iso_names().get(key[1])) and iso.ref_area != found.ref_area:
            raise entry.fault(f"{found.name!r} is ISO 3166's name of {iso.ref_area}")
    return {("", key): found for key, found in iso_names().items()} | index


def _index_harms(
    entries: Iterable[Entry[HarmLabel]], harm: Mapping[str, Harm]
) -> dict[tuple[str, str], list[HarmLabel]]:
    index: dict[tuple[str, str], list[HarmLabel]] = {}
    for entry in entries:
        found = entry.value
        entry.require("harm", found.harm, harm)
        if not found.source_id or not label_key(found.label):
            raise entry.fault("source_id or label is empty")
        slot = index.setdefault((found.source_id, label_key(found.label)), [])
        if any(overlap(found, other) for other in slot):
            raise entry.fault(f"{found.label!r} stands here twice for the same time")
        slot.append(found)
    return index
