"""Figures to observations: names, periods, numbers, units. What matches nothing is quarantined with its text."""

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from lightwell import codes
from lightwell.archive import Document
from lightwell.codes import Correction, squeeze
from lightwell.errors import DeclarationError
from lightwell.harmonise.coding import (
    RowError,
    Work,
    code_of,
    dimensions_of,
    full_match,
    metric_of,
    period_of,
    reporter_of,
    status_of,
    totals_of,
)
from lightwell.harmonise.numbers import ParsedNumber, parse_number
from lightwell.harmonise.observations import Harmonised, Observation, Quarantined, part_duplicates
from lightwell.harmonise.periods import Period, parse_period
from lightwell.source import Observe, Source
from lightwell.tables import Figure

__all__ = [
    "Harmonised",
    "Observation",
    "ParsedNumber",
    "Period",
    "Quarantined",
    "parse_number",
    "parse_period",
    "to_observations",
    "unused_corrections",
]


def to_observations(
    figures: Iterable[Figure], document: Document, source: Source, extractor_version: str
) -> Harmonised:
    """Give every figure its codes, period, unit and value, as the declaration's `observe` rules say.

    A figure that a closed list, a map or a grammar does not know is quarantined with the reason; an organisation not
    met before becomes provisional. Raises DeclarationError where a constant of the declaration is in no codelist.
    """
    work = Work(source, document, extractor_version, codes.codelists())
    _name_publisher(work)
    _check_constants(work)
    observations: list[Observation] = []
    quarantined: list[Quarantined] = []
    for figure in figures:
        try:
            observations.append(_observe(figure, work))
        except RowError as refusal:
            quarantined.append(_set_aside(figure, work, str(refusal)))
    kept, repeated = part_duplicates(observations)
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


def _name_publisher(work: Work) -> None:
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


def _check_constants(work: Work) -> None:
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


def _observe(figure: Figure, work: Work) -> Observation:
    rule = _rule(figure, work)
    labels, note = _corrected(figure, work)
    texts = {label: squeeze(text) for label, text in labels.items()}
    if rule.doubt is not None and texts.get(rule.doubt):
        raise RowError(texts[rule.doubt])
    totals = totals_of(texts, rule)
    period = period_of(texts, totals, rule, work)
    fields = {name: code_of(name, getattr(rule, name), texts, totals, period.end, work) for name in _FIELDS}
    metric = metric_of(fields["metric"].code, work)
    number = _bounded(_number(figure, rule, metric.unit_measure), figure, rule, metric.unit_measure)
    dimensions = dimensions_of(texts, totals, fields, period, rule, work)
    reporter = reporter_of(rule, texts, totals, period, work)
    key = (
        reporter,
        fields["subject"].code,
        metric.metric,
        fields["harm"].code,
        fields["ref_area"].code,
        dimensions,
        period.freq,
    )
    comparator = number.comparator or code_of("comparator", rule.comparator, texts, totals, None, work).code
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
        obs_status=status_of(rule, texts, totals, work) if number.status == "A" else number.status,
        is_total=bool(totals),
        obs_text=figure.text,
        label_text=_label_text(figure, work),
        locator=locator,
        extractor_version=work.extractor_version,
        figure=figure,
        note="; ".join(filter(None, (note, number.note, texts.get(rule.note or "")))) or None,
        cited_url=rule.cited.text(figure.labels) or None if rule.cited else None,
    )


def _rule(figure: Figure, work: Work) -> Observe:
    rules = work.rules.get(figure.table, [])
    if len(rules) != 1:
        raise RowError(
            f"{len(rules)} `observe` rules are for the table {figure.table!r}, must be one: see the declaration"
        )
    return rules[0]


def _corrected(figure: Figure, work: Work) -> tuple[Mapping[str, str], str | None]:
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


def _number(figure: Figure, rule: Observe, unit: str) -> ParsedNumber:
    number = _ranked(figure.text, rule.ranks) if rule.ranks else _read(figure.text, rule, unit)
    agreeing = ("=", "~", number.comparator) if number.status == "Q" else ("=", number.comparator)
    if number.comparator is not None and rule.comparator not in agreeing:
        raise RowError(f"number: {figure.text!r} says {number.comparator}, the declaration says {rule.comparator}")
    return number


def _read(text: str, rule: Observe, unit: str) -> ParsedNumber:
    if rule.missing is not None and full_match(rule.missing, squeeze(text)):
        return ParsedNumber(None, None, None, None, "O")
    try:
        return parse_number(text, unit, unsigned=rule.percent_sign == "header")
    except ValueError as error:
        raise RowError(f"number: {error}") from None


def _ranked(text: str, ranks: Mapping[str, float | None]) -> ParsedNumber:
    """The place that a printed word has on an ordinal scale; status O for a word that is off the scale."""
    found = {rank for pattern, rank in ranks.items() if full_match(pattern, squeeze(text))}
    if len(found) != 1:
        raise RowError(f"number: {text!r} is {len(found)} places of the declaration's `ranks`, must be one")
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
        raise RowError(f"number: {figure.text!r} is not between its bounds, {low} and {high}")
    return replace(number, low=low, high=high, status="Q" if number.value is None else number.status)


def _series_id(key: tuple[object, ...], unit: str, work: Work) -> str:
    if (found := work.series.get(key)) is None:
        parts = [work.source.id, *key, unit]
        found = work.series[key] = _digest(parts)
    return found


def _observation_id(figure: Figure, locator: str, series_id: str, time_period: str, work: Work) -> str:
    labels = sorted(figure.labels.items())
    return _digest([work.document.document_id, figure.table, locator, labels, series_id, time_period])


_write_json = json.JSONEncoder(separators=(",", ":")).encode  # one encoder for all: a new one each time is slow


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(_write_json(parts).encode()).hexdigest()[:16]


def _label_text(figure: Figure, work: Work) -> str:
    """The printed labels that tell what the figure is, without what is said about it elsewhere."""
    aside = {name for rule in work.rules.get(figure.table, ()) for name in _said_aside(rule)}
    return " | ".join(text for label, text in figure.labels.items() if label not in aside)


def _said_aside(rule: Observe) -> list[object]:
    return [rule.note, rule.doubt, rule.low, rule.high, rule.cited.label if rule.cited else None]


def _set_aside(figure: Figure, work: Work, reason: str) -> Quarantined:
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
