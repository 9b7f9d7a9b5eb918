"""Figures to observations: names, periods, numbers, units. What matches nothing is quarantined with its text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from lightwell.archive import Document
from lightwell.source import Source
from lightwell.tables import Figure


@dataclass(frozen=True, slots=True)
class Observation:
    """A figure with codes, period, unit and a parsed value. Field names are the warehouse's column names."""

    observation_id: str  # 16 hex digits: of document, locator, labels, series and period
    series_id: str  # 16 hex digits: of source, reporter, subject, metric, harm, area, dimensions, freq and unit
    source_id: str
    document_id: str
    reporter: str
    subject: str
    metric: str
    harm: str
    ref_area: str
    dimensions: Mapping[str, str]
    freq: str
    time_period: str
    period_start: date
    period_end: date
    obs_value: float | None
    value_low: float | None
    value_high: float | None
    comparator: str
    unit_measure: str
    obs_status: str
    is_total: bool
    obs_text: str
    label_text: str
    locator: str
    extractor_version: str
    figure: Figure  # where it came from; not a column
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A figure, or a whole document, that is kept and queryable but not published."""

    source_id: str
    document_id: str
    scope: str  # row | document
    reason: str  # what was met and what to do about it
    expectation: str | None = None  # the check that failed, where one did
    table: str | None = None
    label_text: str | None = None
    obs_text: str | None = None
    locator: str | None = None
    observation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Harmonised:
    """What became of one document's figures. Every figure is in exactly one of the two lists."""

    observations: list[Observation]
    quarantined: list[Quarantined]
    provisional: Mapping[str, str]  # organisation code made up for a name not met before -> the printed name


def to_observations(
    figures: Iterable[Figure], document: Document, source: Source, extractor_version: str
) -> Harmonised:
    """Give every figure its codes, period, unit and value, as the declaration's `observe` rules say."""
    raise NotImplementedError
