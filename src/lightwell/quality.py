"""Expectations, reconciliation, verdict. Great Expectations lives only here, and is imported only when it is used.

The rules stand as data in `expectations/`: `observation.json` for every document's observations, `<source_id>.json`
where a source needs bounds of its own, `release.json` for the whole warehouse before it is published. Rules that need a
join stand as SQL in `sql/audits`. A rule of severity `critical` keeps its rows out; `warning` and `info` are only told.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.archive import Document
from lightwell.errors import BuildError, DeclarationError
from lightwell.harmonise import Harmonised, Observation, Quarantined
from lightwell.settings import resource
from lightwell.source import Reconcile, Source

if TYPE_CHECKING:
    import pandas as pd

SUM = "components_equal_printed_total"  # the name of every reconciliation check
_SHOWN = 8  # rows named in a message; the rest is counted


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one expectation or one reconciliation."""

    name: str  # the rule's id, for example components_equal_printed_total
    severity: str  # critical | warning | info
    passed: bool
    observed: str  # what was seen, in words: "parts 31,802,524, printed total 31,802,525: 1 short"
    observation_ids: tuple[str, ...] = ()  # the rows that failed


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be released of one document."""

    checks: list[Check]
    quarantined: list[Quarantined]  # all that is held back: the harmoniser's entries, the checks' rows, the document
    released: bool  # False: nothing of the document is released
    rejected_ids: frozenset[str] = field(default_factory=frozenset)  # observation_ids that are not released


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one rule of a suite found. `rows` are the numbers of the failing rows in the frame, in order."""

    rule: str
    severity: str
    explanation: str
    passed: bool
    rows: tuple[int, ...]
    observed: str  # what an expectation on the whole table saw; empty for one on rows


def check(harmonised: Harmonised, document: Document, source: Source) -> Verdict:
    """Judge one document's observations: expectations, then exact reconciliation with its printed totals."""
    return check_all([(harmonised, document, source)])[0]


def check_all(documents: Sequence[tuple[Harmonised, Document, Source]]) -> list[Verdict]:
    """Judge many documents, each for itself, in one run of the suites. One verdict a document, in the same order.

    Raises DeclarationError where a suite or a reconciliation rule is not valid, BuildError where a rule cannot be run.
    """
    found = _expect(documents)
    return [_judge(*document, outcomes) for document, outcomes in zip(documents, found, strict=True)]


def _expect(documents: Sequence[tuple[Harmonised, Document, Source]]) -> list[list[_Outcome]]:
    """What the suites found in each document, with row numbers counted within the document."""
    origins = [(i, n) for i, (h, _, _) in enumerate(documents) for n in range(len(h.observations))]
    found: list[list[_Outcome]] = [[] for _ in documents]
    if not origins:
        return found
    frame = _frame(documents)
    everything = set(range(len(documents)))
    _share(_run("observation", frame, {}), origins, everything, found)
    for source_id in sorted({source.id for _, _, source in documents}):
        if (resource("expectations") / f"{source_id}.json").is_file():
            own = {i for i, (_, _, source) in enumerate(documents) if source.id == source_id}
            rows = [row for row, (i, _) in enumerate(origins) if i in own]
            if rows:
                _share(_run(source_id, frame.iloc[rows], {}), origins, own, found)
    return found


def _share(
    outcomes: Iterable[_Outcome], origins: Sequence[tuple[int, int]], own: set[int], found: list[list[_Outcome]]
) -> None:
    """Give each of the documents `own` its part of every outcome."""
    for outcome in outcomes:
        failing = [origins[row] for row in outcome.rows]
        if not outcome.passed and not failing:
            raise DeclarationError(f"expectations: {outcome.rule}: a rule for documents must be one on rows")
        for i in own:
            rows = tuple(n for document, n in failing if document == i)
            found[i].append(_Outcome(outcome.rule, outcome.severity, outcome.explanation, not rows, rows, ""))


def _judge(harmonised: Harmonised, document: Document, source: Source, outcomes: Sequence[_Outcome]) -> Verdict:
    observations = harmonised.observations
    rows = _quarantined_rows(outcomes, observations, document)
    rejected = {row.observation_id for row in rows if row.observation_id is not None}
    kept = [o for o in observations if o.observation_id not in rejected]
    withheld = [q for q in harmonised.quarantined if q.scope == "row"] + rows
    unread = any(q.scope == "document" for q in harmonised.quarantined)
    sums = [] if unread else reconcile(kept, source, withheld)
    doubted = _doubted(sums, kept, document)
    rejected |= {row.observation_id for row in doubted if row.observation_id is not None}
    own = [_within_bound([*withheld, *doubted], source)]
    if not unread:
        own += [_any_rows(harmonised), *sums]
    refusals = [c for c in own if c.severity == "critical" and not c.passed]
    if refusals or unread:
        rejected = {o.observation_id for o in observations}
    return Verdict(
        checks=own + [_told(outcome, observations) for outcome in outcomes],
        quarantined=[*harmonised.quarantined, *rows, *doubted] + ([_refused(refusals, document)] if refusals else []),
        released=not refusals and not unread,
        rejected_ids=frozenset(rejected),
    )


def _doubted(sums: Iterable[Check], observations: Sequence[Observation], document: Document) -> list[Quarantined]:
    """One entry for each part and total of a sum that does not add up, where the rule holds back no more than those."""
    failed: dict[str, list[str]] = {}
    for check in sums:
        if not check.passed and check.severity != "critical":
            for observation_id in check.observation_ids:
                failed.setdefault(observation_id, []).append(check.observed)
    return [
        Quarantined(
            source_id=document.source_id,
            document_id=document.document_id,
            scope="row",
            reason="; ".join([*failed[o.observation_id], "compare with the document, which may hold a misprint"]),
            expectation=SUM,
            table=o.figure.table,
            label_text=o.label_text,
            obs_text=o.obs_text,
            locator=o.locator,
            observation_id=o.observation_id,
        )
        for o in observations
        if o.observation_id in failed
    ]


def _told(outcome: _Outcome, observations: Sequence[Observation]) -> Check:
    """An outcome in words, with the rows that failed."""
    failing = [observations[n] for n in outcome.rows]
    told = f"{len(observations):,} rows, none fails"
    if failing:
        told = f"{len(failing):,} of {len(observations):,} rows: {_list(_row(o) for o in failing)}"
    ids = tuple(o.observation_id for o in failing)
    return Check(outcome.rule, outcome.severity, outcome.passed, told, ids)


def _quarantined_rows(
    outcomes: Sequence[_Outcome], observations: Sequence[Observation], document: Document
) -> list[Quarantined]:
    """One entry for each row that a critical rule refused, under the first such rule, with the reasons of all."""
    failed: dict[int, list[_Outcome]] = {}
    for outcome in outcomes:
        if outcome.severity == "critical":
            for row in outcome.rows:
                failed.setdefault(row, []).append(outcome)
    return [
        Quarantined(
            source_id=document.source_id,
            document_id=document.document_id,
            scope="row",
            reason=" ".join(f"{outcome.rule}: {outcome.explanation}" for outcome in failed[row]),
            expectation=failed[row][0].rule,
            table=observations[row].figure.table,
            label_text=observations[row].label_text,
            obs_text=observations[row].obs_text,
            locator=observations[row].locator,
            observation_id=observations[row].observation_id,
        )
        for row in sorted(failed)
    ]


def _any_rows(harmonised: Harmonised) -> Check:
    count = len(harmonised.observations)
    told = f"{count:,} rows" if count else "no rows: nothing in the document became an observation"
    if not count:
        told += _first_of(harmonised.quarantined) or "; look at its layout"
    return Check("document_has_rows", "critical", count > 0, told)


def _within_bound(withheld: Sequence[Quarantined], source: Source) -> Check:
    """More rows in quarantine than the source allows put the whole document there."""
    told = f"{len(withheld):,} rows in quarantine, {source.quarantined_rows:,} allowed"
    if withheld:
        told += f": {_list(f'{_held(q)} ({q.reason})' for q in withheld)}"
    return Check("quarantined_rows_within_bound", "critical", len(withheld) <= source.quarantined_rows, told)


def _first_of(held: Sequence[Quarantined]) -> str:
    """Why the first of the rows that are held back is: what is wrong with it is often wrong with all."""
    return f"; the first held back is {_held(held[0])}: {held[0].reason}" if held else ""


def _refused(refusals: Sequence[Check], document: Document) -> Quarantined:
    """The entry of a document that is held back whole."""
    return Quarantined(
        source_id=document.source_id,
        document_id=document.document_id,
        scope="document",
        reason=_list((check.observed for check in refusals), "; "),
        expectation=refusals[0].name,
    )


# ---- reconciliation: parts against the total printed in the same document, exactly


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
        told = f"{rule.table}: no figure of this table is left to add up{_first_of(lost)}"
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
        told += f"; printed without a number: {_list(absent)}"
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
        printed = f": {_list(o.obs_text for o in totals)}" if totals else ""
        also = f"; rows in quarantine: {_list(_held(q) for q in lost)}" if lost else ""
        return f"{len(totals)} printed totals for {len(parts):,} parts{printed}; there must be exactly one{also}"
    if lost:
        return f"rows in quarantine, so the sum cannot be proven: {_list(_held(q) for q in lost)}"
    if nameless:
        return f"parts without the label {rule.across!r}: {_list(o.obs_text for o in nameless)}"
    if inexact:
        return f"no exact number, so the sum cannot be proven: {_list(_row(o) for o in inexact)}"
    if unmarked:
        return f"{_row(unmarked[0])} is the total but not marked as one; give observe.totals for {rule.across!r}"
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


# ---- words


def _number(value: Fraction) -> str:
    return f"{value.numerator:,}" if value.denominator == 1 else f"{Decimal(value.numerator) / value.denominator:,}"


def _name(observation: Observation, across: str) -> str:
    return observation.figure.labels.get(across) or observation.label_text


def _row(observation: Observation) -> str:
    return f"{observation.label_text} {observation.obs_text!r}"


def _held(held: Quarantined) -> str:
    return f"{held.label_text or 'a row'} {held.obs_text or ''!r}"


def _ids(observations: Iterable[Observation]) -> tuple[str, ...]:
    return tuple(o.observation_id for o in observations)


def _list(texts: Iterable[str], between: str = ", ") -> str:
    """The first few, and how many more there are."""
    every = list(texts)
    more = f" and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else ""
    return between.join(every[:_SHOWN]) + more


# ---- the frame that the suites see


def _frame(documents: Sequence[tuple[Harmonised, Document, Source]]) -> "pd.DataFrame":
    """All documents' observations as one table, with the columns the suites name. An absent text is an empty text
    here, so that a pattern refuses it; an absent number stays absent."""
    import pandas as pd

    said: dict[tuple[int, str, str], set[tuple[float | None, str]]] = {}
    for i, (h, _, _) in enumerate(documents):
        for o in h.observations:
            said.setdefault((i, o.series_id, o.time_period), set()).add((o.obs_value, o.obs_status))
    columns: dict[str, list[Any]] = {}  # never all rows as records: there are very many
    for i, (h, document, source) in enumerate(documents):
        for o in h.observations:
            record = _record(o, document, source)
            record["document_number"] = str(i)
            record["observation_key"] = f"{i}/{o.observation_id}"
            record["values_of_key"] = len(said[i, o.series_id, o.time_period])
            for name, value in record.items():
                columns.setdefault(name, []).append(value)
    rows = range(sum(len(h.observations) for h, _, _ in documents))
    typed = {name: _typed(name, columns.pop(name)) for name in list(columns)}
    return pd.DataFrame({"row": pd.Series(rows, dtype="int64"), **typed})


def _typed(name: str, values: list[Any]) -> "pd.Series[Any]":
    import pandas as pd

    if name in _NUMBERS:
        return pd.Series(values, dtype="float64")
    if name in _DAYS:
        return pd.to_datetime(pd.Series(values, dtype="object"))
    if name == "is_total":
        return pd.Series(values, dtype="bool")
    return pd.Series([value or "" for value in values], dtype="object")


_NUMBERS = {"obs_value", "value_low", "value_high", "printed_value", "fraction", "values_of_key"}
_DAYS = {"period_start", "period_end", "retrieved_on"}


def _record(o: Observation, document: Document, source: Source) -> dict[str, Any]:
    whole = o.obs_value is None or o.obs_value % 1 == 0
    return {
        "observation_id": o.observation_id,
        "table_name": o.figure.table,
        "origin": f"{o.source_id}/{o.document_id}",
        "judged_origin": f"{source.id}/{document.document_id}",
        "series_id": o.series_id,
        "reporter": o.reporter,
        "subject": o.subject,
        "metric": o.metric,
        "harm": o.harm,
        "ref_area": o.ref_area,
        "dimensions": ";".join(f"{k}={v}" for k, v in sorted(o.dimensions.items())),
        "freq": o.freq,
        "time_period": o.time_period,
        "freq_and_period": f"{o.freq} {o.time_period}",
        "period_year": (o.time_period or "")[:4],
        "start_year": f"{o.period_start.year:04}",
        "period_start": o.period_start,
        "period_end": o.period_end,
        "retrieved_on": document.retrieved_at.date(),
        "obs_value": o.obs_value,
        "fraction": 0.0 if whole else 1.0,
        "printed_value": _plain_number(o),
        "value_low": o.value_low,
        "value_high": o.value_high,
        "comparator": o.comparator,
        "unit_measure": o.unit_measure,
        "obs_status": o.obs_status,
        "is_total": o.is_total,
        "obs_text": o.obs_text,
        "label_text": o.label_text,
        "locator": o.locator,
        "extractor_version": o.extractor_version,
    }


def _plain_number(o: Observation) -> float | None:
    """The number that plain printed digits say, read without the harmoniser; None for any other text."""
    text = (o.obs_text or "").strip()
    if o.unit_measure == "percent" or not re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})*|[0-9]+", text):
        return None
    return float(int(text.replace(",", "")))


# ---- Great Expectations


@cache
def _engine() -> Any:
    """Great Expectations, once a process: nothing is sent, nothing is written, no bar is drawn."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("lightwell").add_dataframe_asset("observations")
    return asset.add_batch_definition_whole_dataframe("all")


@cache
def read_suite(path: Path) -> Mapping[str, Any]:
    """A suite file as JSON. Raises DeclarationError where a rule lacks its id, explanation or severity."""
    try:
        suite: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise DeclarationError(f"expectations/{path.name} cannot be read: {error}") from None
    rules = [rule.get("meta", {}).get("rule") for rule in suite["expectations"]]
    for rule, expectation in zip(rules, suite["expectations"], strict=True):
        where = f"expectations/{path.name}: {rule or expectation['type']}"
        if not rule or not expectation["meta"].get("explanation") or rules.count(rule) > 1:
            raise DeclarationError(f"{where}: needs a meta.rule of its own and a meta.explanation")
        if expectation.get("severity") not in ("critical", "warning", "info"):
            raise DeclarationError(f"{where}: severity must be critical, warning or info")
    return suite


@cache
def _suite(path: Path) -> Any:
    import great_expectations as gx

    suite = read_suite(path)
    return gx.ExpectationSuite(name=suite["name"], expectations=list(suite["expectations"]), meta=suite["meta"])


def _run(name: str, frame: "pd.DataFrame", parameters: Mapping[str, Any]) -> list[_Outcome]:
    """Run one suite on a frame that has a column `row`; one outcome a rule, in the suite's order."""
    path = resource("expectations") / f"{name}.json"
    batch = _engine().get_batch(batch_parameters={"dataframe": frame})
    result = batch.validate(_suite(path), result_format="BOOLEAN_ONLY", expectation_parameters=dict(parameters))
    if not result.success:  # naming the rows takes twice the time, and is seldom needed
        rows = {"result_format": "COMPLETE", "unexpected_index_column_names": ["row"]}
        result = batch.validate(_suite(path), result_format=rows, expectation_parameters=dict(parameters))
    found = {one.expectation_config.meta["rule"]: _outcome(one) for one in result.results}
    rules = [expectation["meta"]["rule"] for expectation in read_suite(path)["expectations"]]
    if missing := [rule for rule in rules if rule not in found]:
        raise BuildError(f"expectations/{path.name}: Great Expectations gave no result for {', '.join(missing)}")
    return [found[rule] for rule in rules]


def _outcome(result: Any) -> _Outcome:
    meta, seen = result.expectation_config.meta, result.result or {}
    if not result.success and not seen.keys() & {"unexpected_index_list", "observed_value"}:
        raise BuildError(f"the rule {meta['rule']} could not be run: {result.exception_info}")
    return _Outcome(
        rule=meta["rule"],
        severity=str(result.expectation_config.severity.value),
        explanation=meta["explanation"],
        passed=bool(result.success),
        rows=tuple(sorted(int(entry["row"]) for entry in seen.get("unexpected_index_list") or [])),
        observed=_seen(seen),
    )


def _seen(seen: Mapping[str, Any]) -> str:
    """What an expectation on the whole table saw, in words."""
    if absent := seen.get("partial_missing_list"):
        return f"not there: {_list(map(str, absent))}"
    return f"seen: {seen['observed_value']:,}" if isinstance(seen.get("observed_value"), int) else ""


# ---- the whole warehouse


def release_columns() -> list[str]:
    """The columns of `observation` that the rules of `expectations/release.json` name, by themselves or in a
    condition."""
    suite = read_suite(resource("expectations") / "release.json")["expectations"]
    named = {v for e in suite for k, v in e["kwargs"].items() if k in ("column", "column_A", "column_B")}
    named |= {c for e in suite for c in e["kwargs"].get("column_list", [])}
    return sorted(named | {"observation_id", "obs_status", "unit_measure"})


def check_release(frame: "pd.DataFrame", previous_sources: set[str] | None) -> list[Check]:
    """Judge the built warehouse's table `observation`: one check a rule of `expectations/release.json`.

    `frame` has `release_columns` at least. `previous_sources` are the ids of the sources in the release that this one
    would replace; None where there is none. Raises BuildError where the table lacks a column that a rule names.
    """
    if missing := sorted(set(release_columns()) - set(frame.columns)):
        raise BuildError(f"the table to check has no column {', '.join(missing)}; expectations/release.json names them")
    numbered = frame.reset_index(drop=True).assign(row=range(len(frame)))
    outcomes = _run("release", numbered, {"previous_sources": sorted(previous_sources or ())})
    return [_found(outcome, numbered) for outcome in outcomes]


def _found(outcome: _Outcome, frame: "pd.DataFrame") -> Check:
    """An outcome over the whole warehouse in words, with the rows that failed."""
    ids = tuple(str(frame["observation_id"].iloc[row]) for row in outcome.rows)
    told = outcome.observed or f"{len(frame):,} rows, none fails"
    if ids:
        told = f"{len(ids):,} of {len(frame):,} rows: {_list(ids)}"
    if not outcome.passed:
        told = f"{told}. {outcome.explanation}"
    return Check(outcome.rule, outcome.severity, outcome.passed, told, ids)


# ---- the report


def write_report(
    path: Path,
    release_id: str,
    built_at: datetime,
    rows: Sequence[tuple[Source, Document, Verdict]],
    release_checks: Sequence[Check],
) -> None:
    """Write the quality report: one HTML file that loads nothing, opens offline and prints."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ordered = sorted(rows, key=lambda row: (row[0].id, row[1].url or "", row[1].document_id))
    verdicts = [verdict for _, _, verdict in ordered]
    checks = [*release_checks, *(check for verdict in verdicts for check in verdict.checks)]
    html = environment.get_template("quality_report.html.j2").render(
        release_id=release_id,
        built_at=built_at,
        sources=_by_source(ordered),
        release_checks=release_checks,
        released=sum(verdict.released for verdict in verdicts),
        held=sum(not verdict.released for verdict in verdicts),
        held_rows=sum(q.scope == "row" for verdict in verdicts for q in verdict.quarantined),
        failed=sum(not check.passed and check.severity == "critical" for check in checks),
        warned=sum(not check.passed and check.severity != "critical" for check in checks),
        checks=len(checks),
    )
    path.write_text(html, encoding="utf-8")


def _by_source(
    rows: Sequence[tuple[Source, Document, Verdict]],
) -> list[tuple[Source, list[tuple[Document, Verdict]]]]:
    """Rows sorted by source, one entry a source."""
    sources = {source.id: source for source, _, _ in rows}
    return [(sources[key], [(d, v) for s, d, v in rows if s.id == key]) for key in sources]
