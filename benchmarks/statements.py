"""Reducing a dump of the DSA Transparency Database, against what else reads one, in turn on one file.

    python benchmarks/statements.py --rows 2000000 --rounds 3 [--light] [--spark PYTHON] [--shantay PYTHON]

Every contestant is a process of its own that makes the same two cubes from the same statements and prints how many
statements each holds: a wrong count ends the benchmark. Lightwell and pandas start from the nested zip; `duckdb`,
`polars scan` and `spark` from CSV files that were unpacked for them beforehand; `polars` from members that two
processes inflate with isal, unchecked; `dsa-tdb` goes the way of the package of that name, zip by pandas to Parquet,
Parquet by Spark. `shantay` starts from the zip and makes statistics of its own, richer ones, that are not compared.
`zipfile` and `isal` merely inflate, `isal, scan` reads one column too: the floor. Interpreters for `--spark` need
pyspark, pandas, pyarrow and Java, for `--shantay` Python 3.12; neither needs Lightwell. Ratios are medians of rounds,
each of all contestants in turn. Peak memory is that of the whole tree of processes, sampled every 20 ms in a round of
its own, which is not timed: the sampling would cost those who use both cores a seventh.
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

from make_dump import _PLATFORMS, FULL, Plan, make_dump

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
    parser.add_argument("--spark", metavar="PYTHON", help="an interpreter with pyspark, pandas and pyarrow")
    parser.add_argument("--shantay", metavar="PYTHON", help="an interpreter with shantay")
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
    from common import median, show  # not above: another interpreter that runs Spark has no Lightwell

    path = make_dump(folder, Plan(given.rows), processes=2)
    others = {"spark": given.spark, "dsa-tdb": given.spark, "shantay": given.shantay}
    left_out = {*given.without, *(name for name, python in others.items() if not python)}
    left_out |= set() if given.light else {"lightwell light"}
    names = [name for name in CONTESTANTS if name not in left_out]
    if {"duckdb", "polars scan", "spark"} & {*names}:
        unpack(path, folder / "csv")
    light = make_dump(folder, Plan(given.rows, "light"), processes=2) if given.light else path
    watched: dict[str, Run] = {}
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for turn in range(given.rounds + 1):
        for name in names:
            of = light if name == "lightwell light" else path
            run = measured(others.get(name) or sys.executable, name, of, watch=turn == 0)
            watched.setdefault(name, run)
            runs[name] += [run] if turn else []
    answers = {name: {run.output.strip() for run in of} for name, of in runs.items() if name not in UNCOUNTED}
    if len(set.union(*answers.values())) != 1:
        raise SystemExit(f"they do not count alike: {answers}")
    own = runs["lightwell"]
    spent = {name: median([run.cpu for run in of]) for name, of in runs.items()}
    spent |= {name: watched[name].cpu for name in others if name in watched}  # Java's is not its parent's
    table = [
        [name, f"{median([r.wall for r in of]):.2f}", f"{spent[name]:.2f}", f"{watched[name].peak / MIB:.0f}",
         f"{given.rows / median([r.wall for r in of]) / 1e6:.2f}",
         f"{median([a.wall / b.wall for a, b in zip(own, of, strict=True)]):.2f}",
         f"{spent['lightwell'] / spent[name]:.2f}"]
        for name, of in runs.items()
    ]  # fmt: skip
    title = f"{given.rows:,} statements, zip of {path.stat().st_size / 1e6:.0f} MB; medians of {given.rounds}"
    counted = next(iter(set.union(*answers.values()))).split()
    notes = [f"all count {int(counted[0]):,} statements, {int(counted[1]):,} of them about minors"]
    header = ["contestant", "wall s", "cpu s", "peak MB", "M rows/s", "lightwell / it", "cpu / its"]
    show(title, header, table, notes)


def measured(python: str, name: str, path: Path, *, watch: bool) -> "Run":
    """One contestant's run: seconds and processor seconds; if watched, which takes of the processor what others would
    have, the most memory all its processes held at once, and what they all took of it."""
    from common import Run

    command = [python, __file__, "--only", name, "--path", str(path)]
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ended, peak, spent = Event(), [0], dict[int, float]()
    if watch:
        Thread(target=watch_tree, args=(child.pid, ended, peak, spent), daemon=True).start()
    output = child.stdout.read() if child.stdout else ""
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    ended.set()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{name} ended with {child.returncode}")
    return Run(wall, max(used.ru_utime + used.ru_stime, sum(spent.values())), peak[0], output)


def watch_tree(pid: int, ended: Event, peak: list[int], spent: dict[int, float]) -> None:
    """The most memory that a process and all below it hold at once, and each one's processor seconds."""
    import psutil

    first = psutil.Process(pid)
    while not ended.wait(0.02):
        held = 0
        try:
            for one in [first, *first.children(recursive=True)]:
                held += one.memory_info().rss
                spent[one.pid] = sum(one.cpu_times()[:2])
        except psutil.Error:
            continue
        peak[0] = max(peak[0], held)


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


def scan_member(where: tuple[Path, int]) -> int:
    """The number of rows of one CSV file, by one of its columns."""
    import polars as pl
    from isal import isal_zlib

    from lightwell.statements import dump

    with dump.opened(where[0]) as opened:
        member = opened.members[where[1]]
        data = isal_zlib.decompress(os.pread(opened.file, member.stored, member.offset), -15, member.size)
    return int(pl.scan_csv(data, infer_schema=False).select(pl.col("created_at").count()).collect().item())


def scan_isal(path: Path) -> tuple[int]:
    """Two processes that inflate and tokenise, with polars, and do nothing with it."""
    from lightwell.statements import dump

    os.environ["POLARS_MAX_THREADS"] = "1"
    with dump.opened(path) as opened:
        work = [(path, at) for at in range(len(opened.members))]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return (sum(pool.map(scan_member, work)),)


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


def spark_session() -> Any:
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    return spark


def spark_sums(spark: Any, frame: Any) -> tuple[int, int]:
    """The number of statements in either cube that Spark makes of a frame."""
    frame.createOrReplaceTempView("statements")
    cubes = spark_sql("statements")
    found = [spark.sql(f"SELECT sum(n) FROM ({cube})").collect()[0][0] for cube in cubes]
    return int(found[0]), int(found[1])


def with_spark(path: Path) -> tuple[int, int]:
    """`local[2]` over CSV files that somebody else has inflated."""
    from pyspark.sql.types import StringType, StructField, StructType

    spark = spark_session()
    schema = StructType([StructField(name, StringType()) for name in FULL])
    return spark_sums(spark, spark.read.csv(f"{path.parent}/csv", schema=schema, header=True, quote='"', escape='"'))


def parquet_member(where: tuple[Path, int, Path]) -> int:
    """One CSV file, all its columns, by pandas into one Parquet file."""
    import pandas as pd

    for at, member in enumerate(members(where[0])):
        if at == where[1]:
            frame = pd.read_csv(member, dtype=str)
            frame.to_parquet(where[2] / f"{at:05d}.parquet", engine="pyarrow", index=False)
            return len(frame)
    raise IndexError(where[1])


def with_dsa_tdb(path: Path) -> tuple[int, int]:
    """Pandas to Parquet in two processes, Parquet to cubes in Spark: the package's way, without its own columns."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        work = [(path, at, Path(folder)) for at in range(sum(1 for _ in members(path)))]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            list(pool.map(parquet_member, work))
        spark = spark_session()
        return spark_sums(spark, spark.read.parquet(folder))


def with_shantay(path: Path) -> tuple[int]:
    """The package's own summary of that day, from an archive as it keeps one."""
    day = path.stem.split("-")[2:5]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        place = Path(folder) / "archive" / day[0] / day[1]
        place.mkdir(parents=True)
        for file in (path, path.with_name(f"{path.name}.sha1")):
            os.link(file, place / file.name)
        said = ["--first", "-".join(day), "--last", "-".join(day), "--offline", "summarize"]
        where = ["--archive", f"{folder}/archive", "--staging", f"{folder}/staging", "--logfile", f"{folder}/log"]
        runs = (  # without its look-up of platforms on the web: one here has a quote in its name, which it refuses
            "import sys, shantay._platform as p; p.sync_web_platforms = p._check_platforms = lambda *_: 'skipped'; "
            f"p.PlatformNames = tuple(sorted({{*p.PlatformNames, *{list(_PLATFORMS)}}})); "
            "from shantay.__main__ import main; sys.exit(main())"
        )
        command = [sys.executable, "-c", runs, *where, *said]
        subprocess.run(command, check=True, env={**os.environ, "HOME": folder}, stdout=subprocess.DEVNULL)
    return (0,)


UNCOUNTED = ("zipfile", "isal", "isal, scan", "shantay")
CONTESTANTS: dict[str, Callable[[Path], tuple[int, ...]]] = {
    "lightwell": lightwell,
    "lightwell 1 worker": lambda path: lightwell(path, 1),
    "lightwell light": lightwell,
    "zipfile": inflate_zipfile,
    "isal": inflate_isal,
    "isal, scan": scan_isal,
    "duckdb": with_duckdb,
    "polars": with_polars,
    "polars scan": with_polars_scan,
    "pandas": with_pandas,
    "spark": with_spark,
    "dsa-tdb": with_dsa_tdb,
    "shantay": with_shantay,
}

if __name__ == "__main__":
    main()
