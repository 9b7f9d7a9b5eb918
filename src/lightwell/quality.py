"""Expectations, reconciliation, verdict. Great Expectations lives only here, and is imported only when it is used."""

from dataclasses import dataclass, field

from lightwell.archive import Document
from lightwell.harmonise import Harmonised, Quarantined
from lightwell.source import Source


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
    quarantined: list[Quarantined]  # rows, or one entry of scope `document`
    released: bool  # False: nothing of the document is released
    rejected_ids: frozenset[str] = field(default_factory=frozenset)  # observation_ids that are not released


def check(harmonised: Harmonised, document: Document, source: Source) -> Verdict:
    """Judge one document's observations: expectations, then exact reconciliation with its printed totals."""
    raise NotImplementedError
