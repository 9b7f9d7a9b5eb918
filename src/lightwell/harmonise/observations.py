"""What becomes of a document's figures: observations, or rows set aside, also where the document contradicts itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

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
    cited_url: str | None = None  # the page a transcribed figure was printed on; else the document's own URL serves


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


def part_duplicates(observations: list[Observation]) -> tuple[list[Observation], list[Quarantined]]:
    """Set aside what contradicts itself: one series and period printed twice in a table, or differently in two tables.

    A figure that several tables of a document print alike is kept each time: a repeat is evidence, and every table
    needs its own total.
    """
    groups: dict[tuple[str, str], list[Observation]] = {}
    for observation in observations:
        groups.setdefault((observation.series_id, observation.time_period), []).append(observation)
    aside: list[Quarantined] = []
    for group in groups.values():
        tables = {o.figure.table for o in group}
        if len({_said(o) for o in group}) > 1 or len(tables) < len(group):
            texts = "; ".join(f"{o.label_text}: {o.obs_text!r} at {o.locator}" for o in group)
            reason = f"duplicate key, one series and period printed more than once: {texts}"
            aside += [_duplicate(o, reason) for o in group]
    gone = {q.observation_id for q in aside}
    return [o for o in observations if o.observation_id not in gone], aside


def _said(observation: Observation) -> tuple[float | None, float | None, float | None, str]:
    return observation.obs_value, observation.value_low, observation.value_high, observation.obs_status


def _duplicate(observation: Observation, reason: str) -> Quarantined:
    return Quarantined(
        source_id=observation.source_id,
        document_id=observation.document_id,
        scope="row",
        reason=reason,
        expectation="one_figure_a_series_and_period",
        table=observation.figure.table,
        label_text=observation.label_text,
        obs_text=observation.obs_text,
        locator=observation.locator,
        observation_id=observation.observation_id,
    )
