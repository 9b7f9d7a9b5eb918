"""Everything a release holds about an area or organisation, gathered for a briefing."""

from typing import TYPE_CHECKING

from lightwell.briefing import area, organisation
from lightwell.briefing.area import Columns
from lightwell.briefing.content import Content, columns_of, records, selected, titles
from lightwell.briefing.scope import Scope

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

_SALIENT = (
    "livestreamed_abuse",
    "grooming",
    "online_enticement",
    "sextortion",
    "csam_ai_generated",
    "csam_self_generated",
    "child_sex_trafficking",
)  # fmt: skip  kinds of harm that a reader will look for
_OBSERVATIONS = frozenset({"observation", "observation_vintage", "vintage", "citation", "cited_observation"})
_OF_VINTAGES = frozenset({"label_rename", "not_reprinted", "repeated_value", "vintage_change"})  # for those who check


def gather(con: "Connection", scope: Scope) -> Content:
    """What the release holds about the scope."""
    content = Content()
    columns = columns_of(con)
    if scope.kind == "area":
        area.fill(con, scope, content, columns)
    if scope.kind == "organisation":
        organisation.fill(con, scope, content, columns)
    _gaps(con, scope, content, columns)
    _views(con, scope, content, columns)
    _held(con, scope, content)
    content.marks = sorted({mark for picture in content.pictures for mark in picture.marks}, key=lambda m: m.day)
    return content


def _gaps(con: "Connection", scope: Scope, content: Content, columns: Columns) -> None:
    """Kinds of harm that nobody counts here, and platforms that publish no count."""
    words = titles(con)
    if {"organisation", "harm", "year", "state"} <= columns.get("coverage", set()):
        who = "'ncmec'" if scope.kind == "area" else scope.codes
        sql = f"SELECT * FROM coverage WHERE organisation IN ({who}) AND {scope.years()}"  # noqa: S608
        rows = selected(con, content, "coverage", sql)
        called = {"ncmec": "NCMEC", **dict(scope.members)}
        for one in sorted({r["organisation"] for r in rows}):
            counted = {r["harm"] for r in rows if r["organisation"] == one and r["state"] in ("counted", "zero")}
            never = [words.get(harm, harm).lower() for harm in _SALIENT if harm not in counted]
            if never:
                said = f"Not counted by {called.get(one, one)} in any document held: {', '.join(never)}."
                content.remarks.append(said)
    if scope.kind == "organisation" and {"reporter", "first_silent_period"} <= columns.get("silence", set()):
        sql = f"SELECT * FROM silence WHERE reporter IN ({scope.codes}) OR subject IN ({scope.codes})"  # noqa: S608
        for r in selected(con, content, "silence", sql):
            span = f"{r['first_silent_period']} to {r['last_silent_period']}"
            what = words.get(r["metric"], r["metric"])
            content.remarks.append(f"Publishes no count of this: {what} ({span}, looked for and not found).")


def _views(con: "Connection", scope: Scope, content: Content, columns: Columns) -> None:
    """Every further view that has rows about the scope is a CSV of the briefing."""
    listed = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY view_name").fetchall()
    by = ("ref_area",) if scope.kind == "area" else ("subject", "organisation", "company", "reporter")
    for (view,) in listed:
        known = columns.get(view, set())
        column = next((name for name in by if name in known), None)
        if column is None or view in content.selects or view in _OBSERVATIONS | _OF_VINTAGES:
            continue
        harmful = " AND harm <> '_Z'" if "harm" in known else ""
        selected(con, content, view, f"SELECT * FROM {view} WHERE {column} IN ({scope.codes}){harmful}")  # noqa: S608


def _held(con: "Connection", scope: Scope, content: Content) -> None:
    """Every observation about the scope that concerns children, as a CSV; a line on what the page leaves out."""
    about = "ref_area" if scope.kind == "area" else "subject"
    chosen = f"{about} IN ({scope.codes}) AND harm <> '_Z' AND {scope.within()}"
    selected(con, content, "observation", f"SELECT * FROM observation WHERE {chosen}")  # noqa: S608
    found = records(
        con,
        "SELECT coalesce(p.name, s.publisher_name, s.publisher) AS publisher, count(*) AS figures, "
        "min(year(o.period_start)) AS first, max(year(o.period_end)) AS last "
        "FROM kept_observation AS o JOIN source AS s USING (source_id) "
        "LEFT JOIN organisation AS p ON p.organisation = s.publisher GROUP BY ALL ORDER BY ALL",
    )
    if not found:
        content.remarks.append(f"The release holds no figure about {scope.name} for these periods.")
        return
    content.selects["observation"] = f"SELECT * FROM observation WHERE {chosen}"  # noqa: S608
    parts = "; ".join(f"{r['publisher']} ({r['figures']}, {r['first']} to {r['last']})" for r in found)
    said = f"All figures held about {scope.name}, by publisher, number and years: {parts}."
    content.remarks.append(f"{said} They are in data/observation.csv.")
