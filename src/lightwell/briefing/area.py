"""What a briefing says of an area: reports by place of upload, in proportion, beside the police's count; enforcement.

A view that a release does not have, or that has no row about the area, leaves its part out.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lightwell.briefing.content import (
    ROWS,
    Cell,
    Content,
    Fact,
    Number,
    Picture,
    Record,
    Table,
    ids_of,
    names,
    number,
    percent,
    records,
    selected,
    spans,
    year_bar,
)
from lightwell.briefing.marks import breaks_between, marks_within
from lightwell.briefing.scope import Scope
from lightwell.rows import quoted

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

Columns = Mapping[str, set[str]]

_REPORTS = """-- One row a year and kind of count: what NCMEC prints of the CyberTipline reports of one area. A document
-- that was read goes before one that was transcribed.
-- year: Calendar year reported on.
SELECT
    year(period_end) AS year, metric, obs_value, comparator, unit_measure, obs_status, source_id, ref_area,
    dimensions['area_variant'] AS area_variant, document_id, observation_id
FROM observation
WHERE reporter = 'ncmec' AND subject = '_T' AND harm = '_T' AND freq = 'A' AND ref_area IN ({codes}) AND {within}
    AND metric IN ('cybertip_reports', 'cybertip_referrals', 'cybertip_reports_informational')
    AND len(list_filter(map_keys(dimensions), lambda name: name <> 'area_variant')) = 0
QUALIFY row_number() OVER (
    PARTITION BY year, metric, ref_area, area_variant
    ORDER BY method = 'transcribed', source_id <> 'ncmec_by_country', source_id, observation_id
) = 1
ORDER BY year, metric, area_variant
"""
_METRICS = {
    "cybertip_reports": "reports",
    "cybertip_referrals": "referred",
    "cybertip_reports_informational": "informational",
}
_RATES = {
    "reports_per_100000_people": "per 100,000 people",
    "reports_per_100000_internet_users": "per 100,000 internet users",
}  # columns of country_panel
_STAGES = ("operations", "victims", "arrests", "convictions")  # columns of enforcement_funnel


def fill(con: "Connection", scope: Scope, content: Content, columns: Columns) -> None:
    """Put what the release holds about the area into the content."""
    rows = selected(con, content, "reports", _REPORTS.format(codes=scope.codes, within=scope.within()))
    if rows:
        _picture(con, scope, content, rows)
        content.facts += _newest(rows) + _change(con, scope, rows)
        content.tables.append(_reports_table(con, scope, rows, _tiers(con, scope)))
    else:
        content.remarks.append(f"No count of CyberTipline reports of {scope.name} is held for these periods.")
    _proportion(con, scope, content, columns)
    _police(con, scope, content, columns)
    _funnel(con, scope, content, columns)


def _picture(con: "Connection", scope: Scope, content: Content, rows: Sequence[Record]) -> None:
    bars = tuple(
        year_bar(r["year"], r["obs_value"], _METRICS[r["metric"]], (r["observation_id"],))
        for r in rows
        if r["obs_value"] is not None
    )
    if bars:
        title = f"CyberTipline reports by place of upload: {scope.name}"
        marks = marks_within(con, scope, rows, spans(bars))
        content.pictures.append(Picture("reports", title, "reports a year", bars, True, marks))


def _tiers(con: "Connection", scope: Scope) -> dict[int, Record]:
    found = records(
        con,
        "SELECT year(period_end) AS year, obs_text, observation_id FROM observation WHERE metric = 'tip_tier' "  # noqa: S608
        f"AND ref_area IN ({scope.codes}) AND obs_value IS NOT NULL AND {scope.within()} "
        "ORDER BY year, source_id, observation_id",
    )
    return {r["year"]: r for r in found}


def _by_year(rows: Sequence[Record]) -> dict[int, dict[str, Record]]:
    years: dict[int, dict[str, Record]] = {}
    for row in rows:
        years.setdefault(row["year"], {}).setdefault(row["metric"], row)
    return years


def _newest(rows: Sequence[Record]) -> list[Fact]:
    year, counts = max(_by_year(rows).items())
    said = {
        "cybertip_reports": f"CyberTipline reports of uploads here in {year}",
        "cybertip_referrals": f"reports referred to law enforcement in {year}",
        "cybertip_reports_informational": f"informational reports in {year}",
    }
    found = [(_counted(counts[metric]), text) for metric, text in said.items() if metric in counts]
    return [Fact(one, text) for one, text in found if isinstance(one, Number)]


def _change(con: "Connection", scope: Scope, rows: Sequence[Record]) -> list[Fact]:
    """How many times the first value the last one is, of the longest stretch of years that no break divides."""
    counted = [r for r in rows if r["metric"] == "cybertip_reports" and r["obs_value"] and r["comparator"] == "="]
    stretch: list[Record] = []
    for row in counted:
        if stretch and breaks_between(con, scope, stretch[-1], row):
            break
        stretch.append(row)
    if len(stretch) < 2:
        return []
    first, last = stretch[0], stretch[-1]
    ids = (first["observation_id"], last["observation_id"])
    fold = last["obs_value"] / first["obs_value"]
    return [Fact(Number(f"×{fold:.2f}", ids), f"reports of {last['year']} against {first['year']}, no break between")]


def _reports_table(con: "Connection", scope: Scope, rows: Sequence[Record], tiers: Mapping[int, Record]) -> Table:
    years = _by_year(rows)
    lines: list[tuple[Cell, ...]] = []
    before: Record | None = None
    for year, counts in sorted(years.items()):
        shown = [_counted(counts[m]) if m in counts else "–" for m in _METRICS]
        tier = [_tier(tiers.get(year))] if tiers else []
        now = counts.get("cybertip_reports")
        step = _step(con, scope, before, now or next(iter(counts.values())))
        lines.append((str(year), *shown, step, *tier))
        before = now
    head = ("Year", "Reports", "Referred", "Informational", "Year on year", *(["TIP tier"] if tiers else []))
    split = len({m for counts in years.values() for m in counts}) > 1
    said = ["From 2024 NCMEC prints referrals and informational reports and no total."] if split else []
    said += ["TIP tier: of the US Trafficking in Persons Report, an order from 1 (best) to 3."] if tiers else []
    return Table("Reports by year", head, tuple(lines[-ROWS:]), " ".join(said))


def _counted(row: Record) -> Cell:
    return number(row["obs_value"], [row["observation_id"]], comparator=row["comparator"])


def _tier(row: Record | None) -> Cell:
    return Number(row["obs_text"], (row["observation_id"],)) if row else "–"


def _step(con: "Connection", scope: Scope, before: Record | None, now: Record) -> Cell:
    if before is None or now["year"] - before["year"] != 1:
        return "–"
    if found := breaks_between(con, scope, before, now):
        return f"break {found[0].when}"
    if now["metric"] != before["metric"] or not before["obs_value"] or now["obs_value"] is None:
        return "–"
    change = 100 * (now["obs_value"] / before["obs_value"] - 1)
    return percent(change, (before["observation_id"], now["observation_id"]))


def _proportion(con: "Connection", scope: Scope, content: Content, columns: Columns) -> None:
    """What the country panel has per head, as bars and a fact; its rows as a CSV."""
    if not {"ref_area", "time_period", "observation_ids"} <= columns.get("country_panel", set()):
        return
    year = "CAST(left(time_period, 4) AS INTEGER)"
    sql = f"SELECT * FROM country_panel WHERE ref_area IN ({scope.codes}) AND {scope.years(year)}"  # noqa: S608
    rows = sorted(selected(con, content, "country_panel", sql), key=lambda r: str(r["time_period"]))
    behind = _behind_rates(con, rows)
    bars = tuple(
        year_bar(int(r["time_period"][:4]), r[name], said, behind[r["time_period"]])
        for r in rows
        for name, said in _RATES.items()
        if r.get(name) is not None
    )
    if bars:
        title = f"CyberTipline reports in proportion: {scope.name}"
        marks = marks_within(con, scope, _scopes(con, [one for bar in bars for one in bar.ids]), spans(bars))
        content.pictures.append(Picture("in_proportion", title, "reports a year per 100,000", bars, False, marks))
        newest = [bar for bar in bars if bar.start == bars[-1].start]
        content.facts += [Fact(Number(b.text, b.ids), f"reports {b.series} in {b.start.year}") for b in newest[:1]]


def _behind_rates(con: "Connection", rows: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """The observations of each row that a rate is computed from: reports and people, nothing else of the row."""
    known = {r["observation_id"]: r["metric"] for r in _scopes(con, [one for row in rows for one in ids_of(row)])}
    used = ("cybertip", "population", "internet")
    return {
        row["time_period"]: tuple(one for one in ids_of(row) if any(word in known.get(one, "") for word in used))
        for row in rows
    }


def _scopes(con: "Connection", ids: Sequence[str]) -> list[Record]:
    """The observations by which the scope of a break is told."""
    listed = ", ".join(quoted(one) for one in dict.fromkeys(ids)) or "''"
    return records(
        con,
        "SELECT observation_id, source_id, metric, subject, ref_area, period_start, period_end "  # noqa: S608
        f"FROM observation_vintage WHERE observation_id IN ({listed})",
    )


def _police(con: "Connection", scope: Scope, content: Content, columns: Columns) -> None:
    """What the clearinghouse counts against what the national police say they got."""
    wanted = {"ref_area", "time_period", "police_reports", "clearinghouse_reports", "police_percent_of_clearinghouse"}
    if not wanted | {"police_reporter", "police_release", "observation_ids"} <= columns.get(
        "clearinghouse_vs_police", set()
    ):
        return
    year = "CAST(left(time_period, 4) AS INTEGER)"
    sql = f"SELECT * FROM clearinghouse_vs_police WHERE ref_area IN ({scope.codes}) AND {scope.years(year)}"  # noqa: S608
    rows = selected(con, content, "clearinghouse_vs_police", sql)
    newest = {r["time_period"]: r for r in sorted(rows, key=lambda r: (r["time_period"], _released(r)))}
    lines = [
        (
            r["time_period"],
            number(r["clearinghouse_reports"], ids_of(r)),
            number(r["police_reports"], ids_of(r), comparator=r.get("police_comparator") or "="),
            Number(f"{r['police_percent_of_clearinghouse']:.1f} %", ids_of(r)),
            str(r.get("explanation") or "–").replace("_", " "),
        )
        for r in newest.values()
        if r["police_percent_of_clearinghouse"] is not None
    ]
    if lines:
        called = names(con)
        who = ", ".join(sorted({str(called.get(r["police_reporter"], r["police_reporter"])) for r in rows}))
        head = ("Year", "NCMEC counts", "Police received", "In % of NCMEC's", "Difference")
        said = f"Received by: {who}, as its newest release says; the CSV has every release."
        content.tables.append(Table("The clearinghouse's count and the police's", head, tuple(lines[-ROWS:]), said))


def _released(row: Record) -> tuple[str, str]:
    """Releases in order: december_2022 comes after december_2021."""
    month, _, year = str(row["police_release"] or "").rpartition("_")
    return year, month


def _funnel(con: "Connection", scope: Scope, content: Content, columns: Columns) -> None:
    """Operations, victims, arrests, convictions: each universe of cases by itself, none added to another."""
    known = columns.get("enforcement_funnel", set())
    if not {"ref_area", "reporter", "time_period", "counting", "observation_ids", *_STAGES} <= known:
        return
    year = "CAST(left(time_period, 4) AS INTEGER)"
    sql = f"SELECT * FROM enforcement_funnel WHERE ref_area IN ({scope.codes}) AND {scope.years(year)}"  # noqa: S608
    rows = selected(con, content, "enforcement_funnel", sql)
    called = names(con)
    lines = [
        (
            f"{_period(r['time_period'])} {called.get(r['reporter'], r['reporter'])}, {r['counting']}",
            *(number(r[stage], ids_of(r)) if r[stage] is not None else "–" for stage in _STAGES),
        )
        for r in sorted(rows, key=lambda r: (str(r["universe"]), str(r["time_period"])))
        if any(r[stage] is not None for stage in _STAGES)
    ]
    if lines:
        head = ("Counted by", *(stage.capitalize() for stage in _STAGES))
        said = "Each row counts its own cases: rows are never added or compared."
        content.tables.append(Table("Enforcement", head, tuple(lines[-ROWS:]), said))


def _period(text: str) -> str:
    """A time range by its month and length; any other period as it is."""
    first, _, length = text.partition("/P")
    words = length.replace("M", " months").replace("Y", " years").replace("D", " days")
    return f"{words} from {first[:7]}," if length else text
