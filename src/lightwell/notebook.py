"""What a notebook wants: a connection to the current release, and answers as DataFrames with their provenance.

pandas and DuckDB are imported when a function is called, so that `import lightwell` is quick.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightwell.rows import quoted
from lightwell.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from lightwell.warehouse import Connection


def connect(home: Path | str | None = None, *, as_of: date | str | None = None) -> Connection:
    """A read-only connection to the current release, without access to files or network.

    With `as_of` (a date, or 2023-06-30) observation and every view on it show what was known on that day. Raises
    LightwellError where nothing is published.

    >>> con = lightwell.connect()  # doctest: +SKIP
    >>> con.sql("FROM reports_by_area WHERE ref_area = 'PHL'").df()  # doctest: +SKIP
    """
    from lightwell import warehouse

    day = date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    return warehouse.connect(_settings(home), as_of=day)


def query(sql: str, home: Path | str | None = None, *, as_of: date | str | None = None) -> pd.DataFrame:
    """The rows of one SELECT as a DataFrame. Raises LightwellError with DuckDB's own words for a query that fails.

    >>> lightwell.query("SELECT year, name, reports FROM reports_by_organisation LIMIT 5")  # doctest: +SKIP
    """
    from lightwell import warehouse

    with connect(home, as_of=as_of) as con, warehouse.telling():
        return con.sql(sql).df()


def trend(
    metric: str,
    *,
    by: str | None = None,
    where: str | None = None,
    start: str | None = None,
    end: str | None = None,
    home: Path | str | None = None,
) -> pd.DataFrame:
    """One metric over time, one row an observation, in the metric's unit, with where each number was printed.

    The printed totals, or one series for each member of the dimension `by` (reporter, subject, ref_area or harm);
    nothing is added up. Columns of provenance are publisher_name, title, url, place, obs_text, published_on,
    retrieved_at and document_id (SHA-256), beside observation_id. `breaks` names the declared breaks between a value
    and the one before it in its series: the two must not be compared. `attrs["breaks"]` describes all of them. Raises
    LightwellError for a metric there is not.

    >>> lightwell.trend("cybertip_reports", by="ref_area", where="ref_area = 'PHL'", start="2020")  # doctest: +SKIP
    """
    import pandas as pd

    from lightwell import answers, citations, warehouse

    settings = _settings(home)
    found = answers.trend(settings, metric, by=by, where=where, start=start, end=end)
    frame = pd.DataFrame(found.rows, columns=pd.Index(found.columns))
    with warehouse.connect(settings) as con:
        cited = citations.cite(con, frame["observation_id"])
        crossed = dict(con.execute(f"SELECT observation_id, breaks FROM trend({quoted(metric)})").fetchall())  # noqa: S608
    behind = [cited[one] for one in frame["observation_id"]]
    for name in ("publisher", "title", "url", "published_on", "retrieved_at", "document_id"):
        frame["publisher_name" if name == "publisher" else name] = [getattr(c.reference, name) for c in behind]
    frame["place"] = [c.place for c in behind]
    frame["obs_text"] = [c.obs_text for c in behind]
    frame["breaks"] = [crossed.get(one, []) for one in frame["observation_id"]]
    frame.attrs["breaks"] = found.notes
    return frame


def cite(observation_id: str, home: Path | str | None = None) -> dict[str, Any]:
    """Where one observation was printed: a ready sentence under `citation`, its parts, and the other vintages.

    Raises LightwellError where no observation, or more than one, has an id that begins so.

    >>> lightwell.cite("b2485aaaa9f99497")["citation"]  # doctest: +SKIP
    """
    from lightwell import answers

    return answers.cite(_settings(home), observation_id)


def _settings(home: Path | str | None) -> Settings:
    found = Settings.from_environment()
    return found if home is None else replace(found, home=Path(home).expanduser().absolute())
