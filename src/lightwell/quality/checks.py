"""What one check found, what of a document may be released, and the words in which rows are named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lightwell.harmonise import Observation, Quarantined

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


def tell_row(observation: Observation) -> str:
    """A row by its label and what is printed there."""
    return f"{observation.label_text} {observation.obs_text!r}"


def tell_held(held: Quarantined) -> str:
    """A row in quarantine, named in the same way."""
    return f"{held.label_text or 'a row'} {held.obs_text or ''!r}"


def tell_first(held: Sequence[Quarantined]) -> str:
    """Why the first of the rows that are held back is: what is wrong with it is often wrong with all."""
    return f"; the first held back is {tell_held(held[0])}: {held[0].reason}" if held else ""


def tell_few(texts: Iterable[str], between: str = ", ") -> str:
    """The first few, and how many more there are."""
    every = list(texts)
    more = f" and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else ""
    return between.join(every[:_SHOWN]) + more
