"""The caveats that apply to what a briefing shows, and no others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightwell.briefing.content import Content, columns_of, records
from lightwell.briefing.scope import Scope
from lightwell.citations import Notes
from lightwell.rows import quoted

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

_UNEQUAL = {
    "~": "rounded or about",
    ">": "a lower bound",
    ">=": "a lower bound",
    "<": "an upper bound",
    "<=": "an upper bound",
}


@dataclass(frozen=True, slots=True)
class Caveat:
    """One caveat, and what it is about."""

    about: str
    text: str


def caveats(con: "Connection", scope: Scope, content: Content, notes: Notes) -> list[Caveat]:
    """Of the sources, metrics, breaks, events, notes, restatements, quarantine and conflicts behind what is shown."""
    ids = ", ".join(quoted(one) for one in sorted(notes.shown)) or "''"
    found = [*_of_time(scope), *_of_sources(con, ids), *_of_metrics(con, ids)]
    found += [
        Caveat(f"Break {m.when}", _sentence(m.title, m.description, m.citation))
        for m in content.marks
        if m.kind == "break"
    ]
    found += [
        Caveat(f"Event {m.when}", _sentence(m.title, m.description, m.citation))
        for m in content.marks
        if m.kind == "event"
    ]
    found += [
        *_of_numbers(con, ids),
        *_of_restatements(con, ids),
        *_of_quarantine(con, ids),
        *_of_conflicts(con, scope),
    ]
    return list(dict.fromkeys(found))


def _sentence(*parts: str) -> str:
    return ". ".join(part.strip().rstrip(".") for part in parts if part) + "."


def _of_time(scope: Scope) -> list[Caveat]:
    if scope.as_of is None:
        return []
    return [Caveat("As of", f"Figures are shown as they were known on {scope.as_of}: later documents are left out.")]


def _of_sources(con: "Connection", ids: str) -> list[Caveat]:
    found = records(
        con,
        "SELECT s.title, s.caveats FROM source AS s SEMI JOIN "  # noqa: S608
        f"(SELECT source_id FROM observation_vintage WHERE observation_id IN ({ids})) AS o USING (source_id) "
        "ORDER BY s.source_id",
    )
    return [Caveat(r["title"], caveat) for r in found for caveat in r["caveats"]]


def _of_metrics(con: "Connection", ids: str) -> list[Caveat]:
    found = records(
        con,
        "SELECT m.title, m.definition, m.unit_measure FROM metric AS m SEMI JOIN "  # noqa: S608
        f"(SELECT metric FROM observation_vintage WHERE observation_id IN ({ids})) AS o USING (metric) "
        "ORDER BY m.metric",
    )
    return [Caveat(r["title"], f"Unit: {r['unit_measure']}. {r['definition']}") for r in found if r["definition"]]


def _of_numbers(con: "Connection", ids: str) -> list[Caveat]:
    """What is said of single numbers: bounds, statuses other than normal, how they came, notes."""
    found = records(
        con,
        "SELECT o.observation_id, o.time_period, o.obs_text, o.comparator, o.obs_status, st.title AS status, o.note, "  # noqa: S608
        "o.method FROM observation_vintage AS o LEFT JOIN obs_status AS st USING (obs_status) "
        f"WHERE o.observation_id IN ({ids}) ORDER BY o.time_period, o.observation_id",
    )
    said = []
    for r in found:
        number = f"{r['time_period']} “{r['obs_text']}” ({r['observation_id']})"
        if r["comparator"] in _UNEQUAL:
            said.append(Caveat(number, f"The number is {_UNEQUAL[r['comparator']]}, not exact."))
        if r["obs_status"] != "A":
            said.append(Caveat(number, f"Status {r['obs_status']}: {r['status'] or 'not in the codelist'}."))
        if r["note"]:
            said.append(Caveat(number, r["note"]))
    if transcribed := sum(r["method"] == "transcribed" for r in found):
        text = f"{transcribed} of the {len(found)} observations shown were transcribed by hand from the pages cited."
        said.insert(0, Caveat("Transcribed figures", text))
    return said


def _of_restatements(con: "Connection", ids: str) -> list[Caveat]:
    found = con.execute(
        "SELECT v.series_id, v.time_period FROM observation_vintage AS v SEMI JOIN "  # noqa: S608
        f"(SELECT series_id, time_period FROM observation_vintage WHERE observation_id IN ({ids})) AS o "
        "ON o.series_id = v.series_id AND o.time_period = v.time_period GROUP BY ALL "
        "HAVING count(DISTINCT v.obs_value) > 1"
    ).fetchall()
    if not found:
        return []
    text = f"{len(found)} of the figures shown were changed by a later document; the view restatement has each vintage."
    return [Caveat("Restated figures", text)]


def _of_quarantine(con: "Connection", ids: str) -> list[Caveat]:
    """What is held back of the sources shown."""
    found = records(
        con,
        "SELECT s.title, q.scope, count(*) AS n, min(q.reason) AS reason FROM quarantine AS q "  # noqa: S608
        "JOIN source AS s USING (source_id) SEMI JOIN (SELECT source_id FROM observation_vintage WHERE "
        f"observation_id IN ({ids})) AS o ON o.source_id = q.source_id GROUP BY ALL ORDER BY ALL",
    )
    what = {"row": "figures are", "document": "documents are"}
    return [
        Caveat(r["title"], f"{r['n']} {what[r['scope']]} in quarantine and not shown, for example: {r['reason']}")
        for r in found
    ]


def _of_conflicts(con: "Connection", scope: Scope) -> list[Caveat]:
    """Figures quoted in public that conflict with their source, where the release knows of such about the scope."""
    known = columns_of(con)
    wanted = {"conflict_id", "title", "said_beside", "arithmetic", "handling", "is_conflict"}
    if not wanted <= known.get("conflict_register", set()) or "observation_id" not in known.get(
        "conflict_amount", set()
    ):
        return []
    if scope.kind == "area":
        about = f"a.ref_area IN ({scope.codes})"
    else:
        about = f"o.subject IN ({scope.codes}) OR o.reporter IN ({scope.codes})"
    found = records(
        con,
        "SELECT * FROM conflict_register WHERE is_conflict AND conflict_id IN (SELECT a.conflict_id "  # noqa: S608
        "FROM conflict_amount AS a LEFT JOIN observation_vintage AS o USING (observation_id) "
        f"WHERE {about}) ORDER BY conflict_id",
    )
    return [
        Caveat(f"Conflict {r['conflict_id']}: {r['title']}", " ".join([
            "; ".join(r["said_beside"] or []) + ".", *([*r["arithmetic"], ""] if r["arithmetic"] else []), r["handling"]
        ]))
        for r in found
    ]  # fmt: skip


def sheet(title: str, found: Sequence[Caveat]) -> str:
    """The caveats as a page of Markdown, those of one thing together."""
    lines = [f"# Caveats: {title}", "", "These apply to the numbers of this briefing, and no others do.", ""]
    about: dict[str, list[str]] = {}
    for one in found:
        about.setdefault(one.about, []).append(one.text)
    for name, texts in about.items():
        lines += [f"## {name}", "", *(f"- {' '.join(text.split())}" for text in texts), ""]
    return "\n".join(lines)
