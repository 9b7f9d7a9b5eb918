"""Reconciliation: parts against the total printed in the same document, exactly."""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from lightwell.errors import DeclarationError
from lightwell.harmonise import Observation, Quarantined
from lightwell.quality.checks import Check, tell_few, tell_first, tell_held, tell_row
from lightwell.source import Reconcile, Source

SUM = "components_equal_printed_total"  # the name of every reconciliation check


def reconcile(
    observations: Sequence[Observation], source: Source, quarantined: Sequence[Quarantined] = ()
) -> list[Check]:
    """Add up the parts of every table that the source's `reconcile` rules name and compare with its printed total.

    Parts and total of one sum differ in the label `across` only and count the same metric; shares are left out. A
    figure printed without a number is absent, not zero, and is named. What cannot be proven fails: a row in quarantine,
    a total that is missing or printed twice, a part that is a bound. A sum that fails puts the document in quarantine,
    or with `refuse: sum` its own parts and total. Raises DeclarationError where nothing says which figure is the total.
    """
    return [check for rule in source.reconcile for check in _reconcile(rule, observations, source, quarantined)]


def _reconcile(
    rule: Reconcile, observations: Sequence[Observation], source: Source, quarantined: Sequence[Quarantined]
) -> Iterator[Check]:
    marks = _totals(rule, source)
    figures = [o for o in observations if o.figure.table == rule.table and o.unit_measure not in ("percent", "ratio")]
    lost = [q for q in quarantined if q.table in (rule.table, None) and not (q.obs_text or "").rstrip().endswith("%")]
    groups = _groups(figures, rule.across)
    for title, group in groups:
        yield _sum(rule, marks, f"{rule.table} {title}".rstrip(), group, lost)
    if not groups:
        always = all(any(t.name == rule.table and t.required for t in layout.tables) for layout in source.layouts)
        told = f"{rule.table}: no figure of this table is left to add up{tell_first(lost)}"
        yield Check(SUM, "critical" if always or lost else "info", not (always or lost), told)


def _totals(rule: Reconcile, source: Source) -> list[str]:
    """The patterns of a printed total: the rule's own first, then those of `observe`."""
    observed = [o.totals[rule.across] for o in source.observe if o.table == rule.table and rule.across in o.totals]
    patterns = ([rule.total] if rule.total is not None else []) + observed
    if not patterns:
        where = f"{source.id}.yml: reconcile: {rule.table}"
        raise DeclarationError(f"{where}: nothing says which {rule.across!r} is the total; give `total`")
    return patterns


def _groups(figures: Iterable[Observation], across: str) -> list[tuple[str, list[Observation]]]:
    """The figures of each sum, with the words that tell it from the others."""
    groups: dict[tuple[object, ...], list[Observation]] = {}
    for figure in figures:
        fixed = frozenset((k, v) for k, v in figure.figure.labels.items() if k != across)
        groups.setdefault((fixed, figure.metric), []).append(figure)
    titles = [", ".join(v for k, v in g[0].figure.labels.items() if k != across and v) for g in groups.values()]
    return [
        (title if titles.count(title) == 1 else f"{title} ({group[0].metric})", group)
        for title, group in zip(titles, groups.values(), strict=True)
    ]


def _sum(
    rule: Reconcile, marks: Sequence[str], title: str, group: Sequence[Observation], lost: Sequence[Quarantined]
) -> Check:
    totals, parts = [], []
    for o in group:
        text = o.figure.labels.get(rule.across, "")
        if _matches(marks[0], text):
            totals.append(o)
        elif _matches(rule.parts, text) if rule.parts else not any(_matches(mark, text) for mark in marks):
            parts.append(o)
    problem = _obstacle(rule, parts, totals, lost)
    told, equal = _add_up(parts, totals[0]) if len(totals) == 1 else ("", False)
    if rule.total is not None and len(totals) == 1:
        title += f", {_name(totals[0], rule.across)}"
    told = "; ".join(part for part in (told, problem) if part)
    absent = [_name(o, rule.across) for o in parts if o.obs_value is None and o.obs_status == "O"]
    if absent:
        told += f"; printed without a number: {tell_few(absent)}"
    passed = equal and not problem
    severity = "critical" if rule.refuse == "document" else "warning"
    return Check(SUM, severity, passed, f"{title}: {told}", () if passed else _ids([*parts, *totals]))


def _obstacle(
    rule: Reconcile, parts: Sequence[Observation], totals: Sequence[Observation], lost: Sequence[Quarantined]
) -> str:
    """Why the sum cannot be proven, or an empty text."""
    nameless = [o for o in parts if not o.figure.labels.get(rule.across, "").strip()]
    inexact = [o for o in [*parts, *totals] if o.comparator != "=" or (o.obs_value is None and o.obs_status != "O")]
    unmarked = [o for o in totals if not o.is_total]
    if len(totals) != 1:
        printed = f": {tell_few(o.obs_text for o in totals)}" if totals else ""
        also = f"; rows in quarantine: {tell_few(tell_held(q) for q in lost)}" if lost else ""
        return f"{len(totals)} printed totals for {len(parts):,} parts{printed}; there must be exactly one{also}"
    if lost:
        return f"rows in quarantine, so the sum cannot be proven: {tell_few(tell_held(q) for q in lost)}"
    if nameless:
        return f"parts without the label {rule.across!r}: {tell_few(o.obs_text for o in nameless)}"
    if inexact:
        return f"no exact number, so the sum cannot be proven: {tell_few(tell_row(o) for o in inexact)}"
    if unmarked:
        return f"{tell_row(unmarked[0])} is the total but not marked as one; give observe.totals for {rule.across!r}"
    return ""


def _add_up(parts: Sequence[Observation], total: Observation) -> tuple[str, bool]:
    """The sum in words, and whether it is the printed total to the last unit."""
    counted = [Fraction(repr(o.obs_value)) for o in parts if o.obs_value is not None]
    added = sum(counted, Fraction(0))
    told = f"{len(counted):,} parts add up to {_number(added)}"
    if total.obs_value is None:
        return f"{told}, the total is printed without a number", not counted
    printed = Fraction(repr(total.obs_value))
    told += f", the printed total is {_number(printed)}"
    if added == printed:
        return told, True
    return f"{told} ({_number(abs(printed - added))} {'short' if added < printed else 'too many'})", False


def _matches(pattern: str, text: str) -> bool:
    """Whether the pattern covers the whole printed text, in any case and whatever its spaces."""
    return re.fullmatch(pattern, " ".join(text.split()), re.IGNORECASE) is not None


def _number(value: Fraction) -> str:
    return f"{value.numerator:,}" if value.denominator == 1 else f"{Decimal(value.numerator) / value.denominator:,}"


def _name(observation: Observation, across: str) -> str:
    return observation.figure.labels.get(across) or observation.label_text


def _ids(observations: Iterable[Observation]) -> tuple[str, ...]:
    return tuple(o.observation_id for o in observations)
