"""Questions asked of the current release: what the command line prints and a notebook wants. Each answer is rows."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lightwell import archive, codes, dagbag, reading, source, store, warehouse
from lightwell.errors import LightwellError
from lightwell.settings import Settings
from lightwell.tables import Locator

BY = ("subject", "ref_area", "harm", "reporter")


@dataclass(frozen=True, slots=True)
class Rows:
    """Column names and rows of one answer, and remarks that belong to it."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    notes: list[str]

    def records(self) -> list[dict[str, Any]]:
        """The rows as mappings."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def _ask(settings: Settings, sql: str, parameters: Mapping[str, Any] | None = None, as_of: date | None = None) -> Rows:
    columns, rows = warehouse.query(sql, settings, parameters, as_of=as_of)
    return Rows(columns, rows, [])


def status(settings: Settings) -> Rows:
    """One row a source: what is held, how new it is, what is in quarantine, and how late the next document is."""
    return _ask(
        settings,
        "SELECT source_id AS source, documents, periods, observations, "
        "quarantined_rows + quarantined_documents AS quarantined, newest_published_on AS newest_publication, "
        "next_expected, days_late FROM freshness ORDER BY source_id",
    )


def trend(
    settings: Settings,
    metric: str,
    *,
    by: str | None = None,
    where: str | None = None,
    start: str | None = None,
    end: str | None = None,
    as_of: date | None = None,
) -> Rows:
    """One metric over time: the printed totals, or one series for each member of the dimension `by`.

    Nothing is added up: of the dimensions not asked for, only the printed total is taken. `where` is a SQL condition.
    Raises LightwellError for a metric or dimension there is not. The notes name the breaks within the periods shown.
    """
    if by is not None and by not in BY:
        raise LightwellError(f"--by takes {', '.join(BY)}, not {by!r}")
    known = [row[0] for row in _ask(settings, "SELECT metric FROM metric ORDER BY metric").rows]
    if metric not in known:
        near = difflib.get_close_matches(metric, known, n=5, cutoff=0.4) or known[:5]
        raise LightwellError(
            f"no metric {metric!r}; near are {', '.join(near)}; all {len(known)} are in the table metric"
        )
    fixed = [f"{name} = '_T'" for name in BY[:3] if name != by]
    member = [f"{by} <> '_T'"] if by else []
    conditions = [
        "metric = $metric",
        *fixed,
        *member,
        "($start IS NULL OR period_end >= $start::DATE)",
        "($end IS NULL OR period_start <= $end::DATE)",
        f"({where})" if where else "true",
    ]
    shown = f"{by}, " if by else ""
    sql = (  # names from BY, and the condition the user asked for
        f"SELECT source_id, {shown}time_period, obs_value, unit_measure, obs_status, dimensions, observation_id "
        f"FROM observation WHERE {' AND '.join(conditions)} ORDER BY source_id, {shown}dimensions::VARCHAR, "
        "period_start"
    )
    span = {"metric": metric, "start": _first_day(start), "end": _last_day(end)}
    found = _ask(settings, sql, span, as_of)
    return Rows(found.columns, found.rows, _breaks(settings, found, as_of))


def _breaks(settings: Settings, found: Rows, as_of: date | None) -> list[str]:
    """The declared breaks that lie within the series shown: after the first of its periods, not after the last."""
    crossed = _ask(
        settings,
        "WITH shown AS (SELECT series_id, min(period_end) AS first_end, max(period_end) AS last_end FROM observation "
        "WHERE observation_id IN (SELECT unnest($ids)) GROUP BY series_id) "
        "SELECT DISTINCT b.time_period, b.source_id, b.title, b.description FROM break_in_series AS b "
        "JOIN shown ON b.series_id = shown.series_id AND first_end < starts_on AND last_end >= starts_on "
        "ORDER BY ALL",
        {"ids": [row["observation_id"] for row in found.records()]},
        as_of,
    )
    return [f"Break at {period} in {source_id}: {title}. {said}" for period, source_id, title, said in crossed.rows]


def _first_day(period: str | None) -> str | None:
    return period if period is None else (period + "-01-01")[:10]


def _last_day(period: str | None) -> str | None:
    return period if period is None else (period + "-12-31")[:10]


def restatements(settings: Settings, *, source_id: str | None = None, over: float = 0.0) -> Rows:
    """Figures that a later document prints otherwise: their value in every vintage, and by how much it moved.

    `over` leaves out what never moved by that share from one vintage to the next. A value that came out of nothing or
    went missing moved by no share, and is always shown; so is one that fell and came back.
    """
    return _ask(
        settings,
        "SELECT source_id, subject, metric, harm, ref_area, dimensions, time_period, value_history, largest_swing, "
        "* EXCLUDE (source_id, subject, metric, harm, ref_area, dimensions, time_period, value_history, largest_swing) "
        "FROM restatement WHERE ($source IS NULL OR source_id = $source) "
        "AND (largest_swing IS NULL OR largest_swing >= $over) ORDER BY ALL",
        {"source": source_id, "over": over},
    )


def cite(settings: Settings, observation_id: str) -> dict[str, Any]:
    """Where one observation was printed, and the other vintages of the same series and period.

    Raises LightwellError where no observation, or more than one, has an id that begins so.
    """
    found = _ask(
        settings,
        "SELECT c.*, o.series_id, o.locator, o.reporter, o.subject, o.metric, o.harm, o.ref_area, o.note "
        "FROM citation AS c JOIN observation_vintage AS o USING (observation_id) "
        "WHERE starts_with(observation_id, $id) ORDER BY observation_id",
        {"id": observation_id},
    ).records()
    if len(found) != 1 or not observation_id:
        raise LightwellError(
            f"no observation {observation_id!r}"
            if not found
            else f"{len(found):,} observations begin so: say more of it"
        )
    vintages = _ask(
        settings,
        "SELECT observation_id, published_on, obs_value, obs_text, document_id FROM observation_vintage "
        "WHERE series_id = $series AND time_period = $period AND observation_id <> $id "
        "ORDER BY published_on, retrieved_at, observation_id",
        {"series": found[0]["series_id"], "period": found[0]["time_period"], "id": found[0]["observation_id"]},
    )
    return {**found[0], "vintages": vintages.records()}


def draw(settings: Settings, cited: Mapping[str, Any], target: Path) -> Path:
    """Draw the page of a cited observation as PNG with its figure boxed.

    Raises LightwellError where the archive lacks the document: the edition ships figures, not publishers' files.
    """
    from lightwell.tables import pdf

    locator = Locator.parse(cited["locator"])
    if locator.page is None:
        raise LightwellError(f"{cited['place']}: only figures of PDFs can be drawn")
    store.take_document(settings, cited["document_id"])
    try:
        path = archive.path_of(settings, cited["document_id"])
    except LightwellError:
        where = f" from {cited['url']}" if cited["url"] else ""
        raise LightwellError(
            f"the archive has no copy of this document: download it{where} and run "
            f"`lightwell add {cited['source_id']} FILE`"
        ) from None
    pdf.draw(path, locator, target)
    return target


def unmapped(settings: Settings) -> Rows:
    """What no codelist knows: organisations under their printed name, and figures in quarantine, with near names."""
    organisations = _ask(
        settings,
        "SELECT DISTINCT 'organisation' AS kind, p.source_id, p.printed_name AS printed, p.organisation AS code "
        "FROM provisional_organisation AS p ORDER BY ALL",
    )
    rows = [
        (*row, ", ".join(f"{n.name} ({n.code})" for n in codes.nearest_names(row[2]))) for row in organisations.rows
    ]
    figures = _ask(
        settings,
        "SELECT 'figure' AS kind, source_id, label_text AS printed, NULL AS code, reason FROM quarantine "
        "WHERE scope = 'row' ORDER BY ALL",
    )
    return Rows(["kind", "source_id", "printed", "code", "nearest"], [*rows, *figures.rows], [])


def quarantine(settings: Settings) -> Rows:
    """What is held and not published, with the reason."""
    return _ask(
        settings,
        "SELECT source_id, scope, left(document_id, 12) AS document, label_text, obs_text, locator, reason "
        "FROM quarantine ORDER BY ALL",
    )


def held_documents(settings: Settings) -> Rows:
    """The documents that are in quarantine as a whole, each with its reason."""
    return _ask(
        settings,
        "SELECT source_id, document_id, reason FROM quarantine WHERE scope = 'document' ORDER BY ALL",
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `lightwell doctor` looked at."""

    what: str
    well: bool
    said: str


@store.shared
def doctor(settings: Settings) -> list[Finding]:
    """Look over the declarations, the codelists, the edition, the archive, the release, and the DAGs where Airflow is
    in use."""
    return [
        _look("declarations", lambda: f"{len(source.list_sources(settings))} sources"),
        _look("codelists", lambda: f"{len(codes.codelists().organisation)} organisations"),
        _look("edition", lambda: f"{len(reading.edition(settings.edition))} documents"),
        *_archive_findings(settings),
        _look("release", lambda: _release_words(settings)),
        *([_look("DAGs", lambda: dagbag.imported(folder))] if (folder := dagbag.dags_folder()) else []),
    ]


def _look(what: str, see: Any) -> Finding:
    try:
        return Finding(what, True, see())
    except LightwellError as error:
        return Finding(what, False, str(error))


def _archive_findings(settings: Settings) -> list[Finding]:
    problems = archive.verify(settings)
    if not problems:
        return [Finding("archive", True, "every document is there, byte for byte")]
    return [Finding("archive", problem.kind in {"temporary", "ledger"}, problem.what) for problem in problems]


def _release_words(settings: Settings) -> str:
    with warehouse.connect(settings) as con:
        offenders = {name: rows for name, rows in warehouse.audit(con).items() if rows}
    if offenders:
        raise LightwellError(f"the audits {', '.join(offenders)} find offenders: run `lightwell rollback`")
    current = warehouse.current(settings)
    return f"{current.release_id if current else 'none'}, every audit passes"
