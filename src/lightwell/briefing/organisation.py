"""What a briefing says of an organisation: the clearinghouse's count of its reports, its own, and what it restated."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lightwell.briefing.content import (
    PICTURES,
    ROWS,
    Bar,
    Cell,
    Content,
    Fact,
    Number,
    Picture,
    Record,
    Table,
    digits,
    number,
    percent,
    selected,
    spans,
    titles,
    year_bar,
)
from lightwell.briefing.marks import marks_within
from lightwell.briefing.scope import Scope

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

Columns = Mapping[str, set[str]]

_COUNTED = """-- One row a service and year: the reports that NCMEC counts of it. A document that was read goes before
-- one that was transcribed.
-- year: Calendar year reported on.
SELECT
    year(period_end) AS year, subject, obs_value, comparator, unit_measure, obs_status, metric, ref_area,
    coalesce(dimensions['affiliates'] = 'combined', FALSE) AS affiliates_combined,
    dimensions['subject_variant'] AS subject_variant, source_id, document_id, observation_id
FROM observation
WHERE reporter = 'ncmec' AND metric = 'cybertip_reports' AND subject IN ({codes}) AND ref_area = '_T' AND harm = '_T'
    AND freq = 'A' AND NOT is_total AND {within}
    AND len(list_filter(map_keys(dimensions), lambda name: name NOT IN ('affiliates', 'subject_variant'))) = 0
QUALIFY row_number() OVER (
    PARTITION BY year, subject, subject_variant
    ORDER BY method = 'transcribed', source_id <> 'ncmec_by_esp', source_id, observation_id
) = 1
ORDER BY year, subject, subject_variant
"""
_OWN = """-- One row a figure that the organisation prints about itself and that concerns children, newest vintage.
SELECT
    source_id, subject, metric, harm, dimensions, freq, time_period, period_start, period_end, obs_value, comparator,
    unit_measure, obs_status, ref_area, document_id, observation_id
FROM observation
WHERE reporter IN ({codes}) AND subject IN ({codes}) AND ref_area = '_T' AND harm <> '_Z' AND {within}
ORDER BY ALL
"""
_COMPARED = """
SELECT * FROM platform_vs_clearinghouse
WHERE {years} AND subject IN (SELECT comparison FROM comparison_side WHERE subject IN ({codes}))
ORDER BY year DESC, subject
"""
_RESTATED = """
SELECT * FROM restatement
WHERE (subject IN ({codes}) OR ref_area IN ({codes})) AND harm <> '_Z' AND time_period <> ''
ORDER BY abs(relative_difference) DESC NULLS LAST, series_id, time_period
"""


def fill(con: "Connection", scope: Scope, content: Content, columns: Columns) -> None:
    """Put what the release holds about the organisation into the content."""
    known = {"codes": scope.codes, "within": scope.within(), "years": scope.years()}
    counted = selected(con, content, "reports", _COUNTED.format(**known))
    compared = selected(con, content, "platform_vs_clearinghouse", _COMPARED.format(**known))
    own = selected(con, content, "own_disclosures", _OWN.format(**known))
    words = titles(con)
    called = dict(scope.members)
    _counted_picture(con, scope, content, counted, compared)
    if table := _compared_table(con, counted, compared, called):
        content.tables.append(table)
    content.facts += _organisation_facts(counted, compared, called)
    for picture in _own_pictures(con, scope, own, words, called):
        content.pictures.append(picture)
    _restatements(con, scope, content, columns, words)
    if not counted:
        content.remarks.append(f"No count by NCMEC of reports from {scope.name} is held for these periods.")
    if not own:
        content.remarks.append(f"No figure that {scope.name} prints about itself is held for these periods.")


def _counted_picture(
    con: "Connection", scope: Scope, content: Content, counted: Sequence[Record], compared: Sequence[Record]
) -> None:
    """One service: the clearinghouse's count beside its own. Several: the clearinghouse's count of each, stacked."""
    group = _groups(counted, dict(scope.members))
    several = len(group) > 1
    bars = [
        year_bar(r["year"], r["obs_value"], group[r["subject"]] if several else "NCMEC counts", (r["observation_id"],))
        for r in counted
        if r["obs_value"] is not None
    ]
    if not several:
        bars += [
            year_bar(r["year"], r["platform_count"], f"{scope.name} counts", tuple(r["platform_observation_ids"]))
            for r in compared
            if r["platform_unit_measure"] == "reports"
        ]
    if bars:
        title = f"Reports to the CyberTipline, {'by service' if several else scope.name}"
        marks = marks_within(con, scope, counted, spans(bars))
        content.pictures.append(Picture("reports", title, "reports a year", tuple(bars), several, marks))


def _groups(counted: Sequence[Record], called: Mapping[str, str]) -> dict[str, str]:
    """The name under which each service is drawn: of more than four, the three largest, and the others as one."""
    largest: dict[str, float] = {}
    for r in counted:
        largest[r["subject"]] = max(largest.get(r["subject"], 0.0), r["obs_value"] or 0.0)
    order = sorted(largest, key=lambda subject: (-largest[subject], subject))
    named = len(order) if len(order) <= 4 else 3
    return {subject: called.get(subject, subject) if at < named else "others" for at, subject in enumerate(order)}


def _compared_table(
    con: "Connection", counted: Sequence[Record], compared: Sequence[Record], called: Mapping[str, str]
) -> Table | None:
    """Each year's two counts. Where only the clearinghouse's is held, it stands alone."""
    single = _comparison_of(con)
    lines: dict[tuple[int, str], tuple[Cell, ...]] = {}
    for r in compared:
        lines.setdefault((r["year"], r["subject"]), _two_counts(r))
    compared_years = {year for year, _ in lines}
    for r in [r for r in counted if r["year"] not in compared_years]:
        value = number(r["obs_value"], [r["observation_id"]], comparator=r["comparator"])
        name: str = r["subject"]
        lines.setdefault((r["year"], single.get(name, name)), (value, "not held for the whole year", "–"))
    if not lines:
        return None
    ordered = sorted(lines.items(), key=lambda item: (-item[0][0], item[0][1]))
    several = len({who for _, who in lines}) > 1
    rows = tuple((f"{year} {called.get(who, who)}" if several else str(year), *cells) for (year, who), cells in ordered)
    head = ("Year", "NCMEC counts", "The platform counts", "Difference, % of NCMEC's")
    more = f" {len(rows) - ROWS} more rows are in the CSV." if len(rows) > ROWS else ""
    return Table("Two counts of the same reports", head, rows[:ROWS], "Base: NCMEC's count." + more)


def _comparison_of(con: "Connection") -> dict[str, str]:
    """The comparison of a service that stands alone on the clearinghouse's side of it."""
    found = con.execute(
        "SELECT min(subject), comparison FROM comparison_side WHERE side = 'clearinghouse' "
        "GROUP BY comparison HAVING count(DISTINCT subject) = 1 ORDER BY comparison"
    )
    return dict(found.fetchall())


def _two_counts(r: Record) -> tuple[Cell, ...]:
    own, theirs = r["platform_observation_ids"], r["clearinghouse_observation_ids"]
    apart = r["difference_percent_of_clearinghouse"]
    if r["platform_unit_measure"] != "reports":
        difference: Cell = f"another unit: {r['platform_unit_measure']}"
    else:
        difference = "–" if apart is None else percent(apart, [*own, *theirs], 2)
    return (
        number(r["clearinghouse_reports"], theirs),
        number(r["platform_count"], own, comparator=r["platform_comparator"]),
        difference,
    )


def _organisation_facts(counted: Sequence[Record], compared: Sequence[Record], called: Mapping[str, str]) -> list[Fact]:
    facts = []
    newest = max((r["year"] for r in counted), default=None)
    for r in sorted((r for r in counted if r["year"] == newest), key=lambda r: -(r["obs_value"] or 0))[:2]:
        value = number(r["obs_value"], [r["observation_id"]])
        if isinstance(value, Number):
            facts.append(
                Fact(value, f"reports from {called.get(r['subject'], r['subject'])} in {newest}, counted by NCMEC")
            )
    for r in [r for r in compared if r["platform_unit_measure"] == "reports"][:1]:
        own = number(r["platform_count"], r["platform_observation_ids"], comparator=r["platform_comparator"])
        if isinstance(own, Number):
            facts.append(Fact(own, f"reports in {r['year']}, as {called.get(r['subject'], r['subject'])} counts them"))
    return facts


def _own_pictures(
    con: "Connection", scope: Scope, own: Sequence[Record], words: Mapping[str, str], called: Mapping[str, str]
) -> list[Picture]:
    """Of each metric and kind of harm the newest series, the newest three of them."""
    series: dict[tuple[str, ...], list[Record]] = {}
    for r in own:
        if r["obs_value"] is not None and r["comparator"] in ("=", "~"):
            broken = tuple(f"{k}={v}" for k, v in sorted(r["dimensions"].items()))
            series.setdefault((r["metric"], r["harm"], r["subject"], r["freq"], *broken), []).append(r)
    best: dict[tuple[str, str], list[Record]] = {}
    for key, rows in sorted(series.items()):
        known = best.get((key[0], key[1]), rows[:0])
        if len(rows) >= 3 and (not known or _newer(rows, known)):
            best[key[0], key[1]] = rows
    chosen = sorted(best.items(), key=lambda item: (item[0][0].endswith(("rate", "share")), _age(item[1]), item[0]))
    return [_own_picture(con, scope, key, rows, words, called) for key, rows in chosen[: PICTURES - 1]]


def _newer(rows: Sequence[Record], known: Sequence[Record]) -> bool:
    return _age(rows) < _age(known)


def _age(rows: Sequence[Record]) -> tuple[int, int]:
    """The newest series first, of those the longest."""
    return -max(r["period_end"] for r in rows).toordinal(), -len(rows)


def _own_picture(
    con: "Connection", scope: Scope, key: tuple[str, str], rows: Sequence[Record], words: Mapping[str, str],
    called: Mapping[str, str],
) -> Picture:  # fmt: skip
    metric, harm = key
    of = (
        ""
        if harm == "_T"
        else f": {words.get(harm, harm).lower() if harm != 'csam' else 'child sexual abuse material'}"
    )
    bars = tuple(
        Bar(r["period_start"], r["period_end"], r["obs_value"], called.get(r["subject"], r["subject"]),
            digits(r["obs_value"]), (r["observation_id"],)) for r in rows
    )  # fmt: skip
    lengths = {"A": "a year", "S": "a half-year", "Q": "a quarter", "M": "a month"}
    unit = f"{rows[0]['unit_measure']} {lengths.get(rows[0]['freq'], 'a period')}"
    title = f"{called.get(rows[0]['subject'], '')}, {words.get(metric, metric)}{of}"
    return Picture(f"{metric}-{harm}".strip("_").replace("-_T", ""), title, unit, bars, False,
                   marks_within(con, scope, rows, spans(bars)))  # fmt: skip


def _restatements(
    con: "Connection",
    scope: Scope,
    content: Content,
    columns: Columns,
    words: Mapping[str, str],
) -> None:
    if "relative_difference" not in columns.get("restatement", set()):
        return
    rows = selected(con, content, "restatement", _RESTATED.format(codes=scope.codes))
    if not rows:
        return
    lines = []
    for r in [r for r in rows if r["relative_difference"] is not None][:5]:
        first, last = (r["first_observation_id"], r["latest_observation_id"])
        what = f"{r['time_period']} {words.get(r['metric'], r['metric'])}, {words.get(r['harm'], r['harm']).lower()}"
        moved = Number(f"{100 * r['relative_difference']:+.1f} %".replace("-", "−"), (first, last))
        was = number(r["first_obs_value"], [first], significant=6)  # a small change shows in late digits
        lines.append((what, was, number(r["latest_obs_value"], [last], significant=6), moved))
    if lines:
        head = ("Figure", "First printed", "Printed last", "Change")
        said = f"{len(rows)} figures were restated; these moved most. The CSV has them all."
        content.tables.append(Table("Restated figures", head, tuple(lines), said))
