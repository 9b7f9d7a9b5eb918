"""Expectations, reconciliation, verdict: what of a document may be released, and whether a build may be.

The rules stand as data in `expectations/`: `observation.json` for every document's observations, `<source_id>.json`
where a source needs bounds of its own, `release.json` for the whole warehouse before it is published. Rules that need a
join stand as SQL in `sql/audits`. A rule of severity `critical` keeps its rows out; `warning` and `info` are only told.
"""

from collections.abc import Iterable, Sequence

from lightwell.archive import Document
from lightwell.harmonise import Harmonised, Observation, Quarantined
from lightwell.quality.checks import Check, Verdict, tell_few, tell_first, tell_held, tell_row
from lightwell.quality.expectations import Outcome, check_release, expect, read_suite, release_columns
from lightwell.quality.reconciliation import SUM, reconcile
from lightwell.quality.report import write_report
from lightwell.source import Source

__all__ = [
    "SUM",
    "Check",
    "Verdict",
    "check",
    "check_all",
    "check_release",
    "read_suite",
    "reconcile",
    "release_columns",
    "write_report",
]


def check(harmonised: Harmonised, document: Document, source: Source) -> Verdict:
    """Judge one document's observations: expectations, then exact reconciliation with its printed totals."""
    return check_all([(harmonised, document, source)])[0]


def check_all(documents: Sequence[tuple[Harmonised, Document, Source]]) -> list[Verdict]:
    """Judge many documents, each for itself, in one run of the suites. One verdict a document, in the same order.

    Raises DeclarationError where a suite or a reconciliation rule is not valid, BuildError where a rule cannot be run.
    """
    found = expect(documents)
    return [_judge(*document, outcomes) for document, outcomes in zip(documents, found, strict=True)]


def _judge(harmonised: Harmonised, document: Document, source: Source, outcomes: Sequence[Outcome]) -> Verdict:
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


def _told(outcome: Outcome, observations: Sequence[Observation]) -> Check:
    """An outcome in words, with the rows that failed."""
    failing = [observations[n] for n in outcome.rows]
    told = f"{len(observations):,} rows, none fails"
    if failing:
        told = f"{len(failing):,} of {len(observations):,} rows: {tell_few(tell_row(o) for o in failing)}"
    ids = tuple(o.observation_id for o in failing)
    return Check(outcome.rule, outcome.severity, outcome.passed, told, ids)


def _quarantined_rows(
    outcomes: Sequence[Outcome], observations: Sequence[Observation], document: Document
) -> list[Quarantined]:
    """One entry for each row that a critical rule refused, under the first such rule, with the reasons of all."""
    failed: dict[int, list[Outcome]] = {}
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
        told += tell_first(harmonised.quarantined) or "; look at its layout"
    return Check("document_has_rows", "critical", count > 0, told)


def _within_bound(withheld: Sequence[Quarantined], source: Source) -> Check:
    """More rows in quarantine than the source allows put the whole document there."""
    told = f"{len(withheld):,} rows in quarantine, {source.quarantined_rows:,} allowed"
    if withheld:
        told += f": {tell_few(f'{tell_held(q)} ({q.reason})' for q in withheld)}"
    return Check("quarantined_rows_within_bound", "critical", len(withheld) <= source.quarantined_rows, told)


def _refused(refusals: Sequence[Check], document: Document) -> Quarantined:
    """The entry of a document that is held back whole."""
    return Quarantined(
        source_id=document.source_id,
        document_id=document.document_id,
        scope="document",
        reason=tell_few((check.observed for check in refusals), "; "),
        expectation=refusals[0].name,
    )
