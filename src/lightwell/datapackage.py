"""What an exported folder says of itself: a Frictionless Tabular Data Package with caveats, breaks and definitions.

Every resource's rows stand in a temporary table of the connection. From them it is known which observations and
documents stand behind the package, and only those are described.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lightwell.errors import LightwellError
from lightwell.rows import as_json, identifier, quoted

if TYPE_CHECKING:
    from lightwell.warehouse import Connection

NAME = "lightwell"
DESCRIPTOR = "datapackage.json"
_REFERENCED = ("document", "source", "metric", "unit", "harm", "area")
_VALUES = frozenset(
    {
        "obs_value",
        "value_low",
        "value_high",
        "value_history",
        "earlier_obs_value",
        "first_obs_value",
        "latest_obs_value",
        "lowest_obs_value",
        "highest_obs_value",
        "difference",
        "reports",
        "referrals",
        "informational",
    }
)  # columns in the unit of the observations behind them
_TYPES = {
    "VARCHAR": "string",
    "DOUBLE": "number",
    "FLOAT": "number",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "datetime",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT"), "integer"),
}
_DIALECT = {
    "delimiter": ",",
    "lineTerminator": "\n",
    "quoteChar": '"',
    "doubleQuote": True,
    "skipInitialSpace": False,
    "header": True,
}
_ABOUT = (
    "Public aggregate counts on the online sexual exploitation of children, as their publishers printed them. Every "
    "number leads back to a document and a place in it: by observation_id to citation or observation, by document_id "
    "to sources. Read the caveats and series_breaks before comparing numbers, and never add a total (is_total) to its "
    "parts. In the CSV files an empty cell is null, a quoted empty cell an empty text; instants are UTC."
)
_NEUTRALISED = (
    "A text cell that begins with = + - @, with their full-width forms, with a tab, a line break or another control "
    "character, or with apostrophes before one of these, has one more apostrophe before it, so that no spreadsheet "
    "runs it as a formula: '- stands for -. Take that apostrophe away to have the text as printed. Numbers are never "
    "touched. XLSX files hold such texts as texts, Parquet files as they are printed."
)
_NEUTRALISED_HERE = (
    "Some cells begin with an apostrophe that is not printed: '- stands for - (see lightwell:neutralised)."
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a resource."""

    name: str
    kind: str  # DuckDB's type
    description: str

    @property
    def type(self) -> str:
        """The type's name in a table schema. Raises LightwellError for one that has no place there."""
        if self.kind.endswith("[]"):
            return "array"
        if self.kind.startswith(("MAP(", "STRUCT(")):
            return "object"
        if self.kind.startswith("DECIMAL("):
            return "number"
        if self.kind not in _TYPES:
            raise LightwellError(
                f"column {self.name} is {self.kind}, which an export cannot hold: cast it in its SELECT"
            )
        return _TYPES[self.kind]


@dataclass(frozen=True, slots=True)
class Resource:
    """One SELECT, its rows held in the temporary table `table` of the connection."""

    name: str
    table: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """One file of a resource, as it was written."""

    path: str
    bytes: int
    sha256: str
    neutralised: frozenset[str] = field(default=frozenset())  # columns with a cell that got an apostrophe


def describe(
    con: "Connection", resources: Sequence[Resource], written: Mapping[str, Sequence[Written]], title: str
) -> dict[str, Any]:
    """The descriptor of a package: of each resource the CSV, which comes first in `written`, and its other forms."""
    _gather(con, resources)
    release = _records(
        con, "SELECT release_id, built_at, lightwell_version, getvariable('as_of') AS as_of FROM release_info"
    )[0]
    package = {
        "profile": "tabular-data-package",
        "name": NAME,
        "title": f"{title}, release {release['release_id']}",
        "description": _ABOUT,
        "version": release["release_id"],
        "created": release["built_at"],
        "licenses": _records(con, _LICENCES),
        "sources": [_without_nulls(one) for one in _records(con, _DOCUMENTS)],
        "caveats": _records(con, _CAVEATS),
        "series_breaks": [_without_nulls(one) for one in _records(con, _BREAKS)],
        "metrics": _records(con, _METRICS),
        "lightwell:version": release["lightwell_version"],
        **({"lightwell:as_of": release["as_of"]} if release["as_of"] else {}),
        "lightwell:neutralised": _NEUTRALISED,
        "resources": [_described(con, r, written[r.name], resources) for r in resources],
    }
    return package if package["licenses"] else {k: v for k, v in package.items() if k != "licenses"}


def _records(con: "Connection", sql: str) -> list[dict[str, Any]]:
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, map(as_json, row), strict=True)) for row in cursor.fetchall()]


def _gather(con: "Connection", resources: Sequence[Resource]) -> None:
    """Fill `behind`, the observations behind each resource's rows, and `held`, the documents behind any row."""
    con.execute("CREATE OR REPLACE TEMP TABLE behind (resource VARCHAR, observation_id VARCHAR)")
    con.execute("CREATE OR REPLACE TEMP TABLE held (document_id VARCHAR, source_id VARCHAR)")
    con.execute("CREATE OR REPLACE TEMP TABLE concerned (source_id VARCHAR)")
    for r in resources:
        names = {c.name for c in r.columns}
        if "source_id" in names:
            con.execute(f"INSERT INTO concerned SELECT source_id FROM {r.table}")  # noqa: S608  ours
        for c in r.columns:
            cell = f"unnest({identifier(c.name)})" if c.type == "array" else identifier(c.name)
            if re.fullmatch(r"(\w+_)?observation_ids?", c.name):
                con.execute(f"INSERT INTO behind SELECT DISTINCT {quoted(r.name)}, {cell} FROM {r.table}")  # noqa: S608
            if re.fullmatch(r"(\w+_)?document_ids?", c.name):
                of = "source_id" if "source_id" in names else "NULL"
                con.execute(
                    "INSERT INTO held SELECT d.document_id, d.source_id FROM document AS d SEMI JOIN "  # noqa: S608
                    f"(SELECT {cell} AS document_id, {of} AS of FROM {r.table}) AS e "
                    "ON e.document_id = d.document_id AND coalesce(e.of, d.source_id) = d.source_id"
                )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE observed AS "
        "SELECT * FROM observation_vintage SEMI JOIN behind USING (observation_id)"
    )
    con.execute("INSERT INTO held SELECT document_id, source_id FROM observed")
    con.execute("INSERT INTO concerned SELECT source_id FROM held")


_DOCUMENTS = """
SELECT coalesce(d.title, s.title) AS title, d.url AS path, d.document_id, d.document_id AS sha256, d.source_id,
    coalesce(p.name, s.publisher_name, s.publisher) AS publisher, d.published_on, d.retrieved_at, d.media_type,
    d.bytes, d.licence, d.method
FROM document AS d
SEMI JOIN held ON held.document_id = d.document_id AND held.source_id = d.source_id
JOIN source AS s ON s.source_id = d.source_id
LEFT JOIN organisation AS p ON p.organisation = s.publisher
ORDER BY d.source_id, d.published_on, d.retrieved_at, d.document_id
"""
_LICENCES = """
SELECT DISTINCT s.landing_page AS path, d.licence AS title
FROM document AS d
SEMI JOIN held ON held.document_id = d.document_id AND held.source_id = d.source_id
JOIN source AS s ON s.source_id = d.source_id
ORDER BY ALL
"""
_CAVEATS = """
SELECT s.source_id, s.title,
    coalesce(p.name, s.publisher_name, s.publisher) AS publisher, s.description, s.caveats, s.landing_page
FROM source AS s
SEMI JOIN concerned ON concerned.source_id = s.source_id
LEFT JOIN organisation AS p ON p.organisation = s.publisher
ORDER BY s.source_id
"""
_BREAKS = """
SELECT *
FROM series_break
WHERE break_id IN (
    SELECT b.break_id FROM observed AS o
    JOIN break_in_series AS b ON b.series_id = o.series_id AND b.starts_on <= o.period_end
)
ORDER BY break_id
"""
_METRICS = """
SELECT m.*
FROM metric AS m
SEMI JOIN observed AS o ON o.metric = m.metric
ORDER BY m.metric
"""


def _described(
    con: "Connection", selected: Resource, files: Sequence[Written], resources: Sequence[Resource]
) -> dict[str, Any]:
    written, *others = files
    found = con.execute(
        "SELECT DISTINCT unit_measure FROM observed SEMI JOIN "  # noqa: S608  quoted
        f"(SELECT * FROM behind WHERE resource = {quoted(selected.name)}) USING (observation_id)"
    ).fetchall()
    unit = found[0][0] if len(found) == 1 else None
    schema: dict[str, Any] = {
        "fields": [_field(column, unit, column.name in written.neutralised) for column in selected.columns],
        "missingValues": [""],
    }
    if selected.key:
        schema["primaryKey"] = list(selected.key)
    if links := _foreign_keys(selected, resources):
        schema["foreignKeys"] = links
    return {
        "profile": "tabular-data-resource",
        "name": selected.name,
        "description": selected.description,
        "path": written.path,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": written.bytes,
        "hash": f"sha256:{written.sha256}",
        "dialect": _DIALECT,
        "schema": schema,
        **({"lightwell:also": [_other_form(other) for other in others]} if others else {}),
    }


def _other_form(written: Written) -> dict[str, Any]:
    """The same rows in another format. Not a resource: who reads the package reads each table once."""
    return {
        "path": written.path,
        "format": written.path.rpartition(".")[2],
        "bytes": written.bytes,
        "hash": f"sha256:{written.sha256}",
    }


def _field(column: Column, unit: str | None, neutralised: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"name": column.name, "type": column.type, "description": column.description}
    if column.type == "boolean":
        said |= {"trueValues": ["true"], "falseValues": ["false"]}
    if column.name in _VALUES and unit is not None:
        said["unit"] = unit
    if neutralised:
        said["description"] += " " + _NEUTRALISED_HERE
        said["lightwell:neutralised"] = True
    return said


def _foreign_keys(selected: Resource, resources: Sequence[Resource]) -> list[dict[str, Any]]:
    """Links of observations to what the package holds as well: the audits vouch for those codes. A column means the
    same wherever it is named the same."""
    names = {c.name for c in selected.columns}
    if "observation_id" not in names:
        return []
    return [
        {"fields": list(other.key), "reference": {"resource": other.name, "fields": list(other.key)}}
        for other in resources
        if other.name in _REFERENCED and other.name != selected.name and names.issuperset(other.key)
    ]


def _without_nulls(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value is not None}
