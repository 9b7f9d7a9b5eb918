"""Typical trend queries: asked of the release, file opening included, and of the exported CSV files with pandas.

Both sides start from files and answer the same question with the same rows; the answers are compared before anything is
timed. The CSVs are those of `lightwell export`, read whole with `pandas.read_csv`. Each question is asked by itself,
its file opened for it; then all are in one sitting, each file opened once.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from common import median, show
from lightwell import refresh, warehouse
from lightwell.export import export
from lightwell.settings import Settings

ROUNDS = 7
FILES = ["observation", "observation_vintage", "reports_by_area", "reports_by_organisation"]
Rows = list[tuple[object, ...]]
Read = Callable[[str], pd.DataFrame]  # an exported table by its name


def total(read: Read) -> Rows:
    frame = read("observation")
    wanted = (frame.source_id == "ncmec_ojjdp") & (frame.metric == "cybertip_reports") & (frame.subject == "_T")
    frame = frame[wanted & (frame.ref_area == "_T") & (frame.harm == "_T") & (frame.dimensions == "{}")]
    return rows(frame, "time_period", "obs_value")


def country(read: Read) -> Rows:
    frame = read("observation")
    frame = frame[(frame.source_id == "ncmec_by_country") & (frame.ref_area == "PHL")]
    return rows(frame[frame.metric == "cybertip_reports"], "time_period", "obs_value")


def actioned(read: Read) -> Rows:
    frame = read("observation")
    wanted = (frame.source_id == "meta_enforcement") & (frame.metric == "content_actioned")
    frame = frame[wanted & frame.harm.isin(["child_sexual_exploitation", "child_nudity_and_physical_abuse"])]
    frame = frame.dropna(subset="obs_value").groupby(["subject", "time_period"], as_index=False).obs_value.sum()
    return rows(frame, "subject", "time_period", "obs_value")


def services(read: Read) -> Rows:
    frame = read("observation")
    wanted = (frame.source_id == "ncmec_by_esp") & (frame.metric == "cybertip_reports") & ~frame.is_total
    frame = frame[wanted & (frame.time_period == "2022")].nlargest(10, "obs_value")
    return rows(frame, "subject", "obs_value")


def vintages(read: Read) -> Rows:
    frame = read("observation_vintage")
    frame = frame[frame.source_id == "meta_enforcement"]
    frame = frame.groupby(["metric", "time_period", "series_id"]).obs_value.nunique().reset_index()
    frame = frame[frame.obs_value > 1].groupby(["metric"], as_index=False).series_id.count()
    return rows(frame, "metric", "series_id")


QUESTIONS: dict[str, tuple[str, Callable[[Read], Rows]]] = {
    "all reports since 1998": (
        "SELECT time_period, obs_value FROM observation WHERE source_id = 'ncmec_ojjdp' "
        "AND metric = 'cybertip_reports' AND subject = '_T' AND ref_area = '_T' AND harm = '_T' "
        "AND cardinality(dimensions) = 0",
        total,
    ),
    "one country by year": (
        "SELECT time_period, obs_value FROM observation WHERE source_id = 'ncmec_by_country' AND ref_area = 'PHL' "
        "AND metric = 'cybertip_reports'",
        country,
    ),
    "two kinds of harm by quarter, added": (
        "SELECT subject, time_period, sum(obs_value) FROM observation WHERE source_id = 'meta_enforcement' "
        "AND metric = 'content_actioned' AND harm IN ('child_sexual_exploitation', 'child_nudity_and_physical_abuse') "
        "AND obs_value IS NOT NULL GROUP BY ALL",
        actioned,
    ),
    "ten services with the most reports": (
        "SELECT subject, obs_value FROM observation WHERE source_id = 'ncmec_by_esp' AND metric = 'cybertip_reports' "
        "AND NOT is_total AND time_period = '2022' ORDER BY obs_value DESC LIMIT 10",
        services,
    ),
    "series restated, by metric": (
        "SELECT metric, count(*) FROM (SELECT metric, time_period, series_id FROM observation_vintage "
        "WHERE source_id = 'meta_enforcement' GROUP BY ALL HAVING count(DISTINCT obs_value) > 1) GROUP BY ALL",
        vintages,
    ),
}


def rows(frame: pd.DataFrame, *columns: str) -> Rows:
    return [tuple(row) for row in frame[list(columns)].itertuples(index=False)]


def ask(settings: Settings, sql: str) -> Rows:
    with warehouse.connect(settings) as con:
        return con.execute(sql).fetchall()


def sitting(settings: Settings) -> None:
    with warehouse.connect(settings) as con:
        for sql, _ in QUESTIONS.values():
            con.execute(sql).fetchall()


def sitting_by_pandas(read: Read) -> None:
    once = cache(read)
    for _, by_pandas in QUESTIONS.values():
        by_pandas(once)


def same(one: Rows, other: Rows) -> bool:
    return sorted(map(str, ([str(c).removesuffix(".0") for c in row] for row in one))) == sorted(
        map(str, ([str(c).removesuffix(".0") for c in row] for row in other))
    )


def seconds(task: Callable[[], object]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def main(home: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=home or Path(folder) / "home", offline=True)
        if home is None:
            refresh.release(settings)
        csv = Path(folder) / "csv"
        export(settings, FILES, csv)

        def read(name: str) -> pd.DataFrame:
            return pd.read_csv(csv / f"{name}.csv", low_memory=False)

        measured = []
        for name, (sql, by_pandas) in QUESTIONS.items():
            answer = ask(settings, sql)
            if not answer or not same(answer, by_pandas(read)):
                raise RuntimeError(f"{name}: the two answers differ")
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(seconds(lambda sql=sql: ask(settings, sql)))
                theirs.append(seconds(lambda by_pandas=by_pandas: by_pandas(read)))
            measured.append((name, median(ours), median(theirs)))
        ours = [seconds(lambda: sitting(settings)) for _ in range(ROUNDS)]
        theirs = [seconds(lambda: sitting_by_pandas(read)) for _ in range(ROUNDS)]
    table = [(n, f"{1000 * a:.0f} ms", f"{1000 * b:.0f} ms", f"{b / a:.1f}") for n, a, b in measured]
    for name, a, b in (
        ("all five, each by itself", sum(m[1] for m in measured), sum(m[2] for m in measured)),
        ("all five in one sitting", median(ours), median(theirs)),
    ):
        table.append((name, f"{1000 * a:.0f} ms", f"{1000 * b:.0f} ms", f"{b / a:.1f}"))
    show(
        "Trend queries", ("question", "release", "CSV, pandas", "times as fast"), table,
        [f"medians of {ROUNDS}, files opened anew each time, in one sitting once; imports not counted on either side"],
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
