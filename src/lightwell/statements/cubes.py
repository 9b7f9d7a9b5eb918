"""Two additive cubes of a dump, as Parquet by day and platform, with a receipt that says what they add up to.

    DIR/day=2025-09-15/platform=TikTok/sor-global-2025-09-15-full.activity.parquet
    DIR/day=2025-09-15/platform=TikTok/sor-global-2025-09-15-full.minors.parquet
    DIR/dumps/sor-global-2025-09-15-full.json

A cell of either counts `statements`, each statement in one cell. Codes of a cell that can have several stand in a list,
sorted: the number of statements with a code is a sum over cells whose list has it, and such sums do not add up to the
number of statements. A dump counts if its receipt stands: it is written last.
"""

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import quote

from lightwell.disk import sync
from lightwell.errors import DumpError
from lightwell.statements import rows
from lightwell.statements.scan import KEYS, Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Value = str | int | bool | tuple[str, ...] | None
Key = tuple[Value, ...]
_LISTS = {name for name, form in {**rows.FORMS, **rows.MINORS_FORMS}.items() if form.many}
_COMMON = (
    "category", "decision_ground", "decision_visibility", "decision_monetary", "decision_provision",
    "decision_account", "source_type", "automated_detection", "automated_decision", "content_type", "account_type",
)  # fmt: skip
_DELAYS = ("content_to_application", "application_to_reception", "content_to_reception")
_ABOUT = KEYS.index("about_minors")
CUBES = {
    "activity": _COMMON,
    "minors": (*_COMMON, *rows.MINORS_FORMS, *_DELAYS),
}
RECEIPTS = "dumps"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a reduction says of its dump. `rows` = `counted` + the sum of `rejected`."""

    dump: str
    sha1: str
    sha1_verified: bool  # against the publisher's sidecar
    day: str
    csv_files: int
    missing_parts: tuple[int, ...]  # numbers that the inner zips leave out, as the publisher may
    rows: int
    counted: int
    rejected: dict[str, int]
    about_minors: int  # statements in the cube `minors`; they are in `activity` too
    platforms: int
    delay_bins: tuple[int, ...]  # each bin's least number of days; -1: the later date stands first
    lightwell: str


def write(cells: Mapping[Cell, int], receipt: Receipt, to: Path) -> None:
    """Write both cubes and the receipt. Whatever happens on the way, no other dump's cubes are touched, and this one's
    count only once all are there. Raises DumpError where another dump has counted the same platform and day."""
    import duckdb

    cubes = build(cells)
    platforms = sorted({str(key[0]) for key in cubes["activity"]})
    _refuse_twice(receipt, platforms, to)
    staging = to / f".{receipt.dump}.{os.getpid()}"
    try:
        (staging / f"day={receipt.day}").mkdir(parents=True)
        with ThreadPoolExecutor(len(CUBES)) as pool:
            list(pool.map(lambda cube: _write_cube(cube, cubes[cube], receipt, staging), CUBES))
        _publish(staging, receipt, to)
    except (OSError, duckdb.Error) as error:
        raise DumpError(f"the cubes of {receipt.dump} could not be written to {to}: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_cube(cube: str, cells: Mapping[Key, int], receipt: Receipt, to: Path) -> None:
    import duckdb

    with duckdb.connect(config={"threads": 1, "autoload_known_extensions": "false"}) as con:
        con.execute("SET enable_progress_bar = false")
        _fill(con, cube, CUBES[cube], cells)
        for platform in sorted({str(key[0]) for key in cells}):
            _copy(con, cube, CUBES[cube], platform, to / _path(receipt, platform, cube), receipt)


def build(cells: Mapping[Cell, int]) -> dict[str, dict[Key, int]]:
    """Statements by (platform, columns of the cube) for both cubes, from cells as the workers send them."""
    found: dict[str, dict[Key, int]] = {}
    for cube, names in CUBES.items():
        wanted = [(name, KEYS.index(name)) for name in ("platform_name", *names)]
        summed = found[cube] = {}
        for cell, n in cells.items():
            if cube == "activity" or cell[_ABOUT]:
                key = tuple([_value(name, cell[at]) for name, at in wanted])
                summed[key] = summed.get(key, 0) + n
    return found


def _value(name: str, value: str | int | bool | None) -> Value:
    if name in _LISTS:
        return _codes(str(value)) if value else ()
    if name == "automated_detection":
        return value == "Yes"
    return None if value == "" else value


@cache
def _codes(cell: str) -> tuple[str, ...]:
    """The codes of a JSON list, each once, sorted: the same codes are the same cell."""
    return tuple(sorted(set(json.loads(cell))))


def _kind(column: str) -> str:
    if column in _LISTS:
        return "VARCHAR[]"
    if column in _DELAYS:
        return "SMALLINT"
    return "BOOLEAN" if column == "automated_detection" else "VARCHAR"


def _fill(con: "DuckDBPyConnection", cube: str, columns: Sequence[str], cells: Mapping[Key, int]) -> None:
    """A table of a cube, through a pipe: values bound to a statement would have the engine import pandas."""
    typed = {"platform": "VARCHAR", **{name: _kind(name) for name in columns}, "statements": "BIGINT"}
    con.execute(f"CREATE TABLE {cube} ({', '.join(f'{name} {kind}' for name, kind in typed.items())})")
    source, sink = os.pipe()
    writer = Thread(target=_write_lines, args=(sink, cells))
    writer.start()
    plain = ", ".join(f"'{n}': '{'VARCHAR' if kind.endswith('[]') else kind}'" for n, kind in typed.items())
    chosen = ", ".join(
        f"coalesce(string_split({n}, '|'), [])" if kind.endswith("[]") else n for n, kind in typed.items()
    )
    try:
        con.execute(
            f"INSERT INTO {cube} SELECT {chosen} FROM read_csv('/dev/fd/{source}', header = false, "
            f"auto_detect = false, columns = {{{plain}}}, delim = ',', quote = '\"', escape = '\"')"
        )
    finally:
        os.close(source)
        writer.join()
    found = con.execute(f"SELECT coalesce(sum(statements), 0) FROM {cube}").fetchall()[0][0]
    if found != sum(cells.values()):
        raise DumpError(
            f"{found:,} of {sum(cells.values()):,} statements arrived in the cube {cube}: please file an issue"
        )


def _write_lines(sink: int, cells: Mapping[Key, int]) -> None:
    with suppress(BrokenPipeError), os.fdopen(sink, "w", encoding="utf-8", newline="") as pipe:
        writer = csv.writer(pipe, lineterminator="\n")
        for key, n in cells.items():
            writer.writerow([*("|".join(value) if isinstance(value, tuple) else value for value in key), n])


def _copy(
    con: "DuckDBPyConnection", cube: str, columns: Sequence[str], platform: str, to: Path, receipt: Receipt
) -> None:
    to.parent.mkdir(exist_ok=True)
    names = ", ".join((*columns, "statements"))
    about = ", ".join(f"{k}: {_quoted(v)}" for k, v in (("dump", receipt.dump), ("sha1", receipt.sha1)))
    con.execute(
        f"COPY (SELECT {names} FROM {cube} WHERE platform = {_quoted(platform)} ORDER BY ALL) "
        f"TO {_quoted(str(to))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, KV_METADATA {{{about}}})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _path(receipt: Receipt, platform: str, cube: str) -> str:
    return f"{_partition(receipt, platform)}/{receipt.dump}.{cube}.parquet"


def _partition(receipt: Receipt, platform: str) -> str:
    return f"day={receipt.day}/platform={quote(platform, safe=' ')}"


def _refuse_twice(receipt: Receipt, platforms: Iterable[str], to: Path) -> None:
    for platform in platforms:
        for path in sorted((to / _partition(receipt, platform)).glob("*.activity.parquet")):
            other = path.name.removesuffix(".activity.parquet")
            if other != receipt.dump:
                raise DumpError(
                    f"{platform} on {receipt.day} is already counted in {to}, from {other}: counting {receipt.dump} "
                    "too would count its statements twice; reduce it to another folder, or remove the other's files"
                )


def _publish(staging: Path, receipt: Receipt, to: Path) -> None:
    """Move what is written into place, then let the receipt stand."""
    place = to / RECEIPTS / f"{receipt.dump}.json"
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    day = to / f"day={receipt.day}"
    written = {path.relative_to(staging) for path in staging.rglob("*.parquet")}
    for path in written:
        sync(staging / path)
    try:
        (staging / day.name).rename(day)  # in one step, if this is the day's first dump
    except OSError:
        for path in sorted(written):
            (to / path).parent.mkdir(exist_ok=True)
            (staging / path).replace(to / path)
    for path in day.glob(f"*/{receipt.dump}.*.parquet"):
        if path.relative_to(to) not in written:
            path.unlink()  # of an earlier reduction of the same dump
    (staging / place.name).write_text(json.dumps(asdict(receipt), indent=2) + "\n", encoding="utf-8")
    sync(staging / place.name)
    (staging / place.name).replace(place)
    for folder in (day, place.parent, to):
        sync(folder)


@dataclass(frozen=True, slots=True, order=True)
class Monthly:
    """A monthly count of a platform. `measure` says what is counted, `code` of what; `days` of the month are counted.

    `statements`: by category, each statement once. `minors_statements`: those about minors, each once (code `_T`).
    `minors_keyword_pairs`: of those, the pairs of a statement and a keyword: not to be added to statements.
    `minors_automated_statements`: of those, the ones whose decision was fully automated (code `_T`).
    `minors_detected_statements`: of those, the ones that automated means detected (code `_T`).
    `minors_trusted_statements`: of those, the ones that a trusted flagger's notice led to (code `_T`).
    """

    month: str  # 2025-09
    platform: str
    measure: str
    code: str
    count: int
    days: int  # of the month, with a dump of any platform


_MONTHLY = {
    "statements": ("activity", "category", ""),
    "minors_statements": ("minors", "'_T'", ""),
    "minors_keyword_pairs": ("minors", "unnest(category_specification)", ""),
    "minors_automated_statements": ("minors", "'_T'", "WHERE automated_decision = 'AUTOMATED_DECISION_FULLY'"),
    "minors_detected_statements": ("minors", "'_T'", "WHERE automated_detection"),
    "minors_trusted_statements": ("minors", "'_T'", "WHERE source_type = 'SOURCE_TRUSTED_FLAGGER'"),
}
MEASURES = tuple(_MONTHLY)


def monthly(folder: Path) -> list[Monthly]:
    """The cubes of a folder by month, platform and code, sorted.

    Raises DumpError where a dump's cubes do not add up to its receipt, as when a reduction was killed while it wrote.
    """
    import duckdb

    receipts = read_receipts(folder)
    found: list[Monthly] = []
    with duckdb.connect(config={"threads": 1, "autoload_known_extensions": "false"}) as con:
        for cube in CUBES:
            files = sorted(str(path) for path in folder.glob(f"day=*/platform=*/*.{cube}.parquet"))
            _check(con, cube, files, receipts)
        for measure, (cube, code, condition) in _MONTHLY.items():
            if not con.execute(f"SELECT 1 FROM {cube} LIMIT 1").fetchall():
                continue
            rows_found = con.execute(
                f"SELECT month, platform, code, sum(statements) FROM (SELECT left(day, 7) AS month, platform, "
                f"{code} AS code, statements FROM {cube} {condition}) GROUP BY ALL"
            ).fetchall()
            days = Counter(day[:7] for day in {receipt.day for receipt in receipts.values()})
            found += [Monthly(m, platform, measure, c, int(n), days[m]) for m, platform, c, n in rows_found]
    return sorted(found)


def read_receipts(folder: Path) -> dict[str, Receipt]:
    """The receipt of each dump that a folder of cubes counts. Raises DumpError for one that cannot be read."""
    return {path.stem: _read_receipt(path) for path in sorted((folder / RECEIPTS).glob("*.json"))}


def _read_receipt(path: Path) -> Receipt:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Receipt(**said)
    except (OSError, ValueError, TypeError) as error:
        raise DumpError(f"{path} is not a receipt of this version: reduce its dump again") from error


def _check(con: "DuckDBPyConnection", cube: str, files: list[str], receipts: Mapping[str, Receipt]) -> None:
    """A view of a cube's files, if each dump of them adds up to its receipt."""
    source = "(SELECT '' AS filename, '' AS day, '' AS platform, 0 AS statements WHERE false)"
    if files:
        read = "filename = true, hive_partitioning = true, hive_types = {'day': VARCHAR, 'platform': VARCHAR}"
        source = f"read_parquet([{', '.join(map(_quoted, files))}], {read})"
    con.execute(f"CREATE VIEW {cube} AS FROM {source}")
    sums = Counter[str]()
    for file, n in con.execute(f"SELECT filename, sum(statements) FROM {cube} GROUP BY filename").fetchall():
        sums[Path(file).name.removesuffix(f".{cube}.parquet")] += n
    due = {dump: r.counted if cube == "activity" else r.about_minors for dump, r in receipts.items()}
    for dump in sorted(due.keys() | sums.keys()):
        if dump not in due or due[dump] != sums[dump]:
            raise DumpError(f"the cube {cube} of {dump} does not add up to its receipt: reduce the dump again")
