"""Reducing a dump of the DSA Transparency Database, against what else reads one, in turn on one file.

    python benchmarks/statements.py --rows 2000000 --rounds 3 [--light] [--spark /path/to/python/with/pyspark]

Every contestant is a process of its own that makes the same two cubes from the same statements and prints how many
statements each holds: a wrong count ends the benchmark. Lightwell and pandas start from the nested zip; `duckdb`,
`polars scan` and `spark` from CSV files that were unpacked for them beforehand; `polars` from members that two
processes inflate with isal, unchecked. `zipfile` and `isal` merely inflate: the floor. Peak memory is that of the
whole tree of processes, sampled every 20 ms. Wall-clock ratios are medians of rounds, each of all contestants in turn.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from make_dump import FULL, Plan, make_dump

if TYPE_CHECKING:
    from common import Run

MIB = 1 << 20
ABOUT = "STATEMENT_CATEGORY_PROTECTION_OF_MINORS"
KEYWORDS = ("AGE_SPECIFIC_RESTRICTIONS_MINORS", "CHILD_SEXUAL_ABUSE_MATERIAL", "CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE",
            "GROOMING_SEXUAL_ENTICEMENT_MINORS", "UNSAFE_CHALLENGES")  # fmt: skip
ACTIVITY = ["platform_name", "category", "decision_ground", "decision_visibility", "decision_monetary",
            "decision_provision", "decision_account", "source_type", "automated_detection", "automated_decision",
            "content_type", "account_type"]  # fmt: skip
MINORS = [*ACTIVITY, "category_addition", "category_specification"]
DATES = ["content_date", "application_date", "created_at"]
DELAYS = {"d1": (0, 1), "d2": (1, 2), "d3": (0, 2)}
EDGES = (0, 1, 2, 3, 7, 14, 30, 90, 180, 365, 730)


def main() -> None:
    """The command line; `--only NAME` is what each contestant's process is started with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--light", action="store_true", help="measure a light dump too")
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--spark", metavar="PYTHON", help="an interpreter with pyspark")
    parser.add_argument("--folder", type=Path, help="where to put the dump (default: a temporary folder)")
    parser.add_argument("--only", metavar="NAME")
    parser.add_argument("--path", type=Path)
    given = parser.parse_args()
    if given.only:
        print(*CONTESTANTS[given.only](given.path))
        return
    folder = Path(tempfile.mkdtemp(prefix="statements-", dir=given.folder))
    try:
        compete(folder, given)
    finally:
        shutil.rmtree(folder)


def compete(folder: Path, given: argparse.Namespace) -> None:
    """Make the dump, run every contestant in turn, print the table."""
    from common import machine, median, show  # not above: another interpreter that runs Spark has no Lightwell

    path = make_dump(folder, Plan(given.rows), processes=2)
    names = [n for n in CONTESTANTS if n not in (*given.without, "lightwell light", "spark")]
    if given.spark or {"duckdb", "polars scan"} & {*names}:
        unpack(path, folder / "csv")
    light = make_dump(folder, Plan(given.rows, "light"), processes=2) if given.light else None
    names += ["lightwell light"] * bool(light) + ["spark"] * bool(given.spark)
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(given.rounds):
        for name in names:
            python = given.spark if name == "spark" else sys.executable
            runs[name].append(measured(python, name, light if light and name == "lightwell light" else path))
    answers = {name: {run.output.strip() for run in of} for name, of in runs.items() if name not in FLOORS}
    if len(set.union(*answers.values())) != 1:
        raise SystemExit(f"they do not count alike: {answers}")
    own = runs["lightwell"]
    table = [
        [name, f"{median([r.wall for r in of]):.2f}", f"{median([r.cpu for r in of]):.2f}",
         f"{max(r.peak for r in of) / MIB:.0f}", f"{given.rows / median([r.wall for r in of]) / 1e6:.2f}",
         f"{median([a.wall / b.wall for a, b in zip(own, of, strict=True)]):.2f}"]
        for name, of in runs.items()
    ]  # fmt: skip
    title = f"{given.rows:,} statements, zip of {path.stat().st_size / 1e6:.0f} MB, {machine()}"
    counted = next(iter(set.union(*answers.values()))).split()
    notes = [f"all count {int(counted[0]):,} statements, {int(counted[1]):,} of them about minors"]
    header = ["contestant", "wall s", "cpu s", "peak MB", "M rows/s", "lightwell / it"]
    show(f"{title}; medians of {given.rounds}", header, table, notes)


def measured(python: str, name: str, path: Path) -> "Run":
    """One contestant's run: seconds, processor seconds, and the most memory all its processes held at once."""
    import psutil

    from common import Run

    ended, peak = Event(), [0]
    command = [python, __file__, "--only", name, "--path", str(path)]
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watched = psutil.Process(child.pid)

    def watch() -> None:
        while not ended.wait(0.02):
            held = 0
            try:
                for one in [watched, *watched.children(recursive=True)]:
                    held += one.memory_info().rss
            except psutil.Error:
                continue
            peak[0] = max(peak[0], held)

    Thread(target=watch, daemon=True).start()
    output = child.stdout.read() if child.stdout else ""
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    ended.set()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{name} ended with {child.returncode}")
    return Run(wall, used.ru_utime + used.ru_stime, peak[0], output)


def unpack(path: Path, to: Path) -> None:
    """The CSV files of a dump, for those who cannot read it as it is."""
    to.mkdir()
    with zipfile.ZipFile(path) as outer:
        for part in outer.namelist():
            with outer.open(part) as file, zipfile.ZipFile(file) as inner:
                inner.extractall(to)


def lightwell(path: Path, workers: int = 2) -> tuple[int, int]:
    """All checks on: SHA-1, CRC-32, a row a line, the form of every code."""
    from lightwell import statements

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        (one,) = statements.reduce([path], Path(folder), workers=workers)
    return one.receipt.counted, one.receipt.about_minors


def members(path: Path) -> Iterable[Any]:
    """Each CSV file of the dump, open, through Python's zipfile."""
    with zipfile.ZipFile(path) as outer:
        for part in outer.namelist():
            with outer.open(part) as file, zipfile.ZipFile(file) as inner:
                for name in inner.namelist():
                    with inner.open(name) as member:
                        yield member


def inflate_zipfile(path: Path) -> tuple[int]:
    """Bytes only: what the standard library takes to inflate the dump."""
    return (sum(len(piece) for member in members(path) for piece in iter(lambda m=member: m.read(MIB), b"")),)


def inflate_isal(path: Path) -> tuple[int]:
    """Bytes only, in one thread, with CRC-32: the floor of what Lightwell does."""
    from lightwell.statements import dump

    with dump.opened(path) as opened:
        return (sum(len(p) for m in opened.members for p in dump.inflated(opened.file, m, path.name)),)


def with_pandas(path: Path) -> tuple[int, int]:
    """`read_csv` in chunks with the needed columns, from the nested zip."""
    import pandas as pd

    activity, about = [], []
    for member in members(path):
        for frame in pd.read_csv(member, usecols=[*MINORS, *DATES], dtype=str, chunksize=100_000):
            activity.append(frame.groupby(ACTIVITY, dropna=False).size())
            said = frame["category_specification"].str.contains("|".join(f'"KEYWORD_{k}"' for k in KEYWORDS))
            added = frame["category_addition"].str.contains(f'"{ABOUT}"')
            some = frame[(frame["category"] == ABOUT) | (said == True) | (added == True)].copy()  # noqa: E712
            days = [pd.to_datetime(some[name].str[:10], errors="coerce") for name in DATES]
            for name, (first, last) in DELAYS.items():
                some[name] = pd.cut((days[last] - days[first]).dt.days, [-(10**6), *[e - 1 for e in EDGES], 10**6])
            about.append(some.groupby([*MINORS, *DELAYS], dropna=False, observed=True).size())
    cubes = [pd.concat(parts).groupby(level=list(range(parts[0].index.nlevels)), dropna=False, observed=True).sum()
             for parts in (activity, about)]  # fmt: skip
    return int(cubes[0].sum()), int(cubes[1].sum())


def spark_sql(source: str) -> tuple[str, str]:
    """Both cubes in Spark's SQL."""
    said = " OR ".join(f"category_specification LIKE '%\"KEYWORD_{k}\"%'" for k in KEYWORDS)
    about = f"category = '{ABOUT}' OR category_addition LIKE '%\"{ABOUT}\"%' OR {said}"
    delays = []
    for name, (first, last) in DELAYS.items():
        days = f"datediff(to_date(substr({DATES[last]}, 1, 10)), to_date(substr({DATES[first]}, 1, 10)))"
        steps = " ".join(f"WHEN {days} >= {edge} THEN {edge}" for edge in reversed(EDGES))
        delays.append(f"CASE {steps} WHEN {days} < 0 THEN -1 END AS {name}")
    keys = ", ".join(ACTIVITY)
    minors = ", ".join(MINORS)
    return (
        f"SELECT {keys}, count(*) AS n FROM {source} GROUP BY {keys}",
        f"SELECT {minors}, d1, d2, d3, count(*) AS n FROM (SELECT {minors}, {', '.join(delays)} FROM {source} "
        f"WHERE {about}) GROUP BY {minors}, d1, d2, d3",
    )


def with_duckdb(path: Path) -> tuple[int, int]:
    """Two threads over CSV files that somebody else has inflated; both cubes in one pass over the text."""
    import duckdb

    con = duckdb.connect(config={"threads": 2})
    typed = ", ".join(f"'{name}': 'VARCHAR'" for name in FULL)
    source = (
        f"read_csv('{path.parent}/csv/*.csv', header = true, auto_detect = false, delim = ',', quote = '\"', "
        f"escape = '\"', columns = {{{typed}}})"
    )
    said = " OR ".join(f"contains(category_specification, '\"KEYWORD_{k}\"')" for k in KEYWORDS)
    about = f"coalesce(category = '{ABOUT}' OR contains(category_addition, '\"{ABOUT}\"') OR {said}, false)"
    delays = []
    for name, (first, last) in DELAYS.items():
        days = "date_diff('day', " + ", ".join(f"try_cast(left({DATES[at]}, 10) AS DATE)" for at in (first, last)) + ")"
        steps = " ".join(f"WHEN {days} >= {edge} THEN {edge}" for edge in reversed(EDGES))
        delays.append(f"CASE WHEN about THEN CASE {steps} WHEN {days} < 0 THEN -1 END END AS {name}")
    extra = ", ".join(f"CASE WHEN about THEN {name} END AS {name}" for name in MINORS[len(ACTIVITY) :])
    con.execute(
        f"CREATE TABLE cells AS SELECT {', '.join(ACTIVITY)}, about, {extra}, {', '.join(delays)}, count(*) AS n "
        f"FROM (SELECT *, {about} AS about FROM {source}) GROUP BY ALL"
    )
    return con.execute("SELECT sum(n), sum(n) FILTER (about) FROM cells").fetchall()[0]


def polars_cubes(lazy: Any) -> list[Any]:
    """Both cubes of a lazy frame."""
    import polars as pl

    said = [pl.col("category_specification").str.contains(f'"KEYWORD_{k}"', literal=True) for k in KEYWORDS]
    added = pl.col("category_addition").str.contains(f'"{ABOUT}"', literal=True)
    about = pl.any_horizontal(pl.col("category") == ABOUT, added, *said).fill_null(value=False)
    days = [pl.col(name).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False) for name in DATES]
    delays = [(days[b] - days[a]).dt.total_days().cut([e - 1 for e in EDGES]).alias(n) for n, (a, b) in DELAYS.items()]
    lazy = lazy.select([*MINORS, *DATES])
    return pl.collect_all([
        lazy.group_by(ACTIVITY).len(),
        lazy.filter(about).with_columns(delays).group_by([*MINORS, *DELAYS]).len(),
    ])  # fmt: skip


def polars_member(where: tuple[Path, int]) -> list[Any]:
    """Both cubes of one CSV file, inflated into memory without checks."""
    import polars as pl
    from isal import isal_zlib

    from lightwell.statements import dump

    with dump.opened(where[0]) as opened:
        member = opened.members[where[1]]
        data = isal_zlib.decompress(os.pread(opened.file, member.stored, member.offset), -15, member.size)
    return polars_cubes(pl.scan_csv(data, infer_schema=False))


def with_polars(path: Path) -> tuple[int, int]:
    """Two processes with one thread each, a CSV file at a time in memory; the cubes are added up at the end."""
    from lightwell.statements import dump

    os.environ["POLARS_MAX_THREADS"] = "1"
    with dump.opened(path) as opened:
        work = [(path, at) for at in range(len(opened.members))]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return polars_sum(list(pool.map(polars_member, work)))


def polars_sum(parts: list[list[Any]]) -> tuple[int, int]:
    """The number of statements in either cube, added up over its parts."""
    import polars as pl

    found = []
    for at in (0, 1):
        whole = pl.concat([part[at].with_columns(pl.col("len").cast(pl.Int64)) for part in parts])
        cube = whole.group_by([name for name in whole.columns if name != "len"]).sum()
        found.append(int(cube["len"].sum()))
    return found[0], found[1]


def with_polars_scan(path: Path) -> tuple[int, int]:
    """`scan_csv` with two threads over CSV files that somebody else has inflated."""
    import polars as pl

    return polars_sum([polars_cubes(pl.scan_csv(f"{path.parent}/csv/*.csv", infer_schema=False))])


def with_spark(path: Path) -> tuple[int, int]:
    """`local[2]` over CSV files that somebody else has inflated."""
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StringType, StructField, StructType

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    schema = StructType([StructField(name, StringType()) for name in FULL])
    frame = spark.read.csv(f"{path.parent}/csv", schema=schema, header=True, quote='"', escape='"')
    frame.createOrReplaceTempView("statements")
    cubes = spark_sql("statements")
    found = [spark.sql(f"SELECT sum(n) FROM ({cube})").collect()[0][0] for cube in cubes]
    return int(found[0]), int(found[1])


FLOORS = ("zipfile", "isal")
CONTESTANTS: dict[str, Callable[[Path], tuple[int, ...]]] = {
    "lightwell": lightwell,
    "lightwell 1 worker": lambda path: lightwell(path, 1),
    "lightwell light": lightwell,
    "zipfile": inflate_zipfile,
    "isal": inflate_isal,
    "duckdb": with_duckdb,
    "polars": with_polars,
    "polars scan": with_polars_scan,
    "pandas": with_pandas,
    "spark": with_spark,
}

if __name__ == "__main__":
    main()
