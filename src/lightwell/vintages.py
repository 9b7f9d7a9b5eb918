"""A document against the vintage before it: rows or columns that moved add up as before, and only the numbers printed
earlier tell.

Publishers restate, but seldom much: of Meta's vintages none changed a tenth of the cells it printed again. A document
that prints very much otherwise is released, since a restatement never blocks, with a warning in the quality report.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from math import sqrt

from lightwell.archive import Document
from lightwell.harmonise import Harmonised, Observation
from lightwell.quality import Check, Verdict
from lightwell.source import Source

RULE = "most_numbers_as_printed_before"
_LEAST = 20  # numbers printed again; fewer prove nothing
_PART = 1 / 3  # of them, that may differ much
_MUCH = 0.1  # of the larger number
_CHANCE = 2.0  # standard deviations of a count, by which small counts must differ besides
_NO_COUNTS = ("percent", "ratio", "tier")

_Before = dict[tuple[str, str], tuple[float, Document]]  # by series_id and time_period


def compare(documents: Sequence[tuple[Harmonised, Document, Source]], verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts, in the same order, each with one more check: whether most numbers are as the vintage before has
    them. Bounds, rounded and missing numbers are not compared, nor is what is not released.
    """
    found = list(verdicts)
    before: dict[str, _Before] = {}
    for n in sorted(range(len(documents)), key=lambda n: _known(documents[n][1])):
        harmonised, document, source = documents[n]
        if found[n].released:
            check, numbers = _against(before.setdefault(source.id, {}), harmonised, found[n])
            before[source.id] |= {cell: (float(o.obs_value or 0), document) for cell, o in numbers.items()}
            found[n] = replace(found[n], checks=[*found[n].checks, check])
    return found


def _known(document: Document) -> tuple[date, datetime, str]:
    return document.published_on or document.retrieved_at.date(), document.retrieved_at, document.document_id


def _against(
    before: _Before, harmonised: Harmonised, verdict: Verdict
) -> tuple[Check, dict[tuple[str, str], Observation]]:
    numbers = {
        (o.series_id, o.time_period): o
        for o in harmonised.observations
        if o.obs_value is not None and o.comparator == "=" and o.observation_id not in verdict.rejected_ids
    }
    again = [(o, *before[cell]) for cell, o in numbers.items() if cell in before]
    moved = [(o, value, document) for o, value, document in again if _differs(o, value)]
    told = f"{len(moved):,} of {len(again):,} numbers printed before are printed very much otherwise"
    passed = len(again) < _LEAST or len(moved) <= _PART * len(again)
    if not passed:
        o, value, earlier = moved[0]
        told += (
            f": {o.label_text!r} as {o.obs_text}, where {earlier.title or earlier.document_id[:12]} has {value:,.10g}. "
            "Rows or columns may have moved: compare the two documents before you quote one"
        )
    return Check(RULE, "warning", passed, told, () if passed else tuple(o.observation_id for o, _, _ in moved)), numbers


def _differs(observation: Observation, before: float) -> bool:
    value = float(observation.obs_value or 0)
    larger, apart = max(abs(value), abs(before)), abs(value - before)
    chance = 0.0 if observation.unit_measure in _NO_COUNTS else _CHANCE * sqrt(larger)
    return apart > _MUCH * larger and apart > chance
